//! `lain admin list-waste`: what is asked for in a cluster, and lies idle.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::amounts::{cores, gib, in_cores, in_gib, in_money};
use crate::cluster::everywhere::Seen;
use crate::cluster::waste::{self, Amount, Asker};
use crate::error::Result;
use crate::files;
use crate::model::cluster::{Per, Price};
use crate::render::bars::{Bar, Page, Row, ranks};
use crate::session::Session;
use crate::ui::{Answer, Table, printable};

/// List what the processes of all apps ask for against what they used, as Prometheus saw it, the greatest waste first
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin list-waste\n  lain admin list-waste --html waste.html\n  lain admin list-waste --period 30d -o json | jq '.processes[:10]'"
)]
pub(super) struct ListWaste {
    /// How far to look back
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = period)]
    period: Period,
    /// Write it as a picture too: one page that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A time, and how it was typed.
#[derive(Clone, Debug)]
struct Period(String, Duration);

fn period(text: &str) -> Result<Period, String> {
    super::period(text).map(|time| Period(text.to_owned(), time))
}

impl ListWaste {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        self.html.iter().try_for_each(|path| files::can_be_written("--html", path))?;
        let kubectl = session.kubectl()?;
        let authority = session.authority()?;
        let base = super::prometheus(session, "so it is not known what was used")?;
        if authority.pql_template.is_some() {
            session.ui.say("the cluster's own `pql_template` asks about one process: here cAdvisor's metrics are asked about all");
        }
        if authority.price.as_ref().is_some_and(|price| price.cpu.is_none() && price.memory.is_none()) {
            session.ui.warn("`price` of the cluster's values names neither `cpu` nor `memory`: no money is shown");
        }
        let found = waste::look(&kubectl, &session.proxies(), base, self.period.1)?;
        found.failed.into_iter().for_each(|error| session.ui.warning(&error));
        let namespace = (found.seen == Seen::One).then(|| kubectl.namespace().to_owned());
        super::say_if_one(session, &kubectl, found.seen);
        let waste = WasteAnswer::new(self.period.0.clone(), namespace, found.askers, authority.price.as_ref());
        session.ui.answer(&waste)?;
        waste.summary().iter().for_each(|line| session.ui.say(line));
        if let Some(path) = &self.html {
            files::write_new(path, printable(&waste.page(session.cluster_name().as_deref()).made(Timestamp::now()).html()?).as_bytes())?;
            session.ui.say(&format!("page: {}", path.display()));
        }
        Ok(())
    }
}

/// What `lain admin list-waste -o json` prints.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WasteAnswer {
    /// Of this shape.
    version: u32,
    /// How far was looked back: `7d`.
    period: String,
    /// The only namespace that the account may read; null where it may read all.
    namespace: Option<String>,
    /// All of them together.
    totals: Totals,
    /// The greatest waste first; those of which it is not known come last.
    processes: Vec<ProcessWaste>,
}

/// All processes together.
#[derive(Default, JsonSchema, Serialize)]
struct Totals {
    cpu: Usage,
    memory: Usage,
    /// Processes whose usage of CPU or memory is not known.
    unknown: usize,
    /// Where the cluster's values name a price.
    price: Option<Cost>,
}

/// CPU in thousandths of a core, memory in bytes.
#[derive(Clone, Copy, Default, JsonSchema, Serialize)]
struct Usage {
    /// Requests of all pods.
    asked: u64,
    /// The 95th percentile of what all pods used together; null where that is not known.
    used: Option<u64>,
    /// What was asked for and not used.
    unused: Option<u64>,
    /// What is asked for by those of whom it is not known what they used.
    unknown: u64,
}

/// What it costs.
#[derive(Clone, Default, JsonSchema, Serialize)]
struct Cost {
    /// What is asked for.
    asked: f64,
    /// What of it is not used.
    unused: f64,
    /// What is asked for by those of whom it is not known what they used.
    unknown: f64,
    /// In which money; empty where the cluster's values do not say.
    currency: String,
    /// For how long.
    per: Per,
}

/// A Deployment or a `StatefulSet`.
#[derive(JsonSchema, Serialize)]
struct ProcessWaste {
    namespace: String,
    /// Its release; where helm did not make it, its app, or itself.
    app: String,
    process: String,
    /// `deployment`, `statefulset`
    kind: &'static str,
    /// Its own name.
    name: String,
    replicas: u64,
    cpu: Usage,
    memory: Usage,
    price: Option<Cost>,
    /// What of everything that is asked for it wastes.
    #[serde(skip)]
    weight: f64,
}

/// What lies idle in money; `?` where nothing of it is known.
fn money(price: Option<&Cost>, (cpu, memory): (Usage, Usage), write: impl Fn(&Cost) -> String) -> Option<String> {
    price.map(|price| if cpu.unused.is_none() && memory.unused.is_none() { "?".to_owned() } else { write(price) })
}

impl From<Amount> for Usage {
    fn from(it: Amount) -> Self {
        Self { asked: it.asked, used: it.used, unused: it.unused(), unknown: if it.used.is_none() { it.asked } else { 0 } }
    }
}

impl Usage {
    /// Both together.
    fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| {
            if a.is_none() && b.is_none() { None } else { Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))) }
        };
        Self {
            asked: self.asked.saturating_add(other.asked),
            used: sum(self.used, other.used),
            unused: sum(self.unused, other.unused),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }

    /// `0.2 of 4`: of what those ask for of whom it is known.
    fn words(self, write: fn(u64) -> String) -> String {
        self.share(self.used, write)
    }

    fn share(self, part: Option<u64>, write: fn(u64) -> String) -> String {
        match part {
            Some(part) => format!("{} of {}", write(part), write(self.asked - self.unknown)),
            None => format!("? of {}", write(self.asked)),
        }
    }
}

impl Cost {
    fn of(price: &Price, cpu: Usage, memory: Usage) -> Self {
        let cost = |millis: u64, bytes: u64| price.cpu.unwrap_or(0.0) * cores(millis) + price.memory.unwrap_or(0.0) * gib(bytes);
        Self {
            asked: cost(cpu.asked, memory.asked),
            unused: cost(cpu.unused.unwrap_or(0), memory.unused.unwrap_or(0)),
            unknown: cost(cpu.unknown, memory.unknown),
            currency: price.currency.as_deref().unwrap_or_default().to_owned(),
            per: price.per.unwrap_or_default(),
        }
    }

    /// `120.50 CNY a month`
    fn words(&self, amount: f64) -> String {
        let per = match self.per {
            Per::Hour => "an hour",
            Per::Day => "a day",
            Per::Month => "a month",
            Per::Year => "a year",
        };
        [in_money(amount), self.currency.clone(), per.to_owned()].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl WasteAnswer {
    fn new(period: String, namespace: Option<String>, askers: Vec<Asker>, price: Option<&Price>) -> Self {
        let price = price.filter(|price| price.cpu.is_some() || price.memory.is_some());
        let cost = |cpu, memory| price.map(|price| Cost::of(price, cpu, memory));
        let mut totals = Totals::default();
        let mut processes: Vec<ProcessWaste> = askers
            .into_iter()
            .map(|it| {
                let (cpu, memory) = (Usage::from(it.cpu), Usage::from(it.memory));
                totals.cpu = totals.cpu.plus(cpu);
                totals.memory = totals.memory.plus(memory);
                totals.unknown += usize::from(cpu.used.is_none() || memory.used.is_none());
                let Asker { namespace, app, process, kind, name, replicas, .. } = it;
                ProcessWaste { namespace, app, process, kind, name, replicas, cpu, memory, price: cost(cpu, memory), weight: 0.0 }
            })
            .collect();
        totals.price = cost(totals.cpu, totals.memory);
        for it in &mut processes {
            it.weight = weight(it.cpu, it.memory, it.price.as_ref(), &totals);
        }
        // They were in the order of names.
        processes.sort_by(|a, b| greatest_first((a.cpu, a.memory, a.weight), (b.cpu, b.memory, b.weight)));
        Self { version: 1, period, namespace, totals, processes }
    }

    fn summary(&self) -> Vec<String> {
        let totals = &self.totals;
        if self.processes.is_empty() {
            return vec!["no Deployment and no StatefulSet has pods".to_owned()];
        }
        let idle = |it: Usage, write: fn(u64) -> String| it.share(it.unused, write);
        let mut lines = vec![format!("idle in {}: {} cores, {} GiB", self.period, idle(totals.cpu, in_cores), idle(totals.memory, in_gib))];
        lines.extend(
            totals.price.as_ref().map(|price| format!("idle: {} of {}", in_money(price.unused), price.words(price.asked - price.unknown))),
        );
        if totals.unknown > 0 {
            let whose = if totals.unknown == 1 { "1 process".to_owned() } else { format!("{} processes", totals.unknown) };
            let (cpu, memory) = (in_cores(totals.cpu.unknown), in_gib(totals.memory.unknown));
            lines.push(format!("not known, and not in these sums: what {whose} used of {cpu} cores and {memory} GiB"));
        }
        lines
    }

    fn page(&self, cluster: Option<&str>) -> Page {
        let totals = &self.totals;
        let mut apps: BTreeMap<(&str, &str), Vec<&ProcessWaste>> = BTreeMap::new();
        for it in &self.processes {
            apps.entry((&it.namespace, &it.app)).or_default().push(it);
        }
        let mut found: Vec<App<'_>> = apps
            .into_iter()
            .map(|((namespace, name), processes)| {
                let (cpu, memory) = processes
                    .iter()
                    .fold(Default::default(), |(cpu, memory): (Usage, Usage), it| (cpu.plus(it.cpu), memory.plus(it.memory)));
                let price = totals.price.as_ref().map(|price| Cost {
                    asked: processes.iter().filter_map(|it| it.price.as_ref()).map(|it| it.asked).sum(),
                    unused: processes.iter().filter_map(|it| it.price.as_ref()).map(|it| it.unused).sum(),
                    unknown: processes.iter().filter_map(|it| it.price.as_ref()).map(|it| it.unknown).sum(),
                    ..price.clone()
                });
                App { namespace, name, processes, cpu, memory, weight: weight(cpu, memory, price.as_ref(), totals), price }
            })
            .collect();
        let by_waste = |a: &App<'_>, b: &App<'_>| greatest_first((a.cpu, a.memory, a.weight), (b.cpu, b.memory, b.weight));
        found.sort_by(by_waste);
        let ranks = ranks(
            found.len(),
            &[
                &|a, b| by_waste(&found[a], &found[b]),
                &|a, b| found[b].cpu.unused.cmp(&found[a].cpu.unused),
                &|a, b| found[b].memory.unused.cmp(&found[a].memory.unused),
                &|a, b| (found[a].name, found[a].namespace).cmp(&(found[b].name, found[b].namespace)),
            ],
        );
        let most = |of: fn(&App<'_>) -> Usage| found.iter().map(of).map(|it| it.asked.max(it.used.unwrap_or(0))).max().unwrap_or(0);
        let most = (most(|it| it.cpu), most(|it| it.memory));
        let rows = found.iter().zip(ranks).map(|(app, ranks)| app.row(ranks, most)).collect();
        let all = Row {
            name: "everything".into(),
            bars: bars(totals.cpu, totals.memory, (totals.cpu.asked, totals.memory.asked)),
            ..Row::default()
        };
        Page {
            title: cluster.map_or_else(|| "Waste".to_owned(), |cluster| format!("Waste in cluster {cluster}")),
            lead: self
                .summary()
                .into_iter()
                .chain(self.namespace.as_ref().map(|one| format!("of namespace {one} alone: the account may not read the others")))
                .collect(),
            totals: vec![all],
            sorts: ["waste", "CPU", "memory", "name"].map(str::to_owned).to_vec(),
            rows,
            ..Page::default()
        }
    }
}

/// The greatest waste first; those of which nothing is known come last.
fn greatest_first(a: (Usage, Usage, f64), b: (Usage, Usage, f64)) -> Ordering {
    let is_unknown = |(cpu, memory, _): (Usage, Usage, f64)| cpu.used.is_none() && memory.used.is_none();
    is_unknown(a).cmp(&is_unknown(b)).then(b.2.total_cmp(&a.2))
}

/// What of everything that is asked for these waste: in money, or as shares of CPU and of memory.
fn weight(cpu: Usage, memory: Usage, price: Option<&Cost>, totals: &Totals) -> f64 {
    #[allow(clippy::cast_precision_loss)] // a share
    let share = |it: Usage, all: Usage| it.unused.unwrap_or(0) as f64 / all.asked.max(1) as f64;
    price.map_or_else(|| share(cpu, totals.cpu) + share(memory, totals.memory), |price| price.unused)
}

/// An app on the page.
struct App<'a> {
    namespace: &'a str,
    name: &'a str,
    processes: Vec<&'a ProcessWaste>,
    cpu: Usage,
    memory: Usage,
    price: Option<Cost>,
    weight: f64,
}

impl App<'_> {
    fn row(&self, ranks: Vec<usize>, most: (u64, u64)) -> Row {
        let note = |price: Option<&Cost>, used, more: String| match money(price, used, |price| price.words(price.unused)) {
            Some(money) => format!("{more}, {money} wasted"),
            None => more,
        };
        let pods = |count: u64| if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") };
        let one = |it: &&ProcessWaste| Row {
            name: it.process.clone(),
            note: note(it.price.as_ref(), (it.cpu, it.memory), pods(it.replicas)),
            bars: bars(it.cpu, it.memory, most),
            ..Row::default()
        };
        Row {
            name: self.name.to_owned(),
            note: note(self.price.as_ref(), (self.cpu, self.memory), self.namespace.to_owned()),
            bars: bars(self.cpu, self.memory, most),
            ranks,
            rows: self.processes.iter().map(one).collect(),
        }
    }
}

fn bars(cpu: Usage, memory: Usage, most: (u64, u64)) -> Vec<Bar> {
    let bar = |what, it: Usage, write: fn(u64) -> String, unit, most| {
        let more = if it.used.is_some() && it.unknown > 0 { format!(", ? of {}", write(it.unknown)) } else { String::new() };
        let words = format!("{} {unit}{more}", it.words(write));
        Bar { unknown: Some(Bar::share(it.unknown, most)), ..Bar::of(what, words, Some(it.asked), it.used, None, most) }
    };
    vec![bar("CPU", cpu, in_cores, "cores", most.0), bar("memory", memory, in_gib, "GiB", most.1)]
}

impl Answer for WasteAnswer {
    fn text(&self) -> String {
        if self.processes.is_empty() {
            return String::new();
        }
        let head = ["NAMESPACE", "APP", "PROCESS", "CORES USED", "GIB USED", "WASTE"];
        let row = |names: [&str; 3], cpu: Usage, memory: Usage, price: Option<&Cost>| {
            [
                names[0].into(),
                names[1].into(),
                names[2].into(),
                cpu.words(in_cores),
                memory.words(in_gib),
                money(price, (cpu, memory), |price| in_money(price.unused)).unwrap_or_default(),
            ]
        };
        let each = self.processes.iter().map(|it| row([&it.namespace, &it.app, &it.process], it.cpu, it.memory, it.price.as_ref()));
        let totals = &self.totals;
        let mut table = Table::new(if totals.price.is_some() { head } else { [head[0], head[1], head[2], head[3], head[4], ""] });
        each.chain([row(["TOTAL", "", ""], totals.cpu, totals.memory, totals.price.as_ref())]).for_each(|row| table.row(row));
        table.narrow(&[0, 1, 2]);
        table.to_string().trim_end().to_owned()
    }
}
