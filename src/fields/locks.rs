//! The fields of what clients ask about locks and conflicts, the same over WebSocket and HTTP.

use serde_json::Value;
use serde_json::value::RawValue;
use tandem_actors::locks::{Kind, Mode};
use tandem_actors::nesting::{MAX_NESTING, is_too_deep};
use tandem_actors::project::{ChangeType, Enforcement, LockAct, LockName, Resolution, Wait};
use tandem_actors::refusal::Refusal;

use super::Fields;

/// Things that are locked at once: as many as may wait for one of them.
const MAX_AT_ONCE: usize = 64;

/// What is passed on of a cursor, to everybody who follows the project.
const MAX_CURSOR_BYTES: usize = 4 * 1024;

impl Fields {
    /// What is locked: `lockType`, `resourceId`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn lock_name(&self) -> Result<LockName, Refusal> {
        let words = [
            ("file", Kind::File),
            ("git", Kind::Git),
            ("project", Kind::Project),
            ("database", Kind::Database),
            ("exclusive", Kind::Exclusive),
        ];
        let kind = self.required_word("lockType", &words)?;
        let id = match kind {
            Kind::File | Kind::Git | Kind::Database => self.required("resourceId")?,
            Kind::Project | Kind::Exclusive => self.optional("resourceId")?.unwrap_or_default(),
        };
        Ok(LockName { kind, id })
    }

    /// What is wanted with it, all or none of them: `with`, a list of `lockType`, `resourceId`, `mode`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn locks_with_it(&self) -> Result<Vec<(LockName, Mode)>, Refusal> {
        let others: Vec<Box<RawValue>> = self.optional("with")?.unwrap_or_default();
        if others.len() >= MAX_AT_ONCE {
            let message = format!("At most {MAX_AT_ONCE} things are locked at once.");
            return Err(Refusal::bad_field("with", message));
        }
        let other = |fields: &RawValue| {
            let fields = Self::parse(fields.get().as_bytes())?.with_snake_case_twins();
            Ok((fields.lock_name()?, fields.lock_mode()?))
        };
        others.iter().map(|fields| other(fields)).collect()
    }

    fn lock_mode(&self) -> Result<Mode, Refusal> {
        let modes = [("exclusive", Mode::Exclusive), ("shared", Mode::Shared)];
        self.word("mode", &modes, Mode::Exclusive)
    }

    /// How it is wanted: `mode`, `ttlSeconds`, `wait` (`true`, or seconds).
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn lock_request(&self) -> Result<LockAct, Refusal> {
        let mode = self.lock_mode()?;
        let wait = match self.optional::<Value>("wait")? {
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some(Wait::Configured),
            Some(other) => {
                let seconds = other.as_u64().ok_or_else(|| {
                    Refusal::bad_field("wait", "The field wait is true, false or a whole number of seconds.")
                })?;
                Some(Wait::Seconds(seconds))
            }
        };
        Ok(LockAct::Request { mode, ttl_seconds: self.optional("ttlSeconds")?, wait })
    }

    /// How agents are held to the locks: `enforcement`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn enforcement(&self) -> Result<Enforcement, Refusal> {
        let words = [("on", Enforcement::On), ("warn", Enforcement::Warn), ("off", Enforcement::Off)];
        self.required_word("enforcement", &words)
    }

    /// What became of a file: `changeType`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn change_type(&self) -> Result<ChangeType, Refusal> {
        let words = [
            ("created", ChangeType::Created),
            ("modified", ChangeType::Modified),
            ("deleted", ChangeType::Deleted),
        ];
        self.required_word("changeType", &words)
    }

    /// The hash of a file's content, SHA-256 in hexadecimal: `hash`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn content_hash(&self) -> Result<Option<String>, Refusal> {
        let hash: Option<String> = self.optional("hash")?;
        let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hash.as_ref().is_some_and(|hash| !is_hash(hash)) {
            return Err(Refusal::bad_field("hash", "The field hash is a SHA-256: 64 hexadecimal digits."));
        }
        Ok(hash.map(|hash| hash.to_ascii_lowercase()))
    }

    /// How a conflict is settled: `resolution`, `content`.
    ///
    /// # Errors
    /// `bad_request` that names the field; `merged` needs a content.
    pub(crate) fn resolution(&self) -> Result<(Resolution, Option<String>), Refusal> {
        let words =
            [("ours", Resolution::Ours), ("theirs", Resolution::Theirs), ("merged", Resolution::Merged)];
        let resolution = self.required_word("resolution", &words)?;
        let content: Option<String> = self.optional("content")?;
        if resolution != Resolution::Merged && content.is_some() {
            let message = "The field content belongs to the resolution merged alone.";
            return Err(Refusal::bad_field("content", message));
        }
        Ok((resolution, content))
    }

    /// Where a person is: every field that is not one of the frame's own.
    ///
    /// # Errors
    /// `bad_request` when it is too much.
    pub(crate) fn cursor_position(&self) -> Result<Value, Refusal> {
        let own = ["type", "ref", "projectPath", "deviceId"];
        let rest = self.0.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let mut data = serde_json::Map::new();
        let mut bytes = 0;
        for (name, value) in rest {
            bytes += name.len() + value.get().len();
            if bytes > MAX_CURSOR_BYTES {
                let message = format!("A cursor has at most {MAX_CURSOR_BYTES} bytes of JSON.");
                return Err(Refusal::bad_field(name, message));
            }
            if let Some(value) = self.shallow(name)? {
                data.insert(name.clone(), value);
            }
        }
        Ok(data.into())
    }

    /// A field that is no deeper than may be passed on.
    fn shallow(&self, name: &str) -> Result<Option<Value>, Refusal> {
        let value: Option<Value> = self.optional(name)?;
        if value.as_ref().is_some_and(is_too_deep) {
            let message = format!("The field {name} is nested deeper than {MAX_NESTING} levels.");
            return Err(Refusal::bad_field(name, message));
        }
        Ok(value)
    }
}
