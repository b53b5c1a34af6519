//! `lain lint`: everything that can be known before a deploy.

use std::path::PathBuf;

use clap::Args;
use include_dir::{Dir, include_dir};

use super::Command;
use crate::checks::{self, Advice};
use crate::error::{Error, Location, Result};
use crate::files;
use crate::lint::catalogue::CHECKS;
use crate::lint::picture;
use crate::lint::report::{self, Report};
use crate::lint::{Problem, Severity};
use crate::model::app::App;
use crate::model::check::{listed, named};
use crate::resolved::Asked;
use crate::session::Session;
use crate::ui::{Format, TEXT, printable};

/// The pages of all checks.
static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/docs/lint");

/// Check values and chart
#[derive(Args, Debug)]
#[command(after_help = "  lain lint\n  lain lint --explain L012\n  lain lint --format codequality > gl-code-quality-report.json\n\n\
                  `# lain:ignore L012` at the end of a line keeps that check quiet there.")]
pub struct Lint {
    /// Without resource advice from Prometheus
    #[arg(long)]
    simple: bool,
    /// Write the advice into the values files; comments and layout stay
    #[arg(long, conflicts_with = "simple")]
    fix: bool,
    /// As `lain deploy --set` would; may be repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "fix")]
    set: Vec<String>,
    /// A report on stdout besides the words on stderr
    #[arg(long, value_enum, default_value_t)]
    format: Report,
    /// Write the advice on resources as a picture too: one page that needs no network
    #[arg(long, value_name = "FILE", conflicts_with = "simple")]
    html: Option<PathBuf>,
    /// Print the page of one check, or the list of all with `all`
    #[arg(long, value_name = "ID", exclusive = true)]
    explain: Option<String>,
}

impl Command for Lint {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn formats(&self) -> &'static [Format] {
        if self.explain.is_some() { TEXT } else { &[Format::Text, Format::Json] }
    }

    fn run(self, session: &Session) -> Result<()> {
        if let Some(id) = &self.explain {
            return explain(session, id);
        }
        self.html.iter().try_for_each(|path| files::can_be_written("--html", path))?;
        let as_json = session.ui.format() == Format::Json;
        let format = if self.format == Report::Text && as_json { Report::Json } else { self.format };
        let advice = match (self.simple, self.fix) {
            (true, _) => Advice::None,
            (false, true) => Advice::Written,
            (false, false) => Advice::Told,
        };
        let found = match session.resolve(Asked::set(&self.set)).and_then(|_| checks::look(session, advice)) {
            Ok(found) => found,
            Err(error) => {
                // A report is whole even when the values cannot be read: the job that publishes it has nothing else to show.
                if let Some(text) = report::write(format, CHECKS, &[unreadable(&error)], &session.dir) {
                    session.ui.result(&text)?;
                }
                return Err(error);
            }
        };
        if let Some(path) = &self.html {
            let page = picture::page(session.app().map_or("the app", App::release), &found.advised).made(jiff::Timestamp::now());
            files::write_new(path, printable(&page.html()?).as_bytes())?;
            session.ui.say(&format!("page: {}", path.display()));
        }
        found.tell(session); // in a job, people read the log and GitLab the report
        if let Some(text) = report::write(format, CHECKS, &found.problems, &session.dir) {
            session.ui.result(&text)?;
        }
        found.verdict(session)
    }
}

fn explain(session: &Session, id: &str) -> Result<()> {
    if id == "all" {
        return session.ui.result(&listed(CHECKS));
    }
    let check = named(CHECKS, id, "lain lint")?;
    let page = PAGES.get_file(format!("{}.md", check.id)).and_then(|file| file.contents_utf8()).unwrap_or_default();
    session.ui.result(page.trim_end())
}

/// What `--explain` takes.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.id).chain(["all"])
}

fn unreadable(error: &Error) -> Problem {
    let nowhere = || Location { path: "chart/values.yaml".into(), line: 1, column: 1, length: 1, text: String::new() };
    Problem {
        id: "L000",
        severity: Severity::Error,
        message: error.message().to_owned(),
        hint: error.hints().first().cloned().unwrap_or_default(),
        at: error.location().cloned().unwrap_or_else(nowhere),
    }
}
