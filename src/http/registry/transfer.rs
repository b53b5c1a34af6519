//! One body from one server to another as it comes: in no file, and never whole in memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::SendBody;
use ureq::http::{Request, StatusCode};

use crate::http::client::{Line, aside};
use crate::http::failure::{Failure, Trouble};
use crate::http::redirect::{MAX_HOPS, next_hop};

/// Where a body comes from, or goes to.
pub(super) struct End {
    pub line: Line,
    pub url: String,
    pub headers: Vec<(String, String)>,
}

/// GETs one and PUTs it to the other; the status of the PUT. It may take its time but not stand still for longer than `still`.
///
/// # Errors
/// One of the two does not answer, or the first has not what it said.
pub(super) fn pass_on(from: End, to: End, size: u64, still: Duration) -> Result<StatusCode, Failure> {
    let moved = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&moved);
    let (mut seen, mut since) = (0, Instant::now());
    aside(
        move || transfer(from, &to, size, counted),
        || {
            let now = moved.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            (since.elapsed() > still).then(|| Failure::new(Trouble::Timeout, format!("nothing moved for {} s", still.as_secs())))
        },
    )
}

fn transfer(from: End, to: &End, size: u64, moved: Arc<AtomicU64>) -> Result<StatusCode, Failure> {
    let malformed = |_| Failure::new(Trouble::Other, "the address or a header is malformed");
    let body = Counted { inner: open(from)?.take(size), moved };
    let mut request = Request::put(&to.url).header("Content-Type", "application/octet-stream").header("Content-Length", size);
    for (name, value) in &to.headers {
        request = request.header(name, value);
    }
    let request = request.body(SendBody::from_owned_reader(body)).map_err(malformed)?;
    let response = to.line.run(request)?;
    Ok(response.status())
}

/// The body behind an address and its redirects.
fn open(mut from: End) -> Result<impl Read + Send + 'static, Failure> {
    for _ in 0..=MAX_HOPS {
        let mut request = Request::get(&from.url);
        for (name, value) in &from.headers {
            request = request.header(name, value);
        }
        let request = request.body(()).map_err(|_| Failure::new(Trouble::Other, "the address or a header is malformed"))?;
        let response = from.line.run(request)?;
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        match next_hop(&from.url, response.status(), location.as_deref(), &mut from.headers)? {
            Some(next) => from.url = next,
            None if response.status() == StatusCode::OK => return Ok(response.into_body().into_reader()),
            None => return Err(Failure::new(Trouble::Other, format!("a layer that should be there: {}", response.status()))),
        }
    }
    Err(Failure::new(Trouble::Other, "it redirects without end"))
}

struct Counted<R> {
    inner: R,
    moved: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.moved.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
