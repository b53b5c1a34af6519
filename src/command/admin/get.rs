//! `lain admin get`: objects of all namespaces, by their annotations.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::cluster::everywhere::{self, Seen};
use crate::cluster::objects::Named;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::tools::everywhere::{Head, paged};
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
        let mut take = |kind: &str, namespace: &str, name: &str, annotation: &dyn Fn(&str) -> Option<String>| {
            let has = |wanted: &Wanted| annotation(&wanted.key).is_some_and(|value| wanted.value.as_ref().is_none_or(|it| *it == value));
            if self.annotations.iter().any(has) {
                let annotations = self.annotations.iter().filter_map(|it| Some((it.key.clone(), annotation(&it.key)?))).collect();
                found.push(Found { namespace: namespace.to_owned(), kind: kind.to_owned(), name: name.to_owned(), annotations });
            }
        };
        let seen = if let Some(kind) = paged(&self.kind) {
            everywhere::each(&kubectl, &self.kind, "", PAGE, |it: Named| {
                let head = &it.metadata;
                take(kind, &head.namespace, &head.name, &|key| head.annotation(key).map(str::to_owned));
            })?
        } else {
            let (heads, seen) = self.by_kubectl(&kubectl)?;
            heads.iter().for_each(|it| take(&it.kind, &it.namespace, &it.name, &|key| it.annotations.get(key).cloned()));
            seen
        };
        found.sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
        super::say_if_one(session, &kubectl, seen);
        let count = found.len();
        session.ui.answer(&Objects { version: 1, objects: found })?;
        session.ui.say(&match count {
            0 => format!("none of the {} has such an annotation", self.kind),
            1 => "1 object".to_owned(),
            _ => format!("{count} objects"),
        });
        Ok(())
    }

    fn by_kubectl(&self, kubectl: &Kubectl<'_>) -> Result<(Vec<Head>, Seen)> {
        match kubectl.heads(&self.kind, true) {
            Ok(heads) => Ok((heads, Seen::All)),
            Err(error) if is_forbidden(&error) => Ok((kubectl.heads(&self.kind, false)?, Seen::One)),
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
        table.narrow(&[0, 1, 3]);
        table.to_string().trim_end().to_owned()
    }
}
