//! The command as its user meets it: arguments in; standard output, standard error, exit code and
//! files out. Data are small, so that the whole takes seconds.

mod attacking;
mod attributing;
mod bad_input;
mod checking;
mod documentation;
mod shell;
mod training;
mod verbs;
mod visualising;
