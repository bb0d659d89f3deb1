//! `/api/chat`: one message and its answer, for programs that want nothing else.

mod attachments;
mod order;
mod stream;
mod turn;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use tandem_actors::event::By;
use tandem_actors::ids::{MessageId, SessionId};
use tandem_actors::refusal::{Effect, Refusal};
use tandem_actors::registry::{Create, SessionHandle};
use tandem_actors::session::{Answer, Command, Submit};

use super::body::Body;
use super::caller;
use crate::error::ApiError;
use crate::service::Service;

use order::{Order, Place, Wanted};
use turn::{Accepted, Turn};

/// Submits a message and answers as it was asked to: when the turn ends, at once, or as it goes.
///
/// A client that goes away ends nothing: the message is durable, and its id asks for the same answer again.
pub(super) async fn chat(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let Order { by, place, submit, wanted } = Order::read(&request, &body.0)?;
    drop(body);
    // Before a session is begun: attachments that are refused shall not leave an empty one behind.
    let content = service.hub.keep_attachments(&by, submit.content).await?;
    let submit = Submit { content, ..submit };
    let handle = find_or_create(&service, by.clone(), place, submit.message_id).await?;
    let accepted = submit_to(&service, by, handle.session, submit).await?;
    if wanted == Wanted::Acceptance {
        return Ok(HttpResponse::Accepted().json(accepted.without_answer()));
    }
    // From the message on and not from now on: a repeated message may have its answer already.
    let follow = service.hub.follow(&handle, accepted.seq.saturating_sub(1));
    let turn = Turn::new(follow, accepted.message_id);
    if wanted == Wanted::Stream {
        return Ok(stream::answer(service, accepted, turn));
    }
    wait(&service, accepted, turn).await
}

/// Ends the running turn.
pub(super) async fn interrupt(
    request: HttpRequest,
    body: Body,
    service: web::Data<Service>,
) -> Result<HttpResponse, ApiError> {
    let fields = &body.0;
    let session: SessionId = fields.required("sessionId")?;
    let cancel_queued = fields.optional("cancelQueued")?.unwrap_or(false);
    let by = caller::by(&request, fields)?;
    service.hub.ask(session, by, Command::Interrupt { cancel_queued }).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true, "sessionId": session })))
}

/// A message that has an id begins one session and no more, however often it is sent.
async fn find_or_create(
    service: &Service,
    by: By,
    place: Place,
    first_message: Option<MessageId>,
) -> Result<SessionHandle, Refusal> {
    match place {
        Place::Session(session) => service.hub.find(session).await,
        Place::Project(project_path) => {
            let create =
                Create { by, project_path, title: None, model: None, permission_mode: None, first_message };
            service.hub.create(create).await
        }
    }
}

async fn submit_to(
    service: &Service,
    by: By,
    session: SessionId,
    submit: Submit,
) -> Result<Accepted, Refusal> {
    match service.hub.ask(session, by, Command::Submit(submit)).await? {
        Answer::Accepted { message_id, seq, duplicate } => {
            Ok(Accepted { session, message_id, seq, duplicate })
        }
        Answer::Done | Answer::StateSet { .. } | Answer::Extended { .. } | Answer::View(_) => {
            Err(Refusal::session_restarted())
        }
    }
}

async fn wait(service: &Service, accepted: Accepted, mut turn: Turn) -> Result<HttpResponse, ApiError> {
    let end = tokio::select! {
        end = turn.end() => end?,
        () = service.doors.closing() => return Err(stopped_meanwhile(&accepted).into()),
    };
    Ok(HttpResponse::Ok().json(accepted.with_answer(&end)))
}

/// The server stops while somebody waits: the message is kept, the answer is asked for again later.
fn stopped_meanwhile(accepted: &Accepted) -> Refusal {
    Refusal {
        effect: Effect::Done,
        message: "The server is stopping. Your message is kept; send it again with the same messageId for its answer."
            .into(),
        ..Refusal::shutting_down()
    }
    .with_details(accepted.without_answer())
}
