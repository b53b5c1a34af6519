//! What pods use now, as `kubectl top pod --no-headers` prints it. Pure.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::model::quantity::Quantity;

/// Blanks behind the longest cell of a column.
const GAP: usize = 3;
/// The narrowest column.
const NARROWEST: usize = 6;

/// The table of these `PodMetrics`, by name: CPU in thousandths of a core, rounded up, and whole mebibytes of memory, cut off, all containers together.
pub(super) fn table(pods: &[Json]) -> String {
    let mut rows: Vec<[String; 3]> = pods.iter().map(row).collect();
    rows.sort();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count() + GAP).max().unwrap_or(0).max(NARROWEST);
    let (name, cpu) = (width(0), width(1));
    let mut out = String::new();
    for row in &rows {
        let _ = writeln!(out, "{:name$}{:cpu$}{}", row[0], row[1], row[2]);
    }
    out.trim_end().to_owned()
}

fn row(pod: &Json) -> [String; 3] {
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used = |what: &str| containers.iter().filter_map(|container| Quantity::of_json(&container["usage"][what]).ok()).sum::<Quantity>();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    [name, used("cpu").as_cpu(), format!("{}Mi", used("memory").bytes() >> 20)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_count_together() {
        let pod = |name: &str, containers: &[(&str, &str)]| {
            let containers: Vec<Json> = containers.iter().map(|(cpu, memory)| json!({"usage": {"cpu": cpu, "memory": memory}})).collect();
            json!({"metadata": {"name": name}, "containers": containers})
        };
        let pods = [pod("shop-web-2", &[("400000n", "1048575"), ("400000n", "1")]), pod("a", &[("1", "2Gi")]), pod("none", &[])];
        assert_eq!(table(&pods), "a            1000m   2048Mi\nnone         0m      0Mi\nshop-web-2   1m      1Mi");
        assert_eq!(table(&[]), "");
    }
}
