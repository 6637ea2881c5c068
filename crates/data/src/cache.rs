//! Where downloaded data sets lie.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of the downloaded data sets: the environment variable `CUTAWAY_DATA`, else
/// `cutaway` in the platform's folder for caches (`$XDG_CACHE_HOME` or `~/.cache`,
/// `~/Library/Caches`, `%LOCALAPPDATA%`), else `cutaway-data` in the current folder.
///
/// Inside it, `mnist/` and `fashion-mnist/` (or `fashion/`) hold the original four files each. The
/// folder need not exist.
pub fn cache_folder() -> PathBuf {
    cache_folder_from(|name| env::var_os(name).filter(|value| !value.is_empty()))
}

fn cache_folder_from(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    if let Some(folder) = variable("CUTAWAY_DATA") {
        return folder.into();
    }
    let platform = if cfg!(windows) {
        variable("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_vendor = "apple") {
        variable("HOME").map(|home| PathBuf::from(home).join("Library/Caches"))
    } else {
        let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from);
        // The XDG specification: a relative path is invalid and to be ignored.
        let xdg = xdg.filter(|folder| folder.is_absolute());
        xdg.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")))
    };
    platform.map_or_else(|| PathBuf::from("cutaway-data"), |folder| folder.join("cutaway"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> PathBuf {
        cache_folder_from(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_variable_of_our_own_wins() {
        let folder = with(&[("CUTAWAY_DATA", "/data"), ("HOME", "/home/a"), ("LOCALAPPDATA", "c")]);
        assert_eq!(folder, PathBuf::from("/data"));
    }

    #[test]
    fn without_any_variable_it_is_in_the_current_folder() {
        assert_eq!(with(&[]), PathBuf::from("cutaway-data"));
    }

    #[test]
    #[cfg(all(unix, not(target_vendor = "apple")))]
    fn unix_follows_the_xdg_specification() {
        let home = ("HOME", "/home/a");
        assert_eq!(with(&[home]), PathBuf::from("/home/a/.cache/cutaway"));
        assert_eq!(with(&[home, ("XDG_CACHE_HOME", "/c")]), PathBuf::from("/c/cutaway"));
        assert_eq!(with(&[home, ("XDG_CACHE_HOME", "c")]), PathBuf::from("/home/a/.cache/cutaway"));
    }
}
