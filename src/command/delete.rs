//! `lain delete`: the release and what it made.

use clap::Args;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::model::name::is_label;
use crate::release::mend;
use crate::session::Session;

/// Delete the release; works without a checkout when APP is given
#[derive(Args, Debug)]
pub struct Delete {
    /// The release; this folder's without one
    release: Option<String>,
    /// Also delete the Secrets RELEASE-env and RELEASE-secret
    #[arg(long)]
    purge: bool,
    /// Delete even when volumes with data go too; do not ask
    #[arg(long)]
    force: bool,
}

impl Delete {
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
        if !self.force {
            let manifest = helm.call(&["get", "manifest"])?.operand(&release).lookup().read()?;
            if String::from_utf8_lossy(&manifest.stdout).lines().any(|line| line.trim_end() == "kind: PersistentVolumeClaim") {
                return Err(Error::refused(format!(
                    "release {release} has PersistentVolumeClaims; a new deploy could not attach their data again"
                ))
                .hint("lain delete --force # the data goes too"));
            }
            if session.ui.can_ask() && !session.ui.ask(&format!("delete release {release} from cluster {cluster}?"))? {
                return Err(Error::refused("nothing was deleted"));
            }
        }
        if let Ok(revision) = found.revision.parse() {
            mend::mend(&session.ui, &kubectl, &release, revision, None, &[], &[])?; // helm 3.17 would say no more than "failed to delete release"
        }
        helm.call(&["uninstall"])?.operand(&release).run()?;
        if self.purge {
            for secret in [format!("{app}-env"), format!("{app}-secret")] {
                let found: Option<Json> = kubectl.find("secret", &secret)?;
                if found.is_some() {
                    kubectl.call(["delete", "secret"]).operand(&secret).run()?;
                }
            }
        }
        session.ui.done(&format!("deleted release {release} from cluster {cluster}"));
        Ok(())
    }
}
