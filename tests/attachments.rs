//! Attachments against the program itself: every way in, the agent that gets the bytes, and who may fetch them.

use std::fs;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use serde_json::{Value, json};
use tandem_actors::blobs::BlobHash;
use tandem_actors::ids::MessageId;

use crate::support::device::TestDevice;
use crate::support::model::Model;
use crate::support::server::{Home, PATIENCE, TestServer};

/// What the server takes of one attachment.
const LARGEST: usize = 10 << 20;

/// A picture of one pixel.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

pub(crate) fn pixel() -> Vec<u8> {
    STANDARD.decode(PIXEL).unwrap()
}

/// What begins as a picture and is as large as it may be, no two parts of it alike.
fn large() -> &'static [u8] {
    static LARGE: OnceLock<Vec<u8>> = OnceLock::new();
    LARGE.get_or_init(|| {
        let mut data = pixel();
        let words = (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes());
        data.extend(words.take(LARGEST - data.len()));
        data
    })
}

fn image(data: &[u8]) -> Value {
    let source = json!({"type": "base64", "media_type": "image/png", "data": STANDARD.encode(data)});
    json!({"type": "image", "source": source})
}

fn asks_with(block: &Value) -> Value {
    json!([{"type": "text", "text": "/attachments"}, block])
}

fn reference(data: &[u8]) -> Value {
    json!({"type": "image", "source": {"type": "blob", "sha256": BlobHash::of(data)}})
}

/// What the simulator says of a picture that it was given.
fn seen(data: &[u8]) -> String {
    format!("image image/png {} {}", data.len(), BlobHash::of(data))
}

async fn put(server: &TestServer, device: &str, name: &str, data: &[u8]) -> (u16, Value) {
    let request = server.request("PUT", &format!("/api/blobs/{name}")).header("X-Tandem-Device", device);
    let response = request.body(data.to_vec()).timeout(PATIENCE).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn upload(server: &TestServer, device: &str, data: &[u8]) {
    let hash = BlobHash::of(data);
    let (status, answer) = put(server, device, &hash.to_string(), data).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer, json!({"sha256": hash, "mediaType": "image/png", "bytes": data.len()}));
}

async fn get(server: &TestServer, device: &str, name: &str) -> Response {
    let request = server.request("GET", &format!("/api/blobs/{name}")).header("X-Tandem-Device", device);
    request.timeout(PATIENCE).send().await.unwrap()
}

async fn fetch(server: &TestServer, device: &str, data: &[u8]) -> Option<Vec<u8>> {
    let response = get(server, device, &BlobHash::of(data).to_string()).await;
    match response.status().as_u16() {
        200 => Some(response.bytes().await.unwrap().to_vec()),
        404 => None,
        other => panic!("{other}: {}", response.text().await.unwrap()),
    }
}

async fn submit(device: &TestDevice, session: &str, content: Value) -> Value {
    device.ask(json!({"type": "submit", "sessionId": session, "content": content})).await
}

async fn ended(device: &TestDevice, session: &str, times: usize) -> String {
    let end = device.kind(session, "turn_ended", times).await;
    end["data"]["text"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_agent_gets_what_came_over_http_and_events_hold_a_reference() {
    let home = Home::new();
    let server = home.serve().await;
    let attachments = json!([
        {"name": "../../evil.sh", "mimeType": "text/x-sh", "data": STANDARD.encode("echo hi")},
        {"name": "photo.jpg", "mimeType": "image/jpeg", "data": PIXEL},
    ]);
    let body = json!({"projectPath": home.project(), "message": "/attachments", "attachments": attachments});
    let (status, answer) = server.call("POST", "/api/chat", body).await;
    assert_eq!(status, 200, "{answer}");
    let expected = format!("document text/plain 7 {}\n{}", BlobHash::of(b"echo hi"), seen(&pixel()));
    assert_eq!(answer["reply"], expected);
    let events = server.events(answer["sessionId"].as_str().unwrap()).await;
    let accepted = events.iter().find(|event| event["kind"] == "message_accepted").unwrap();
    let content = &accepted["data"]["content"];
    assert_eq!(content[1]["title"], "../../evil.sh");
    let source = json!({"type": "blob", "media_type": "image/png", "sha256": BlobHash::of(&pixel()), "bytes": pixel().len()});
    assert_eq!(content[2], json!({"type": "image", "source": source}));
    assert!(!json!(events).to_string().contains(PIXEL), "no event has the bytes");
    server.stop().await;
}

#[tokio::test]
async fn a_picture_of_ten_mebibytes_goes_by_websocket_when_it_was_uploaded() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    upload(&server, "phone", large()).await;
    upload(&server, "phone", large()).await;
    let accepted = submit(&phone, &session, asks_with(&reference(large()))).await;
    assert_eq!(accepted["type"], "accepted", "{accepted}");
    assert_eq!(ended(&phone, &session, 1).await, seen(large()));
    assert_eq!(fetch(&server, "phone", large()).await.unwrap(), large());
    server.stop().await;
}

#[tokio::test]
async fn messages_of_one_device_stay_in_order_behind_a_large_picture() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    // What fits into a frame of 10 MiB.
    let picture = &large()[..7 << 20];
    let first =
        phone.begin(json!({"type": "submit", "sessionId": session, "content": asks_with(&image(picture))}));
    let second = phone.begin(json!({"type": "submit", "sessionId": session, "content": "second"}));
    let (first, second) = (phone.answer(&first).await, phone.answer(&second).await);
    assert!(first["seq"].as_u64() < second["seq"].as_u64(), "{first} {second}");
    assert_eq!(ended(&phone, &session, 1).await, seen(picture));
    assert_eq!(ended(&phone, &session, 2).await, "echo: second");
    server.stop().await;
}

#[tokio::test]
async fn a_waiting_message_can_be_edited_to_have_a_picture() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/hang soft").await;
    phone.kind(&session, "turn_started", 1).await;
    let over_ws = phone.submit(&session, "second").await["messageId"].clone();
    let over_http = phone.submit(&session, "third").await["messageId"].clone();
    let edit = json!({"type": "edit", "sessionId": session, "messageId": over_ws, "content": asks_with(&image(&pixel()))});
    assert_eq!(phone.ask(edit).await["type"], "ok");
    let path = format!("/api/sessions/{session}/queue/{}", over_http.as_str().unwrap());
    let body = json!({"content": asks_with(&image(&pixel()))});
    assert_eq!(server.call("PATCH", &path, body).await.0, 200);
    let queue = server.get(&format!("/api/sessions/{session}/queue")).await;
    assert!(!queue.to_string().contains(PIXEL) && queue.to_string().contains("sha256"), "{queue}");
    phone.ask(json!({"type": "interrupt", "sessionId": session})).await;
    assert_eq!(ended(&phone, &session, 2).await, seen(&pixel()));
    assert_eq!(ended(&phone, &session, 3).await, seen(&pixel()));
    server.stop().await;
}

#[tokio::test]
async fn other_devices_of_the_session_may_fetch_it_and_nobody_else() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let (phone, laptop) = (server.device("phone").await, server.device("laptop").await);
    phone.subscribe(&session, 0).await;
    laptop.subscribe(&session, 0).await;
    submit(&phone, &session, asks_with(&image(&pixel()))).await;
    ended(&laptop, &session, 1).await;
    let hash = BlobHash::of(&pixel()).to_string();
    let response = get(&server, "laptop", &hash).await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("etag"), format!("\"{hash}\""));
    assert!(header("cache-control").contains("private") && header("cache-control").contains("immutable"));
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header("vary").to_lowercase(), "x-tandem-device");
    assert!(response.headers().get("content-disposition").is_none());
    assert_eq!(response.bytes().await.unwrap(), pixel());
    let held = server.request("GET", &format!("/api/blobs/{hash}")).header("X-Tandem-Device", "laptop");
    let held = held.header("If-None-Match", format!("\"{hash}\"")).send().await.unwrap();
    assert_eq!(held.status(), 304);

    let stranger = get(&server, "stranger", &hash).await;
    assert_eq!(stranger.status(), 404);
    let stranger: Value = stranger.json().await.unwrap();
    let nothing: Value = get(&server, "stranger", &"0".repeat(64)).await.json().await.unwrap();
    assert_eq!(stranger, nothing, "nobody learns what there is");
    let bare = reqwest::get(server.url(&format!("/api/blobs/{hash}"))).await.unwrap();
    assert_eq!(bare.status(), 401);
    laptop.ask(json!({"type": "unlink", "sessionId": session})).await;
    assert_eq!(fetch(&server, "laptop", &pixel()).await, None);
    server.stop().await;
}

#[tokio::test]
async fn a_text_is_served_as_something_to_be_saved() {
    let home = Home::new();
    let server = home.serve().await;
    let html = b"<html><script>alert(1)</script></html>";
    let hash = BlobHash::of(html).to_string();
    let (status, answer) = put(&server, "phone", &hash, html).await;
    assert_eq!((status, &answer["mediaType"]), (200, &json!("text/plain")));
    let response = get(&server, "phone", &hash).await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.headers()["content-disposition"], "attachment");
    server.stop().await;
}

#[tokio::test]
async fn what_lies_or_is_too_large_is_refused_and_begins_nothing() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let phone = server.device("phone").await;
    let html =
        json!({"type": "base64", "media_type": "image/png", "data": STANDARD.encode("GIF89a<script>")});
    let refused = submit(&phone, &session, asks_with(&json!({"type": "image", "source": html}))).await;
    assert_eq!((&refused["type"], &refused["error"]["code"]), (&json!("rejected"), &json!("bad_request")));
    assert_eq!(refused["error"]["details"], json!({"field": "content", "block": 1}));
    let unknown = submit(&phone, &session, asks_with(&reference(b"never uploaded"))).await;
    assert!(unknown["error"]["message"].as_str().unwrap().contains("upload it first"), "{unknown}");

    let eleven = vec![b'a'; 11 << 20];
    let (status, answer) = put(&server, "phone", &BlobHash::of(&eleven).to_string(), &eleven).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &json!("too_large")));
    let chat = |block: Value| {
        let body = json!({"projectPath": home.project(), "message": [block]});
        server.call("POST", "/api/chat", body)
    };
    let too_large = chat(image(&[large(), b"1"].concat())).await;
    assert_eq!((too_large.0, &too_large.1["error"]["code"]), (413, &json!("too_large")));
    assert_eq!(chat(image(b"no picture")).await.0, 400);
    let sessions = server.get("/api/sessions").await;
    assert_eq!(
        sessions["sessions"].as_array().unwrap().len(),
        1,
        "no empty session is left behind: {sessions}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_is_no_hash_names_nothing() {
    let home = Home::new();
    let server = home.serve().await;
    upload(&server, "phone", &pixel()).await;
    let hash = BlobHash::of(&pixel()).to_string();
    let (upper, short) = (hash.to_uppercase(), &hash[1..]);
    for name in
        [&*upper, short, "%2e%2e", "..%2f..%2ftoken", "x", &format!("{hash}%00"), &format!("{hash}/..")]
    {
        let response = get(&server, "phone", name).await;
        assert_eq!(response.status(), 404, "{name}");
    }
    for name in [&*upper, short, "..%2f..%2ftoken"] {
        let (status, answer) = put(&server, "phone", name, &pixel()).await;
        assert_eq!((status, &answer["error"]["details"]["field"]), (400, &json!("sha256")), "{name}");
    }
    let (status, answer) = put(&server, "phone", &"0".repeat(64), &pixel()).await;
    assert_eq!((status, &answer["error"]["details"]["field"]), (400, &json!("sha256")));
    server.stop().await;
}

#[tokio::test]
async fn an_attachment_survives_kill_9_and_the_same_message_again_is_a_duplicate() {
    let home = Home::new();
    let server = home.serve().await;
    let session = server.session(&home).await;
    let id = MessageId::random();
    let message = json!({"type": "submit", "sessionId": session, "messageId": id, "content": asks_with(&image(&pixel()))});
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    phone.submit(&session, "/hang soft").await;
    let first = phone.ask(message.clone()).await;
    assert_eq!(first["duplicate"], false, "{first}");
    // Begun, so that it is lost with its agent and the picture's turn comes at once after the restart.
    phone.kind(&session, "turn_started", 1).await;
    server.kill().await;

    let server = home.serve().await;
    let phone = server.device("phone").await;
    phone.subscribe(&session, 0).await;
    let again = phone.ask(message).await;
    assert_eq!((&again["duplicate"], &again["seq"]), (&json!(true), &first["seq"]), "{again}");
    let is_answer = |event: &Value| event["kind"] == "turn_ended" && event["data"]["messageId"] == json!(id);
    let end = phone.event(&session, "the end of its turn", is_answer).await;
    assert_eq!(end["data"]["text"], seen(&pixel()));
    assert_eq!(fetch(&server, "phone", &pixel()).await.unwrap(), pixel());
    server.stop().await;

    let checked = home.run(&["doctor", "--check"]).await;
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && text.contains("1 attachments"), "{text}");
}

#[tokio::test]
async fn the_real_cli_shows_the_model_what_was_attached() {
    let model = Model::start().await;
    let home = Home::with_claude(model.url());
    let server = home.serve().await;
    let pdf = STANDARD
        .encode(b"%PDF-1.4\n%\xe2\xe3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF");
    let attachments = json!([
        {"name": "notes.md", "mimeType": "text/markdown", "data": STANDARD.encode("# A title")},
        {"name": "photo.png", "mimeType": "image/png", "data": PIXEL},
        {"name": "paper", "mimeType": "application/octet-stream", "data": pdf},
    ]);
    let chat = |attachments: Value| {
        let body = json!({"projectPath": home.project(), "message": "look", "attachments": attachments});
        server.call("POST", "/api/chat", body)
    };
    let (status, answer) = chat(attachments).await;
    assert_eq!((status, &answer["status"]), (200, &json!("completed")), "{answer}");
    let asked = json!(model.requests()).to_string();
    for given in [PIXEL, "# A title", "notes.md", &pdf] {
        assert!(asked.contains(given), "{given}");
    }
    // Pictures that are too large for the model the CLI makes smaller by itself; what counts is that it takes them.
    let largest = json!([{"name": "large.png", "mimeType": "image/png", "data": STANDARD.encode(large())}]);
    let (status, answer) = chat(largest).await;
    assert_eq!((status, &answer["status"]), (200, &json!("completed")), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn tandem_send_takes_files_along() {
    let home = Home::new();
    let server = home.serve().await;
    let (photo, notes) = (home.path().join("photo.png"), home.path().join("notes.md"));
    fs::write(&photo, pixel()).unwrap();
    fs::write(&notes, "# A title").unwrap();
    let project = home.project();
    let words = [&photo, &notes, &project].map(|path| path.to_str().unwrap().to_owned());
    let [photo, notes, project] = words.each_ref().map(String::as_str);
    let url = server.url("");
    let arguments =
        ["send", "--url", &url, "--new", project, "--attach", photo, "--attach", notes, "/attachments"];
    let output = home.run(&arguments).await;
    let answer = String::from_utf8_lossy(&output.stdout);
    let expected = format!("{}\ndocument text/plain 9 {}", seen(&pixel()), BlobHash::of(b"# A title"));
    assert_eq!(answer.trim(), expected, "{}", String::from_utf8_lossy(&output.stderr));
    let missing = home.run(&["send", "--url", &url, "--new", project, "--attach", "/none.png", "hi"]).await;
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/none.png"));
    server.stop().await;
}
