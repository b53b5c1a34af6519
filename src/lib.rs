//! lain takes an application from a git repo to a running Kubernetes release.
//!
//! The map: rooms from top to bottom. A room uses rooms below it alone, and of those the ones that the table in `tests/house.rs` names. `bin/` stands above
//! all: five mains of one line each.
//!
//! - [`cli`]: the command lines of the five binaries, and what is about them alone (completions, man pages, `lain-NAME` on PATH).
//! - [`command`]: one file a command, named after it: its flags, and what is shown.
//! - [`release`]: a release in the cluster: the verbs that change it, on one handle; its rollout, its Secrets, helm's record of it, what is said about it.
//! - [`images`]: which images, what of the folder they see, how they are built and where they go.
//! - [`checks`]: lint's checks and helm's own, of this run's values and chart.
//! - [`session`]: one run; loads values, the cluster and the tools when first needed.
//! - [`lint`]: one check a file or a small group, each with its id.
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

pub mod checks;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod env;
pub mod error;
pub mod files;
pub mod globals;
pub mod http;
pub mod images;
pub mod interrupt;
pub mod kubeconfig;
pub mod lint;
pub mod model;
pub mod release;
pub mod render;
pub mod resolved;
pub mod session;
pub mod tools;
pub mod ui;
pub mod values;
