//! A write that has waited for another one becomes both, with the whole server and both agents.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::guard::Workshop;
use crate::support::agent::Kind;
use crate::support::eventually;

const LINES: [&str; 7] = ["top", "1", "2", "3", "4", "5", "end"];

/// The file with these words in the places of these lines.
fn text(words: &[(usize, &str)]) -> String {
    let mut lines = LINES;
    for (place, word) in words {
        lines[*place] = word;
    }
    lines.join("\n")
}

/// Two have read a file, and both write it. The first one has been allowed to; somebody is asked about the second one's.
struct Met {
    shop: Workshop,
    file: PathBuf,
    second: String,
    writes: Value,
    asked: Value,
}

async fn meet(kind: Kind) -> Met {
    let shop = Workshop::open(kind).await;
    let file = shop.file("a.txt");
    std::fs::write(&file, text(&[])).unwrap();
    let [first, second] = [shop.conversation("a", None).await, shop.conversation("b", None).await];
    for session in [&first, &second] {
        shop.turn(session, &shop.says("read", &file, "")).await;
    }
    let writes = shop.begin(&first, &shop.says("write", &file, &text(&[(1, "FIRST")]))).await;
    shop.device.kind(&first, "approval_requested", 1).await;
    let also_writes = shop.begin(&second, &shop.says("write", &file, &text(&[(5, "SECOND")]))).await;
    let is_call =
        |event: &Value| event.to_string().contains("SECOND") && event.to_string().contains("tool_use");
    shop.device.event(&second, "the second one's call", is_call).await;
    shop.allow(&first, 1).await;
    shop.outcome(&first, &writes).await;
    let asked = shop.device.kind(&second, "approval_requested", 1).await;
    Met { shop, file, second, writes: also_writes, asked }
}

async fn a_write_that_waited_has_both(kind: Kind) {
    let Met { shop, file, second, writes, asked } = meet(kind).await;
    let both = text(&[(1, "FIRST"), (5, "SECOND")]);
    assert_eq!(asked["data"]["input"]["content"], both.as_str(), "a person sees what will be written");
    shop.allow(&second, 1).await;
    let told = shop.outcome(&second, &writes).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), both, "{told}");

    // The second one goes on from what it has written itself.
    let more = shop.says("write", &file, &text(&[(3, "THIRD"), (5, "SECOND")]));
    let writes_more = shop.begin(&second, &more).await;
    shop.allow(&second, 2).await;
    let told = shop.outcome(&second, &writes_more).await;
    let all = text(&[(1, "FIRST"), (3, "THIRD"), (5, "SECOND")]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), all, "{told}");
    shop.server.stop().await;
}

#[actix_rt::test]
async fn a_write_of_a_simulator_that_waited_has_both() {
    a_write_that_waited_has_both(Kind::Simulator).await;
}

#[actix_rt::test]
async fn a_write_of_claude_that_waited_has_both() {
    a_write_that_waited_has_both(Kind::Claude).await;
}

#[actix_rt::test]
async fn a_file_whose_merged_write_is_denied_has_its_own_time_again() {
    let Met { shop, file, second, writes, asked } = meet(Kind::Simulator).await;
    let modified =
        || std::fs::metadata(&file).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    assert!(modified() < Duration::from_secs(320_000_000), "the CLI would refuse to write it otherwise");
    let request = &asked["data"]["requestId"];
    let deny = json!({"type": "approve", "sessionId": second, "requestId": request, "decision": "deny"});
    assert_eq!(shop.device.ask(deny).await["type"], "ok");
    shop.outcome(&second, &writes).await;
    eventually("the time is back", || modified() > Duration::from_secs(1_700_000_000)).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text(&[(1, "FIRST")]));
    shop.server.stop().await;
}
