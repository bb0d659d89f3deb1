//! How deep JSON may be nested that somebody else wrote and the journal keeps.

use serde_json::Value;

/// Arrays and objects within each other. The parser takes 128; what is kept is wrapped in an event, and that must be
/// readable again after a restart, with room for events of later versions that wrap it once more.
pub const MAX_NESTING: usize = 64;

/// Whether a value is nested deeper than [`MAX_NESTING`]. Looks no deeper than that.
#[must_use]
pub fn is_too_deep(value: &Value) -> bool {
    is_deeper_than(value, MAX_NESTING)
}

fn is_deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| is_deeper_than(value, levels - 1)),
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|value| is_deeper_than(value, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays_and_objects_count() {
        let mut value = json!(7);
        for level in 1..=MAX_NESTING {
            value = if level % 2 == 0 { json!([value]) } else { json!({ "next": value }) };
        }
        assert!(!is_too_deep(&value));
        assert!(is_too_deep(&json!([1, value])));
    }
}
