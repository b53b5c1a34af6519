//! What of a kubeconfig does not hold, for who asks before anything needs it.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::aim::{Aim, Entries, Missing, folder_of};
use super::login::{data, text};
use crate::error::{Error, Result};
use crate::ui::printable;
use crate::values::node::Node;
use crate::values::parse::parse_secret;

/// What a cluster and a user name by a file, or hold in base64.
const FILES: [(&str, &str); 4] =
    [("cluster", "certificate-authority"), ("user", "client-certificate"), ("user", "client-key"), ("user", "tokenFile")];

/// A kubeconfig, looked at.
#[derive(Debug)]
pub(crate) struct Look {
    /// Where it points.
    pub aim: Aim,
    /// What it calls that server.
    pub cluster: Option<String>,
    /// What it names, and what is not there.
    pub amiss: Vec<Error>,
    /// The certificate that is shown to the server, in PEM.
    pub certificate: Option<Vec<u8>>,
}

/// Reads a kubeconfig, by this context or by its current one.
///
/// # Errors
/// It cannot be read, is none, or does not hold the context.
pub(crate) fn look(kubeconfig: &Path, context: Option<&str>) -> Result<Look> {
    let held = zeroize::Zeroizing::new(fs::read(kubeconfig).map_err(|error| Error::io("read", kubeconfig, &error))?);
    // What is to be typed is typed at the file itself: `install` would put another in the place of the link.
    let real = fs::canonicalize(kubeconfig).unwrap_or_else(|_| kubeconfig.to_path_buf());
    let (path, folder) = (real.display(), folder_of(kubeconfig));
    let shown = shell_words::quote(&real.to_string_lossy()).into_owned();
    let anew = format!("install -m 600 YOUR_KUBECONFIG {shown} # ask your administrator for it");
    let no_text = |_| Error::failed(format!("{path} is no text")).hint(&*anew);
    let held = std::str::from_utf8(&held).map_err(no_text)?;
    if held.trim().is_empty() {
        return Err(Error::failed(format!("{path} is empty")).hint(anew));
    }
    let root = parse_secret(&real, held).map_err(|error| error.hint(format!("kubectl config view --kubeconfig {shown} # is it whole?")))?;
    let entries = Entries::of(&root, context).map_err(|missing| {
        let contexts = format!("kubectl config get-contexts --kubeconfig {shown}");
        let choose = format!("kubectl config use-context NAME --kubeconfig {shown} # or `kube_context: NAME` in the cluster values");
        match missing {
            Missing::Contexts => Error::failed(format!("{path} is no kubeconfig, or not all of one: it has no `contexts`")).hint(anew),
            Missing::Current => Error::failed(format!("{path} names no context as its current one")).hint(contexts).hint(choose),
            Missing::Context(name) => Error::failed(format!("context `{}` is not in {path}", printable(&name))).hint(contexts).hint(choose),
        }
    })?;
    let view = format!("kubectl config view --kubeconfig {shown} # its `contexts`, `clusters` and `users` belong together");
    let mut amiss = vec![];
    let aim = entries.aim(folder);
    if aim.server.is_none() {
        amiss.push(Error::failed(format!("context {} of {path} leads to no server", printable(&aim.context))).hint(&*view));
    }
    if let Some(name) = entries.name_of("user").filter(|_| entries.user.is_none()) {
        amiss.push(
            Error::failed(format!("{path} does not hold user `{}`, whom context {} names", printable(name), printable(&aim.context)))
                .hint(&*view),
        );
    }
    for (whose, key) in FILES {
        let entry = if whose == "cluster" { entries.cluster } else { entries.user };
        amiss.extend(entry.and_then(|entry| fault(entry, key, folder)).map(|error| error.or_hint(&*view)));
    }
    let program = entries.user.and_then(|user| text(user.get("exec")?, "command"));
    amiss.extend(program.filter(|program| !is_there(program, folder)).map(|program| {
        Error::failed(format!("the login program `{}` that {path} names is not there", printable(program)))
            .hint(format!("kubectl config view --kubeconfig {shown} # see its users: exec: command:, and install that"))
    }));
    let certificate = data(entries.user, "client-certificate", folder).flatten();
    Ok(Look { aim, cluster: entries.name_of("cluster").map(str::to_owned), amiss, certificate })
}

/// Why what stands under `KEY-data`, else in the file under `KEY`, is not to be had.
fn fault(entry: &Node, key: &str, folder: &Path) -> Option<Error> {
    if let Some(data) = text(entry, &format!("{key}-data")) {
        return STANDARD
            .decode(data)
            .err()
            .map(|_| Error::failed(format!("`{key}-data` of the kubeconfig is no base64: is the file whole?")));
    }
    let path = folder.join(text(entry, key)?);
    let error = fs::read(&path).err()?;
    Some(Error::io("read", &path, &error).context(format!("`{key}` of the kubeconfig is not to be had")))
}

/// kubectl's rule: a path counts from the kubeconfig on, a name is looked for on PATH.
fn is_there(program: &str, folder: &Path) -> bool {
    if program.contains('/') { folder.join(program).is_file() } else { which::which(program).is_ok() }
}
