//! Where helm and kubectl go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::quote::quoted;
use crate::model::login::Login;

/// Which cluster helm and kubectl speak to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// The kubeconfig; none leaves the choice to the tools' own rules.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none where it does not say which is the current one.
    pub context: Option<String>,
    /// The namespace: the cluster file's, else the context's.
    pub namespace: Option<String>,
    /// The path of the API server's address (`/k8s/clusters/c-1`), before which each path of the API stands; none where the kubeconfig does not say.
    pub base: Option<String>,
    /// The login that lain itself can use; none where kubectl is to log in.
    pub login: Option<Arc<Login>>,
    /// kubectl logs in by the service account of the pod that lain runs in. It finds that only as long as no flag says anything of the server or the
    /// request: with `--request-timeout` kubectl 1.20 to 1.37 ask localhost:8080.
    pub is_own_pod: bool,
}

impl Target {
    /// Tells a tool; the flag for the context has another name in each.
    pub(crate) fn flags<'a>(&self, context: &'static str, mut call: Call<'a>) -> Call<'a> {
        if let Some(path) = &self.kubeconfig {
            call = call.option("--kubeconfig", path);
        }
        if let Some(name) = &self.context {
            call = call.option(context, name);
        }
        if let Some(namespace) = &self.namespace {
            call = call.option("--namespace", namespace);
        }
        call
    }

    /// kubectl's own bound for a request, where it may be told.
    pub(crate) fn within<'a>(&self, bound: Duration, call: Call<'a>) -> Call<'a> {
        if self.is_own_pod {
            return call;
        }
        let (seconds, rest) = (bound.as_secs(), bound.subsec_millis());
        let bound = if rest == 0 { format!("{seconds}s") } else { format!("{}ms", bound.as_millis()) };
        call.option("--request-timeout", bound)
    }

    /// The kubeconfig and the context as they are typed.
    pub(crate) fn words(&self, context: &str) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| format!("--kubeconfig {}", quoted(&path.to_string_lossy())));
        let context = self.context.as_ref().map(|name| format!("{context} {}", quoted(name)));
        kubeconfig.into_iter().chain(context).collect::<Vec<_>>().join(" ")
    }

    /// The namespace as it is typed; empty where it is the context's own.
    pub(crate) fn namespace_words(&self) -> String {
        self.namespace.as_ref().map_or_else(String::new, |name| format!("--namespace {}", quoted(name)))
    }
}
