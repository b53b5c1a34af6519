//! Where helm and kubectl go.

use std::path::PathBuf;

use super::call::Call;
use super::quote::quoted;

/// Which cluster helm and kubectl speak to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// The kubeconfig; none leaves the choice to the tools' own rules.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; none where it does not say which is the current one.
    pub context: Option<String>,
    /// The namespace: the cluster file's, else the context's.
    pub namespace: Option<String>,
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

    /// The same flags as they are typed.
    pub(crate) fn words(&self, context: &str) -> String {
        let kubeconfig = self.kubeconfig.as_ref().map(|path| ("--kubeconfig", path.to_string_lossy().into_owned()));
        let named = [(context, &self.context), ("--namespace", &self.namespace)];
        let flags = kubeconfig.into_iter().chain(named.into_iter().filter_map(|(flag, value)| Some((flag, value.clone()?))));
        flags.map(|(flag, value)| format!("{flag} {}", quoted(&value))).collect::<Vec<_>>().join(" ")
    }
}
