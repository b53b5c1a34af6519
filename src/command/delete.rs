//! `lain delete`: the release and what it made.

use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;

use crate::error::{Error, Kind, Result};
use crate::model::manifest::{Object, objects};
use crate::model::name::is_label;
use crate::release::{mend, pending};
use crate::session::Session;
use crate::tools::helm::{Helm, Revision};
use crate::tools::kubectl::Kubectl;
use crate::ui::{Format, TEXT};

/// How long helm may take for it.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Delete the release; works without a checkout when APP is given
#[derive(Args, Debug)]
pub struct Delete {
    /// The release; this folder's without one
    release: Option<String>,
    /// Also delete the Secrets RELEASE-env and RELEASE-secret
    #[arg(long)]
    purge: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Delete even when volumes with data go too, or another run is at work on it; do not ask
    #[arg(long)]
    force: bool,
}

impl Delete {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TEXT
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let (release, app) = match &self.release {
            Some(release) if !is_label(release) => return Err(Error::usage(format!("`{release}` is no release name"))),
            Some(release) => (release.clone(), release.clone()),
            None => (session.app()?.release().to_owned(), session.app()?.appname.to_string()),
        };
        let cluster = session.require_cluster()?.name.clone();
        let (helm, kubectl) = (session.helm()?, session.kubectl()?);
        let Some(found) = helm.release(&release)? else {
            session.ui.say(&format!("there is no release {release} in cluster {cluster}: nothing to delete"));
            return Ok(());
        };
        let number = found.revision.parse().ok();
        if let Some(revision) = number.filter(|_| !self.force) {
            let newest = Revision { revision, status: found.status.clone(), updated: found.updated.clone(), description: String::new() };
            pending::refuse(&kubectl, &release, &newest)?;
        }
        let staying = self.guard_volumes(&helm, &kubectl, &release)?;
        self.ask(session, &format!("delete release {release} from cluster {cluster}?"))?;
        if let Some(revision) = number {
            mend::mend(&session.ui, &kubectl, &release, revision, None, &[], &[])?; // helm 3.17 would say no more than "failed to delete release"
        }
        helm.change(&["uninstall"], TIMEOUT, TIMEOUT)?.operand(&release).run().map_err(|error| {
            if error.kind() == Kind::Interrupted {
                session.ui.say(&format!("release {release} may be deleted in part: lain delete goes on, lain deploy brings it back"));
                return error;
            }
            error.or_hint("lain delete # again: what is gone already does not hurt")
        })?;
        if self.purge {
            for secret in [format!("{app}-env"), format!("{app}-secret")] {
                let found: Option<Json> = kubectl.find("secret", &secret)?;
                if found.is_some() {
                    kubectl.change(["delete", "secret"]).operand(&secret).run()?;
                }
            }
        }
        session.ui.done(&format!("deleted release {release} from cluster {cluster}"));
        if !staying.is_empty() {
            let claims = staying.join(" ");
            session.ui.say(&format!("the volumes of its StatefulSets stay with their data, and a new deploy takes them again: {claims}"));
            session.ui.hint(&format!("kubectl delete pvc {claims} # the data goes too"));
        }
        Ok(())
    }

    /// Refuses when volumes with data would go; returns the claims of `StatefulSets`, which neither helm nor Kubernetes deletes.
    fn guard_volumes(&self, helm: &Helm<'_>, kubectl: &Kubectl<'_>, release: &str) -> Result<Vec<String>> {
        let manifest = helm.call(&["get", "manifest"])?.operand(release).lookup().read()?;
        let objects = match objects(&String::from_utf8_lossy(&manifest.stdout)) {
            Ok(objects) => objects,
            Err(_) if self.force => return Ok(vec![]),
            Err(why) => {
                return Err(Error::refused(why)
                    .context(format!("whether release {release} has volumes cannot be told"))
                    .hint(format!("helm get manifest {release} # what helm believes to be there"))
                    .hint("lain delete --force # the data of its volumes goes too, if it has any"));
            }
        };
        let kept = |object: &&Object| object.annotation("helm.sh/resource-policy").is_none_or(|policy| policy.trim() != "keep");
        let going: Vec<&str> = objects.iter().filter(kept).filter(|object| loses_data(object)).map(Object::name).collect();
        if !going.is_empty() && !self.force {
            return Err(Error::refused(format!(
                "release {release} has PersistentVolumeClaims ({}); a new deploy could not attach their data again",
                going.join(", ")
            ))
            .hint("lain delete --force # the data goes too"));
        }
        let sets: Vec<&Object> = objects.iter().filter(|object| object.kind() == "StatefulSet" && !loses_data(object)).collect();
        if sets.iter().all(|set| templates(set).next().is_none()) {
            return Ok(vec![]);
        }
        let list: Json = kubectl.get("persistentvolumeclaims")?;
        let names = list["items"].as_array().into_iter().flatten().filter_map(|claim| claim["metadata"]["name"].as_str());
        Ok(names.filter(|name| sets.iter().any(|set| is_claim_of(set, name))).map(str::to_owned).collect())
    }

    fn ask(&self, session: &Session, question: &str) -> Result<()> {
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
        Err(Error::refused(format!("{question} There is no terminal to ask at; nothing was deleted")).hint("lain delete --yes"))
    }
}

/// Data that goes with the release: a claim of its own, or those of a `StatefulSet` that says so.
fn loses_data(object: &Object) -> bool {
    match object.kind() {
        "PersistentVolumeClaim" => true,
        "StatefulSet" => {
            object.spec()["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete" && templates(object).next().is_some()
        }
        _ => false,
    }
}

fn templates(set: &Object) -> impl Iterator<Item = &str> {
    let templates = set.spec()["volumeClaimTemplates"].as_array().into_iter().flatten();
    templates.filter_map(|template| template["metadata"]["name"].as_str())
}

/// Kubernetes names them TEMPLATE-SET-NUMBER.
fn is_claim_of(set: &Object, claim: &str) -> bool {
    templates(set).any(|template| {
        let number = claim.strip_prefix(template).and_then(|rest| rest.strip_prefix('-')?.strip_prefix(set.name())?.strip_prefix('-'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}
