//! Checkpoints of a training: no bytes may panic, hang or take memory out of proportion.

#![cfg_attr(feature = "libfuzzer", no_main)]

use cutaway_train::Checkpoint;

cutaway_fuzz::target!("checkpoint", |bytes| {
    if let Ok(checkpoint) = Checkpoint::from_bytes(bytes) {
        // A resumed training relies on this.
        assert!(checkpoint.recipe().check().is_ok());
    }
});
