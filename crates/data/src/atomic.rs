//! Files that are either whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Writes a file atomically: into a temporary file in the same folder, flushed to the disk, then
/// renamed over `path`.
///
/// After an error, or a crash at any moment, `path` holds what it held before.
///
/// # Errors
/// [`Error::Io`] with `path` where the folder cannot be written, the disk is full ...
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let attempt = || -> io::Result<()> {
        refuse_what_is_no_file(path)?;
        let (file, temporary) = create_beside(path)?;
        let mut writer = BufWriter::new(file);
        write(&mut writer)?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        temporary.rename_to(path)
    };
    attempt().map_err(|source| Error::io(path, "write", source))
}

/// Renaming over a device, such as `/dev/null`, would put a file in its place.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    let problem = match fs::metadata(path) {
        Ok(found) if found.is_dir() => "it is a folder; give a file's name",
        Ok(found) if !found.is_file() => "it is no ordinary file; give a file's name",
        _ => return Ok(()),
    };
    Err(io::Error::other(problem))
}

/// A file that is removed when dropped, unless it was renamed.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn rename_to(mut self, path: &Path) -> io::Result<()> {
        if let Some(from) = &self.0 {
            fs::rename(from, path)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

fn create_beside(path: &Path) -> io::Result<(File, Temporary)> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file name")
    })?;
    loop {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        hidden.push(format!(".{}-{count}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, Temporary(Some(temporary)))),
            // A leftover of a killed process that had our process id: take the next number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.txt");
        let message = write_atomically(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("a.txt"), "{message}");
    }
}
