//! Whether the API server still answers, asked on the side while something waits for it: a program that hangs at a silent server looks like one at work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::kubectl::Kubectl;
use crate::interrupt;
use crate::ui::Ui;

/// The server's pulse, as far as it was felt.
pub(crate) struct Pulse<'u> {
    ui: &'u Ui,
    pace: Pace,
    state: Mutex<State>,
    changed: Condvar,
}

/// How it is felt.
#[derive(Clone, Copy)]
struct Pace {
    /// Between two questions.
    between: Duration,
    /// How long one may take.
    probe: Duration,
    /// How long the server may be silent before that is said.
    said: Duration,
    /// How long before nobody waits for it any more.
    longest: Duration,
}

const USUAL: Pace = Pace {
    between: Duration::from_secs(5),
    probe: Duration::from_secs(8),
    said: Duration::from_secs(20),
    longest: Duration::from_secs(60),
};
/// Ctrl-C is noticed within this time.
const GLANCE: Duration = Duration::from_millis(500);

#[derive(Default)]
struct State {
    silent: Option<Instant>,
    is_said: bool,
    is_over: bool,
}

/// Says when dropped, in whatever way, that the work is done.
struct Over<'a, 'u>(&'a Pulse<'u>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

impl<'u> Pulse<'u> {
    /// Does `work`, and asks on the side; once the server was silent for too long, `gone` is told with each further question.
    pub(crate) fn beside<T>(ui: &'u Ui, kubectl: &Kubectl<'_>, gone: impl Fn() + Sync, work: impl FnOnce(&Self) -> T) -> T {
        Self::felt(ui, USUAL, || kubectl.answers(USUAL.probe), gone, work)
    }

    fn felt<T>(ui: &'u Ui, pace: Pace, answers: impl Fn() -> bool + Sync, gone: impl Fn() + Sync, work: impl FnOnce(&Self) -> T) -> T {
        let pulse = Self { ui, pace, state: Mutex::default(), changed: Condvar::new() };
        std::thread::scope(|scope| {
            scope.spawn(|| pulse.keep(&answers, &gone));
            let _over = Over(&pulse);
            work(&pulse)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, answers: &impl Fn() -> bool, gone: &impl Fn()) {
        let mut asked = Instant::now();
        loop {
            let state = self.state();
            if state.is_over || interrupt::received() {
                return;
            }
            let left = self.pace.between.saturating_sub(asked.elapsed());
            if !left.is_zero() {
                drop(self.changed.wait_timeout(state, left.min(GLANCE)));
                continue;
            }
            drop(state);
            asked = Instant::now();
            let is_there = answers();
            let mut state = self.state();
            state.silent = if is_there { None } else { Some(state.silent.unwrap_or(asked)) };
            drop(state);
            if self.is_gone().is_some() {
                gone();
            }
            asked = Instant::now();
        }
    }

    /// How long the server has been silent, where that is too long to wait for it. That it is silent, and that it answers again, is said once.
    pub(crate) fn is_gone(&self) -> Option<Duration> {
        let mut state = self.state();
        let since = state.silent.map(|since| since.elapsed());
        match since {
            Some(since) if since > self.pace.longest => return Some(since),
            Some(since) if since > self.pace.said && !state.is_said => {
                state.is_said = true;
                self.ui.warn(&format!("the API server has not answered for {} s; still waiting for it", since.as_secs()));
            }
            None if state.is_said => {
                state.is_said = false;
                self.ui.say("the API server answers again");
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Color, Format, Verbosity};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn silence_ends_what_waits_and_an_answer_does_not() {
        let ui = Ui::new(Color::Never, false, false, None, Verbosity::Silent, Format::Text);
        let short = Duration::from_millis(5);
        let pace = Pace { between: short, probe: short, said: short, longest: Duration::from_millis(100) };
        let (told, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let count = || {
            told.fetch_add(1, Ordering::SeqCst);
        };
        // Waits until it is told, as a program does that hangs at the server.
        let begun = Instant::now();
        let gone = Pulse::felt(
            &ui,
            pace,
            || false,
            count,
            |pulse| {
                while told.load(Ordering::SeqCst) == 0 && begun.elapsed() < Duration::from_secs(60) {
                    std::thread::sleep(short);
                }
                pulse.is_gone()
            },
        );
        assert!(gone.is_some_and(|silent| silent >= pace.longest), "{gone:?}");
        // One that fails now and then is there.
        told.store(0, Ordering::SeqCst);
        let answers = || asked.fetch_add(1, Ordering::SeqCst) % 2 == 0;
        let gone = Pulse::felt(&ui, Pace { longest: Duration::from_secs(60), ..pace }, answers, count, |pulse| {
            while asked.load(Ordering::SeqCst) < 20 && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(short);
            }
            pulse.is_gone()
        });
        assert_eq!((gone, told.load(Ordering::SeqCst)), (None, 0));
        // Who is done does not wait for the next question.
        let begun = Instant::now();
        Pulse::felt(&ui, Pace { between: Duration::from_secs(3600), ..pace }, || true, || {}, |_| ());
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
