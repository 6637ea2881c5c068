//! Every verb on every foreign model: what a user of an ONNX file meets, model by model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::chores::entries;
use crate::shell::{Done, root, run};

/// What each verb is asked beside the model and a picture. `{}` stands for the folder it writes into.
const VERBS: [(&str, &[&str]); 8] = [
    ("summary", &[]),
    ("predict", &[]),
    ("maps", &["--out", "{}"]),
    ("occlude", &["--out", "{}"]),
    ("attribute", &["--method", "all", "--out", "{}"]),
    ("attack", &["--out", "{}"]),
    ("visualise", &["--out", "{}"]),
    ("check", &[]),
];
/// A verb that has not ended after so long has failed.
const LIMIT: Duration = Duration::from_secs(900);
/// How often a running verb's memory is read.
const TICK: Duration = Duration::from_millis(20);

/// How one verb on one model ended.
struct Outcome {
    model: String,
    verb: &'static str,
    seconds: f64,
    /// The most memory it held, where the system tells.
    peak_mb: Option<u64>,
    /// The last line of what it complained about.
    error: Option<String>,
}

/// Runs every verb on every `FOLDER/onnx/*.onnx`, with a photograph of `FOLDER/photos` or a digit of
/// `FOLDER/mnist`, and prints a table. What the verbs write stays in `target/models/MODEL/VERB`, to be looked at.
pub(crate) fn all(folder: Option<&str>, only: &[String]) -> Done {
    let folder = match folder {
        Some(folder) => PathBuf::from(folder),
        None => std::env::var_os("CUTAWAY_TEST_DATA").map(PathBuf::from).ok_or(
            "name a folder with onnx/, photos/ and mnist/, or set CUTAWAY_TEST_DATA to one",
        )?,
    };
    run("cargo", &["build", "--release", "--package", "cutaway"])?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), PathBuf::from);
    let program = target.join("release/cutaway");
    let mut outcomes = Vec::new();
    for model in entries(&folder.join("onnx"))? {
        if model.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let asked = Asked::about(&model, &folder, &target.join("models"))?;
        for (verb, flags) in VERBS {
            if only.is_empty() || only.iter().any(|name| name == verb) {
                let outcome = asked.run(&program, verb, flags)?;
                eprintln!("{}", outcome.line());
                outcomes.push(outcome);
            }
        }
    }
    println!("\n{}", table(&outcomes));
    match outcomes.iter().filter(|outcome| outcome.error.is_some()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} failed", outcomes.len())),
    }
}

/// One model, how a picture becomes its input, and where the verbs write.
struct Asked {
    name: String,
    model: PathBuf,
    /// Flags about the model.
    input: Vec<String>,
    /// Flags that choose a picture, for verbs that take test samples by number, too.
    picture: Vec<String>,
    out: PathBuf,
}

impl Asked {
    fn about(model: &Path, folder: &Path, out: &Path) -> Result<Self, String> {
        let name = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let out = out.join(&name);
        let made = fs::remove_dir_all(&out).or(Ok(())).and_then(|()| fs::create_dir_all(&out));
        made.map_err(|error| format!("cannot make {}: {error}", out.display()))?;
        let photo =
            |name: &str| vec!["--image".to_owned(), path(&folder.join("photos").join(name))];
        let digit = || {
            let data = path(&folder.join("mnist"));
            vec!["--data".to_owned(), data, "--sample".to_owned(), "0".to_owned()]
        };
        let (preprocessing, picture) = match name.as_str() {
            "mnist-cntk-8" => ("raw255".to_owned(), digit()),
            "mnist-burn" => ("mnist".to_owned(), digit()),
            // Pixels around 127, and whatever the form of the photograph.
            "ultraface-rfb-320" => {
                let rule = "resize = \"stretch\"\nscale = 0.0078125\nmean = [0.9921875, 0.9921875, 0.9921875]\n";
                let file = out.join("preprocessing.toml");
                fs::write(&file, rule)
                    .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
                (path(&file), photo("grace_hopper.jpg"))
            }
            _ => ("imagenet-torch".to_owned(), photo("dog_cat.jpg")),
        };
        let mut input = vec!["--preprocess".to_owned(), preprocessing.clone()];
        if preprocessing == "imagenet-torch" {
            input.extend(["--labels".to_owned(), "imagenet".to_owned()]);
        }
        Ok(Self { name, model: model.to_owned(), input, picture, out })
    }

    fn run(&self, program: &Path, verb: &'static str, flags: &[&str]) -> Result<Outcome, String> {
        let out = self.out.join(verb);
        let flags = flags.iter().map(|flag| flag.replace("{}", &path(&out)));
        let picture: &[String] = match verb {
            "summary" | "visualise" => &[],
            "check" if self.picture[0] != "--image" => &[],
            _ => &self.picture,
        };
        // Without a class or a layer, `visualise` makes an image a class: of a thousand it asks which.
        let class: &[&str] = match (verb, self.input.iter().any(|word| word == "imagenet")) {
            ("visualise", true) => &["--class", "goldfish"],
            // A detector's answer is one place of it.
            ("visualise", _) if self.name == "ultraface-rfb-320" => &["--answer", "scores:0"],
            _ => &[],
        };
        // `predict` takes its files without a flag.
        let picture = picture.iter().filter(|word| verb != "predict" || *word != "--image");
        let log = self.out.join(format!("{verb}.txt"));
        let file = fs::File::create(&log)
            .map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let both = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let start = Instant::now();
        let mut child = Command::new(program)
            .arg(verb)
            .args(picture)
            .arg("--model")
            .arg(&self.model)
            .args(&self.input)
            .args(flags)
            .args(class)
            .arg("--quiet")
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(both)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let (ended, peak_mb) = wait(&mut child, start)?;
        let error = match ended {
            Some(true) => None,
            Some(false) => {
                let said = fs::read_to_string(&log).unwrap_or_default();
                Some(said.lines().last().unwrap_or("failed without a word").to_owned())
            }
            None => Some(format!("not ended after {} s", LIMIT.as_secs())),
        };
        let seconds = start.elapsed().as_secs_f64();
        Ok(Outcome { model: self.name.clone(), verb, seconds, peak_mb, error })
    }
}

/// Waits for a command: whether it ended well (`None` where it had to be stopped), and its peak memory.
fn wait(child: &mut Child, start: Instant) -> Result<(Option<bool>, Option<u64>), String> {
    let mut peak = None;
    loop {
        peak = peak.max(peak_mb(child.id()));
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok((Some(status.success()), peak));
        }
        if start.elapsed() > LIMIT {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok((None, peak));
        }
        std::thread::sleep(TICK);
    }
}

/// The most memory that a process has held so far, in MB, where `/proc` tells it.
fn peak_mb(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024 / 1_000_000)
}

impl Outcome {
    fn line(&self) -> String {
        format!("{:28} {:10} {}", self.model, self.verb, self.cell())
    }

    fn cell(&self) -> String {
        let memory = self.peak_mb.map(|mb| format!(", {mb} MB")).unwrap_or_default();
        match &self.error {
            None => format!("{:.1} s{memory}", self.seconds),
            Some(error) => format!("FAILED after {:.1} s{memory}: {error}", self.seconds),
        }
    }
}

/// A row a model, a column a verb.
fn table(outcomes: &[Outcome]) -> String {
    let verbs: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
    let verbs: Vec<&str> =
        verbs.into_iter().filter(|verb| outcomes.iter().any(|one| one.verb == *verb)).collect();
    let mut text = format!("| model | {} |\n|---|", verbs.join(" | "));
    text += &"---|".repeat(verbs.len());
    let mut models: Vec<&str> = outcomes.iter().map(|one| one.model.as_str()).collect();
    models.dedup();
    for model in models {
        text += &format!("\n| {model} |");
        for verb in &verbs {
            let one = outcomes.iter().find(|one| one.model == model && one.verb == *verb);
            text += &format!(" {} |", one.map(Outcome::cell).unwrap_or_default());
        }
    }
    text
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
