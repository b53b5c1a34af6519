//! `lain init`: a chart for a repo.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Command;
use crate::checks;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::{Folder, all_stays_inside};
use crate::model::name::{is_label, to_label};
use crate::render::chart::{self, ChartFile, Language};
use crate::resolved::chart::Chart;
use crate::session::Session;
use crate::tools::quote::quoted;

/// Write chart/ for this repo
#[derive(Args, Debug)]
#[command(
    after_help = "  lain init\n  lain init --appname shop --lang zh\n  lain init --template-only --commit   # newer templates for an existing chart"
)]
pub struct Init {
    /// The app's name; without it, the folder's
    #[arg(long, value_name = "NAME")]
    appname: Option<String>,
    /// Replace an existing chart; chart/values.yaml.j2 is kept and values are rendered from it
    #[arg(short = 'f', long)]
    force: bool,
    /// Refresh Chart.yaml and templates, never values
    #[arg(long, conflicts_with = "force")]
    template_only: bool,
    /// Commit chart/ without its values, and nothing else
    #[arg(long)]
    commit: bool,
    /// The language of the comments in values.yaml; without it, that of the locale
    #[arg(long, value_enum)]
    lang: Option<Language>,
    // `-f` has meant --force here since the older tool; the global flag keeps its long name.
    /// Extra values, merged last; may be repeated
    #[arg(id = "values", long = "values", value_name = "FILE")]
    _values: Vec<PathBuf>,
}

impl Command for Init {
    const IS_HERE: bool = true;

    fn run(self, session: &Session) -> Result<()> {
        one_app_is_enough(session)?;
        let dir = &session.dir;
        let chart_dir = dir.join("chart");
        let values_path = chart_dir.join("values.yaml");
        if chart_dir.exists() && !chart_dir.is_dir() {
            return Err(Error::failed("chart is a file, and lain keeps its chart in a folder of that name; nothing was changed")
                .hint("mv chart chart.old && lain init"));
        }
        all_stays_inside(dir, Path::new("chart"), &session.env.cluster_values_dirs())?;
        // Files are put in place all or nothing, and a link would be written through, or replaced.
        for path in ["chart", "chart/templates"] {
            if dir.join(path).is_symlink() {
                return Err(Error::refused(format!("{path} is a link, and lain writes its files into folders; nothing was changed")).hint(
                    format!("cp -rL {path} {path}.real && rm {path} && mv {path}.real {path} # the folder itself in the link's place"),
                ));
            }
        }
        if values_path.exists() && !self.force && !self.template_only {
            return Err(Error::failed("chart/values.yaml is there already; nothing was changed")
                .hint("lain init --template-only # newer templates, your values stay")
                .hint("lain init --force # replaces the chart, values included"));
        }
        let appname = self.appname(session)?;
        let mut files = chart::without_values(&appname, self.values_from(&chart_dir).as_deref())?;
        if !self.template_only {
            files.push(ChartFile { path: "values.yaml".into(), bytes: self.values(session, &chart_dir, &appname)?.into_bytes() });
        }
        let gone = if self.template_only { older_files(session, &files)? } else { vec![] };
        replace(&chart_dir, &files, self.force, &gone)?;
        for path in &gone {
            session.ui.say(&format!("removed chart/{path}, of the older tool's chart: what it rendered is rendered by the new templates"));
        }
        session.ui.done(&format!("wrote chart/ for {appname} ({} files)", files.len()));
        if self.commit {
            let written = files.iter().map(|file| file.path.as_str()).filter(|path| !path.starts_with("values"));
            let mut paths: Vec<String> = written.map(|path| format!("chart/{path}")).collect();
            paths.extend(session.git().tracked(&gone.iter().map(|path| format!("chart/{path}")).collect::<Vec<_>>())?);
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            session.git().commit_only(&paths, &format!("chart: lain {} templates", env!("CARGO_PKG_VERSION")))?;
        }
        if !session.globals.ignore_lint {
            checks::require(session)?;
        }
        if !self.template_only {
            session.ui.hint("look through chart/values.yaml, then: lain use CLUSTER && lain deploy --build");
        }
        Ok(())
    }
}

impl Init {
    /// Which older chart the values that stay were written for.
    fn values_from(&self, chart_dir: &Path) -> Option<String> {
        if !self.template_only {
            return None;
        }
        let old = Chart::read(&fs::read_to_string(chart_dir.join("Chart.yaml")).ok()?);
        old.is_older().then(|| old.values_from())?
    }

    fn appname(&self, session: &Session) -> Result<String> {
        if let Some(name) = &self.appname {
            if is_label(name) {
                return Ok(name.clone());
            }
            return Err(Error::usage(format!("`{name}` cannot be an app's name: lower case letters, digits and `-`, 63 at most"))
                .hint(format!("lain init --appname {}", to_label(name))));
        }
        if self.template_only
            && let Ok(app) = session.app()
        {
            return Ok(app.appname.to_string());
        }
        let folder = session.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !folder.contains(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Error::usage(format!("the folder's name `{folder}` has no Latin letter or digit to make a Kubernetes name of"))
                .hint("lain init --appname NAME # lower case letters, digits and `-`"));
        }
        let name = to_label(&folder);
        if name != folder {
            session
                .ui
                .say(&format!("the folder's name `{folder}` is no Kubernetes name; the app is called {name} (--appname chooses another)"));
        }
        Ok(name)
    }

    /// A team's own `chart/values.yaml.j2` wins over ours.
    fn values(&self, session: &Session, chart_dir: &Path, appname: &str) -> Result<String> {
        let house = chart_dir.join("values.yaml.j2");
        if house.is_file() {
            let template = fs::read_to_string(&house).map_err(|error| Error::io("read", &house, &error))?;
            let (text, unknown) = chart::fill("chart/values.yaml.j2", &template, appname)?;
            if !unknown.is_empty() {
                session.ui.warn(&format!("chart/values.yaml.j2: nobody knows {}, which is empty then", unknown.join(", ")));
                session.ui.hint("a template knows appname, chart_name, chart_version and lain_version");
            }
            return Ok(text);
        }
        chart::values(appname, self.lang.unwrap_or_else(|| language(&session.env)))
    }
}

/// As POSIX has it for messages: the first of these that is set.
fn language(env: &Env) -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| env.get(name)).unwrap_or_default();
    if locale.starts_with("zh") { Language::Zh } else { Language::En }
}

/// Somebody who types `init` in a folder of an app may think of the app's own folder.
fn one_app_is_enough(session: &Session) -> Result<()> {
    let Some(above) = session.app_above().filter(|_| session.globals.start.is_none()) else { return Ok(()) };
    let words = format!("this folder is in the app of {}", above.display());
    if session.ui.can_ask() && session.ui.ask_no(&format!("{words}; make another app here?"))? {
        return Ok(());
    }
    Err(Error::refused(format!("{words}; nothing was changed"))
        .hint("lain init -C . # another app, here all the same")
        .hint(format!("lain init --template-only -C {} # newer templates for that one", quoted(&above.to_string_lossy()))))
}

/// The files of the older tool's chart that are there, less one whose definitions a template of the team's own uses.
fn older_files(session: &Session, ours: &[ChartFile]) -> Result<Vec<&'static str>> {
    let chart_dir = session.dir.join("chart");
    let mut gone: Vec<&str> =
        chart::OLDER_FILES.into_iter().filter(|path| fs::symlink_metadata(chart_dir.join(path)).is_ok_and(|meta| !meta.is_dir())).collect();
    let is_own = |path: &Path| !gone.iter().copied().chain(ours.iter().map(|file| file.path.as_str())).any(|name| path == Path::new(name));
    let mut own = Vec::new();
    for (relative, path) in existing(&chart_dir)?.into_iter().filter(|(relative, _)| relative.starts_with("templates") && is_own(relative))
    {
        own.extend(fs::read_to_string(&path).ok().map(|text| (relative, text))); // helm says more of one that cannot be read
    }
    gone.retain(|path| {
        let text = fs::read_to_string(chart_dir.join(path)).unwrap_or_default();
        let user_of = |name: &str| own.iter().find(|(_, text)| text.contains(&format!("\"{name}\"")));
        let Some((name, user)) = chart::defined(&text).into_iter().find_map(|name| Some((name, &user_of(name)?.0))) else { return true };
        session.ui.say(&format!("chart/{path} stays: chart/{} uses `{name}` of it", user.display()));
        false
    });
    Ok(gone)
}

/// Puts the files in place all or nothing: they are written beside the chart first. With `clean`, files of an
/// earlier chart go, but for values files and `values.yaml.j2`; otherwise those of `gone` alone.
fn replace(chart_dir: &Path, files: &[ChartFile], clean: bool, gone: &[&str]) -> Result<()> {
    let staged = Folder::beside(chart_dir, |left| {
        // Killed between taking the old chart away and putting the new one there: the old one is the user's.
        if fs::symlink_metadata(chart_dir).is_err() {
            let _ = fs::rename(left.join("old"), chart_dir); // there may be none
        }
    })?;
    let new = staged.path().join("chart");
    let write = |path: &Path, bytes: &[u8]| {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes)).map_err(|error| {
            // As the user knows the place, not where it is put together.
            let shown = path.strip_prefix(staged.path()).unwrap_or(path);
            Error::io("write", shown, &error)
        })
    };
    if chart_dir.is_dir() {
        for (relative, path) in existing(chart_dir)? {
            let name = relative.to_string_lossy();
            let is_values = name.starts_with("values") && !name.contains('/');
            if (clean && !is_values) || gone.contains(&name.as_ref()) {
                continue;
            }
            if let Ok(target) = fs::read_link(&path) {
                let link = new.join(&relative);
                let folder = link.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(folder)
                    .and_then(|()| std::os::unix::fs::symlink(&target, &link))
                    .map_err(|error| Error::io("write", &link, &error))?;
                continue;
            }
            let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
            write(&new.join(&relative), &bytes)?;
        }
    }
    for file in files {
        write(&new.join(&file.path), &file.bytes)?;
    }
    if swap(&new, chart_dir) {
        return Ok(()); // the old one goes with what it was put together in
    }
    let old = staged.path().join("old");
    let had = chart_dir.exists();
    if had {
        fs::rename(chart_dir, &old).map_err(|error| Error::io("replace", chart_dir, &error))?;
    }
    fs::rename(&new, chart_dir).map_err(|error| {
        if had {
            let _ = fs::rename(&old, chart_dir); // back to what was there
        }
        Error::io("write", chart_dir, &error)
    })
}

/// Changes the two in one step, where the system can: there is always a chart.
#[cfg(target_os = "linux")]
fn swap(new: &Path, chart_dir: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, new, CWD, chart_dir, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn swap(_: &Path, _: &Path) -> bool {
    false
}

fn existing(dir: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| Error::io("read", &folder, &error))? {
            let path = entry.map_err(|error| Error::io("read", &folder, &error))?.path();
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            } else {
                found.push((path.strip_prefix(dir).unwrap_or(&path).to_path_buf(), path));
            }
        }
    }
    Ok(found)
}
