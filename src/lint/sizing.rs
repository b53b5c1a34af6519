//! From what a process used to what it should ask for. Pure.
//!
//! The rules: a CPU limit under one core becomes one core. A CPU request more than 300m away from the 95th percentile becomes
//! that. A memory request off by more than a factor of 1.13 from the quantile becomes that, unless both are under 256Mi.
//! A memory limit should be 2.5 times the quantile, and is left alone within 1Gi of it or within a factor of 1.13; with more
//! than five pods, where waste adds up, 1.3 times with 50Mi.
//!
//! What Kubernetes would refuse is never advised: a limit stays above the request it comes with, even where the rules alone
//! would leave it.

use crate::cluster::usage::{CPU_FLOOR, Used};
use crate::model::quantity::Quantity;

const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;
/// Less memory than this is not worth a word.
const POOR_MEMORY: u64 = 256 * MI;
/// No container starts with less: docker and runc need about 6Mi.
const LEAST_MEMORY: u64 = 10 * MI;
/// In thousandths of a core.
const CPU_LIMIT: u64 = 1000;
/// How far a CPU request may be off, in thousandths of a core.
const CPU_MARGIN: u64 = 300;

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// `limits.cpu`
    CpuLimit,
    /// `requests.cpu`
    CpuRequest,
    /// `requests.memory`
    MemoryRequest,
    /// `limits.memory`
    MemoryLimit,
}

impl Part {
    /// Its keys below `resources`.
    pub(crate) fn keys(self) -> [&'static str; 2] {
        match self {
            Self::CpuLimit => ["limits", "cpu"],
            Self::CpuRequest => ["requests", "cpu"],
            Self::MemoryRequest => ["requests", "memory"],
            Self::MemoryLimit => ["limits", "memory"],
        }
    }

    /// As it is best written.
    pub(crate) fn write(self, quantity: Quantity) -> String {
        match self {
            Self::CpuLimit | Self::CpuRequest => quantity.as_cpu(),
            Self::MemoryRequest | Self::MemoryLimit => quantity.as_memory(),
        }
    }
}

/// What the values say; none where they say nothing, or nothing that can be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Declared {
    /// `limits.cpu`
    pub cpu_limit: Option<Quantity>,
    /// `requests.cpu`
    pub cpu_request: Option<Quantity>,
    /// `requests.memory`
    pub memory_request: Option<Quantity>,
    /// `limits.memory`
    pub memory_limit: Option<Quantity>,
    /// How many pods.
    pub replicas: u32,
}

/// What should be written instead, in the order of [`Part`].
pub(crate) fn advise(declared: &Declared, used: Used) -> Vec<(Part, Quantity)> {
    let mut advice = vec![];
    let cpu_request = cpu_request(declared, used);
    // A request above the limit would be refused.
    let cpu_floor = cpu_request.unwrap_or(0).max(CPU_LIMIT);
    match declared.cpu_limit.map(Quantity::millis) {
        Some(limit) if limit < CPU_LIMIT || cpu_request.is_some_and(|request| request > limit) => {
            advice.push((Part::CpuLimit, Quantity::from_millis(cpu_floor.next_multiple_of(1000))));
        }
        _ => {}
    }
    advice.extend(cpu_request.map(|request| (Part::CpuRequest, Quantity::from_millis(request))));
    let memory_request = memory_request(declared, used);
    advice.extend(memory_request.map(|request| (Part::MemoryRequest, Quantity::from_whole(request))));
    let memory_limit = memory_limit(declared, used, memory_request.or(declared.memory_request.map(Quantity::bytes)).unwrap_or(0));
    advice.extend(memory_limit.map(|limit| (Part::MemoryLimit, Quantity::from_whole(limit))));
    advice
}

fn cpu_request(declared: &Declared, used: Used) -> Option<u64> {
    let (request, top) = (declared.cpu_request?.millis(), used.cpu?.max(CPU_FLOOR));
    (request.abs_diff(top) > CPU_MARGIN).then_some(top)
}

fn memory_request(declared: &Declared, used: Used) -> Option<u64> {
    let (request, top) = (declared.memory_request?.bytes(), used.memory?);
    if request < POOR_MEMORY && top < POOR_MEMORY {
        return None;
    }
    off(request, top).then(|| whole(top))
}

fn memory_limit(declared: &Declared, used: Used, request: u64) -> Option<u64> {
    let (limit, top) = (declared.memory_limit?.bytes(), used.memory?);
    let (percent, margin) = if declared.replicas > 5 { (130, 50 * MI) } else { (250, GI) };
    let wanted = whole(times(top, percent)).max(request);
    if limit < request {
        return Some(wanted);
    }
    (limit.abs_diff(wanted) >= margin && off(limit, wanted)).then_some(wanted)
}

/// True when one is more than 1.13 times the other.
fn off(one: u64, other: u64) -> bool {
    let times = |number: u64, percent: u128| u128::from(number) * percent;
    times(one, 100) > times(other, 113) || times(other, 100) > times(one, 113)
}

fn times(number: u64, percent: u64) -> u64 {
    u64::try_from((u128::from(number) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX)
}

/// As it will be written: whole mebibytes, enough to start with.
fn whole(bytes: u64) -> u64 {
    Quantity::from_bytes_as_mi(bytes).bytes().max(LEAST_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str, replicas: u32) -> Declared {
        let parts: Vec<Option<Quantity>> = text.split(' ').map(|part| Quantity::parse(part).ok()).collect();
        Declared { cpu_limit: parts[0], cpu_request: parts[1], memory_request: parts[2], memory_limit: parts[3], replicas }
    }

    /// CPU limit, CPU request, memory request, memory limit; what was used; what is advised.
    fn told(text: &str, replicas: u32, cpu: Option<u64>, memory_mi: Option<u64>) -> String {
        let used = Used { cpu, memory: memory_mi.map(|mi| mi * MI) };
        let advice = advise(&declared(text, replicas), used);
        let words: Vec<String> =
            advice.iter().map(|(part, quantity)| format!("{}={}", part.keys().join("."), part.write(*quantity))).collect();
        words.join(" ")
    }

    #[test]
    fn each_rule_at_its_edges() {
        for (text, replicas, cpu, memory, advice) in [
            ("999m 10m 80Mi 80Mi", 1, None, None, "limits.cpu=1000m"),
            ("1 10m 80Mi 80Mi", 1, None, None, ""),
            ("4 10m 80Mi 80Mi", 1, None, None, ""),
            ("1 500m 80Mi 80Mi", 1, Some(800), None, ""),
            ("1 500m 80Mi 80Mi", 1, Some(801), None, "requests.cpu=801m"),
            ("1 500m 80Mi 80Mi", 1, Some(200), None, ""),
            ("1 500m 80Mi 80Mi", 1, Some(199), None, "requests.cpu=199m"),
            ("1 500m 80Mi 80Mi", 1, Some(0), None, "requests.cpu=5m"),
            // 1.13 either way, from 256Mi on
            ("1 10m 339Mi 1000Mi", 1, None, Some(300), ""),
            ("1 10m 340Mi 1000Mi", 1, None, Some(300), "requests.memory=300Mi"),
            ("1 10m 300Mi 1000Mi", 1, None, Some(339), ""),
            ("1 10m 300Mi 1000Mi", 1, None, Some(340), "requests.memory=340Mi"),
            ("1 10m 255Mi 1000Mi", 1, None, Some(20), ""),
            ("1 10m 256Mi 1000Mi", 1, None, Some(200), "requests.memory=200Mi"),
            ("1 10m 20Mi 1000Mi", 1, None, Some(256), "requests.memory=256Mi"),
            // the limit: 2.5 times, a margin of 1Gi
            ("1 10m 1Gi 3583Mi", 1, None, Some(1024), ""),
            ("1 10m 1Gi 3584Mi", 1, None, Some(1024), "limits.memory=2560Mi"),
            ("1 10m 1Gi 1537Mi", 1, None, Some(1024), ""),
            ("1 10m 1Gi 1536Mi", 1, None, Some(1024), "limits.memory=2560Mi"),
            // 10Gi of use: 25Gi, and 1Gi is within 1.13
            ("1 10m 10Gi 28Gi", 1, None, Some(10240), ""),
            ("1 10m 10Gi 29Gi", 1, None, Some(10240), "limits.memory=25Gi"),
            // over five pods: 1.3 times, a margin of 50Mi
            ("1 10m 100Mi 1000Mi", 5, None, Some(100), ""),
            ("1 10m 100Mi 180Mi", 6, None, Some(100), "limits.memory=130Mi"),
            ("1 10m 100Mi 179Mi", 6, None, Some(100), ""),
            ("1 10m 1000Mi 1469Mi", 6, None, Some(1000), ""),
            ("1 10m 1000Mi 1470Mi", 6, None, Some(1000), "limits.memory=1300Mi"),
            ("1 10m 346Mi 256Mi", 6, None, Some(347), "limits.memory=452Mi"),
        ] {
            assert_eq!(told(text, replicas, cpu, memory), advice, "{text} x{replicas}, used {cpu:?} {memory:?}");
        }
    }

    #[test]
    fn never_a_request_above_its_limit() {
        // The limit alone would be left: 1000Mi is within 1Gi of 256Mi.
        assert_eq!(told("1 10m 128Mi 256Mi", 1, None, Some(400)), "requests.memory=400Mi limits.memory=1000Mi");
        assert_eq!(told("1 10m 80Mi 80Mi", 1, Some(1500), None), "limits.cpu=2000m requests.cpu=1500m");
        // The request is left as it is: the limit stays above.
        assert_eq!(told("1 10m 250Mi 250Mi", 6, None, Some(50)), "");
        assert_eq!(told("1 10m 250Mi 350Mi", 6, None, Some(50)), "limits.memory=250Mi");
    }

    #[test]
    fn what_was_advised_is_advised_no_more() {
        for replicas in [1, 5, 6, 50] {
            for memory in [0, 1, 7, 99, 227, 255, 256, 300, 411, 1023, 1024, 5000, 70_000] {
                for cpu in [0, 4, 5, 199, 301, 999, 1001, 7777] {
                    for start in ["10m 5m 1Mi 1Mi", "100m 10m 80Mi 64Mi", "1 1 1Gi 1Gi", "64 32 100Gi 200Gi", "2 1500m 300Mi 5Gi"] {
                        let used = Used { cpu: Some(cpu), memory: Some(memory * MI + 12_345) };
                        let mut declared = declared(start, replicas);
                        for (part, quantity) in advise(&declared, used) {
                            let written = Quantity::parse(&part.write(quantity)).expect("a quantity");
                            assert_eq!(written, quantity, "{part:?}");
                            match part {
                                Part::CpuLimit => declared.cpu_limit = Some(written),
                                Part::CpuRequest => declared.cpu_request = Some(written),
                                Part::MemoryRequest => declared.memory_request = Some(written),
                                Part::MemoryLimit => declared.memory_limit = Some(written),
                            }
                        }
                        let again = advise(&declared, used);
                        assert!(again.is_empty(), "{start} x{replicas}, used {used:?}: {again:?} after {declared:?}");
                        assert!(declared.cpu_request <= declared.cpu_limit, "{start} {used:?}: {declared:?}");
                        assert!(declared.memory_request <= declared.memory_limit, "{start} x{replicas} {used:?}: {declared:?}");
                    }
                }
            }
        }
    }
}
