//! The chart that `lain init` writes: `chart_template/`, carried inside the binary.

use include_dir::{Dir, File, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use crate::error::{Error, Result};
use crate::model::schema;

static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/chart_template");

/// Version of the built-in chart. Larger than any the older tool wrote (0.1.x); lint compares charts with it.
pub const CHART_VERSION: &str = "5.0.0";

/// Files that charts of the older tool had and ours has not: beside ours they render the same objects again.
pub const OLDER_FILES: [&str; 5] = [
    "index.yaml",
    "templates/_helpers.tpl",
    "templates/externalIngress.yaml",
    "templates/networkPolicy.yaml",
    "templates/statefulSet.yaml",
];

/// True for a file of the built-in chart.
pub(crate) fn is_ours(path: &str) -> bool {
    TEMPLATE.get_file(path).is_some()
}

/// The names that a template defines: of `{{- define "chart.image" -}}`, `chart.image`.
pub fn defined(template: &str) -> Vec<&str> {
    let starts = template.match_indices("define \"").map(|(at, word)| at + word.len());
    starts.filter_map(|at| template[at..].split_once('"').map(|(name, _)| name)).collect()
}

/// The language of the comments in values.yaml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// A file to write, relative to `chart/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    /// Relative path.
    pub path: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Where editors find what values may say, beside them. Not `values.schema.json`: helm would hold values to it, with words that name no line.
pub const EDITOR_SCHEMA: &str = ".values.schema.json";

/// Everything but values: Chart.yaml, .helmignore, templates, the editors' schema. `values_from` is the version of an older chart that the values
/// were written for.
///
/// # Errors
/// A template is broken, which tests rule out.
pub fn without_values(appname: &str, values_from: Option<&str>) -> Result<Vec<ChartFile>> {
    let mut files = Vec::new();
    let mut all = Vec::new();
    collect(&TEMPLATE, &mut all);
    for file in all {
        let path = file.path().to_string_lossy().into_owned();
        if path.starts_with("values") {
            continue;
        }
        match path.strip_suffix(".j2") {
            Some(target) => {
                let vars = context! { values_from, ..variables(appname) };
                let text = fill_with(&path, file.contents_utf8().unwrap_or_default(), vars)?;
                files.push(ChartFile { path: target.to_owned(), bytes: text.into_bytes() });
            }
            None => files.push(ChartFile { path, bytes: file.contents().to_vec() }),
        }
    }
    let schema = serde_json::to_string(schema::values()).unwrap_or_default();
    files.push(ChartFile { path: EDITOR_SCHEMA.to_owned(), bytes: format!("{schema}\n").into_bytes() });
    Ok(files)
}

/// `values.yaml` in the chosen language.
///
/// # Errors
/// The template is broken, which tests rule out.
pub fn values(appname: &str, language: Language) -> Result<String> {
    let name = match language {
        Language::En => "values.yaml.j2",
        Language::Zh => "values.zh.yaml.j2",
    };
    let template = TEMPLATE.get_file(name).and_then(File::contents_utf8).unwrap_or_default();
    fill_with(name, template, variables(appname))
}

/// Fills a team's own template, and tells the variables in it that nobody knows: they are empty, as for the older tool. Templates can read neither files nor
/// environment.
///
/// # Errors
/// The template is broken; the error names the line.
pub fn fill(name: &str, template: &str, appname: &str) -> Result<(String, Vec<String>)> {
    let vars = variables(appname);
    let mut environment = environment(name)?;
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let template = environment.template_from_named_str(name, template).map_err(|error| broken(name, &error))?;
    let knows = |name: &String| {
        vars.get_attr(name).is_ok_and(|value| !value.is_undefined()) || environment.globals().any(|(global, _)| global == name)
    };
    let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().filter(|name| !knows(name)).collect();
    unknown.sort_unstable();
    Ok((template.render(&vars).map_err(|error| broken(name, &error))?, unknown))
}

fn variables(appname: &str) -> minijinja::Value {
    context! { appname, chart_name => appname, chart_version => CHART_VERSION, lain_version => env!("CARGO_PKG_VERSION") }
}

fn fill_with(name: &str, template: &str, vars: minijinja::Value) -> Result<String> {
    let mut environment = environment(name)?;
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.render_named_str(name, template, vars).map_err(|error| broken(name, &error))
}

fn environment(name: &str) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| Error::failed(format!("{name}: {error}")))?);
    Ok(environment)
}

fn broken(name: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
    Error::failed(format!("{name}{line}: {error}")).hint("a template knows appname, chart_name, chart_version and lain_version")
}

fn collect<'a>(dir: &'a Dir<'a>, files: &mut Vec<&'a File<'a>>) {
    files.extend(dir.files());
    dir.dirs().for_each(|sub| collect(sub, files));
}
