//! The projects of a connection: their streams, its locks, and what it tells the others.

use std::path::Path;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Device, hash_at_cursor, too_many};
use crate::device::start::{Start, start};
use crate::device::{Outgoing, ProjectWish, Reply, SubscribeProject, SubscribedProject};
use crate::hub::Hub;
use crate::ids::DeviceId;
use crate::locks::Holder;
use crate::project::{Happening, LockAsk, LockOutcome, Visit, file_in, within};
use crate::refusal::Refusal;
use crate::room::Signal;

/// A project that this connection follows.
#[derive(Debug)]
pub(super) struct Followed {
    visit: Visit,
    /// What the client calls it.
    asked_as: String,
}

/// A project as a frame names it.
enum Named {
    Known(Arc<str>),
    ToBeFound(String),
}

/// What comes of a request when it has been handed over.
enum Next {
    Answer(Reply),
    Later(BoxFuture<'static, Reply>),
    Entered(Box<Entered>),
}

struct Entered {
    followed: Followed,
    reply: SubscribedProject,
    start: Start,
}

impl Device {
    pub(super) fn take_project_wish(
        &mut self,
        reference: Option<String>,
        wish: ProjectWish,
        answered: oneshot::Sender<()>,
        context: &mut Context<Self>,
    ) {
        match self.begin_project_wish(wish) {
            Ok(Begun::Now(next)) => self.go_on(reference, next, answered, context),
            Ok(Begun::Soon(first)) => self.hand_over(reference, first, answered, context),
            Err(refusal) => self.finish(reference, Reply::Rejected(refusal), answered),
        }
    }

    fn begin_project_wish(&mut self, wish: ProjectWish) -> Result<Begun, Refusal> {
        match wish {
            ProjectWish::Subscribe(wanted) => self.subscribe_project(wanted),
            ProjectWish::Unsubscribe { project } => Ok(self.unsubscribe_project(project.as_deref())),
            ProjectWish::Lock { project, name, also, act } => {
                let named = self.named(project)?;
                let holder = self.holder();
                let ask = |project| LockAsk { holder, project, name, also, act, is_kept: true };
                Ok(self.begin_lock(named, ask))
            }
            ProjectWish::FileChange { project, file_path, change_type, hash } => {
                let (hub, named, holder) = (self.hub.clone(), self.named(project)?, self.holder());
                Ok(Begun::Soon(Box::pin(async move {
                    let told = async {
                        let project = named.found(&hub).await?;
                        let file_path = path_within(&project, file_path).await?;
                        let changed =
                            Happening::FileChanged { file_path, change_type, hash, holder: Some(holder) };
                        Ok(hub.projects.tell_durably(&project, changed.into()))
                    };
                    match told.await {
                        Ok(durable) => Next::Later(Box::pin(async { done(durable.await) })),
                        Err(refusal) => Next::Answer(Reply::Rejected(refusal)),
                    }
                })))
            }
            ProjectWish::CursorPosition { project, data } => {
                let (hub, named) = (self.hub.clone(), self.named(project)?);
                let signal = cursor_update(&self.card.device_id, data);
                Ok(Begun::Soon(Box::pin(async move {
                    let found = named.found(&hub).await;
                    Next::Answer(done(found.map(|project| hub.projects.signal(&project, &signal))))
                })))
            }
            ProjectWish::Resolve { conflict, resolution, content } => {
                let (projects, by) = (self.hub.projects.clone(), self.by());
                Ok(Begun::Now(Next::Later(Box::pin(async move {
                    done(projects.resolve(conflict, resolution, content, by).await)
                }))))
            }
        }
    }

    /// Answers at once where everything is known; otherwise the disk is asked first.
    fn begin_lock(&self, named: Named, ask: impl FnOnce(Arc<str>) -> LockAsk) -> Begun {
        let desk = self.hub.locks.clone();
        match named {
            Named::Known(project) => {
                let ask = ask(project);
                match desk.ask_at_once(&ask) {
                    Some(outcome) => Begun::Now(outcome.into()),
                    None => Begun::Soon(Box::pin(async move { desk.ask(ask).await.into() })),
                }
            }
            Named::ToBeFound(path) => {
                let (projects, ask) = (self.hub.projects.clone(), ask(path.as_str().into()));
                Begun::Soon(Box::pin(async move {
                    match projects.find(&path).await {
                        Ok(project) => desk.ask(LockAsk { project, ..ask }).await.into(),
                        Err(refusal) => Next::Answer(Reply::Rejected(refusal)),
                    }
                }))
            }
        }
    }

    fn subscribe_project(&self, wanted: SubscribeProject) -> Result<Begun, Refusal> {
        if self.is_full() && self.followed(&wanted.project).is_none() {
            return Err(too_many());
        }
        let hub = self.hub.clone();
        Ok(Begun::Soon(Box::pin(async move {
            match enter(hub, wanted).await {
                Ok(entered) => Next::Entered(Box::new(entered)),
                Err(refusal) => Next::Answer(Reply::Rejected(refusal)),
            }
        })))
    }

    fn unsubscribe_project(&mut self, project: Option<&str>) -> Begun {
        let followed = match project {
            Some(path) => self.followed(path).cloned(),
            None => self.only_project(),
        };
        if let Some(followed) = followed.and_then(|project| self.projects.remove(&project)) {
            self.outbox.push(Outgoing::Unfollow(followed.visit.id()));
        }
        Begun::Now(Next::Answer(Reply::Ok))
    }

    fn hand_over(
        &mut self,
        reference: Option<String>,
        first: BoxFuture<'static, Next>,
        answered: oneshot::Sender<()>,
        context: &mut Context<Self>,
    ) {
        self.is_handing_over = true;
        context.spawn(first.into_actor(self).map(move |next, device, context| {
            device.is_handing_over = false;
            device.go_on(reference, next, answered, context);
            device.take_next(context);
        }));
    }

    fn go_on(
        &mut self,
        reference: Option<String>,
        next: Next,
        answered: oneshot::Sender<()>,
        context: &mut Context<Self>,
    ) {
        match next {
            Next::Answer(reply) => self.finish(reference, reply, answered),
            Next::Later(later) => {
                let later = later.into_actor(self);
                context.spawn(later.map(|reply, device, _| device.finish(reference, reply, answered)));
            }
            Next::Entered(entered) => {
                let Entered { followed, reply, start } = *entered;
                let follow = followed.visit.follow(self.hub.journal.clone(), start.after);
                self.projects.insert(followed.visit.project().clone(), followed);
                self.finish(reference, Reply::SubscribedProject(Box::new(reply)), answered);
                self.outbox.push(Outgoing::Follow(follow));
            }
        }
    }

    fn holder(&self) -> Holder {
        Holder::DeviceId(self.card.device_id.clone())
    }

    fn named(&self, path: Option<String>) -> Result<Named, Refusal> {
        let Some(path) = path else {
            return self.only_project().map(Named::Known).ok_or_else(|| {
                let message = "Name the projectPath, or follow exactly one project.";
                Refusal::bad_field("projectPath", message)
            });
        };
        let known = self.followed(&path).cloned().or_else(|| self.hub.projects.find_at_once(&path));
        Ok(known.map_or(Named::ToBeFound(path), Named::Known))
    }

    fn only_project(&self) -> Option<Arc<str>> {
        let mut followed = self.projects.keys();
        followed.next().filter(|_| followed.next().is_none()).cloned()
    }

    /// The project that it follows under this name.
    fn followed(&self, path: &str) -> Option<&Arc<str>> {
        let is_it =
            |(project, followed): &(&Arc<str>, &Followed)| &***project == path || followed.asked_as == path;
        self.projects.iter().find(is_it).map(|(project, _)| project)
    }
}

/// How far a request comes without waiting.
enum Begun {
    Now(Next),
    /// The next request waits until this is through.
    Soon(BoxFuture<'static, Next>),
}

impl Named {
    async fn found(self, hub: &Hub) -> Result<Arc<str>, Refusal> {
        match self {
            Self::Known(project) => Ok(project),
            Self::ToBeFound(path) => hub.projects.find(&path).await,
        }
    }
}

impl From<LockOutcome> for Next {
    fn from(outcome: LockOutcome) -> Self {
        let word = |answer: Result<_, Refusal>| answer.map_or_else(Reply::Rejected, Reply::Lock);
        match outcome {
            LockOutcome::Now(answer) => Self::Answer(word(answer)),
            LockOutcome::Later(waiter) => Self::Later(Box::pin(async move { word(waiter.decided().await) })),
        }
    }
}

/// Loads the channel, finds where the stream starts, and looks at what there is.
async fn enter(hub: Hub, wanted: SubscribeProject) -> Result<Entered, Refusal> {
    let asked_as = wanted.project.clone();
    let project = hub.projects.find(&wanted.project).await?;
    let visit = hub.projects.visit(&project).await?;
    let wanted = wanted.of_channel(visit.id());
    let hash = hash_at_cursor(&hub, &wanted).await?;
    let epoch = hub.journal.epoch();
    let (head, conflicts) = visit.look();
    let start = start(&wanted, &epoch, head, hash.as_deref()).not_before(visit.first());
    let reply = SubscribedProject {
        project_path: project.clone(),
        head,
        from: start.after + 1,
        epoch,
        reset: start.reset,
        locks: hub.locks.list(Some(&project)),
        conflicts,
        sessions: hub.projects.members(&project),
        enforcement: hub.projects.enforcements().of(&project),
    };
    Ok(Entered { followed: Followed { visit, asked_as }, reply, start })
}

async fn path_within(project: &Arc<str>, path: String) -> Result<String, Refusal> {
    let looking_in = project.clone();
    let looked =
        tokio::task::spawn_blocking(move || file_in(Path::new(&*looking_in), &path, "filePath")).await;
    let real = looked.map_err(|_stopped| Refusal::shutting_down())??;
    Ok(within(project, &real))
}

fn cursor_update(device: &DeviceId, data: Value) -> Signal {
    let mut data = match data {
        Value::Object(data) => data,
        _ => serde_json::Map::new(),
    };
    data.insert("deviceId".to_owned(), device.as_str().into());
    Signal::cursor_update(data.into())
}

fn done(outcome: Result<(), Refusal>) -> Reply {
    outcome.map_or_else(Reply::Rejected, |()| Reply::Ok)
}
