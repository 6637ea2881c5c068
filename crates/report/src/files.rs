//! Atomic writing: a reader sees the old file or the whole new one, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Writes `bytes` to `path` atomically: into a temporary file in the same folder, flushed to the
/// disk, then renamed over `path`. On any failure the temporary file is removed and an existing
/// file stays as it was.
///
/// # Errors
/// [`Error::Write`] with the path and the system's reason.
pub fn write_atomic(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    refuse_what_is_no_file(path)?;
    let fail = |source| Error::Write { path: path.to_owned(), source };
    let temporary = temporary_beside(path).map_err(fail)?;
    let written = write_and_rename(&temporary, path, bytes);
    if written.is_err() {
        // The first error is the one worth reporting.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(fail)
}

fn write_and_rename(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_folder(path);
    Ok(())
}

/// Renaming over a device, such as `/dev/null`, would put a file in its place.
fn refuse_what_is_no_file(path: &Path) -> Result<()> {
    let problem = match fs::metadata(path) {
        Ok(found) if found.is_dir() => "it is a folder; give a file's name",
        Ok(found) if !found.is_file() => "it is no ordinary file; give a file's name",
        _ => return Ok(()),
    };
    Err(Error::Write { path: path.to_owned(), source: io::Error::other(problem) })
}

/// A name that no other thread or process writes to.
fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file")
    })?;
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{count}.part", std::process::id()));
    Ok(path.with_file_name(temporary))
}

/// Makes the rename itself durable where the system allows it; some file systems do not.
fn sync_folder(path: &Path) {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cutaway-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left_in_the_folder() {
        let folder = folder("replace");
        let path = folder.join("a.txt");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing_behind() {
        let folder = folder("fail");
        // A folder in the place of the file: the rename fails after the temporary file is written.
        let path = folder.join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        let error = write_atomic(&path, b"x").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert!(write_atomic(folder.join("no/such/folder.txt"), b"x").is_err());
        assert!(write_atomic("/", b"x").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
