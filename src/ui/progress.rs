//! Several things at once: a spinner each on a terminal, a line each when it ends elsewhere.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Surface, Ui, Verbosity};

/// The spinners of things that go on side by side.
#[derive(Debug)]
pub struct Progress<'a> {
    ui: &'a Ui,
    bars: Option<MultiProgress>,
}

/// One of them.
#[derive(Debug)]
pub struct Line<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        let draws = ui.surface == Surface::Terminal && ui.verbosity > Verbosity::Silent;
        Self { ui, bars: draws.then(MultiProgress::new) }
    }

    /// One more thing that has begun.
    pub fn add(&self, text: &str) -> Line<'a> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_message(text.to_owned()));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Line { ui: self.ui, bar }
    }
}

impl Line<'_> {
    /// It went well.
    pub fn done(self, text: &str) {
        match self.bar {
            Some(bar) => bar.finish_with_message(text.to_owned()),
            None => self.ui.done(text),
        }
    }

    /// It did not; why is told later.
    pub fn failed(self, text: &str) {
        match self.bar {
            Some(bar) => bar.abandon_with_message(text.to_owned()),
            None => self.ui.warn(text),
        }
    }
}
