//! What the builds of an app start from: an image of others, a prepare image, or the result of another build.

use super::app::{App, Build, Preparation};
use super::name::nearest;

/// The one of `builds` whose image is called after the app alone, as in the chart. Without such a one, `build`.
pub(crate) const DEFAULT_BUILD: &str = "default";

/// A build: its name in `builds`, none for the app's own `build`.
pub(crate) type Named<'a> = (Option<&'a str>, &'a Build);

/// What a build starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    /// `base`.
    Base,
    /// Its own prepare image.
    Prepared,
    /// The prepare image of another.
    PreparedOf(Named<'a>),
    /// The result of another.
    Made(Named<'a>),
}

/// What is wrong with what a build says it starts from.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The check that finds it.
    pub id: &'static str,
    /// Where: keys, from the top.
    pub way: Vec<String>,
    /// What.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Every build, in the order of the values: the app's own first.
pub(crate) fn all(app: &App) -> Vec<Named<'_>> {
    let named = app.builds.iter().flatten().map(|(name, build)| (Some(name.as_str()), build));
    app.build.iter().map(|build| (None, build)).chain(named).collect()
}

/// The build of a name.
pub(crate) fn find<'a>(app: &'a App, name: &str) -> Option<Named<'a>> {
    let named = app.builds.iter().flatten().find(|(known, _)| *known == name).map(|(known, build)| (Some(known.as_str()), build));
    named.or_else(|| app.build.as_ref().filter(|_| name == DEFAULT_BUILD).map(|build| (None, build)))
}

/// What a build starts from; `base` where it names what is not there, which [`wrong`] tells of.
pub(crate) fn start<'a>(app: &'a App, build: &'a Build) -> Start<'a> {
    match (&build.from, &build.prepare) {
        (Some(from), _) => find(app, from).map_or(Start::Base, Start::Made),
        (None, Some(Preparation::Of(name))) => find(app, name).map_or(Start::Base, Start::PreparedOf),
        (None, Some(Preparation::Own(_))) => Start::Prepared,
        (None, None) => Start::Base,
    }
}

/// A build behind all that it is made from.
pub(crate) fn chain<'a>(app: &'a App, last: Named<'a>) -> Vec<Named<'a>> {
    let mut all = vec![last];
    while let Start::Made(before) = start(app, all[0].1) {
        if all.iter().any(|(name, _)| *name == before.0) {
            break; // wrong() tells of it
        }
        all.insert(0, before);
    }
    all
}

/// Every build, each behind what it is made from; else in the order of the values.
pub(crate) fn in_order(app: &App) -> Vec<Named<'_>> {
    let mut ordered: Vec<Named<'_>> = Vec::new();
    for build in all(app) {
        for each in chain(app, build) {
            if ordered.iter().all(|(name, _)| *name != each.0) {
                ordered.push(each);
            }
        }
    }
    ordered
}

/// All that is wrong with what builds start from.
pub(crate) fn wrong(app: &App) -> Vec<Wrong> {
    let mut found = Vec::new();
    let names: Vec<&str> = all(app).iter().map(|(name, _)| name.unwrap_or(DEFAULT_BUILD)).collect();
    for (name, build) in all(app) {
        let own: Vec<String> = name.map_or_else(|| vec!["build".into()], |name| vec!["builds".into(), name.into()]);
        let shown = own.join(".");
        let mut tell = |id, key: Option<&str>, message: String, hint: String| {
            let way = own.iter().cloned().chain(key.map(str::to_owned)).collect();
            found.push(Wrong { id, way, message, hint });
        };
        let prepared = match &build.prepare {
            Some(Preparation::Of(other)) => Some(other),
            _ => None,
        };
        for (key, other) in build.from.iter().map(|other| ("from", other)).chain(prepared.map(|other| ("prepare", other))) {
            match find(app, other) {
                None => {
                    let others = || names.iter().copied().filter(|known| Some(*known) != name);
                    let hint =
                        nearest(other, others()).or(others().next()).map_or("base: IMAGE".to_owned(), |near| format!("{key}: {near}"));
                    tell("L028", Some(key), format!("`{shown}.{key}`: `{other}` is none of `builds`"), hint);
                }
                Some((_, of)) if key == "prepare" && of.own_prepare().is_none() => {
                    let hint = format!("from: {other} # starts from its result");
                    tell("L028", Some(key), format!("`{shown}.prepare`: `{other}` has no `prepare` of its own"), hint);
                }
                Some(_) => {}
            }
        }
        if build.from.is_some() {
            for (key, is_there) in [("base", !build.base.is_empty()), ("prepare", build.prepare.is_some())] {
                if is_there {
                    tell("L028", Some(key), format!("`{shown}` has both `from` and `{key}`: it starts from one thing"), "keep one".into());
                }
            }
            let mut seen = vec![name];
            let mut at = start(app, build);
            while let Start::Made((next, build)) = at {
                if next == name {
                    let message = format!("`{shown}.from`: it would be made from itself");
                    tell("L028", Some("from"), message, "base: IMAGE # one of them starts from an image".into());
                }
                if seen.contains(&next) {
                    break;
                }
                seen.push(next);
                at = start(app, build);
            }
        } else if prepared.is_none() && build.base.is_empty() && name.is_some() {
            let other = names.iter().copied().find(|known| Some(*known) != name);
            let hint = other.map_or_else(
                || "base: IMAGE".to_owned(),
                |other| format!("base: IMAGE # or from: {other}, to start from what that one makes"),
            );
            tell("L007", None, format!("`{shown}` has no `base`"), hint);
        }
    }
    found
}
