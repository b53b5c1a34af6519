//! What goes on side by side, a row each: drawn in place on a terminal, and left there as lines when it is over.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::{Term, measure_text_width, pad_str, truncate_str};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::hidden::Hidden;
use super::safe::printable;
use super::{Label, Ui};

/// Between two pictures.
const TICK: Duration = Duration::from_millis(120);
/// What turns.
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Cells of a bar.
const BAR: usize = 10;
/// A terminal narrower than this shows no bars.
const WIDE: usize = 72;
/// Cells that stay free at the edge: a terminal writes `^C` there.
const EDGE: usize = 2;
/// Stands at the end of what is cut.
const CUT: &str = "…";

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It goes on.
    Moves,
    /// It is as it is to be.
    Good,
    /// It failed.
    Bad,
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What it is about; text of whatever origin, as all of it.
    pub name: String,
    /// So many of so many.
    pub count: Option<(u64, u64)>,
    /// How it stands.
    pub stand: Stand,
    /// What it does, or waits for.
    pub words: String,
}

/// The rows that are drawn.
#[derive(Debug)]
pub(crate) struct Board<'a> {
    ui: &'a Ui,
    sheet: Option<Arc<Sheet>>,
}

/// Writes to one row, from any thread, as long as it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Pen {
    sheet: Arc<Sheet>,
    name: String,
}

/// What a Ui knows of its board.
#[derive(Debug)]
pub(super) struct Drawn {
    sheet: Arc<Sheet>,
    bar: ProgressBar,
}

/// What stands on a board.
#[derive(Debug)]
pub(super) struct Sheet {
    rows: Mutex<Vec<Entry>>,
    hidden: Arc<Mutex<Hidden>>,
    color: bool,
}

#[derive(Debug)]
struct Entry {
    row: Row,
    /// What it suffers from, until it does something else.
    suffers: Option<String>,
    begun: Instant,
    took: Option<Duration>,
}

impl<'a> Board<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        let sheet = || Arc::new(Sheet { rows: Mutex::default(), hidden: ui.hidden.clone(), color: ui.color });
        Self { ui, sheet: ui.draws().then(sheet) }
    }

    /// True where rows are drawn: what is told there needs no line.
    pub(crate) fn is_drawn(&self) -> bool {
        self.sheet.is_some()
    }

    /// True when there is a row of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sheet.as_ref().is_some_and(|sheet| sheet.rows().iter().any(|it| it.row.name == name))
    }

    /// Writes a row, in the place of one of the same name.
    pub(crate) fn set(&self, row: Row) {
        let Some(sheet) = &self.sheet else { return };
        let row = Row { words: sheet.clean(&row.words), ..row };
        {
            let mut rows = sheet.rows();
            let is_over = matches!(row.stand, Stand::Good | Stand::Bad);
            let at = rows.iter().position(|it| it.row.name == row.name).unwrap_or_else(|| {
                rows.push(Entry { row: row.clone(), suffers: None, begun: Instant::now(), took: None });
                rows.len() - 1
            });
            let entry = &mut rows[at];
            if is_over || row.words != entry.row.words {
                entry.suffers = None;
            }
            entry.took = is_over.then(|| entry.took.unwrap_or_else(|| entry.begun.elapsed()));
            entry.row = row;
        }
        self.draw(sheet);
    }

    /// Tells of what a row suffers from. What it does next takes its place.
    pub(crate) fn suffers(&self, name: &str, words: &str) {
        if let Some(sheet) = &self.sheet {
            let words = sheet.clean(words);
            for entry in sheet.rows().iter_mut().filter(|it| it.row.name == name && it.took.is_none()) {
                entry.suffers = Some(words.clone());
            }
        }
    }

    /// For what is told of a row elsewhere.
    pub(crate) fn pen(&self, name: &str) -> Option<Pen> {
        self.sheet.as_ref().map(|sheet| Pen { sheet: sheet.clone(), name: name.to_owned() })
    }

    fn draw(&self, sheet: &Arc<Sheet>) {
        let mut drawn = self.ui.board.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.as_ref().is_some_and(|drawn| Arc::ptr_eq(&drawn.sheet, sheet)) {
            return;
        }
        let bar = self.ui.spinners().add(ProgressBar::new_spinner());
        let (shown, begun) = (sheet.clone(), Instant::now());
        let write = move |_: &ProgressState, to: &mut dyn std::fmt::Write| {
            let (height, width) = Term::stderr().size();
            let frame = (begun.elapsed().as_millis() / TICK.as_millis()) as usize;
            let lines = shown.lines(frame, width.into(), height.into());
            let _ = to.write_str(&lines.join("\n")); // a String takes all
        };
        if let Ok(style) = ProgressStyle::with_template("{board}") {
            bar.set_style(style.with_key("board", write));
        }
        bar.enable_steady_tick(TICK);
        *drawn = Some(Drawn { sheet: sheet.clone(), bar });
    }
}

impl Drop for Board<'_> {
    fn drop(&mut self) {
        settle(self.ui, self.sheet.as_ref());
    }
}

impl Pen {
    /// The newest words, while the row goes on.
    pub(crate) fn write(&self, words: &str) {
        let words = self.sheet.clean(words);
        for entry in self.sheet.rows().iter_mut().filter(|it| it.row.name == self.name && it.took.is_none()) {
            entry.row.words.clone_from(&words);
        }
    }
}

/// The board that is drawn comes to its end, where it is this one; its rows stay as lines.
pub(super) fn settle(ui: &Ui, sheet: Option<&Arc<Sheet>>) {
    let mut drawn = ui.board.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Drawn { sheet, bar }) = drawn.take_if(|drawn| sheet.is_none_or(|sheet| Arc::ptr_eq(&drawn.sheet, sheet))) else { return };
    drop(drawn);
    bar.finish_and_clear();
    let width = Term::stderr().size().1.into();
    for entry in sheet.rows().iter() {
        let line = truncate_str(&entry.told(), width, CUT).into_owned();
        match entry.row.stand {
            Stand::Good => ui.done(&line),
            _ => ui.say(&line),
        }
    }
}

impl Sheet {
    fn rows(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clean(&self, text: &str) -> String {
        let text = self.hidden.lock().unwrap_or_else(PoisonError::into_inner).redact(text.trim());
        printable(&text).replace(['\n', '\t'], " ")
    }

    /// The picture: each line shorter than the terminal is wide. Where there is no room for all rows, those that are over are counted.
    fn lines(&self, frame: usize, width: usize, height: usize) -> Vec<String> {
        let rows = self.rows();
        let room = height.saturating_sub(2).max(1);
        let mut shown: Vec<&Entry> = rows.iter().collect();
        if rows.len() > room {
            shown.retain(|entry| entry.took.is_none());
            shown.truncate(room);
        }
        let name = shown.iter().map(|entry| measure_text_width(entry.name())).max().unwrap_or(0).min((width / 3).max(12));
        let count = shown.iter().map(|entry| entry.count().len()).max().unwrap_or(0);
        let mut lines: Vec<String> = shown.iter().map(|entry| self.line(entry, frame, width, (name, count))).collect();
        if shown.len() < rows.len() {
            let good = rows.iter().filter(|entry| entry.row.stand == Stand::Good).count();
            let line = format!("  {good} of {} are ready, and {} more are not shown", rows.len(), rows.len() - shown.len());
            lines.push(truncate_str(&line, width.saturating_sub(EDGE), CUT).into_owned());
        }
        lines
    }

    fn line(&self, entry: &Entry, frame: usize, width: usize, (name, count): (usize, usize)) -> String {
        let paint = |text: String, label: Label| label.style().force_styling(self.color).apply_to(text).to_string();
        let (sign, label) = match entry.row.stand {
            Stand::Moves if entry.suffers.is_some() => ("!", Label::Warning),
            Stand::Moves => (FRAMES[frame % FRAMES.len()], Label::Command),
            Stand::Good => ("✓", Label::Good),
            Stand::Bad => ("✗", Label::Bad),
        };
        let called = truncate_str(entry.name(), name, CUT);
        let mut line = format!("{} {}", paint(sign.to_owned(), label), pad_str(&called, name, console::Alignment::Left, None));
        if width >= WIDE && count > 0 {
            line += &format!("  {}", entry.row.count.map_or_else(|| " ".repeat(BAR), |(some, all)| paint(bar(some, all), label)));
        }
        if count > 0 {
            line += &format!("  {:>count$}", entry.count());
        }
        line += &format!("  {:>4} s", entry.seconds());
        if !entry.words().is_empty() {
            let label = if entry.suffers.is_some() { Label::Warning } else { Label::Detail };
            line += &format!("  {}", paint(entry.words().to_owned(), label));
        }
        truncate_str(&line, width.saturating_sub(EDGE), CUT).into_owned()
    }
}

impl Entry {
    /// Without the kind of what runs for ever: that is what most rows are about.
    fn name(&self) -> &str {
        let name = &self.row.name;
        ["deployment/", "statefulset/"].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name)
    }

    fn words(&self) -> &str {
        self.suffers.as_deref().unwrap_or(&self.row.words)
    }

    fn count(&self) -> Cow<'static, str> {
        self.row.count.map_or(Cow::Borrowed(""), |(some, all)| Cow::Owned(format!("{some}/{all}")))
    }

    fn seconds(&self) -> u64 {
        self.took.unwrap_or_else(|| self.begun.elapsed()).as_secs()
    }

    /// What stays of it.
    fn told(&self) -> String {
        let count = self.row.count.map_or_else(String::new, |(some, all)| format!("{some}/{all} ready, "));
        let words = if self.words().is_empty() { String::new() } else { format!(", {}", self.words()) };
        format!("{}: {count}{} s{words}", self.row.name, self.seconds())
    }
}

fn bar(some: u64, all: u64) -> String {
    let full = (some.min(all) * BAR as u64).checked_div(all).and_then(|cells| usize::try_from(cells).ok()).unwrap_or(BAR);
    "█".repeat(full) + &"░".repeat(BAR - full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, count: Option<(u64, u64)>, stand: Stand, words: &str) -> Row {
        Row { name: name.into(), count, stand, words: words.into() }
    }

    fn sheet(rows: Vec<Row>) -> Sheet {
        let entry = |row: Row| Entry { took: Some(Duration::from_secs(7)), begun: Instant::now(), suffers: None, row };
        Sheet { rows: Mutex::new(rows.into_iter().map(entry).collect()), hidden: Arc::default(), color: false }
    }

    #[test]
    fn rows_fit_the_terminal() {
        let sheet = sheet(vec![
            row("deployment/shop-web", Some((1, 2)), Stand::Moves, "pulling image or mounting volumes"),
            row("statefulset/shop-db", Some((0, 1)), Stand::Moves, ""),
            row("job/shop-migrate", None, Stand::Good, "迁移完成: 一共改动了三千四百五十六行记录, 用时三分钟"),
        ]);
        sheet.rows()[1].suffers = Some("ImagePullBackOff: registry.example.com/shop:17 not found".to_owned());
        assert_eq!(
            sheet.lines(0, 80, 24),
            [
                "⠋ shop-web          █████░░░░░  1/2     7 s  pulling image or mounting volumes",
                "! shop-db           ░░░░░░░░░░  0/1     7 s  ImagePullBackOff: registry.examp…",
                "✓ job/shop-migrate                      7 s  迁移完成: 一共改动了三千四百五十…",
            ]
        );
        assert_eq!(
            sheet.lines(1, 60, 24),
            [
                "⠙ shop-web          1/2     7 s  pulling image or mountin…",
                "! shop-db           0/1     7 s  ImagePullBackOff: regist…",
                "✓ job/shop-migrate          7 s  迁移完成: 一共改动了三千…",
            ]
        );
        for width in 1..200 {
            for line in sheet.lines(3, width, 24) {
                assert!(measure_text_width(&line) <= width.saturating_sub(EDGE).max(1), "{width}: {line}");
            }
        }
    }

    #[test]
    fn more_rows_than_the_terminal_is_high() {
        let mut rows: Vec<Row> = (0..20).map(|number| row(&format!("deployment/a-{number}"), Some((1, 1)), Stand::Good, "")).collect();
        rows.push(row("deployment/late", Some((0, 1)), Stand::Moves, "no node yet"));
        let sheet = sheet(rows);
        sheet.rows()[20].took = None;
        let lines = sheet.lines(0, 80, 10);
        assert!(lines.len() == 2 && lines[0].contains("late") && lines[1].contains("20 of 21 are ready"), "{lines:?}");
    }

    #[test]
    fn words_of_others_move_no_cursor() {
        let sheet = sheet(vec![]);
        sheet.hidden.lock().expect("secrets").add("hunter2");
        assert_eq!(sheet.clean("a\u{1b}[2Jb\nhunter2\t"), "a\\u{1b}[2Jb ***");
    }
}
