//! MNIST's file format, plain and gzip: no bytes may panic, hang or take memory out of proportion; what is
//! accepted is written as what was read.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::path::Path;

use cutaway_data::idx::Array;

cutaway_fuzz::target!("idx", |bytes| {
    if let Ok(array) = Array::from_bytes(Path::new("fuzz"), bytes) {
        let written = array.to_bytes().expect("what was read can be written");
        assert_eq!(Array::from_bytes(Path::new("fuzz"), &written).expect("what was written can be read"), array);
    }
});
