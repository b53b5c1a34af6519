//! The whole terminal, for a panel: entered, left, and given to others in between; as it was before, whatever ends lain.

use std::io::{self, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, execute};
use ratatui::{Frame, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Format, Surface, Ui, Verbosity};
use crate::error::{Error, Result, describe_io};

/// A panel has the terminal now.
static ENTERED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The whole terminal. Dropping it gives the terminal back.
#[derive(Debug)]
pub(crate) struct Fullscreen<'u> {
    ui: &'u Ui,
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Ui {
    /// True where a panel can be drawn: a person at a terminal on both ends that can move its cursor, and no other shape was asked for.
    pub(crate) fn can_show_panel(&self) -> bool {
        let wants = self.format == Format::Text && self.verbosity > Verbosity::Silent;
        wants && self.can_draw && self.surface == Surface::Terminal && self.has_terminal()
    }
}

impl<'u> Fullscreen<'u> {
    /// Takes the terminal. What is said from now on is kept until it is given back.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn enter(ui: &'u Ui) -> Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                give_back();
                before(info);
            }));
        });
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(broken)?;
        let screen = Self { ui, terminal };
        screen.take()?;
        Ok(screen)
    }

    fn take(&self) -> Result<()> {
        self.ui.keep_back();
        ENTERED.store(true, Ordering::SeqCst);
        enable_raw_mode().map_err(broken)?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide).map_err(broken)
    }

    /// Draws; only what differs is written.
    ///
    /// # Errors
    /// As [`Fullscreen::enter`].
    pub(crate) fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.terminal.draw(render).map(drop).map_err(broken)
    }

    /// Draws all anew at the next draw.
    ///
    /// # Errors
    /// As [`Fullscreen::enter`].
    pub(crate) fn forget(&mut self) -> Result<()> {
        self.terminal.clear().map_err(broken)
    }

    /// What was typed, or another size; none where nothing was within this time.
    ///
    /// # Errors
    /// As [`Fullscreen::enter`].
    pub(crate) fn event(within: Duration) -> Result<Option<Event>> {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let nanoseconds = within.subsec_nanos().into();
        // A signal may wake it: then there is another size, or an end.
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: i64::try_from(within.as_secs()).unwrap_or(i64::MAX), tv_nsec: nanoseconds }));
        // crossterm would wait for ever for a terminal that is gone.
        if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Err(Error::failed("the terminal is gone"));
        }
        if event::poll(Duration::ZERO).map_err(broken)? { event::read().map(Some).map_err(broken) } else { Ok(None) }
    }

    /// Gives the terminal back while something else uses it.
    ///
    /// # Errors
    /// As [`Fullscreen::enter`].
    pub(crate) fn away<T>(&mut self, work: impl FnOnce() -> T) -> Result<T> {
        give_back();
        self.ui.let_go();
        let outcome = work();
        self.take()?;
        self.forget()?;
        Ok(outcome)
    }

    /// Says something below what another program printed, and waits for a key.
    ///
    /// # Errors
    /// As [`Fullscreen::enter`].
    pub(crate) fn wait_for_key(ui: &Ui, words: &str, stop: impl Fn() -> bool) -> Result<()> {
        let _ = write!(io::stderr().lock(), "{}", ui.clean(words)); // nowhere left to complain
        enable_raw_mode().map_err(broken)?;
        let outcome = loop {
            match Self::event(Duration::from_millis(50)) {
                Ok(Some(Event::Key(_))) => break Ok(()),
                Ok(_) if stop() => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        disable_raw_mode().map_err(broken)?;
        outcome
    }
}

impl Drop for Fullscreen<'_> {
    fn drop(&mut self) {
        give_back();
        self.ui.let_go();
    }
}

fn give_back() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // Whoever ends cannot do more than try.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

fn broken(error: io::Error) -> Error {
    Error::failed(format!("the terminal is gone: {}", describe_io(&error))).hint("lain status -s # prints it once")
}
