//! `lain delete`: the release and what it made.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::globals;
use crate::model::name::{is_label, to_label};
use crate::release::delete::{self, Secrets};
use crate::release::delete_later;
use crate::release::handle::Handle;
use crate::release::review;
use crate::session::Session;

/// Delete the release; works without a checkout when APP is given
#[derive(Args, Debug)]
pub struct Delete {
    /// The release; this folder's without one
    release: Option<String>,
    /// Also delete the Secrets RELEASE-env and RELEASE-secret, and their backups
    #[arg(long)]
    purge: bool,
    /// A review instead, with its Secrets and claims; the app stays
    #[arg(long, value_name = "NAME", conflicts_with_all = ["release", "purge"])]
    review: Option<String>,
    /// The app that the review is of; this folder's without one
    #[arg(long, value_name = "APP", requires = "review")]
    app: Option<String>,
    /// Not now: leave a Job in the cluster that does it after this time
    #[arg(long, value_name = "TIME", value_parser = globals::timeout, conflicts_with_all = ["purge", "force"])]
    after: Option<Duration>,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Delete even when volumes with data go too, or another run is at work on it; do not ask
    #[arg(long)]
    force: bool,
}

impl Command for Delete {
    fn run(self, session: &Session) -> Result<()> {
        if let Some(after) = self.after {
            return self.delete_later(session, after);
        }
        if let Some(review) = &self.review {
            return self.delete_review(session, review);
        }
        let (release, app) = match &self.release {
            Some(release) if !is_label(release) => return Err(Error::usage(format!("`{release}` is no release name"))),
            Some(release) => (release.clone(), release.clone()),
            None => (session.app()?.release().to_owned(), session.app()?.appname.to_string()),
        };
        let handle = Handle::named(session, release)?;
        let (release, cluster) = (&handle.name, handle.cluster);
        let question = format!("delete release {release} from cluster {cluster}?");
        let secrets = if self.purge { Secrets::Of(app) } else { Secrets::Stay };
        let Some(staying) = delete::delete(&handle, &secrets, self.force, || self.ask(session, &question, "lain delete --yes"))? else {
            session.ui.say(&format!("there is no release {release} in cluster {cluster}: nothing to delete"));
            return Ok(());
        };
        session.ui.done(&format!("deleted release {release} from cluster {cluster}"));
        if !staying.is_empty() {
            let claims = staying.join(" ");
            session.ui.say(&format!("the volumes of its StatefulSets stay with their data, and a new deploy takes them again: {claims}"));
            session.ui.hint(&format!("kubectl delete pvc {claims} # the data goes too"));
        }
        Ok(())
    }
}

/// Leaves a Job that deletes a release later, and says how to keep it.
pub(super) fn leave_deletion(session: &Session, handle: &Handle<'_>, after: Duration) -> Result<()> {
    let (job, at) = delete_later::leave(handle, after)?;
    session.ui.done(&format!("release {} is deleted at {}, by job {job}", handle.name, at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    session.ui.hint(&format!("kubectl delete job {job} # keeps it"));
    Ok(())
}

impl Delete {
    fn delete_later(&self, session: &Session, after: Duration) -> Result<()> {
        let handle = match (&self.release, &self.review) {
            (Some(release), _) if !is_label(release) => return Err(Error::usage(format!("`{release}` is no release name"))),
            (Some(release), _) => Handle::named(session, release.clone())?,
            (None, Some(review)) => review::handle(session, &self.app_of_review(session)?, review)?,
            (None, None) => Handle::of_app(session)?,
        };
        leave_deletion(session, &handle, after)
    }

    fn app_of_review(&self, session: &Session) -> Result<String> {
        self.app.clone().map_or_else(|| Ok(session.app()?.appname.to_string()), Ok)
    }

    fn delete_review(&self, session: &Session, review: &str) -> Result<()> {
        let app = self.app_of_review(session)?;
        review::handle(session, &app, review)?; // it can be one
        let again = format!("lain delete --review {} --app {app} --yes", to_label(review));
        self.ask(session, &format!("delete review {review} of {app}, with its Secrets and the data of its volumes?"), &again)?;
        if review::delete(session, &app, review, self.force)? {
            session.ui.done(&format!("review {review} of {app} is gone"));
        } else {
            session.ui.say(&format!("there is no review {review} of {app}: nothing to delete"));
        }
        Ok(())
    }

    fn ask(&self, session: &Session, question: &str, again: &str) -> Result<()> {
        if self.yes || self.force {
            return Ok(());
        }
        if session.ui.can_ask() {
            return if session.ui.ask_no(question)? { Ok(()) } else { Err(Error::refused("nothing was deleted")) };
        }
        if session.env.is_ci() {
            session.ui.warn("`lain delete` in CI goes on without a question for now; a later version will need --yes");
            return Ok(());
        }
        Err(Error::refused(format!("{question} There is no terminal to ask at; nothing was deleted")).hint(again))
    }
}
