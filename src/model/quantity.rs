//! Amounts of CPU and memory as Kubernetes writes them: `500m`, `80Mi`, `1.5`, `2e9`.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`; `tests/quantities.rs` asks a real API server.
//! Where Kubernetes reads a text without digits (`Mi`, `+`, `.`) as zero, and any size of number (`1e30`), this refuses:
//! nobody means either.

use std::fmt;

/// Nanos of one.
const ONE: i128 = 1_000_000_000;
/// Kubernetes holds binary quantities in 64 bits and caps what is larger.
const LARGEST_BINARY: i128 = i64::MAX as i128 * ONE;
/// More digits than this are cut, rounding up; the product with 2^60 still fits 128 bits.
const MAX_DIGITS: usize = 19;

/// An exact amount. Kubernetes rounds up to whole nanos, and so does this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    nanos: i128,
}

/// What stands behind the number.
#[derive(Clone, Copy)]
enum Unit {
    /// Times ten to this power.
    Decimal(i64),
    /// Times two to this power.
    Binary(u32),
}

impl Quantity {
    /// Reads `80Mi`, `0.5`, `500m`, `1e3`; spaces around it do not matter to Kubernetes either.
    ///
    /// # Errors
    /// It is no quantity; the words say why and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err("an empty text is no quantity: write 500m (CPU) or 80Mi (memory)".to_owned());
        }
        let (negative, unsigned) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let digits_end = |from: usize| unsigned[from..].find(|c: char| !c.is_ascii_digit()).map_or(unsigned.len(), |at| from + at);
        let whole_end = digits_end(0);
        let whole = &unsigned[..whole_end];
        let (fraction, suffix) = if unsigned[whole_end..].starts_with('.') {
            let end = digits_end(whole_end + 1);
            (&unsigned[whole_end + 1..end], &unsigned[end..])
        } else {
            ("", &unsigned[whole_end..])
        };
        let number = &unsigned[..unsigned.len() - suffix.len()];
        if whole.is_empty() && fraction.is_empty() {
            return Err(format!("`{text}` is no quantity: it starts with no number, write 500m (CPU) or 80Mi (memory)"));
        }
        let unit = unit(suffix).ok_or_else(|| wrong_unit(text, number, suffix))?;
        let nanos = nanos(whole, fraction, unit).ok_or_else(|| format!("`{text}` is more than any machine has"))?;
        Ok(Self { nanos: if negative { -nanos } else { nanos } })
    }

    /// A quantity in a values tree: text, or a number as YAML gives it.
    ///
    /// # Errors
    /// It is neither, or no quantity.
    pub fn of_json(value: &serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) => Self::parse(text),
            serde_json::Value::Number(number) => Self::parse(&number.to_string()),
            other => Err(format!("`{other}` is no quantity: write 500m (CPU) or 80Mi (memory)")),
        }
    }

    /// So many bytes (or cores).
    pub fn from_whole(count: u64) -> Self {
        Self { nanos: i128::from(count) * ONE }
    }

    /// So many bytes, rounded up to whole mebibytes, the way people write memory.
    pub fn from_bytes_as_mi(bytes: u64) -> Self {
        Self::from_whole(bytes.div_ceil(1 << 20).saturating_mul(1 << 20))
    }

    /// So many thousandths.
    pub fn from_millis(millis: u64) -> Self {
        Self { nanos: i128::from(millis) * (ONE / 1000) }
    }

    /// In thousandths, as CPU is counted; rounded up, nothing below zero.
    pub fn millis(self) -> u64 {
        self.rounded_up(ONE / 1000)
    }

    /// In whole bytes; rounded up, nothing below zero.
    pub fn bytes(self) -> u64 {
        self.rounded_up(ONE)
    }

    /// True below zero, which no resource may be.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// As CPU is best written: `1000m`.
    pub fn as_cpu(self) -> String {
        format!("{}m", self.millis())
    }

    /// As memory is best written, rounded up to whole mebibytes: `450Mi`, `2Gi`.
    pub fn as_memory(self) -> String {
        Self::from_bytes_as_mi(self.bytes()).to_string()
    }

    fn rounded_up(self, unit: i128) -> u64 {
        let nanos = self.nanos.max(0);
        u64::try_from(nanos / unit + i128::from(nanos % unit != 0)).unwrap_or(u64::MAX)
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        Self { nanos: all.fold(0, |sum, one| sum.saturating_add(one.nanos)) }
    }
}

/// In the largest binary unit that needs no fraction, else in ones, thousandths, millionths or billionths.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (power, unit) in [(60, "Ei"), (50, "Pi"), (40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")] {
            let size = ONE << power;
            if self.nanos != 0 && self.nanos % size == 0 {
                return write!(f, "{}{unit}", self.nanos / size);
            }
        }
        for (size, unit) in [(ONE, ""), (1_000_000, "m"), (1000, "u")] {
            if self.nanos % size == 0 {
                return write!(f, "{}{unit}", self.nanos / size);
            }
        }
        write!(f, "{}n", self.nanos)
    }
}

fn unit(suffix: &str) -> Option<Unit> {
    Some(match suffix {
        "n" => Unit::Decimal(-9),
        "u" => Unit::Decimal(-6),
        "m" => Unit::Decimal(-3),
        "" => Unit::Decimal(0),
        "k" => Unit::Decimal(3),
        "M" => Unit::Decimal(6),
        "G" => Unit::Decimal(9),
        "T" => Unit::Decimal(12),
        "P" => Unit::Decimal(15),
        "E" => Unit::Decimal(18),
        "Ki" => Unit::Binary(10),
        "Mi" => Unit::Binary(20),
        "Gi" => Unit::Binary(30),
        "Ti" => Unit::Binary(40),
        "Pi" => Unit::Binary(50),
        "Ei" => Unit::Binary(60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let size: i64 = digits.parse().unwrap_or(i64::from(i32::MAX)).min(i64::from(i32::MAX));
            Unit::Decimal(if exponent.starts_with('-') { -size } else { size })
        }
    })
}

/// The amount in nanos; none when it does not fit.
fn nanos(whole: &str, fraction: &str, unit: Unit) -> Option<i128> {
    let digits = format!("{whole}{}", fraction.trim_end_matches('0'));
    let mut scale = i64::try_from(fraction.trim_end_matches('0').len()).ok()?;
    let mut digits = digits.trim_start_matches('0');
    let mut cut = false;
    if digits.len() > MAX_DIGITS {
        scale -= i64::try_from(digits.len() - MAX_DIGITS).ok()?;
        cut = digits[MAX_DIGITS..].bytes().any(|byte| byte != b'0');
        digits = &digits[..MAX_DIGITS];
    }
    if digits.is_empty() {
        return Some(0);
    }
    let mantissa = digits.parse::<u128>().ok()? + u128::from(cut);
    let (mantissa, exponent) = match unit {
        Unit::Decimal(exponent) => (mantissa, exponent),
        Unit::Binary(power) => (mantissa << power, 0),
    };
    let amount = scaled(mantissa, 9 - scale + exponent);
    match unit {
        Unit::Decimal(_) => amount,
        Unit::Binary(_) => Some(amount.unwrap_or(LARGEST_BINARY).min(LARGEST_BINARY)),
    }
}

/// `number` times ten to the power, rounded up; none when it does not fit.
fn scaled(number: u128, power: i64) -> Option<i128> {
    let size = u32::try_from(power.unsigned_abs()).ok().and_then(|power| 10_u128.checked_pow(power));
    let amount = match (power >= 0, size) {
        (true, size) => number.checked_mul(size?)?,
        (false, Some(size)) => number.div_ceil(size),
        (false, None) => 1,
    };
    i128::try_from(amount).ok()
}

fn wrong_unit(text: &str, number: &str, suffix: &str) -> String {
    let letter = suffix.chars().next().unwrap_or_default();
    let after: String = suffix.chars().skip(1).collect::<String>().to_ascii_lowercase();
    let bytes = matches!(after.as_str(), "" | "b" | "i" | "ib");
    let write = match letter.to_ascii_lowercase() {
        'k' if bytes => format!("write {number}k or {number}Ki"),
        'm' | 'g' | 't' | 'p' if bytes => {
            let unit = letter.to_ascii_uppercase();
            format!("write {number}{unit} or {number}{unit}i")
        }
        'b' if after.is_empty() => format!("bytes have none, write {number}"),
        'c' if suffix.eq_ignore_ascii_case("cpu") || suffix.eq_ignore_ascii_case("core") || suffix.eq_ignore_ascii_case("cores") => {
            format!("write {number}")
        }
        _ => "the units are m for CPU, Ki Mi Gi Ti or k M G T for memory".to_owned(),
    };
    format!("`{text}` is no quantity: `{suffix}` is no unit, {write}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn reads_every_unit() {
        for (text, nanos) in [
            ("0", 0),
            ("1n", 1),
            ("1u", 1000),
            ("1m", 1_000_000),
            ("1", ONE),
            ("1k", 1000 * ONE),
            ("1M", 1_000_000 * ONE),
            ("1G", 1_000_000_000 * ONE),
            ("1Ki", 1024 * ONE),
            ("1Mi", (1 << 20) * ONE),
            ("1Gi", (1 << 30) * ONE),
            ("1Ei", (1 << 60) * ONE),
            ("1E", 1_000_000_000_000_000_000 * ONE),
            ("1e3", 1000 * ONE),
            ("1E+3", 1000 * ONE),
            ("1e-3", 1_000_000),
            (".5", 500_000_000),
            ("1.", ONE),
            ("1.5Gi", 1536 * (1 << 20) * ONE),
            ("-80Mi", -80 * (1 << 20) * ONE),
            ("+007", 7 * ONE),
            (" 1 ", ONE),
        ] {
            assert_eq!(parse(text).nanos, nanos, "{text}");
        }
    }

    #[test]
    fn rounds_up_and_caps_as_kubernetes_does() {
        assert_eq!(parse("0.1n").nanos, 1);
        assert_eq!(parse("1e-9999").nanos, 1);
        assert_eq!(parse("-0.1n").nanos, -1);
        assert_eq!(parse("12Ei").nanos, LARGEST_BINARY);
        assert_eq!(parse("99999999999999999999999Ki").nanos, LARGEST_BINARY);
        assert_eq!(parse("0.00000000000000000000000000000000000000000000001Ki").nanos, 1);
        assert_eq!(parse("0e99999").nanos, 0);
        assert!(parse("1.123456789012Ei").nanos < LARGEST_BINARY);
    }

    #[test]
    fn refuses_in_plain_words() {
        for (text, words) in [
            ("80MB", "`80MB` is no quantity: `MB` is no unit, write 80M or 80Mi"),
            ("80MiB", "write 80M or 80Mi"),
            ("1gi", "write 1G or 1Gi"),
            ("1K", "write 1k or 1Ki"),
            ("0.5kb", "write 0.5k or 0.5Ki"),
            ("5b", "bytes have none, write 5"),
            ("2 cores", "the units are"),
            ("2cores", "write 2"),
            ("", "empty"),
            ("Mi", "starts with no number"),
            ("-", "starts with no number"),
            ("1e", "`e` is no unit"),
            ("1e1.5", "`e1.5` is no unit"),
            ("0x10", "`x10` is no unit"),
            ("1e30", "more than any machine"),
            ("1e999999999999999999999999", "more than any machine"),
            ("1\u{660}", "is no unit"),
        ] {
            let error = Quantity::parse(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn writes_what_people_write() {
        assert_eq!(Quantity::from_bytes_as_mi(450 << 20).to_string(), "450Mi");
        assert_eq!(Quantity::from_bytes_as_mi((450 << 20) + 1).as_memory(), "451Mi");
        assert_eq!(parse("2048Mi").as_memory(), "2Gi");
        assert_eq!(parse("1").as_cpu(), "1000m");
        assert_eq!(parse("0.0001").as_cpu(), "1m");
        assert_eq!(Quantity::from_millis(1500).to_string(), "1500m");
        assert_eq!((parse("0").to_string(), parse("3n").to_string(), parse("-5").to_string()), ("0".into(), "3n".into(), "-5".into()));
        assert_eq!((parse("-5").bytes(), parse("1e20").millis()), (0, u64::MAX));
    }

    #[test]
    fn what_is_written_reads_back_equal() {
        for seed in 0..20_000_i128 {
            let nanos = seed * seed * seed * 7_919 - 4_000_000_000_000;
            let quantity = Quantity { nanos };
            assert_eq!(parse(&quantity.to_string()), quantity);
        }
    }
}
