//! What can be wrong with a configuration, said so that a person can put it right.

use std::io;
use std::path::PathBuf;

use super::ValueOrigin;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named, or found, cannot be read.
    #[error("could not read the configuration file {}; check its path and permissions", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML; correct it there:\n{problem}", path.display())]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Line, column and what was expected.
        problem: String,
    },
    /// The file names a key that does not exist.
    #[error("{} has an unknown key `{key}`; correct or remove it ({known})", path.display())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The keys or sections that exist there, as a sentence.
        known: String,
    },
    /// One value is of the wrong kind or out of bounds.
    #[error("`{key}` ({origin}) is {found}, but must be {expected}")]
    Invalid {
        /// Which key.
        key: &'static str,
        /// Who set it.
        origin: ValueOrigin,
        /// The value as it was given.
        found: String,
        /// What it must be.
        expected: String,
    },
    /// Two values exclude each other.
    #[error("`{first}` ({first_origin}) and `{second}` ({second_origin}) do not fit: {remedy}")]
    Contradiction {
        /// One key.
        first: &'static str,
        /// Who set it.
        first_origin: ValueOrigin,
        /// The other key.
        second: &'static str,
        /// Who set that.
        second_origin: ValueOrigin,
        /// What must hold.
        remedy: &'static str,
    },
    /// A file found in the data folder moves the data folder.
    #[error("{} lies in the data folder and cannot set `data.dir` to another; name the file with --config, or use --data-dir", path.display())]
    MovesItself {
        /// Which file.
        path: PathBuf,
    },
    /// There is no home folder to derive one from.
    #[error("there is no home folder to keep data in; set TANDEM_DATA_DIR or give --data-dir")]
    NoDataFolder,
    /// There is neither a home nor a current folder to work in.
    #[error(
        "there is no folder in which conversations may work; set TANDEM_ALLOWED_ROOTS or give --allowed-root"
    )]
    NoAllowedRoot,
    /// The table of keys and the types disagree.
    #[error("the configuration could not be put together: {problem}")]
    Mismatch {
        /// As the library says it.
        problem: String,
    },
}
