//! Text from a template of lain's own: a line that holds a block tag alone leaves no line behind.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::values::write::to_yaml;

/// Fills a template; its filter `yaml` makes one scalar on one line of a text. Every text goes in as it is, or escaped where the name ends with `.html`; such pages
/// share `page.css`.
///
/// # Errors
/// The template is off: a fault of lain's own.
pub(super) fn fill(name: &str, template: &str, facts: impl Serialize) -> Result<String> {
    let is_page = |name: &str| std::path::Path::new(name).extension().is_some_and(|it| it == "html");
    let off = |error: minijinja::Error| Error::failed(format!("{name}: {error}"));
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(move |name| if is_page(name) { AutoEscape::Html } else { AutoEscape::None });
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build().map_err(off)?);
    environment.add_filter("percent", |share: f64| format!("{:.3}", share.clamp(0.0, 100.0)));
    environment.add_filter("yaml", |text: String| scalar(&text));
    environment.add_template("page.css", include_str!("page.css")).map_err(off)?;
    environment.render_named_str(name, template, Serde(facts)).map_err(off)
}

fn scalar(text: &str) -> String {
    if text.contains('\n') {
        return Json::String(text.to_owned()).to_string(); // a JSON string is a YAML flow scalar
    }
    to_yaml(&Json::String(text.to_owned())).trim_end().to_owned()
}
