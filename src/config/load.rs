//! Puts the sources together and remembers who said what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;

use super::check::{check_together, fit_defaults};
use super::keys::{KEYS, find};
use super::layer::{self, Layer};
use super::paths::Bases;
use super::{Config, ConfigError, Shape, Surroundings, ValueOrigin};

/// The name of the file that is looked for in the data folder.
const FILE_NAME: &str = "tandem.toml";

/// A flag as it was given: one value, or several for a flag that may be repeated.
#[derive(Debug, Clone)]
pub struct FlagValue {
    /// With its dashes, as in the table of keys.
    pub flag: &'static str,
    /// Not empty.
    pub values: Vec<String>,
}

/// A complete configuration, and where every value of it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, ValueOrigin>,
}

impl Loaded {
    /// Where the value of a key came from; `name` as in the table of keys.
    #[must_use]
    pub fn origin(&self, name: &str) -> &ValueOrigin {
        self.origins.get(name).unwrap_or(&ValueOrigin::Default)
    }
}

/// Reads all sources: defaults, then the file, then the environment, then the flags; the later one wins.
///
/// `file` is the one that was named and must exist; without one, `tandem.toml` in the data folder is read if it is there.
///
/// # Errors
/// All of [`ConfigError`]; each says what to change.
pub fn load(
    surroundings: &Surroundings,
    file: Option<&Path>,
    flags: &[FlagValue],
) -> Result<Loaded, ConfigError> {
    let defaults = Layer::defaults(surroundings);
    let environment = Layer::environment(surroundings)?;
    let flags = Layer::flags(flags, surroundings)?;
    let without_file = Figment::from(&defaults).merge(&environment).merge(&flags);

    let named_file = file.map(|path| surroundings.current_dir.join(expand_home(path, surroundings)));
    let found_file = || {
        let data_dir: PathBuf = without_file.extract_inner("data.dir").ok()?;
        Some(data_dir.join(FILE_NAME)).filter(|path| path.exists())
    };
    let path = named_file.clone().or_else(found_file);
    let merged = match &path {
        Some(path) => {
            let from_file = Layer::file(path, surroundings)?;
            Figment::from(defaults).merge(from_file).merge(environment).merge(flags)
        }
        None => without_file,
    };
    if !merged.contains("data.dir") {
        return Err(ConfigError::NoDataFolder);
    }
    let mut config: Config =
        merged.extract().map_err(|error| ConfigError::Mismatch { problem: error.to_string() })?;

    let origins: BTreeMap<_, _> =
        KEYS.iter().map(|key| (key.name, origin_of(&merged, key.name, path.as_deref()))).collect();
    fit_defaults(&mut config, &origins["session.warningHours"]);
    let loaded = Loaded { config, file: path, origins };
    if named_file.is_none() {
        check_file_is_in_data_dir(&loaded)?;
    }
    check_together(&loaded)?;
    Ok(loaded)
}

/// A shell expands `~/` only where it starts a word, so `--config=~/x` arrives as written.
fn expand_home(path: &Path, surroundings: &Surroundings) -> PathBuf {
    let bases = Bases { home: surroundings.home.as_deref(), relative_to: &surroundings.current_dir };
    let expanded = path.to_str().and_then(|text| bases.apply(Shape::Folder, text.into()));
    expanded.and_then(figment::value::Value::into_string).map_or_else(|| path.to_owned(), PathBuf::from)
}

fn origin_of(figment: &Figment, name: &str, file: Option<&Path>) -> ValueOrigin {
    let key = find(name);
    let provider = figment.find_metadata(name).map(|metadata| metadata.name.as_ref());
    match (provider, key.and_then(|key| key.env), key.and_then(|key| key.flag)) {
        (Some(layer::ENVIRONMENT), Some(env), _) => ValueOrigin::Environment(env),
        (Some(layer::FLAGS), _, Some(flag)) => ValueOrigin::Flag(flag),
        (Some(layer::FILE), _, _) => {
            file.map_or(ValueOrigin::Default, |path| ValueOrigin::File(path.to_owned()))
        }
        _ => ValueOrigin::Default,
    }
}

/// Otherwise the next start with the same flags would read one file and use another folder.
fn check_file_is_in_data_dir(loaded: &Loaded) -> Result<(), ConfigError> {
    match &loaded.file {
        Some(path) if path.parent() != Some(&loaded.config.data.dir) => {
            Err(ConfigError::MovesItself { path: path.clone() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::config::keys;

    struct Machine {
        dir: TempDir,
        surroundings: Surroundings,
        flags: Vec<FlagValue>,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let surroundings = Surroundings {
                home: Some("/home/ada".into()),
                current_dir: "/work/project".into(),
                platform_data_dir: Some(dir.path().into()),
                ..Surroundings::default()
            };
            fs::create_dir(dir.path().join("tandem")).unwrap();
            Self { dir, surroundings, flags: Vec::new() }
        }

        fn env(mut self, name: &'static str, value: &str) -> Self {
            self.surroundings.environment.insert(name, value.into());
            self
        }

        fn flag(mut self, flag: &'static str, values: &[&str]) -> Self {
            self.flags.push(FlagValue { flag, values: values.iter().map(ToString::to_string).collect() });
            self
        }

        fn file(self, toml: &str) -> Self {
            fs::write(self.data_dir().join(FILE_NAME), toml).unwrap();
            self
        }

        fn data_dir(&self) -> PathBuf {
            self.dir.path().join("tandem")
        }

        fn load(&self) -> Result<Loaded, ConfigError> {
            load(&self.surroundings, None, &self.flags)
        }

        fn refusal(&self) -> String {
            self.load().expect_err("this configuration is wrong").to_string()
        }
    }

    #[test]
    fn defaults_are_complete() {
        let machine = Machine::new();
        let loaded = machine.load().unwrap();
        assert_eq!(loaded.config.server.address().to_string(), "127.0.0.1:4870");
        assert_eq!(loaded.config.data.dir, machine.data_dir());
        assert_eq!(loaded.config.projects.allowed_roots, ["/home/ada", "/work/project"].map(PathBuf::from));
        assert_eq!(loaded.config.agent.command, "claude");
        assert_eq!((loaded.config.session.timeout_hours, loaded.config.session.warning_hours), (24, 20));
        assert_eq!(loaded.file, None);
        assert!(KEYS.iter().all(|key| *loaded.origin(key.name) == ValueOrigin::Default));
    }

    #[test]
    fn types_and_table_have_the_same_keys() {
        let loaded = Machine::new().load().unwrap();
        let json = serde_json::to_value(&loaded.config).unwrap();
        let mut fields = Vec::new();
        for (section, entries) in json.as_object().unwrap() {
            fields.extend(entries.as_object().unwrap().keys().map(|name| format!("{section}.{name}")));
        }
        let mut names: Vec<_> = keys::KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        fields.sort_unstable();
        assert_eq!(fields, names);
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = "[server]\nport = 1\nbind = \"0.0.0.0\"\nmaxConnections = 5\n";
        let machine = Machine::new()
            .file(file)
            .env("TANDEM_PORT", "2")
            .env("TANDEM_BIND", "::1")
            .flag("--port", &["3"]);
        let loaded = machine.load().unwrap();
        assert_eq!(loaded.config.server.port, 3);
        assert_eq!(loaded.origin("server.port").to_string(), "flag --port");
        assert_eq!(loaded.config.server.bind.to_string(), "::1");
        assert_eq!(loaded.origin("server.bind").to_string(), "environment TANDEM_BIND");
        assert_eq!(loaded.config.server.max_connections, 5);
        let path = machine.data_dir().join(FILE_NAME);
        assert_eq!(*loaded.origin("server.maxConnections"), ValueOrigin::File(path));
        assert_eq!(loaded.origin("server.heartbeatSeconds").to_string(), "default");
    }

    #[test]
    fn every_variable_of_the_table_is_read() {
        for key in KEYS {
            let Some(name) = key.env else { continue };
            let text = match key.shape {
                Shape::Number { least, .. } => least.max(1).to_string(),
                Shape::Address => "::1".into(),
                Shape::Origins => "https://a.example".into(),
                Shape::Word(words) => words[0].into(),
                _ => "/srv/x".into(),
            };
            let mut machine = Machine::new().env(name, &text);
            if name == "SESSION_TIMEOUT_HOURS" {
                machine = machine.env("SESSION_WARNING_HOURS", "0");
            }
            let loaded = machine.load().unwrap_or_else(|error| panic!("{name}={text}: {error}"));
            assert_eq!(*loaded.origin(key.name), ValueOrigin::Environment(name));
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let loaded = Machine::new().env("TANDEM_PORT", "").env("TANDEM_ALLOWED_ROOTS", "").load().unwrap();
        assert_eq!(loaded.config.server.port, 4870);
        assert_eq!(*loaded.origin("server.port"), ValueOrigin::Default);
    }

    #[test]
    fn lists_replace_each_other() {
        let machine = Machine::new()
            .file("[projects]\nallowedRoots = [\"/a\"]\n[agent]\nargs = [\"--model\", \"opus\"]\nenvironment = [\"X\"]\n")
            .env("TANDEM_ALLOWED_ORIGINS", "https://a.example,http://b.example:81")
            .flag("--allowed-root", &["~/one", "two"]);
        let config = machine.load().unwrap().config;
        assert_eq!(config.projects.allowed_roots, ["/home/ada/one", "/work/project/two"].map(PathBuf::from));
        assert_eq!(config.agent.args, ["--model", "opus"]);
        assert_eq!(config.agent.environment, ["X"]);
        let origins: Vec<_> = config.server.allowed_origins.iter().map(ToString::to_string).collect();
        assert_eq!(origins, ["https://a.example", "http://b.example:81"]);
    }

    #[test]
    fn relative_paths_in_a_file_start_from_its_folder() {
        let machine = Machine::new().file("[projects]\nallowedRoots = [\"here\", \"~/there\"]\n");
        let roots = machine.load().unwrap().config.projects.allowed_roots;
        assert_eq!(roots, [machine.data_dir().join("here"), PathBuf::from("/home/ada/there")]);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_source_and_what_it_must_be() {
        let refusal = Machine::new().env("TANDEM_PORT", "http").refusal();
        assert_eq!(
            refusal,
            "`server.port` (environment TANDEM_PORT) is \"http\", but must be a whole number from 0 to 65535"
        );
        let machine = Machine::new().file("[agent]\nmaxConcurrent = 0\n");
        let path = machine.data_dir().join(FILE_NAME);
        let expected = format!(
            "`agent.maxConcurrent` (file {}) is 0, but must be a whole number from 1 to 1000",
            path.display()
        );
        assert_eq!(machine.refusal(), expected);
    }

    #[test]
    fn unknown_keys_and_sections_are_refused() {
        let refusal = Machine::new().file("[server]\nprot = 1\n").refusal();
        assert!(refusal.contains("unknown key `server.prot`"), "{refusal}");
        assert!(refusal.contains("[server] takes bind, port, allowedOrigins"), "{refusal}");
        let refusal = Machine::new().file("port = 1\n").refusal();
        assert!(refusal.contains("unknown key `port`"), "{refusal}");
        assert!(refusal.contains("sections are server, data, projects"), "{refusal}");
        let refusal = Machine::new().file("[server.port]\nx = 1\n").refusal();
        assert!(refusal.contains("a whole number"), "{refusal}");
        let refusal = Machine::new().file("[session]\ntimeout_hours = 1\n").refusal();
        assert!(refusal.contains("takes timeoutHours"), "{refusal}");
    }

    #[test]
    fn a_file_that_is_not_toml_is_named_with_its_line() {
        let refusal = Machine::new().file("[server]\nport = \n").refusal();
        assert!(refusal.contains("is not valid TOML") && refusal.contains("line 2"), "{refusal}");
    }

    #[test]
    fn a_named_file_must_exist_and_may_move_the_data_folder() {
        let machine = Machine::new();
        let missing = load(&machine.surroundings, Some(Path::new("nowhere.toml")), &[]).unwrap_err();
        assert!(missing.to_string().contains("/work/project/nowhere.toml"), "{missing}");

        let path = machine.dir.path().join("mine.toml");
        fs::write(&path, "[data]\ndir = \"/srv/data\"\n").unwrap();
        let loaded = load(&machine.surroundings, Some(&path), &[]).unwrap();
        assert_eq!(loaded.config.data.dir, PathBuf::from("/srv/data"));
        assert_eq!(loaded.file, Some(path));
    }

    #[test]
    fn a_found_file_may_not_move_the_data_folder() {
        let machine = Machine::new().file("[data]\ndir = \"/elsewhere\"\n");
        assert!(matches!(machine.load(), Err(ConfigError::MovesItself { .. })));
        let data_dir = machine.data_dir().display().to_string();
        let machine = machine.flag("--data-dir", &[&data_dir]);
        assert!(machine.load().is_ok(), "the flag has the last word");
    }

    #[test]
    fn a_shorter_timeout_takes_the_default_warning_with_it() {
        let session = Machine::new().env("SESSION_TIMEOUT_HOURS", "12").load().unwrap().config.session;
        assert_eq!((session.timeout_hours, session.warning_hours), (12, 10));
        let session = Machine::new().env("SESSION_TIMEOUT_HOURS", "1").load().unwrap().config.session;
        assert_eq!(session.warning_hours, 0);
        let refusal =
            Machine::new().env("SESSION_TIMEOUT_HOURS", "12").env("SESSION_WARNING_HOURS", "12").refusal();
        assert!(
            refusal.contains("SESSION_WARNING_HOURS") && refusal.contains("SESSION_TIMEOUT_HOURS"),
            "{refusal}"
        );
    }

    #[test]
    fn one_agent_may_not_take_more_memory_than_all() {
        let refusal = Machine::new().env("MAX_MEMORY_PER_SESSION_MB", "4096").refusal();
        assert!(refusal.contains("agent.maxTotalMemoryGb"), "{refusal}");
    }

    #[test]
    fn without_a_home_the_data_folder_must_be_given() {
        let mut machine = Machine::new();
        machine.surroundings.home = None;
        machine.surroundings.platform_data_dir = None;
        assert!(matches!(machine.load(), Err(ConfigError::NoDataFolder)));
        let machine = machine.env("TANDEM_DATA_DIR", "data");
        assert_eq!(machine.load().unwrap().config.data.dir, PathBuf::from("/work/project/data"));
    }

    #[test]
    fn the_root_of_the_file_system_is_never_a_default_root() {
        let mut machine = Machine::new();
        machine.surroundings.current_dir = "/".into();
        assert_eq!(machine.load().unwrap().config.projects.allowed_roots, [PathBuf::from("/home/ada")]);
        machine.surroundings.home = Some("/".into());
        assert!(matches!(machine.load(), Err(ConfigError::NoAllowedRoot)));
    }
}
