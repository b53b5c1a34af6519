//! lain takes an application from a git repo to a running Kubernetes release.
//!
//! The map, in the order data flows. Arrows go one way, down this list to what stands below:
//!
//! - `bin/`: five mains of one line each.
//! - [`cli`]: the command lines of the five binaries and the environment, read once.
//! - [`command`]: one file a command, named after it: its flags and its verb.
//! - [`session`]: one run; loads values, the cluster and the tools when first needed.
//! - [`images`], [`publish`], [`release`]: what several commands share of building and of looking after a release.
//! - [`context`]: what of the app's folder an image build sees.
//! - [`lint`]: one check a file or a small group, each with its id.
//! - [`kubeconfig`]: which cluster.
//! - [`files`]: writing all or nothing, and removing what was generated.
//! - [`tools`]: the only place that starts processes: docker, helm, kubectl, git, an editor.
//! - [`http`]: the only place with sockets: registries, Prometheus, webhooks.
//! - [`render`]: model to artefacts in memory: Dockerfile, compose file, chart, messages.
//! - [`model`]: the typed app and cluster, image references, names. Pure.
//! - [`values`]: YAML text to a tree with positions, merged as helm merges.
//! - [`ui`]: the only place that prints.
//! - [`error`]: kinds, places, causes, hints, exit codes.
//!
//! `tests/house.rs` holds these walls up.

pub mod cli;
pub mod command;
pub mod context;
pub mod error;
pub mod files;
pub mod http;
pub mod images;
pub mod kubeconfig;
pub mod lint;
pub mod model;
pub mod publish;
pub mod release;
pub mod render;
pub mod session;
pub mod tools;
pub mod ui;
pub mod values;
