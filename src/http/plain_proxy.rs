//! Plain http by a proxy: the proxy is asked with the whole address (RFC 9112, 3.2.2). Many proxies allow CONNECT, which ureq knows alone, to port 443 and no
//! other.

use ureq::Error;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport};

/// Connects addresses of plain http to their proxy.
#[derive(Debug)]
pub(super) struct PlainProxyConnector;

impl<In: Transport> Connector<In> for PlainProxyConnector {
    type Out = Either<In, WholeAddress>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let Some(proxy) = details.config.proxy().filter(|proxy| is_http(proxy.uri())) else { return Ok(None) };
        let Some(target) = details.uri.authority().filter(|_| details.uri.scheme() == Some(&Scheme::HTTP)) else { return Ok(None) };
        let without = ureq::Agent::config_builder()
            .proxy(None)
            .tls_config(details.config.tls_config().clone())
            .timeout_connect(details.config.timeouts().connect)
            .build();
        let to_proxy = ConnectionDetails {
            uri: proxy.uri(),
            addrs: details.resolver.resolve(proxy.uri(), &without, details.timeout)?,
            config: &without,
            request_level: true,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let inner = (details.run_connector)(&to_proxy)?;
        Ok(Some(Either::B(WholeAddress {
            inner,
            start: format!("http://{}", target.as_str().rsplit('@').next().unwrap_or_default()),
            fresh: true,
        })))
    }
}

fn is_http(proxy: &Uri) -> bool {
    matches!(proxy.scheme_str(), Some("http" | "https"))
}

/// A connection to a proxy, on which `GET /path` becomes `GET http://host/path`.
#[derive(Debug)]
pub(super) struct WholeAddress {
    inner: Box<dyn Transport>,
    /// What stands before the path.
    start: String,
    /// What is sent next begins a request.
    fresh: bool,
}

impl Transport for WholeAddress {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !std::mem::take(&mut self.fresh) {
            return self.inner.transmit_output(amount, timeout);
        }
        let output = self.inner.buffers().output();
        let longer = amount + self.start.len();
        let Some(at) = output[..amount].iter().position(|byte| *byte == b' ').map(|blank| blank + 1).filter(|_| longer <= output.len())
        else {
            return Err(Error::BadUri("no room for the whole address".to_owned()));
        };
        output.copy_within(at..amount, at + self.start.len());
        output[at..at + self.start.len()].copy_from_slice(self.start.as_bytes());
        self.inner.transmit_output(longer, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.fresh = true;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}
