//! What pods use now, as `kubectl top pod --no-headers` prints it. Pure.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::model::quantity::Quantity;

/// Blanks behind the longest cell of a column.
const GAP: usize = 3;
/// The narrowest column.
const NARROWEST: usize = 6;

/// What one pod uses, all its containers together.
#[derive(Clone, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct PodUsage {
    /// The pod.
    pub name: String,
    /// In thousandths of a core, rounded up; null where nobody says it.
    pub cpu: Option<u64>,
    /// In bytes; null where nobody says it.
    pub memory: Option<u64>,
}

impl PodUsage {
    /// `5m`, or `?`
    pub(crate) fn cpu(&self) -> String {
        self.cpu.map_or_else(|| "?".to_owned(), |cpu| format!("{cpu}m"))
    }

    /// `470Mi`, cut off; or `?`
    pub(crate) fn memory(&self) -> String {
        self.memory.map_or_else(|| "?".to_owned(), |memory| format!("{}Mi", memory >> 20))
    }
}

/// CPU and memory of all of them; what nobody tells of one does not count.
pub(crate) fn total(pods: &[PodUsage]) -> (u64, u64) {
    pods.iter().fold((0, 0), |(cpu, memory), pod| (cpu + pod.cpu.unwrap_or(0), memory + pod.memory.unwrap_or(0)))
}

/// What these `PodMetrics` tell, by name.
pub(super) fn of_metrics(pods: &[Json]) -> Vec<PodUsage> {
    let mut found: Vec<PodUsage> = pods.iter().map(of_pod).collect();
    found.sort();
    found
}

fn of_pod(pod: &Json) -> PodUsage {
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used = |what: &str| containers.iter().filter_map(|container| Quantity::of_json(&container["usage"][what]).ok()).sum::<Quantity>();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    PodUsage { name, cpu: Some(used("cpu").millis()), memory: Some(used("memory").bytes()) }
}

/// What kubectl's own table tells: `shop-web-1   5m   470Mi`.
pub(super) fn of_table(text: &str) -> Vec<PodUsage> {
    let row = |line: &str| {
        let mut cells = line.split_whitespace();
        let (name, cpu, memory) = (cells.next()?, Quantity::parse(cells.next()?).ok()?, Quantity::parse(cells.next()?).ok()?);
        Some(PodUsage { name: name.to_owned(), cpu: Some(cpu.millis()), memory: Some(memory.bytes()) })
    };
    text.lines().filter_map(row).collect()
}

/// kubectl's own table, with its head; each name as `shown` has it.
pub(crate) fn table(pods: &[PodUsage], shown: impl Fn(&str) -> String) -> String {
    if pods.is_empty() {
        return String::new();
    }
    let head = ["NAME", "CPU(cores)", "MEMORY(bytes)"].map(str::to_owned);
    let rows = std::iter::once(head).chain(pods.iter().map(|pod| [shown(&pod.name), pod.cpu(), pod.memory()]));
    let rows: Vec<[String; 3]> = rows.collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count() + GAP).max().unwrap_or(0).max(NARROWEST);
    let (name, cpu) = (width(0), width(1));
    let mut out = String::new();
    for row in &rows {
        let _ = writeln!(out, "{:name$}{:cpu$}{}", row[0], row[1], row[2]);
    }
    out.trim_end().to_owned()
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
        let words = "NAME         CPU(cores)   MEMORY(bytes)\na            1000m        2048Mi\nnone         0m           0Mi\nshop-web-2   1m           1Mi";
        let used = of_metrics(&pods);
        assert_eq!(table(&used, str::to_owned), words);
        assert_eq!(of_table(&format!("{words}\n\nError from server\n")), used, "and back");
        assert_eq!(table(&[], str::to_owned), "");
        let half = PodUsage { name: "half".into(), cpu: None, memory: Some(5 << 20) };
        assert_eq!(table(&[half], str::to_owned), "NAME   CPU(cores)   MEMORY(bytes)\nhalf   ?            5Mi");
    }
}
