//! Talks to the agent over HTTP alone: one message, its answer as it is written, and the whole of it at the end.
//!
//! ```text
//! tandem serve --agent simulator &
//! cargo run --example chat_http -- http://127.0.0.1:4870 "$(tandem token)" . "/slow 10 100"
//! ```
//!
//! The same with curl:
//!
//! ```text
//! curl -N -H "Authorization: Bearer $(tandem token)" -H "Accept: text/event-stream" -H "Content-Type: application/json" \
//!      -d '{"projectPath": "/home/me/project", "message": "hello"}' http://127.0.0.1:4870/api/chat
//! ```

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, token, project, message] = arguments.as_slice() else {
        bail!("usage: chat_http URL TOKEN PROJECT MESSAGE")
    };
    let order = json!({
        "projectPath": std::fs::canonicalize(project)?,
        "message": message,
        // With an id of our own the request may be repeated after an error: the message is said once.
        "messageId": Uuid::now_v7(),
        "deviceId": "chat-example",
    });
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.post(format!("{url}/api/chat")).bearer_auth(token).json(&order);
    let mut response = request.header("Accept", "text/event-stream").send().await?;
    if !response.status().is_success() {
        let error: Value = response.json().await?;
        bail!("{}", error["error"]["message"].as_str().unwrap_or("refused"));
    }
    let mut unread = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        unread.extend_from_slice(&chunk);
        while let Some(end) = unread.windows(2).position(|window| window == b"\n\n") {
            let block: Vec<u8> = unread.drain(..end + 2).collect();
            show(std::str::from_utf8(&block)?)?;
        }
    }
    Ok(())
}

/// One server-sent event: lines `event: NAME` and `data: JSON`. Lines that begin with a colon are signs of life.
fn show(block: &str) -> Result<()> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let (Some(name), Some(data)) = (field("event: "), field("data: ")) else { return Ok(()) };
    let data: Value = serde_json::from_str(data).context("an event that is no JSON")?;
    match name {
        "accepted" => println!("-- accepted as event {} of session {}", data["seq"], data["sessionId"]),
        "signal" if data["kind"] == "delta" => {
            print!("{}", data["data"]["text"].as_str().unwrap_or_default());
            std::io::stdout().flush()?;
        }
        "event" => println!("\n-- {} {}", data["seq"], data["kind"].as_str().unwrap_or_default()),
        "done" => println!("-- {}: {}", data["status"].as_str().unwrap_or_default(), data["reply"]),
        "error" => bail!("{}", data["error"]["message"].as_str().unwrap_or("it did not work")),
        _ => {}
    }
    Ok(())
}
