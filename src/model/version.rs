//! Versions of external tools.

use std::fmt;

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
}

impl Version {
    /// The first `N.N[.N]` in a text such as `v3.17.3+g1234` or `v1.31.9-eks-1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let start = text.find(|c: char| c.is_ascii_digit())?;
        let mut parts = text[start..].split('.');
        let mut number = || {
            let part = parts.next()?;
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().ok()
        };
        Some(Self { major: number()?, minor: number()?, patch: number().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tools_print() {
        assert_eq!(Version::parse("v3.17.3+gab12").map(|v| v.to_string()).as_deref(), Some("3.17.3"));
        assert_eq!(Version::parse("v1.20+").map(|v| v.to_string()).as_deref(), Some("1.20.0"));
        assert_eq!(Version::parse("nothing"), None);
    }
}
