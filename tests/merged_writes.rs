//! A write that has waited for another one becomes both, with the whole server and both agents.

use serde_json::Value;

use crate::guard::Workshop;
use crate::support::agent::Kind;

const LINES: [&str; 7] = ["top", "1", "2", "3", "4", "5", "end"];

/// The file with these words in the places of these lines.
fn text(words: &[(usize, &str)]) -> String {
    let mut lines = LINES;
    for (place, word) in words {
        lines[*place] = word;
    }
    lines.join("\n")
}

async fn a_write_that_waited_has_both(kind: Kind) {
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
    let both = text(&[(1, "FIRST"), (5, "SECOND")]);
    assert_eq!(asked["data"]["input"]["content"], both.as_str(), "a person sees what will be written");
    shop.allow(&second, 1).await;
    let told = shop.outcome(&second, &also_writes).await;
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
