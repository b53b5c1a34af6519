//! A list on the whole terminal, asked for again and again; what is selected of it is explained below it. `lain admin status` is one.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::sheet::{LEAP, Sheet, Theme, is_too_small, scroll_help, too_small, type_filter};
use super::{GLANCE, TICK};
use crate::error::{Kind, Result};
use crate::interrupt;
use crate::model::duration;
use crate::ui::{Fullscreen, Ui, hint_label, plain, wrap};

/// So many lines of why an answer failed.
const MOST_WORDS: usize = 3;

const HELP: &[(&str, &str)] = &[
    ("j k, arrows", "select a line; without one the first bad one is explained"),
    ("g G", "the first, the last"),
    ("PgUp PgDn", "ten lines on"),
    ("u", "ask again now"),
    ("/", "filter; Esc ends it"),
    ("Esc", "one step back; out where there is none"),
    ("q, Ctrl-C", "leave"),
    ("Ctrl-Z", "stop; `fg` goes on"),
    ("Ctrl-L", "draw anew"),
];

/// What is listed.
pub(crate) trait Listed: Send {
    /// What is to be said of all of it, in a few words.
    fn title(&self) -> String;
    /// Its lines, of at most so many cells; what is longer is cut.
    fn lines(&self, cells: usize) -> Vec<Line>;
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What it says.
    pub text: String,
    /// How it looks.
    pub look: Look,
    /// What is to be said when it is selected; none for one that cannot be.
    pub why: Option<Why>,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Of those below it.
    Head,
    /// Nothing is wrong.
    Good,
    /// Something is.
    Bad,
    /// A word beside.
    Quiet,
}

/// What is to be said of a line.
#[derive(Clone, Debug)]
pub(crate) struct Why {
    /// What it is about: tells it from all others.
    pub what: String,
    /// What is wrong with it.
    pub words: String,
    /// What to type next.
    pub next: Option<String>,
}

/// What the keys are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    List,
    Filter,
    Help,
}

/// What somebody else is to do for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Leave,
    Stop,
    Redraw,
    Ask,
}

/// What is told.
enum News<T> {
    Asking,
    Told(Result<T>),
}

/// Everything that is drawn.
struct Listing<T> {
    place: String,
    /// How often it is asked for.
    again: Duration,
    /// What was told last, and when.
    found: Option<(Timestamp, T)>,
    /// Why the last answer failed.
    failed: Option<String>,
    /// Since when an answer is waited for.
    asking: Option<Timestamp>,
    now: Timestamp,
    /// What the selected line is about.
    selected: Option<String>,
    filter: String,
    mode: Mode,
    /// The first line of the help that is shown; drawing puts it right.
    help_from: Cell<usize>,
}

/// Shows what `ask` tells, again and again, until somebody leaves.
///
/// # Errors
/// The terminal is gone, or SIGTERM.
pub(crate) fn follow<T: Listed>(ui: &Ui, place: &str, again: Duration, ask: impl Fn() -> Result<T> + Sync) -> Result<()> {
    let mut screen = Fullscreen::enter(ui)?;
    let (sender, receiver) = channel();
    let (wake, woken) = channel();
    let ask = &ask;
    let (outcome, _abandoned) = std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                if sender.send(News::Asking).is_err() {
                    return;
                }
                let told = ask();
                let is_over = told.as_ref().is_err_and(|error| error.kind() == Kind::Interrupted);
                if is_over || sender.send(News::Told(told)).is_err() {
                    return;
                }
                if woken.recv_timeout(again) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
                woken.try_iter().for_each(drop); // one more answer is for all of them
            }
        });
        let mut listing = Listing::new(place, again);
        let outcome = go_on(ui, &mut screen, &mut listing, &receiver, || {
            let _ = wake.send(()); // whoever asks has ended: nothing more is told
        });
        drop((screen, receiver, wake)); // the terminal is the user's again, whoever still waits for an answer
        (outcome, interrupt::abandon())
    });
    outcome
}

/// Draws, waits for keys and news, and so on.
fn go_on<T: Listed>(
    ui: &Ui,
    screen: &mut Fullscreen<'_>,
    listing: &mut Listing<T>,
    receiver: &Receiver<News<T>>,
    ask: impl Fn(),
) -> Result<()> {
    let theme = Theme { has_colors: ui.shows_colors() };
    loop {
        listing.now = Timestamp::now();
        let shown = &*listing;
        screen.draw(|frame| shown.draw(ui, theme, frame.area(), frame.buffer_mut()))?;
        let drawn = Instant::now();
        let mut is_news = false;
        while !is_news && drawn.elapsed() < TICK {
            interrupt::check()?;
            if let Some(event) = Fullscreen::event(GLANCE)? {
                is_news = true;
                let Event::Key(key) = event else { continue };
                match listing.press(key) {
                    Some(Order::Leave) => return Ok(()),
                    Some(Order::Stop) => screen.away(interrupt::stop)?,
                    Some(Order::Redraw) => screen.forget()?,
                    Some(Order::Ask) => ask(),
                    None => {}
                }
            }
            for news in receiver.try_iter() {
                listing.hear(news);
                is_news = true;
            }
        }
    }
}

impl<T: Listed> Listing<T> {
    fn new(place: &str, again: Duration) -> Self {
        let (place, filter) = (place.to_owned(), String::new());
        let (now, mode, help_from) = (Timestamp::now(), Mode::List, Cell::default());
        Self { place, again, found: None, failed: None, asking: None, now, selected: None, filter, mode, help_from }
    }

    fn hear(&mut self, news: News<T>) {
        match news {
            News::Asking => self.asking = Some(self.now),
            News::Told(Ok(found)) => (self.found, self.failed, self.asking) = (Some((self.now, found)), None, None),
            News::Told(Err(error)) => (self.failed, self.asking) = (Some(error.to_string()), None),
        }
    }

    /// The lines that the filter leaves, with the heads of those.
    fn lines(&self, cells: usize) -> Vec<Line> {
        let all = self.found.as_ref().map(|(_, found)| found.lines(cells)).unwrap_or_default();
        let wanted = self.filter.to_lowercase();
        if wanted.is_empty() {
            return all;
        }
        let (mut kept, mut head) = (vec![], None);
        for line in all {
            match &line.why {
                None if line.look == Look::Head => head = Some(line),
                Some(why) if line.text.to_lowercase().contains(&wanted) || why.what.to_lowercase().contains(&wanted) => {
                    kept.extend(head.take());
                    kept.push(line);
                }
                _ => {}
            }
        }
        kept
    }

    fn press(&mut self, key: KeyEvent) -> Option<Order> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Order::Leave),
                KeyCode::Char('z') => Some(Order::Stop),
                KeyCode::Char('l') => Some(Order::Redraw),
                _ => None,
            };
        }
        match self.mode {
            Mode::Help if scroll_help(&self.help_from, key.code) => {}
            Mode::Filter if type_filter(&mut self.filter, key.code) => {}
            Mode::Help | Mode::Filter => self.mode = Mode::List,
            Mode::List => return self.press_in_list(key.code),
        }
        None
    }

    fn press_in_list(&mut self, code: KeyCode) -> Option<Order> {
        match code {
            KeyCode::Char('q') => return Some(Order::Leave),
            KeyCode::Char('u') => return Some(Order::Ask),
            KeyCode::Esc if self.filter.is_empty() && self.selected.is_none() => return Some(Order::Leave),
            KeyCode::Esc if self.selected.is_some() => self.selected = None,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Down | KeyCode::Char('j') => self.select(1),
            KeyCode::Up | KeyCode::Char('k') => self.select(-1),
            KeyCode::PageDown => self.select(LEAP.cast_signed()),
            KeyCode::PageUp => self.select(-LEAP.cast_signed()),
            KeyCode::Home | KeyCode::Char('g') => self.select(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.select(isize::MAX),
            _ => {}
        }
        None
    }

    /// Selects another line, so many further on; the first key selects what is explained already.
    fn select(&mut self, by: isize) {
        let whys: Vec<(Why, Look)> = self.lines(usize::MAX).into_iter().filter_map(|line| Some((line.why?, line.look))).collect();
        let Some(last) = whys.len().checked_sub(1) else { return };
        let at = self.selected.as_ref().and_then(|what| whys.iter().position(|(why, _)| why.what == *what));
        let to = match at {
            Some(at) => at.saturating_add_signed(by),
            None if by.unsigned_abs() > 1 => 0_usize.saturating_add_signed(by),
            None => whys.iter().position(|(_, look)| *look == Look::Bad).unwrap_or(0),
        };
        self.selected = whys.into_iter().nth(to.min(last)).map(|(why, _)| why.what);
    }

    fn draw(&self, ui: &Ui, theme: Theme, area: Rect, buffer: &mut Buffer) {
        buffer.reset();
        let mut sheet = Sheet { buffer, area, row: 0 };
        if is_too_small(area) {
            return too_small(&mut sheet, "lain admin status -s");
        }
        let about = self.found.as_ref().map(|(_, found)| found.title());
        let left: Vec<&str> = [Some(&*self.place), about.as_deref()].into_iter().flatten().filter(|it| !it.is_empty()).collect();
        let age = |at: &Timestamp| duration::age((self.now.as_second() - at.as_second()).max(0));
        let seen = self.found.as_ref().map(|(at, _)| format!("{} ago ", age(at)));
        // An answer that is long in coming is told of.
        let waited = self.asking.filter(|at| self.now.as_second() - at.as_second() > 2);
        let is_old = self.failed.is_some() || waited.is_some();
        let right = waited.map(|at| format!("asking for {} ", age(&at))).or(seen).unwrap_or_default();
        sheet.title(&plain(&left.join("  ")), &right, is_old, theme);
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let mut inner = Sheet { buffer: sheet.buffer, area: body, row: 0 };
        if self.mode == Mode::Help {
            inner.help(HELP, &self.help_from);
        } else {
            self.body(ui, theme, &mut inner);
        }
        let last = Rect { y: area.y + area.height - 1, height: 1, ..area };
        self.footer(&mut Sheet { buffer: inner.buffer, area: last, row: 0 });
    }

    fn body(&self, ui: &Ui, theme: Theme, sheet: &mut Sheet<'_>) {
        if let Some(why) = &self.failed {
            wrap(&plain(why), sheet.width()).iter().take(MOST_WORDS).for_each(|line| sheet.text(line, theme.warning()));
        }
        if self.found.is_none() {
            if self.failed.is_none() {
                sheet.text("asking the cluster...", theme.warning());
            }
            return;
        }
        let lines = self.lines(sheet.width() - 2);
        let chosen = |line: &&Line| line.why.as_ref().is_some_and(|why| self.selected.as_ref() == Some(&why.what));
        let explained = lines.iter().find(chosen).or_else(|| lines.iter().find(|line| line.look == Look::Bad));
        let words = words(ui, theme, explained, sheet.width());
        let below = (words.len() + 1).min(sheet.left() / 2);
        let room = sheet.left() - below;
        if lines.is_empty() {
            sheet.text("nothing holds this; Esc shows all", theme.warning());
        }
        let rows = if lines.len() > room { room - 1 } else { lines.len() };
        let at = lines.iter().position(|line| chosen(&line)).unwrap_or(0);
        let first = (at + 1).saturating_sub(rows).min(lines.len() - rows);
        for line in &lines[first..first + rows] {
            let style = match line.look {
                Look::Head => {
                    sheet.text(&format!("  {}", plain(&line.text)), Theme::head());
                    continue;
                }
                _ if chosen(&line) => Theme::bar(),
                Look::Good => Style::new(),
                Look::Bad => theme.bad(),
                Look::Quiet => Theme::quiet(),
            };
            let mark = if chosen(&line) { "> " } else { "  " };
            sheet.text(format!("{mark}{}", plain(&line.text)).trim_end(), style);
        }
        if lines.len() > rows {
            sheet.text(&format!("  ... {first} above, {} below", lines.len() - rows - first), Theme::quiet());
        }
        sheet.row = u16::try_from(usize::from(sheet.area.height) - below).unwrap_or(sheet.row);
        let head = match explained {
            Some(line) if chosen(&line) => format!("SELECTED: {}", about(line)),
            Some(line) => format!("THE FIRST: {}", about(line)),
            None => "NOTHING IS BAD".to_owned(),
        };
        sheet.bar(&plain(&head), Theme::head());
        words.iter().for_each(|(line, style)| sheet.text(line, *style));
    }

    fn footer(&self, sheet: &mut Sheet<'_>) {
        let again = self.again.as_secs();
        let words = match self.mode {
            Mode::Filter => format!("/{}_  Enter keeps it, Esc ends it", self.filter),
            Mode::Help => "j k scroll  any other key goes back".to_owned(),
            Mode::List if sheet.width() >= 80 => {
                format!("j k select  / filter  u ask now (every {again} s by itself)  ? help  q leave")
            }
            Mode::List => "j k  / filter  u ask now  ? help  q".to_owned(),
        };
        let filter = if self.mode == Mode::List && !self.filter.is_empty() { format!("[/{}] ", self.filter) } else { String::new() };
        sheet.bar(&format!("{filter}{words}"), Theme::bar());
    }
}

/// What is to be said of a line.
fn words(ui: &Ui, theme: Theme, line: Option<&Line>, cells: usize) -> Vec<(String, Style)> {
    let Some((why, look)) = line.and_then(|line| Some((line.why.as_ref()?, line.look))) else { return vec![] };
    let style = if look == Look::Bad { theme.bad() } else { Style::new() };
    let words = wrap(&plain(&ui.redact(&why.words)), cells).into_iter().map(|line| (line, style));
    let next = why.next.as_deref().map(|next| wrap(&plain(&format!("{} {}", hint_label(next), ui.aimed(next))), cells)).unwrap_or_default();
    words.chain(next.into_iter().map(|line| (line, theme.next()))).collect()
}

fn about(line: &Line) -> &str {
    line.why.as_ref().map_or("", |why| &why.what)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::error::Error;
    use crate::ui::{Color, Format, Verbosity};

    /// Names, of which those with `!` are bad.
    struct Names(Vec<&'static str>);

    impl Listed for Names {
        fn title(&self) -> String {
            format!("{} names", self.0.len())
        }

        fn lines(&self, _: usize) -> Vec<Line> {
            let head = |text: &str| Line { text: text.into(), look: Look::Head, why: None };
            let row = |name: &&str| {
                let why =
                    Why { what: format!("name {name}"), words: format!("{name} 名字不好"), next: Some("kubectl get pods".into()) };
                Line { text: (*name).to_owned(), look: if name.contains('!') { Look::Bad } else { Look::Good }, why: Some(why) }
            };
            [head("NAMES")].into_iter().chain(self.0.iter().map(row)).chain([head("NONE")]).collect()
        }
    }

    fn ui() -> Ui {
        Ui::new(Color::Never, true, false, None, Verbosity::Nothing, Format::Text)
    }

    fn listing(names: &[&'static str]) -> Listing<Names> {
        let mut listing = Listing::new("cluster test", Duration::from_secs(15));
        listing.hear(News::Told(Ok(Names(names.to_vec()))));
        listing
    }

    fn drawn<T: Listed>(listing: &Listing<T>, has_colors: bool, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let theme = Theme { has_colors };
        terminal.draw(|frame| listing.draw(&ui(), theme, frame.area(), frame.buffer_mut())).expect("drawn");
        terminal.backend().buffer().clone()
    }

    fn picture<T: Listed>(listing: &Listing<T>, width: u16, height: u16) -> String {
        let buffer = drawn(listing, false, width, height);
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y).trim_end().to_owned() + "\n").collect()
    }

    fn press<T: Listed>(listing: &mut Listing<T>, keys: &str) -> Vec<Order> {
        let code = |c: char| match c {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        keys.chars().filter_map(|c| listing.press(code(c).into())).collect()
    }

    #[test]
    fn what_is_bad_is_explained_and_any_line_when_it_is_selected() {
        let mut listing = listing(&["a", "b!", "c", "d!", "e", "f", "g", "h"]);
        let shown = picture(&listing, 60, 14);
        let wanted = " cluster test  8 names                               0s ago
  NAMES
  a
  b!
  c
  d!
  e
  f
  g
  ... 0 above, 2 below
THE FIRST: name b!
b! 名 字 不 好
next: kubectl get pods
j k  / filter  u ask now  ? help  q
";
        assert_eq!(shown, wanted);
        press(&mut listing, "jjj");
        assert!(picture(&listing, 60, 14).contains("\n> d!\n"), "the first key selects what is explained");
        press(&mut listing, "G");
        let shown = picture(&listing, 60, 14);
        assert!(shown.contains("> h\n  ... 1 above, 1 below\nSELECTED: name h\n"), "{shown}");
        press(&mut listing, "kkkkkkkkkk");
        assert!(picture(&listing, 60, 14).contains("\n> a\n"));
        // What is selected stays so as long as it is there.
        press(&mut listing, "Gk");
        listing.hear(News::Told(Ok(Names(vec!["g", "new"]))));
        assert!(picture(&listing, 60, 14).contains("  NAMES\n> g\n  new\n  NONE\n"));
        listing.hear(News::Told(Ok(Names(vec!["new"]))));
        assert!(picture(&listing, 60, 14).contains("\nNOTHING IS BAD\n"));
        assert_eq!(press(&mut listing, "u\u{1b}\u{1b}"), [Order::Ask, Order::Leave]);
        assert_eq!(press(&mut listing, "?qq"), [Order::Leave], "any key ends the help");
    }

    #[test]
    fn a_filter_leaves_heads_of_what_it_leaves() {
        let mut listing = listing(&["a", "ab!", "c"]);
        press(&mut listing, "/AB");
        let shown = picture(&listing, 60, 14);
        assert!(shown.contains("  NAMES\n  ab!\n\n") && shown.ends_with("/AB_  Enter keeps it, Esc ends it\n"), "{shown}");
        press(&mut listing, "zz\n");
        let shown = picture(&listing, 60, 14);
        assert!(shown.contains("\nnothing holds this; Esc shows all\n") && shown.contains("\n[/ABzz] j k"), "{shown}");
        assert_eq!(press(&mut listing, "\u{1b}q"), [Order::Leave]);
        assert!(picture(&listing, 60, 14).contains("  c\n  NONE\n"));
    }

    #[test]
    fn what_fails_is_said_beside_what_was_told_before() {
        let mut first: Listing<Names> = Listing::new("", Duration::from_secs(15));
        assert!(picture(&first, 60, 14).contains("asking the cluster..."));
        first.hear(News::Told(Err(Error::failed("the cluster \u{1b}[31mdoes not answer"))));
        let shown = picture(&first, 60, 14);
        assert!(shown.contains("\nthe cluster does not answer\n") && !shown.contains('\u{1b}'), "{shown}");
        first.hear(News::Told(Ok(Names(vec!["a"]))));
        first.hear(News::Told(Err(Error::failed("it is gone"))));
        first.now = first.now.checked_add(jiff::SignedDuration::from_secs(75)).expect("a time");
        let shown = picture(&first, 60, 14);
        assert!(shown.contains("75s ago\nit is gone\n  NAMES\n  a\n"), "{shown}");
        first.hear(News::Asking);
        first.now = first.now.checked_add(jiff::SignedDuration::from_secs(5)).expect("a time");
        assert!(picture(&first, 60, 14).contains("asking for 5s\n"));
    }

    /// At every size nothing is wider than the screen, and colours change no character.
    #[test]
    fn every_size_is_drawn() {
        let mut selected = listing(&["a-name-that-is-long-名字很长很长很长很长!", "b"]);
        press(&mut selected, "j");
        for listing in [listing(&[]), listing(&["a!"; 50]), selected] {
            for width in (1..=130).step_by(3) {
                for height in [1, 3, 9, 10, 11, 14, 20, 37] {
                    let (plain, colored) = (drawn(&listing, false, width, height), drawn(&listing, true, width, height));
                    let same = plain.content.iter().zip(&colored.content).all(|(a, b)| a.symbol() == b.symbol());
                    assert!(same, "at {width}x{height}");
                }
            }
        }
    }
}
