//! How far agents are held to the locks: what people have chosen for each project, and what holds for the others.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// How far agents are held to the locks of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// What is locked, or was changed unseen, is not written.
    #[default]
    On,
    /// It is written, and people are told.
    Warn,
    /// Nobody looks.
    Off,
}

/// What is in force in all projects. Asked before every tool call and at every grant, so it waits for nothing.
///
/// What was chosen is an event of the project's channel; this is the fold of it, as of what is on disk.
#[derive(Debug, Default)]
pub struct Enforcements {
    default: Enforcement,
    chosen: RwLock<HashMap<Arc<str>, Enforcement>>,
}

impl Enforcements {
    /// Nobody has chosen anything yet.
    #[must_use]
    pub fn new(default: Enforcement) -> Self {
        Self { default, chosen: RwLock::default() }
    }

    /// For a project; its canonical path.
    #[must_use]
    pub fn of(&self, project: &str) -> Enforcement {
        self.chosen(project).unwrap_or(self.default)
    }

    /// What people have chosen for a project.
    pub(super) fn chosen(&self, project: &str) -> Option<Enforcement> {
        self.chosen.read().unwrap_or_else(PoisonError::into_inner).get(project).copied()
    }

    /// Whether no agent can get past a lock in this project: not one of a project around it or within it, either.
    pub(super) fn is_binding(&self, project: &str) -> bool {
        let here = Path::new(project);
        let is_near = |other: &str| {
            let there = Path::new(other);
            here.starts_with(there) || there.starts_with(here)
        };
        let chosen = self.chosen.read().unwrap_or_else(PoisonError::into_inner);
        let mut others = chosen.iter().filter(|(other, _)| is_near(other));
        let own = chosen.get(project).copied().unwrap_or(self.default);
        own == Enforcement::On && others.all(|(_, other)| *other == Enforcement::On)
    }

    /// This is on disk.
    pub(super) fn note(&self, project: &Arc<str>, chosen: Option<Enforcement>) {
        if self.chosen(project) == chosen {
            return;
        }
        let mut all = self.chosen.write().unwrap_or_else(PoisonError::into_inner);
        match chosen {
            Some(chosen) => all.insert(project.clone(), chosen),
            None => all.remove(project),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_counts_and_the_default_for_the_rest() {
        let all = Enforcements::new(Enforcement::Warn);
        assert_eq!(all.of("/p"), Enforcement::Warn);
        all.note(&"/p".into(), Some(Enforcement::Off));
        assert_eq!((all.of("/p"), all.of("/q")), (Enforcement::Off, Enforcement::Warn));
        all.note(&"/p".into(), None);
        assert_eq!(all.of("/p"), Enforcement::Warn);
    }

    #[test]
    fn a_lock_binds_only_where_no_project_around_or_within_goes_its_own_way() {
        let all = Enforcements::default();
        assert!(all.is_binding("/srv/app"));
        all.note(&"/srv/apple".into(), Some(Enforcement::Off));
        assert!(all.is_binding("/srv/app"), "a neighbour with a longer name");
        for near in ["/srv", "/srv/app/web", "/srv/app"] {
            all.note(&near.into(), Some(Enforcement::Warn));
            assert!(!all.is_binding("/srv/app"), "{near}");
            all.note(&near.into(), Some(Enforcement::On));
            assert!(all.is_binding("/srv/app"), "{near}");
        }
    }
}
