//! The page of one conversation, and what has to be remembered to type into it. Pure.

use serde_json::{Value, json};
use tandem_actors::ids::{DeviceId, MessageId, RequestId, Seq};

use crate::cli::render::{Renderer, Style};
use crate::client::{Incoming, SessionEvent, Subscribed};

/// See the module.
#[derive(Debug)]
pub(super) struct View {
    style: Style,
    renderer: Renderer,
    /// Questions without an answer, the oldest first.
    approvals: Vec<String>,
    queue: Vec<Value>,
    /// The state of the stream's beginning; what it says of the present is shown when the events before are.
    beginning: Option<Subscribed>,
    last: Seq,
    /// The head of the state that was taken last; approvals and queue know the events up to it already.
    known_up_to: Seq,
    /// Where in the shared state lies what this device is about to say.
    draft_key: String,
}

impl View {
    pub(super) fn new(style: Style, device: &DeviceId) -> Self {
        let renderer = Renderer::new(style);
        Self {
            style,
            renderer,
            approvals: Vec::new(),
            queue: Vec::new(),
            beginning: None,
            last: 0,
            known_up_to: 0,
            draft_key: format!("draft.{device}"),
        }
    }

    /// Begins with the state; the events that follow are shown as they come.
    pub(super) fn begin(&mut self, subscribed: Subscribed) -> String {
        self.take_state(&subscribed);
        self.last = subscribed.from.saturating_sub(1);
        let title = self.renderer.title(&subscribed.state);
        self.beginning = Some(subscribed);
        title + &self.show_present()
    }

    /// The last event that was shown.
    pub(super) const fn last(&self) -> Seq {
        self.last
    }

    /// What to show, and the message whose turn is over with it.
    pub(super) fn heard(&mut self, heard: Incoming) -> serde_json::Result<(String, Option<MessageId>)> {
        let text = match heard {
            Incoming::Event(event) => return self.event(&event),
            Incoming::Signal { kind, data, .. } if self.beginning.is_none() => {
                self.renderer.signal(&kind, &serde_json::from_str(data.get())?)
            }
            Incoming::Disconnected { reason, retry_in } => {
                let seconds = retry_in.as_secs_f64();
                self.renderer.warning(&format!("connection lost: {reason}; trying again in {seconds:.1} s"))
            }
            Incoming::Connected => self.renderer.note("connected again"),
            Incoming::Resumed(subscribed) => {
                self.take_state(&subscribed);
                String::new()
            }
            Incoming::Reset(subscribed) => {
                let note = self.renderer.warning("the server has another history now; this is its state");
                self.renderer = Renderer::new(self.style);
                note + &self.begin(*subscribed)
            }
            Incoming::Ended { rejection, .. } | Incoming::Error(rejection) => {
                self.renderer.warning(&rejection.message)
            }
            Incoming::Notice { from, message, .. } => self.renderer.notice(&from, &message),
            Incoming::Closed { reason } => self.renderer.warning(&reason),
            Incoming::Signal { .. } | Incoming::SessionList(_) | Incoming::Summary(_) => String::new(),
        };
        Ok((text, None))
    }

    /// The question that is meant: the one that is named, if only by the beginning of its id, or the oldest.
    pub(super) fn approval(&self, named: Option<RequestId>) -> Result<RequestId, &'static str> {
        let beginning = named.as_ref().map_or("", RequestId::as_str);
        let meant = self.approvals.iter().find(|id| id.starts_with(beginning));
        // One that is not known here may be known to the server.
        meant.and_then(|id| id.parse().ok()).or(named).ok_or("nothing waits for an answer")
    }

    pub(super) fn queue(&mut self) -> String {
        self.renderer.queue(&json!({ "queue": self.queue }))
    }

    pub(super) fn note(&mut self, text: &str) -> String {
        self.renderer.note(text)
    }

    pub(super) fn warning(&mut self, text: &str) -> String {
        self.renderer.warning(text)
    }

    fn event(&mut self, event: &SessionEvent) -> serde_json::Result<(String, Option<MessageId>)> {
        let data: Value = serde_json::from_str(event.data.get())?;
        self.last = event.seq;
        let mut text = self.renderer.event(event.at, &event.kind, &data);
        if event.kind == "state_changed" && event.seq > self.known_up_to {
            text.push_str(&self.moved_draft(&data["patch"]));
        }
        if event.seq > self.known_up_to {
            self.remember(&event.kind, &data);
        }
        let over = match event.kind.as_str() {
            "turn_ended" | "message_cancelled" => data["messageId"].as_str().and_then(|id| id.parse().ok()),
            _ => None,
        };
        Ok((text + &self.show_present(), over))
    }

    /// What another device was about to say, when it comes to this one with the lead; whole, because it is nowhere else.
    fn moved_draft(&mut self, patch: &Value) -> String {
        let was_elsewhere = patch.as_object().is_some_and(|patch| patch.values().any(Value::is_null));
        match patch[&self.draft_key].as_str().filter(|_| was_elsewhere) {
            Some(draft) => self.renderer.note(&format!("begun elsewhere, not sent yet: {draft}")),
            None => String::new(),
        }
    }

    fn show_present(&mut self) -> String {
        let is_present = |beginning: &mut Subscribed| self.last >= beginning.head;
        match self.beginning.take_if(is_present) {
            Some(beginning) => self.renderer.present(&beginning.state),
            None => String::new(),
        }
    }

    fn take_state(&mut self, subscribed: &Subscribed) {
        let state = &subscribed.state;
        self.known_up_to = subscribed.head;
        let approvals = state["approvals"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.approvals = approvals
            .iter()
            .filter_map(|approval| Some(approval["requestId"].as_str()?.to_owned()))
            .collect();
        self.queue = state["queue"].as_array().cloned().unwrap_or_default();
    }

    fn remember(&mut self, kind: &str, data: &Value) {
        let is_same = |message: &Value| message["messageId"] == data["messageId"];
        match kind {
            "approval_requested" => self.approvals.extend(data["requestId"].as_str().map(str::to_owned)),
            "approval_resolved" => self.approvals.retain(|id| data["requestId"] != id.as_str()),
            "message_accepted" if data["mode"] == "now" => self.queue.insert(0, data.clone()),
            "message_accepted" => self.queue.push(data.clone()),
            "message_cancelled" | "turn_dispatched" | "turn_ended" => {
                self.queue.retain(|message| !is_same(message));
            }
            "message_edited" => {
                for message in self.queue.iter_mut().filter(|message| is_same(message)) {
                    message["content"] = data["content"].clone();
                }
            }
            "queue_moved" => self.move_message(data),
            _ => {}
        }
    }

    fn move_message(&mut self, data: &Value) {
        let place_of =
            |queue: &[Value], id: &Value| queue.iter().position(|message| message["messageId"] == *id);
        let Some(place) = place_of(&self.queue, &data["messageId"]) else { return };
        let message = self.queue.remove(place);
        let to = place_of(&self.queue, &data["before"]).unwrap_or(self.queue.len());
        self.queue.insert(to, message);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use tandem_actors::clock::Timestamp;
    use tandem_actors::ids::SessionId;

    use super::*;

    const MESSAGE: &str = "0197a2c4-0000-7000-8000-000000000002";

    fn event(seq: Seq, kind: &str, data: &Value) -> Incoming {
        let at = Timestamp::from_millis(0);
        let data = RawValue::from_string(data.to_string()).unwrap();
        let (session, hash, kind) = (SessionId::random(), String::new(), kind.to_owned());
        Incoming::Event(SessionEvent { session, seq, hash, at, kind, data })
    }

    fn begun(head: Seq, from: Seq, state: Value) -> View {
        let mut view = View::new(Style::Plain, &"phone".parse().unwrap());
        let (session_id, epoch) = (SessionId::random(), "e".to_owned());
        view.begin(Subscribed { session_id, epoch, head, from, reset: false, state });
        view
    }

    fn oldest(view: &View) -> Option<String> {
        view.approval(None).ok().map(|id| id.to_string())
    }

    #[test]
    fn the_oldest_question_is_the_one_that_is_meant() {
        let mut view = begun(1, 2, json!({"approvals": [{"requestId": "q1"}]}));
        view.heard(event(2, "approval_requested", &json!({"requestId": "q2"}))).unwrap();
        assert_eq!(oldest(&view).as_deref(), Some("q1"));
        view.heard(event(3, "approval_resolved", &json!({"requestId": "q1"}))).unwrap();
        assert_eq!(oldest(&view).as_deref(), Some("q2"));
    }

    #[test]
    fn the_beginning_of_an_id_is_enough() {
        let view = begun(0, 1, json!({"approvals": [{"requestId": "04aa-1"}, {"requestId": "07bb-2"}]}));
        assert_eq!(view.approval("07".parse().ok()).unwrap().to_string(), "07bb-2");
        assert_eq!(view.approval("q9".parse().ok()).unwrap().to_string(), "q9");
    }

    #[test]
    fn history_does_not_change_what_the_state_says_of_the_present() {
        let mut view = begun(2, 1, json!({"approvals": [], "queue": []}));
        view.heard(event(1, "approval_requested", &json!({"requestId": "q1"}))).unwrap();
        assert_eq!(oldest(&view), None);
    }

    #[test]
    fn what_was_missed_during_a_reconnect_counts_once() {
        let mut view = begun(0, 1, json!({}));
        let state = json!({"approvals": [{"requestId": "q1"}]});
        let (session_id, epoch) = (SessionId::random(), "e".to_owned());
        let resumed = Subscribed { session_id, epoch, head: 1, from: 1, reset: false, state };
        view.heard(Incoming::Resumed(Box::new(resumed))).unwrap();
        view.heard(event(1, "approval_requested", &json!({"requestId": "q1"}))).unwrap();
        view.heard(event(2, "approval_resolved", &json!({"requestId": "q1"}))).unwrap();
        assert_eq!(oldest(&view), None);
    }

    #[test]
    fn the_running_answer_is_shown_after_the_events_before_it() {
        let mut view = begun(1, 1, json!({"turn": {"text": "so far"}}));
        let (text, _) = view.heard(event(1, "session_created", &json!({"projectPath": "/p"}))).unwrap();
        assert_eq!(text, "· began in /p\nso far");
    }

    #[test]
    fn the_queue_follows_the_events() {
        let mut view = begun(0, 1, json!({}));
        let accepted = |id: &str| json!({"messageId": id, "deviceId": "d", "content": id, "mode": "queue"});
        for (seq, id) in [(1, "a"), (2, "b"), (3, "c")] {
            view.heard(event(seq, "message_accepted", &accepted(id))).unwrap();
        }
        view.heard(event(4, "turn_dispatched", &json!({"messageId": "a"}))).unwrap();
        view.heard(event(5, "queue_moved", &json!({"messageId": "c", "before": "b"}))).unwrap();
        view.heard(event(6, "message_edited", &json!({"messageId": "b", "content": "new"}))).unwrap();
        assert_eq!(view.queue(), "c  d  c\nb  d  new\n");
    }

    #[test]
    fn the_end_of_a_turn_names_its_message() {
        let mut view = begun(0, 1, json!({}));
        let ended = json!({"messageId": MESSAGE, "outcome": "completed"});
        let (_, over) = view.heard(event(1, "turn_ended", &ended)).unwrap();
        assert_eq!(over, MESSAGE.parse().ok());
    }

    #[test]
    fn a_draft_that_comes_with_the_lead_is_shown_and_ones_own_is_not() {
        let mut view = begun(0, 0, json!({"approvals": [], "queue": []}));
        let own = event(1, "state_changed", &json!({"patch": {"draft.phone": "mine"}}));
        assert_eq!(view.heard(own).unwrap().0, "");
        let moved = json!({"patch": {"draft.laptop": null, "draft.phone": "in the middle of"}});
        let shown = view.heard(event(2, "state_changed", &moved)).unwrap().0;
        assert!(shown.contains("in the middle of"), "{shown}");
    }
}
