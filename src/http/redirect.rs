//! Where a reply sends a reader on to.

use ureq::http::StatusCode;

use super::failure::{Failure, Trouble};
use super::url::{is_same_origin, resolve};

/// Headers that hold a login: registries', GitLab's.
const LOGINS: [&str; 3] = ["authorization", "private-token", "job-token"];
/// Redirects that are followed.
pub(super) const MAX_HOPS: usize = 5;

/// Where a reply sends a reader on to, if anywhere; without the login, once it is another host.
///
/// # Errors
/// It leads from https to http.
pub(super) fn next_hop(
    url: &str,
    status: StatusCode,
    location: Option<&str>,
    headers: &mut Vec<(String, String)>,
) -> Result<Option<String>, Failure> {
    let moved = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(next) = location.filter(|_| moved).and_then(|location| resolve(url, location)) else { return Ok(None) };
    if url.starts_with("https://") && !next.starts_with("https://") {
        return Err(Failure::new(Trouble::Other, "it redirects from https to http, which is not followed"));
    }
    if !is_same_origin(&next, url) {
        headers.retain(|(name, _)| !LOGINS.iter().any(|login| name.eq_ignore_ascii_case(login)));
    }
    Ok(Some(next))
}
