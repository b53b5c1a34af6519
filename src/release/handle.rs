//! One release of the chosen cluster, and the tools that act on it. Every verb that changes a release begins here.

use serde_json::Value as Json;

use super::pending;
use super::record::Record;
use crate::cluster::look;
use crate::error::{Error, Kind, Result};
use crate::model::app::App;
use crate::model::text::text_of;
use crate::session::Session;
use crate::tools::helm::{Helm, Revision};
use crate::tools::kubectl::Kubectl;
use crate::tools::server::may_pass;

/// The error where there is no release of a name in the namespace that was asked; `is_named` where it was typed, and is not the app's own.
pub(crate) fn no_release(kubectl: &Kubectl<'_>, name: &str, is_named: bool) -> Error {
    let error = Error::failed(format!("there is no release {name} in namespace {} of this cluster", kubectl.namespace()));
    let error = if is_named { error } else { error.hint("lain deploy") };
    error.hint("helm list --all # what there is")
}

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

    /// All revisions, oldest first; none where there is no such release.
    ///
    /// # Errors
    /// helm is missing, or the cluster does not answer.
    pub(crate) fn history(&self) -> Result<Vec<Revision>> {
        Ok(self.recorded()?.0)
    }

    /// As [`Handle::history`], with helm's records where they were read for it.
    ///
    /// # Errors
    /// As [`Handle::history`].
    pub(crate) fn recorded(&self) -> Result<(Vec<Revision>, Option<Vec<Record>>)> {
        let records = self.records()?;
        match records.as_ref().and_then(|records| records.iter().map(Record::told).collect()) {
            Some(history) => Ok((history, records)),
            None => Ok((self.helm.history(&self.name)?, None)),
        }
    }

    /// The values a revision was deployed with, the newest where none is given; none where there is no such release.
    ///
    /// # Errors
    /// As [`Handle::history`].
    pub(crate) fn values(&self, revision: Option<u32>) -> Result<Option<Json>> {
        let Some(records) = self.records()? else { return self.helm.values(&self.name, revision, false) };
        let is_it = |record: &&Record| revision.is_none_or(|number| record.revision() == Some(number));
        Ok(records.iter().rfind(is_it).map(Record::config))
    }

    /// helm's records, oldest first; none where helm is to be asked: it keeps them elsewhere, or they cannot be read.
    fn records(&self) -> Result<Option<Vec<Record>>> {
        let is_here = self.session.env.get("HELM_DRIVER").is_none_or(|driver| matches!(driver, "secret" | "secrets"));
        if !is_here {
            return Ok(None);
        }
        match Record::all(&self.kubectl, &self.name) {
            // helm would wait for the same server, and say less.
            Err(error) if error.tool().is_some() && may_pass(&error) => Err(error),
            asked => for_words(asked),
        }
    }

    /// The image tag of a revision, the newest where none is given; for words alone, so that a server that does not answer stops nothing.
    ///
    /// # Errors
    /// The run is interrupted.
    pub(crate) fn tag_for_words(&self, revision: Option<u32>) -> Result<Option<String>> {
        Ok(for_words(self.values(revision))?.flatten().and_then(|values| text_of(&values["imageTag"])))
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
