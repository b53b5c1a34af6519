//! `lain logs`: what the app says.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::Command;
use crate::cluster::absent;
use crate::cluster::look;
use crate::cluster::objects::Pod;
use crate::cluster::streams::{Stream, streams};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::app::{App, ProcKind};
use crate::model::duration::{self, age};
use crate::model::name::{is_label, nearest};
use crate::release::links;
use crate::session::Session;
use crate::tools::call::Call;
use crate::tools::kubectl::{Excerpt, Kubectl, MAX_STREAMS};
use crate::tools::pulse::Pulse;
use crate::tools::server::may_pass;
use crate::ui::{Prefixes, columns};

/// Lines to start from where neither lines nor a time are given.
const TAIL: i64 = 200;
/// stern follows no more without being told so.
const STERN_STREAMS: usize = 50;
/// What a terminal has that does not tell its width.
const COLUMNS: usize = 80;

/// Follow the log of a proc, or of all
#[derive(Args, Debug)]
#[command(
    after_help = "  lain logs\n  lain logs web --tail 50\n  lain logs web --since 1h30m --no-follow | grep ERROR\n  lain logs web --previous   # of the container that crashed"
)]
pub struct Logs {
    /// The proc; all without one
    proc: Option<String>,
    /// How many lines of each container to start from, -1 for all [default: 200, or all of --since]
    #[arg(long, value_name = "LINES", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    tail: Option<i64>,
    /// What is not older: 10m, 1h30m, 2d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Duration>,
    /// Print what there is and end
    #[arg(long)]
    no_follow: bool,
    /// Of the containers before the last restart
    #[arg(long)]
    previous: bool,
    /// Use stern, which also follows pods that come later
    #[arg(long, conflicts_with = "previous")]
    stern: bool,
    /// Print the Kibana link instead
    #[arg(long)]
    kibana: bool,
}

fn since(text: &str) -> Result<Duration, String> {
    duration::parse(text)
        .and_then(|time| if time.as_secs() == 0 { Err("that is now: there is nothing to read".to_owned()) } else { Ok(time) })
}

impl Command for Logs {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let kind = self.proc.as_deref().map(|name| kind_of(app, name)).transpose()?;
        let kibana = links::kibana(app, self.proc.as_deref(), session.cluster()?);
        if self.kibana {
            let link =
                kibana.ok_or_else(|| Error::failed("the cluster values name no kibana").hint("kibana: HOST # in values-CLUSTER.yaml"))?;
            return session.ui.result(&link);
        }
        let what =
            Excerpt { tail: self.tail.unwrap_or(if self.since.is_some() { -1 } else { TAIL }), since: self.since, has_prefix: false };
        let kubectl = session.kubectl()?;
        let selector = match &self.proc {
            Some(name) => look::of_proc(app.release(), name),
            None => look::selector(&app.appname, app.release()),
        };
        let reading = Reading { session, app, kubectl: &kubectl, proc: self.proc.as_deref(), kind, kibana, selector, what };
        if self.stern {
            return reading.stern(self.no_follow);
        }
        // A server that is silent is silent from the first question on.
        Pulse::beside(
            &session.ui,
            &kubectl,
            || (),
            |pulse| match (self.previous, self.no_follow) {
                (true, _) => reading.previous(pulse),
                (false, true) => reading.once(pulse),
                (false, false) => reading.follow(pulse),
            },
        )
    }
}

/// What kind of process that is.
fn kind_of(app: &App, name: &str) -> Result<ProcKind> {
    if let Some((kind, _, _)) = app.procs().find(|(_, known, _)| *known == name) {
        return Ok(kind);
    }
    let known: Vec<&str> = app.procs().map(|(_, known, _)| known).collect();
    let error = Error::usage(format!("there is no proc `{name}`"));
    Err(match nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("lain logs {near}")),
        None if known.is_empty() => error.hint("lain values"),
        None => Error::usage(format!("there is no proc `{name}`; there are {}", known.join(", "))).hint("lain logs # all of them"),
    })
}

/// Which logs are read.
struct Reading<'r> {
    session: &'r Session,
    app: &'r App,
    kubectl: &'r Kubectl<'r>,
    proc: Option<&'r str>,
    kind: Option<ProcKind>,
    kibana: Option<String>,
    selector: String,
    what: Excerpt,
}

impl Reading<'_> {
    fn is_job(&self) -> bool {
        matches!(self.kind, Some(ProcKind::Job | ProcKind::CronJob | ProcKind::Test))
    }

    /// As it is typed, with the proc.
    fn typed(&self, more: &str) -> String {
        ["lain logs", self.proc.unwrap_or_default(), more].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// stern looks for pods itself, and waits for them.
    fn stern(&self, is_once: bool) -> Result<()> {
        let ui = &self.session.ui;
        let call = Call::new(ui, "stern").option("--selector", &self.selector);
        let call = self.session.target()?.flags("--context", call.option("--tail", self.what.tail.to_string()));
        let call = call.options(self.what.since.map(|since| ("--since", format!("{}s", since.as_secs()))));
        let call = if is_once { call.arg("--no-follow") } else { call };
        let call = if ui.shows_results() { call.option("--color", if ui.shows_colors() { "always" } else { "never" }) } else { call };
        let count = self.pods().map_or(0, |pods| streams(&pods).len());
        let call = if count > STERN_STREAMS { call.option("--max-log-requests", count.to_string()) } else { call };
        let call = call.install_hint("install stern: https://github.com/stern/stern#installation");
        let code = Pulse::beside(ui, self.kubectl, || (), |pulse| watched(pulse, &call, None));
        match code.map_err(|error| error.hint(self.typed("")))? {
            0 => Ok(()),
            code if code > 128 => Err(Error::child(code)),
            code => Err(Error::failed(format!("stern ended with exit code {code}")).hint(format!("{} # kubectl reads it", self.typed("")))),
        }
    }

    /// Until all containers ended, or somebody ends it.
    fn follow(&self, pulse: &Pulse<'_>) -> Result<()> {
        let pods = match self.pods() {
            // kubectl waits for the server, and the pulse tells how long it has been silent.
            Err(error) if may_pass(&error) => {
                let code = watched(pulse, &self.kubectl.follow_logs(&self.selector, MAX_STREAMS, &self.what), None)?;
                // What kubectl was told is what was told before.
                return finish(code).map_err(|ended| if code > 128 || interrupt::received() { ended } else { error });
            }
            pods => pods?,
        };
        let (found, selector) = self.find(pods)?;
        let live = found.iter().filter(|it| !it.is_over).count();
        if live > MAX_STREAMS {
            return Err(self.too_many(live));
        }
        self.tell_who_waits(&found);
        if found.iter().all(|it| it.waits.is_some()) {
            return Err(self.nothing_begun(&found)?);
        }
        let what = Excerpt { has_prefix: found.len() > 1, ..self.what };
        let call = self.kubectl.follow_logs(&selector, found.len(), &what);
        let code = watched(pulse, &call, self.prefixes(&found).as_ref())?;
        if code == 0 && !self.is_job() {
            self.session.ui.say("no container is left that was followed");
            self.tell_what_is_wrong()?;
            self.session.ui.hint(&format!("{} # of those that run now", self.typed("")));
        }
        finish(code)
    }

    /// Container by container: kubectl has them in any order, ends at the first that has none, and before 1.21 one pod that is going ends it for all.
    fn once(&self, pulse: &Pulse<'_>) -> Result<()> {
        let (found, _) = self.find(self.pods()?)?;
        self.tell_who_waits(&found);
        let begun: Vec<&Stream> = found.iter().filter(|it| it.waits.is_none()).collect();
        if begun.is_empty() {
            return Err(self.nothing_begun(&found)?);
        }
        self.one_by_one(pulse, &begun, false)
    }

    fn previous(&self, pulse: &Pulse<'_>) -> Result<()> {
        let (found, _) = self.find(self.pods()?)?;
        let (earlier, others): (Vec<&Stream>, Vec<&Stream>) = found.iter().partition(|it| it.has_earlier);
        if earlier.is_empty() {
            return Err(Error::failed("no container has ended and been started again: there is no earlier log").hint(self.typed("")));
        }
        if !others.is_empty() {
            self.session
                .ui
                .say(&format!("never started again, so without an earlier log: {}", listed(others.iter().map(|it| it.name()).collect())));
        }
        self.one_by_one(pulse, &earlier, true)?;
        self.tell_what_is_wrong()
    }

    /// A container that cannot start says nothing by itself.
    fn tell_what_is_wrong(&self) -> Result<()> {
        let may_be_well = self.pods()?.iter().any(|pod| pod.is("Ready"));
        if !may_be_well {
            self.session.ui.say(self.why()?.message());
        }
        Ok(())
    }

    fn one_by_one(&self, pulse: &Pulse<'_>, wanted: &[&Stream], is_previous: bool) -> Result<()> {
        let what = Excerpt { has_prefix: wanted.len() > 1, ..self.what };
        let all: Vec<Stream> = wanted.iter().map(|it| (*it).clone()).collect();
        let prefixes = self.prefixes(&all);
        let mut lacking = vec![];
        for it in wanted {
            let call = self.kubectl.container_log(&it.pod, &it.container, is_previous, &what);
            match watched(pulse, &call, prefixes.as_ref())? {
                0 => {}
                code if code > 128 || interrupt::received() => return finish(code),
                _ if it.is_leaving => {} // it was gone before it was asked
                _ => lacking.push(it.name()),
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let words = format!("{} of {} logs cannot be read: {}", lacking.len(), wanted.len(), listed(lacking));
        Err(Error::failed(words).hint("lain status -s # is its node well?"))
    }

    fn pods(&self) -> Result<Vec<Pod>> {
        look::pods(self.kubectl, &self.selector)
    }

    /// The logs that these pods have, and what selects them.
    fn find(&self, mut pods: Vec<Pod>) -> Result<(Vec<Stream>, String)> {
        let mut selector = self.selector.clone();
        if self.is_job() {
            let link = self.kibana.as_ref().map_or_else(String::new, |link| format!(": {link}"));
            let kind = self.kind.map_or("", ProcKind::resource);
            self.session.ui.say(&format!("containers of a {kind} go soon after they end; older logs are in your log system{link}"));
        }
        if self.kind == Some(ProcKind::CronJob)
            && let Some(job) = self.last_job(&mut pods)
        {
            selector = format!("{selector},job-name={job}");
        }
        let found = streams(&pods);
        if found.is_empty() {
            return Err(self.no_pods()?);
        }
        if !look::may_read_logs(self.kubectl)? {
            let place = self.kubectl.namespace();
            let error = Error::failed(format!("this account may not read logs in namespace {place} (403): `get` of `pods/log`"));
            return Err(match &self.kibana {
                Some(_) => error.hint(self.typed("--kibana")),
                None => error.hint("kubectl auth can-i get pods --subresource log # ask whoever runs the cluster for it"),
            });
        }
        Ok((found, selector))
    }

    /// Leaves the pods of a cron job's newest Job alone, and names it.
    fn last_job(&self, pods: &mut Vec<Pod>) -> Option<String> {
        let job_of =
            |pod: &Pod| pod.metadata.owner().filter(|owner| owner.kind == "Job" && is_label(&owner.name)).map(|owner| owner.name.clone());
        let last = pods.iter().max_by_key(|pod| pod.metadata.created())?;
        let (last, begun) = (job_of(last)?, last.metadata.created());
        let mut earlier: Vec<String> = pods.iter().filter_map(job_of).filter(|job| *job != last).collect();
        earlier.sort();
        earlier.dedup();
        pods.retain(|pod| job_of(pod).as_ref() == Some(&last));
        let ui = &self.session.ui;
        let ago = begun.map_or_else(String::new, |at| {
            format!(", begun {} ago", age(jiff::Timestamp::now().as_second().saturating_sub(at.as_second())))
        });
        ui.say(&format!("the last job of {} is {last}{ago}", self.proc.unwrap_or_default()));
        if let Some(job) = earlier.last() {
            ui.say(&format!("earlier, and still there: {}", listed(earlier.clone())));
            ui.hint(&format!("kubectl logs job/{job}"));
        }
        Some(last)
    }

    /// Without a release there is no cron job either. Whoever may not look is not told so.
    fn has_cron_job(&self) -> bool {
        let name = format!("{}-{}", self.app.release(), self.proc.unwrap_or_default());
        self.kubectl.find("cronjob", &name).map_or(true, |found| found.is_some())
    }

    /// There is nothing to read; why, and what to type.
    fn no_pods(&self) -> Result<Error> {
        let proc = self.proc.unwrap_or_default();
        let why = match self.kind {
            Some(ProcKind::CronJob) if self.has_cron_job() => {
                Error::failed(format!("none of its jobs has a pod (any more); {proc} runs when its schedule says"))
                    .hint(format!("lain create-job {proc} # runs it now"))
            }
            Some(ProcKind::Test) => Error::failed("tests run when a release is deployed").hint("lain deploy"),
            _ => self.why()?,
        };
        Ok(self.with_kibana(why).context("there are no pods to read logs of").hint("lain status -s"))
    }

    fn nothing_begun(&self, found: &[Stream]) -> Result<Error> {
        let waits = |it: &Stream| Some(format!("{}: {}", it.name(), it.waits.as_ref()?));
        let why = if self.is_job() { Error::failed(listed(found.iter().filter_map(waits).collect())) } else { self.why()? };
        let again = format!("{} # again in a moment", self.typed(""));
        Ok(self.with_kibana(why.hint(again)).context("no container has begun yet, so there is no log").hint("lain status -s"))
    }

    fn why(&self) -> Result<Error> {
        let release = self.app.release();
        absent::why(self.kubectl, &look::selector(&self.app.appname, release), release, self.proc)
    }

    fn with_kibana(&self, error: Error) -> Error {
        if self.kibana.is_some() { error.hint(self.typed("--kibana")) } else { error }
    }

    /// kubectl would end at once, and say that a flag of its own is to be changed.
    fn too_many(&self, live: usize) -> Error {
        let error = Error::failed(format!("{live} containers log: more than the {MAX_STREAMS} that are followed at once"));
        let error = self.fewer().into_iter().fold(error, Error::hint);
        let error = error.hint(format!("{} # what there is, one after another", self.typed("--no-follow")));
        let error = error.hint(format!("{} # follows more", self.typed("--stern")));
        self.with_kibana(error)
    }

    /// Procs with few enough containers to be followed; for one proc, its first pod.
    fn fewer(&self) -> Vec<String> {
        let Ok(pods) = self.pods() else { return vec![] };
        if self.proc.is_some() {
            let name = pods.iter().map(|pod| pod.metadata.name.as_str()).min();
            return name.into_iter().map(|name| format!("kubectl logs --follow --all-containers {name} # one of them")).collect();
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, name, _) in self.app.procs() {
            let own: Vec<Pod> = pods.iter().filter(|pod| pod.belongs_to(self.app.release(), name)).cloned().collect();
            counts.insert(name, streams(&own).iter().filter(|it| !it.is_over).count());
        }
        let some = counts.into_iter().filter(|(_, count)| (1..=MAX_STREAMS).contains(count));
        some.take(3).map(|(name, count)| format!("lain logs {name} # {count} of them")).collect()
    }

    fn tell_who_waits(&self, found: &[Stream]) {
        let waiting: Vec<String> = found.iter().filter_map(|it| Some(format!("{} ({})", it.name(), it.waits.as_ref()?))).collect();
        if !waiting.is_empty() && waiting.len() < found.len() {
            self.session.ui.say(&format!("no log yet: {}", listed(waiting)));
        }
    }

    /// For a terminal; a pipe gets kubectl's own. None where there is but one log.
    fn prefixes(&self, found: &[Stream]) -> Option<Prefixes> {
        if found.len() < 2 || !self.session.ui.shows_results() {
            return None;
        }
        let containers: Vec<(&str, &str)> = found.iter().map(|it| (it.pod.as_str(), it.container.as_str())).collect();
        let common = format!("{}-", self.app.release());
        Some(Prefixes::new(&self.session.ui, &containers, &common, columns().unwrap_or(COLUMNS)))
    }
}

/// The first of many names.
fn listed(names: Vec<String>) -> String {
    const SHOWN: usize = 6;
    let count = names.len();
    let mut shown = names.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if count > SHOWN {
        shown += &format!(" and {} more", count - SHOWN);
    }
    shown
}

/// Runs what reads logs, and asks the API server on the side whether it is still there: a log that says nothing looks like one whose server hangs.
fn watched(pulse: &Pulse<'_>, call: &Call<'_>, prefixes: Option<&Prefixes>) -> Result<i32> {
    call.show_told_apart_while(prefixes, || match pulse.is_gone() {
        Some(silent) => Err(Error::failed(format!("the API server has not answered for {} s; the log was ended", silent.as_secs()))
            .hint("lain logs # once it is back")
            .hint("kubectl get --raw /readyz # is it well?")),
        None => Ok(()),
    })
}

fn finish(code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        code if code > 128 => Err(Error::child(code)),
        // kubectl ends in its own manner when it is told to.
        _ if interrupt::received() => Err(Error::child(130)),
        code => Err(Error::failed(format!("the log ended with exit code {code}")).hint("lain status -s")),
    }
}
