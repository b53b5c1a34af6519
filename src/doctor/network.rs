//! The way to others: proxies, CAs, the clock, the webhook.

use std::path::Path;

use super::{ANSWER, Finding, app_here, cluster_here, registry};
use crate::error::{Error, Location};
use crate::http::client::count_of_system_cas;
use crate::http::clock;
use crate::http::probe::{Reach, probe};
use crate::http::proxy::Proxies;
use crate::http::url::host_of;
use crate::model::duration;
use crate::release::announce;
use crate::session::Session;

/// Seconds that a clock may be wrong before something is amiss, and before logins and certificates fail.
const AMISS: i64 = 30;
const WRONG: i64 = 5 * 60;

/// Those that are asked over the network: what they are called, an address, and the proxies that whoever asks them goes by.
fn others(session: &Session) -> Vec<(&'static str, String, Proxies)> {
    let mut found = Vec::new();
    if let Ok((registry, _)) = registry::at(session) {
        found.push(("the registry", registry.address(), session.proxies()));
    }
    if cluster_here(session).is_ok()
        && let Ok(Some(aim)) = session.aim()
        && let Some(server) = aim.server.filter(|_| !aim.has_proxy)
    {
        found.push(("the API server", format!("{}/version", server.trim_end_matches('/')), session.proxies_to_cluster()));
    }
    found
}

/// Where an address is asked by a proxy, that leads there.
pub(super) fn proxies(session: &Session) -> Vec<Finding> {
    let mut found = Vec::new();
    for (who, url, proxies) in others(session) {
        let Some(proxy) = proxies.on_the_way_to(&url) else { continue };
        let host = host_of(&url);
        let why = match probe(&proxies, &url) {
            Reach::Answered(status @ 502..=504) => format!("it answers {status}"),
            Reach::Unreachable(why) => why.strip_prefix(&format!("{proxy}: ")).unwrap_or(&why).to_owned(),
            Reach::Answered(_) => {
                found.push(Finding::good(format!("{who} by {proxy}")));
                continue;
            }
        };
        let wants_login = why.contains("407");
        let error = Error::failed(why).context(format!("{who} is asked by {proxy}, which does not lead to {host}"));
        let error = if wants_login {
            error.hint("export HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT # or HTTP_PROXY: the proxy wants a login")
        } else {
            error
        };
        found.push(Finding::bad(&error.hint(format!("export NO_PROXY=\"$NO_PROXY,{host}\" # where it is reached without a proxy"))));
    }
    if found.is_empty() { vec![Finding::good("none in the way")] } else { found }
}

/// The system's CAs, and those that the environment names.
pub(super) fn certificates(session: &Session) -> Vec<Finding> {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some((name, session.env.get(name)?)));
    let idle = named.filter(|(name, value)| match *name {
        "SSL_CERT_FILE" => !Path::new(value).is_file(),
        _ => !std::env::split_paths(value).any(|folder| folder.is_dir()),
    });
    let idle = idle.map(|(name, value)| {
        Finding::warning(
            &Error::failed(format!("{name} is {value}, and nothing is there")).hint(format!("unset {name} # or export it anew")),
        )
    });
    let mut found: Vec<Finding> = idle.collect();
    found.extend(match count_of_system_cas() {
        0 => {
            let error = Error::failed("no CA is known here, so that no certificate of an https address holds");
            vec![Finding::warning(&error.hint("apt-get install ca-certificates # or export SSL_CERT_FILE=/path/to/ca.crt"))]
        }
        _ if !found.is_empty() => vec![],
        count => vec![Finding::good(format!("{count} CAs"))],
    });
    found
}

/// This machine's clock beside those of others.
pub(super) fn clock(session: &Session) -> Vec<Finding> {
    let others = others(session);
    let asked: Vec<(&str, String, Option<i64>)> = std::thread::scope(|scope| {
        let asked: Vec<_> = others
            .iter()
            .map(|(who, url, proxies)| (*who, host_of(url), scope.spawn(|| clock::seconds_ahead(proxies, url, ANSWER))))
            .collect();
        asked.into_iter().map(|(who, host, answer)| (who, host, answer.join().ok().flatten())).collect()
    });
    let told: Vec<(&str, String, i64)> = asked.into_iter().filter_map(|(who, host, ahead)| Some((who, host, ahead?))).collect();
    if told.is_empty() {
        return vec![Finding::unseen("nobody says what time it is")];
    }
    let mut found = Vec::new();
    for (who, host, ahead) in told.iter().filter(|(_, _, ahead)| ahead.abs() >= AMISS) {
        let side = if *ahead > 0 { "behind" } else { "ahead of" };
        let error = Error::failed(format!("the clock here is {} {side} that of {who} ({host})", duration::age(ahead.abs())));
        let error = error.hint("date -u # whichever is wrong: timedatectl set-ntp true sets it; a container has its machine's clock");
        found.push(if ahead.abs() >= WRONG { Finding::bad(&error) } else { Finding::warning(&error) });
    }
    if found.is_empty() { vec![Finding::good("")] } else { found }
}

/// The webhook is one, and its host answers. A deploy goes well without.
pub(super) fn webhook(session: &Session) -> Vec<Finding> {
    let app = match app_here(session) {
        Ok(app) => app,
        Err(unseen) => return vec![unseen],
    };
    let reached = announce::webhook(session, app, session.cluster_name().as_deref())
        .and_then(|webhook| webhook.map(|webhook| webhook.reach(&session.proxies(), ANSWER)).transpose());
    vec![match reached {
        Ok(Some(())) => Finding::good("nothing was sent"),
        Ok(None) if session.cluster_name().is_none() => Finding::unseen("the app names none"),
        Ok(None) => Finding::unseen("the app names none for this cluster"),
        Err(error) => Finding::warning(&match written(session) {
            Some(at) if error.location().is_none() => error.at(at),
            _ => error,
        }),
    }]
}

/// Where the address of the webhook stands in the values; none where the environment gives it.
fn written(session: &Session) -> Option<Location> {
    let url = session.layers().ok()?.canonical().get("webhook")?.get("url")?;
    url.as_str().filter(|url| !url.starts_with("${")).map(|_| url.span.location())
}
