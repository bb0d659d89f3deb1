//! `tandem restore`: brings a backup back.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::config::Loaded;
use crate::store;

use super::backup::describe;

/// Arguments of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// A file that `tandem backup` has made
    pub file: PathBuf,
}

/// Puts the backup in place of what is there, and says where that is now.
///
/// # Errors
/// When it was not done; the error says why, and what is there.
pub fn run(loaded: &Loaded, args: &RestoreArgs) -> anyhow::Result<()> {
    let folder = &loaded.config.data.dir;
    let restored = store::restore(folder, &args.file)?;
    let mut out = io::stdout();
    writeln!(out, "Restored into {}: {}.", folder.display(), describe(restored.contents))?;
    if let Some(aside) = restored.moved_aside {
        writeln!(out, "What was there is kept as {}.", aside.display())?;
    }
    writeln!(out, "Devices that had seen more begin again with what is in the backup.")?;
    Ok(())
}
