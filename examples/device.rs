//! A device in one file: the rules of docs/protocol.md with nothing but a WebSocket and JSON, as a template for clients in
//! other languages. (A client in Rust has them ready in `tandem::client`.)
//!
//! ```text
//! tandem serve --agent simulator &
//! cargo run --example device -- http://127.0.0.1:4870 "$(tandem token)" SESSION
//! ```
//!
//! It prints every event once and in order, says what is typed, and after a lost connection goes on where it was.

use std::collections::VecDeque;
use std::io::BufRead as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use uuid::Uuid;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a device has to remember. All of it survives a lost connection; a real one keeps it on disk.
struct Device {
    session: String,
    /// The last event that was applied, its hash, and the history that both belong to.
    last: u64,
    hash: Option<String>,
    epoch: Option<String>,
    /// Messages that the server has not accepted yet. Each has an id of ours, so that sending it twice says it once.
    outbox: VecDeque<(String, String)>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, token, session] = arguments.as_slice() else { bail!("usage: device URL TOKEN SESSION") };
    let url = format!("{}/ws", url.replacen("http", "ws", 1));
    let mut device =
        Device { session: session.clone(), last: 0, hash: None, epoch: None, outbox: VecDeque::new() };
    let mut lines = typed_lines();
    let mut failures: u32 = 0;
    loop {
        match connect(&url, token).await {
            Ok(socket) => {
                failures = 0;
                if let Err(error) = stay(&mut device, socket, &mut lines).await {
                    eprintln!("-- {error:#}");
                }
            }
            Err(error) => eprintln!("-- {error:#}"),
        }
        // Growing pauses with a random part: after a restart, not all devices come back in the same moment.
        let longest = 250 * 2_u64.pow(failures.min(7));
        failures += 1;
        tokio::time::sleep(Duration::from_millis(Uuid::new_v4().as_u64_pair().0 % longest)).await;
    }
}

/// Upgrades with the token, and introduces this device; its id is the same every time.
async fn connect(url: &str, token: &str) -> Result<Socket> {
    let request =
        ClientRequestBuilder::new(url.parse()?).with_header("Authorization", format!("Bearer {token}"));
    let (mut socket, _) = connect_async(request).await.context("cannot connect")?;
    send(
        &mut socket,
        json!({"type": "hello", "protocol": 1, "deviceId": "example", "deviceName": "The example"}),
    )
    .await?;
    Ok(socket)
}

/// Follows from where it was, says again what was not accepted, and goes on until the connection ends.
async fn stay(device: &mut Device, mut socket: Socket, lines: &mut mpsc::Receiver<String>) -> Result<()> {
    let (session, after, hash, epoch) = (&device.session, device.last, &device.hash, &device.epoch);
    let mut subscribe =
        json!({"type": "subscribe", "sessionId": session, "after": after, "ref": "subscribe"});
    if let (Some(hash), Some(epoch)) = (hash, epoch) {
        subscribe["hash"] = json!(hash);
        subscribe["epoch"] = json!(epoch);
    }
    send(&mut socket, subscribe).await?;
    for (id, text) in &device.outbox {
        send(&mut socket, submit(&device.session, id, text)).await?;
    }
    loop {
        tokio::select! {
            line = lines.recv(), if !lines.is_closed() || !lines.is_empty() => {
                let Some(line) = line else { continue };
                let id = Uuid::now_v7().to_string();
                send(&mut socket, submit(&device.session, &id, &line)).await?;
                device.outbox.push_back((id, line));
            }
            message = socket.next() => match message.context("the connection was lost")?? {
                Message::Text(text) => device.hear(&serde_json::from_str(&text)?)?,
                // 4500 to 4999 say: do not come back until a person acts.
                Message::Close(Some(close)) if (4500..5000).contains(&u16::from(close.code)) => {
                    eprintln!("-- closed for good: {}", close.reason);
                    std::process::exit(1);
                }
                Message::Close(_) => bail!("the server closed the connection"),
                // Pings are answered by the library.
                _ => {}
            },
        }
    }
}

impl Device {
    fn hear(&mut self, frame: &Value) -> Result<()> {
        match frame["type"].as_str() {
            Some("subscribed") => {
                if frame["reset"] == true {
                    println!("-- the server has another history; starting over");
                    self.last = frame["from"].as_u64().unwrap_or(1) - 1;
                }
                self.epoch = frame["epoch"].as_str().map(str::to_owned);
                println!("-- following behind event {} of {}", self.last, frame["head"]);
            }
            Some("event") => {
                let seq = frame["seq"].as_u64().context("an event without seq")?;
                // The one rule: an event is applied iff it is the next one.
                if seq > self.last + 1 {
                    bail!("events are missing; asking again");
                }
                if seq == self.last + 1 {
                    self.last = seq;
                    self.hash = frame["hash"].as_str().map(str::to_owned);
                    println!("{seq:>6}  {}  {}", frame["kind"].as_str().unwrap_or_default(), frame["data"]);
                }
            }
            // Durable: it may be forgotten here.
            Some("accepted") => self.outbox.retain(|(id, _)| frame["messageId"] != id.as_str()),
            Some("rejected" | "error") => {
                eprintln!("-- {}", frame["error"]["message"]);
                // "unknown" means: it may have been stored. It stays in the outbox and is sent again on the next connection.
                if let (Some(id), false) = (frame["ref"].as_str(), frame["error"]["effect"] == "unknown") {
                    self.outbox.retain(|(message, _)| message != id);
                }
            }
            // Signals are hints, and what is not known is ignored.
            _ => {}
        }
        Ok(())
    }
}

/// The message's id is the mark of its answer too.
fn submit(session: &str, id: &str, text: &str) -> Value {
    json!({"type": "submit", "sessionId": session, "messageId": id, "content": text, "ref": id})
}

async fn send(socket: &mut Socket, frame: Value) -> Result<()> {
    Ok(socket.send(Message::text(frame.to_string())).await?)
}

fn typed_lines() -> mpsc::Receiver<String> {
    let (typed, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if typed.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
