//! lain on real parts: docker, a registry, helm 3 and 4, Kubernetes. `tests/run` brings them up.

mod admin;
#[path = "../support/browser.rs"]
mod browser;
mod canary;
mod causes;
mod chart;
mod cleanup;
mod clients;
mod connection;
mod diff;
mod encrypted;
mod faults;
mod flow;
#[path = "../support/gate.rs"]
mod gate;
mod get_values;
mod history;
mod inside;
mod jobs;
mod late;
mod later;
mod live;
mod lock;
mod logs;
mod notify;
mod other_ci;
mod outage;
mod panel;
mod rbac;
#[path = "../support/registry.rs"]
mod registry;
mod report;
mod restart;
mod review;
#[path = "../support/server.rs"]
mod server;
mod signatures;
mod support;
mod upgrade;
