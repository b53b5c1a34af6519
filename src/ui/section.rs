//! Collapsible sections of a GitLab job log.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Surface, Ui};

/// A running section; dropping it ends it.
/// The marker format is GitLab's: <https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections>.
#[derive(Debug)]
pub struct Section {
    name: Option<String>,
}

impl Section {
    pub(super) fn start(ui: &Ui, name: &str, title: &str) -> Self {
        if ui.surface() != Surface::GitLab {
            return Self { name: None };
        }
        let name = format!("lain_{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        mark(&format!("\x1b[0Ksection_start:{}:{name}[collapsed=true]\r\x1b[0K{}\n", now(), ui.clean(title).replace('\n', " ")));
        Self { name: Some(name) }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            mark(&format!("\x1b[0Ksection_end:{}:{name}\r\x1b[0K\n", now()));
        }
    }
}

fn mark(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes()); // nowhere left to complain
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
