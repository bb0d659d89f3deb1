//! What the configuration takes from the process and the machine, handed in so that tests can set it.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use super::keys::KEYS;

/// The environment, the home folder, the current folder and the platform's data folder.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Variables that the table of keys names; an empty one counts as not set.
    pub environment: HashMap<&'static str, OsString>,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// The folder in which the program was started.
    pub current_dir: PathBuf,
    /// The folder in which the platform keeps data of programs.
    pub platform_data_dir: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let names = KEYS.iter().filter_map(|key| key.env);
        Self {
            environment: names.filter_map(|name| Some((name, env::var_os(name)?))).collect(),
            home: etcetera::home_dir().ok(),
            current_dir: env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            platform_data_dir: etcetera::base_strategy::choose_native_strategy()
                .ok()
                .map(|base| base.data_dir()),
        }
    }
}
