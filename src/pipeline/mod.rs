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

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::files;

pub use finding::{Finding, Weight};
pub use inputs::{Declared, declared_inputs};
pub use kinds::{Kind, Ref, kinds, kinds_of};
pub use merged::Merged;
pub use read::Project;
pub use rules::{JobIn, When, jobs};

/// GitLab's name for the file, and the other one that it takes where a project says so.
const NAMES: [&str; 2] = [".gitlab-ci.yml", ".gitlab-ci.yaml"];

/// The file of a project: in this folder, or at the top of the repository that it is in.
pub(crate) fn file_of(dir: &Path) -> Option<PathBuf> {
    let top = files::top_of(dir);
    [dir, &top].into_iter().flat_map(|dir| NAMES.map(|name| dir.join(name))).find(|path| path.is_file())
}

/// The names of all jobs of a project, of whatever kind of pipeline; none where it has no pipeline.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn job_names(dir: &Path) -> Result<Vec<String>> {
    let Some(file) = file_of(dir) else { return Ok(vec![]) };
    let top = files::top_of(dir);
    let project = Project::read(&top, file.strip_prefix(&top).unwrap_or(&file))?;
    let mut names = BTreeSet::new();
    for kind in kinds() {
        let merged = project.merged(&kind, &[]);
        names.extend(job::Job::all(&merged).into_iter().map(|job| job.name.to_owned()));
    }
    Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
}
