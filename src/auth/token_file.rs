//! The plain form of the token: one file that only its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Token, TokenError};

/// Where the token of a data folder is.
#[must_use]
pub fn token_path(data_dir: &Path) -> PathBuf {
    data_dir.join("token")
}

/// Reads the token of a data folder.
///
/// # Errors
/// [`TokenError::Missing`], [`TokenError::Unreadable`], [`TokenError::Malformed`].
pub fn read_token(data_dir: &Path) -> Result<Token, TokenError> {
    let path = token_path(data_dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(TokenError::Missing { path }),
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            return Err(TokenError::Malformed { path });
        }
        Err(cause) => return Err(TokenError::Unreadable { path, cause }),
    };
    Token::parse(text.trim()).ok_or(TokenError::Malformed { path })
}

/// Writes the token of a data folder, readable by its owner alone.
///
/// *Crash:* the file is the old one or the new one, never a part of either.
///
/// # Errors
/// [`TokenError::NotWritten`]; the old file is untouched.
pub fn write_token(data_dir: &Path, token: &Token) -> Result<(), TokenError> {
    let path = token_path(data_dir);
    let unfinished = data_dir.join(format!(".token.{}.new", std::process::id()));
    let written = write_and_rename(&unfinished, &path, token);
    if written.is_err() {
        // A leftover is harmless; the error that led here is the one to tell.
        let _ = fs::remove_file(&unfinished);
    }
    written.map_err(|cause| TokenError::NotWritten { path, cause })
}

/// The token for a store that knows none: the one in the data folder if there is one, otherwise a new one, written there.
///
/// Call this first and keep the hash then. *Crash in between:* the next start finds the file and keeps its hash, so the
/// token a person may already have copied stays good.
///
/// # Errors
/// All of [`TokenError`] but `Missing`.
pub fn token_for_first_start(data_dir: &Path) -> Result<Token, TokenError> {
    match read_token(data_dir) {
        Err(TokenError::Missing { .. }) => {
            let token = Token::generate()?;
            write_token(data_dir, &token)?;
            Ok(token)
        }
        found => found,
    }
}

fn write_and_rename(unfinished: &Path, path: &Path, token: &Token) -> io::Result<()> {
    match fs::remove_file(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = owner_only().open(unfinished)?;
    writeln!(file, "{}", token.as_str())?;
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    sync_folder(path.parent())
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the rename itself durable; only Unix lets a folder be opened for that.
fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    match folder {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::generate().unwrap();
        write_token(dir.path(), &token).unwrap();
        assert_eq!(read_token(dir.path()).unwrap(), token);
        let next = Token::generate().unwrap();
        write_token(dir.path(), &next).unwrap();
        assert_eq!(read_token(dir.path()).unwrap(), next);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        fs::write(token_path(dir.path()), "old and open").unwrap();
        write_token(dir.path(), &Token::generate().unwrap()).unwrap();
        let mode = fs::metadata(token_path(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_first_start_makes_a_token_and_the_next_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = token_for_first_start(dir.path()).unwrap();
        assert_eq!(token_for_first_start(dir.path()).unwrap(), first);
    }

    #[test]
    fn an_edited_file_with_spaces_around_the_token_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::generate().unwrap();
        fs::write(token_path(dir.path()), format!("  {}\r\n\n", token.as_str())).unwrap();
        assert_eq!(read_token(dir.path()).unwrap(), token);
    }

    #[test]
    fn a_missing_token_says_how_to_get_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = read_token(dir.path()).unwrap_err();
        assert!(matches!(error, TokenError::Missing { .. }));
        assert!(error.to_string().contains("tandem serve"));
    }

    #[test]
    fn what_is_no_token_is_neither_used_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"secret", b"tdm_short", b"\xff\xfe"] {
            fs::write(token_path(dir.path()), content).unwrap();
            assert!(matches!(read_token(dir.path()), Err(TokenError::Malformed { .. })));
            assert!(matches!(token_for_first_start(dir.path()), Err(TokenError::Malformed { .. })));
            assert_eq!(fs::read(token_path(dir.path())).unwrap(), content);
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_token(&dir.path().join("nowhere"), &Token::generate().unwrap()).unwrap_err();
        assert!(error.to_string().contains("nowhere/token"), "{error}");
    }
}
