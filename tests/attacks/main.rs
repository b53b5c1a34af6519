//! Attacks that fail: what a repo, a merge request, a registry, a cluster file, a pod's log or an accident tries to do to lain, its user and what
//! the user typed.
//!
//! Each test says in its first doc line who tries what, and what comes of it: `WHO: WHAT => OUTCOME`. `docs/security.md` is made of these lines
//! (see [`table`]).

#[allow(dead_code)] // the attacks use their own part
#[path = "../e2e/support.rs"]
mod place;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod gate;
mod hangs;
mod lost;
mod races;
mod table;
