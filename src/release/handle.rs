//! One release of the chosen cluster, and the tools that act on it. Every verb that changes a release begins here.

use super::pending;
use crate::cluster::look;
use crate::error::{Kind, Result};
use crate::model::app::App;
use crate::model::text::text_of;
use crate::session::Session;
use crate::tools::helm::{Helm, Revision};
use crate::tools::kubectl::Kubectl;

/// A release, by its name.
pub(crate) struct Handle<'s> {
    /// The run.
    pub session: &'s Session,
    /// Its name.
    pub name: String,
    /// The cluster's name.
    pub cluster: &'s str,
    /// helm on that cluster.
    pub helm: Helm<'s>,
    /// kubectl on that cluster.
    pub kubectl: Kubectl<'s>,
}

impl<'s> Handle<'s> {
    /// The release that this run's values name.
    ///
    /// # Errors
    /// Values cannot be read, or no cluster is chosen.
    pub(crate) fn of_app(session: &'s Session) -> Result<Self> {
        Self::named(session, session.app()?.release().to_owned())
    }

    /// A release by its name, which needs no checkout.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub(crate) fn named(session: &'s Session, name: String) -> Result<Self> {
        let cluster = &session.require_cluster()?.name;
        Ok(Self { session, name, cluster, helm: session.helm()?, kubectl: session.kubectl()? })
    }

    /// Selects what the app's chart makes for this release.
    pub(crate) fn selector(&self, app: &App) -> String {
        look::selector(&app.appname, &self.name)
    }

    /// The one gate of all that changes a release, once its lock is held: nothing begins while another run may be at work on its newest revision.
    ///
    /// # Errors
    /// One may be; or the server does not answer.
    pub(crate) fn refuse_others(&self, newest: &Revision) -> Result<()> {
        pending::refuse(&self.kubectl, &self.name, newest)
    }

    /// The image tag of a revision, the newest where none is given; for words alone, so that a server that does not answer stops nothing.
    ///
    /// # Errors
    /// The run is interrupted.
    pub(crate) fn tag_for_words(&self, revision: Option<u32>) -> Result<Option<String>> {
        Ok(for_words(self.helm.values(&self.name, revision, false))?.flatten().and_then(|values| text_of(&values["imageTag"])))
    }
}

/// What is asked for words alone fails no verb.
///
/// # Errors
/// The run is interrupted.
pub(crate) fn for_words<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(_) => Ok(None),
    }
}
