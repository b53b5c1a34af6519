//! What `chart/Chart.yaml` says of the chart that the values were written for.

use std::path::Path;

use crate::model::version::Version;
use crate::values::node::Node;
use crate::values::parse::parse;

/// The chart's description.
pub(crate) const CHART_FILE: &str = "chart/Chart.yaml";
/// In `Chart.yaml`: the version of the chart that the values were first written for. `lain init --template-only` keeps it.
pub(crate) const VALUES_FROM: &str = "lain.dev/values-from";

/// What `Chart.yaml` says.
#[derive(Debug, Default)]
pub(crate) struct Chart {
    /// The node of the version.
    pub(crate) version: Option<Node>,
    values_from: Option<String>,
}

impl Chart {
    /// Reads its text; a broken one counts as empty, helm says more about it.
    pub(crate) fn read(text: &str) -> Self {
        let Ok(node) = parse(Path::new(CHART_FILE), text.to_owned()) else { return Self::default() };
        let values_from = node.get("annotations").and_then(|map| map.get(VALUES_FROM)).and_then(Node::as_str).map(str::to_owned);
        Self { version: node.get("version").cloned(), values_from }
    }

    /// The version as written.
    pub(crate) fn version(&self) -> Option<String> {
        let node = self.version.as_ref()?;
        Some(node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned))
    }

    /// Which chart the values were written for: the annotation, else the chart's own version.
    pub(crate) fn values_from(&self) -> Option<String> {
        self.values_from.clone().or_else(|| self.version())
    }

    /// True for values that were written for the older tool's chart (0.x), which asked for less.
    pub(crate) fn is_older(&self) -> bool {
        self.values_from().and_then(|text| Version::parse(&text)).is_some_and(|version| version.major == 0)
    }
}
