//! Attacks that fail: what a repo, a merge request, a registry, a cluster file, a pod's log or an accident tries to do to lain, its user and what
//! the user typed.
//!
//! Each test says in its first doc line who tries what, and what comes of it: `WHO: WHAT => OUTCOME`. `docs/security.md` is made of these lines
//! (see [`table`]).

#[path = "../e2e/support.rs"]
#[allow(dead_code)] // each subject uses its own part
mod place;
#[path = "../support/mod.rs"]
mod support;

mod editing;
mod secrets;
mod table;
