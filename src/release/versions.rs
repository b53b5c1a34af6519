//! The versions of an app: tags in the registry, the commits that they name, the processes that run them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cluster::look;
use crate::error::{Error, Kind, Result};
use crate::model::duration::age;
use crate::model::image::ImageReference;
use crate::model::tag::{sha_of_tag, time_of_tag};
use crate::model::text::bounded;
use crate::session::Session;
use crate::ui::{Label, Table, Ui, columns, cut, plain, shorten};

/// Characters of a subject that a line shows; JSON has more.
const SUBJECT: usize = 60;
/// So many of those that run a tag are named where there is little room.
const SHOWN: usize = 2;
/// Cells before what is known of a head that stands on a line of its own.
const INDENT: &str = "  ";

/// What runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Running {
    /// The Deployment, `StatefulSet` or `CronJob`.
    pub name: String,
    /// The image of its first container.
    pub image: String,
    #[serde(flatten)]
    about: About,
}

impl Running {
    /// The tag of its image.
    pub(crate) fn tag(&self) -> Option<String> {
        ImageReference::parse(&self.image).ok().and_then(|image| image.tag)
    }
}

/// One tag, and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Version {
    tag: String,
    #[serde(flatten)]
    about: About,
    /// What runs it in the chosen cluster; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<Vec<String>>,
    /// The line that deploys it when it is pasted.
    #[serde(skip)]
    line: String,
    /// What runs it, without the name of the release.
    #[serde(skip)]
    procs: Vec<String>,
}

/// What a tag tells of its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct About {
    /// When the commit was made, as RFC 3339 writes it; none of a tag that names no commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<String>,
    /// The same, in seconds since 1970.
    #[serde(skip)]
    time: Option<i64>,
    /// None where this clone does not have the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
}

/// What runs in the chosen cluster; none where it cannot be asked, which is said.
///
/// # Errors
/// Ctrl-C.
pub(crate) fn running(session: &Session) -> Result<Option<Vec<Running>>> {
    let asked = || {
        let app = session.app()?;
        look::images(&session.kubectl()?, &look::selector(&app.appname, app.release()))
    };
    match asked() {
        Ok(found) => Ok(Some(found.into_iter().map(|(name, image)| Running { name, image, about: About::default() }).collect())),
        Err(error) => unknown(session, "what runs", &error).map(|()| None),
    }
}

/// Says in one line that something is not known.
///
/// # Errors
/// Ctrl-C is no reason to go on.
pub(crate) fn unknown(session: &Session, what: &str, error: &Error) -> Result<()> {
    if error.kind() == Kind::Interrupted {
        return Err(error.clone());
    }
    let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    session.ui.say(&format!("{what} is not known: {}", why.trim_end_matches(':')));
    if let Some(hint) = error.hints().first() {
        session.ui.hint(hint);
    }
    Ok(())
}

/// What is known of these tags, and of what runs: from git where there is a clone with their commits. What git lacks is said.
///
/// # Errors
/// Ctrl-C.
pub(crate) fn known(session: &Session, tags: &[String], running: Option<&mut [Running]>) -> Result<Vec<Version>> {
    let is_known = running.is_some();
    let running = running.unwrap_or_default();
    let running_tags: Vec<String> = running.iter().filter_map(Running::tag).collect();
    let shas: Vec<&str> = tags.iter().chain(&running_tags).filter_map(|tag| sha_of_tag(tag)).collect();
    let commits = commits(session, &shas)?;
    let about = |tag: &str| {
        let commit = sha_of_tag(tag).and_then(|sha| commits.get(sha));
        let time = time_of_tag(tag);
        About {
            committed: time.and_then(|time| jiff::Timestamp::from_second(time).ok()).map(|at| at.to_string()),
            time,
            subject: commit.map(|(subject, _)| subject.clone()),
            author: commit.map(|(_, author)| author.clone()),
        }
    };
    for it in running.iter_mut() {
        it.about = it.tag().as_deref().map(about).unwrap_or_default();
    }
    let release = session.app().map(|app| format!("{}-", app.release())).unwrap_or_default();
    let version = |tag: &String| {
        let runs: Vec<String> = running.iter().filter(|it| it.tag().as_ref() == Some(tag)).map(|it| it.name.clone()).collect();
        let procs = runs.iter().map(|name| name.strip_prefix(&release).unwrap_or(name).to_owned()).collect();
        let line = session.ui.aimed(&format!("lain deploy --set imageTag={tag}"));
        Version { tag: tag.clone(), about: about(tag), runs: is_known.then_some(runs), line, procs }
    };
    Ok(tags.iter().map(version).collect())
}

/// Subject and author by sha.
fn commits(session: &Session, shas: &[&str]) -> Result<BTreeMap<String, (String, String)>> {
    if shas.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = match session.git().commits(shas) {
        Ok(found) => found,
        Err(error) => {
            unknown(session, "whose commits these are", &error)?;
            return Ok(BTreeMap::new());
        }
    };
    let found: BTreeMap<String, (String, String)> = found.into_iter().map(|it| (it.sha, (it.subject, it.author))).collect();
    let mut lacking: Vec<&str> = shas.iter().copied().filter(|sha| !found.contains_key(*sha)).collect();
    lacking.sort_unstable();
    lacking.dedup();
    if let [one, ..] = lacking[..] {
        let short: String = one.chars().take(10).collect();
        let words =
            if lacking.len() == 1 { format!("commit {short} is") } else { format!("{} commits, {short} among them, are", lacking.len()) };
        session.ui.say(&format!("{words} not in this clone"));
        session.ui.hint(session.git().how_to_fetch());
    }
    Ok(found)
}

/// A line a tag that deploys it when it is pasted; behind it, as a comment, how old it is, whose, what it is about and what runs it.
pub(crate) fn lines(versions: &[Version]) -> String {
    table(versions.iter().map(|it| (it.line.clone(), &it.about, it.runs.as_deref().unwrap_or_default())))
}

/// The same of what runs: `shop-web: IMAGE`.
pub(crate) fn running_lines(running: &[Running]) -> String {
    table(running.iter().map(|it| (format!("{}: {}", it.name, it.image), &it.about, &[][..])))
}

fn table<'a>(rows: impl Iterator<Item = (String, &'a About, &'a [String])>) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut table = Table::<4>::headless();
    for (head, about, runs) in rows {
        let old = about.time.map(|at| age(now.saturating_sub(at))).unwrap_or_default();
        let author = about.author.clone().unwrap_or_default();
        let subject = about.subject.as_deref().map(|subject| bounded(subject, SUBJECT).into_owned()).unwrap_or_default();
        let runs = if runs.is_empty() { String::new() } else { format!("[runs: {}]", runs.join(", ")) };
        let is_known = [&old, &author, &subject, &runs].iter().any(|word| !word.is_empty());
        let comment = if is_known { format!("# {old:>4}") } else { String::new() };
        let what = [subject, runs].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        table.row([head, comment, author, what]);
    }
    table.to_string().trim_end().to_owned()
}

/// [`lines`] for a terminal of so many cells: what does not fit behind a line stands below it. A line that deploys is never cut.
pub(crate) fn fitted_lines(versions: &[Version], ui: &Ui, cells: usize) -> String {
    let whole = lines(versions);
    if fits(&whole, cells) {
        return whole;
    }
    let block = |it: &Version| {
        let line = plain(&it.line);
        // A shell takes the two lines for one.
        let head = if fits(&line, cells) { line } else { line.replacen(" imageTag=", " \\\nimageTag=", 1) };
        head + &below(&it.about, &it.procs, ui, cells)
    };
    versions.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// [`running_lines`] for a terminal of so many cells. Of an image of `repository` the tag tells enough.
pub(crate) fn fitted_running_lines(running: &[Running], repository: &str, ui: &Ui, cells: usize) -> String {
    let whole = running_lines(running);
    if fits(&whole, cells) {
        return whole;
    }
    let block = |it: &Running| {
        let name = plain(&shorten(&it.name, cells / 2));
        let room = cells.saturating_sub(console::measure_text_width(&name) + 2);
        let image = plain(&it.image);
        let own = image.strip_prefix(repository).map(|rest| rest.trim_start_matches(':')).filter(|rest| !rest.is_empty());
        let image = if fits(&image, room) { image } else { own.map_or_else(|| shorten(&image, room), |own| cut(own, room)) };
        format!("{name}: {image}{}", below(&it.about, &[], ui, cells))
    };
    running.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// What is known of a tag, on a line below it.
fn below(about: &About, runs: &[String], ui: &Ui, cells: usize) -> String {
    let old = about.time.map(|at| age(jiff::Timestamp::now().as_second().saturating_sub(at)));
    // All of them would leave no room for what it is about.
    let more = runs.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", +{more}") } else { String::new() };
    let runs = (!runs.is_empty()).then(|| format!("[runs: {}{more}]", runs[..runs.len().min(SHOWN)].join(", ")));
    let parts = [old, runs, about.author.clone(), about.subject.clone()];
    let words = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    if words.is_empty() {
        return String::new();
    }
    let line = cut(&plain(&format!("{INDENT}# {words}")), cells);
    format!("\n{}", ui.emphasis(&line, Label::Detail))
}

fn fits(text: &str, cells: usize) -> bool {
    text.lines().all(|line| console::measure_text_width(line) <= cells)
}

/// How wide the terminal is that shows results; none where a pipe gets them.
pub(crate) fn cells(ui: &Ui) -> Option<usize> {
    columns().filter(|_| ui.shows_results())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Color, Format, Verbosity};

    #[test]
    fn no_line_is_wider_than_the_terminal_and_none_that_deploys_is_cut() {
        let ui = Ui::new(Color::Never, false, false, None, Verbosity::Normal, Format::Text);
        let about = About {
            time: Some(jiff::Timestamp::now().as_second() - 7200),
            author: Some("王小明".into()),
            subject: Some("修复: 登录页面在慢网络下超时, 重试三次 and a long English tail that goes on".into()),
            ..About::default()
        };
        let tag = format!("1700000000-{}", "a".repeat(40));
        let of = |tag: &str, about: &About, runs: &[&str]| Version {
            tag: tag.into(),
            about: about.clone(),
            runs: Some(runs.iter().map(|it| (*it).to_owned()).collect()),
            line: format!("lain deploy --set imageTag={tag}"),
            procs: runs.iter().map(|it| it.replace("shop-", "")).collect(),
        };
        let versions = [of(&tag, &about, &["shop-web", "shop-worker", "shop-tick"]), of("latest", &About::default(), &[])];
        let image = format!("registry.example.com/a/long/way/to/shop:{tag}");
        let running = [Running { name: "shop-web".into(), image, about }];
        for cells in [60, 80, 100, 200] {
            let shown = fitted_lines(&versions, &ui, cells);
            assert!(fits(&shown, cells), "{cells}\n{shown}");
            let pasted = shown.replace("\\\n", "");
            assert!(
                pasted.starts_with(&format!("lain deploy --set imageTag={tag}"))
                    && (pasted.contains("[runs: web, worker, +1]") || cells == 200),
                "{shown}"
            );
            let shown = fitted_running_lines(&running, "registry.example.com/a/long/way/to/shop", &ui, cells);
            assert!(fits(&shown, cells) && shown.contains("2h  王小明"), "{cells}\n{shown}");
        }
        assert_eq!(fitted_lines(&versions, &ui, 60).lines().nth(1), Some(format!("imageTag={tag}").as_str()));
        assert!(fitted_lines(&versions, &ui, 60).contains('…'));
    }
}
