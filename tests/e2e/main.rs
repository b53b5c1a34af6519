//! lain on real parts: docker, a registry, helm 3 and 4, Kubernetes. `tests/run` brings them up.

mod causes;
mod chart;
mod connection;
mod faults;
mod flow;
mod get_values;
mod logs;
mod notify;
mod restart;
mod support;
mod upgrade;
