//! An agent is about to write over content that its session has not seen.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::collide::{Case, Collision, Wish};
use super::merging::Merging;
use super::set_back::SetBack;
use super::{Files, Found, Place};
use crate::blobs::BlobHash;
use crate::conflicts::{self, FileEdit, Made, Version, edit_between, made};
use crate::guard::{Attempt, Collisions, Diverged, Late, Ruling, UntilDone, Writing};
use crate::ids::SessionId;
use crate::locks::Holder;
use crate::project::{Conflict, ConflictId, Happening};

impl Collisions for Arc<Files> {
    fn before_write(&self, attempt: Attempt) -> BoxFuture<'static, Ruling> {
        let (files, again) = (self.clone(), attempt.read_again());
        // The turn may end meanwhile: what was begun to be told of is ended all the same.
        let ruling = self.carry_through(async move { files.rule(attempt).await });
        Box::pin(async move { ruling.await.unwrap_or(Ruling::Deny(again)) })
    }

    fn write_over(&self, attempt: Attempt) -> BoxFuture<'static, ()> {
        let files = self.clone();
        let keeping = self.carry_through(async move { files.keep_both(attempt).await });
        Box::pin(async move { keeping.await.unwrap_or_default() })
    }

    fn seen(&self, session: SessionId, project: &Arc<str>, path: &Path, hash: BlobHash, content: &Bytes) {
        Files::seen(self, session, project, path, hash, content);
    }

    fn wrote_over(&self, late: Late) -> bool {
        Files::wrote_over(self, late)
    }

    fn begins(&self, writing: Writing) {
        self.calls.add(writing);
    }

    fn wrote(&self, session: SessionId, path: &Path, hash: Option<BlobHash>) {
        self.known.made(&Holder::SessionId(session), path, hash);
    }

    fn diverged(&self, diverged: Diverged) -> BoxFuture<'static, ()> {
        let files = self.clone();
        let noting = self.carry_through(async move { files.note_divergence(diverged).await });
        Box::pin(async move { noting.await.unwrap_or_default() })
    }

    fn keep(&self, contents: Vec<Bytes>) -> BoxFuture<'static, ()> {
        let files = self.clone();
        Box::pin(async move { files.keep_for_people(contents.into_iter().map(Some)).await })
    }

    fn left(&self, session: SessionId, project: &Arc<str>) {
        for conflict in self.known.gone(session) {
            self.settle_by_itself(project, conflict);
        }
    }
}

impl Files {
    async fn rule(self: Arc<Self>, attempt: Attempt) -> Ruling {
        // What is no plain file of the project, too large or not to be read is nobody's to merge, and not to be lost.
        let again = || Ruling::Deny(attempt.read_again());
        let Attempt { session, project, path, seen, tool, input, .. } = attempt.clone();
        let found = tokio::task::spawn_blocking(move || Place::find(Path::new(&*project), &path)).await;
        let Ok(Ok(place)) = found else { return again() };
        let Ok(found) = self.look(&place).await else { return again() };
        let Ok(Value::Object(fields)) = serde_json::from_str(input.get()) else { return Ruling::Let };
        if found.hash == seen {
            return Ruling::Let;
        }
        let proposed = match self.proposed(&tool, &fields, seen, &found).await {
            Made::Text(text) => text.into(),
            Made::Misfit => return Ruling::Let,
            Made::Unknown => return again(),
        };
        let conflict = self.known.open_conflict(session, place.path());
        let by = Holder::SessionId(session);
        let wish = Wish { place, by, base: seen, proposed, conflict };
        if wish.fits(&found) {
            return Ruling::Let;
        }
        match self.collide(&wish, found).await {
            Collision::Over(_) => Ruling::Let,
            Collision::Merged { case, on, content } => {
                if let Some(ruling) = self.instead(&wish, case, &tool, fields, &on, &content).await {
                    return ruling;
                }
                // It was told of, and a person may still decide.
                self.known.denied(session, wish.place.path(), case.id);
                self.leave_open(&wish, case, &on, None).await;
                again()
            }
            Collision::Open(conflict) => {
                self.known.denied(session, wish.place.path(), conflict.conflict_id);
                Ruling::Deny(denied(&wish.place, &conflict))
            }
        }
    }

    /// Has the tool write the merged content over what is there; none where it would not.
    async fn instead(
        self: &Arc<Self>,
        wish: &Wish,
        case: Case,
        tool: &str,
        fields: Map<String, Value>,
        on: &Found,
        merged: &str,
    ) -> Option<Ruling> {
        let Holder::SessionId(session) = wish.by else { return None };
        let there = on.hash?;
        let (name, on_now, text) = (tool.to_owned(), on.clone(), merged.to_owned());
        let rewriting = tokio::task::spawn_blocking(move || rewritten(&name, fields, &on_now, &text));
        let input = rewriting.await.ok()??;
        let mut set_back = None;
        if tool == "Write" {
            let (place, runtime) = (wish.place.clone(), self.runtime.clone());
            let setting = tokio::task::spawn_blocking(move || SetBack::new(place, there, runtime));
            set_back = Some(setting.await.ok()?.ok()??);
        }
        if let Some(content) = on.content.clone() {
            self.parts.versions.keep(there, content).await;
        }
        // From this the session goes out when it writes again, merged or not.
        self.parts.versions.keep(BlobHash::of(&wish.proposed), wish.proposed.clone()).await;
        let until_done: UntilDone = Arc::new(Merging::begin(self, session, wish, case, on, merged, set_back));
        Some(Ruling::Instead { input, until_done: Some(until_done) })
    }

    /// A session writes over what it has not seen, where locks only warn. What was there is kept, so that a person can
    /// have it back (`theirs`): what is there in a moment is the session's.
    async fn keep_both(&self, attempt: Attempt) {
        let Attempt { session, project, path, seen, tool, input, .. } = attempt;
        let found = tokio::task::spawn_blocking(move || Place::find(Path::new(&*project), &path)).await;
        let Ok(Ok(place)) = found else { return };
        let Ok(found) = self.look(&place).await else { return };
        let Ok(Value::Object(fields)) = serde_json::from_str(input.get()) else { return };
        if found.hash == seen {
            return;
        }
        let written = match self.proposed(&tool, &fields, seen, &found).await {
            Made::Text(text) => Some(Bytes::from(text)),
            Made::Unknown => None,
            Made::Misfit => return,
        };
        if written.is_some() && written == found.content {
            return;
        }
        let by = Holder::SessionId(session);
        let maker = self.known.maker(place.path(), found.hash).filter(|maker| *maker != by);
        let what = if found.hash.is_some() { "had written it" } else { "had removed it" };
        let edit = FileEdit {
            project: place.project().clone(),
            file: place.within().to_owned(),
            base: seen,
            ours: Version {
                holder: Some(by),
                what: "wrote over what it had not read: locks only warn here".to_owned(),
                hash: written.as_deref().map(BlobHash::of),
            },
            theirs: Version { holder: maker, what: what.to_owned(), hash: found.hash },
        };
        self.keep_for_people([self.version(seen).await, found.content, written]).await;
        let conflict = conflicts::file_edit(edit, ConflictId::random(), self.parts.clock.now());
        self.tell(place.project(), Happening::ConflictDetected(Box::new(conflict)));
    }

    /// The file as the tool would have it, had nobody else written.
    async fn proposed(
        &self,
        tool: &str,
        fields: &Map<String, Value>,
        seen: Option<BlobHash>,
        found: &Found,
    ) -> Made {
        // Without its base an edit is tried on what is there: it changes only what it names.
        let base = match self.version(seen).await.or_else(|| found.content.clone()) {
            Some(base) => base,
            None => Bytes::new(),
        };
        made(tool, fields, std::str::from_utf8(&base).unwrap_or_default())
    }
}

/// The tool's input with which the file becomes the merged one.
fn rewritten(tool: &str, mut fields: Map<String, Value>, on: &Found, merged: &str) -> Option<Arc<RawValue>> {
    if tool == "Write" {
        fields.insert("content".into(), merged.into());
    } else {
        let there = std::str::from_utf8(on.content.as_deref()?).ok()?;
        let edit = edit_between(there, merged);
        let edit =
            [("old_string", edit.old.into()), ("new_string", edit.new.into()), ("replace_all", json!(false))];
        if tool == "Edit" {
            fields.extend(edit.map(|(name, value)| (name.to_owned(), value)));
        } else {
            fields.insert(
                "edits".into(),
                json!([edit.into_iter().collect::<std::collections::HashMap<_, _>>()]),
            );
        }
    }
    RawValue::from_string(Value::Object(fields).to_string()).ok().map(Arc::from)
}

fn denied(place: &Place, conflict: &Conflict) -> String {
    let who = conflict.ours.holder.as_ref().map_or_else(|| "Somebody else".to_owned(), ToString::to_string);
    let id = conflict.conflict_id;
    let file = place.within();
    let hunks = match &conflict.hunks {
        Some(hunks) => format!(" The places that do not fit (ours: what is there; theirs: yours):\n{hunks}"),
        None => String::new(),
    };
    format!(
        "{who} has changed {file} since you read it, and your change does not fit to that, so nothing was written. Read the file again and make your change on top of what is there now, or leave it to a person, who has been asked to decide (conflict {id}).{hunks}"
    )
}
