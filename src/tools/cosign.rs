//! cosign, which signs images and verifies signatures. Signatures lie in the registry beside the image.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::Call;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files::{self, Folder};
use crate::ui::Ui;

/// The private key, as `cosign generate-key-pair gitlab://PROJECT` names the variable.
pub(crate) const PRIVATE_KEY: &str = "COSIGN_PRIVATE_KEY";
/// Its password.
pub(crate) const PASSWORD: &str = "COSIGN_PASSWORD";
/// The public key.
pub(crate) const PUBLIC_KEY: &str = "COSIGN_PUBLIC_KEY";
/// The token that a job signs with where there is no key (<https://docs.gitlab.com/ci/yaml/signing_examples/>).
pub(crate) const ID_TOKEN: &str = "SIGSTORE_ID_TOKEN";
/// The variables that hold a secret of whoever signs; cosign alone gets them.
pub(crate) const SECRETS: [&str; 3] = [PRIVATE_KEY, PASSWORD, ID_TOKEN];

/// What cosign finds the text of a public key by.
const TEXT: &str = "LAIN_COSIGN_PUBLIC_KEY";

/// How to get it.
const INSTALL: &str = "install cosign: https://docs.sigstore.dev/cosign/system_config/installation/ # apt-get install cosign on Debian 13";
/// The predicate of an SBOM in SPDX, as cosign names it.
const SPDX: &str = "spdxjson";
/// The longest that a look at signatures may take.
const LOOK: Duration = Duration::from_secs(60);
/// The longest that signing may take; a log and a certificate authority may take part.
const SIGN: Duration = Duration::from_secs(180);
/// cosign's own exit codes (its `cmd/cosign/errors/exit_codes.go`): no signature; none that fits; one without a certificate.
const NO_SIGNATURE: i32 = 10;
const NO_MATCH: [i32; 2] = [12, 13];
/// Services to sign by, and those to trust: none, in files of these names.
const SERVICES: &str = "services.json";
const ROOT: &str = "root.json";
const NO_SERVICES: &str = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}"#;
const NO_ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// What a program must be told of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// It speaks plain http.
    pub plain: bool,
    /// Its certificate is not to be checked.
    pub unchecked: bool,
    /// Its CA, where docker keeps one for it.
    pub ca: Option<PathBuf>,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// A key: a file, an address, `env://NAME`.
    Key(OsString),
    /// The job's own identity, by [`ID_TOKEN`].
    Identity,
}

/// Whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    /// That of a key: a file, an address, `env://NAME`.
    Key(OsString),
    /// That of a key whose text is here.
    Pem(String),
    /// That of somebody whom an issuer vouches for.
    Identity {
        /// The flag, and who.
        who: (&'static str, String),
        /// The issuer.
        issuer: String,
    },
}

/// What a look at signatures came to.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// One counts.
    Good,
    /// There is none.
    Unsigned,
    /// None of those that are there counts, in cosign's words.
    Foreign(String),
}

/// What of an image is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// Its signature.
    Signature,
    /// A signed SBOM.
    Sbom,
}

/// cosign, with the logins of one docker folder.
#[derive(Debug)]
pub(crate) struct Cosign<'a> {
    ui: &'a Ui,
    config: Option<&'a Path>,
    /// No transparency log takes part.
    is_private: bool,
    /// The environment has a password for the key.
    has_password: bool,
    /// Files for cosign to read; they go with it.
    folder: Option<Folder>,
    /// It is cosign 3, which asks the public services which ones to use unless a file says so, and will drop the flag of cosign 2.
    reads_services: bool,
}

impl<'a> Cosign<'a> {
    /// cosign with the logins of this docker folder, its own without one. `is_private`: no transparency log takes part.
    pub(crate) fn new(ui: &'a Ui, env: &Env, config: Option<&'a Path>, is_private: bool) -> Self {
        Self { ui, config, is_private, has_password: env.get(PASSWORD).is_some(), folder: None, reads_services: false }
    }

    fn call(&self) -> Call<'a> {
        let call = Call::new(self.ui, "cosign").install_hint(INSTALL);
        match self.config {
            Some(folder) => call.env("DOCKER_CONFIG", folder),
            None => call.needs("DOCKER_AUTH_CONFIG"),
        }
    }

    /// Makes sure that it is there and can sign as this one, before anything is made that is to be signed. Returns who is to be trusted then, where a key
    /// signs.
    ///
    /// # Errors
    /// cosign is missing, or the key cannot be read: it is none, or its password is another.
    pub(crate) fn prepare(&mut self, signer: &Signer) -> Result<Option<Trusted>> {
        let help = self.call().args(["sign", "--help"]).lookup().timeout(LOOK).read()?;
        self.reads_services = help.text().contains("--use-signing-config=true");
        let folder = Folder::temporary("cosign")?;
        let folder = self.folder.insert(folder).path().to_owned();
        for (name, text) in [(SERVICES, NO_SERVICES), (ROOT, NO_ROOT)] {
            files::write_new(&folder.join(name), text.as_bytes())?;
        }
        let Signer::Key(key) = signer else { return Ok(None) };
        let call = self.signing(self.call().arg("public-key")).option("--key", key).lookup().timeout(LOOK);
        let out = call.capture()?;
        if out.ok() {
            return Ok(Some(Trusted::Pem(out.text())));
        }
        Err(explained(call.failure(out.code, &out.stderr), &out.stderr, key))
    }

    /// With what signing needs of the environment. A key without a password is one with an empty one: cosign would ask for it.
    fn signing(&self, call: Call<'a>) -> Call<'a> {
        let call = SECRETS.iter().fold(call, |call, name| call.needs(name));
        if self.has_password { call } else { call.env(PASSWORD, "") }
    }

    fn signed(&self, call: Call<'a>, signer: &Signer, terms: &Terms) -> Call<'a> {
        let call = self.signing(call).arg("--yes").timeout(SIGN);
        let call = match signer {
            Signer::Key(key) => call.option("--key", key),
            Signer::Identity => call,
        };
        let call = match &self.folder {
            Some(folder) if self.is_private && self.reads_services => {
                call.option("--signing-config", folder.path().join(SERVICES)).option("--trusted-root", folder.path().join(ROOT))
            }
            _ if self.is_private => call.arg("--tlog-upload=false"),
            _ => call,
        };
        on_terms(call, terms)
    }

    /// Signs an image, `REPOSITORY@DIGEST`: the signature goes to the registry beside it.
    ///
    /// # Errors
    /// cosign fails: the registry, the log or the authority that takes part is not to be reached, or refuses.
    pub(crate) fn sign(&self, image: &str, signer: &Signer, terms: &Terms) -> Result<()> {
        let call = self.signed(self.call().arg("sign"), signer, terms);
        self.done(&call.operand(image), image)
    }

    /// Signs what a file in SPDX says of an image, and attaches both to it.
    ///
    /// # Errors
    /// As [`Cosign::sign`].
    pub(crate) fn attest(&self, image: &str, sbom: &Path, signer: &Signer, terms: &Terms) -> Result<()> {
        let call = self.call().args(["attest", "--type", SPDX]).option("--predicate", sbom);
        self.done(&self.signed(call, signer, terms).operand(image), image)
    }

    fn done(&self, call: &Call<'_>, image: &str) -> Result<()> {
        let again = format!("lain build --push --if-missing --sign # when it answers; {image} is pushed, and not signed");
        let out = call.capture().map_err(|error| if error.kind() == Kind::Failed { error.or_hint(again.clone()) } else { error })?;
        if out.ok() {
            self.ui.detail(&out.stderr);
            return Ok(());
        }
        let mut error = call.failure(out.code, &out.stderr);
        if !self.is_private && ["sigstore.dev", "rekor", "fulcio"].iter().any(|word| out.stderr.contains(word)) {
            error = error.hint("signature: {tlog: false} # in the cluster values, where no transparency log is to be asked");
        }
        Err(error.hint(again))
    }

    /// Whether an image, `REPOSITORY@DIGEST`, is signed by one who counts.
    ///
    /// # Errors
    /// cosign is missing, or cannot tell: the registry or the log does not answer.
    pub(crate) fn verify(&self, image: &str, sought: Sought, trusted: &Trusted, terms: &Terms) -> Result<Verdict> {
        let call = self.look(image, sought, trusted, terms);
        let out = call.capture()?;
        let said = || out.stderr.lines().rev().find_map(|line| line.strip_prefix("Error: ")).unwrap_or_default().to_owned();
        match out.code {
            0 => Ok(Verdict::Good),
            NO_SIGNATURE => Ok(Verdict::Unsigned),
            code if NO_MATCH.contains(&code) => Ok(Verdict::Foreign(said())),
            // Attestations, and the bundles of cosign 3, have no codes of their own.
            _ => match said().strip_prefix("no matching attestations:").map(str::trim) {
                Some("") => Ok(Verdict::Unsigned),
                Some(why) => Ok(Verdict::Foreign(why.to_owned())),
                None => Err(call.failure(out.code, &out.stderr)),
            },
        }
    }

    fn look(&self, image: &str, sought: Sought, trusted: &Trusted, terms: &Terms) -> Call<'a> {
        let call = match sought {
            Sought::Signature => self.call().arg("verify"),
            Sought::Sbom => self.call().args(["verify-attestation", "--type", SPDX]),
        };
        let call = match trusted {
            Trusted::Key(key) => call.option("--key", key),
            Trusted::Pem(text) => call.option("--key", format!("env://{TEXT}")).env(TEXT, text),
            Trusted::Identity { who: (flag, who), issuer } => call.option(flag, who).option("--certificate-oidc-issuer", issuer),
        };
        let call = if self.is_private { call.arg("--insecure-ignore-tlog=true") } else { call };
        on_terms(call, terms).operand(image).lookup().timeout(LOOK)
    }
}

fn on_terms<'a>(call: Call<'a>, terms: &Terms) -> Call<'a> {
    let call = if terms.plain { call.arg("--allow-http-registry") } else { call };
    let call = if terms.unchecked { call.arg("--allow-insecure-registry") } else { call };
    match &terms.ca {
        Some(ca) => call.option("--registry-cacert", ca),
        None => call,
    }
}

/// Why a key cannot be used, and what to do about it.
fn explained(error: Error, said: &str, key: &OsString) -> Error {
    let shown = key.to_string_lossy();
    if said.contains("decryption failed") || said.contains("ioctl") {
        return Error::failed(format!("the key {shown} does not open with {PASSWORD}"))
            .hint(format!("{PASSWORD}=... # its password; in GitLab CI a masked variable"));
    }
    if said.contains("invalid pem") || said.contains("PEM decoding") {
        return Error::failed(format!("{shown} is no private key"))
            .hint("cosign generate-key-pair # makes cosign.key and cosign.pub")
            .hint(format!("{PRIVATE_KEY}=\"$(cat cosign.key)\" # the file's text; in GitLab CI a variable of type Variable"));
    }
    error.context(format!("nothing can be signed with {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Color, Format, Verbosity};

    #[test]
    fn who_counts_and_how_the_registry_is_are_told() {
        let (ui, env) = (Ui::new(Color::Never, false, false, None, Verbosity::Silent, Format::Text), Env::default());
        let line = |is_private, trusted: &Trusted, terms: &Terms| {
            Cosign::new(&ui, &env, None, is_private).look("r/a@sha256:1", Sought::Signature, trusted, terms).line()
        };
        let key = Trusted::Key("cosign.pub".into());
        assert_eq!(line(false, &key, &Terms::default()), "cosign verify --key cosign.pub r/a@sha256:1");
        let terms = Terms { plain: true, unchecked: true, ca: Some("/ca.crt".into()) };
        assert_eq!(
            line(true, &key, &terms),
            "cosign verify --key cosign.pub --insecure-ignore-tlog=true --allow-http-registry --allow-insecure-registry \
             --registry-cacert /ca.crt r/a@sha256:1"
        );
        let who = Trusted::Identity { who: ("--certificate-identity", "https://g/a//b".into()), issuer: "https://g".into() };
        assert_eq!(
            line(false, &who, &Terms::default()),
            "cosign verify --certificate-identity https://g/a//b --certificate-oidc-issuer https://g r/a@sha256:1"
        );
    }
}
