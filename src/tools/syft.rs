//! syft, which lists what an image is made of.

use std::path::Path;
use std::time::Duration;

use super::call::Call;
use super::cosign::Terms;
use crate::error::Result;
use crate::ui::Ui;

/// How to get it.
pub(crate) const INSTALL: &str = "install syft: https://github.com/anchore/syft#installation";

/// syft, with the logins of one docker folder.
#[derive(Debug)]
pub(crate) struct Syft<'a> {
    ui: &'a Ui,
    config: Option<&'a Path>,
    patience: Duration,
}

impl<'a> Syft<'a> {
    /// syft with the logins of this docker folder, its own without one. It may stand still for as long as this.
    pub(crate) fn new(ui: &'a Ui, config: Option<&'a Path>, patience: Duration) -> Self {
        Self { ui, config, patience }
    }

    fn call(&self) -> Call<'a> {
        let call = Call::new(self.ui, "syft").install_hint(INSTALL).env("SYFT_CHECK_FOR_APP_UPDATE", "false");
        match self.config {
            Some(folder) => call.env("DOCKER_CONFIG", folder),
            None => call.needs("DOCKER_AUTH_CONFIG"),
        }
    }

    /// Makes sure that it is there.
    ///
    /// # Errors
    /// It is missing or does not start.
    pub(crate) fn check(&self) -> Result<()> {
        self.call().args(["version", "--output", "json"]).lookup().timeout(Duration::from_secs(60)).read().map(|_| ())
    }

    /// The SBOM of an image, `REPOSITORY@DIGEST`, as the registry has it: SPDX in JSON.
    ///
    /// # Errors
    /// syft is missing, or the registry does not give it the image.
    pub(crate) fn scan(&self, image: &str, terms: &Terms) -> Result<String> {
        let hint = "LAIN_REGISTRY_TIMEOUT=30m gives a slow registry more time".to_owned();
        let call = self.call().args(["scan", "--output", "spdx-json", "--quiet"]).operand(format!("registry:{image}"));
        let call = if terms.plain { call.env("SYFT_REGISTRY_INSECURE_USE_HTTP", "true") } else { call };
        let call = if terms.unchecked { call.env("SYFT_REGISTRY_INSECURE_SKIP_TLS_VERIFY", "true") } else { call };
        let call = match &terms.ca {
            Some(ca) => call.env("SYFT_REGISTRY_CA_CERT", ca),
            None => call,
        };
        Ok(call.standstill(self.patience, hint).read()?.text())
    }
}
