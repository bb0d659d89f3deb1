//! The fields of a JSON object that a client sent, read one by one, so that a refusal can name the one that is wrong.

mod git;
mod locks;
mod notify;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tandem_actors::clock::Stamp;
use tandem_actors::content::Content;
use tandem_actors::nesting::{MAX_NESTING, is_too_deep};
use tandem_actors::refusal::{Code, Refusal};
use tandem_actors::session::{DeviceCard, Verdict};

/// A parser's words that are quoted in a refusal; they may repeat what the client sent, however long it was.
const MAX_QUOTED_CHARS: usize = 200;

/// One JSON object. A field that is `null` counts as absent, fields that nobody asks for are ignored.
#[derive(Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// Takes a JSON object.
    ///
    /// # Errors
    /// `bad_request` when it is not JSON, or no object.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(text).map(Self).map_err(|error| {
            Refusal::new(Code::BadRequest, format!("This is not a JSON object: {}.", quoted(&error)))
        })
    }

    /// The same object, in which a field may also be called by its snake_case name.
    pub(crate) fn with_snake_case_twins(self) -> Self {
        let mut fields = BTreeMap::new();
        for (name, value) in self.0 {
            let is_camel_case = !name.contains('_');
            let camel_case = camel_case(&name);
            // Where both are there, the camelCase one counts.
            if is_camel_case || !fields.contains_key(&camel_case) {
                fields.insert(camel_case, value);
            }
        }
        Self(fields)
    }

    /// A field as it was sent, to the letter.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value).filter(|value| value.get() != "null")
    }

    /// Whether the field was sent, if only as `null`.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A field that may be left out.
    ///
    /// # Errors
    /// `bad_request` that names the field, when it is there and cannot be a `T`.
    pub(crate) fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.raw(name) else {
            return Ok(None);
        };
        serde_json::from_str(value.get()).map(Some).map_err(|error| {
            Refusal::bad_field(name, format!("The field {name} is wrong: {}.", quoted(&error)))
        })
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, Refusal> {
        self.optional(name)?.ok_or_else(|| Refusal::bad_field(name, format!("The field {name} is missing.")))
    }

    /// One of a few words; the first one when the field is left out.
    ///
    /// # Errors
    /// `bad_request` that names the field and the words.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], absent: T) -> Result<T, Refusal> {
        let Some(text) = self.optional::<String>(name)? else {
            return Ok(absent);
        };
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, meaning)| *meaning).ok_or_else(|| unknown_word(name, words))
    }

    /// One of a few words, which must be there.
    ///
    /// # Errors
    /// `bad_request` that names the field and the words.
    pub(crate) fn required_word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Refusal> {
        self.word(name, &words_or_none(words), None)?.ok_or_else(|| unknown_word(name, words))
    }

    /// The content of a message: text or blocks.
    ///
    /// # Errors
    /// `bad_request` with `details.field` `content`, or `name` when it is missing.
    pub(crate) fn content(&self, name: &str) -> Result<Content, Refusal> {
        let value: Value = self.required(name)?;
        Ok(Content::from_value(value)?)
    }

    /// A person's answer to an approval: `decision`, `message`, `updatedInput`, `scope`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn verdict(&self) -> Result<Verdict, Refusal> {
        let is_allowed = self.required_word("decision", &[("allow", true), ("deny", false)])?;
        let for_session = self.word("scope", &[("once", false), ("session", true)], false)?;
        let message = self.optional("message")?;
        if !is_allowed {
            return Ok(Verdict::Deny { message });
        }
        // Parsed only to know that it is an object, and not nested without end; handed on as it was written.
        let parsed: Option<Value> = self.optional("updatedInput")?;
        if parsed.as_ref().is_some_and(|input| !input.is_object()) {
            let message = "The field updatedInput is an object: the tool's input.";
            return Err(Refusal::bad_field("updatedInput", message));
        }
        if parsed.as_ref().is_some_and(is_too_deep) {
            let message = format!("The field updatedInput is nested deeper than {MAX_NESTING} levels.");
            return Err(Refusal::bad_field("updatedInput", message));
        }
        let updated_input = self.raw("updatedInput").map(|input| input.to_owned().into());
        Ok(Verdict::Allow { updated_input, for_session })
    }

    /// A patch of the shared state: `patch` {key: value or null}, `at`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn shared_patch(&self) -> Result<(BTreeMap<String, Value>, Option<Stamp>), Refusal> {
        let patch: BTreeMap<String, Value> = self.required("patch")?;
        if patch.values().any(is_too_deep) {
            let message = format!("A value is nested deeper than {MAX_NESTING} levels.");
            return Err(Refusal::bad_field("patch", message));
        }
        let at: Option<String> = self.optional("at")?;
        let at = at.map(|text| Stamp::parse(&text)).transpose();
        let at = at.map_err(|bad| Refusal::bad_field("at", format!("The field at is wrong: {bad}.")))?;
        Ok((patch, at))
    }

    /// How a device introduces itself: `deviceId`, `deviceName`, `kind`.
    ///
    /// # Errors
    /// `bad_request` that names the field.
    pub(crate) fn device_card(&self) -> Result<DeviceCard, Refusal> {
        Ok(DeviceCard {
            device_id: self.required("deviceId")?,
            device_name: self.label("deviceName")?,
            kind: self.label("kind")?,
        })
    }

    /// A short text that is shown to people.
    ///
    /// # Errors
    /// `bad_request` that names the field, when it is too long.
    pub(crate) fn label(&self, name: &str) -> Result<Option<String>, Refusal> {
        /// More is no name; every device that looks at the list would be sent it.
        const MAX_LABEL_BYTES: usize = 200;
        let label: Option<String> = self.optional(name)?;
        if label.as_ref().is_some_and(|label| label.len() > MAX_LABEL_BYTES) {
            let message = format!("The field {name} has at most {MAX_LABEL_BYTES} bytes.");
            return Err(Refusal::bad_field(name, message));
        }
        Ok(label)
    }
}

fn words_or_none<'a, T: Copy>(words: &[(&'a str, T)]) -> Vec<(&'a str, Option<T>)> {
    words.iter().map(|(word, meaning)| (*word, Some(*meaning))).collect()
}

fn unknown_word<T>(name: &str, words: &[(&str, T)]) -> Refusal {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Refusal::bad_field(name, format!("The field {name} is one of {}.", words.join(", ")))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel_case = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel_case.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel_case.push_str(letters.as_str());
    }
    camel_case
}

/// What the parser says, without the place, which counts from the start of the field.
fn quoted(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or_default();
    words.chars().take(MAX_QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem_actors::ids::SessionId;

    use super::*;

    fn fields(value: &Value) -> Fields {
        Fields::parse(value.to_string().as_bytes()).unwrap()
    }

    fn named(refusal: &Refusal) -> &Value {
        &refusal.details.as_ref().unwrap()["field"]
    }

    #[test]
    fn a_refusal_names_the_field() {
        let fields = fields(&json!({"sessionId": 7, "mode": "later"}));
        assert_eq!(named(&fields.required::<SessionId>("sessionId").unwrap_err()), "sessionId");
        assert_eq!(named(&fields.required::<SessionId>("messageId").unwrap_err()), "messageId");
        let refusal = fields.word("mode", &[("queue", 1), ("now", 2)], 1).unwrap_err();
        assert_eq!(refusal.message, "The field mode is one of queue, now.");
    }

    #[test]
    fn null_counts_as_absent_but_as_named() {
        let fields = fields(&json!({"before": null}));
        assert_eq!(fields.optional::<String>("before").unwrap(), None);
        assert!(fields.is_named("before"));
    }

    #[test]
    fn what_is_quoted_is_short() {
        let fields = fields(&json!({"after": "x".repeat(5000)}));
        let message = fields.required::<u64>("after").unwrap_err().message;
        assert!(message.len() < 300, "{message}");
        assert!(!message.contains("line 1"));
    }

    #[test]
    fn both_ways_of_writing_a_name_are_one() {
        let fields = fields(&json!({"project_path": "/a", "sessionId": "x", "session_id": "y"}))
            .with_snake_case_twins();
        assert_eq!(fields.required::<String>("projectPath").unwrap(), "/a");
        assert_eq!(fields.required::<String>("sessionId").unwrap(), "x");
    }

    #[test]
    fn an_updated_input_stays_as_it_was_written() {
        let text = r#"{"decision":"allow","updatedInput":{"n": 1.00,"n2":1e3}}"#;
        let Verdict::Allow { updated_input: Some(input), for_session: false } =
            Fields::parse(text.as_bytes()).unwrap().verdict().unwrap()
        else {
            panic!("not allowed")
        };
        assert_eq!(input.get(), r#"{"n": 1.00,"n2":1e3}"#);
    }

    #[test]
    fn nesting_has_an_end() {
        for levels in [63, 64, 120, 5000] {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            let deep = format!(r#"{{"decision":"allow","updatedInput":{{"a":{open}{close}}}}}"#);
            let verdict = Fields::parse(deep.as_bytes()).and_then(|fields| fields.verdict());
            assert_eq!(verdict.is_ok(), levels == 63, "{levels}");
        }
    }
}
