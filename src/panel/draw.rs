//! How the panel looks: a function of what it knows, of colours, and of a size. Nothing is cut without `…`, and nothing wraps by itself.

use std::collections::VecDeque;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::model::{Mode, Model, Page};
use super::sheet::{Sheet, Theme, console_width, is_too_small, too_small, wrap_exactly};
use crate::cluster::standing::Standing;
use crate::cluster::trouble::LogAt;
use crate::cluster::usage::Now;
use crate::model::duration;
use crate::release::status::{UrlAnswer, log_of, of_these};
use crate::tools::usage;
use crate::ui::{cut, hint_label, plain, shorten, wrap};

/// Pods that are listed at a time; more are counted.
const MAX_PODS: usize = 13;
/// From this width on pods' usage stands beside them.
const WIDE: usize = 80;
/// From this width on names are whole.
const WHOLE: usize = 110;

/// What keys do, in as many words as there is room for.
const KEYS: [&str; 3] = [
    "j k select  l log  e events  x shell  r restart  / filter  ? help  q leave",
    "j k  l log  e events  x shell  r restart  / ? help  q",
    "j k l e x r /  ? help  q",
];

const HELP: &[(&str, &str)] = &[
    ("j k, arrows", "select a pod; without one the worst is explained"),
    ("g G", "the first, the last"),
    ("PgUp PgDn", "scroll the log that explains"),
    ("l, Enter", "the log of the pod, in full and followed"),
    ("e", "its events"),
    ("x", "a shell in it"),
    ("r", "restart it: it is deleted, and another takes its place"),
    ("/", "filter by name or state; Esc ends it"),
    ("Esc", "one step back; out where there is none"),
    ("q, Ctrl-C", "leave"),
    ("Ctrl-Z", "stop; `fg` goes on"),
    ("Ctrl-L", "draw anew"),
    (
        "",
        "Bad pods stand first. Restarts (RST) count all containers of a pod. What the API server has not told for a while says how old it is.",
    ),
];

/// Draws all of it.
pub(super) fn all(model: &Model, theme: Theme, area: Rect, buffer: &mut Buffer) {
    buffer.reset();
    let mut sheet = Sheet { buffer, area, row: 0 };
    if is_too_small(area) {
        return too_small(&mut sheet, "lain status -s");
    }
    title(model, theme, &mut sheet);
    let last = Rect { y: area.y + area.height - 1, height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    let mut inner = Sheet { buffer: sheet.buffer, area: body, row: 0 };
    match (&model.mode, &model.page) {
        (Mode::Help, _) => inner.help(HELP, &model.help_from),
        (Mode::Page, Some(page)) => read(model, page, &mut inner),
        _ => panes(model, theme, &mut inner),
    }
    footer(model, &mut Sheet { buffer: inner.buffer, area: last, row: 0 });
}

fn title(model: &Model, theme: Theme, sheet: &mut Sheet<'_>) {
    let right = match model.silent() {
        // Why nothing was ever seen is said below.
        Some(seconds) if model.view.is_some() || model.unseen.is_none() => format!("API server silent for {} ", duration::age(seconds)),
        _ => String::new(),
    };
    let joined =
        |place: &str, runs: &str| [&*model.release, place, runs].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("  ");
    // The revision is in sight, if there is room for it at all.
    let revision = model.runs.split(", ").next().unwrap_or_default();
    let has_room = console_width(&joined(&model.place, revision)) + console_width(&right) + 2 <= sheet.width();
    sheet.title(&joined(if has_room { &model.place } else { &model.short_place }, &model.runs), &right, true, theme);
}

fn panes(model: &Model, theme: Theme, sheet: &mut Sheet<'_>) {
    let height = sheet.left();
    let urls = urls_of(model, height);
    let most = (height - urls.len()) / 2;
    pods(model, theme, sheet, most.saturating_sub(3).max(2));
    let below = urls.len() + usize::from(!urls.is_empty());
    let rows = sheet.left().saturating_sub(below);
    explain(model, theme, sheet, rows);
    sheet.row = u16::try_from(height.saturating_sub(below)).unwrap_or(sheet.row);
    if !urls.is_empty() {
        sheet.bar("ENDPOINTS", Theme::head());
        for url in urls {
            endpoint(url, theme, sheet);
        }
    }
}

/// The addresses that there is room for; none for one line: the last line counts the others.
fn urls_of(model: &Model, height: usize) -> Vec<Option<(&UrlAnswer, usize)>> {
    let most = (height / 6).clamp(2, 8);
    let count = model.urls.len();
    // What is bad is not among those that are only counted.
    let mut urls: Vec<&UrlAnswer> = model.urls.iter().collect();
    urls.sort_by_key(|url| !url.is_bad);
    if count <= most {
        return urls.into_iter().map(|url| Some((url, 0))).collect();
    }
    urls.into_iter().take(most - 1).map(|url| Some((url, 0))).chain([None]).collect()
}

fn endpoint(url: Option<(&UrlAnswer, usize)>, theme: Theme, sheet: &mut Sheet<'_>) {
    let Some((url, _)) = url else { return sheet.text("... and more: lain status -s", Theme::quiet()) };
    let style = match url {
        url if url.good => theme.good(),
        url if url.is_bad => theme.bad(),
        _ => Theme::quiet(),
    };
    let state = if url.state.is_empty() { "asking" } else { &url.state };
    let state = cut(&plain(state), sheet.width() / 3);
    let shown = cut(&plain(&url.url), sheet.width().saturating_sub(console_width(&state) + 2));
    sheet.line(&Line::from(vec![Span::styled(state, style), Span::raw("  "), Span::raw(shown)]));
}

fn pods(model: &Model, theme: Theme, sheet: &mut Sheet<'_>, most: usize) {
    let Some(view) = &model.view else {
        sheet.bar("PODS", Theme::head());
        let words = model.unseen.as_deref().unwrap_or("asking the API server...");
        return wrap(&plain(words), sheet.width()).iter().for_each(|line| sheet.text(line, theme.warning()));
    };
    let used = model.used.as_ref().map(|used| of_these(used, view)).unwrap_or_default();
    let (cpu, memory) = usage::total(&used);
    let usage = if used.is_empty() { String::new() } else { format!("  CPU {cpu}m  MEMORY {}Mi", memory >> 20) };
    sheet.bar(&format!("PODS {}{usage}{}", counts(&view.pods), age_of(model)), Theme::head());
    if let Some(why) = &model.unseen {
        sheet.text(&plain(why), theme.warning());
    }
    for kind in &view.refused {
        sheet.text(&format!("{kind}: this account may not list them (403)"), theme.warning());
    }
    let all = model.pods();
    if all.is_empty() {
        let words = match view {
            view if view.refused.contains(&"pods") => "lain doctor rights # what this account may not",
            _ if model.filter.is_empty() => "no pods: lain deploy",
            _ => "no pod's name or state holds this; Esc shows all",
        };
        sheet.text(words, theme.warning());
    } else {
        let columns = Columns::of(model, &all, sheet.width());
        sheet.text(&columns.head(), Theme::quiet());
        // One more takes the room of the line that would count it.
        let rows = all.len().min(MAX_PODS).min(if all.len() == most + 1 { most + 1 } else { most });
        // The selected one is in sight.
        let first = model.place_of(&all).map_or(0, |at| (at + 1).saturating_sub(rows)).min(all.len() - rows);
        for pod in &all[first..first + rows] {
            let usage = used.iter().find(|it| it.name == pod.name).map(|it| (it.cpu(), it.memory()));
            let is_selected = model.selected.as_ref() == Some(&pod.name);
            sheet.line(&columns.row(model, pod, usage, is_selected, theme));
        }
        if all.len() > rows {
            let (above, below) = (first, all.len() - rows - first);
            sheet.text(&format!("  ... {above} above, {below} below"), Theme::quiet());
        }
    }
    if let Some(Now::Unknown(why)) = &model.used {
        sheet.text(&plain(why), Theme::quiet());
    }
}

/// `5: 2 good, 2 bad, 1 leaving`
fn counts(pods: &[Standing]) -> String {
    let count = |is: &dyn Fn(&&Standing) -> bool| pods.iter().filter(is).count();
    let parts = [(count(&|pod| pod.is_good), "good"), (count(&|pod| pod.is_bad()), "bad"), (count(&|pod| pod.is_leaving), "leaving")];
    let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    if parts.is_empty() { pods.len().to_string() } else { format!("{}: {}", pods.len(), parts.join(", ")) }
}

/// What is not of now says how old it is.
fn age_of(model: &Model) -> String {
    model.silent().map_or_else(String::new, |seconds| format!("  (as of {} ago)", duration::age(seconds)))
}

/// How wide the columns of pods are.
struct Columns {
    name: usize,
    state: usize,
    restarts: usize,
    has_usage: bool,
    is_whole: bool,
}

impl Columns {
    fn of(model: &Model, pods: &[&Standing], width: usize) -> Self {
        let is_whole = width >= WHOLE;
        let has_usage = width >= WIDE && model.used.as_ref().is_some_and(|used| !used.pods().is_empty());
        let longest = |of: &dyn Fn(&Standing) -> usize, least: usize| pods.iter().map(|pod| of(pod)).max().unwrap_or(0).max(least);
        let state =
            longest(&|pod| console_width(&plain(&pod.state)), 6).min(if width < WIDE { width.saturating_sub(31).clamp(4, 18) } else { 28 });
        let restarts = if width < WIDE { 3 } else { 8 };
        // Mark, READY, RESTARTS, AGE, CPU and MEMORY, each with its blanks.
        let rest = 2 + 2 + 5 + 2 + state + 2 + restarts + 2 + 5 + if has_usage { 2 + 6 + 2 + 7 } else { 0 };
        let room = width.saturating_sub(rest).max(8);
        let name = longest(&|pod| console_width(&shown(model, &pod.name, is_whole)), 4).min(room);
        Self { name, state, restarts, has_usage, is_whole }
    }

    fn head(&self) -> String {
        let Self { name, state, .. } = self;
        let usage = if self.has_usage { "     CPU   MEMORY" } else { "" };
        let restarts = if self.restarts < 8 { "RST" } else { "RESTARTS" };
        format!("  {:name$}  READY  {:state$}  {restarts}    AGE{usage}", "NAME", "STATUS")
    }

    fn row(&self, model: &Model, pod: &Standing, usage: Option<(String, String)>, is_selected: bool, theme: Theme) -> Line<'static> {
        let padded = |text: &str, cells: usize| format!("{text}{}", " ".repeat(cells.saturating_sub(console_width(text))));
        let name = padded(&shorten(&shown(model, &pod.name, self.is_whole), self.name), self.name);
        let state = padded(&shorten(&plain(&pod.state), self.state), self.state);
        let age = pod.created.map_or_else(|| "?".to_owned(), |at| duration::age(model.now.as_second() - at.as_second()));
        let style = match pod {
            pod if pod.is_good => theme.good(),
            pod if pod.is_leaving => Theme::quiet(),
            _ => theme.bad(),
        };
        let (mark, row) = if is_selected { ("> ", Theme::bar()) } else { ("  ", Style::new()) };
        let ready = format!("{}/{}", pod.ready, pod.wanted);
        let restarts = self.restarts;
        let usage = match usage {
            Some((cpu, memory)) if self.has_usage => format!("  {cpu:>6}  {memory:>7}"),
            _ => String::new(),
        };
        let spans = vec![
            Span::styled(format!("{mark}{name}  {ready:5}  "), row),
            Span::styled(state, if is_selected { row } else { style }),
            Span::styled(format!("  {:>restarts$}  {age:>5}{usage}", pod.restarts), row),
        ];
        Line::from(spans)
    }
}

/// A pod's name; without the release where it is short of room: that stands in the title.
fn shown(model: &Model, name: &str, is_whole: bool) -> String {
    let short = name.strip_prefix(&model.release).and_then(|rest| rest.strip_prefix('-')).filter(|_| !is_whole);
    plain(short.unwrap_or(name))
}

fn explain(model: &Model, theme: Theme, sheet: &mut Sheet<'_>, rows: usize) {
    let end = usize::from(sheet.row) + rows;
    let Some(view) = &model.view else { return };
    let Some(subject) = model.subject() else {
        let words = match view {
            _ if !model.filter.is_empty() => "NO POD IS LISTED",
            view if view.refused.contains(&"pods") => "PODS ARE NOT TO BE SEEN",
            view if view.pods.is_empty() && view.is_empty() && view.refused.is_empty() => "NOTHING RUNS",
            _ if model.urls.iter().any(|url| url.is_bad) => "NO POD IS WRONG, but an address does not answer",
            _ => "NOTHING IS WRONG",
        };
        sheet.bar(words, Theme::head());
        let workloads = view.workloads.iter().map(|it| (format!("{}: {}/{} ready", it.name, it.ready, it.wanted), theme.good()));
        let jobs = view.jobs.iter().map(|it| (format!("job/{}: {}", it.name, it.state), Theme::quiet()));
        for (words, style) in workloads.chain(jobs).take(end.saturating_sub(sheet.row.into())) {
            sheet.text(&plain(&words), style);
        }
        return;
    };
    let what = match model.selected {
        Some(_) => "SELECTED",
        None if model.filter.is_empty() => "THE WORST",
        None => "THE FIRST",
    };
    sheet.bar(&format!("{what}: {}", plain(&subject.words.object)), Theme::head());
    let (width, is_good) = (sheet.width(), what != "THE WORST" && model.pod().is_ok_and(|pod| pod.is_good));
    let mut lines: Vec<(String, Style)> = vec![];
    let mut add = |text: &str, style| lines.extend(wrap(&plain(text), width).into_iter().map(|line| (line, style)));
    let message = if subject.words.message.is_empty() { String::new() } else { format!(": {}", subject.words.message) };
    add(&format!("{}{message}", subject.words.reason), if is_good { theme.good() } else { theme.bad() });
    if let Some(next) = &model.next {
        add(&format!("{} {next}", hint_label(next)), theme.next());
    }
    // A line each: `e` shows them whole.
    lines.extend(subject.warnings(view).iter().take(3).map(|warning| (cut(&plain(warning), width), theme.warning())));
    let room = end.saturating_sub(sheet.row.into());
    let log = subject.log.as_ref().map(|at| tail(model, at));
    // Of a long explanation as much as leaves room for three lines of the log.
    let most = room.saturating_sub(log.as_ref().map_or(0, |(_, log)| 1 + log.len().min(3))).max(1);
    let is_cut = lines.len() > most;
    lines.truncate(most);
    if let Some((last, _)) = lines.last_mut().filter(|_| is_cut) {
        *last = cut(&format!("{last} …"), width);
        if !last.ends_with('…') {
            *last = format!("{}…", cut(last, width.saturating_sub(1)));
        }
    }
    lines.iter().for_each(|(line, style)| sheet.text(line, *style));
    let Some((head, lines)) = log else { return };
    let rows = end.saturating_sub(usize::from(sheet.row) + 1);
    model.above.set(model.above.get().min(lines.len().saturating_sub(rows)));
    let (below, last) = (model.above.get(), lines.len() - model.above.get());
    let more = if below > 0 { format!(" ({below} more below)") } else { String::new() };
    let all = if lines.is_empty() { "" } else { ": l shows all of it" };
    sheet.text(&format!("{head}{more}{all}"), Theme::quiet());
    lines[last.saturating_sub(rows)..last].iter().for_each(|line| sheet.text(line, Style::new()));
}

/// The end of the log that explains, and what is to be said of it.
fn tail<'m>(model: &'m Model, at: &LogAt) -> (String, &'m [String]) {
    let head = format!("log of {}{}", plain(&log_of(at)), age_of(model));
    let is_unbegun = || model.container(&at.pod, &at.container).is_some_and(|it| it.unbegun.is_some());
    match model.tail.as_ref().filter(|(known, _)| known == at) {
        Some((_, Ok(lines))) if !lines.is_empty() => (head, lines),
        _ if is_unbegun() => (format!("no log: container {} has not begun", plain(&at.container)), &[]),
        None => (format!("{head}: asking..."), &[]),
        Some((_, Ok(_))) => (format!("{head}: it said nothing"), &[]),
        Some((_, Err(why))) => (plain(why), &[]),
    }
}

/// A page from its end, or from as far above as somebody scrolled; lines that are too long are wrapped.
fn read(model: &Model, page: &Page, sheet: &mut Sheet<'_>) {
    let what = page.container.as_ref().map_or_else(|| "EVENTS of".to_owned(), |container| format!("LOG of container {container} in"));
    let container = page.container.as_ref().and_then(|container| model.container(&page.pod, container));
    let unbegun = container.and_then(|it| it.unbegun.as_ref()).filter(|_| page.lines.is_empty());
    let words = plain(&unbegun.map_or_else(|| page.words.clone(), |why| format!("it has not begun: {why}")));
    let said = if words.is_empty() { String::new() } else { format!("  ({words})") };
    let mut head = format!("{what} pod {}", plain(&page.pod));
    if !page.lines.is_empty() {
        // The name is cut before what is said of it.
        let room = sheet.width().saturating_sub(console_width(&format!("{what} pod {said}")));
        head = format!("{what} pod {}", shorten(&plain(&page.pod), room.max(12)));
    }
    let whole = format!("{head}{said}");
    // Why there is nothing is read to its end.
    if page.lines.is_empty() && console_width(&whole) > sheet.width() {
        sheet.bar(&head, Theme::head());
        return wrap(&words, sheet.width()).iter().for_each(|line| sheet.text(line, Style::new()));
    }
    sheet.bar(&whole, Theme::head());
    let (width, rows) = (sheet.width(), sheet.left());
    page.width.set(width);
    let older = (page.dropped > 0).then(|| format!("... {} older lines: lain logs --tail -1", page.dropped));
    let mut shown: VecDeque<String> = VecDeque::new();
    let mut found = 0;
    for line in page.lines.iter().rev().chain(&older) {
        let parts = wrap_exactly(line, width);
        found += parts.len();
        parts.into_iter().rev().for_each(|part| shown.push_front(part));
        // Those below what is asked for are let go.
        shown.truncate(found.saturating_sub(page.below.get()).max(rows));
        if found >= page.below.get() + rows {
            break;
        }
    }
    // At the top the page is full, as far as there are lines for it.
    page.below.set(page.below.get().min(found.saturating_sub(rows)));
    shown.iter().skip(shown.len().saturating_sub(rows)).for_each(|line| sheet.text(line, Style::new()));
}

fn footer(model: &Model, sheet: &mut Sheet<'_>) {
    let width = sheet.width();
    let is_filtered = model.mode == Mode::Pods && !model.filter.is_empty();
    let filter = if is_filtered { format!("[/{}] ", cut(&model.filter, width / 4)) } else { String::new() };
    let words = match &model.mode {
        Mode::Filter => format!("/{}_  Enter keeps it, Esc ends it", model.filter),
        Mode::Restart(pod) => {
            let rest = "restart ? it is deleted, another comes [y/N]".len();
            format!("restart {}? it is deleted, another comes [y/N]", shorten(&plain(pod), width.saturating_sub(rest)))
        }
        Mode::Help => "j k scroll  any other key goes back".to_owned(),
        Mode::Page => match model.page.as_ref().map_or(0, |page| page.below.get()) {
            0 => "j k PgUp PgDn g G scroll  q back  Ctrl-C leave".to_owned(),
            1 => "1 line below, G goes there  j k PgUp PgDn scroll  q back".to_owned(),
            below => format!("{below} lines below, G goes there  j k PgUp PgDn scroll  q back"),
        },
        Mode::Pods => model.said().map_or_else(
            || {
                let room = width.saturating_sub(console_width(&filter));
                KEYS.iter().find(|keys| keys.len() <= room).unwrap_or(&KEYS[KEYS.len() - 1]).to_string()
            },
            plain,
        ),
    };
    sheet.bar(&format!("{filter}{words}"), Theme::bar());
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::{Value as Json, json};

    use super::super::keys;
    use super::super::model::Msg;
    use super::*;
    use crate::cluster::judge::judge;
    use crate::cluster::objects::{Event, List, Object};
    use crate::release::status::Subject;
    use crate::tools::usage::PodUsage;

    const PLAIN: Theme = Theme { has_colors: false };

    fn pod(name: &str, made: &str, restarts: u64, state: &Json) -> Json {
        let is_good = state["running"].is_object();
        let last = if restarts > 0 { json!({"terminated": {"reason": "Error", "exitCode": 3}}) } else { json!({}) };
        json!({"kind": "Pod", "metadata": {"name": name, "uid": name, "creationTimestamp": made, "labels": {"pod-template-hash": "1"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-web-1", "controller": true}]},
            "spec": {"containers": [{"name": "web"}]},
            "status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": if is_good { "True" } else { "False" }}],
                "containerStatuses": [{"name": "web", "ready": is_good, "restartCount": restarts, "state": state, "lastState": last}]}})
    }

    fn good(name: &str) -> Json {
        pod(name, "2026-11-26T15:00:00Z", 0, &json!({"running": {}}))
    }

    fn crashing(name: &str) -> Json {
        pod(name, "2026-11-26T17:50:00Z", 7, &json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}))
    }

    fn pending(name: &str) -> Json {
        let mut it = pod(name, "2026-11-26T17:55:00Z", 0, &json!({"waiting": {}}));
        it["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu."}]});
        it
    }

    fn leaving(name: &str) -> Json {
        let mut it = good(name);
        it["metadata"]["deletionTimestamp"] = json!("2026-11-26T17:59:50Z");
        it
    }

    fn seen(mut objects: Vec<Json>, events: &[Json]) -> Msg {
        objects.push(json!({"kind": "ReplicaSet", "metadata": {"name": "shop-web-1", "labels": {"pod-template-hash": "1"},
            "annotations": {"deployment.kubernetes.io/revision": "1"}, "ownerReferences": [{"kind": "Deployment", "name": "shop-web", "controller": true}]}}));
        let list: List<Object> = serde_json::from_value(json!({"items": objects})).expect("objects");
        let events: Vec<Event> = events.iter().map(|event| serde_json::from_value(event.clone()).expect("an event")).collect();
        Msg::Seen(Box::new(judge(&list.items, &events)))
    }

    fn url(url: &str, state: &str, promised: bool) -> UrlAnswer {
        UrlAnswer { url: url.into(), state: state.into(), good: state == "200", promised, is_bad: promised && state != "200" }
    }

    /// Eight minutes after the last crash, of a release with these pods.
    fn model(objects: Vec<Json>) -> Model {
        let mut model = Model::new("shop", Some("test"), Some("team"));
        model.now = "2026-11-26T18:00:00Z".parse().expect("a time");
        model.heard = (model.now, true);
        let warning = json!({"type": "Warning", "involvedObject": {"kind": "Pod", "name": "shop-web-1-crash"}, "reason": "BackOff", "message": "Back-off restarting failed container"});
        model.hear(seen(objects, &[warning]));
        model.urls = vec![
            url("https://shop.example.com/", "200", true),
            url("http://shop.example.com/", "308", false),
            url("https://shop.example.com/后台/", "503", true),
        ];
        let used = |name: &str, cpu, memory: u64| PodUsage { name: name.into(), cpu: Some(cpu), memory: Some(memory << 20) };
        model.hear(Msg::Used(Now::Metrics(vec![used("shop-web-1-aaaaa", 12, 130), used("shop-web-1-bbbbb", 9, 127)])));
        let log = model.subject().and_then(|subject: Subject| subject.log);
        let lines = [
            "连接数据库 db.example.com:5432 ...",
            "Traceback (most recent call last):",
            "  File \"/app/run.py\", line 7, in <module>",
            "ConnectionError: 数据库连接失败, 请检查 DB_PASSWORD 是否正确; 这一行很长, 所以要剪掉, 因为窄的终端放不下它",
        ];
        model.hear(Msg::Runs("revision 12, 1764170405-0a1b2c3d4e5f60718293a4b5c6d7e8f901234567".into()));
        log.into_iter().for_each(|at| model.hear(Msg::Tail(at, Ok(lines.map(str::to_owned).to_vec()))));
        model
    }

    fn mixed() -> Model {
        model(vec![
            good("shop-web-1-aaaaa"),
            good("shop-web-1-bbbbb"),
            leaving("shop-web-0-ccccc"),
            pending("shop-web-1-ddddd"),
            crashing("shop-web-1-crash"),
        ])
    }

    fn drawn(model: &Model, theme: Theme, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| all(model, theme, frame.area(), frame.buffer_mut())).expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// What is on the screen, as text.
    fn picture(model: &Model, width: u16, height: u16) -> String {
        let buffer = drawn(model, PLAIN, width, height);
        let mut out = String::new();
        for y in 0..height {
            let (mut line, mut x) = (String::new(), 0);
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += u16::try_from(console_width(symbol)).expect("a width").max(1);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    fn press(model: &mut Model, keys: &str) -> Vec<keys::Order> {
        let key = |c: char| match c {
            '\n' => ratatui::crossterm::event::KeyCode::Enter,
            '\u{1b}' => ratatui::crossterm::event::KeyCode::Esc,
            c => ratatui::crossterm::event::KeyCode::Char(c),
        };
        keys.chars().filter_map(|c| keys::press(model, key(c).into())).collect()
    }

    #[track_caller]
    fn snapshot(name: &str, picture: String) {
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(format!("panel_{name}"), picture);
        });
    }

    #[test]
    fn pictures() {
        for (width, height) in [(60, 20), (80, 24), (200, 60)] {
            snapshot(&format!("{width}x{height}"), picture(&mixed(), width, height));
        }
        snapshot(
            "nothing_is_wrong",
            picture(
                &model(vec![
                    good("shop-web-1-aaaaa"),
                    json!({"kind": "Deployment", "metadata": {"name": "shop-web"},
            "spec": {"replicas": 1}, "status": {"availableReplicas": 1, "updatedReplicas": 1, "replicas": 1}}),
                ]),
                80,
                24,
            ),
        );
        snapshot("no_pods", picture(&model(vec![]), 60, 20));
        let pods =
            (0..200).map(|at| if at % 50 == 7 { crashing(&format!("shop-web-1-{at:03}")) } else { good(&format!("shop-web-1-{at:03}")) });
        let mut many = model(pods.collect());
        press(&mut many, "G");
        snapshot("200_pods", picture(&many, 80, 24));
        let mut stale = mixed();
        stale.hear(Msg::Silent);
        stale.now = "2026-11-26T18:01:35Z".parse().expect("a time");
        snapshot("stale", picture(&stale, 80, 24));
        let mut first = Model::new("shop", None, None);
        first.hear(Msg::Unseen("the Kubernetes API server does not allow it (403): pods is forbidden".into()));
        snapshot("nothing_to_be_seen", picture(&first, 60, 20));
    }

    #[test]
    fn pages() {
        let mut model = mixed();
        assert_eq!(press(&mut model, "l"), [keys::Order::Log("shop-web-1-crash".into(), "web".into())]);
        let page = model.page.as_mut().expect("a page");
        (0..40).for_each(|at| page.push(format!("第 {at} 行: a line that is too long for sixty cells, and so goes on below")));
        page.words = "followed".into();
        snapshot("log", picture(&model, 60, 20));
        press(&mut model, "kkk");
        model.page.as_mut().expect("a page").push("new".into());
        assert!(picture(&model, 60, 20).contains("4 lines below"), "whoever reads goes on reading there");
        assert_eq!(press(&mut model, "q"), [keys::Order::Close]);
        assert_eq!(press(&mut model, "e"), [keys::Order::Events("shop-web-1-crash".into())]);
        model.hear(Msg::Page("shop-web-1-crash".into(), Err("this account may not list events (403)".into())));
        assert!(picture(&model, 60, 20).contains("\nthis account may not list events (403)\n"), "what does not fit beside the name");
        press(&mut model, "q");
        press(&mut model, "?");
        snapshot("help", picture(&model, 60, 20));
        press(&mut model, " /web-1-a");
        let picture = picture(&model, 80, 24);
        assert!(picture.contains("web-1-aaaaa") && !picture.contains("web-1-bbbbb") && picture.contains("/web-1-a_"), "{picture}");
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let mut model = mixed();
        assert_eq!(press(&mut model, "r"), []);
        assert!(picture(&model, 60, 20).ends_with("restart shop-web-1-crash? it is deleted, another comes [y/N]\n"));
        assert_eq!((press(&mut model, "\n"), model.mode.clone()), (vec![], Mode::Pods), "no is the default");
        assert_eq!(press(&mut model, "ry"), [keys::Order::Restart("shop-web-1-crash".into())]);
        assert_eq!(press(&mut model, "jjjx"), [keys::Order::Shell("shop-web-0-ccccc".into(), "web".into())]);
        assert_eq!(press(&mut model, "r"), [], "it is leaving already");
        assert_eq!(press(&mut model, "\u{1b}"), [], "first nothing is selected any more");
        assert_eq!(press(&mut model, "/x\n\u{1b}"), [], "then all are shown");
        assert_eq!(press(&mut model, "\u{1b}"), [keys::Order::Leave]);
        assert_eq!(press(&mut model, "q"), [keys::Order::Leave]);
        // A pod that is gone is selected no more.
        press(&mut model, "g");
        model.hear(seen(vec![good("shop-web-1-aaaaa")], &[]));
        assert_eq!((model.selected.clone(), model.said()), (None, Some("pod shop-web-1-crash is gone")));
    }

    /// A Job that failed, with its only pod.
    fn failed_job() -> Vec<Json> {
        let mut pod = pod("shop-migrate-x", "2026-11-26T17:50:00Z", 0, &json!({"terminated": {"reason": "Error", "exitCode": 4}}));
        pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "shop-migrate", "controller": true}]);
        pod["status"]["phase"] = json!("Failed");
        let status = json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
        vec![json!({"kind": "Job", "metadata": {"name": "shop-migrate", "uid": "1"}, "status": status}), pod]
    }

    #[test]
    fn keys_are_about_what_is_listed_and_explained() {
        let mut filtered = mixed();
        press(&mut filtered, "/bbbbb\n");
        let shown = picture(&filtered, 80, 24);
        assert!(shown.contains("\nTHE FIRST: pod/shop-web-1-bbbbb\n") && shown.ends_with("? help  q\n"), "{shown}");
        assert_eq!(press(&mut filtered, "ry"), [keys::Order::Restart("shop-web-1-bbbbb".into())]);
        press(&mut filtered, "/zz\nr");
        let shown = picture(&filtered, 80, 24);
        assert!(shown.contains("\nNO POD IS LISTED\n") && shown.contains("there is no pod"), "{shown}");
        // A Job's pod is over: no other comes, and there is nothing to go into.
        let mut job = model([failed_job(), vec![good("shop-web-1-aaaaa")]].concat());
        assert!(picture(&job, 80, 24).contains("THE WORST: job/shop-migrate\n"));
        assert_eq!(press(&mut job, "r"), []);
        assert_eq!(job.said(), Some("nothing to restart: it is over (shop-migrate-x)"));
        assert_eq!(press(&mut job, "x"), []);
        assert_eq!(job.said(), Some("container web is not running: Error; l: its log"));
        assert_eq!(press(&mut job, "l"), [keys::Order::Log("shop-migrate-x".into(), "web".into())]);
        let mut gone = model([failed_job().remove(0), good("shop-web-1-aaaaa")].to_vec());
        assert_eq!(press(&mut gone, "r"), []);
        assert_eq!((gone.said(), gone.mode.clone()), (Some("there is no pod of job/shop-migrate; j k select another"), Mode::Pods));
    }

    #[test]
    fn what_is_not_to_be_seen_is_not_said_to_be_gone() {
        let mut blind = model(vec![]);
        blind.view.as_mut().expect("a view").refused = vec!["pods"];
        let shown = picture(&blind, 80, 24);
        assert!(shown.contains("\nlain doctor rights") && shown.contains("\nPODS ARE NOT TO BE SEEN\n") && !shown.contains("lain deploy"));
        // Why nothing was ever seen is not that the server is silent.
        let mut first = Model::new("shop", None, None);
        first.hear(Msg::Silent);
        first.hear(Msg::Unseen("the kubeconfig cannot be read".into()));
        let shown = picture(&first, 80, 24);
        assert!(shown.contains("\nthe kubeconfig cannot be read\n") && !shown.contains("silent"), "{shown}");
        // What never began has no log; where the other lines end there is room for the whole reason.
        let mut unplaced = model(vec![pending("shop-web-1-ddddd")]);
        press(&mut unplaced, "l");
        assert!(picture(&unplaced, 80, 24).contains("(it has not begun: Unschedulable)\n"));
        let (reason, last) = ("the registry says no. ".repeat(20), "and that is its last word");
        let waiting = json!({"waiting": {"reason": "ErrImagePull", "message": format!("{reason}{last}")}});
        let mut pulls = model(vec![pod("shop-web-1-pull", "2026-11-26T17:50:00Z", 0, &waiting)]);
        let at = pulls.subject().and_then(|subject| subject.log).expect("a place for a log");
        pulls.hear(Msg::Tail(at, Ok(vec![])));
        let shown = picture(&pulls, 60, 24);
        assert!(shown.replace('\n', " ").contains(last) && shown.contains("\nno log: container web has not begun\n"), "{shown}");
    }

    #[test]
    fn what_is_longer_than_the_screen_is_scrolled_to_its_ends() {
        let mut model = mixed();
        press(&mut model, "l");
        let page = model.page.as_mut().expect("a page");
        page.push(format!("begins here {} and ends here", "0123456789 ".repeat(270)));
        page.push("the last".into());
        let full = |shown: &str| shown.lines().filter(|line| !line.is_empty()).count() == 20;
        let below = |model: &mut Model, keys: &str| {
            press(model, keys);
            let shown = picture(model, 60, 20);
            assert!(full(&shown), "{shown}");
            shown
        };
        assert!(below(&mut model, "g").contains("\nbegins here") && below(&mut model, "kkkj").contains(" lines below"));
        assert!(below(&mut model, "Gk").contains("\n1 line below, G goes there"));
        assert!(below(&mut model, "j").contains("\nthe last\n"));
        press(&mut model, "q?");
        let shown = picture(&model, 40, 10);
        assert!(shown.contains("\nHELP  0 above, ") && !shown.contains("Ctrl-C"), "{shown}");
        let mut seen = String::new();
        (0..30).for_each(|_| {
            press(&mut model, "j");
            seen += &picture(&model, 40, 10);
        });
        assert!(seen.contains("q, Ctrl-C   leave") && seen.contains(" above, 0 below"), "{seen}");
        press(&mut model, "k");
        assert!(picture(&model, 40, 10).contains(", 1 below"), "not further than there is something");
    }

    /// The revision is in sight where there is room for it.
    #[test]
    fn a_long_title_gives_up_words_before_the_revision() {
        let mut model = mixed();
        (model.place, model.short_place) = ("cluster production, namespace a-large-team".into(), "production/a-large-team".into());
        assert!(picture(&model, 60, 20).starts_with(" shop  production/a-large-team  revision 12, "));
    }

    /// At every size nothing is wider than the screen, and colours change no character.
    #[test]
    fn every_size_is_drawn() {
        let mut models = vec![mixed(), model(vec![]), Model::new("数据库", Some("测试"), None)];
        for keys in ["j", "?", "l", "e", "r", "/数据"] {
            let mut model = mixed();
            press(&mut model, keys);
            models.push(model);
        }
        for (at, model) in models.iter().enumerate() {
            for width in (1..=130).step_by(3) {
                for height in [1, 3, 9, 10, 11, 14, 20, 37] {
                    let (plain, colored) = (drawn(model, PLAIN, width, height), drawn(model, Theme { has_colors: true }, width, height));
                    let same = plain.content.iter().zip(&colored.content).all(|(a, b)| a.symbol() == b.symbol());
                    assert!(same, "model {at} at {width}x{height}");
                    assert!(plain.content.iter().all(|cell| !cell.symbol().contains(char::is_control)));
                }
            }
        }
    }

    /// Untrusted text moves no cursor.
    #[test]
    fn escapes_are_shown() {
        let mut model = mixed();
        let at = model.subject().and_then(|subject| subject.log).expect("a log");
        model.hear(Msg::Tail(at, Ok(vec![plain("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{202e}x")])));
        let picture = picture(&model, 80, 24);
        assert!(picture.contains("red") && !picture.contains('\u{1b}') && picture.contains("\\u{202e}"), "{picture}");
    }

    /// The picture in the docs is what is drawn.
    #[test]
    fn the_docs_show_it() {
        let picture = picture(&mixed(), 80, 24);
        for name in ["docs/status.md", "docs/status.zh-CN.md"] {
            let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/")).join(name);
            let text = std::fs::read_to_string(&path).expect("the docs");
            assert!(text.contains(&format!("```text\n{picture}```\n")), "{name} lacks\n{picture}");
        }
    }
}
