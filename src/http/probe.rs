//! Whether an address answers.

use std::time::Duration;

use super::client::{Client, Method};
use super::proxy::Proxies;

/// The longest that it may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The status that it answered with.
    Answered(u16),
    /// Why no answer came, in a few words.
    Unreachable(String),
}

impl Reach {
    /// True for what a user would take for a page.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Answered(200..400))
    }

    /// True where no answer came, or one by which the server says that it failed.
    pub(crate) fn is_bad(&self) -> bool {
        !matches!(self, Self::Answered(..500))
    }
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered(status) => write!(f, "{status}"),
            Self::Unreachable(why) => f.write_str(why),
        }
    }
}

/// Asks an address once. Its certificate is not checked: whether it answers is the question.
pub(crate) fn probe(proxies: &Proxies, url: &str) -> Reach {
    match Client::new(proxies, TIMEOUT, true).try_send(Method::Get, url, &[]) {
        Ok(reply) => Reach::Answered(reply.status.as_u16()),
        Err(failure) => Reach::Unreachable(failure.words),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn tells_who_answers_and_why_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody");
            let _ = stream.read(&mut [0; 1024]);
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").expect("a reply");
        });
        let reach = probe(&Proxies::default(), &url);
        server.join().expect("the server ends");
        assert!(reach == Reach::Answered(404) && !reach.is_good() && reach.to_string() == "404");
        assert_eq!(probe(&Proxies::default(), &url), Reach::Unreachable("connection refused".into())); // the port is closed now
        assert!(Reach::Answered(200).is_good() && Reach::Answered(302).is_good());
    }
}
