//! What there is to show in a line of the agent. Lines of kinds that are not known show nothing.

use serde_json::Value;

/// A part of an agent's message.
#[derive(Debug, Clone, PartialEq)]
pub enum Block<'a> {
    /// What it says; complete.
    Text(&'a str),
    /// A tool that it calls.
    Tool {
        /// Its name.
        name: &'a str,
        /// With what.
        input: &'a Value,
    },
    /// A tool that did not work.
    ToolFailed(String),
}

/// The parts of a stream-json line, in order.
#[must_use]
pub fn blocks(line: &Value) -> Vec<Block<'_>> {
    let content = line["message"]["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    match line["type"].as_str() {
        Some("assistant") => content.iter().filter_map(of_assistant).collect(),
        Some("user") => content.iter().filter_map(of_user).collect(),
        _ => Vec::new(),
    }
}

fn of_assistant(block: &Value) -> Option<Block<'_>> {
    match block["type"].as_str()? {
        "text" => Some(Block::Text(block["text"].as_str()?)),
        "tool_use" => Some(Block::Tool { name: block["name"].as_str()?, input: &block["input"] }),
        _ => None,
    }
}

fn of_user(block: &Value) -> Option<Block<'_>> {
    let is_failure = block["type"] == "tool_result" && block["is_error"] == true;
    is_failure.then(|| Block::ToolFailed(super::plain_text(&block["content"])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_tools_are_found_and_the_rest_is_passed_over() {
        let line = json!({"type": "assistant", "message": {"content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}},
        ]}});
        let input = json!({"command": "ls"});
        assert_eq!(blocks(&line), [Block::Text("Hello"), Block::Tool { name: "Bash", input: &input }]);
        assert!(blocks(&json!({"type": "system", "subtype": "init"})).is_empty());
        assert!(blocks(&json!([])).is_empty());
    }

    #[test]
    fn a_failed_tool_says_why() {
        let line = json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "is_error": true, "content": [{"type": "text", "text": "denied"}]},
            {"type": "tool_result", "content": "fine"},
        ]}});
        assert_eq!(blocks(&line), [Block::ToolFailed("denied".into())]);
    }
}
