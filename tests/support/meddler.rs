//! Stands between a server and one device, and does one wrong thing to one event on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::follower::scan::Scanner;
use super::follower::wire::{self, Frame};
use super::server::TestServer;

/// What is done to the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meddling {
    Drop,
    Double,
    /// It comes after the one that follows it.
    Swap,
}

/// See the module. Listens until the runtime ends.
pub(crate) struct Meddler {
    pub(crate) authority: String,
    has_struck: Arc<AtomicBool>,
}

/// One connection's way from the server to the device.
struct Way {
    meddling: Meddling,
    seq: u64,
    has_struck: Arc<AtomicBool>,
    /// The event that waits for the one behind it.
    held: Option<Vec<u8>>,
}

impl Meddler {
    /// Does this once, to the event with this seq.
    pub(crate) async fn open(server: &TestServer, meddling: Meddling, seq: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = server.url("").trim_start_matches("http://").to_owned();
        let has_struck = Arc::new(AtomicBool::new(false));
        let struck = has_struck.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&server).await.unwrap();
                let (from_device, to_device) = near.into_split();
                let (from_server, to_server) = far.into_split();
                let way = Way { meddling, seq, has_struck: struck.clone(), held: None };
                tokio::spawn(pass(from_device, to_server));
                tokio::spawn(way.carry(from_server, to_device));
            }
        });
        Self { authority, has_struck }
    }

    /// Whether it has done what it is there for.
    pub(crate) fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::SeqCst)
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // It ends when either side does.
    let _ = copy(&mut from, &mut to).await;
}

impl Way {
    async fn carry(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut unread = Vec::new();
        let mut is_upgraded = false;
        while from.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
            let mut out = Vec::new();
            if !is_upgraded {
                let head = unread.windows(4).position(|window| window == b"\r\n\r\n");
                let Some(head) = head else { continue };
                out.extend(unread.drain(..head + 4));
                is_upgraded = true;
            }
            while let Some((frame, length)) = wire::first_frame(&unread) {
                let seq = match frame {
                    Frame::Text(payload) => Scanner::default().scan(payload).unwrap().map(|seen| seen.seq),
                    Frame::Ping(_) | Frame::Close(_) | Frame::Other => None,
                };
                let bytes: Vec<u8> = unread.drain(..length).collect();
                self.meddle(seq, bytes, &mut out);
            }
            if to.write_all(&out).await.is_err() {
                return;
            }
        }
    }

    fn meddle(&mut self, seq: Option<u64>, frame: Vec<u8>, out: &mut Vec<u8>) {
        if seq == Some(self.seq) && !self.has_struck.swap(true, Ordering::SeqCst) {
            match self.meddling {
                Meddling::Drop => {}
                Meddling::Double => out.extend(frame.repeat(2)),
                Meddling::Swap => self.held = Some(frame),
            }
            return;
        }
        out.extend(frame);
        if seq.is_some() {
            out.extend(self.held.take().into_iter().flatten());
        }
    }
}
