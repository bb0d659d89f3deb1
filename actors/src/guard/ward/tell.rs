//! What a ward tells people, and the model.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::Ward;
use crate::conflicts::lock_denied;
use crate::guard::answer::{InTheWay, taken};
use crate::guard::collisions::Late;
use crate::guard::places::There;
use crate::locks::{Denied, Holder, Lease, Resource, Why};
use crate::project::{Conflict, ConflictId, ConflictKind, Enforcement, Happening, Side};

/// How long a record may wait for the versions that it refers to: a disk that takes longer keeps nothing.
const KEEP_WITHIN: Duration = Duration::from_secs(5);

impl Ward {
    /// Puts on record that the session could not have what it wanted, because of somebody.
    pub(super) fn tell_denied(&self, resources: &[Resource], denied: &Denied, mode: Enforcement) {
        let what = match (&denied.why, mode) {
            (Why::Gone | Why::Storage, _) => return,
            (_, Enforcement::Warn | Enforcement::Off) => "went on without it: locks only warn here",
            (Why::Deadlock(_), _) => "was refused: each waited for what the other had",
            (Why::Busy | Why::TimedOut | Why::Full, _) => "waited for it, and was refused",
        };
        let names = self.names(resources);
        let who = denied.holder.as_ref().map(ToString::to_string).unwrap_or_default();
        if self.turn().denied.insert(format!("{names} {who} {what}")) {
            let now = self.guard.clock.now();
            let conflict = lock_denied(self.project.clone(), names, self.holder(), denied, what, now);
            self.tell(Happening::ConflictDetected(Box::new(conflict)));
        }
    }

    fn names(&self, resources: &[Resource]) -> String {
        resources.iter().map(|resource| self.named(resource)).collect::<Vec<_>>().join(", ")
    }

    /// A lock that somebody took away while the tool ran has not held: people must see what came of it, with what was
    /// there before and what is there now.
    pub(super) async fn check_lease(&self, lease: &Lease, path: &Path, before: &There, now: &There) {
        if self.guard.keeper.is_current(lease.ticket, lease.fence) {
            return;
        }
        if let Some(hash) = now.hash() {
            let (session, project) = (self.session, self.project.clone());
            let late = Late { session, project, path: path.to_owned(), before: before.hash(), now: hash };
            if self.guard.collisions.wrote_over(late) {
                return;
            }
        }
        let contents = [before, now].into_iter().filter_map(There::bytes).collect();
        let _ = timeout(KEEP_WITHIN, self.guard.collisions.keep(contents)).await;
        let at = self.guard.clock.now();
        let hash = |there: &There| there.hash().map(|hash| hash.to_string());
        let holder = self.guard.keeper.holder_of(&Resource::file(path));
        let ours = Side {
            holder: holder.filter(|holder| *holder != self.holder()),
            what: "took the lock away while the tool ran, or has it since".to_owned(),
            hash: None,
            at,
        };
        let theirs = Side {
            holder: Some(self.holder()),
            what: "wrote the file without the lock".to_owned(),
            hash: hash(now),
            at,
        };
        self.tell(Happening::ConflictDetected(Box::new(Conflict {
            conflict_id: ConflictId::random(),
            kind: ConflictKind::ResourceLock,
            project_path: self.project.clone(),
            subject: self.shown(path),
            found_at: at,
            ours,
            theirs,
            base: hash(before),
            hunks: None,
            resolution: None,
            resolved_by: None,
        })));
    }

    pub(super) fn tell(&self, happening: Happening) {
        self.guard.rules.feed.tell(&self.project, happening.into());
    }

    pub(super) fn why_not(&self, resources: &[Resource], denied: &Denied) -> String {
        let names = self.names(resources);
        let who = denied.holder.clone().map(|holder| {
            let title = match &holder {
                Holder::SessionId(session) => {
                    self.guard.board.get(*session).and_then(|one| one.title.clone())
                }
                Holder::DeviceId(_) => None,
            };
            InTheWay { holder, title }
        });
        taken(&names, denied, who.as_ref(), self.guard.rules.wait, self.guard.clock.now())
    }

    fn named(&self, resource: &Resource) -> String {
        let name = resource.to_string();
        name.strip_prefix(&format!("{}/", self.project)).map(str::to_owned).unwrap_or(name)
    }

    /// A file as people are shown it: within the project without the way there.
    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&*self.project).unwrap_or(path).display().to_string()
    }
}
