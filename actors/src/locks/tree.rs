//! Where in the tree of resources somebody holds or waits for something: finds what is in whose way. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::resource::Resource;
use super::{Mode, Ticket};

/// Places that are kept although nothing is marked there, because the next request is likely to be for the same ones:
/// more than the files that the conversations of a server work on within minutes, and no more than some megabytes.
#[cfg(not(test))]
const MAX_IDLE_NODES: usize = 8_192;

/// So few that they are forgotten all the time.
#[cfg(test)]
const MAX_IDLE_NODES: usize = 4;

/// A node of the tree, by its place in [`Tree::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(usize);

/// Which marks of which node: those that exclude others, or those that share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ListId(NodeId, Mode);

/// Marks at places; an arena whose nodes know their parents, so that the way to the root is a walk of pointers.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    by_place: HashMap<Arc<str>, NodeId>,
    /// Nodes that were forgotten, to be used again.
    free: Vec<NodeId>,
    /// With how many places those are forgotten at which nothing is marked.
    tidy_at: usize,
}

#[derive(Debug, Clone)]
struct Node {
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    /// Who holds it or waits for it alone, in the order of asking.
    exclusive: Vec<Ticket>,
    /// Who shares it or waits to, in the order of asking.
    shared: Vec<Ticket>,
    /// How many marks there are strictly below.
    below: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        let by_place = HashMap::from([("".into(), NodeId(0))]);
        Self { nodes: vec![Node::below(None)], by_place, free: Vec::new(), tidy_at: MAX_IDLE_NODES }
    }

    /// Forgets the places at which and below which nothing is marked, when there are many. Their nodes are not to be used
    /// any more.
    ///
    /// The next time comes when there are twice as many, so this costs no request more than a few steps.
    pub(super) fn tidy(&mut self) {
        if self.by_place.len() < self.tidy_at {
            return;
        }
        let is_root_or_marked =
            |(at, node): (usize, &Node)| at == 0 || node.below > 0 || node.is_marked_itself();
        let is_needed: Vec<bool> = self.nodes.iter().enumerate().map(is_root_or_marked).collect();
        self.by_place.retain(|_, node| is_needed[node.0]);
        self.nodes.truncate(is_needed.iter().rposition(|is_needed| *is_needed).map_or(1, |last| last + 1));
        self.free.clear();
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if is_needed[at] {
                node.children.retain(|child| is_needed[child.0]);
            } else {
                *node = Node::below(None);
                self.free.push(NodeId(at));
            }
        }
        self.tidy_at = self.by_place.len() + self.nodes.len().max(MAX_IDLE_NODES);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node of a resource, which is made if it is not there.
    pub(super) fn node(&mut self, resource: &Resource) -> NodeId {
        if let Some(known) = self.by_place.get(resource.place()) {
            return *known;
        }
        let missing: Vec<Arc<str>> = resource
            .ancestors()
            .take_while(|place| !self.by_place.contains_key(*place))
            .map(Arc::from)
            .collect();
        let known = resource.ancestors().find_map(|place| self.by_place.get(place).copied());
        let mut parent = known.unwrap_or(NodeId(0));
        for place in missing.into_iter().rev().chain([resource.place().clone()]) {
            parent = self.add(place, parent);
        }
        parent
    }

    /// Marks a node for a request that is younger than all that have marked it.
    pub(super) fn mark(&mut self, node: NodeId, mode: Mode, ticket: Ticket) {
        self.nodes[node.0].list_mut(mode).push(ticket);
        self.for_each_ancestor(node, |ancestor| ancestor.below += 1);
    }

    pub(super) fn unmark(&mut self, node: NodeId, mode: Mode, ticket: Ticket) {
        let list = self.nodes[node.0].list_mut(mode);
        let Ok(place) = list.binary_search(&ticket) else { return };
        list.remove(place);
        self.for_each_ancestor(node, |ancestor| ancestor.below -= 1);
    }

    /// Everybody who has marked exactly this resource.
    pub(super) fn marks_of(&self, resource: &Resource) -> impl Iterator<Item = Ticket> {
        let node = self.by_place.get(resource.place()).copied();
        node.into_iter().flat_map(|node| self.marks_at(node))
    }

    /// Everybody who has marked this node.
    pub(super) fn marks_at(&self, node: NodeId) -> impl Iterator<Item = Ticket> {
        let node = &self.nodes[node.0];
        node.exclusive.iter().chain(&node.shared).copied()
    }

    /// Calls for every mark on the way to a node, on it and below it that does not go together with this mode, until it is
    /// told to stop.
    pub(super) fn visit_related(&self, node: NodeId, mode: Mode, mut visit: impl FnMut(Ticket) -> Visit) {
        self.visit_lists(node, mode, |_, tickets| {
            let is_enough = tickets.iter().any(|ticket| visit(*ticket) == Visit::Enough);
            if is_enough { Visit::Enough } else { Visit::GoOn }
        });
    }

    /// The same by the list: each is in the order of asking, and not empty.
    pub(super) fn visit_lists(
        &self,
        node: NodeId,
        mode: Mode,
        mut visit: impl FnMut(ListId, &[Ticket]) -> Visit,
    ) {
        let mut next = Some(node);
        while let Some(at) = next {
            if self.visit_lists_of(at, mode, &mut visit) == Visit::Enough {
                return;
            }
            next = self.nodes[at.0].parent;
        }
        let mut open: Vec<NodeId> = Vec::new();
        if self.nodes[node.0].below > 0 {
            open.extend(&self.nodes[node.0].children);
        }
        while let Some(at) = open.pop() {
            if self.visit_lists_of(at, mode, &mut visit) == Visit::Enough {
                return;
            }
            if self.nodes[at.0].below > 0 {
                open.extend(&self.nodes[at.0].children);
            }
        }
    }

    fn visit_lists_of(
        &self,
        at: NodeId,
        mode: Mode,
        visit: &mut impl FnMut(ListId, &[Ticket]) -> Visit,
    ) -> Visit {
        let node = &self.nodes[at.0];
        if !node.exclusive.is_empty() && visit(ListId(at, Mode::Exclusive), &node.exclusive) == Visit::Enough
        {
            return Visit::Enough;
        }
        if mode == Mode::Shared || node.shared.is_empty() {
            return Visit::GoOn;
        }
        visit(ListId(at, Mode::Shared), &node.shared)
    }

    fn add(&mut self, place: Arc<str>, parent: NodeId) -> NodeId {
        let node = Node::below(Some(parent));
        let id = match self.free.pop() {
            Some(id) => {
                self.nodes[id.0] = node;
                id
            }
            None => {
                self.nodes.push(node);
                NodeId(self.nodes.len() - 1)
            }
        };
        self.nodes[parent.0].children.push(id);
        self.by_place.insert(place, id);
        id
    }

    fn for_each_ancestor(&mut self, node: NodeId, mut act: impl FnMut(&mut Node)) {
        let mut next = self.nodes[node.0].parent;
        while let Some(NodeId(at)) = next {
            act(&mut self.nodes[at]);
            next = self.nodes[at].parent;
        }
    }
}

impl Node {
    fn below(parent: Option<NodeId>) -> Self {
        Self { parent, children: Vec::new(), exclusive: Vec::new(), shared: Vec::new(), below: 0 }
    }

    fn is_marked_itself(&self) -> bool {
        !self.exclusive.is_empty() || !self.shared.is_empty()
    }

    fn list_mut(&mut self, mode: Mode) -> &mut Vec<Ticket> {
        match mode {
            Mode::Exclusive => &mut self.exclusive,
            Mode::Shared => &mut self.shared,
        }
    }
}

/// Whether a visit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    GoOn,
    Enough,
}
