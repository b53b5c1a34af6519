//! Attacks that fail: what a repo, a merge request, a registry, a cluster file, a pod's log or an accident tries to do to lain, its user and what
//! the user typed.
//!
//! Each test says in its first doc line who tries what, and what comes of it: `WHO: WHAT => OUTCOME`. `docs/security.md` is made of these lines
//! (see [`table`]).

#[path = "../support/engine.rs"]
mod engine;
#[path = "../support/gate.rs"]
mod gate;
#[path = "../e2e/support.rs"]
#[allow(dead_code)] // the e2e tests use all of it
mod place;
#[path = "../support/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod authority;
mod bounds;
mod children;
mod credentials;
mod editing;
mod files;
mod hangs;
mod injection;
mod lost;
mod options;
mod output;
mod races;
mod secrets;
mod table;
