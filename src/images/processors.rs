//! How busy this machine's processors are, as far as it tells (`/proc/stat`, on Linux; a container sees its host's).

/// A look at the counters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    busy: u64,
    all: u64,
    /// How many there are.
    pub count: u32,
}

/// The counters now; none where there are none.
pub(super) fn look() -> Option<Look> {
    parse(&std::fs::read_to_string("/proc/stat").ok()?)
}

impl Look {
    /// How many processors were at work on average since an earlier look.
    pub(super) fn at_work_since(&self, earlier: &Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        let busy = self.busy.saturating_sub(earlier.busy).min(all);
        let share = f64::from(u32::try_from(busy).unwrap_or(u32::MAX)) / f64::from(u32::try_from(all).unwrap_or(u32::MAX));
        share * f64::from(self.count)
    }
}

/// `cpu USER NICE SYSTEM IDLE IOWAIT ...`, then a line for each processor (proc(5)).
fn parse(text: &str) -> Option<Look> {
    let ticks: Vec<u64> =
        text.lines().next()?.strip_prefix("cpu ")?.split_whitespace().map_while(|tick| tick.parse().ok()).take(8).collect();
    let idle = ticks.get(3)? + ticks.get(4).unwrap_or(&0);
    let all: u64 = ticks.iter().sum();
    let count = text.lines().skip(1).take_while(|line| line.starts_with("cpu")).count();
    Some(Look { busy: all.saturating_sub(idle), all, count: u32::try_from(count.max(1)).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_two_is_one() {
        let then = parse("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 1\n").expect("a look");
        let now = parse("cpu  140 0 60 850 50 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 1\n").expect("a look");
        assert!((now.at_work_since(&then) - 1.0).abs() < 0.001, "{}", now.at_work_since(&then));
        assert_eq!(now.at_work_since(&now).to_bits(), 0_f64.to_bits());
        for text in ["", "cpu\n", "cpu x y\n", "nothing"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
