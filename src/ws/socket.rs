//! The socket of one connection, on `actix-web-actors`; the only file that names that crate.
//!
//! The crate's own response body is not polled while the peer does not read, and its actor then stands still. So a small
//! task, the pump, polls it at all times, and the response is a body of ours.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Handler, StreamHandler,
    WrapFuture as _,
};
use actix_http::ws::{Codec, Item};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tandem_actors::device::{Device, MAX_UNANSWERED, Outbox, Outgoing};
use tandem_actors::ids::{ConnectionId, DeviceId, UserId};
use tandem_actors::refusal::{Code, Refusal};
use tokio::time::timeout;

use super::body::Body;
use super::farewell::Farewell;
use super::guard::{Guard, Incoming, Violation};
use super::line::{Fault, Line, MAX_MESSAGE_BYTES};
use super::protocol::{Frame, Hello, ServerFrame, VERSION, Welcome};
use super::pump::{Pump, say_last};
use crate::auth::SUB_PROTOCOL;
use crate::doors::{Door, Leave, Place};
use crate::service::Service;

/// How long a goodbye for the sake of the disk waits for the answers in front of it: they only have to come from
/// another thread, since the journal has answered already.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Turns a request into a WebSocket; `is_offered` says whether it offers our sub-protocol, which is then selected.
///
/// # Errors
/// The request is no WebSocket handshake; what it lacks.
pub(super) fn open(
    request: &HttpRequest,
    payload: web::Payload,
    service: Arc<Service>,
    place: Place,
    is_offered: bool,
) -> Result<HttpResponse, ws::HandshakeError> {
    let mut response = ws::handshake(request)?;
    if is_offered {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, SUB_PROTOCOL));
    }
    let line = Rc::new(Line::new(Outbox::default()));
    let incoming = Incoming::new(RefCell::new(payload));
    let body = Body::new(line.clone(), service.hub.clock.clone(), (place, incoming.clone()));
    let write_within = service.settings.write_within;
    let guard = Guard::new(incoming, line.clone());
    let codec = Codec::new().max_size(MAX_MESSAGE_BYTES);
    let counting = service.clone();
    let context = ws::WebsocketContext::with_codec(Socket::new(service, line.clone()), guard, codec);
    actix_rt::spawn(Pump::new(context, line, write_within));
    let count = move |sent: &Bytes| counting.traffic.bytes_out.add(sent.len() as u64);
    Ok(response.streaming(body.inspect_ok(count)))
}

/// Whether a request asks for a WebSocket at all.
pub(super) fn is_upgrade(error: &ws::HandshakeError) -> bool {
    !matches!(
        error,
        ws::HandshakeError::NoWebsocketUpgrade
            | ws::HandshakeError::NoConnectionUpgrade
            | ws::HandshakeError::NoVersionHeader
            | ws::HandshakeError::UnsupportedVersion
    )
}

/// The actor of one connection's wire.
struct Socket {
    service: Arc<Service>,
    line: Rc<Line>,
    connection: ConnectionId,
    /// Who it is, after hello.
    device: Option<(DeviceId, Addr<Device>)>,
    /// The fragments of an unfinished message.
    fragments: Vec<u8>,
    opened: Instant,
    last_ping: Instant,
    is_leaving: bool,
    door: Option<Door>,
}

type SocketContext = ws::WebsocketContext<Socket>;

impl Socket {
    fn new(service: Arc<Service>, line: Rc<Line>) -> Self {
        let now = Instant::now();
        Self {
            service,
            line,
            connection: ConnectionId::random(),
            device: None,
            fragments: Vec::new(),
            opened: now,
            last_ping: now,
            is_leaving: false,
            door: None,
        }
    }

    fn leave(&mut self, farewell: Farewell, context: &mut SocketContext) {
        if self.is_leaving {
            return;
        }
        self.is_leaving = true;
        tracing::debug!(connection = %self.connection, device = self.device_id(), ?farewell, "a connection ends");
        say_last(&self.line, farewell);
        context.stop();
    }

    /// For the log.
    fn device_id(&self) -> Option<&str> {
        self.device.as_ref().map(|(device, _)| device.as_str())
    }

    /// One round of looking after the connection: deadlines and the heartbeat.
    fn look_after(&mut self, context: &mut SocketContext) {
        let settings = &self.service.settings;
        if self.device.is_none() && self.opened.elapsed() >= settings.hello_within {
            self.leave(Farewell::NoHello, context);
        } else if self.line.stalled_for() >= settings.write_within {
            tracing::info!(connection = %self.connection, device = self.device_id(), "a device does not read and is cut off");
            self.line.cut_off();
            self.leave(Farewell::TooSlow, context);
        } else if self.line.silent_for() >= settings.heartbeat * 3 {
            self.leave(Farewell::Silent, context);
        } else if self.last_ping.elapsed() >= settings.heartbeat {
            self.last_ping = Instant::now();
            self.line.asked_for_life();
            context.ping(b"");
        }
    }

    /// Takes one whole text message.
    fn take(&mut self, text: &str, context: &mut SocketContext) {
        self.service.traffic.frames_in.add(1);
        let frame = Frame::parse(text);
        let bytes = text.len();
        let Some((own, device)) = &self.device else {
            self.take_before_hello(&frame, context);
            self.line.settled(bytes);
            return;
        };
        // The message is in the mailbox when `send` returns: there is room for all that the guard lets through.
        let handled = device.send(frame.request(own));
        let line = self.line.clone();
        actix_rt::spawn(async move {
            if handled.await.is_err() {
                say_last(&line, Farewell::Internal);
            }
            line.settled(bytes);
        });
    }

    fn take_before_hello(&mut self, frame: &Frame, context: &mut SocketContext) {
        let refusal = match frame.hello() {
            Some(Ok(hello)) if hello.protocol == VERSION => return self.greet(hello, frame.reference()),
            Some(Ok(_)) => return self.leave(Farewell::WrongVersion, context),
            Some(Err(refusal)) => refusal,
            None => Refusal::new(
                Code::BadRequest,
                "The first frame of a connection is hello: {\"type\":\"hello\",\"protocol\":1,\"deviceId\":\"…\"}.",
            ),
        };
        let error = &refusal;
        if frame.hello().is_some() || frame.reference().is_some() {
            self.write(&ServerFrame::Rejected { error }, frame.reference());
        } else {
            self.write(&ServerFrame::Error { error }, None);
        }
    }

    fn greet(&mut self, hello: Hello, reference: Option<&str>) {
        let device_id = hello.card.device_id.clone();
        let welcome = Welcome {
            protocol: VERSION,
            connection_id: self.connection,
            device_id: &device_id,
            user_id: &UserId::owner(),
            server_time: self.service.hub.clock.now(),
            heartbeat_seconds: self.service.settings.heartbeat.as_secs().max(1),
            max_message_bytes: MAX_MESSAGE_BYTES,
        };
        self.write(&ServerFrame::Welcome(welcome), reference);
        let device =
            Device::new(self.service.hub.clone(), hello.card, self.connection, self.line.outbox.clone());
        let address = Device::create(|context| {
            context.set_mailbox_capacity(MAX_UNANSWERED);
            device
        });
        tracing::debug!(connection = %self.connection, device = %device_id, "device connected");
        self.device = Some((device_id, address));
        self.line.greeted();
    }

    /// Puts a frame of the socket's own behind the answers that wait.
    fn write(&self, frame: &ServerFrame<'_>, reference: Option<&str>) {
        let mut bytes = Vec::new();
        frame.write(reference, &mut bytes);
        self.line.outbox.push(Outgoing::Ready(bytes.into()));
    }

    fn take_fragment(&mut self, item: Item, context: &mut SocketContext) {
        match item {
            // The guard has added the fragments up: together they are no longer than a message may be.
            Item::FirstText(part) | Item::Continue(part) => self.fragments.extend_from_slice(&part),
            Item::FirstBinary(_) => self.leave(Farewell::NotText, context),
            Item::Last(part) => {
                let mut whole = std::mem::take(&mut self.fragments);
                whole.extend_from_slice(&part);
                match std::str::from_utf8(&whole) {
                    Ok(text) => self.take(text, context),
                    Err(_) => self.leave(Farewell::NotUtf8, context),
                }
            }
        }
    }

    fn take_error(&mut self, error: &ws::ProtocolError, context: &mut SocketContext) {
        match (self.line.fault(), error) {
            (Some(Fault::Violation(Violation::TooBig)), _) => self.leave(Farewell::TooBig, context),
            (Some(Fault::Gone), _) => context.stop(),
            // The codec has no error of its own for this one.
            (None, ws::ProtocolError::Io(_)) => self.leave(Farewell::NotUtf8, context),
            (Some(Fault::Violation(Violation::Malformed)) | None, _) => {
                self.leave(Farewell::Malformed, context);
            }
        }
    }
}

impl Actor for Socket {
    type Context = SocketContext;

    fn started(&mut self, context: &mut Self::Context) {
        let door = self.service.doors.enter(self.connection, context.address().recipient());
        self.door = Some(door);
        let settings = &self.service.settings;
        // One timer for all deadlines; they may pass by a quarter of the shortest.
        let shortest = settings.heartbeat.min(settings.write_within).min(settings.hello_within);
        context.run_interval(shortest / 4, Self::look_after);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Socket {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Self::Context) {
        if self.is_leaving {
            return;
        }
        match message {
            Ok(ws::Message::Text(text)) => self.take(&text, context),
            Ok(ws::Message::Continuation(item)) => self.take_fragment(item, context),
            Ok(ws::Message::Binary(_)) => self.leave(Farewell::NotText, context),
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Pong(payload)) => self.line.answered_ping(&payload),
            Ok(ws::Message::Nop) => {}
            Ok(ws::Message::Close(reason)) => {
                let code = reason.map_or(1000, |reason| reason.code.into());
                self.leave(Farewell::Echo(code), context);
            }
            Err(error) => self.take_error(&error, context),
        }
    }
}

impl Handler<Leave> for Socket {
    type Result = ();

    fn handle(&mut self, why: Leave, context: &mut Self::Context) {
        match why {
            Leave::Stopping => self.leave(Farewell::GoingAway, context),
            Leave::StorageInDoubt => {
                let line = self.line.clone();
                let answered = poll_fn(move |task| line.poll_answered(task.waker()));
                let answered = timeout(ANSWERS_WITHIN, answered).into_actor(self);
                context.spawn(answered.map(|_, socket, context| {
                    socket.leave(Farewell::StorageInDoubt, context);
                }));
            }
        }
    }
}

impl Drop for Socket {
    /// However it ended: the body writes what is left, and then ends too.
    fn drop(&mut self) {
        self.line.outbox.close(self.line.lost());
        self.service.traffic.slow_devices.add(u64::from(self.line.is_cut_off()));
        if let Some(device) = self.device_id() {
            tracing::debug!(connection = %self.connection, device, "device disconnected");
        }
    }
}
