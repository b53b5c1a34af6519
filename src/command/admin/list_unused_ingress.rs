//! `lain admin list-unused-ingress`: names that nobody asks any more.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::cluster::everywhere;
use crate::cluster::objects::Ingress;
use crate::error::{Error, Result};
use crate::http::prometheus::{self, Query};
use crate::model::duration::age;
use crate::session::Session;
use crate::ui::{Answer, Table};

/// Ingresses of one answer.
const PAGE: u32 = 200;
/// The longest that Prometheus may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What ingress-nginx counts: <https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/>.
const METRIC: &str = "nginx_ingress_controller_requests";

/// List names of ingresses that were asked less often than is worth keeping them, as ingress-nginx counts in Prometheus
#[derive(Args, Debug)]
#[command(after_help = "  lain admin list-unused-ingress\n  lain admin list-unused-ingress --count-below 100 --period 30d -o json")]
pub(super) struct ListUnusedIngress {
    /// Asked fewer times than this
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    count_below: u32,
    /// How far to look back; what is younger is left out
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = super::period)]
    period: Duration,
}

impl ListUnusedIngress {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let kubectl = session.kubectl()?;
        let base = super::prometheus(session, "so nobody counts requests")?;
        let counts = self.counts(session, base)?;
        let now = Timestamp::now().as_second();
        let (mut found, mut young, mut wild) = (vec![], 0, 0);
        let seen = everywhere::each(&kubectl, "ingresses", "", PAGE, |it: Ingress| {
            let old = it.metadata.created().map(|at| now.saturating_sub(at.as_second()));
            if old.is_some_and(|old| u64::try_from(old).unwrap_or(0) < self.period.as_secs()) {
                young += 1;
                return;
            }
            for host in it.hosts() {
                if host.starts_with('*') {
                    wild += 1; // it is asked by other names than its own
                    continue;
                }
                let requests = counts.get(host).copied().unwrap_or(0);
                if requests < u64::from(self.count_below) {
                    let (namespace, ingress) = (it.metadata.namespace.clone(), it.metadata.name.clone());
                    found.push(Unused { namespace, ingress, host: host.to_owned(), requests, age_seconds: old });
                }
            }
        })?;
        found.sort_by(|a, b| (a.requests, &a.namespace, &a.ingress, &a.host).cmp(&(b.requests, &b.namespace, &b.ingress, &b.host)));
        super::say_if_one(session, &kubectl, seen);
        let count = found.len();
        session.ui.answer(&UnusedIngresses { version: 1, unused: found })?;
        let names = if count == 1 { "name was" } else { "names were" };
        let mut words = match self.count_below {
            ..=1 => format!("{count} {names} never asked"),
            below => format!("{count} {names} asked fewer than {below} times"),
        };
        let left_out = [(young, "younger"), (wild, "with a `*`")].into_iter().filter(|(count, _)| *count > 0);
        let left_out: Vec<String> = left_out.map(|(count, what)| format!("{count} {what}")).collect();
        if !left_out.is_empty() {
            words += &format!("; left out: {}", left_out.join(", "));
        }
        session.ui.say(&words);
        Ok(())
    }

    /// How often each name was asked; Prometheus is asked one question, however many there are.
    fn counts(&self, session: &Session, base: &str) -> Result<BTreeMap<String, u64>> {
        let query = format!("sum by (host) (increase({METRIC}[{}s]))", self.period.as_secs());
        let answers = prometheus::ask_with_labels(&session.proxies(), base, vec![Query::Now(query)], PATIENCE)
            .map_err(|error| error.context("Prometheus cannot be asked").hint(prometheus::NO_ANSWER))?;
        let mut counts = BTreeMap::new();
        for (labels, series) in answers.into_iter().flatten() {
            let value = series.last().map(|(_, value)| *value).filter(|value| value.is_finite()).unwrap_or(0.0);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count, and no more than is shown
            let value = value.max(0.0).ceil() as u64;
            if let Some(host) = labels["host"].as_str() {
                counts.insert(host.to_owned(), value);
            }
        }
        // Nobody counts: that says nothing about who asks.
        if counts.is_empty() {
            return Err(Error::failed(format!("Prometheus has no {METRIC} by host of that time, so it is not known who is asked"))
                .hint("does it scrape ingress-nginx, with controller.metrics.enabled: true in its chart?"));
        }
        Ok(counts)
    }
}

#[derive(Serialize)]
struct UnusedIngresses {
    version: u32,
    unused: Vec<Unused>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Unused {
    namespace: String,
    ingress: String,
    host: String,
    requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
}

impl Answer for UnusedIngresses {
    fn text(&self) -> String {
        if self.unused.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["REQUESTS", "AGE", "NAMESPACE", "INGRESS", "HOST"]);
        for it in &self.unused {
            let old = it.age_seconds.map(age).unwrap_or_default();
            table.row([it.requests.to_string(), old, it.namespace.clone(), it.ingress.clone(), it.host.clone()]);
        }
        table.narrow(&[2, 3, 4]);
        table.to_string().trim_end().to_owned()
    }
}
