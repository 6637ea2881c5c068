//! Single pictures, contact sheets and folders of pictures.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use cutaway_data::{Images, OpenOptions, Picture, contact_sheet, open};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use proptest::prelude::*;

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> cutaway_data::Result<Picture> {
    Picture::from_bytes(Path::new("picture"), bytes)
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "'{message}' does not say '{part}'");
    }
}

#[test]
fn grey_and_colour_of_every_format_are_read() {
    let grey = DynamicImage::from(ImageBuffer::from_fn(5, 3, |x, y| Luma([(x * 40 + y) as u8])));
    let colour = DynamicImage::from(ImageBuffer::from_fn(5, 3, |x, y| Rgb([x as u8, y as u8, 9])));
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm, ImageFormat::WebP] {
        let picture = decode(&encode(&colour, format)).unwrap();
        assert_eq!((picture.height, picture.width, picture.channels), (3, 5, 3), "{format:?}");
        assert_eq!(picture.pixels[4 * 3..][..3], [4, 0, 9], "{format:?}");
        let picture = decode(&encode(&grey, format)).unwrap().to_grey();
        assert_eq!(picture.pixels[5..8], [1, 41, 81], "{format:?}");
    }
    // JPEG loses a little.
    let picture = decode(&encode(&grey, ImageFormat::Jpeg)).unwrap();
    assert_eq!((picture.height, picture.width, picture.channels), (3, 5, 1));
    assert!(picture.pixels[4].abs_diff(160) < 12, "{:?}", picture.pixels);
}

#[test]
fn sixteen_bits_become_eight() {
    let deep = ImageBuffer::from_fn(2, 1, |x, _| Luma([if x == 0 { 0x1234_u16 } else { 0xffff }]));
    let picture = decode(&encode(&DynamicImage::from(deep), ImageFormat::Png)).unwrap();
    assert_eq!(picture.pixels, [0x12, 0xff]);
}

#[test]
fn transparency_is_laid_over_white() {
    let clear = ImageBuffer::from_fn(3, 1, |x, _| Rgba([100_u8, 0, 0, [0, 255, 51][x as usize]]));
    let picture = decode(&encode(&DynamicImage::from(clear), ImageFormat::Png)).unwrap();
    // 51/255 is a fifth: 255 - 155/5 and 255 - 255/5.
    assert_eq!(picture.pixels, [255, 255, 255, 100, 0, 0, 224, 204, 204]);
    let clear = ImageBuffer::from_fn(1, 1, |_, _| LumaA([0_u8, 0]));
    let picture = decode(&encode(&DynamicImage::from(clear), ImageFormat::Png)).unwrap();
    assert_eq!((picture.channels, picture.pixels), (1, vec![255]));
}

#[test]
fn what_is_no_picture_or_damaged_is_a_clear_error() {
    says(&decode(b"hello").unwrap_err().to_string(), &["picture: byte 0", "no picture", "PNG"]);
    says(&decode(b"").unwrap_err().to_string(), &["no picture"]);
    let image = DynamicImage::from(ImageBuffer::from_fn(40, 40, |x, y| Luma([(x * y) as u8])));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        let bytes = encode(&image, format);
        let message = decode(&bytes[..bytes.len() / 2]).unwrap_err().to_string();
        says(&message, &["picture:", "cannot be decoded"]);
    }
    let missing = Picture::read(Path::new("no/such/file.png")).unwrap_err().to_string();
    says(&missing, &["cannot read", "file.png"]);
}

#[test]
fn a_picture_of_absurd_size_is_refused() {
    // The header of a PNG of 2^31-1 a side, with a right checksum, and nothing after it.
    let mut png =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0".to_vec();
    let crc = flate2::Crc::new();
    let crc = {
        let mut crc = crc;
        crc.update(&png[12..]);
        crc.sum()
    };
    png.extend_from_slice(&crc.to_be_bytes());
    png.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    says(&decode(&png).unwrap_err().to_string(), &["too large"]);
    // And a BMP that says so.
    let mut bmp =
        encode(&DynamicImage::from(ImageBuffer::from_pixel(2, 2, Luma([0_u8]))), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]);
    assert!(decode(&bmp).is_err());
}

#[test]
fn a_picture_written_as_png_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3] {
        let pixels = (0..6 * channels).map(|value| (value * 13) as u8).collect();
        let picture = Picture::new(2, 3, channels, pixels).unwrap();
        let path = folder.path().join("a.png");
        picture.write_png(&path).unwrap();
        assert_eq!(Picture::read(&path).unwrap(), picture);
    }
    assert!(Picture::new(2, 3, 2, vec![0; 12]).is_err());
    assert!(Picture::new(2, 3, 1, vec![0; 5]).is_err());
}

#[test]
fn shrinking_averages_and_keeps_the_kind() {
    let columns = [0, 0, 200, 200].repeat(4);
    let picture = Picture::new(4, 4, 1, columns).unwrap();
    let small = picture.resized(1, 2);
    assert_eq!((small.height, small.width, small.channels), (1, 2, 1));
    assert!(small.pixels[0] < 60 && small.pixels[1] > 140, "{:?}", small.pixels);
    assert_eq!(picture.to_rgb().resized(2, 2).channels, 3);
    assert_eq!(picture.to_rgb().to_grey(), picture);
}

/// Dark ink on light paper, as a photograph has it: an L far from the middle, on a grainy ground.
fn photograph() -> Picture {
    let mut pixels = Vec::new();
    for row in 0..200_usize {
        for column in 0..300_usize {
            let stem = (20..120).contains(&row) && (40..55).contains(&column);
            let foot = (105..120).contains(&row) && (40..100).contains(&column);
            let grain = (row * 7 + column * 13) % 12;
            pixels.push(if stem || foot { 30 } else { 225 + grain as u8 });
        }
    }
    Picture::new(200, 300, 1, pixels).unwrap()
}

#[test]
fn a_photograph_of_a_digit_is_made_to_look_like_mnist() {
    let digit = photograph().like_mnist().unwrap();
    assert_eq!((digit.height, digit.width, digit.channels), (28, 28, 1));
    let ink = |at: usize| f64::from(digit.pixels[at]);
    let mass: f64 = (0..784).map(ink).sum();
    let x = (0..784).map(|at| ink(at) * ((at % 28) as f64 + 0.5)).sum::<f64>() / mass;
    let y = (0..784).map(|at| ink(at) * ((at / 28) as f64 + 0.5)).sum::<f64>() / mass;
    assert!((x - 14.0).abs() <= 0.5 && (y - 14.0).abs() <= 0.5, "centre of mass {x}, {y}");
    let rows: Vec<usize> =
        (0..28).filter(|r| digit.pixels[r * 28..][..28].iter().any(|&p| p > 64)).collect();
    assert_eq!(rows.len(), 20, "20 rows of ink: {rows:?}");
    let blank = digit.pixels.iter().filter(|&&pixel| pixel == 0).count();
    assert!(blank > 500, "the grain of the paper is gone");
    // A second time nothing changes: it is like MNIST already.
    assert_eq!(digit.like_mnist().unwrap(), digit);
}

#[test]
fn light_on_dark_gives_the_same_as_dark_on_light() {
    let dark = photograph();
    let mut light = dark.clone();
    light.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    assert_eq!(light.like_mnist().unwrap(), dark.like_mnist().unwrap());
}

#[test]
fn an_empty_sheet_shows_no_digit() {
    let paper = Picture::new(50, 50, 3, vec![240; 7500]).unwrap();
    says(&paper.like_mnist().unwrap_err().to_string(), &["no digit", "dark on light"]);
}

#[test]
fn a_contact_sheet_has_each_image_in_its_place() {
    let images = Images::new(2, 3, 1, (1..=18).collect(), vec![0, 1, 2]).unwrap();
    let sheet = contact_sheet(&images, &[0, 1, 2], 2);
    assert_eq!((sheet.height, sheet.width, sheet.channels), (2 * 4 + 2, 2 * 5 + 2, 1));
    let row = |row: usize, column: usize| &sheet.pixels[row * 12 + column..][..3];
    assert_eq!(row(2, 2), [1, 2, 3]);
    assert_eq!(row(3, 7), [10, 11, 12]);
    assert_eq!(row(6, 2), [13, 14, 15]);
    assert_eq!(sheet.pixels[0], sheet.pixels[119]);
}

fn write_grey(path: &Path, size: u32, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = DynamicImage::from(ImageBuffer::from_pixel(size, size, Luma([value])));
    fs::write(path, encode(&image, ImageFormat::Png)).unwrap();
}

/// Classes "cat" (ten pictures of value 10 to 19) and "dog" (five of value 20 to 24).
fn write_classes(folder: &Path, size: u32) {
    for number in 0..10 {
        write_grey(&folder.join(format!("cat/{number}.png")), size, 10 + number);
    }
    for number in 0..5 {
        write_grey(&folder.join(format!("dog/{number}.PNG")), size, 20 + number);
    }
}

fn open_folder(
    folder: &Path,
    options: &OpenOptions,
) -> cutaway_data::Result<cutaway_data::Dataset> {
    open(folder.to_str().unwrap(), options)
}

#[test]
fn a_folder_of_classes_is_split_by_seed_class_by_class() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 4);
    // What is no picture is passed over.
    fs::write(folder.path().join("cat/notes.txt"), "x").unwrap();
    fs::write(folder.path().join("cat/.hidden.png"), "x").unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let open =
        |seed| open_folder(folder.path(), &OpenOptions { seed, ..Default::default() }).unwrap();
    let data = open(1);
    assert_eq!(data.labels, ["cat", "dog"]);
    assert_eq!((data.train.len(), data.test.len()), (12, 3));
    assert_eq!(data.test.labels, [0, 0, 1]);
    assert_eq!((data.train.height, data.train.width, data.train.channels), (4, 4, 1));
    let mut values: Vec<u8> =
        data.train.pixels.iter().chain(&data.test.pixels).copied().step_by(16).collect();
    values.sort_unstable();
    assert_eq!(values, (10..25).collect::<Vec<u8>>(), "every picture once");
    for (index, &value) in data.train.pixels.iter().step_by(16).enumerate() {
        assert_eq!(data.train.label(index), usize::from(value >= 20));
    }
    assert_eq!(open(1).hash, data.hash);
    assert!((2..8).any(|seed| open(seed).hash != data.hash), "another seed, another split");
}

#[test]
fn a_folder_with_train_and_test_is_taken_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(&folder.path().join("train"), 4);
    write_classes(&folder.path().join("test"), 4);
    let data = open_folder(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (15, 15));
    write_grey(&folder.path().join("test/bird/1.png"), 4, 1);
    let message = open_folder(folder.path(), &OpenOptions::default()).unwrap_err().to_string();
    says(&message, &["'bird'", "same sub-folders"]);
}

#[test]
fn pictures_of_different_size_need_a_size_to_be_resized_to() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 4);
    write_grey(&folder.path().join("dog/9.png"), 6, 99);
    let message = open_folder(folder.path(), &OpenOptions::default()).unwrap_err().to_string();
    says(&message, &["9.png", "6x6", "4x4", "resize"]);
    let options = OpenOptions { image_size: Some([3, 5]), ..Default::default() };
    let data = open_folder(folder.path(), &options).unwrap();
    assert_eq!((data.test.height, data.test.width), (3, 5));
}

#[test]
fn one_colour_picture_makes_them_all_colour() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 4);
    let red = DynamicImage::from(ImageBuffer::from_pixel(4, 4, Rgb([255_u8, 0, 0])));
    fs::write(folder.path().join("dog/9.png"), encode(&red, ImageFormat::Png)).unwrap();
    let data = open_folder(folder.path(), &OpenOptions::default()).unwrap();
    assert_eq!((data.train.channels, data.test.channels), (3, 3));
}

#[test]
fn an_empty_class_a_single_picture_and_a_damaged_one_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    write_classes(folder.path(), 4);
    let message = || open_folder(folder.path(), &OpenOptions::default()).unwrap_err().to_string();
    fs::create_dir(folder.path().join("emu")).unwrap();
    says(&message(), &["emu", "no pictures"]);
    write_grey(&folder.path().join("emu/1.png"), 4, 1);
    says(&message(), &["emu", "single picture"]);
    fs::write(folder.path().join("emu/2.png"), b"not a picture").unwrap();
    says(&message(), &["2.png", "no picture of a known format"]);
}

#[test]
fn names_and_paths_that_lead_nowhere_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let message = |spec: &Path| {
        open(spec.to_str().unwrap(), &OpenOptions::default()).unwrap_err().to_string()
    };
    says(&message(Path::new("minst")), &["no data set 'minst'", "fashion-mnist", "folder"]);
    says(&message(folder.path()), &["neither IDX files nor sub-folders"]);
    let file = folder.path().join("a.txt");
    fs::write(&file, "x").unwrap();
    says(&message(&file), &["a file, not a folder"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn mutated_pictures_never_panic(
        format in prop::sample::select(vec![
            ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Pnm, ImageFormat::WebP, ImageFormat::Jpeg,
        ]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let image = ImageBuffer::from_fn(9, 7, |x, y| Rgb([(x * 20) as u8, (y * 30) as u8, 77]));
        let mut bytes = encode(&DynamicImage::from(image), format);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = decode(&bytes);
    }

    #[test]
    fn any_picture_becomes_28_by_28_or_is_empty(
        (height, width) in (1_usize..40, 1_usize..40),
        seed in any::<u32>(),
    ) {
        let pixels = (0..height * width)
            .map(|at| ((at as u32 + 1).wrapping_mul(seed | 1) >> 24) as u8)
            .collect();
        if let Ok(digit) = Picture::new(height, width, 1, pixels).unwrap().like_mnist() {
            prop_assert_eq!(digit.pixels.len(), 784);
        }
    }
}

/// A picture of `fixtures/`, made by `make_pictures.py`.
fn fixture(name: &str) -> Picture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    Picture::read(&folder.join(name)).unwrap()
}

/// Red on the left or top, blue on the right or below: the colours far from the border.
#[track_caller]
fn red_then_blue(picture: &Picture, places: [usize; 2]) {
    for (place, colour) in places.into_iter().zip([[220_u8, 30, 40], [20, 60, 200]]) {
        let found = &picture.pixels[place * 3..][..3];
        let near = found.iter().zip(colour).all(|(&a, b)| a.abs_diff(b) < 12);
        assert!(near, "expected about {colour:?}, found {found:?}");
    }
}

#[test]
fn inks_are_read_as_colours() {
    let picture = fixture("cmyk.jpg");
    assert_eq!((picture.height, picture.width, picture.channels), (16, 24, 3));
    red_then_blue(&picture, [4 * 24 + 4, 4 * 24 + 20]);
}

#[test]
fn the_orientation_that_a_camera_noted_is_applied() {
    let picture = fixture("rotated.jpg");
    assert_eq!((picture.height, picture.width), (24, 16));
    red_then_blue(&picture, [4 * 16 + 8, 20 * 16 + 8]);
}

/// A fixture with the notes that its reading gives.
fn noted(name: &str) -> (Picture, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (picture, notes) = Picture::read_with_notes(&folder.join(name)).unwrap();
    (picture, notes.join("; "))
}

#[test]
fn of_an_animation_the_first_frame_is_read_and_that_is_said() {
    for name in ["animated.gif", "animated.png", "animated.webp"] {
        let (picture, notes) = noted(name);
        assert_eq!((picture.height, picture.width), (16, 24), "{name}");
        red_then_blue(&picture, [4 * 24 + 4, 4 * 24 + 20]);
        says(&notes, &["several frames", "first"]);
    }
    for name in ["single.gif", "photo.png", "palette.png", "progressive.jpg"] {
        assert_eq!(noted(name).1, "", "{name}");
    }
}

#[test]
fn palettes_bits_and_progressive_files_are_read() {
    for name in ["palette.png", "progressive.jpg", "single.gif"] {
        red_then_blue(&fixture(name), [4 * 24 + 4, 4 * 24 + 20]);
    }
    let (picture, notes) = noted("palette_clear.png");
    assert_eq!(picture.pixels[(4 * 24 + 20) * 3..][..3], [255; 3]);
    says(&notes, &["transparent", "white"]);
    let grey = fixture("grey.jpg");
    assert_eq!(grey.channels, 1);
    // Of (220, 30, 40) the luminance by ITU-R BT.601 is 88; of (20, 60, 200), 64.
    assert!(grey.pixels[4 * 24 + 4].abs_diff(88) < 4 && grey.pixels[4 * 24 + 20].abs_diff(64) < 4);
    let bits = fixture("one_bit.png");
    assert!(bits.pixels.iter().all(|&value| value == 0 || value == 255));
}

#[test]
fn what_was_done_to_a_picture_is_said() {
    says(&noted("cmyk.jpg").1, &["CMYK"]);
    says(&noted("rotated.jpg").1, &["camera"]);
    let deep = DynamicImage::from(ImageBuffer::from_pixel(2, 1, Luma([0x1234_u16])));
    let png = encode(&deep, ImageFormat::Png);
    let (_, notes) = Picture::from_bytes_with_notes(Path::new("deep"), &png).unwrap();
    assert_eq!(notes, ["its values are reduced to 8 bits"]);
    // An alpha channel that hides nothing is not worth a word.
    let clear = DynamicImage::from(ImageBuffer::from_pixel(2, 1, Rgba([9_u8, 9, 9, 255])));
    let png = encode(&clear, ImageFormat::Png);
    assert!(Picture::from_bytes_with_notes(Path::new("a"), &png).unwrap().1.is_empty());
}

#[test]
fn files_that_were_cut_short_are_refused_with_their_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let names = ["photo.png", "grey.jpg", "progressive.jpg", "cmyk.jpg", "single.gif"];
    for name in names {
        let bytes = fs::read(folder.join(name)).unwrap();
        for kept in [bytes.len() / 2, bytes.len() - bytes.len() / 10, 20] {
            let cut = Picture::from_bytes(Path::new(name), &bytes[..kept]);
            let message = cut.expect_err(&format!("{name}, {kept} bytes")).to_string();
            says(&message, &[name, "picture"]);
        }
    }
}

/// The header of a PNG of this size with 8-bit colours, and the beginning of its data.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    header.extend([8, 2, 0, 0, 0]);
    for chunk in [header, b"IDAT\x78\x9c".to_vec()] {
        png.extend((chunk.len() as u32 - 4).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        png.extend(chunk);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

#[test]
fn a_picture_of_20000_by_20000_pixels_is_refused_by_its_header() {
    let message = decode(&png_header(20_000, 20_000)).unwrap_err().to_string();
    says(&message, &["picture:", "too large", "16384 pixels a side", "shrink it first"]);
    let message = decode(&png_header(16_000, 16_000)).unwrap_err().to_string();
    says(&message, &["16000×16000", "134 million", "shrink it first"]);
    for (width, height) in [(0, 5), (5, 0), (0, 0)] {
        let message = decode(&png_header(width, height)).unwrap_err().to_string();
        says(&message, &["picture:"]);
    }
}

#[test]
fn a_picture_that_would_take_too_much_memory_is_refused_before_it_is_decoded() {
    // Sides within bounds, but 192 million pixels; a header alone, for nothing else may be read.
    let wide = image::RgbImage::new(1, 1);
    let mut bytes = encode(&DynamicImage::from(wide), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&16_000_i32.to_le_bytes());
    bytes[22..26].copy_from_slice(&12_000_i32.to_le_bytes());
    let message = decode(&bytes).unwrap_err().to_string();
    says(&message, &["16000×12000", "shrink it first"]);
}

#[test]
fn resizing_and_cropping_agree_with_torchvision() {
    let photo = fixture("photo.png");
    let crop = photo.shorter_side(24).unwrap().centre(19, 19).unwrap();
    let expected = fixture("photo_resize24_crop19.png");
    assert_eq!((crop.height, crop.width), (expected.height, expected.width));
    assert_eq!(crop.pixels, expected.pixels);
    assert!(photo.centre(38, 10).is_none());
}

#[test]
fn resizing_agrees_with_pillow_to_the_bit() {
    let photo = fixture("photo.png");
    for (height, width) in [(100, 80), (5, 7)] {
        assert_eq!(photo.resized(height, width), fixture(&format!("photo_{height}x{width}.png")));
    }
}
