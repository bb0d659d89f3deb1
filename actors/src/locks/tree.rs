//! Where in the tree of resources somebody holds or waits for something: finds what is in whose way. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::resource::Resource;
use super::{Mode, Ticket};

/// Places that are kept although nothing is marked there, because the next request is likely to be for the same ones.
const MAX_IDLE_NODES: usize = 65_536;

/// A node of the tree, by its place in [`Tree::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(usize);

/// Somebody holds a place, or waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) ticket: Ticket,
    pub(super) mode: Mode,
}

/// Marks at places; an arena whose nodes know their parents, so that the way to the root is a walk of pointers.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    by_place: HashMap<Arc<str>, NodeId>,
    marked: usize,
}

#[derive(Debug, Clone)]
struct Node {
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    marks: Vec<Mark>,
    /// How many marks there are strictly below.
    below: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node { parent: None, children: Vec::new(), marks: Vec::new(), below: 0 };
        Self { nodes: vec![root], by_place: HashMap::from([("".into(), NodeId(0))]), marked: 0 }
    }

    /// The node of a resource, which is made if it is not there.
    pub(super) fn node(&mut self, resource: &Resource) -> NodeId {
        if let Some(known) = self.by_place.get(resource.place()) {
            return *known;
        }
        if self.marked == 0 && self.nodes.len() > MAX_IDLE_NODES {
            *self = Self::new();
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

    pub(super) fn mark(&mut self, node: NodeId, mark: Mark) {
        self.marked += 1;
        self.nodes[node.0].marks.push(mark);
        self.for_each_ancestor(node, |ancestor| ancestor.below += 1);
    }

    pub(super) fn unmark(&mut self, node: NodeId, ticket: Ticket) {
        let marks = &mut self.nodes[node.0].marks;
        let Some(place) = marks.iter().position(|mark| mark.ticket == ticket) else { return };
        marks.swap_remove(place);
        self.marked -= 1;
        self.for_each_ancestor(node, |ancestor| ancestor.below -= 1);
    }

    /// Calls for every mark on the way to a node, on it and below it, until it is told to stop.
    pub(super) fn visit_related(&self, node: NodeId, mut visit: impl FnMut(&Mark) -> Visit) {
        let mut next = Some(node);
        while let Some(NodeId(at)) = next {
            for mark in &self.nodes[at].marks {
                if visit(mark) == Visit::Enough {
                    return;
                }
            }
            next = self.nodes[at].parent;
        }
        let mut open: Vec<NodeId> = Vec::new();
        if self.nodes[node.0].below > 0 {
            open.extend(&self.nodes[node.0].children);
        }
        while let Some(NodeId(at)) = open.pop() {
            for mark in &self.nodes[at].marks {
                if visit(mark) == Visit::Enough {
                    return;
                }
            }
            if self.nodes[at].below > 0 {
                open.extend(&self.nodes[at].children);
            }
        }
    }

    fn add(&mut self, place: Arc<str>, parent: NodeId) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { parent: Some(parent), children: Vec::new(), marks: Vec::new(), below: 0 });
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

/// Whether a visit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    GoOn,
    Enough,
}
