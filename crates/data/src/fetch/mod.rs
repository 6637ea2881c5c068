//! Getting the files of a known data set into the cache.
//!
//! A file is received into `NAME.part`, which a later call continues (HTTP `Range`), and comes to
//! its place only whole and with the SHA-256 that is written in the catalog. So it does not matter
//! who serves it, nor over what: see docs/decisions/plain-http-with-pinned-hashes.md.

mod transfer;

#[cfg(test)]
mod tests;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::catalog::{Known, KnownFile, find_original};
use crate::dataset::hex;
use crate::{Error, OpenOptions, Result, write_atomically};
use transfer::{Failure, Transfer};

/// How long to wait for a mirror to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The user asked for this data set: 10 s a mirror.
    Explicit,
    /// Something else can stand in: 3 s for all mirrors together.
    Auto,
}

const PATIENCE_PER_MIRROR: Duration = Duration::from_secs(10);
const PATIENCE_IN_ALL: Duration = Duration::from_secs(3);

/// Downloads what is missing of a data set (`mnist`, `fashion-mnist`, or `strokes`, which needs
/// nothing) and replaces those of its files that are damaged. Gives the folder of the files.
///
/// Nothing is downloaded where all files are there and their SHA-256 is right.
///
/// # Errors
/// [`Error::Invalid`] for any other name; [`Error::Unavailable`] where a file is needed and
/// `options.offline` forbids it or no mirror serves it; [`Error::Io`] where the cache folder cannot
/// be written.
pub fn fetch(name: &str, options: &OpenOptions) -> Result<Option<PathBuf>> {
    if name == "strokes" {
        return Ok(None);
    }
    let known = Known::by_name(name).ok_or_else(|| {
        Error::Invalid(format!(
            "'{name}' cannot be fetched: give mnist or fashion-mnist; other data are opened by the \
             path of their folder"
        ))
    })?;
    let folder = known.present_in(options).unwrap_or_else(|| known.home(options));
    let mut missing = Vec::new();
    for file in &known.files {
        if !is_present(&folder, file)? {
            missing.push(file);
        }
    }
    get_files(known, &missing, &folder, options, Patience::Explicit)?;
    Ok(Some(folder))
}

/// Makes sure that all files of a data set are in the cache, without looking into those that are.
pub(crate) fn ensure(known: &Known, options: &OpenOptions, patience: Patience) -> Result<()> {
    if known.present_in(options).is_some() {
        return Ok(());
    }
    let folder = known.home(options);
    let missing: Vec<&KnownFile> =
        known.files.iter().filter(|file| find_original(&folder, file).is_none()).collect();
    get_files(known, &missing, &folder, options, patience)
}

/// Whether the file is there and, if it is the packed original, undamaged.
fn is_present(folder: &Path, file: &KnownFile) -> Result<bool> {
    let Some(path) = find_original(folder, file) else { return Ok(false) };
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok(true);
    }
    let bytes = fs::read(&path).map_err(|error| Error::io(&path, "read", error))?;
    Ok(sha256(&bytes) == file.sha256)
}

fn get_files(
    known: &Known,
    files: &[&KnownFile],
    folder: &Path,
    options: &OpenOptions,
    patience: Patience,
) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let unavailable = |reason: String| Error::Unavailable {
        name: known.name.to_owned(),
        folder: folder.to_owned(),
        reason,
    };
    if options.offline {
        return Err(unavailable(format!(
            "downloads are switched off; leave --offline out, or put {} into that folder",
            known.files.each_ref().map(|file| file.name).join(", ")
        )));
    }
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, "create the folder", error))?;
    let mut mirrors = mirrors(known, options);
    let mut answered = false;
    for file in files {
        // Once a mirror has answered there is a network, and every file gets its time.
        let deadline =
            (patience == Patience::Auto && !answered).then(|| Instant::now() + PATIENCE_IN_ALL);
        let used = get_file(file, &mirrors, folder, options, deadline)?.map_err(|failures| {
            unavailable(format!(
                "{} could not be downloaded: {}; check the network, set CUTAWAY_MIRROR to a URL \
                 that serves {}/{}, or put the four original files into that folder",
                file.name,
                failures.join("; "),
                known.name,
                file.name
            ))
        })?;
        answered = true;
        mirrors.swap(0, used);
    }
    Ok(())
}

fn mirrors(known: &Known, options: &OpenOptions) -> Vec<String> {
    let own = options.mirror.clone().or_else(|| env::var("CUTAWAY_MIRROR").ok());
    match own.filter(|base| !base.is_empty()) {
        Some(base) => vec![format!("{}/{}/", base.trim_end_matches('/'), known.name)],
        None => known.mirrors.iter().map(|&base| base.to_owned()).collect(),
    }
}

/// Tries one mirror after the other. Gives the number of the mirror that served the file, or what
/// each of them failed by.
fn get_file(
    file: &KnownFile,
    mirrors: &[String],
    folder: &Path,
    options: &OpenOptions,
    deadline: Option<Instant>,
) -> Result<std::result::Result<usize, Vec<String>>> {
    let mut failures = Vec::new();
    for (number, mirror) in mirrors.iter().enumerate() {
        let patience = match deadline {
            None => PATIENCE_PER_MIRROR,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                left / (mirrors.len() - number) as u32
            }
        };
        let url = format!("{mirror}{}", file.name);
        let transfer = Transfer { url: &url, file, folder, options, patience };
        match get_from(&transfer) {
            Ok(()) => return Ok(Ok(number)),
            Err(Failure::Local(error)) => return Err(error),
            Err(Failure::Remote(reason)) => failures.push(format!("{url}: {reason}")),
        }
    }
    Ok(Err(failures))
}

/// Receives the file from one mirror, checks it and puts it in its place.
fn get_from(transfer: &Transfer<'_>) -> Result<(), Failure> {
    let part = transfer.part();
    // What an earlier call left may be damaged: if the whole is, then once more from the start.
    for attempt in 0..2 {
        let resumed = transfer.receive()?;
        let bytes = fs::read(&part).map_err(|error| Error::io(&part, "read", error))?;
        let found = sha256(&bytes);
        if found == transfer.file.sha256 {
            // Written anew, not renamed: another process may still be appending to the same part.
            write_atomically(&transfer.folder.join(transfer.file.name), |out| {
                out.write_all(&bytes)
            })?;
            let _ = fs::remove_file(&part);
            return Ok(());
        }
        fs::remove_file(&part).map_err(|error| Error::io(&part, "remove", error))?;
        if attempt == 1 || !resumed {
            return Err(Failure::Remote(format!(
                "the file there has SHA-256 {found}, expected {}",
                transfer.file.sha256
            )));
        }
    }
    unreachable!("the second attempt returns")
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
