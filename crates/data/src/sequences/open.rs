//! From FASTA files to labelled proteins.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fasta::{self, Limits, Record};
use super::{Inputs, LabelRule, PROTEIN, Sequences, Targets};
use crate::random::mix;
use crate::{Error, Result};

const EXTENSIONS: [&str; 4] = ["fasta", "fa", "faa", "fas"];
/// More classes than this are organisms or names that a rule took for classes.
const MAX_CLASSES: usize = 1000;

/// Which proteins are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProteinOptions {
    /// The classes, in the order of their labels; where none is given all, by name.
    pub classes: Vec<String>,
    /// Where the headers of a single file say the class.
    pub label: LabelRule,
    /// Shorter proteins are left out; 1 by default.
    pub min_length: usize,
    /// Longer proteins are left out; no limit by default.
    pub max_length: usize,
    /// No more of a class: which, the seed and the proteins themselves say, not their order in the file.
    pub max_per_class: Option<usize>,
    /// Of the choice among too many.
    pub seed: u64,
    /// How much is read before the files are refused.
    pub limits: Limits,
}

impl Default for ProteinOptions {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            label: LabelRule::Auto,
            min_length: 1,
            max_length: usize::MAX,
            max_per_class: None,
            seed: 0,
            limits: Limits::default(),
        }
    }
}

/// Labelled proteins and how they were come by.
#[derive(Clone, Debug, PartialEq)]
pub struct Proteins {
    /// [`Inputs::Symbols`] of the alphabet [`PROTEIN`] with [`Targets::Classes`]; class after class, each in the order
    /// of its file.
    pub sequences: Sequences,
    /// What was read and what was left out.
    pub report: ProteinReport,
}

/// What was read and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProteinReport {
    /// The files read.
    pub files: Vec<PathBuf>,
    /// Records in them.
    pub records: usize,
    /// Records kept, a class each.
    pub kept: Vec<ClassCount>,
    /// Records left out.
    pub dropped: Dropped,
    /// Letters that became `X`, in all records read.
    pub others: usize,
    /// Gaps removed.
    pub gaps: usize,
    /// Stops removed from the ends of sequences.
    pub stops: usize,
}

/// How many a class has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// How many.
    pub count: usize,
}

/// Why records were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Their header names no class.
    pub unlabelled: usize,
    /// Of a class that was not asked for.
    pub other_classes: usize,
    /// Shorter than the minimum.
    pub too_short: usize,
    /// Longer than the maximum.
    pub too_long: usize,
    /// More of their class than were asked for.
    pub over_maximum: usize,
}

/// Opens labelled proteins: a folder with a FASTA file a class, named like the class
/// (`Secreted.fasta`; `.fasta`, `.fa`, `.faa` or `.fas`, with or without `.gz`; files that differ in this only are one
/// class), or one FASTA file whose headers name the classes ([`ProteinOptions::label`]).
///
/// # Errors
/// [`Error::Io`] where the path leads nowhere, those of [`fasta`] where a file is damaged; [`Error::Folder`]
/// where there are no files, fewer than two classes, a class that was asked for and is not there or has
/// nothing left, more than the limits allow, or nucleotides; [`Error::Invalid`] for options that contradict
/// each other.
pub fn open_proteins(path: &Path, options: &ProteinOptions) -> Result<Proteins> {
    check(options)?;
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, "read", error))?;
    let mut reading = Reading::new(path, options);
    if metadata.is_dir() {
        for (class, file) in class_files(path, options)? {
            let class = reading.class(&class)?;
            reading.read(&file, |reading, record| reading.put(record, class))?;
        }
    } else {
        reading.read(path, |reading, record| {
            let Some(class) = options.label.class(&record.header) else {
                reading.report.dropped.unlabelled += 1;
                return Ok(());
            };
            if !options.classes.is_empty() && !options.classes.iter().any(|c| c == class) {
                reading.report.dropped.other_classes += 1;
                reading.see(class);
                return Ok(());
            }
            let class = reading.class(class)?;
            reading.put(record, class)
        })?;
    }
    reading.finish()
}

fn check(options: &ProteinOptions) -> Result<()> {
    if options.min_length > options.max_length {
        return Err(Error::Invalid(format!(
            "proteins of at least {} and at most {} residues were asked for: there are none; give a \
             minimum that is not above the maximum",
            options.min_length, options.max_length
        )));
    }
    if options.max_per_class == Some(0) {
        return Err(Error::Invalid("at most 0 proteins a class: give at least 1".into()));
    }
    let mut classes = options.classes.clone();
    classes.sort();
    if let Some(twice) = classes.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Invalid(format!(
            "the class '{}' was asked for twice; name every class once",
            twice[0]
        )));
    }
    Ok(())
}

/// The FASTA files of a folder with their classes: all by name, or those asked for.
fn class_files(folder: &Path, options: &ProteinOptions) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()
    });
    let entries = entries.map_err(|error| Error::io(folder, "list the folder", error))?;
    let mut files: Vec<(String, PathBuf)> = entries
        .into_iter()
        .filter(|path| path.is_file())
        .filter_map(|path| class_of(&path).map(|class| (class, path)))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::folder(
            folder,
            format!("no FASTA files ({})", EXTENSIONS.map(|e| format!(".{e}")).join(", ")),
            "give a folder with one file a class, or one file whose headers name the classes",
        ));
    }
    if options.classes.is_empty() {
        return Ok(files);
    }
    let mut wanted = Vec::new();
    for class in &options.classes {
        let of_class = files.iter().filter(|(name, _)| name == class).cloned();
        let before = wanted.len();
        wanted.extend(of_class);
        if wanted.len() == before {
            let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            names.dedup();
            return Err(no_class(folder, class, &names));
        }
    }
    Ok(wanted)
}

/// The class a file is named like; none where it is no FASTA file.
fn class_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let plain = match name.len().checked_sub(3) {
        Some(at) if name.is_char_boundary(at) && name[at..].eq_ignore_ascii_case(".gz") => {
            &name[..at]
        }
        _ => name,
    };
    let (class, extension) = plain.rsplit_once('.')?;
    let known = EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    (known && !class.is_empty()).then(|| class.to_owned())
}

fn no_class(path: &Path, class: &str, names: &[&str]) -> Error {
    const SHOWN: usize = 12;
    let listed = names[..names.len().min(SHOWN)].join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    Error::folder(
        path,
        format!("no class '{class}'"),
        format!("choose from those there are: {listed}{more}"),
    )
}

/// A protein kept so far.
struct Kept {
    /// Says who stays where there are too many.
    key: u64,
    /// Place among all records read.
    order: usize,
    id: String,
    residues: Vec<u8>,
}

struct Reading<'o> {
    path: &'o Path,
    options: &'o ProteinOptions,
    names: Vec<String>,
    /// A class each.
    kept: Vec<Vec<Kept>>,
    /// Classes that were met and not asked for.
    seen: Vec<String>,
    residues: usize,
    report: ProteinReport,
}

impl<'o> Reading<'o> {
    fn new(path: &'o Path, options: &'o ProteinOptions) -> Self {
        let names = options.classes.clone();
        let kept = names.iter().map(|_| Vec::new()).collect();
        let (seen, report) = (Vec::new(), ProteinReport::default());
        Self { path, options, names, kept, seen, residues: 0, report }
    }

    fn read(
        &mut self,
        file: &Path,
        mut each: impl FnMut(&mut Self, Record) -> Result<()>,
    ) -> Result<()> {
        for record in fasta::open(file, &self.options.limits)? {
            let record = record?;
            self.report.records += 1;
            self.report.others += record.others;
            self.report.gaps += record.gaps;
            self.report.stops += usize::from(record.stop);
            each(self, record)?;
        }
        self.report.files.push(file.to_owned());
        Ok(())
    }

    /// The class's number.
    fn class(&mut self, name: &str) -> Result<usize> {
        if let Some(class) = self.names.iter().position(|known| known == name) {
            return Ok(class);
        }
        if self.names.len() == MAX_CLASSES {
            return Err(Error::folder(
                self.path,
                format!("more than {MAX_CLASSES} classes, the last of them '{name}'"),
                "does the rule that finds the class in a header fit this file?",
            ));
        }
        self.names.push(name.to_owned());
        self.kept.push(Vec::new());
        Ok(self.names.len() - 1)
    }

    fn see(&mut self, class: &str) {
        if self.seen.len() < MAX_CLASSES && !self.seen.iter().any(|seen| seen == class) {
            self.seen.push(class.to_owned());
        }
    }

    fn put(&mut self, record: Record, class: usize) -> Result<()> {
        let (length, dropped) = (record.residues.len(), &mut self.report.dropped);
        if length < self.options.min_length {
            dropped.too_short += 1;
            return Ok(());
        }
        if length > self.options.max_length {
            dropped.too_long += 1;
            return Ok(());
        }
        let id = record.id();
        let key = mix(self.options.seed ^ fingerprint(id.as_bytes(), &record.residues));
        self.residues += length;
        self.kept[class].push(Kept {
            key,
            order: self.report.records,
            id,
            residues: record.residues,
        });
        // Thinned out now and then, so that a file of any size takes bounded memory.
        if let Some(max) = self.options.max_per_class
            && self.kept[class].len() >= max.saturating_mul(2).max(1024)
        {
            self.thin_out(class, max);
        }
        let (limits, records) = (&self.options.limits, self.kept.iter().map(Vec::len).sum());
        self.within("proteins", records, limits.records)?;
        self.within("residues", self.residues, limits.residues)
    }

    fn within(&self, what: &str, found: usize, limit: usize) -> Result<()> {
        if found <= limit {
            return Ok(());
        }
        Err(Error::folder(
            self.path,
            format!("more than {limit} {what}"),
            "choose classes, lengths or a number of proteins a class, or raise the limit",
        ))
    }

    fn thin_out(&mut self, class: usize, max: usize) {
        let kept = &mut self.kept[class];
        if kept.len() > max {
            kept.select_nth_unstable_by_key(max, |protein| (protein.key, protein.order));
            for protein in kept.drain(max..) {
                self.residues -= protein.residues.len();
                self.report.dropped.over_maximum += 1;
            }
        }
    }

    fn finish(mut self) -> Result<Proteins> {
        self.check_classes()?;
        if let Some(max) = self.options.max_per_class {
            (0..self.names.len()).for_each(|class| self.thin_out(class, max));
        }
        let mut classes: Vec<(String, Vec<Kept>)> = self.names.drain(..).zip(self.kept).collect();
        if self.options.classes.is_empty() {
            classes.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let (mut ids, mut sequences, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (label, (name, kept)) in classes.iter_mut().enumerate() {
            kept.sort_by_key(|protein| protein.order);
            self.report.kept.push(ClassCount { class: name.clone(), count: kept.len() });
            for protein in kept.drain(..) {
                ids.push(protein.id);
                sequences.push(protein.residues);
                labels.push(label);
            }
        }
        refuse_nucleotides(self.path, &sequences)?;
        let names = classes.into_iter().map(|(name, _)| name).collect();
        let sequences = Sequences {
            name: set_name(self.path),
            ids,
            inputs: Inputs::Symbols { alphabet: PROTEIN.to_vec(), sequences },
            targets: Targets::Classes { names, labels },
        };
        Ok(Proteins { sequences, report: self.report })
    }

    fn check_classes(&self) -> Result<()> {
        let dropped = &self.report.dropped;
        if dropped.unlabelled == self.report.records {
            return Err(Error::folder(
                self.path,
                format!("no header names a class, expected {}", self.options.label.expected()),
                "choose the field that holds the class, or give a folder with one file a class",
            ));
        }
        for (name, kept) in self.names.iter().zip(&self.kept) {
            let left_out = dropped.too_short + dropped.too_long;
            if kept.is_empty() && left_out == 0 {
                let there: Vec<&str> = self.seen.iter().map(String::as_str).collect();
                return Err(no_class(self.path, name, &there));
            }
            if kept.is_empty() {
                return Err(Error::folder(
                    self.path,
                    format!("nothing is left of the class '{name}'"),
                    format!(
                        "{left_out} proteins are shorter than {} or longer than {} residues; \
                         widen these limits or choose other classes",
                        self.options.min_length, self.options.max_length
                    ),
                ));
            }
        }
        if self.names.len() < 2 {
            return Err(Error::folder(
                self.path,
                format!("one class only, '{}'", self.names.first().map_or("", String::as_str)),
                "at least two are needed: give a folder with one file a class, or one file whose \
                 headers name the classes",
            ));
        }
        Ok(())
    }
}

/// FNV-1a over the name and the residues.
fn fingerprint(id: &[u8], residues: &[u8]) -> u64 {
    let bytes = id.iter().chain(&[0xff]).chain(residues);
    let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    bytes.fold(0xcbf2_9ce4_8422_2325, fold)
}

/// All letters are residues' too: only how often they come tells DNA from protein.
fn refuse_nucleotides(path: &Path, sequences: &[Vec<u8>]) -> Result<()> {
    let is_nucleotide = |&&symbol: &&u8| "ACGTNX".contains(PROTEIN[symbol as usize]);
    let all: usize = sequences.iter().map(Vec::len).sum();
    let nucleotides = sequences.iter().flatten().filter(is_nucleotide).count();
    // In proteins these letters are about one of three.
    if all < 100 || nucleotides * 20 < all * 19 {
        return Ok(());
    }
    Err(Error::folder(
        path,
        format!(
            "{:.0} % of the letters are A, C, G, T, N or X: nucleotides, expected proteins",
            100.0 * nucleotides as f64 / all as f64
        ),
        "translate the sequences first",
    ))
}

fn set_name(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| path.display().to_string());
    class_of(Path::new(&name)).filter(|_| path.is_file()).unwrap_or(name)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
