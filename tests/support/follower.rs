//! A naive device: it can follow a flood, come and go, and takes whatever it is given, as it is; its tape says what that was.
//!
//! The reading is that of the load generator (`examples/load`).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tandem::history::{Answer, Asked, Moment, Recorder, Tape, What};
use tandem_actors::content::Content;
use tandem_actors::ids::MessageId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::server::{Home, PATIENCE, TestServer};
use scan::Scanner;
use wire::Frame;

#[path = "../../examples/load/scan.rs"]
pub(crate) mod scan;
#[expect(dead_code, reason = "the load generator uses all of it")]
#[path = "../../examples/load/wire.rs"]
pub(crate) mod wire;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// A receive buffer that is as small as the kernel makes it: what is not read soon fills the server's side.
const SMALL_BUFFER_BYTES: u32 = 4096;

/// How to get to a server.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) authority: String,
    token: String,
}

/// A message of this device, and whether it is known to be accepted.
#[derive(Debug)]
struct Sent {
    text: String,
    asked: Asked,
    is_accepted: bool,
}

/// A device, over all its connections.
pub(crate) struct Follower {
    pub(crate) name: String,
    pub(crate) session: String,
    /// How often it has connected.
    pub(crate) connections: u64,
    /// Everything that was seen, asked and told.
    pub(crate) tape: Tape,
    /// Events that were not the next ones.
    out_of_place: u64,
    last_hash: String,
    scanner: Scanner,
    /// Turns that were seen to end.
    pub(crate) turns: u64,
    /// How often the server said that this device stands nowhere in its history. Never, where nothing was restored.
    pub(crate) resets: u64,
    /// Refusals and errors, as they came.
    pub(crate) complaints: Vec<Value>,
    /// With which code the last connection was closed by the server, if it said one.
    pub(crate) close_code: Option<u16>,
    largest_bytes: usize,
    epoch: Option<String>,
    sent: BTreeMap<String, Sent>,
    link: Option<Link>,
}

struct Link {
    tcp: TcpStream,
    unread: Vec<u8>,
    is_following: bool,
}

impl Reach {
    pub(crate) fn to(server: &TestServer, home: &Home) -> Self {
        let token = std::fs::read_to_string(home.data().join("token")).expect("there is a token");
        let authority = server.url("").trim_start_matches("http://").to_owned();
        Self { authority, token: token.trim().to_owned() }
    }

    /// The same server, over another address.
    pub(crate) fn over(&self, authority: String) -> Self {
        Self { authority, ..self.clone() }
    }

    /// Opens a connection and says nothing.
    pub(crate) async fn knock(&self) -> Result<TcpStream> {
        Ok(wire::open(&self.authority, &self.token).await?.0)
    }
}

impl Follower {
    pub(crate) fn new(name: impl Into<String>, recorder: &Recorder) -> Self {
        let name = name.into();
        Self {
            tape: recorder.tape(&*name),
            name,
            session: recorder.session().to_string(),
            connections: 0,
            out_of_place: 0,
            last_hash: String::new(),
            scanner: Scanner::default(),
            turns: 0,
            resets: 0,
            complaints: Vec::new(),
            close_code: None,
            largest_bytes: 0,
            epoch: None,
            sent: BTreeMap::new(),
            link: None,
        }
    }

    /// Connects, follows on from the last event that was seen, and says again what is not known to be accepted.
    pub(crate) async fn connect(&mut self, reach: &Reach) -> Result<()> {
        let (tcp, unread) = wire::open(&reach.authority, &reach.token).await?;
        self.begin(tcp, unread).await
    }

    /// The same, with a receive buffer that is full at once.
    pub(crate) async fn connect_narrow(&mut self, reach: &Reach) -> Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
        let tcp = socket.connect(reach.authority.parse()?).await?;
        let (tcp, unread) = wire::upgrade(tcp, &reach.authority, &reach.token).await?;
        self.begin(tcp, unread).await
    }

    async fn begin(&mut self, mut tcp: TcpStream, unread: Vec<u8>) -> Result<()> {
        let hello = json!({"type": "hello", "protocol": 1, "deviceId": self.name, "kind": "test"});
        let mut subscribe = json!({
            "type": "subscribe", "ref": "subscribe", "sessionId": self.session, "after": self.tape.last(),
        });
        if let Some(epoch) = &self.epoch {
            subscribe["epoch"] = json!(epoch);
            if self.tape.last() > 0 {
                subscribe["hash"] = json!(self.hash());
            }
        }
        let mut frames = [wire::text(&hello.to_string()), wire::text(&subscribe.to_string())].concat();
        for (id, sent) in self.sent.iter().filter(|(_, sent)| !sent.is_accepted) {
            frames.extend(self.submit(id, &sent.text));
        }
        tcp.write_all(&frames).await?;
        self.connections += 1;
        self.close_code = None;
        self.link = Some(Link { tcp, unread, is_following: false });
        Ok(())
    }

    /// Says something; it is said again at every connection until it is accepted.
    pub(crate) async fn say(&mut self, text: impl Into<String>) -> Result<()> {
        let message = MessageId::random();
        let (id, text) = (message.to_string(), text.into());
        let frame = self.submit(&id, &text);
        let what = What::Submit { message, content: Content::text(&*text)? };
        let asked = self.tape.asks(what, Moment::now());
        self.sent.insert(id, Sent { text, asked, is_accepted: false });
        self.link.as_mut().context("not connected")?.tcp.write_all(&frame).await?;
        Ok(())
    }

    fn submit(&self, id: &str, text: &str) -> Vec<u8> {
        let frame = json!({
            "type": "submit", "ref": id, "sessionId": self.session, "messageId": id, "content": text,
        });
        wire::text(&frame.to_string())
    }

    /// Ends the connection without a word, wherever it stands.
    pub(crate) fn hang_up(&mut self) {
        self.link = None;
    }

    /// Reads once and takes in every whole frame; an error is the end of the connection. May be dropped and called again.
    pub(crate) async fn read(&mut self) -> Result<()> {
        let link = self.link.as_mut().context("not connected")?;
        link.unread.reserve(READ_BYTES);
        let read = link.tcp.read_buf(&mut link.unread).await;
        self.take_in(read)
    }

    /// The same, for so many bytes at most.
    pub(crate) async fn sip(&mut self, bytes: usize) -> Result<()> {
        let link = self.link.as_mut().context("not connected")?;
        let mut sip = vec![0; bytes];
        let read = link.tcp.read(&mut sip).await;
        link.unread.extend(&sip[..*read.as_ref().unwrap_or(&0)]);
        self.take_in(read)
    }

    fn take_in(&mut self, read: std::io::Result<usize>) -> Result<()> {
        let taken = match read {
            Ok(0) => Err(anyhow::anyhow!("the connection is closed")),
            Ok(_) => self.take_frames(),
            Err(error) => Err(error.into()),
        };
        if taken.is_err() {
            self.link = None;
        }
        taken
    }

    fn take_frames(&mut self) -> Result<()> {
        let Some(mut link) = self.link.take() else { return Ok(()) };
        let mut taken = 0;
        while let Some((frame, length)) = wire::first_frame(&link.unread[taken..]) {
            match frame {
                Frame::Ping(payload) => {
                    // Waiting here could be given up half-way; a pong that does not fit into the buffer is not missed.
                    let _ = link.tcp.try_write(&wire::pong(payload));
                }
                Frame::Close(reason) => {
                    self.close_code = reason.first_chunk().map(|code| u16::from_be_bytes(*code));
                    bail!("closed: {:?}", self.close_code);
                }
                Frame::Text(payload) if payload.starts_with(b"{\"type\":\"signal\"") => {}
                Frame::Text(payload) => {
                    if !self.event(payload)? {
                        link.is_following |= self.answer(payload)?;
                    }
                }
                Frame::Other => {}
            }
            taken += length;
        }
        link.unread.drain(..taken);
        self.link = Some(link);
        Ok(())
    }

    /// Takes in an event; whether it is one.
    fn event(&mut self, payload: &[u8]) -> Result<bool> {
        let Some(seen) = self.scanner.scan(payload)? else { return Ok(false) };
        self.out_of_place += u64::from(seen.seq != self.tape.last() + 1);
        self.tape.saw(&seen);
        self.last_hash = String::from_utf8_lossy(seen.hash).into_owned();
        self.largest_bytes = self.largest_bytes.max(payload.len());
        self.turns += u64::from(seen.kind == b"turn_ended");
        Ok(true)
    }

    /// Takes in what is no event; whether it says that the stream begins.
    fn answer(&mut self, payload: &[u8]) -> Result<bool> {
        let frame: Value = serde_json::from_slice(payload)?;
        match frame["type"].as_str() {
            Some("accepted") => {
                let sent = frame["ref"].as_str().and_then(|id| self.sent.get_mut(id));
                let sent = sent.context("an answer that nobody asked for")?;
                sent.is_accepted = true;
                let seq = frame["seq"].as_u64().context("an answer without its place")?;
                let answer = Answer::Accepted { seq, is_duplicate: frame["duplicate"] == true };
                self.tape.is_told(sent.asked, answer, Moment::now());
            }
            Some("subscribed") => {
                self.resets += u64::from(frame["reset"] == true);
                let from = frame["from"].as_u64().context("a stream without its beginning")?;
                self.tape.began(from, frame["reset"] == true);
                self.epoch = frame["epoch"].as_str().map(str::to_owned);
                return Ok(true);
            }
            Some("rejected" | "error") => self.complaints.push(frame),
            _ => {}
        }
        Ok(false)
    }

    /// Reads until something is true.
    pub(crate) async fn until(&mut self, what: &str, is_true: impl Fn(&Self) -> bool) {
        let reading = async {
            while !is_true(self) {
                self.read().await?;
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE * 4, reading).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("{} lost the server before {what}: {error:#}", self.name),
            Err(_) => panic!("{} never saw {what}; it stands at {}", self.name, self.tape.last()),
        }
    }

    /// Reads for so long, or to the end of the connection; whether it is still there.
    pub(crate) async fn read_for(&mut self, duration: Duration) -> bool {
        let reading = async { while self.read().await.is_ok() {} };
        timeout(duration, reading).await.is_err()
    }

    pub(crate) fn is_following(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_following)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Whether everything that this device has said is accepted.
    pub(crate) fn is_heard(&self) -> bool {
        self.sent.values().all(|sent| sent.is_accepted)
    }

    pub(crate) fn is_at(&self, seq: u64) -> bool {
        self.tape.last() == seq
    }

    /// The hash of the last event.
    pub(crate) fn hash(&self) -> &str {
        &self.last_hash
    }

    /// How large the largest event was.
    pub(crate) fn largest_bytes(&self) -> usize {
        self.largest_bytes
    }

    /// How many messages it has said.
    pub(crate) fn said(&self) -> usize {
        self.sent.len()
    }

    /// Checks that every event came once and in order, and that nobody complained.
    pub(crate) fn is_whole(&self) {
        assert_eq!((self.out_of_place, self.resets), (0, 0), "{}: out of place, reset", self.name);
        assert!(self.complaints.is_empty(), "{}: {:?}", self.name, self.complaints);
    }
}
