//! The advice on resources as a page of bars. Pure.

use super::advice::{Advised, Size};
use super::sizing::Part;
use crate::model::quantity::Quantity;
use crate::render::bars::{Bar, Page, Row, ranks};

const PARTS: [(Part, &str); 4] = [
    (Part::CpuRequest, "CPU request"),
    (Part::CpuLimit, "CPU limit"),
    (Part::MemoryRequest, "memory request"),
    (Part::MemoryLimit, "memory limit"),
];

/// What each process asks for against what it used and should ask for; those with most advice first.
pub(crate) fn page(release: &str, advised: &Advised) -> Page {
    let sizes = &advised.sizes;
    let most = |is_cpu: bool| {
        let all = sizes.iter().flat_map(|size| {
            PARTS.iter().filter(move |(part, _)| is_cpu_part(*part) == is_cpu).map(move |(part, _)| Look::of(size, *part))
        });
        all.flat_map(|look| [look.asked, look.used, look.better]).flatten().max().unwrap_or(0)
    };
    let (cpu, memory) = (most(true), most(false));
    let ranks = ranks(
        sizes.len(),
        &[
            &|a, b| sizes[b].advice.len().cmp(&sizes[a].advice.len()),
            &|a, b| sizes[b].used.cpu.cmp(&sizes[a].used.cpu),
            &|a, b| sizes[b].used.memory.cmp(&sizes[a].used.memory),
            &|a, b| sizes[a].name.cmp(&sizes[b].name),
        ],
    );
    let row = |(size, ranks): (&Size, Vec<usize>)| Row {
        name: size.name.clone(),
        note: if size.declared.replicas == 1 { "1 pod".to_owned() } else { format!("{} pods", size.declared.replicas) },
        bars: PARTS
            .iter()
            .map(|(part, what)| Look::of(size, *part).bar(what, *part, if is_cpu_part(*part) { cpu } else { memory }))
            .collect(),
        ranks,
        rows: vec![],
    };
    let lead = match advised.range.as_str() {
        "" => "What was used is not known.".to_owned(),
        range => format!("What one pod used in the last {range}: the 95th percentile of the one that used most."),
    };
    Page {
        title: format!("Resources of {release}"),
        lead: vec![lead],
        totals: vec![],
        sorts: ["advice", "CPU", "memory", "name"].map(str::to_owned).to_vec(),
        has_better: true,
        rows: sizes.iter().zip(ranks).map(row).collect(),
    }
}

fn is_cpu_part(part: Part) -> bool {
    matches!(part, Part::CpuLimit | Part::CpuRequest)
}

/// One of the four of a process, in thousandths of a core or in bytes.
struct Look {
    asked: Option<u64>,
    used: Option<u64>,
    better: Option<u64>,
}

impl Look {
    fn of(size: &Size, part: Part) -> Self {
        let count = |it: Quantity| if is_cpu_part(part) { it.millis() } else { it.bytes() };
        let declared = match part {
            Part::CpuLimit => size.declared.cpu_limit,
            Part::CpuRequest => size.declared.cpu_request,
            Part::MemoryRequest => size.declared.memory_request,
            Part::MemoryLimit => size.declared.memory_limit,
        };
        Self {
            asked: declared.map(count),
            used: if is_cpu_part(part) { size.used.cpu } else { size.used.memory },
            better: size.advice.iter().find(|(of, _)| *of == part).map(|(_, better)| count(*better)),
        }
    }

    fn bar(&self, what: &str, part: Part, most: u64) -> Bar {
        let write = |amount: u64| part.write(if is_cpu_part(part) { Quantity::from_millis(amount) } else { Quantity::from_whole(amount) });
        let asked = self.asked.map_or_else(|| "nothing asked".to_owned(), write);
        let better = self.better.map_or_else(String::new, |better| format!(", better {}", write(better)));
        let words = format!("{asked}, used {}{better}", self.used.map_or_else(|| "?".to_owned(), write));
        Bar::of(what, words, self.asked, self.used, self.better, most)
    }
}
