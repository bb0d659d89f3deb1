//! `tandem backup`: copies all conversations into one file.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::config::Loaded;
use crate::store::{self, Contents};

/// Arguments of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Where to; must not be there yet
    pub file: PathBuf,
}

/// Makes the copy and prints what is in it.
///
/// # Errors
/// When there is none; the error says why.
pub fn run(loaded: &Loaded, args: &BackupArgs) -> anyhow::Result<()> {
    let contents = store::back_up(&loaded.config.data.dir, &args.file)?;
    writeln!(
        io::stdout(),
        "{}: {}, checked.\nIt holds all that was said: keep it as private as the data folder.",
        args.file.display(),
        describe(contents)
    )?;
    Ok(())
}

/// As `3 conversations with 120 events, 1.5 MB`.
pub(super) fn describe(contents: Contents) -> String {
    let Contents { sessions, events, bytes } = contents;
    let tenths = bytes / 100_000;
    let plural = |count| if count == 1 { "" } else { "s" };
    format!(
        "{sessions} conversation{} with {events} event{}, {}.{} MB",
        plural(sessions),
        plural(events),
        tenths / 10,
        tenths % 10
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_said_in_words() {
        let contents = Contents { sessions: 1, events: 20, bytes: 1_570_000 };
        assert_eq!(describe(contents), "1 conversation with 20 events, 1.5 MB");
    }
}
