//! An API server and a login to it that stand in a kubeconfig as they are: no program logs in, nobody is asked.

use std::fmt;

use zeroize::Zeroizing;

/// How an API server is reached, believed and spoken to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// `https://HOST:PORT`, without a path.
    pub address: String,
    /// The only CAs that count, in PEM; the system's where there are none.
    pub authority: Option<Vec<u8>>,
    /// Sent with each question.
    pub token: Option<Zeroizing<String>>,
    /// A certificate and its key, in PEM, shown where the server asks for one.
    pub identity: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Login({})", self.address)
    }
}
