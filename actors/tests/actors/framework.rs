//! How the actor framework itself behaves where the design rests on it: if an update changes it, these say so.

use std::time::Duration;

use actix::prelude::*;

#[derive(Message)]
#[rtype(result = "()")]
struct Note(u32);

#[derive(Message)]
#[rtype(result = "Vec<u32>")]
struct Notes;

struct Notebook {
    notes: Vec<u32>,
}

impl Actor for Notebook {
    type Context = Context<Self>;
}

impl Handler<Note> for Notebook {
    type Result = ();
    fn handle(&mut self, note: Note, _: &mut Context<Self>) {
        assert!(note.0 < 1_000, "planted panic");
        self.notes.push(note.0);
    }
}

impl Handler<Notes> for Notebook {
    type Result = Vec<u32>;
    fn handle(&mut self, _: Notes, _: &mut Context<Self>) -> Vec<u32> {
        self.notes.clone()
    }
}

fn notebook() -> Addr<Notebook> {
    Notebook { notes: Vec::new() }.start()
}

#[actix::test]
async fn a_message_is_queued_when_send_is_called_and_not_when_it_is_awaited() {
    let notebook = notebook();
    let first = notebook.send(Note(1));
    let second = notebook.send(Note(2));
    second.await.unwrap();
    first.await.unwrap();
    assert_eq!(notebook.send(Notes).await.unwrap(), [1, 2]);
}

#[actix::test]
async fn a_panic_ends_the_actor_and_tells_the_asker() {
    let notebook = notebook();
    assert!(matches!(notebook.send(Note(1_000)).await, Err(MailboxError::Closed)));
    assert!(!notebook.connected());
}

#[actix::test]
async fn timers_follow_the_virtual_clock() {
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    actix_rt::time::sleep(Duration::from_secs(3_600)).await;
    assert!(start.elapsed() >= Duration::from_secs(3_600));
}
