//! CPU and memory as people compare them: in cores and GiB.

#[allow(clippy::cast_precision_loss)] // shown with three digits
pub(super) fn cores(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[allow(clippy::cast_precision_loss)] // as above
pub(super) fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1_u32 << 30)
}

/// `12.5`, of thousandths of a core.
pub(super) fn in_cores(millis: u64) -> String {
    written(cores(millis))
}

/// `0.25`, of bytes.
pub(super) fn in_gib(bytes: u64) -> String {
    written(gib(bytes))
}

/// With as many digits as tell amounts apart: `0.005`, `0.25`, `12.5`, `2400`.
fn written(amount: f64) -> String {
    let digits = if amount < 1.0 { 3 } else { usize::from(amount < 10.0) + usize::from(amount < 1000.0) };
    let text = format!("{amount:.digits$}");
    if digits == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// Money, to the cent; what is less than one of it with as many digits as tell amounts apart: `31.50`, `0.0042`.
pub(super) fn in_money(amount: f64) -> String {
    let digits = [1.0, 0.1, 0.01, 0.001, 0.0001].iter().filter(|least| amount > 0.0 && amount < **least).count();
    format!("{amount:.0$}", digits.max(1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_apart() {
        let millis = [0, 5, 250, 1000, 12_540, 999_960, 2_400_000];
        assert_eq!(millis.map(in_cores), ["0", "0.005", "0.25", "1", "12.5", "1000", "2400"]);
        assert_eq!([64 << 20, 5 << 30].map(in_gib), ["0.062", "5"]);
        let money = [0.0, 1234.5, 31.5, 0.19, 0.05, 0.0042, 0.000_123];
        assert_eq!(money.map(in_money), ["0.00", "1234.50", "31.50", "0.19", "0.050", "0.0042", "0.00012"]);
    }
}
