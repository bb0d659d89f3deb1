//! All settings as they are in force, for people who ask.

use serde::Serialize;
use serde_json::Value;

use super::Loaded;
use super::keys::KEYS;

/// One setting, and where its value came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InForce {
    /// `section.key`, as in `tandem.toml`.
    pub key: &'static str,
    /// As it would stand in the file.
    pub value: Value,
    /// `default`, or who set it.
    pub origin: String,
    /// One sentence for an operator.
    pub meaning: &'static str,
}

impl Loaded {
    /// All of them, in the order of the table of keys. None of them is a secret: the token is no setting.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn in_force(&self) -> serde_json::Result<Vec<InForce>> {
        let values = serde_json::to_value(&self.config)?;
        let settings = KEYS.iter().map(|key| {
            let (section, name) = key.parts();
            let (value, origin) = (values[section][name].clone(), self.origin(key.name).to_string());
            InForce { key: key.name, value, origin, meaning: key.meaning }
        });
        Ok(settings.collect())
    }
}
