//! The actor: takes requests in order, one hand-over at a time, and lets their outcomes come when they come.

mod projects;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use actix::prelude::*;
use serde_json::json;
use tokio::sync::oneshot;

use super::start::{Start, start};
use super::tenancy::Tenancy;
use super::{MAX_SUBSCRIPTIONS, MAX_UNANSWERED, Outbox, Outgoing, Reply, Request, Subscribe, Wish};
use crate::event::By;
use crate::hub::Hub;
use crate::ids::{ConnectionId, SessionId, UserId};
use crate::refusal::{Code, Refusal};
use crate::registry::{Presence, SessionHandle, Watcher};
use crate::room::{Parting, Stay};
use crate::session::{Answer, Ask, Command, DeviceCard, View};

use projects::Followed;

/// The actor of one connection. It ends when its socket drops its address; leaving rooms is dropping it.
#[derive(Debug)]
pub struct Device {
    hub: Hub,
    card: DeviceCard,
    connection: ConnectionId,
    outbox: Outbox,
    waiting: VecDeque<(Request, oneshot::Sender<()>)>,
    is_handing_over: bool,
    visits: HashMap<SessionId, Visit>,
    projects: HashMap<Arc<str>, Followed>,
    _tenancy: Tenancy,
    _presence: Presence,
}

/// A session that this connection follows.
#[derive(Debug)]
struct Visit {
    handle: SessionHandle,
    stay: Stay,
}

type Outcome = oneshot::Receiver<Result<Answer, Refusal>>;

impl Device {
    /// Makes the actor of a connection that has said hello; start it where its socket lives.
    #[must_use]
    pub fn new(hub: Hub, card: DeviceCard, connection: ConnectionId, outbox: Outbox) -> Self {
        let presence = hub.directory.connect(&card, connection, outbox.clone());
        let tenancy = Tenancy::begin(&hub.locks, &card.device_id, outbox.parting());
        Self {
            hub,
            card,
            connection,
            outbox,
            waiting: VecDeque::new(),
            is_handing_over: false,
            visits: HashMap::new(),
            projects: HashMap::new(),
            _tenancy: tenancy,
            _presence: presence,
        }
    }

    fn by(&self) -> By {
        By { device_id: self.card.device_id.clone(), user_id: UserId::owner() }
    }

    fn reply(&self, reference: Option<String>, reply: Reply) {
        self.outbox.push(Outgoing::Reply { reference, reply });
    }

    /// Takes requests until one has to be handed to a session; goes on when the session has it.
    fn take_next(&mut self, context: &mut Context<Self>) {
        while !self.is_handing_over
            && let Some((request, answered)) = self.waiting.pop_front()
        {
            let Request { reference, wish } = request;
            match wish {
                Wish::Subscribe(subscribe) => self.subscribe(reference, subscribe, answered, context),
                Wish::Command(session, command) => {
                    self.pass_on(reference, session, command, answered, context);
                }
                Wish::Notify(notify) => {
                    let sending = self.hub.notices.notify(&self.by(), &notify).into_actor(self);
                    context.spawn(sending.map(move |outcome, device, _| {
                        let reply = outcome.map_or_else(Reply::Rejected, Reply::Notified);
                        device.finish(reference, reply, answered);
                    }));
                }
                Wish::Project(wish) => self.take_project_wish(reference, wish, answered, context),
                quick => {
                    if let Some(reply) = self.answer_at_once(quick) {
                        self.reply(reference, reply);
                    }
                    let _ = answered.send(());
                }
            }
        }
    }

    fn answer_at_once(&mut self, wish: Wish) -> Option<Reply> {
        match wish {
            Wish::Ping => Some(Reply::Pong),
            Wish::Bad(refusal) => Some(Reply::Rejected(refusal)),
            Wish::Unknown(refusal) => Some(Reply::Error(refusal)),
            Wish::Unsubscribe(session) => {
                if let Some(visit) = self.visits.remove(&session) {
                    visit.stay.leave();
                }
                self.outbox.push(Outgoing::Unfollow(session));
                Some(Reply::Ok)
            }
            Wish::Watch => {
                let Hub { board, cursors, .. } = &self.hub;
                let (watcher, list) =
                    Watcher::start(board.clone(), cursors.clone(), self.card.device_id.clone());
                self.outbox.push(Outgoing::Watch(watcher));
                Some(Reply::SessionList(list))
            }
            Wish::Ack(session, seq) => {
                if let Some(visit) = self.visits.get(&session) {
                    visit.stay.ack(seq);
                }
                None
            }
            Wish::Activity(session, activity, cursor) => {
                if let Some(visit) = self.visits.get(&session) {
                    visit.stay.set_activity(activity);
                    if let Some(cursor) = cursor {
                        visit.stay.set_cursor(cursor);
                    }
                }
                None
            }
            Wish::Subscribe(_) | Wish::Command(..) | Wish::Notify(_) | Wish::Project(_) => None,
        }
    }

    /// Hands a command to its session; the next request is taken once the session has it, the answer follows.
    fn pass_on(
        &mut self,
        reference: Option<String>,
        session: SessionId,
        command: Command,
        answered: oneshot::Sender<()>,
        context: &mut Context<Self>,
    ) {
        let (hub, known, by) = (self.hub.clone(), self.known(session), self.by());
        let handing_over = async move {
            match known {
                Some(handle) => {
                    let command = hub.keep_attachments_of(&by, command).await?;
                    ask(&handle, by, command).await
                }
                None => hub.begin(session, by, command).await,
            }
        };
        self.is_handing_over = true;
        let handing_over = handing_over.into_actor(self);
        context.spawn(handing_over.map(move |handed, device, context| {
            device.is_handing_over = false;
            match handed {
                Err(refusal) => device.finish(reference, Reply::Rejected(refusal), answered),
                Ok(outcome) => {
                    let outcome = outcome.into_actor(device);
                    context.spawn(outcome.map(move |outcome, device, _| {
                        let reply = match outcome {
                            Ok(Ok(answer)) => Reply::Answer(answer),
                            Ok(Err(refusal)) => Reply::Rejected(refusal),
                            Err(_gone) => Reply::Rejected(Refusal::session_restarted()),
                        };
                        device.finish(reference, reply, answered);
                    }));
                }
            }
            device.take_next(context);
        }));
    }

    fn finish(&self, reference: Option<String>, reply: Reply, answered: oneshot::Sender<()>) {
        self.reply(reference, reply);
        let _ = answered.send(());
    }

    /// The way to a session that this connection follows, while it is good.
    fn known(&self, session: SessionId) -> Option<SessionHandle> {
        let visit = self.visits.get(&session).filter(|visit| visit.handle.addr.connected())?;
        Some(visit.handle.clone())
    }

    fn subscribe(
        &mut self,
        reference: Option<String>,
        wanted: Subscribe,
        answered: oneshot::Sender<()>,
        context: &mut Context<Self>,
    ) {
        let session = wanted.session;
        if self.is_full() && !self.visits.contains_key(&session) {
            self.finish(reference, Reply::Rejected(too_many()), answered);
            return;
        }
        let entry = Entry {
            hub: self.hub.clone(),
            known: self.known(session),
            by: self.by(),
            card: self.card.clone(),
            stays_already: self.visits.contains_key(&session),
            connection: self.connection,
            parting: self.outbox.parting(),
        };
        self.is_handing_over = true;
        let entering = entry.enter(wanted).into_actor(self);
        context.spawn(entering.map(move |entered, device, context| {
            device.is_handing_over = false;
            match entered {
                Err(refusal) => device.finish(reference, Reply::Rejected(refusal), answered),
                Ok(entered) => device.entered(reference, entered, answered),
            }
            device.take_next(context);
        }));
    }

    /// Whether it follows as much as it may.
    fn is_full(&self) -> bool {
        self.visits.len() + self.projects.len() >= MAX_SUBSCRIPTIONS
    }

    fn entered(&mut self, reference: Option<String>, entered: Entered, answered: oneshot::Sender<()>) {
        let Entered { handle, stay, view, start, people } = entered;
        let room = handle.room.clone();
        let follow = self.hub.follow(&handle, start.after);
        let reply = Reply::Subscribed {
            session: handle.session,
            epoch: self.hub.journal.epoch(),
            head: view.head,
            from: start.after + 1,
            reset: start.reset,
            state: view,
        };
        let stay = stay.or_else(|| self.visits.remove(&handle.session).map(|visit| visit.stay));
        if let Some(stay) = stay {
            self.visits.insert(handle.session, Visit { handle, stay });
        }
        self.finish(reference, reply, answered);
        self.outbox.push(Outgoing::Follow(follow));
        // Who came or went while the state was on its way is neither in it nor among the signals from here on.
        if *room.changes().borrow() != people {
            room.tell_who_is_there();
        }
    }
}

/// What is needed to enter a session's room from outside of the actor.
struct Entry {
    hub: Hub,
    known: Option<SessionHandle>,
    by: By,
    card: DeviceCard,
    stays_already: bool,
    connection: ConnectionId,
    parting: Parting,
}

/// A room entered, and where its stream starts.
struct Entered {
    handle: SessionHandle,
    /// None when the connection was there before.
    stay: Option<Stay>,
    view: Arc<View>,
    start: Start,
    /// Which change of who is online was the last before the state was taken.
    people: u64,
}

impl Entry {
    /// Goes in, so that the state shows the device as online; links it; finds where its stream starts.
    async fn enter(self, wanted: Subscribe) -> Result<Entered, Refusal> {
        let Self { hub, known, by, card, stays_already, connection, parting } = self;
        let handle = match known {
            Some(handle) => handle,
            None => hub.find(wanted.session).await?,
        };
        let stay = (!stays_already).then(|| handle.room.enter(connection, &card, parting));
        let people = *handle.room.changes().borrow();
        let attach = Command::Attach { connection, device: card };
        let attached = async {
            let view = match ask(&handle, by, attach).await?.await {
                Ok(Ok(Answer::View(view))) => view,
                Ok(Err(refusal)) => return Err(refusal),
                Ok(Ok(_)) | Err(_) => return Err(Refusal::session_restarted()),
            };
            let hash = hash_at_cursor(&hub, &wanted).await?;
            Ok((start(&wanted, &hub.journal.epoch(), view.head, hash.as_deref()), view))
        };
        match attached.await {
            Ok((start, view)) => Ok(Entered { handle, stay, view, start, people }),
            Err(refusal) => {
                // Whoever was not let in is not waited for.
                if let Some(stay) = stay {
                    stay.leave();
                }
                Err(refusal)
            }
        }
    }
}

fn too_many() -> Refusal {
    let message = format!(
        "One connection follows at most {MAX_SUBSCRIPTIONS} sessions and projects: unsubscribe from one first."
    );
    Refusal::new(Code::RateLimited, message).with_details(json!({ "max": MAX_SUBSCRIPTIONS }))
}

/// Hands a command to a session. Once this returns, a later command of the same sender comes after it.
async fn ask(handle: &SessionHandle, by: By, command: Command) -> Result<Outcome, Refusal> {
    let (reply, outcome) = oneshot::channel();
    handle.addr.send(Ask { by, command, reply }).await.map_err(|_gone| Refusal::session_restarted())?;
    Ok(outcome)
}

/// The hash that the journal has at the device's cursor, if the device wants it compared.
async fn hash_at_cursor(hub: &Hub, wanted: &Subscribe) -> Result<Option<String>, Refusal> {
    let (Some(after @ 1..), Some(_)) = (wanted.after, &wanted.hash) else {
        return Ok(None);
    };
    let page =
        hub.journal.read(wanted.session, after - 1, 1, 1).await.map_err(|error| Refusal::from(&error))?;
    Ok(page.first().filter(|record| record.seq == after).map(|record| record.hash.short()))
}

impl Actor for Device {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        // The socket never has more than this without an answer, so that requests stay in order (docs/architecture.md).
        context.set_mailbox_capacity(MAX_UNANSWERED * 2);
        self.hub.notices.welcome(&self.card.device_id, &self.outbox);
    }
}

impl Handler<Request> for Device {
    /// Resolves when the answer is in the outbox: the socket counts what is unanswered.
    type Result = ResponseFuture<()>;

    fn handle(&mut self, request: Request, context: &mut Context<Self>) -> Self::Result {
        let (answered, wait) = oneshot::channel();
        self.waiting.push_back((request, answered));
        self.take_next(context);
        Box::pin(async move {
            // An error means that the device has gone: nobody waits for the answer any more.
            let _ = wait.await;
        })
    }
}
