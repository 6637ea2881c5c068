//! cutaway
