//! A `.gitlab-ci.yml` as GitLab reads it, without GitLab: what it is made of, which jobs each kind of pipeline has, and what is wrong with it.
//!
//! [`Project::read`] reads a file with what it includes; [`Project::merged`] is what GitLab makes of it for one of the [`kinds()`] of pipeline; [`jobs`] are those that are in it:
//!
//! ```
//! # use std::path::Path;
//! use lain::pipeline::{Project, jobs, kinds};
//! let project = Project::of(Path::new("."), Path::new(".gitlab-ci.yml"), "test: {script: [make test]}").expect("YAML");
//! for kind in kinds() {
//!     let jobs = jobs(&project.merged(&kind, &[]), &kind, &[]);
//!     println!("{:<14} {}", kind.id, jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(" "));
//! }
//! ```
//!
//! What GitLab does was read in its own sources (`lib/gitlab/ci`); each file says where.

mod expression;
mod extends;
mod finding;
pub mod forms;
mod inputs;
mod job;
mod kinds;
pub mod lint;
mod merged;
mod read;
mod rules;
pub mod templates;
mod yaml;

pub use finding::{Finding, Weight};
pub use inputs::{Declared, declared_inputs};
pub use kinds::{Kind, Ref, kinds, kinds_of};
pub use merged::Merged;
pub use read::Project;
pub use rules::{JobIn, When, jobs};
