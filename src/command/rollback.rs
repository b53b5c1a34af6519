//! `lain rollback`: one good release back.

use std::time::Duration;

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::release::announce::{self, DeployMessage};
use crate::release::{mend, pending, rollout};
use crate::session::Session;
use crate::tools::helm::{Helm, Revision};
use crate::tools::kubectl::Kubectl;
use crate::ui::{Format, TEXT};

/// How long helm may take for it.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Go back to the last good release, chart and values included; Secrets stay as they are
#[derive(Args, Debug)]
pub struct Rollback {
    /// Wait until everything is ready; always so in CI
    #[arg(long)]
    wait: bool,
}

impl Rollback {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TEXT
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let release = app.release();
        let (helm, kubectl) = (session.helm()?, session.kubectl()?);
        let history = helm.history(release)?;
        let Some(newest) = history.last() else {
            return Err(Error::failed(format!("there is no release {release} in this cluster")).hint("lain deploy"));
        };
        pending::refuse(&kubectl, release, newest)?;
        if newest.description.starts_with("Rollback to") && newest.status == "deployed" {
            return Err(Error::refused(format!(
                "release {release} was just rolled back ({}); lain goes back one release only",
                newest.description
            ))
            .hint("git checkout COMMIT && lain deploy # any other version, with its own chart")
            .hint(format!("helm history {release} && helm rollback {release} REVISION # if you know helm")));
        }
        let Some(revision) = target(&history) else {
            return Err(Error::refused(format!("release {release} has no earlier good revision to go back to"))
                .hint("lain deploy --set imageTag=TAG")
                .hint("lain delete"));
        };
        let tag_of = |revision: Option<u32>| -> Result<Option<String>> {
            Ok(helm.values(release, revision, false)?.and_then(|values| values["imageTag"].as_str().map(str::to_owned)))
        };
        let (previous_tag, tag) = (tag_of(None)?, tag_of(Some(revision))?.unwrap_or_default());
        back_to(session, &helm, &kubectl, release, newest.revision, revision)?;
        let message = DeployMessage {
            action: "rollback",
            release: release.to_owned(),
            tag: tag.clone(),
            previous_tag,
            rollback_revision: Some(revision),
            ..DeployMessage::default()
        };
        announce::send(session, &message.render(session)?, false)?;
        if self.wait || session.env.is_ci() {
            rollout::follow(&session.ui, &kubectl, &rollout::selector(&app.appname, release), TIMEOUT)?;
        }
        session.ui.done(&format!("release {release} is back at revision {revision}, image tag {tag}"));
        session.ui.say(&format!("{} and {} are not part of a release and stay as they are; `lain env edit` and `lain secret edit` change them, then `lain redeploy`", app.env_secret(), app.file_secret()));
        Ok(())
    }
}

/// `helm rollback`, once helm can read both what it leaves and what it goes back to.
///
/// # Errors
/// helm or the server refuses.
pub fn back_to(session: &Session, helm: &Helm<'_>, kubectl: &Kubectl<'_>, release: &str, from: u32, to: u32) -> Result<()> {
    mend::mend(&session.ui, kubectl, release, from, None, &[], &[])?;
    // helm goes back the way that the revision was made.
    let known = mend::mend(&session.ui, kubectl, release, to, None, &[], &[])?;
    let call = helm.change(&["rollback"], TIMEOUT, TIMEOUT)?.operand(release).operand(to.to_string()).args(known.flags().iter().copied());
    let error = match call.capture() {
        Ok(out) if out.ok() => {
            session.ui.raw(&out.stdout);
            return Ok(());
        }
        Ok(out) => call.failure(out.code, &out.stderr),
        Err(error) => error,
    };
    let left = pending::left_by_rollback(kubectl, release, from, &error.to_string());
    if error.kind() == Kind::Interrupted {
        session.ui.say(&left.words(release));
        return Err(error);
    }
    Err(left.advise(error))
}

/// The newest revision before the current one that once was good. A rollback that did not come to its end goes where it wanted to.
pub fn target(history: &[Revision]) -> Option<u32> {
    let (newest, earlier) = history.split_last()?;
    let mut good =
        earlier.iter().rev().filter(|revision| matches!(revision.status.as_str(), "deployed" | "superseded")).map(|good| good.revision);
    let wanted = newest.description.strip_prefix("Rollback to ").filter(|_| newest.status != "deployed");
    let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    match wanted.and_then(digits) {
        Some(wanted) if good.clone().any(|revision: u32| revision == wanted) => Some(wanted),
        _ => good.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(statuses: &[&str]) -> Vec<Revision> {
        statuses
            .iter()
            .zip(1..)
            .map(|(status, revision)| Revision {
                revision,
                status: (*status).to_owned(),
                updated: String::new(),
                description: String::new(),
            })
            .collect()
    }

    #[test]
    fn goes_back_to_what_was_good() {
        assert_eq!(target(&history(&["superseded", "superseded", "deployed"])), Some(2));
        assert_eq!(target(&history(&["superseded", "failed", "deployed", "failed"])), Some(3));
        assert_eq!(target(&history(&["deployed", "pending-upgrade"])), Some(1));
        assert_eq!(target(&history(&["failed", "failed"])), None);
        assert_eq!(target(&history(&["deployed"])), None);
        // A rollback to 1 that was cut off: 2 is what was to be left.
        let mut cut_off = history(&["superseded", "deployed", "pending-rollback"]);
        cut_off[2].description = "Rollback to 1; record mended by lain".to_owned();
        assert_eq!(target(&cut_off), Some(1));
        cut_off[2].description = "Rollback to 7".to_owned();
        assert_eq!(target(&cut_off), Some(2), "that one is gone");
    }
}
