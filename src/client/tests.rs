//! The client against a server that a test plays, over real sockets.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tandem_actors::content::Content;
use tandem_actors::ids::SessionId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;

const SESSION: &str = "0197a2c4-0000-7000-8000-000000000001";

/// How long a test waits for something that must come; far more than it ever takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server with one connection after the other, played by the test.
struct Stage {
    listener: TcpListener,
}

/// The server's end of one connection.
struct Played {
    socket: WebSocketStream<TcpStream>,
}

impl Stage {
    async fn open() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn config(&self) -> ClientConfig {
        let url = format!("http://{}", self.listener.local_addr().unwrap());
        let backoff = BackoffPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(1) };
        ClientConfig { backoff, ..ClientConfig::new(url, "secret", "phone".parse().unwrap()) }
    }

    /// Takes the next connection, up to `welcome`.
    async fn welcomes(&self) -> Played {
        let mut played = self.accepts().await;
        let hello = played.hears().await;
        assert_eq!((&hello["type"], &hello["deviceId"]), (&json!("hello"), &json!("phone")));
        played
            .says(
                &json!({"type": "welcome", "protocol": 1, "heartbeatSeconds": 30, "maxMessageBytes": 10_000}),
            )
            .await;
        played
    }

    async fn accepts(&self) -> Played {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        Played { socket: accept_async(stream).await.unwrap() }
    }

    /// A client that is connected and follows [`SESSION`] from its first event.
    async fn followed(&self) -> (Client, IncomingStream, Played) {
        let (connected, mut played) = tokio::join!(Client::connect(self.config()), self.welcomes());
        let (client, incoming) = connected.unwrap();
        let (subscribed, ()) =
            tokio::join!(client.subscribe(session(), StartFrom::Start), played.subscribes(0, 1, "e", false));
        assert_eq!(subscribed.unwrap().from, 1);
        (client, incoming, played)
    }
}

impl Played {
    async fn hears(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("the client says something");
            match message.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("no frame: {other:?}"),
            }
        }
    }

    async fn says(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn events(&mut self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.says(&json!({"type": "event", "sessionId": SESSION, "seq": seq, "hash": format!("h{seq}"),
                "at": "2026-01-01T12:00:00.000Z", "kind": "agent_message", "data": {"n": seq}}))
                .await;
        }
    }

    /// Hears a `subscribe` behind `after`, and answers that the stream begins with `from`.
    async fn subscribes(&mut self, after: u64, from: u64, epoch: &str, is_reset: bool) {
        let subscribe = self.hears().await;
        assert_eq!((&subscribe["type"], &subscribe["after"]), (&json!("subscribe"), &json!(after)));
        self.says(
            &json!({"type": "subscribed", "sessionId": SESSION, "epoch": epoch, "head": from, "from": from,
            "reset": is_reset, "state": {}, "ref": subscribe["ref"]}),
        )
        .await;
    }

    async fn closes(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while self.socket.next().await.is_some_and(|heard| heard.is_ok()) {}
    }
}

fn session() -> SessionId {
    SESSION.parse().unwrap()
}

fn says(text: &str) -> Submission {
    Submission::new(Content::text(text).unwrap())
}

/// The next events, up to one of this seq; what else is heard in between comes beside them.
async fn events_up_to(incoming: &mut IncomingStream, last: u64) -> (Vec<u64>, Vec<Incoming>) {
    let (mut seqs, mut others) = (Vec::new(), Vec::new());
    while seqs.last() != Some(&last) {
        match timeout(PATIENCE, incoming.next()).await.expect("something is heard").unwrap() {
            Incoming::Event(event) => seqs.push(event.seq),
            other => others.push(other),
        }
    }
    (seqs, others)
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_cut() {
    let stage = Stage::open().await;
    let (_client, mut incoming, mut played) = stage.followed().await;
    played.events([1, 2]).await;
    assert_eq!(events_up_to(&mut incoming, 2).await.0, [1, 2]);
    drop(played);
    let mut again = stage.welcomes().await;
    again.subscribes(2, 3, "e", false).await;
    again.events([2, 3, 3, 4]).await;
    let (seqs, others) = events_up_to(&mut incoming, 4).await;
    assert_eq!(seqs, [3, 4]);
    assert!(matches!(others[..], [Incoming::Disconnected { .. }, Incoming::Connected, Incoming::Resumed(_)]));
}

#[tokio::test]
async fn a_gap_in_a_stream_is_never_seen() {
    let stage = Stage::open().await;
    let (_client, mut incoming, mut played) = stage.followed().await;
    played.events([1, 4, 5]).await;
    played.subscribes(1, 2, "e", false).await;
    played.events([2, 3, 4, 5]).await;
    assert_eq!(events_up_to(&mut incoming, 5).await.0, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn another_history_starts_over() {
    let stage = Stage::open().await;
    let (_client, mut incoming, mut played) = stage.followed().await;
    played.events([1, 2, 3]).await;
    assert_eq!(events_up_to(&mut incoming, 3).await.0, [1, 2, 3]);
    drop(played);
    let mut again = stage.welcomes().await;
    again.subscribes(3, 1, "restored", true).await;
    again.events([1]).await;
    let (_, others) = events_up_to(&mut incoming, 1).await;
    assert!(matches!(others.last(), Some(Incoming::Reset(state)) if state.epoch == "restored"));
}

#[tokio::test]
async fn a_message_is_sent_again_under_its_id_until_it_is_accepted() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    let message = says("hi");
    let message_id = message.message_id;
    let submitting = tokio::spawn(async move { client.submit(session(), message).await });
    let first = played.hears().await;
    drop(played);
    let mut again = stage.welcomes().await;
    let second = again.hears().await;
    assert_eq!(first["messageId"], second["messageId"]);
    assert_eq!(first["content"], "hi");
    again.says(&json!({"type": "accepted", "messageId": message_id, "seq": 2, "duplicate": true, "ref": second["ref"]})).await;
    let accepted = timeout(PATIENCE, submitting).await.unwrap().unwrap().unwrap();
    assert_eq!(accepted, Accepted { message_id, seq: 2, duplicate: true });
}

#[tokio::test]
async fn a_command_that_is_not_repeatable_says_that_it_may_have_been_done() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    let interrupting = client.interrupt(session(), false);
    let losing = async {
        assert_eq!(played.hears().await["type"], "interrupt");
        drop(played);
    };
    let (outcome, ()) = tokio::join!(interrupting, losing);
    assert!(matches!(outcome, Err(ClientError::Lost)));
}

#[tokio::test]
async fn a_patch_is_sent_again_under_its_stamp_until_it_is_answered() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    let patch = BTreeMap::from([("theme".to_owned(), json!("dark"))]);
    let setting = tokio::spawn(async move { client.set_state(session(), patch).await });
    let first = played.hears().await;
    assert_eq!((&first["type"], &first["patch"]), (&json!("state"), &json!({"theme": "dark"})));
    drop(played);
    let mut again = stage.welcomes().await;
    let second = again.hears().await;
    assert_eq!(first["at"], second["at"]);
    again.says(&json!({"type": "ok", "seq": 3, "at": first["at"], "ref": second["ref"]})).await;
    let set = timeout(PATIENCE, setting).await.unwrap().unwrap().unwrap();
    assert_eq!((set.seq, json!(set.at)), (3, first["at"].clone()));
}

#[tokio::test]
async fn what_became_of_a_notice_is_told_and_a_hand_over_is_done() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    let answering = async {
        let notify = played.hears().await;
        assert_eq!((&notify["to"], &notify["message"]), (&json!({"deviceId": "laptop"}), &json!("dinner")));
        played.says(&json!({"type": "ok", "delivered": 0, "waiting": 1, "ref": notify["ref"]})).await;
        let handoff = played.hears().await;
        assert_eq!((&handoff["type"], &handoff["toDeviceId"]), (&json!("handoff"), &json!("laptop")));
        played.says(&json!({"type": "ok", "ref": handoff["ref"]})).await;
    };
    let laptop: DeviceId = "laptop".parse().unwrap();
    let asking = async {
        let to = NoticeTo::Device { device_id: laptop.clone() };
        let notified = client.notify(to, Vec::new(), "dinner").await.unwrap();
        assert_eq!(notified, Notified { delivered: 0, waiting: 1 });
        client.handoff(session(), laptop.clone()).await.unwrap();
    };
    tokio::join!(asking, answering);
}

#[tokio::test]
async fn what_a_person_does_and_has_seen_is_said() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    played.events([1]).await;
    client.activity(session(), Activity::Typing, Some(json!({"at": 3}))).await.unwrap();
    client.ack(session(), 1).await.unwrap();
    let typing = played.hears().await;
    assert_eq!((&typing["activity"], &typing["cursor"]), (&json!("typing"), &json!({"at": 3})));
    let ack = played.hears().await;
    assert_eq!((&ack["type"], &ack["seq"], ack.get("ref")), (&json!("ack"), &json!(1), None));
}

#[tokio::test]
async fn a_refusal_is_handed_on() {
    let stage = Stage::open().await;
    let (client, _incoming, mut played) = stage.followed().await;
    let refusing = async {
        let cancel = played.hears().await;
        let error = json!({"code": "not_queued", "message": "It has begun.", "effect": "none"});
        played.says(&json!({"type": "rejected", "error": error, "ref": cancel["ref"]})).await;
    };
    let (outcome, ()) = tokio::join!(client.cancel(session(), MessageId::random()), refusing);
    assert!(matches!(outcome, Err(ClientError::Rejected(rejection)) if rejection.code == "not_queued"));
}

#[tokio::test]
async fn a_terminal_close_code_ends_it_for_good() {
    let stage = Stage::open().await;
    let (client, mut incoming, played) = stage.followed().await;
    played.closes(4500, "revoked").await;
    let last = timeout(PATIENCE, incoming.next()).await.unwrap();
    assert!(matches!(last, Some(Incoming::Closed { reason }) if reason == "revoked"));
    assert!(timeout(PATIENCE, incoming.next()).await.unwrap().is_none());
    assert!(matches!(client.submit(session(), says("hi")).await, Err(ClientError::Closed { .. })));
}

#[tokio::test]
async fn any_other_close_code_means_come_back() {
    let stage = Stage::open().await;
    let (_client, mut incoming, played) = stage.followed().await;
    let (mut again, ()) = tokio::join!(stage.welcomes(), played.closes(1001, "going away"));
    again.subscribes(0, 1, "e", false).await;
    again.events([1]).await;
    let (_, others) = events_up_to(&mut incoming, 1).await;
    assert!(matches!(&others[0], Incoming::Disconnected { reason, .. } if reason == "going away"));
}

#[tokio::test]
async fn an_answer_is_heard_by_a_program_that_does_not_read_its_events() {
    let stage = Stage::open().await;
    let (client, mut incoming, mut played) = stage.followed().await;
    let playing = async {
        played.events(1..=10_000).await;
        let ping = played.hears().await;
        played
            .says(&json!({"type": "pong", "serverTime": "2026-01-01T12:00:00.000Z", "ref": ping["ref"]}))
            .await;
    };
    let (pong, ()) = timeout(PATIENCE, async { tokio::join!(client.ping(), playing) }).await.unwrap();
    pong.unwrap();
    let (seqs, _) = events_up_to(&mut incoming, 10_000).await;
    assert!(seqs.into_iter().eq(1..=10_000));
}

#[tokio::test]
async fn closing_says_goodbye() {
    let stage = Stage::open().await;
    let (client, mut incoming, mut played) = stage.followed().await;
    let farewell = async {
        let heard = timeout(PATIENCE, played.socket.next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(heard, Message::Close(Some(frame)) if frame.code == CloseCode::Normal));
        while played.socket.next().await.is_some_and(|heard| heard.is_ok()) {}
    };
    tokio::join!(client.close(), farewell);
    assert!(matches!(incoming.next().await, Some(Incoming::Closed { .. })));
}

#[tokio::test]
async fn nobody_at_home_and_a_wrong_token_are_told_apart() {
    let stage = Stage::open().await;
    let config = stage.config();
    let refusing = async {
        let (mut stream, _) = stage.listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    };
    let (refused, ()) = tokio::join!(Client::connect(config.clone()), refusing);
    assert!(matches!(refused, Err(ClientError::Unauthorized { .. })));
    drop(stage);
    assert!(matches!(Client::connect(config).await, Err(ClientError::Unreachable { .. })));
}
