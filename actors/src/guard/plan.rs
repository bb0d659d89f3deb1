//! What a call that writes is to make of its file, and whether it has. Pure.

use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::collisions::Writing;
use super::places::There;
use crate::conflicts::{Made, is_as_meant, made};
use crate::ids::SessionId;

/// See the module. Dropped when the end of the call was told, or the turn is over.
#[derive(Debug)]
pub(super) struct Plan {
    tool: String,
    /// What the model called the tool with.
    asked: Arc<RawValue>,
    before: There,
    meant: Option<Arc<str>>,
    open: watch::Sender<()>,
}

impl Plan {
    /// `given` is what the tool is called with in the end; `before` what is there until then.
    pub(super) fn new(tool: &str, asked: &Arc<RawValue>, given: &RawValue, before: There) -> Self {
        let meant = text(tool, given, &before).map(Arc::from);
        Self { tool: tool.to_owned(), asked: asked.clone(), before, meant, open: watch::Sender::new(()) }
    }

    pub(super) const fn before(&self) -> &There {
        &self.before
    }

    /// What others may know of the call as long as it is open.
    pub(super) fn writing(&self, session: SessionId, path: &Path) -> Writing {
        let (before, meant) = (self.before.hash(), self.meant.clone());
        Writing { session, path: path.to_owned(), before, meant, ended: self.open.subscribe() }
    }

    /// What the tool was to make of the file and has not, or somebody has undone since. `told` is what the tool was called
    /// with, as its end says it: whoever gave leave may have changed it.
    pub(super) fn missed(&self, told: &RawValue, there: &There) -> Option<String> {
        let meant = self.meant.as_deref()?;
        let bytes = match there {
            There::Content { bytes: Some(bytes), .. } => Some(bytes),
            There::Nothing => None,
            // Too large to be compared.
            There::Content { bytes: None, .. } | There::Unreadable => return None,
        };
        let is_there = |meant: &str| bytes.is_some_and(|bytes| is_as_meant(meant, bytes));
        if is_there(meant) {
            return None;
        }
        let changed = (object(told) != object(&self.asked)).then(|| text(&self.tool, told, &self.before));
        let meant = changed.flatten().unwrap_or_else(|| meant.to_owned());
        (!is_there(&meant)).then_some(meant)
    }
}

fn object(input: &RawValue) -> Option<Map<String, Value>> {
    serde_json::from_str(input.get()).ok()
}

fn text(tool: &str, input: &RawValue, before: &There) -> Option<String> {
    let before = match before {
        There::Nothing => "",
        There::Content { bytes: Some(bytes), .. } => std::str::from_utf8(bytes).ok()?,
        There::Content { bytes: None, .. } | There::Unreadable => return None,
    };
    match made(tool, &object(input)?, before) {
        Made::Text(text) => Some(text),
        Made::Misfit | Made::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::blobs::BlobHash;

    fn raw(value: &Value) -> Arc<RawValue> {
        RawValue::from_string(value.to_string()).unwrap().into()
    }

    fn there(text: &str) -> There {
        There::Content { hash: BlobHash::of(text.as_bytes()), bytes: Some(text.to_owned().into()) }
    }

    #[test]
    fn what_is_there_is_compared_with_what_was_to_be() {
        let input = raw(&json!({"old_string": "a", "new_string": "b"}));
        let plan = Plan::new("Edit", &input, &input, there("a\n"));
        assert_eq!(plan.missed(&input, &there("b\n")), None);
        assert_eq!(plan.missed(&input, &there("c\n")).as_deref(), Some("b\n"));
        assert_eq!(plan.missed(&input, &There::Nothing).as_deref(), Some("b\n"), "it is gone");
    }

    #[test]
    fn what_a_person_made_of_the_input_counts() {
        let asked = raw(&json!({"content": "mine"}));
        let plan = Plan::new("Write", &asked, &asked, There::Nothing);
        let changed = raw(&json!({"content": "the person's"}));
        assert_eq!(plan.missed(&changed, &there("the person's")), None);
        assert_eq!(plan.missed(&changed, &there("x")).as_deref(), Some("the person's"));
    }

    #[test]
    fn merged_content_that_the_tool_did_not_write_is_missed() {
        let (asked, given) = (raw(&json!({"content": "mine"})), raw(&json!({"content": "both"})));
        let plan = Plan::new("Write", &asked, &given, there("yours"));
        assert_eq!(plan.missed(&asked, &there("both")), None);
        assert_eq!(plan.missed(&asked, &there("mine")).as_deref(), Some("both"));
    }

    #[test]
    fn what_nobody_can_foresee_is_not_compared() {
        let input = raw(&json!({"new_source": "x"}));
        let plan = Plan::new("NotebookEdit", &input, &input, there("{}"));
        assert_eq!(plan.missed(&input, &there("y")), None);
    }
}
