//! `lain status`: how the release stands.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::cluster::usage::Now;
use crate::error::{Error, Result};
use crate::model::duration;
use crate::panel;
use crate::release::status::{self, Explanation, PodAnswer, StatusAnswer, UrlAnswer};
use crate::session::Session;
use crate::tools::usage;
use crate::ui::{Answer, Format, Label, Ui, columns, cut, hint_label, printable, shorten, wrap};

/// Show pods, usage, what is wrong, URLs and links: a panel on a terminal
#[derive(Args, Debug)]
#[command(
    after_help = "  lain status                       # a panel; ? shows its keys\n  lain status -s                    # printed once\n  lain status -s --exit-code        # 3 where something is bad\n  lain status -o json | jq .good    # lain schema status"
)]
pub struct Status {
    // `-s` has meant "print once" here since the older tool; the global flag keeps its long name.
    /// Print it once, as where there is no terminal
    #[arg(short = 's', long)]
    simple: bool,
    /// Print it once, and end with exit code 3 when something is bad
    #[arg(long)]
    exit_code: bool,
    /// Print warnings and errors only
    #[arg(id = "silent", long = "silent")]
    _silent: bool,
}

/// Pods listed in full; more are counted.
const MAX_PODS: usize = 13;
/// The narrowest that a name is made, in cells.
const NARROWEST: usize = 12;

impl Command for Status {
    const FORMATS: &'static [Format] = Stands::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let kubectl = session.kubectl()?;
        if !self.simple && !self.exit_code && session.ui.can_show_panel() {
            return panel::run(session, &kubectl);
        }
        let (answer, used) = status::now(session, &kubectl)?;
        let next = answer.explanation.as_ref().and_then(|it| it.next.as_deref()).map(|next| session.ui.aimed(next));
        let stands = Stands { answer: &answer, used: &used, next, columns: columns() };
        session.ui.answer(&stands)?;
        if answer.unseen.iter().any(|line| line.contains("(403)")) {
            session.ui.hint("lain doctor rights # what this account may not; ask your administrator for it");
        }
        // No words of its own: what is bad was shown.
        if self.exit_code && !answer.good { Err(Error::child(3)) } else { Ok(()) }
    }
}

/// How a release stands, as it is shown.
#[derive(Serialize)]
#[serde(transparent)]
struct Stands<'a> {
    answer: &'a StatusAnswer,
    #[serde(skip)]
    used: &'a Now,
    #[serde(skip)]
    next: Option<String>,
    /// Of the terminal; none where it is no terminal, and nothing is cut.
    #[serde(skip)]
    columns: Option<usize>,
}

impl Answer for Stands<'_> {
    fn text(&self) -> String {
        self.written(|words, _| words.to_owned())
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        Some(self.written(|words, label| ui.emphasis(words, label)))
    }
}

impl Stands<'_> {
    fn written(&self, paint: impl Fn(&str, Label) -> String) -> String {
        let mut out = String::new();
        self.wrapped(&mut out, &self.title(), "  ");
        self.pods(&mut out, &paint);
        for it in self.answer.workloads.iter().filter(|it| it.ready < it.wanted) {
            // What is said of it is whole; its name is made shorter.
            let stand = format!(": {} of {} new pods ready", it.ready, it.wanted);
            let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(stand.len()).max(NARROWEST));
            let (kind, name) = it.name.split_once('/').unwrap_or(("", &it.name));
            let name = if it.name.len() > room { self.own(name) } else { name };
            let _ = writeln!(out, "{}{stand}", shorten(&format!("{kind}/{name}"), room));
        }
        if let Some(explanation) = &self.answer.explanation {
            self.explain(&mut out, explanation, &paint);
        }
        let _ = writeln!(out, "\nusage");
        self.usage(&mut out);
        if !self.answer.urls.is_empty() {
            out.push_str("\nurls\n");
            for url in &self.answer.urls {
                let _ = writeln!(out, "{}  {}", paint(&self.cut(&url.state), label_of(url)), printable(&url.url));
            }
        }
        if !self.answer.unseen.is_empty() {
            out.push_str("\nnot to be seen\n");
            self.answer.unseen.iter().for_each(|line| self.wrapped(&mut out, line, ""));
        }
        for (name, link) in [("grafana", &self.answer.grafana), ("kibana", &self.answer.kibana), ("prometheus", &self.answer.prometheus)] {
            if let Some(link) = link {
                let _ = writeln!(out, "\n{name}: {}", printable(link)); // whole, whatever the terminal is
            }
        }
        out
    }

    /// `release shop  cluster test, namespace team  revision 12, 1764170405-ab12`
    fn title(&self) -> String {
        let it = self.answer;
        let joined = |parts: [Option<String>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let place = joined([
            it.cluster.as_ref().map(|name| format!("cluster {name}")),
            it.namespace.as_ref().map(|name| format!("namespace {name}")),
        ]);
        let runs = joined([it.revision.map(|number| format!("revision {number}")), it.image_tag.clone()]);
        [format!("release {}", printable(&it.release)), place, runs]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("  ")
    }

    /// A name without the release, which stands above.
    fn own<'n>(&self, name: &'n str) -> &'n str {
        name.strip_prefix(&self.answer.release).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
    }

    fn pods(&self, out: &mut String, paint: &impl Fn(&str, Label) -> String) {
        let pods = &self.answer.pods;
        if pods.is_empty() {
            let it = self.answer;
            let may_not = it.unseen.iter().any(|line| line.starts_with("pods: "));
            let is_there = it.revision.is_some() || !it.workloads.is_empty() || !it.jobs.is_empty() || !it.unseen.is_empty();
            out.push_str(match is_there {
                _ if may_not => "no pods are to be seen\n",
                true => "no pods: lain deploy\n",
                false => "there is no such release here: lain deploy\n",
            });
            return;
        }
        let shown = &pods[..pods.len().min(MAX_PODS)];
        let widest = |cell: &dyn Fn(&PodAnswer) -> usize, head: &str| shown.iter().map(cell).max().unwrap_or(0).max(head.len());
        let (whole, state) = (widest(&|pod| pod.name.len(), "NAME"), widest(&|pod| pod.state.len(), "STATUS"));
        let rest = "READY".len() + state + "RESTARTS".len() + "AGE".len() + 4 * 2 + 1;
        let room = self.columns.map_or(whole, |columns| columns.saturating_sub(rest).max(NARROWEST));
        let is_whole = whole <= room;
        let shown_name = |pod: &PodAnswer| if is_whole { pod.name.clone() } else { shorten(self.own(&pod.name), room) };
        let name = widest(&|pod| shown_name(pod).chars().count(), "NAME");
        let _ = writeln!(out, "{:name$}  READY  {:state$}  RESTARTS  AGE", "NAME", "STATUS");
        for pod in shown {
            let label = if pod.good { Label::Good } else { Label::Bad };
            let (shown, padded) = (shown_name(pod), format!("{:state$}", pod.state));
            let _ = writeln!(out, "{shown:name$}  {:5}  {}  {:8}  {}", pod.ready, paint(&padded, label), pod.restarts, age(pod));
        }
        if pods.len() > shown.len() {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            pods[shown.len()..].iter().for_each(|pod| *counts.entry(&pod.state).or_default() += 1);
            let counts: Vec<String> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
            let good = pods.iter().filter(|pod| pod.good).count();
            let more = format!("... {} more: {}; {} pods in all, {good} good", pods.len() - shown.len(), counts.join(", "), pods.len());
            self.wrapped(out, &more, "    ");
        }
    }

    fn explain(&self, out: &mut String, it: &Explanation, paint: &impl Fn(&str, Label) -> String) {
        let more = if it.message.is_empty() { String::new() } else { format!(": {}", it.message) };
        out.push('\n');
        let said = format!("{}: {}{more}", it.object, it.reason);
        for line in self.lines(&said, "  ") {
            let _ = writeln!(out, "{}", paint(&line, Label::Bad));
        }
        if let Some(of) = &it.log_of {
            let _ = writeln!(out, "{}", self.cut(&format!("the end of the log of {of}:")));
            for line in &it.log {
                let _ = writeln!(out, "{}", self.cut(&format!("  {line}")));
            }
        }
        if !it.events.is_empty() {
            out.push_str("the newest warnings of the cluster:\n");
            it.events.iter().for_each(|line| self.wrapped(out, &format!("  {line}"), "    "));
        }
        if let Some(next) = &self.next {
            let _ = writeln!(out, "{} {next}", paint(hint_label(next), Label::Next)); // whole: it is to be pasted
        }
    }

    fn usage(&self, out: &mut String) {
        match (self.used, &self.answer.usage) {
            (Now::Unknown(why), _) => self.wrapped(out, &printable(why), "  "),
            (used, Some(pods)) => {
                // Behind the name stand two columns, with kubectl's heads and the gaps before them.
                let name = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(30).max(NARROWEST));
                let shown = &pods[..pods.len().min(MAX_PODS)];
                let is_whole = shown.iter().all(|pod| pod.name.len() <= name);
                let own = |pod: &str| shorten(&printable(if is_whole { pod } else { self.own(pod) }), name);
                let _ = writeln!(out, "{}", usage::table(shown, own));
                if pods.len() > shown.len() {
                    let (cpu, memory) = usage::total(pods);
                    let _ = writeln!(out, "... {} pods in all: {cpu}m CPU, {}Mi memory", pods.len(), memory >> 20);
                }
                if matches!(used, Now::Prometheus(_)) {
                    out.push_str("(by Prometheus: the cluster has no metrics server)\n");
                }
            }
            _ => {}
        }
    }

    fn cut(&self, line: &str) -> String {
        self.columns.map_or_else(|| line.to_owned(), |columns| cut(line, columns))
    }

    /// One line, or several where the terminal is narrow: those after the first stand behind `indent`.
    fn lines(&self, text: &str, indent: &str) -> Vec<String> {
        let Some(columns) = self.columns else { return vec![text.to_owned()] };
        let lead = &text[..text.len() - text.trim_start().len()];
        let lines = wrap(text.trim_start(), columns.saturating_sub(indent.len().max(lead.len())));
        lines.iter().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { lead } else { indent })).collect()
    }

    fn wrapped(&self, out: &mut String, text: &str, indent: &str) {
        for line in self.lines(text, indent) {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// A page, an answer that is no page, nothing.
fn label_of(url: &UrlAnswer) -> Label {
    match url {
        _ if url.good => Label::Good,
        _ if url.is_bad => Label::Bad,
        _ => Label::Detail,
    }
}

fn age(pod: &PodAnswer) -> String {
    let created: Option<jiff::Timestamp> = pod.created.as_deref().and_then(|text| text.parse().ok());
    created.map_or_else(|| "?".to_owned(), |at| duration::age(jiff::Timestamp::now().as_second() - at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::status::WorkloadAnswer;
    use crate::tools::usage::PodUsage;

    /// What is said of a name is whole, and what is cut of names is the release, which stands above.
    #[test]
    fn a_narrow_terminal_keeps_the_facts() {
        let name = "shop-unready-process-with-a-rather-long-name-5f6d8-abcde";
        let pod = PodAnswer {
            name: name.into(),
            ready: "0/1".into(),
            state: "Running".into(),
            restarts: 0,
            good: false,
            leaving: false,
            created: None,
        };
        let workload = WorkloadAnswer { name: format!("deployment/{}", &name[..name.len() - 12]), ready: 0, wanted: 1, done: false };
        let used = Now::Metrics(vec![PodUsage { name: name.into(), cpu: Some(9), memory: Some(127 << 20) }]);
        let answer = StatusAnswer {
            version: 1,
            release: "shop".into(),
            cluster: Some("test".into()),
            namespace: Some("team".into()),
            revision: Some(12),
            image_tag: Some("1764170405-ab12".into()),
            good: false,
            pods: vec![pod],
            workloads: vec![workload],
            jobs: vec![],
            explanation: None,
            usage: Some(used.pods().to_vec()),
            urls: vec![],
            grafana: None,
            kibana: None,
            prometheus: None,
            unseen: vec![],
        };
        let text = |columns| Stands { answer: &answer, used: &used, next: None, columns }.text();
        let wanted = "release shop  cluster test, namespace team  revision 12,
  1764170405-ab12
NAME                          READY  STATUS   RESTARTS  AGE
unready-proce…me-5f6d8-abcde  0/1    Running         0  ?
deployment/unready…a-rather-long-name: 0 of 1 new pods ready

usage
NAME                             CPU(cores)   MEMORY(bytes)
unready-proces…ame-5f6d8-abcde   9m           127Mi
";
        assert_eq!(text(Some(60)), wanted);
        assert!(text(None).contains(&format!("\n{name}  0/1 ")), "a pipe gets all of it");
    }
}
