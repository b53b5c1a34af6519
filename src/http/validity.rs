//! From when and until when a certificate holds: <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>. rustls does not tell, and a whole reader of X.509 is
//! more than two dates are worth.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::client::certificates;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
/// Two digits for the year.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The first certificate of a text in PEM holds from then until then; none for what is no certificate.
pub(crate) fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let certificate = certificates(pem).into_iter().next()?;
    let (signed, _) = value(certificate.der(), SEQUENCE)?;
    let (mut fields, _) = value(signed, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = value(fields, VERSION)?;
    }
    for passed in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, fields) = value(fields, passed)?; // its number, how it is signed, who signed it
    }
    let (times, _) = value(fields, SEQUENCE)?;
    let (first, times) = time(times)?;
    let (last, _) = time(times)?;
    Some((first, last))
}

fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let kind = *bytes.first()?;
    let (text, rest) = value(bytes, kind)?;
    let text = std::str::from_utf8(text).ok()?;
    let whole = match kind {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", whole).ok()?;
    Some((TimeZone::UTC.to_timestamp(time).ok()?, rest))
}

/// What stands under this tag at the beginning, and what comes behind it.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // So many bytes hold the length.
        0x80..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (inside, behind) = rest.split_at_checked(length)?;
    (first == tag).then_some((inside, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openssl_made() {
        let pem = "-----BEGIN CERTIFICATE-----\n\
             MIIBATCBqAIBATAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAFhMCAXDTIwMDEwMjAz\n\
             MDQwNVoYDzIwNTUwMTAyMDMwNDA1WjAMMQowCAYDVQQDDAFhMFkwEwYHKoZIzj0C\n\
             AQYIKoZIzj0DAQcDQgAEs7da92/WumZsdTlB6l5DcWEOWKSEJ/CVsAVC0wS8B+DJ\n\
             pMfI2wxRHG9U7a+91PbvTQjIw4jh1Gl/rlO7XP84SDAKBggqhkjOPQQDAgNIADBF\n\
             AiA69BVyg2PCGvJCKgwMDpxAUHZAWgx9ksv2h4I+axSRqAIhAIjf8qaTSnb7pNB0\n\
             JmxxDYUeO9B5Egl/n6DKKLGYLkxs\n-----END CERTIFICATE-----\n";
        let (first, last) = validity(pem.as_bytes()).expect("two dates");
        assert_eq!((first.to_string(), last.to_string()), ("2020-01-02T03:04:05Z".to_owned(), "2055-01-02T03:04:05Z".to_owned()));
        for none in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"] {
            assert_eq!(validity(none.as_bytes()), None, "{none}");
        }
        for cut in [&[][..], &[0x30], &[0x30, 0x85, 1, 1, 1, 1, 1], &[0x30, 0x82, 1], &[0x30, 5, 1]] {
            assert_eq!(value(cut, SEQUENCE), None, "{cut:?}");
        }
    }
}
