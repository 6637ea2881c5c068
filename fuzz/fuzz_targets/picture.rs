//! Picture files: no bytes may panic, hang or take memory out of proportion; what is accepted has pixels, and is the
//! same after it was written as PNG and read again.

#![cfg_attr(feature = "libfuzzer", no_main)]

use std::path::Path;

use cutaway_data::Picture;

/// A few bytes may be a picture of 512 MiB, which is held twice where its values are reduced to 8 bits.
const DECODED: usize = 5 << 28;
/// Pictures with more pixels are not written and read again: it takes seconds.
const LARGE: usize = 1 << 20;

cutaway_fuzz::target!("picture", |bytes| {
    cutaway_fuzz::allow(DECODED);
    let Ok(picture) = Picture::from_bytes(Path::new("fuzz"), bytes) else { return };
    let area = picture.height * picture.width;
    assert!(area > 0 && picture.pixels.len() == area * picture.channels);
    if area > LARGE {
        return;
    }
    let png = picture.to_png().expect("what was read can be written");
    assert_eq!(Picture::from_bytes(Path::new("fuzz"), &png).expect("what was written can be read"), picture);
});
