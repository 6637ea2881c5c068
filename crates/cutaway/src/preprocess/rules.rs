//! The rules by which a picture becomes a network's input, as `--preprocess` gives them.

use std::path::Path;

use cutaway::net::{Fit, Preprocessing};
use serde::Deserialize;

use super::text;
use crate::error::{Error, Result};

/// The presets, by the names that `--preprocess` takes.
const PRESETS: [&str; 4] = ["mnist", "imagenet-torch", "imagenet-tf", "raw255"];

/// What was given, whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) preprocessing: Preprocessing,
    pub(super) order: Order,
}

/// The preprocessing that the words of `--preprocess` give for an input of this shape: a preset or a file
/// at most, and settings KEY=VALUE, which have the last word. Without preset and file the settings change
/// `own`, what the model says of itself.
pub(super) fn given(words: &[String], shape: &[usize], own: &Preprocessing) -> Result<Given> {
    let is_setting = |word: &&String| word.contains('=') && !Path::new(word).exists();
    let bases: Vec<&String> = words.iter().filter(|word| !is_setting(word)).collect();
    let mut given = match bases[..] {
        [] => Given { preprocessing: own.clone(), order: Order::Rgb },
        [base] => match preset(base, shape) {
            Some(preprocessing) => Given { preprocessing: preprocessing?, order: Order::Rgb },
            None => from_file(Path::new(base), shape)?,
        },
        _ => {
            return Err(Error::Usage(format!(
                "--preprocess: one preset or file, not {}; single settings are written KEY=VALUE",
                bases.len()
            )));
        }
    };
    for word in words.iter().filter(is_setting) {
        let wrong = |why: String| Error::Usage(format!("--preprocess {word}: {why}"));
        given = setting(word).and_then(|rules| rules.over(given)).map_err(wrong)?;
    }
    Ok(given)
}

/// A preset by its name, for a network with this input; `None` where it is no name of one.
fn preset(name: &str, shape: &[usize]) -> Option<Result<Preprocessing>> {
    let plain = Preprocessing::for_input(shape);
    let (channels, scale, mean, std) = match name {
        "mnist" => (Some(1), 1.0 / 255.0, vec![0.1307], vec![0.3081]),
        "imagenet-torch" => {
            (Some(3), 1.0 / 255.0, vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225])
        }
        "imagenet-tf" => (Some(3), 1.0 / 127.5, vec![1.0; 3], vec![1.0; 3]),
        "raw255" => (None, 1.0, plain.mean.clone(), plain.std.clone()),
        _ => return None,
    };
    if channels.is_some_and(|channels| channels != plain.channels) {
        return Some(Err(Error::Usage(format!(
            "--preprocess {name} is for images of {} channel(s), the network takes {}",
            mean.len(),
            plain.channels
        ))));
    }
    // 224 pixels are cut out of 256, and as large a share of other sizes.
    let side = (plain.height.max(plain.width) * 256 + 112) / 224;
    let fit = if name.starts_with("imagenet") { Fit::Crop(Some(side)) } else { Fit::Exact };
    Some(Ok(Preprocessing { scale, mean, std, fit, ..plain }))
}

/// Single rules; what is left out stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Rows and columns.
    size: Option<[usize; 2]>,
    resize: Option<Resize>,
    crop: Option<Crop>,
    order: Option<Order>,
    scale: Option<f32>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

/// `"none"`, `"stretch"`, or the length of the shorter side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected \"none\", \"stretch\" or the shorter side's pixels")]
enum Resize {
    Shorter(usize),
    Word(Word),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    None,
    Stretch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Crop {
    None,
    #[serde(alias = "center")]
    Centre,
}

/// Order of the colours in the network's input.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Rgb,
    Bgr,
}

impl Rules {
    /// The rules put over others. Where only one of `resize` and `crop` is said, the other one stays; only
    /// a stretched picture is not cropped.
    fn over(self, base: Given) -> std::result::Result<Given, String> {
        let p = base.preprocessing;
        let channels = p.mean.len();
        let each = |what: &str, values: Option<Vec<f32>>, plain: Vec<f32>| match values.as_deref() {
            None => Ok(plain),
            Some(&[one]) => Ok(vec![one; channels]),
            Some(values) if values.len() == channels => Ok(values.to_vec()),
            Some(values) => Err(format!(
                "{what} has {} values; expected 1, or {channels}, one for each channel of the network",
                values.len()
            )),
        };
        let fit = match (self.resize, self.crop) {
            (None, None) => p.fit,
            (resize, crop) => fit(p.fit, resize, crop)?,
        };
        let [height, width] = self.size.unwrap_or([p.height, p.width]);
        let preprocessing = Preprocessing {
            height,
            width,
            scale: self.scale.unwrap_or(p.scale),
            mean: each("mean", self.mean, p.mean)?,
            std: each("std", self.std, p.std)?,
            fit,
            ..p
        };
        Ok(Given { preprocessing, order: self.order.unwrap_or(base.order) })
    }
}

fn fit(base: Fit, resize: Option<Resize>, crop: Option<Crop>) -> std::result::Result<Fit, String> {
    let (own_resize, own_crop) = match base {
        Fit::Exact => (Resize::Word(Word::None), Crop::None),
        Fit::Stretch => (Resize::Word(Word::Stretch), Crop::None),
        Fit::Crop(None) => (Resize::Word(Word::None), Crop::Centre),
        Fit::Crop(Some(side)) => (Resize::Shorter(side), Crop::Centre),
    };
    let stretch = Resize::Word(Word::Stretch);
    match (resize.unwrap_or(own_resize), crop) {
        (Resize::Word(Word::Stretch), Some(Crop::Centre)) if resize.is_none() => {
            Ok(Fit::Crop(None))
        }
        (Resize::Word(Word::Stretch), Some(Crop::Centre)) => {
            Err("nothing is left to crop after resize = \"stretch\"".to_owned())
        }
        (resize, _) if resize == stretch => Ok(Fit::Stretch),
        (Resize::Shorter(side), Some(Crop::None)) => {
            Err(format!("resize = {side} needs crop = \"centre\": the network takes one size only"))
        }
        (Resize::Shorter(side), _) => Ok(Fit::Crop(Some(side))),
        (Resize::Word(_), crop) => match crop.unwrap_or(own_crop) {
            Crop::None => Ok(Fit::Exact),
            Crop::Centre => Ok(Fit::Crop(None)),
        },
    }
}

fn from_file(path: &Path, shape: &[usize]) -> Result<Given> {
    let wrong =
        |problem: String| Error::Usage(format!("--preprocess {}: {problem}", path.display()));
    if !path.exists() {
        return Err(wrong(format!(
            "expected one of {}, a TOML file, and there is no such file, or a setting KEY=VALUE, where \
             KEY is one of {KEYS}",
            PRESETS.join(", ")
        )));
    }
    let rules: Rules = toml::from_str(&text(path, "--preprocess")?)
        .map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
    let plain = Preprocessing::for_input(shape);
    rules.over(Given { preprocessing: plain, order: Order::Rgb }).map_err(wrong)
}

/// The keys of a setting.
const KEYS: &str = "size, resize, crop, order, scale, mean, std";

/// One `KEY=VALUE`.
fn setting(word: &str) -> std::result::Result<Rules, String> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let (key, value) = (key.trim(), value.trim());
    let expected = |what: &str| Err(format!("{key} is '{value}'; expected {what}"));
    let mut rules = Rules::default();
    match key {
        "size" => match pixels(value) {
            Some(size) => rules.size = Some(size),
            None => return expected("a side such as 224, or rows x columns such as 240x320"),
        },
        "resize" => match (value, value.strip_prefix("shortest:").unwrap_or(value).parse()) {
            ("none", _) => rules.resize = Some(Resize::Word(Word::None)),
            ("stretch", _) => rules.resize = Some(Resize::Word(Word::Stretch)),
            (_, Ok(side)) => rules.resize = Some(Resize::Shorter(side)),
            _ => return expected("shortest:PIXELS (the shorter side), stretch or none"),
        },
        "crop" => match value {
            "centre" | "center" => rules.crop = Some(Crop::Centre),
            "none" => rules.crop = Some(Crop::None),
            _ => return expected("centre or none"),
        },
        "order" => match value {
            "rgb" => rules.order = Some(Order::Rgb),
            "bgr" => rules.order = Some(Order::Bgr),
            _ => return expected("rgb or bgr"),
        },
        "scale" => match fraction(value) {
            Some(scale) => rules.scale = Some(scale),
            None => return expected("a number or a fraction such as 1/255"),
        },
        "mean" | "std" => {
            let values: Option<Vec<f32>> = value.split(',').map(|v| fraction(v.trim())).collect();
            match (key, values) {
                (_, None) => return expected("a number, or one a channel with commas between"),
                ("mean", values) => rules.mean = values,
                (_, values) => rules.std = values,
            }
        }
        _ => return Err(format!("there is no setting '{key}'; expected one of {KEYS}")),
    }
    Ok(rules)
}

/// `224`, `240x320`.
fn pixels(value: &str) -> Option<[usize; 2]> {
    let (rows, columns) = value.split_once(['x', '×']).unwrap_or((value, value));
    Some([rows.trim().parse().ok()?, columns.trim().parse().ok()?])
}

/// `0.5`, `1/255`.
fn fraction(value: &str) -> Option<f32> {
    match value.split_once('/') {
        Some((a, b)) => Some(a.trim().parse::<f32>().ok()? / b.trim().parse::<f32>().ok()?),
        None => value.parse().ok(),
    }
    .filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Given> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pre.toml");
        std::fs::write(&path, text).unwrap();
        from_file(&path, &[3, 8, 8])
    }

    #[test]
    fn a_file_says_every_rule() {
        let text = "size = [8, 8]\nresize = 9\ncrop = \"centre\"\norder = \"bgr\"\nscale = 1.0\n\
                    mean = [1, 2, 3]\nstd = [4.5]\n";
        let Given { preprocessing: p, order } = read(text).unwrap();
        assert_eq!((p.fit, order), (Fit::Crop(Some(9)), Order::Bgr));
        assert_eq!((p.scale, p.mean, p.std), (1.0, vec![1.0, 2.0, 3.0], vec![4.5; 3]));
        assert_eq!(read("resize = \"stretch\"").unwrap().preprocessing.fit, Fit::Stretch);
        assert_eq!(read("").unwrap().preprocessing, Preprocessing::for_input(&[3, 8, 8]));
    }

    #[test]
    fn what_a_file_cannot_say_is_refused_with_the_place() {
        for (text, parts) in [
            ("scale = 1.0\nmeen = [1]", &["line 2", "meen"][..]),
            ("resize = \"large\"", &["line 1", "shorter side"]),
            ("resize = 9\ncrop = \"none\"", &["needs crop"]),
            ("order = \"grb\"", &["line 1", "grb"]),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            parts.iter().for_each(|part| assert!(error.to_string().contains(part), "{error}"));
        }
    }

    #[test]
    fn the_presets_are_those_of_torchvision_and_keras() {
        let torch = preset("imagenet-torch", &[3, 224, 224]).unwrap().unwrap();
        assert_eq!(torch.fit, Fit::Crop(Some(256)));
        let red = |p: &Preprocessing, raw: f32| (raw * p.scale - p.mean[0]) / p.std[0];
        // torchvision: (255 / 255 − 0.485) / 0.229; Keras' "tf" mode: 255 / 127.5 − 1.
        assert!((red(&torch, 255.0) - 2.248_908_3).abs() < 1e-5);
        let tf = preset("imagenet-tf", &[3, 299, 299]).unwrap().unwrap();
        assert_eq!((red(&tf, 0.0), red(&tf, 255.0)), (-1.0, 1.0));
        let mnist = preset("mnist", &[1, 28, 28]).unwrap().unwrap();
        assert!((red(&mnist, 255.0) - 2.821_486_7).abs() < 1e-5);
        assert_eq!(red(&preset("raw255", &[3, 8, 8]).unwrap().unwrap(), 255.0), 255.0);
        assert_eq!(preset("mnist", &[3, 8, 8]).unwrap().unwrap_err().exit_code(), 2);
        assert!(preset("imagenet", &[3, 8, 8]).is_none());
    }

    #[test]
    fn settings_change_what_a_preset_says() {
        let own = Preprocessing::for_input(&[3, 224, 224]);
        let words =
            |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
        let ask = |list: &[&str]| given(&words(list), &[3, 224, 224], &own);
        let torch = ask(&["imagenet-torch"]).unwrap().preprocessing;
        let other = ask(&["resize=shortest:232", "imagenet-torch", "order=bgr"]).unwrap();
        assert_eq!(other.order, Order::Bgr);
        assert_eq!(other.preprocessing.fit, Fit::Crop(Some(232)));
        assert_eq!(other.preprocessing.mean, torch.mean);
        let plain = ask(&["scale=1/127.5", "mean=1", "std=1,2,4", "resize=stretch"]).unwrap();
        let p = plain.preprocessing;
        assert_eq!((p.fit, p.scale), (Fit::Stretch, 1.0 / 127.5));
        assert_eq!((p.mean, p.std), (vec![1.0; 3], vec![1.0, 2.0, 4.0]));
        // Stretched pictures are not cropped, whatever the preset says.
        assert_eq!(
            ask(&["imagenet-tf", "resize=stretch"]).unwrap().preprocessing.fit,
            Fit::Stretch
        );
        assert_eq!(ask(&["crop=center"]).unwrap().preprocessing.fit, Fit::Crop(None));
        assert_eq!(ask(&["size=240x320"]).unwrap().preprocessing.width, 320);
    }

    #[test]
    fn wrong_settings_name_the_key_and_the_choices() {
        let own = Preprocessing::for_input(&[3, 8, 8]);
        for (word, parts) in [
            ("colour=bgr", &["no setting 'colour'", "order", "std"][..]),
            ("order=grb", &["order is 'grb'", "rgb or bgr"]),
            ("resize=large", &["shortest:PIXELS", "stretch", "none"]),
            ("crop=left", &["centre or none"]),
            ("mean=1,2", &["mean has 2 values", "3"]),
            ("mean=a", &["mean is 'a'", "commas"]),
            ("scale=1/0", &["scale is '1/0'", "1/255"]),
            ("size=big", &["size is 'big'", "240x320"]),
        ] {
            let error = given(&[word.to_owned()], &[3, 8, 8], &own).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            parts.iter().for_each(|part| assert!(error.contains(part), "{error}"));
        }
        let two = ["mnist".to_owned(), "raw255".to_owned()];
        assert!(given(&two, &[3, 8, 8], &own).unwrap_err().to_string().contains("one preset"));
    }
}
