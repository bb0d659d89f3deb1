//! Which conversations work in a project, in the order of their coming: the first leads, then the next. Pure.

use super::{Happening, Role};
use crate::ids::SessionId;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Members {
    in_order: Vec<SessionId>,
}

impl Members {
    /// Whether a conversation is connected from now on; what there is to tell, in order, is nothing when it was so before.
    pub(crate) fn set(&mut self, session: SessionId, is_connected: bool) -> Vec<Happening> {
        let place = self.in_order.iter().position(|known| *known == session);
        match (place, is_connected) {
            (None, true) => {
                self.in_order.push(session);
                vec![Happening::SessionConnected { session_id: session, role: role(self.in_order.len() - 1) }]
            }
            (Some(place), false) => {
                self.in_order.remove(place);
                let mut told = vec![Happening::SessionDisconnected { session_id: session }];
                if let Some(next) = self.in_order.first().filter(|_| place == 0) {
                    told.push(Happening::RoleChanged { session_id: *next, role: Role::Primary });
                }
                told
            }
            (Some(_), true) | (None, false) => Vec::new(),
        }
    }

    /// Everybody who is connected, the one that leads first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SessionId, Role)> {
        self.in_order.iter().enumerate().map(|(place, session)| (*session, role(place)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }
}

fn role(place: usize) -> Role {
    if place == 0 { Role::Primary } else { Role::Secondary }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn session(number: u128) -> SessionId {
        uuid::Uuid::from_u128(number).into()
    }

    proptest! {
        #[test]
        fn whoever_listens_knows_one_leader_and_it_is_the_oldest(
            steps in prop::collection::vec((0..5_u128, any::<bool>()), 0..60)
        ) {
            let mut members = Members::default();
            let mut heard: BTreeMap<SessionId, Role> = BTreeMap::new();
            let mut oldest_first: Vec<SessionId> = Vec::new();
            for (number, is_connected) in steps {
                let one = session(number);
                for happening in members.set(one, is_connected) {
                    match happening {
                        Happening::SessionConnected { session_id, role } => {
                            prop_assert!(heard.insert(session_id, role).is_none());
                        }
                        Happening::SessionDisconnected { session_id } => {
                            prop_assert!(heard.remove(&session_id).is_some());
                        }
                        Happening::RoleChanged { session_id, role } => {
                            prop_assert_eq!(heard.insert(session_id, role), Some(Role::Secondary));
                        }
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                oldest_first.retain(|known| *known != one || is_connected);
                if is_connected && !oldest_first.contains(&one) {
                    oldest_first.push(one);
                }
                let leaders: Vec<_> =
                    heard.iter().filter(|(_, role)| **role == Role::Primary).map(|(one, _)| *one).collect();
                prop_assert_eq!(leaders, oldest_first.first().copied().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(members.all().collect::<BTreeMap<_, _>>(), heard.clone());
            }
        }
    }
}
