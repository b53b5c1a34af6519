//! What a connection to the API server is for [`super::kubectl`]: `http/` has the sockets.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::proxy::Proxy;
use crate::error::Result;
use crate::model::login::Login;

/// What is done with an address of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// It is read: `kubectl get --raw`.
    Get,
    /// Something is made there: `kubectl create --raw`.
    Create,
    /// What is there is replaced: `kubectl replace --raw`.
    Replace,
    /// What is there goes: `kubectl delete --raw`.
    Delete,
}

/// A question, or a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    /// What is done.
    pub method: Method,
    /// The whole path, with its query.
    pub path: &'q str,
    /// JSON that is sent along.
    pub body: Option<&'q str>,
    /// The longest that all of it may take.
    pub within: Duration,
    /// It is asked after Ctrl-C too.
    pub is_last_word: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Said {
    /// The server, or what stands before it, answered.
    Answer {
        /// HTTP's status.
        status: u16,
        /// The body; it may hold Secrets.
        body: Vec<u8>,
        /// Not to be asked again before (`Retry-After`).
        wait: Option<Duration>,
    },
    /// No answer came in time.
    TooLate,
    /// It broke off: a change may have been made.
    BrokeOff,
}

/// Hears the lines of a stream one by one, and none at its end; says whether it is to go on.
pub(crate) type Hear = Box<dyn FnMut(Option<&[u8]>) -> bool + Send>;

/// What leads to the API server.
#[derive(Debug)]
pub(crate) enum Entry {
    /// lain logs in by itself.
    Login(Arc<Login>),
    /// `kubectl proxy`, which has begun to start.
    Proxy(Proxy),
}

/// Opens a way in: by lain's own login where there is one and it may be tried, else by `kubectl proxy`; none where that cannot be.
pub(crate) type Start<'s> = &'s dyn Fn(bool) -> Option<Entry>;

/// One connection for all questions of a run. `kubectl proxy` is started when it is first needed, and again where it was ended.
pub(crate) trait Line: Debug + Sync {
    /// Starts it in the background, where nobody did.
    fn begin(&self, start: Start<'_>);

    /// True once it serves; waits for that. False where kubectl is to be asked by itself.
    fn is_there(&self, start: Start<'_>) -> bool;

    /// Asks; none where there is no connection, and nothing was sent.
    ///
    /// # Errors
    /// Ctrl-C.
    fn ask(&self, question: &Question<'_>, start: Start<'_>) -> Result<Option<Said>>;

    /// Begins to read an address, on a thread of its own: [`Line::begun`] takes the answer. Nothing where there is no connection.
    fn begin_to_ask(&self, path: &str, within: Duration, start: Start<'_>);

    /// The answer to what was begun, once; waits for it. None where nobody began, where it failed, or where the answer is too old by now.
    ///
    /// # Errors
    /// Ctrl-C.
    fn begun(&self, path: &str) -> Result<Option<Said>>;

    /// Reads what comes from an address as long as it comes, on a thread of its own. False where there is no connection.
    fn follow(&self, path: &str, start: Start<'_>, hear: Hear) -> bool;
}
