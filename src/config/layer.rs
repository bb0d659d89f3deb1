//! One source of settings, checked key by key before it is merged with the others.

use std::fs;
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::keys::{DefaultValue, KEYS, Key, find};
use super::paths::Bases;
use super::{ConfigError, FlagValue, Surroundings, ValueOrigin};

/// Values of one source, all of the right kind and with absolute paths.
#[derive(Debug)]
pub(super) struct Layer {
    name: &'static str,
    values: Dict,
}

/// The names under which figment remembers who provided a value.
pub(super) const DEFAULTS: &str = "defaults";
pub(super) const FILE: &str = "file";
pub(super) const ENVIRONMENT: &str = "environment";
pub(super) const FLAGS: &str = "flags";

impl Layer {
    fn new(name: &'static str) -> Self {
        Self { name, values: Dict::new() }
    }

    /// What holds when nobody says anything. Leaves out what the surroundings cannot tell.
    pub(super) fn defaults(surroundings: &Surroundings) -> Self {
        let mut layer = Self::new(DEFAULTS);
        for key in KEYS {
            let value = match key.default {
                DefaultValue::Number(number) => Value::from(number),
                DefaultValue::Text(text) => Value::from(text),
                DefaultValue::Nothing(_) => Value::from(Vec::<String>::new()),
                DefaultValue::DataFolder => match &surroundings.platform_data_dir {
                    Some(base) => Value::from(base.join("tandem").display().to_string()),
                    None => continue,
                },
                DefaultValue::HomeAndCurrent => Value::from(home_and_current(surroundings)),
            };
            layer.insert(key, value);
        }
        layer
    }

    /// A configuration file; relative paths in it start from its own folder.
    pub(super) fn file(path: &Path, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        let sections = Toml::from_str::<Dict>(&text)
            .map_err(|error| ConfigError::NotToml { path: path.to_owned(), problem: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let bases = Bases { home: surroundings.home.as_deref(), relative_to: folder };
        let mut layer = Self::new(FILE);
        for (section, content) in sections {
            let Value::Dict(_, entries) = content else {
                return Err(unknown(path, &section));
            };
            for (name, value) in entries {
                let full_name = format!("{section}.{name}");
                let key = find(&full_name).ok_or_else(|| unknown(path, &full_name))?;
                layer.insert(key, checked(key, value, bases, ValueOrigin::File(path.to_owned()))?);
            }
        }
        Ok(layer)
    }

    /// The variables that the table of keys names; an empty one counts as not set.
    pub(super) fn environment(surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut layer = Self::new(ENVIRONMENT);
        for key in KEYS {
            let Some(name) = key.env else { continue };
            let Some(raw) = surroundings.environment.get(name).filter(|raw| !raw.is_empty()) else {
                continue;
            };
            let origin = ValueOrigin::Environment(name);
            let Some(text) = raw.to_str() else {
                let (found, expected) = (raw.to_string_lossy().into_owned(), "valid UTF-8".to_owned());
                return Err(ConfigError::Invalid { key: key.name, origin, found, expected });
            };
            layer.insert(key, checked(key, key.shape.read(text), started_here(surroundings), origin)?);
        }
        Ok(layer)
    }

    /// The flags that were given.
    pub(super) fn flags(flags: &[FlagValue], surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut layer = Self::new(FLAGS);
        for given in flags {
            let Some(key) = KEYS.iter().find(|key| key.flag == Some(given.flag)) else {
                return Err(ConfigError::Mismatch { problem: format!("no key has the flag {}", given.flag) });
            };
            let value = match &*given.values {
                [one] if !key.shape.is_list() => key.shape.read(one),
                several => Value::from(several.to_vec()),
            };
            let origin = ValueOrigin::Flag(given.flag);
            layer.insert(key, checked(key, value, started_here(surroundings), origin)?);
        }
        Ok(layer)
    }

    fn insert(&mut self, key: &Key, value: Value) {
        let (section, name) = key.parts();
        let entry = self.values.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
        if let Value::Dict(_, entries) = entry {
            entries.insert(name.to_owned(), value);
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn started_here(surroundings: &Surroundings) -> Bases<'_> {
    Bases { home: surroundings.home.as_deref(), relative_to: &surroundings.current_dir }
}

/// A service that is started in `/` must not open the whole machine to conversations.
fn home_and_current(surroundings: &Surroundings) -> Vec<String> {
    let mut roots: Vec<&Path> = Vec::new();
    for root in surroundings.home.iter().chain([&surroundings.current_dir]) {
        let is_covered = roots.iter().any(|known| root.starts_with(known));
        if root.parent().is_some() && !is_covered {
            roots.push(root);
        }
    }
    roots.iter().map(|root| root.display().to_string()).collect()
}

fn checked(
    key: &'static Key,
    value: Value,
    bases: Bases<'_>,
    origin: ValueOrigin,
) -> Result<Value, ConfigError> {
    let found = serde_json::to_string(&value).unwrap_or_else(|_| "unreadable".to_owned());
    let absolute = if key.shape.admits(&value) { bases.apply(key.shape, value) } else { None };
    absolute.ok_or_else(|| ConfigError::Invalid {
        key: key.name,
        origin,
        found,
        expected: key.shape.expected(),
    })
}

fn unknown(path: &Path, key: &str) -> ConfigError {
    let section = key.split('.').next().unwrap_or(key);
    let siblings: Vec<&str> =
        KEYS.iter().filter(|known| known.parts().0 == section).map(|known| known.parts().1).collect();
    let known = if siblings.is_empty() {
        let mut sections: Vec<&str> = KEYS.iter().map(|known| known.parts().0).collect();
        sections.dedup();
        format!("sections are {}", sections.join(", "))
    } else {
        format!("[{section}] takes {}", siblings.join(", "))
    };
    ConfigError::UnknownKey { path: path.to_owned(), key: key.to_owned(), known }
}
