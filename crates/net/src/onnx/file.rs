//! Files as a whole: read up to a limit, written all or nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::MAX_FILE_BYTES;
use crate::{Error, Result};

/// The bytes of a file, where it is not larger than [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let error = |problem: String| Error::File { path: path.to_owned(), action: "read", problem };
    let read = || -> io::Result<Option<Vec<u8>>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
    };
    match read() {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(error(format!(
            "it is larger than {} MiB, the most that one ONNX file can hold",
            MAX_FILE_BYTES >> 20
        ))),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            Err(error("there is no such file".into()))
        }
        Err(cause) if cause.kind() == ErrorKind::IsADirectory => {
            Err(error("it is a folder; give the model file itself".into()))
        }
        Err(cause) => Err(error(cause.to_string())),
    }
}

/// Writes a file so that at any moment there is either what was there before or all of the new one:
/// a temporary file in the same folder, flushed to the disk, then renamed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let error = |problem: String| Error::File { path: path.to_owned(), action: "write", problem };
    // Through a link, what it points at is replaced and not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(&target) {
        Ok(found) if found.is_dir() => {
            return Err(error("it is a folder; give a file name, such as model.onnx".into()));
        }
        Ok(found) if !found.is_file() => return Err(error("it is no ordinary file".into())),
        _ => {}
    }
    let Some(name) = target.file_name() else {
        return Err(error("it has no file name; give one, such as model.onnx".into()));
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Err(error(format!("the folder {} does not exist", folder.display())));
    }
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}-{}.part", process::id(), next_number()));
    let temporary = folder.join(temporary_name);
    let written = write_through(&temporary, bytes).and_then(|()| fs::rename(&temporary, &target));
    if let Err(cause) = written {
        let _ = fs::remove_file(&temporary); // the first error is the one that matters
        return Err(error(explain(&cause, &folder, bytes.len())));
    }
    // The rename itself reaches the disk with the folder; where that is not possible, so be it.
    let _ = File::open(&folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn explain(cause: &io::Error, folder: &Path, bytes: usize) -> String {
    let folder = folder.display();
    match cause.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("the folder {folder} is not writable ({cause}); choose another")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("no room in {folder} for {} KiB ({cause})", bytes.div_ceil(1024))
        }
        _ => cause.to_string(),
    }
}

fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
