//! lain takes an application from a git repo to a running Kubernetes release.
//!
//! The map: rooms from top to bottom. A room uses rooms below it alone, and of those the ones that the table in `tests/house.rs` names. `bin/` stands above
//! all: five mains of one line each, of which `lain` is the others too where a link calls it so.
//!
//! - [`cli`]: the command lines of the five binaries, and what is about them alone (completions, man pages, `lain-NAME` on PATH).
//! - [`command`]: one file a command, named after it: its flags, and what is shown.
//! - [`panel`]: how a release stands, on the whole terminal and as it goes on: what is known, how it looks, what keys do, who asks.
//! - [`doctor`]: what would stop a command, asked before it does: of this machine, this job, the registry, the cluster.
//! - [`release`]: a release in the cluster: the verbs that change it, on one handle; its rollout, its Secrets, helm's record of it, what is said about it.
//! - [`images`]: which images, what of the folder they see, how they are built and where they go.
//! - [`checks`]: lint's checks and helm's own, of this run's values and chart.
//! - [`session`]: one run; loads values, the cluster and the tools when first needed.
//! - [`lint`]: one check a file or a small group, each with its id.
//! - [`pipeline`]: a `.gitlab-ci.yml` as GitLab reads it: what it is made of, which jobs each kind of pipeline has, what is wrong with it.
//! - [`kubeconfig`]: which cluster.
//! - [`cluster`]: what is in the cluster: typed objects, one query a look, one judge of how they stand, what was used.
//! - [`http`]: the only place with sockets: registries, Prometheus, webhooks.
//! - [`tools`]: the only place that starts processes: docker, helm, kubectl, git, an editor.
//! - [`resolved`]: which values apply: files, arguments, their order, their merge; read, checked and typed once a run, for lain and for helm.
//! - [`render`]: model to artefacts in memory: Dockerfile, compose file, chart, messages.
//! - [`globals`]: the flags of every command.
//! - [`env`](mod@env): the environment, read once.
//! - [`ui`]: the only place that prints.
//! - [`model`]: the typed app and cluster, image references, names. Pure.
//! - [`values`]: YAML text to a tree with positions, merged as helm merges.
//! - [`files`]: writing all or nothing, removing what was generated, and which files are the repository's own.
//! - [`interrupt`]: Ctrl-C and SIGTERM.
//! - [`error`]: kinds, places, causes, hints, exit codes.

// What nobody outside uses is private, so that dead code shows.
#![warn(unreachable_pub)]
// The map links all rooms: docs are made with the private ones.
#![allow(rustdoc::private_intra_doc_links)]

mod checks;
pub mod cli;
mod cluster;
mod command;
mod doctor;
pub mod env;
pub mod error;
mod files;
mod globals;
pub mod http;
mod images;
mod interrupt;
mod kubeconfig;
pub mod lint;
pub mod model;
mod panel;
pub mod pipeline;
mod release;
pub mod render;
pub mod resolved;
mod session;
mod tools;
pub mod ui;
pub mod values;
