//! `lain admin list-singletons`: what runs in one pod alone, and whose it is.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use crate::cluster::everywhere;
use crate::cluster::objects::Workload;
use crate::error::{Kind, Result};
use crate::model::changes::HELM_RELEASE;
use crate::release::owners::owners;
use crate::session::Session;
use crate::ui::{Answer, Table};

/// Deployments of one answer.
const PAGE: u32 = 200;

/// List Deployments of helm's with one replica alone, and who deployed them: what is gone while a node is
#[derive(Args, Debug)]
#[command(after_help = "  lain admin list-singletons\n  lain admin list-singletons --ignore worker --ignore cron -o json")]
pub(super) struct ListSingletons {
    /// Leave out names that hold this; may be repeated
    #[arg(long, value_name = "WORD", default_values = ["consumer", "worker", "sentry", "gitlab"])]
    ignore: Vec<String>,
}

impl ListSingletons {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let kubectl = session.kubectl()?;
        let (mut found, mut left_out) = (vec![], 0);
        let seen = everywhere::each(&kubectl, "deployments", "", PAGE, |it: Workload| {
            let name = &it.metadata.name;
            let is_alone = it.spec.replicas.unwrap_or(1) == 1;
            let Some(release) = it.metadata.annotation(HELM_RELEASE).filter(|_| is_alone) else { return };
            if self.ignore.iter().any(|word| name.contains(word.as_str())) {
                left_out += 1;
            } else {
                let (name, release) = (name.clone(), release.to_owned());
                found.push(Singleton { namespace: it.metadata.namespace, deployment: name, release, user: None });
            }
        })?;
        let releases: BTreeSet<_> = found.iter().map(|it| (it.namespace.clone(), it.release.clone())).collect();
        match owners(&kubectl, &releases) {
            Ok((users, _)) => {
                for it in &mut found {
                    it.user = users.get(&(it.namespace.clone(), it.release.clone())).cloned();
                }
            }
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => session.ui.warning(&error.context("who deployed them cannot be read")),
        }
        super::say_if_one(session, &kubectl, seen);
        let count = found.len();
        session.ui.answer(&Singletons { version: 1, singletons: found })?;
        let mut words = format!("{count} {} one replica", if count == 1 { "Deployment has" } else { "Deployments have" });
        if left_out > 0 {
            words += &format!("; left out: {left_out} with {} in the name (--ignore)", self.ignore.join(", "));
        }
        session.ui.say(&words);
        Ok(())
    }
}

#[derive(Serialize)]
struct Singletons {
    version: u32,
    singletons: Vec<Singleton>,
}

#[derive(Serialize)]
struct Singleton {
    namespace: String,
    deployment: String,
    release: String,
    /// None where the release's values name nobody, or may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
}

impl Answer for Singletons {
    fn text(&self) -> String {
        if self.singletons.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["NAMESPACE", "DEPLOYMENT", "RELEASE", "DEPLOYED BY"]);
        for it in &self.singletons {
            table.row([it.namespace.clone(), it.deployment.clone(), it.release.clone(), it.user.clone().unwrap_or_default()]);
        }
        table.narrow(&[0, 1, 2, 3]);
        table.to_string().trim_end().to_owned()
    }
}
