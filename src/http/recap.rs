//! Waiting for a recap: the turn that the server makes up for it, and what the agent says in it.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Deserialize;
use tandem_actors::event::MadeUp;
use tandem_actors::ids::MessageId;
use tandem_actors::room::Follow;

use crate::ws::frame;

/// As much of an event as must be understood.
#[derive(Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Step {
    TurnDispatched { message_id: MessageId, made_up: Option<MadeUp> },
    TurnEnded { message_id: MessageId, text: Option<String>, error: Option<String> },
    SessionClosed {},
}

/// How long a recap is waited for. It is one call of the model; behind a long turn the caller asks again later.
const PATIENCE: Duration = Duration::from_secs(120);

/// Follows a session until the next recap has ended, and returns what was said; `None` when there is none in time.
pub(super) async fn wait(follow: Follow) -> Option<String> {
    tokio::time::timeout(PATIENCE, next_recap(follow)).await.ok().flatten()
}

async fn next_recap(mut follow: Follow) -> Option<String> {
    let mut recap = None;
    while let Some(Ok(frames)) = follow.next().await {
        for payload in frame::payloads(&frames) {
            match serde_json::from_slice(&payload) {
                Ok(Step::TurnDispatched { message_id, made_up: Some(MadeUp::Recap) }) => {
                    recap = Some(message_id);
                }
                Ok(Step::TurnEnded { message_id, text, error }) if recap == Some(message_id) => {
                    return text.or(error);
                }
                Ok(Step::SessionClosed {}) => return None,
                Ok(Step::TurnDispatched { .. } | Step::TurnEnded { .. }) | Err(_) => {}
            }
        }
    }
    None
}
