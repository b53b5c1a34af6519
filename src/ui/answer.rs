//! What a command answers: one value that writes itself in every shape it has.

use serde::Serialize;

use super::{Format, Ui};
use crate::error::{Error, Result};

/// One that has text alone.
pub const TEXT: &[Format] = &[Format::Text];

/// A result on stdout. As JSON it is what serde makes of it; a shape of lain's own has a `version`.
pub trait Answer: Serialize {
    /// The shapes it has, text first: what its command declares.
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    /// For people.
    fn text(&self) -> String;

    /// For people, with colours by [`Ui::emphasis`]; all else in it is printable.
    fn styled(&self, _ui: &Ui) -> Option<String> {
        None
    }

    /// `NAME=value` lines.
    fn dotenv(&self) -> Option<String> {
        None
    }

    /// YAML.
    fn yaml(&self) -> Option<String> {
        None
    }

    /// A shape that few results have.
    fn shape(&self, _format: Format) -> Option<String> {
        None
    }
}

impl Ui {
    /// Writes an answer to stdout in the shape that was asked for.
    ///
    /// # Errors
    /// It does not have that shape, or as [`Ui::result`].
    pub fn answer<A: Answer>(&self, answer: &A) -> Result<()> {
        let none = || Error::usage(format!("this result does not come as {}", self.format.name()));
        match self.format {
            Format::Text => match answer.styled(self) {
                Some(text) => self.styled_result(&text),
                None => self.result(&answer.text()),
            },
            Format::Json => self.result_json(answer),
            Format::Dotenv => self.result(&answer.dotenv().ok_or_else(none)?),
            Format::Yaml => self.result(&answer.yaml().ok_or_else(none)?),
            Format::Markdown | Format::Html | Format::Terraform | Format::Plan => self.result(&answer.shape(self.format).ok_or_else(none)?),
        }
    }
}
