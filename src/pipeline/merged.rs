//! What a pipeline of one kind is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use super::extends::Uncertain;
use super::finding::Finding;
use super::yaml::{Map, Node, map_to_json};
use crate::values::node::Span;

/// An include that is not read here.
#[derive(Clone, Debug)]
pub(crate) struct Unread {
    /// `project: infra/ci`
    pub what: String,
}

/// One use of one of lain's own templates.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub name: String,
    /// The include.
    pub at: Span,
    /// Jobs, as the template makes them with these inputs.
    pub jobs: BTreeMap<String, Node>,
}

/// What a pipeline of one kind is made of.
#[derive(Clone, Debug)]
pub struct Merged {
    pub(crate) root: Map,
    pub(crate) unread: Vec<Unread>,
    pub(crate) uncertain: Uncertain,
    pub(crate) own: Vec<Own>,
    /// Paths of files that are lain's own.
    pub(crate) own_files: BTreeSet<PathBuf>,
    pub(crate) findings: Vec<Finding>,
    /// The top of the repository, and the file in it.
    pub(crate) dir: PathBuf,
    pub(crate) file: PathBuf,
}

impl Merged {
    /// Everything in one map, as GitLab's "full configuration" shows it.
    pub fn to_json(&self) -> Json {
        map_to_json(&self.root)
    }

    /// What is wrong with the files by themselves.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Every include was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.unread.is_empty()
    }

    /// The place is in one of lain's own templates.
    pub(crate) fn is_own(&self, at: &Span) -> bool {
        self.own_files.contains(&at.source.path)
    }
}
