//! What becomes of good and bad peers of the WebSocket.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::raw_ws::{BINARY, CLOSE, PING, PONG, RawWs, TEXT, frame, head};
use crate::support::wire::{TOKEN, Wire};

const BEARER: &str = "Authorization: Bearer secret-token";

#[actix::test]
async fn hello_is_answered_with_welcome() {
    let wire = Wire::start();
    let mut socket = RawWs::open(wire.address, &[BEARER]).await;
    assert_eq!(socket.status(), 101);
    socket.say(&json!({"type": "hello", "protocol": 1, "deviceId": "phone-1", "ref": "a", "new": 1})).await;
    let welcome = socket.hears().await;
    assert_eq!(welcome["type"], "welcome");
    assert_eq!(welcome["deviceId"], "phone-1");
    assert_eq!(welcome["ref"], "a");
    assert_eq!(welcome["maxMessageBytes"], 10_485_760);
    wire.stop().await;
}

#[actix::test]
async fn a_browser_hands_its_token_over_as_a_sub_protocol() {
    let wire = Wire::start();
    let socket = RawWs::open(
        wire.address,
        &["Sec-WebSocket-Protocol: tandem.v1, bearer.secret-token", "Origin: http://app.example"],
    )
    .await;
    assert_eq!(socket.status(), 101);
    let response = socket.response.to_lowercase();
    assert!(response.contains("sec-websocket-protocol: tandem.v1\r\n"), "{response}");
    assert!(!response.contains(TOKEN));
    wire.stop().await;
}

#[actix::test]
async fn several_headers_of_sub_protocols_are_one_list() {
    let wire = Wire::start();
    let headers = ["Sec-WebSocket-Protocol: bearer.secret-token", "Sec-WebSocket-Protocol: tandem.v1"];
    let socket = RawWs::open(wire.address, &headers).await;
    assert_eq!(socket.status(), 101);
    let response = socket.response.to_lowercase();
    assert!(response.contains("sec-websocket-protocol: tandem.v1\r\n"), "{response}");
    drop(socket);
    wire.stop().await;
}

#[actix::test]
async fn a_request_with_two_hosts_is_refused() {
    let wire = Wire::start();
    let socket = RawWs::open(wire.address, &[BEARER, "Host: evil.example"]).await;
    assert!([400, 403].contains(&socket.status()), "{}", socket.response);
    drop(socket);
    wire.stop().await;
}

#[actix::test]
async fn who_may_not_come_in_is_refused_before_the_upgrade() {
    let wire = Wire::start();
    for (headers, status) in [
        (vec![], 401),
        (vec!["Authorization: Bearer wrong"], 401),
        (vec!["Sec-WebSocket-Protocol: tandem.v1, bearer.wrong"], 401),
        (vec![BEARER, "Origin: http://evil.example"], 403),
        (vec![BEARER, "Origin: null"], 403),
        (vec![BEARER, "Origin: http://app.example", "Origin: http://app.example"], 403),
        (vec![BEARER, "Origin: http://app.example", "Origin: http://evil.example"], 403),
        (vec![BEARER, BEARER], 401),
        (vec!["Authorization: Bearer secret-token more"], 401),
        (vec!["Sec-WebSocket-Protocol: tandem.v1, bearer.wrong, bearer.secret-token"], 401),
        (vec!["Sec-WebSocket-Protocol: bearer.secret-token", "Sec-WebSocket-Protocol: bearer.wrong"], 401),
    ] {
        let socket = RawWs::open(wire.address, &headers).await;
        assert_eq!(socket.status(), status, "{headers:?}");
    }
    let no_upgrade = wire.request("GET", "/ws").send().await.unwrap();
    assert_eq!(no_upgrade.status(), 426);
    assert_eq!(no_upgrade.headers()["upgrade"], "websocket");
    assert_eq!(wire.connections().await, 0);
    wire.stop().await;
}

#[actix::test]
async fn one_connection_more_than_is_allowed_is_told_to_come_back() {
    let wire = Wire::start_with(|settings| settings.max_connections = 2);
    let first = RawWs::greeted(wire.address, TOKEN).await;
    let _second = RawWs::greeted(wire.address, TOKEN).await;
    let third = RawWs::open(wire.address, &[BEARER]).await;
    assert_eq!(third.status(), 503);
    assert!(third.response.to_lowercase().contains("retry-after:"));
    drop(first);
    wire.has_connections(1).await;
    assert_eq!(RawWs::open(wire.address, &[BEARER]).await.status(), 101);
    wire.stop().await;
}

#[actix::test]
async fn who_does_not_say_hello_in_time_is_sent_away() {
    let wire = Wire::start_with(|settings| settings.hello_within = Duration::from_millis(40));
    let mut silent = RawWs::open(wire.address, &[BEARER]).await;
    assert_eq!(silent.hears().await["code"], "no_hello");
    assert_eq!(silent.is_closed().await, 4004);
    wire.stop().await;
}

#[actix::test]
async fn before_hello_everything_else_is_refused_and_hello_may_still_come() {
    let wire = Wire::start();
    let mut socket = RawWs::open(wire.address, &[BEARER]).await;
    socket.say(&json!({"type": "ping", "ref": "p"})).await;
    let rejected = socket.hears().await;
    assert_eq!((&rejected["type"], &rejected["ref"]), (&json!("rejected"), &json!("p")));
    socket.send(TEXT, b"no json").await;
    assert_eq!(socket.hears().await["type"], "error");
    socket.say(&json!({"type": "hello", "protocol": 1, "deviceId": "not allowed"})).await;
    assert_eq!(socket.hears().await["error"]["details"]["field"], "deviceId");
    socket.say(&json!({"type": "hello", "protocol": 1, "deviceId": "phone"})).await;
    assert_eq!(socket.hears().await["type"], "welcome");
    wire.stop().await;
}

#[actix::test]
async fn another_version_of_the_protocol_is_refused() {
    let wire = Wire::start();
    let mut socket = RawWs::open(wire.address, &[BEARER]).await;
    socket.say(&json!({"type": "hello", "protocol": 2, "deviceId": "phone"})).await;
    assert_eq!(socket.is_closed().await, 4503);
    wire.stop().await;
}

#[actix::test]
async fn a_second_hello_is_rejected_and_the_connection_stays() {
    let wire = Wire::start();
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    socket.say(&json!({"type": "hello", "protocol": 1, "deviceId": "other", "ref": "h"})).await;
    let rejected = socket.hears().await;
    assert_eq!(rejected["type"], "rejected");
    assert_eq!(rejected["error"]["code"], "bad_request");
    assert_eq!(rejected["ref"], "h");
    socket.say(&json!({"type": "ping", "ref": "p"})).await;
    assert_eq!(socket.hears().await["type"], "pong");
    wire.stop().await;
}

#[actix::test]
async fn what_cannot_be_understood_is_answered_and_harms_nothing() {
    let wire = Wire::start();
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    for (text, answer, field) in [
        ("not json", "error", json!(null)),
        ("[1, 2]", "error", json!(null)),
        (r#"{"type":"teleport"}"#, "error", json!("type")),
        (r#"{"type":"teleport","ref":"r"}"#, "error", json!("type")),
        (r#"{"sessionId":"x"}"#, "error", json!("type")),
        (r#"{"ref":"r"}"#, "rejected", json!("type")),
        (r#"{"type":"submit","content":"x"}"#, "rejected", json!("sessionId")),
        (r#"{"type":"submit","sessionId":7,"content":"x"}"#, "rejected", json!("sessionId")),
        (r#"{"type":"state","sessionId":"x","patch":{"a":1}}"#, "rejected", json!("sessionId")),
    ] {
        socket.send(TEXT, text.as_bytes()).await;
        let heard = socket.hears().await;
        assert_eq!(heard["type"], answer, "{text}");
        assert_eq!(heard["error"]["code"], "bad_request", "{text}");
        assert_eq!(heard["error"]["details"]["field"], field, "{text}");
    }
    socket.say(&json!({"type": "ping"})).await;
    assert_eq!(socket.hears().await["type"], "pong");
    wire.stop().await;
}

#[actix::test]
async fn what_is_not_text_in_frames_of_a_client_ends_the_connection() {
    let wire = Wire::start();
    let in_parts = [frame(0x01, b"\xe2\x82"), frame(0x80, b"\x28")].concat();
    for (name, bytes, code) in [
        ("binary", frame(BINARY, b"x"), 1003),
        ("binary in parts", frame(0x02, b"x"), 1003),
        ("not UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
        ("not UTF-8 in parts", in_parts, 1007),
        ("not masked", vec![TEXT, 1, b'x'], 1002),
        ("a reserved bit", frame(0xc1, b"x"), 1002),
        ("an unknown opcode", frame(0x83, b"x"), 1002),
        ("a long ping", frame(PING, &[0; 126]), 1002),
        ("a bad close code", frame(CLOSE, &[0, 1]), 1002),
        ("more than 10 MiB", [head(TEXT, 10 * 1024 * 1024 + 1), vec![0; 4]].concat(), 1009),
        ("2^40 bytes", [head(TEXT, 1 << 40), vec![0; 4]].concat(), 1009),
    ] {
        let mut socket = RawWs::greeted(wire.address, TOKEN).await;
        socket.stream.write_all(&bytes).await.unwrap();
        assert_eq!(socket.is_closed().await, code, "{name}");
    }
    wire.has_connections(0).await;
    wire.stop().await;
}

#[actix::test]
async fn a_frame_of_20_mib_ends_its_connection_and_harms_nobody_else() {
    let wire = Wire::start();
    let mut other = RawWs::greeted(wire.address, TOKEN).await;
    let mut huge = RawWs::greeted(wire.address, TOKEN).await;
    let shared = huge.stream.into_std().unwrap();
    let mut writing = TcpStream::from_std(shared.try_clone().unwrap()).unwrap();
    huge.stream = TcpStream::from_std(shared).unwrap();
    let sending = actix_rt::spawn(async move {
        // The server hangs up on the way: that the rest cannot be written is as it should be.
        let _ = writing.write_all(&frame(TEXT, &vec![b'x'; 20 * 1024 * 1024])).await;
    });
    assert_eq!(huge.is_cut_off().await, 1009);
    sending.await.unwrap();
    drop(huge);
    other.say(&json!({"type": "ping"})).await;
    assert_eq!(other.hears().await["type"], "pong");
    wire.has_connections(1).await;
    drop(other);
    wire.stop().await;
}

#[actix::test]
async fn before_hello_a_message_is_short() {
    let wire = Wire::start();
    let mut socket = RawWs::open(wire.address, &[BEARER]).await;
    socket.stream.write_all(&head(TEXT, 17 * 1024)).await.unwrap();
    socket.stream.write_all(&[0; 4]).await.unwrap();
    assert_eq!(socket.is_closed().await, 1009);
    wire.stop().await;
}

#[actix::test]
async fn what_follows_hello_at_once_may_be_long() {
    let wire = Wire::start();
    let mut socket = RawWs::open(wire.address, &[BEARER]).await;
    let hello = json!({"type": "hello", "protocol": 1, "deviceId": "phone"}).to_string();
    let long = json!({"type": "ping", "padding": "x".repeat(1024 * 1024)}).to_string();
    let both = [frame(TEXT, hello.as_bytes()), frame(TEXT, long.as_bytes())].concat();
    socket.stream.write_all(&both).await.unwrap();
    assert_eq!(socket.hears().await["type"], "welcome");
    assert_eq!(socket.hears().await["type"], "pong");
    wire.stop().await;
}

#[actix::test]
async fn a_peer_that_vanishes_within_a_frame_is_forgotten() {
    let wire = Wire::start();
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    wire.has_connections(1).await;
    socket.stream.write_all(&head(TEXT, 1000)).await.unwrap();
    socket.stream.write_all(&[0; 100]).await.unwrap();
    drop(socket);
    wire.has_connections(0).await;
    wire.stop().await;
}

#[actix::test]
async fn a_close_is_answered_with_the_same_code() {
    let wire = Wire::start();
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    socket.send(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(socket.is_closed().await, 1000);
    wire.stop().await;
}

#[actix::test]
async fn pings_are_answered_also_within_a_message() {
    let wire = Wire::start();
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    socket.send(0x01, br#"{"type":"#).await;
    socket.send(PING, b"there?").await;
    assert_eq!(socket.frame().await, Some((PONG, b"there?".to_vec())));
    socket.send(0x80, br#""ping"}"#).await;
    assert_eq!(socket.hears().await["type"], "pong");
    wire.stop().await;
}

#[actix::test]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let wire = Wire::start_with(|settings| settings.heartbeat = Duration::from_millis(40));
    let mut socket = RawWs::greeted(wire.address, TOKEN).await;
    assert_eq!(socket.frame().await, Some((PING, Vec::new())));
    assert_eq!(socket.is_closed().await, 4004);
    let mut alive = RawWs::greeted(wire.address, TOKEN).await;
    for _ in 0..6 {
        assert_eq!(alive.frame().await, Some((PING, Vec::new())));
        alive.send(PONG, b"").await;
    }
    drop(alive);
    wire.stop().await;
}

#[actix::test]
async fn a_peer_that_never_reads_is_cut_off_and_others_do_not_notice() {
    let wire = Wire::start_with(|settings| settings.write_within = Duration::from_millis(100));
    let mut deaf = RawWs::open_small(wire.address, &[BEARER]).await;
    deaf.say(&json!({"type": "hello", "protocol": 1, "deviceId": "deaf"})).await;
    let mut other = RawWs::greeted(wire.address, TOKEN).await;
    let pings = frame(PING, &[b'x'; 125]).repeat(1000);
    let is_stuck_after = Duration::from_millis(500);
    while tokio::time::timeout(is_stuck_after, deaf.stream.write_all(&pings))
        .await
        .is_ok_and(|written| written.is_ok())
    {}
    other.say(&json!({"type": "ping"})).await;
    assert_eq!(other.hears().await["type"], "pong");
    assert_eq!(deaf.is_cut_off().await, 4008);
    drop((deaf, other));
    wire.stop().await;
}

#[actix::test]
async fn an_orderly_stop_says_goodbye_to_everybody() {
    let wire = Wire::start();
    let mut greeted = RawWs::greeted(wire.address, TOKEN).await;
    let mut silent = RawWs::open(wire.address, &[BEARER]).await;
    wire.has_connections(2).await;
    let ((), goodbye, silent_code) = tokio::join!(
        wire.stop(),
        async {
            let goodbye = greeted.hears().await;
            assert_eq!(greeted.is_closed().await, 1001);
            goodbye
        },
        silent.is_closed()
    );
    assert_eq!(goodbye["type"], "goodbye");
    assert_eq!(goodbye["resume"], true);
    assert_eq!(silent_code, 1001);
}
