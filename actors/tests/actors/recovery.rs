//! A server that was killed brings back what its agent wrote down after the last event, exactly once.

use serde_json::{Value, json};
use tandem_actors::agent::AgentOutput;
use tandem_actors::ids::{MessageId, SessionId};
use tandem_actors::journal::MemoryJournal;

use crate::support::{Desk, House, raw};

/// One turn with a call of a tool: what the agent writes down, in the order in which it does.
struct Script {
    transcript: Vec<String>,
    printed: Vec<String>,
}

const UUIDS: [&str; 3] = [
    "6d49d92b-5906-4a6c-b327-86b1394f2146",
    "e1f3400a-4dad-4be5-8d13-8706db28fd3d",
    "4a3a0f4e-116a-4f17-ae91-0dc60cabb472",
];

fn script(session: SessionId, message: MessageId) -> Script {
    let said = |id: &str, stop: &str, block: Value| json!({"role": "assistant", "id": id, "model": "m", "stop_reason": stop, "content": [block]});
    let lines = [
        (
            "assistant",
            said("1", "tool_use", json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {}})),
        ),
        (
            "user",
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "hi"}]}),
        ),
        ("assistant", said("2", "end_turn", json!({"type": "text", "text": "done"}))),
    ];
    let prompt = json!({"role": "user", "content": "one"});
    let mut transcript = vec![
        json!({"type": "user", "uuid": message, "message": prompt, "isSidechain": false, "sessionId": session}),
    ];
    let mut printed = Vec::new();
    for ((kind, message), uuid) in lines.into_iter().zip(UUIDS) {
        transcript.push(
            json!({"type": kind, "uuid": uuid, "message": message, "isSidechain": false, "sessionId": session}),
        );
        printed.push(
            json!({"type": kind, "uuid": uuid, "message": message, "session_id": session, "parent_tool_use_id": null}),
        );
    }
    transcript.push(json!({"type": "last-prompt", "lastPrompt": "one", "sessionId": session}));
    let text = |lines: Vec<Value>| lines.iter().map(ToString::to_string).collect();
    Script { transcript: text(transcript), printed: text(printed) }
}

/// Plays one turn to its end, with a second message in the queue. Returns the journal and the whole transcript.
async fn played() -> (MemoryJournal, Desk, SessionId, MessageId) {
    let house = House::open().await;
    let session = house.session().await;
    let (message, ..) = house.submit(session, "phone", "one").await;
    house.submit(session, "phone", "two").await;
    let mut agent = house.agents.ready().await;
    agent.takes_message().await;
    let Script { transcript, printed } = script(session, message);
    house.desk.write(&transcript);
    for line in printed {
        agent.print(AgentOutput::Message(raw(&line))).await;
    }
    agent.answers(message, "done").await;
    house.has_kind(session, "turn_ended", 1).await;
    // As it is while the second message is still being answered.
    let (journal, desk) = (house.journal.cut_after(session, u64::MAX), house.desk.clone());
    house.close().await;
    (journal, desk, session, message)
}

/// Where the first event of a kind stands.
fn seq_of(journal: &MemoryJournal, session: SessionId, kind: &str) -> u64 {
    journal.records(session).iter().find(|record| &*record.kind == kind).unwrap().seq
}

fn uuids(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["message"]["uuid"].as_str()).collect()
}

#[actix::test]
async fn wherever_journal_and_transcript_end_the_conversation_is_whole_or_honestly_lost() {
    let (journal, desk, session, message) = played().await;
    let first_end = seq_of(&journal, session, "turn_ended");
    let dispatched = seq_of(&journal, session, "turn_dispatched");
    let lines = desk.transcript.lock().unwrap().len();
    for cut in dispatched..=first_end {
        for written in 0..=lines {
            let what = format!("cut {cut}, {written} lines");
            let house = House::open_at(journal.cut_after(session, cut), desk.cut_after(written)).await;
            let mut agent = house.agents.ready().await;
            let (mut given, _) = agent.takes_message().await;
            let has_arrived = cut > dispatched || written > 0;
            assert_eq!(given == message, !has_arrived, "{what}: run again only where it never arrived");
            if given == message {
                agent.answers(message, "done").await;
                given = agent.takes_message().await.0;
            }
            agent.answers(given, "two").await;
            house.has_kind(session, "turn_ended", 2).await;
            let ended = house.data_of(session, "turn_ended").await;
            assert_eq!(ended.len(), 2, "{what}: one end for each message");
            let is_whole = cut == first_end || written >= lines - 1 || !has_arrived;
            let outcome = if is_whole { "completed" } else { "lost" };
            assert_eq!(ended[0]["outcome"], outcome, "{what}");
            if is_whole {
                assert_eq!(ended[0]["text"], "done", "{what}");
            }
            let said = house.data_of(session, "agent_message").await;
            let said: Vec<&str> = uuids(&said).into_iter().filter(|uuid| UUIDS.contains(uuid)).collect();
            assert_eq!(said, UUIDS[..said.len()], "{what}: each line once, in order");
            assert!(said.len() + 1 >= written.min(UUIDS.len() + 1), "{what}: whatever was written is there");
            assert_eq!(house.data_of(session, "turn_started").await.len(), 2, "{what}");
            let before = journal.cut_after(session, cut).records(session);
            assert_eq!(house.journal.records(session)[..before.len()], before, "{what}: history stays");
            house.close().await;
        }
    }
}

#[actix::test]
async fn a_crash_during_recovery_is_recovered_from() {
    let (journal, desk, session, _) = played().await;
    let started = seq_of(&journal, session, "turn_started");
    let house = House::open_at(journal.cut_after(session, started), desk.clone()).await;
    house.has_kind(session, "turn_ended", 1).await;
    let recovered = house.journal.clone();
    house.close().await;
    let whole: Vec<_> = recovered.records(session).iter().map(|record| record.data.clone()).collect();
    let ended = seq_of(&recovered, session, "turn_ended");
    // What recovery appends is one append; but even if it were cut anywhere, the rest would be found.
    for cut in started..=ended {
        let house = House::open_at(recovered.cut_after(session, cut), desk.clone()).await;
        house.has_kind(session, "turn_ended", 1).await;
        let again: Vec<_> = house.journal.records(session).iter().map(|record| record.data.clone()).collect();
        let head = usize::try_from(ended).unwrap();
        assert_eq!(again[..head], whole[..head], "cut {cut}");
        house.close().await;
    }
}

#[actix::test]
async fn what_cannot_be_written_during_recovery_is_written_when_there_is_space_again() {
    let (journal, desk, session, _) = played().await;
    let started = seq_of(&journal, session, "turn_started");
    let journal = journal.cut_after(session, started);
    journal.refuse_appends(Some("disk full"));
    let house = House::open_at(journal, desk).await;
    assert_eq!(house.view(session).await.head, started, "what is read is what is on disk");
    house.journal.refuse_appends(None);
    house.has_kind(session, "turn_ended", 1).await;
    let said = house.data_of(session, "agent_message").await;
    assert_eq!(uuids(&said), UUIDS);
    house.close().await;
}

#[actix::test]
async fn lines_that_were_not_mirrored_are_kept_for_the_day_on_which_the_file_is_gone() {
    use tandem_actors::journal::Journal as _;
    let (journal, desk, session, _) = played().await;
    let started = seq_of(&journal, session, "turn_started");
    let house = House::open_at(journal.cut_after(session, started), desk.clone()).await;
    house.has_kind(session, "turn_ended", 1).await;
    let kept = house.journal.transcript(session).await.unwrap();
    assert_eq!(kept, *desk.transcript.lock().unwrap());
    house.close().await;
}

#[actix::test]
async fn a_message_that_the_agent_knows_already_ends_with_the_answer_that_it_wrote_down() {
    let house = House::open().await;
    let session = house.session().await;
    let (message, ..) = house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.hears().await;
    house.desk.write(&script(session, message).transcript);
    agent.print(AgentOutput::AlreadyKnown(message)).await;
    house.has_kind(session, "turn_ended", 1).await;
    let ended = house.data_of(session, "turn_ended").await.remove(0);
    assert_eq!((&ended["outcome"], &ended["text"]), (&json!("completed"), &json!("done")));
    assert_eq!(uuids(&house.data_of(session, "agent_message").await), UUIDS);
    house.submit(session, "phone", "two").await;
    assert_eq!(agent.serves().await, "two", "the queue goes on");
    house.close().await;
}

#[actix::test]
async fn a_message_that_is_known_and_nowhere_written_down_is_lost() {
    let house = House::open().await;
    let session = house.session().await;
    let (message, ..) = house.submit(session, "phone", "one").await;
    let mut agent = house.agents.ready().await;
    agent.hears().await;
    agent.print(AgentOutput::AlreadyKnown(message)).await;
    house.has_kind(session, "turn_ended", 1).await;
    assert_eq!(house.data_of(session, "turn_ended").await[0]["outcome"], "lost");
    house.close().await;
}

#[actix::test]
async fn before_anything_is_taken_up_what_was_left_running_is_ended() {
    let (journal, desk, session, _) = played().await;
    let dispatched = seq_of(&journal, session, "turn_dispatched");
    let house = House::open_at(journal.cut_after(session, dispatched), desk.clone()).await;
    assert_eq!(
        desk.sweeps.lock().unwrap()[1],
        [session],
        "at the start, for all sessions, before any is loaded"
    );
    house.agents.ready().await.takes_message().await;
    assert!(
        desk.sweeps.lock().unwrap().len() > 2,
        "and for a session that was not at rest, before it is read"
    );
    house.close().await;
}
