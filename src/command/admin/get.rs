//! `lain admin get`: objects of all namespaces, by their annotations.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::cluster::everywhere::{self, Seen};
use crate::cluster::objects::{Headed, List};
use crate::error::{Error, Result};
use crate::session::Session;
use crate::tools::everywhere::paged;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;
use crate::ui::{Answer, Table};

/// Objects of one answer.
const PAGE: u32 = 200;

/// List objects of a kind by their annotations, in all namespaces
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin get pod --annotations prometheus.io/scrape=true\n  lain admin get ingress --annotations kubernetes.io/ingress.class  # any value\n  lain admin get certificates.cert-manager.io --annotations team=shop -o json\n\nWith several, what has any of them."
)]
pub(super) struct Get {
    /// A kind, as kubectl takes it: `pods`, `deploy`, one that the cluster defines
    kind: String,
    /// An annotation to look for, or its key alone; may be repeated
    #[arg(long, value_name = "KEY=VALUE", required = true, value_parser = wanted)]
    annotations: Vec<Wanted>,
}

/// An annotation that is looked for.
#[derive(Clone, Debug)]
struct Wanted {
    key: String,
    /// None for any.
    value: Option<String>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value.to_owned())));
    if key.is_empty() {
        return Err("an annotation has a key: KEY=VALUE".to_owned());
    }
    Ok(Wanted { key: key.to_owned(), value })
}

impl Get {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ',');
        if self.kind.starts_with('-') || self.kind.is_empty() || !self.kind.chars().all(is_word) {
            return Err(Error::usage(format!("`{}` is no kind", self.kind)).hint("kubectl api-resources # lists them"));
        }
        let kubectl = session.kubectl()?;
        let mut found = vec![];
        let mut take = |kind: &str, it: Headed| {
            let has = |wanted: &&Wanted| {
                it.metadata.annotation(&wanted.key).is_some_and(|value| wanted.value.as_deref().is_none_or(|wanted| wanted == value))
            };
            if self.annotations.iter().any(|wanted| has(&wanted)) {
                let shown =
                    self.annotations.iter().filter_map(|wanted| it.metadata.annotation(&wanted.key).map(|value| (&wanted.key, value)));
                let annotations = shown.map(|(key, value)| (key.clone(), value.to_owned())).collect();
                let kind = if it.kind.is_empty() { kind.to_owned() } else { it.kind };
                found.push(Found { namespace: it.metadata.namespace, kind, name: it.metadata.name, annotations });
            }
        };
        let seen = if let Some(kind) = paged(&self.kind) {
            everywhere::each(&kubectl, &self.kind, "", PAGE, |it: Headed| take(kind, it))?
        } else {
            let (list, seen) = self.by_kubectl(&kubectl)?;
            list.items.into_iter().for_each(|it| take("", it));
            seen
        };
        found.sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
        if seen == Seen::One {
            session.ui.warn(&format!("of namespace {} alone: this account may not read the others", kubectl.namespace()));
        }
        let count = found.len();
        session.ui.answer(&Objects { version: 1, objects: found })?;
        session.ui.say(&match count {
            0 => format!("no {} has such an annotation", self.kind),
            1 => "1 object".to_owned(),
            _ => format!("{count} objects"),
        });
        Ok(())
    }

    fn by_kubectl(&self, kubectl: &Kubectl<'_>) -> Result<(List<Headed>, Seen)> {
        match kubectl.everywhere(&self.kind, true) {
            Ok(list) => Ok((list, Seen::All)),
            Err(error) if is_forbidden(&error) => Ok((kubectl.everywhere(&self.kind, false)?, Seen::One)),
            Err(error) if error.tool().is_some_and(|tool| tool.says("doesn't have a resource type")) => {
                Err(Error::usage(format!("the cluster has no kind `{}`", self.kind)).hint("kubectl api-resources # lists them"))
            }
            Err(error) => Err(error),
        }
    }
}

#[derive(Serialize)]
struct Objects {
    version: u32,
    objects: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    /// Empty for what is in none.
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    kind: String,
    name: String,
    /// Those that were asked for.
    annotations: BTreeMap<String, String>,
}

impl Answer for Objects {
    fn text(&self) -> String {
        if self.objects.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["NAMESPACE", "NAME", "KIND", "ANNOTATIONS"]);
        for it in &self.objects {
            let annotations: Vec<String> = it.annotations.iter().map(|(key, value)| format!("{key}={value}")).collect();
            table.row([it.namespace.clone(), it.name.clone(), it.kind.clone(), annotations.join(" ")]);
        }
        table.to_string().trim_end().to_owned()
    }
}
