//! The same model in ONNX Runtime, where there is a Python that has it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutaway::engine::Engine;
use cutaway::net::NodeId;
use cutaway::net::onnx::{FileValue, Report};
use ndarray::{ArrayD, ArrayViewD};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What runs the model: see the text at its top.
const SCRIPT: &str = include_str!("onnxruntime.py");
/// The most numbers inside the network that are looked at together.
const TOGETHER: usize = 1 << 24;

/// One input's comparison.
#[derive(Serialize)]
pub(super) struct Comparison {
    /// `random`, or the image's path.
    pub(super) input: String,
    pub(super) outputs: Vec<Difference>,
    /// How many of the values inside were compared; 0 where they could not be asked for.
    pub(super) inside: usize,
    /// The one inside that differs most.
    pub(super) worst_inside: Option<Difference>,
    /// The first one inside, in the network's order, that differs by more than the tolerance.
    pub(super) first_off: Option<Difference>,
    /// Why nothing inside was compared.
    pub(super) inside_problem: Option<String>,
}

/// How far a value is from ONNX Runtime's.
#[derive(Clone, Serialize)]
pub(super) struct Difference {
    /// The file's name of the value.
    pub(super) value: String,
    /// The node that computes it, and its operator.
    pub(super) node: String,
    pub(super) operator: String,
    /// Largest difference over the largest number of ONNX Runtime's; `null` where one is no number and the
    /// other is, or the sizes differ.
    pub(super) error: Option<f64>,
}

impl Difference {
    pub(super) fn agrees(&self) -> bool {
        self.error.is_some_and(|error| error <= super::TOLERANCE)
    }

    /// For sorting: what cannot be said is worst.
    fn size(&self) -> f64 {
        self.error.unwrap_or(f64::INFINITY)
    }
}

/// A Python that may have ONNX Runtime.
pub(super) struct Python {
    program: OsString,
    /// It was named, and not only looked for.
    named: bool,
}

/// What the script says.
#[derive(Deserialize)]
struct Answer {
    problem: Option<String>,
    inside_problem: Option<String>,
    version: Option<String>,
    outputs: Vec<Found>,
    inside: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    name: String,
    shape: Vec<usize>,
    floats: bool,
    file: String,
}

/// The model as the file has it.
pub(super) struct Subject<'a> {
    pub(super) path: &'a Path,
    pub(super) report: &'a Report,
    pub(super) engine: &'a Engine,
}

impl Python {
    /// The one of `--python`, of `CUTAWAY_PYTHON`, or whatever `python3` is.
    pub(super) fn choose(given: Option<&PathBuf>) -> Python {
        let named = given.map(|path| path.clone().into_os_string());
        let named = named.or_else(|| std::env::var_os("CUTAWAY_PYTHON").filter(|p| !p.is_empty()));
        Python { named: named.is_some(), program: named.unwrap_or_else(|| "python3".into()) }
    }

    /// Runs the model on a batch and compares: the version of ONNX Runtime and the differences, or
    /// why there are none.
    pub(super) fn compare(
        &self,
        subject: &Subject<'_>,
        input: &str,
        batch: ArrayViewD<'_, f32>,
    ) -> Result<std::result::Result<(String, Comparison), String>> {
        let folder = Folder::new()?;
        let values: Vec<&str> = subject.report.values.iter().map(|v| v.name.as_str()).collect();
        let request = serde_json::json!({ "shape": batch.shape(), "values": values });
        folder.write("request.json", request.to_string().as_bytes())?;
        let bytes: Vec<u8> = batch.iter().flat_map(|value| value.to_le_bytes()).collect();
        folder.write("input.f32", &bytes)?;
        let run = Command::new(&self.program)
            .args(["-c", SCRIPT])
            .arg(subject.path)
            .arg(&folder.0)
            .stdin(Stdio::null())
            .output();
        let said = match run {
            Ok(run) => String::from_utf8_lossy(&run.stderr).trim().to_owned(),
            Err(error) if self.named => {
                let program = Path::new(&self.program).display();
                return Err(Error::Usage(format!("the Python {program}: {error}")));
            }
            Err(error) => {
                return Ok(Err(format!("no python3 with onnxruntime was found ({error})")));
            }
        };
        let Ok(text) = folder.read("result.json") else {
            let last = said.lines().last().unwrap_or("it said nothing").to_owned();
            return Ok(Err(format!("{} failed: {last}", Path::new(&self.program).display())));
        };
        let answer: Answer = serde_json::from_slice(&text)
            .map_err(|error| Error::Usage(format!("the Python's answer: {error}")))?;
        if let Some(problem) = answer.problem {
            return Ok(Err(problem));
        }
        let comparison = subject.compare(input, batch, &answer, &folder)?;
        Ok(Ok((answer.version.unwrap_or_default(), comparison)))
    }
}

impl Subject<'_> {
    fn compare(
        &self,
        input: &str,
        batch: ArrayViewD<'_, f32>,
        answer: &Answer,
        folder: &Folder,
    ) -> Result<Comparison> {
        let outputs = self.differences(batch.view(), &answer.outputs, folder)?;
        let inside = self.differences(batch, &answer.inside, folder)?;
        let worst = inside.iter().max_by(|a, b| a.1.size().total_cmp(&b.1.size()));
        let off = inside.iter().filter(|(_, d)| !d.agrees()).min_by_key(|(node, _)| *node);
        Ok(Comparison {
            input: input.to_owned(),
            outputs: outputs.into_iter().map(|(_, difference)| difference).collect(),
            inside: inside.len(),
            worst_inside: worst.map(|(_, difference)| difference.clone()),
            first_off: off.map(|(_, difference)| difference.clone()),
            inside_problem: answer.inside_problem.clone(),
        })
    }

    /// Values that both have, a part of the network at a time.
    fn differences(
        &self,
        batch: ArrayViewD<'_, f32>,
        found: &[Found],
        folder: &Folder,
    ) -> Result<Vec<(NodeId, Difference)>> {
        let network = self.engine.network();
        let single = batch.shape()[0] == 1;
        let ours = |found: &Found| -> Option<&FileValue> {
            let value = self.report.values.iter().find(|value| value.name == found.name)?;
            (found.floats || network.outputs().contains(&value.node))
                .then_some(value)
                .filter(|value| single || value.batch == Some(0))
        };
        let mut both: Vec<(&FileValue, &Found)> =
            found.iter().filter_map(|found| Some((ours(found)?, found))).collect();
        both.sort_by_key(|(value, _)| value.node);
        let mut differences = Vec::new();
        while !both.is_empty() {
            let mut numbers = 0_usize;
            let fits = |(value, _): &&(&FileValue, &Found)| {
                let first = numbers == 0;
                numbers += network.shape(value.node).iter().product::<usize>();
                first || numbers < TOGETHER
            };
            let count = both.iter().take_while(fits).count().max(1);
            let part: Vec<_> = both.drain(..count).collect();
            let nodes: Vec<NodeId> = part.iter().map(|(value, _)| value.node).collect();
            let values = self.engine.forward(batch.view(), &nodes)?;
            for (value, found) in part {
                let theirs = folder.floats(&found.file)?;
                let node = network.node(value.node);
                let ours = values.get(value.node).expect("asked for");
                differences.push((
                    value.node,
                    Difference {
                        value: value.name.clone(),
                        node: node.name.clone(),
                        operator: node.op.kind().to_owned(),
                        error: error(ours, &theirs, &found.shape),
                    },
                ));
            }
        }
        Ok(differences)
    }
}

/// The largest difference over the largest number; NaN and infinities must stand in the same places.
fn error(ours: &ArrayD<f32>, theirs: &[f32], shape: &[usize]) -> Option<f64> {
    if ours.len() != theirs.len() || shape.iter().product::<usize>() != theirs.len() {
        return None;
    }
    let (mut largest, mut difference) = (0.0_f64, 0.0_f64);
    for (&a, &b) in ours.iter().zip(theirs) {
        match (a.is_finite(), b.is_finite()) {
            (true, true) => {
                largest = largest.max(f64::from(b).abs());
                difference = difference.max((f64::from(a) - f64::from(b)).abs());
            }
            (false, false) if a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) => {}
            _ => return None,
        }
    }
    if difference == 0.0 {
        return Some(0.0);
    }
    // Numbers that are all next to nothing are compared with next to nothing.
    Some(difference / largest.max(1e-6))
}

/// A folder for a moment.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let parent = std::env::temp_dir();
        for number in 0..1000_u32 {
            let path = parent.join(format!("cutaway-check-{}-{number}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Folder(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Io { action: "make the folder", path, source }),
            }
        }
        Err(Error::Usage(format!("{} is full of folders of its own", parent.display())))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::Io { action: "write", path, source })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.0.join(name);
        std::fs::read(&path).map_err(|source| Error::Io { action: "read", path, source })
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.read(name)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
