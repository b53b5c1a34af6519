//! Several things at once: a spinner each on a terminal, a line each when it ends.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Ui;

/// The spinners of things that go on side by side.
#[derive(Debug)]
pub struct Progress<'a> {
    ui: &'a Ui,
    spinners: Option<&'a MultiProgress>,
}

/// One of them.
#[derive(Debug)]
pub struct Line<'a> {
    ui: &'a Ui,
    spinner: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self { ui, spinners: ui.draws().then(|| ui.spinners()) }
    }

    /// One more thing that has begun.
    pub fn add(&self, text: &str) -> Line<'a> {
        let spinner = self.spinners.map(|spinners| {
            let spinner = spinners.add(ProgressBar::new_spinner().with_message(self.ui.clean(text)));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                spinner.set_style(style);
            }
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        Line { ui: self.ui, spinner }
    }
}

impl Line<'_> {
    /// It went well.
    pub fn done(self, text: &str) {
        self.stop();
        self.ui.done(text);
    }

    /// It did not; why is told later.
    pub fn failed(self, text: &str) {
        self.stop();
        self.ui.warn(text);
    }

    fn stop(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
