//! A turn as server-sent events: `accepted`, then each `event` and `signal`, then `done` (or `error`).

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde_json::json;
use tandem_actors::refusal::Refusal;

use super::stopped_meanwhile;
use super::turn::{Accepted, Step, Turn};
use crate::service::Service;

/// After so long without an event a comment is sent, so that proxies keep the connection and a client that is gone
/// is noticed.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(15);

/// The whole response.
pub(super) fn answer(service: web::Data<Service>, accepted: Accepted, turn: Turn) -> HttpResponse {
    let first = sse("accepted", None, accepted.without_answer().to_string().as_bytes());
    let streamed = Streamed { service, accepted, turn, is_over: false };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(streamed.events(first))
}

struct Streamed {
    service: web::Data<Service>,
    accepted: Accepted,
    turn: Turn,
    is_over: bool,
}

impl Streamed {
    fn events(self, first: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold((Some(first), Box::new(self)), |(first, mut streamed)| async move {
            let bytes = match first {
                Some(first) => first,
                None => streamed.next().await?,
            };
            Some((Ok(bytes), (None, streamed)))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let step = tokio::select! {
            step = tokio::time::timeout(SIGN_OF_LIFE_EVERY, self.turn.step()) => step,
            () = self.service.doors.closing() => Ok(Err(stopped_meanwhile(&self.accepted))),
        };
        Some(match step {
            Err(_nothing_happened) => Bytes::from_static(b": still here\n\n"),
            Ok(Ok(step)) => self.write(&step),
            Ok(Err(refusal)) => self.give_up(&refusal),
        })
    }

    fn write(&mut self, step: &Step) -> Bytes {
        let event = sse(step.kind, step.seq, &step.payload);
        let Some(end) = &step.end else { return event };
        self.is_over = true;
        let done = self.accepted.with_answer(end).to_string();
        [event, sse("done", None, done.as_bytes())].concat().into()
    }

    fn give_up(&mut self, refusal: &Refusal) -> Bytes {
        self.is_over = true;
        sse("error", None, json!({ "error": refusal }).to_string().as_bytes())
    }
}

/// One event; `data` is JSON in one line.
fn sse(kind: &str, seq: Option<u64>, data: &[u8]) -> Bytes {
    let id = seq.map_or_else(String::new, |seq| format!("id: {seq}\n"));
    [format!("event: {kind}\n{id}data: ").as_bytes(), data, b"\n\n"].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_number_as_id() {
        assert_eq!(sse("event", Some(7), b"{}"), "event: event\nid: 7\ndata: {}\n\n");
        assert_eq!(sse("signal", None, b"{}"), "event: signal\ndata: {}\n\n");
    }
}
