//! What the API server refuses in the objects that helm rendered, by its validation (`pkg/apis/*/validation`): what types and schemas do not say.
//!
//! The figures are those of every supported version, or of the one that the cluster is known to have.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value as Json;

use super::api_versions::Rendered;
use super::place::place;
use super::{Problem, Severity};
use crate::model::manifest::Object;
use crate::model::version::Version;
use crate::resolved::layers::Layers;

/// A label's value, a DNS label.
const LABEL: usize = 63;
/// A DNS subdomain: most names.
const NAME: usize = 253;
/// A cronjob's name: its jobs' names are eleven characters longer (`ValidateCronJobName`).
const CRONJOB: usize = 52;
/// The name of a `StatefulSet`: the label `controller-revision-hash` of its pods is up to eleven characters longer.
const STATEFUL_SET: usize = 52;
/// A port's name.
const PORT_NAME: usize = 15;
/// From these minor versions on, names of variables are anything printable (`RelaxedEnvironmentVariableValidation`), and names of Services may start with
/// a digit (`RelaxedServiceNameValidation`). Where the version is not known, what only older ones refuse is a warning.
const RELAXED_ENV: u32 = 32;
const RELAXED_SERVICE: u32 = 34;
const PROBES: [&str; 3] = ["readinessProbe", "livenessProbe", "startupProbe"];
const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

/// L070: what the server would refuse. `read` gives a template's text, to find a place in it.
pub(crate) fn check(
    rendered: &[Rendered],
    layers: &Layers,
    server: Option<Version>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Problem> {
    let root = layers.canonical();
    let mut problems = vec![];
    for one in rendered {
        for fault in faults(&one.object, server) {
            let message = format!("Kubernetes refuses {} {}: {}", one.kind, one.object.name(), fault.why);
            let at = place(root, one, &fault.keys, &read);
            let severity = if fault.is_sure { Severity::Error } else { Severity::Warning };
            problems.push(Problem { id: "L070", severity, message, hint: fault.hint, at });
        }
    }
    problems
}

/// One thing that is refused.
#[derive(Debug)]
struct Fault {
    /// Keys and texts that lead to it in the values, the outermost first.
    keys: Vec<String>,
    why: String,
    hint: String,
    /// Every version refuses it, or the one that the cluster is known to have.
    is_sure: bool,
}

/// Gathers what is wrong with one object.
struct Judge {
    faults: Vec<Fault>,
    /// The cluster's minor version.
    minor: Option<u32>,
}

fn faults(object: &Object, server: Option<Version>) -> Vec<Fault> {
    let mut judge = Judge { faults: vec![], minor: server.map(|server| server.minor) };
    let spec = object.spec();
    match object.kind() {
        "Deployment" => {
            judge.counts(spec, &["replicas", "minReadySeconds", "revisionHistoryLimit"]);
            judge.strategy(&spec["strategy"], "strategy", &["RollingUpdate", "Recreate"]);
            judge.template(&spec["template"]);
        }
        "StatefulSet" => {
            judge.counts(spec, &["replicas", "minReadySeconds", "revisionHistoryLimit"]);
            judge.strategy(&spec["updateStrategy"], "updateStrategy", &["RollingUpdate", "OnDelete"]);
            judge.template(&spec["template"]);
        }
        "CronJob" => {
            judge.counts(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit", "startingDeadlineSeconds"]);
            judge.job(&spec["jobTemplate"]["spec"]);
        }
        "Job" => judge.job(spec),
        "Pod" => judge.pod(spec),
        "Ingress" => judge.ingress(spec),
        "HorizontalPodAutoscaler" => judge.autoscaler(spec),
        _ => {}
    }
    // The chart makes an ingress's name of its host: one slip is told once.
    judge.metadata(object, object.kind() != "Ingress" || judge.faults.is_empty());
    judge.faults
}

impl Judge {
    fn find(&mut self, keys: &[&str], why: impl Into<String>, hint: impl Into<String>) {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.faults.push(Fault { keys, why: why.into(), hint: hint.into(), is_sure: true });
    }

    /// The last one is no longer refused from this minor version on.
    fn until(&mut self, minor: u32) {
        if self.minor.is_some_and(|known| known >= minor) {
            self.faults.pop();
        } else if let Some(last) = self.faults.last_mut() {
            last.is_sure = self.minor.is_some();
        }
    }

    fn metadata(&mut self, object: &Object, with_name: bool) {
        let (name, kind) = (object.name(), object.kind());
        let most = match kind {
            "CronJob" => CRONJOB,
            "StatefulSet" => STATEFUL_SET,
            "Service" | "Job" | "Namespace" => LABEL,
            "Deployment"
            | "Pod"
            | "Ingress"
            | "HorizontalPodAutoscaler"
            | "PersistentVolumeClaim"
            | "NetworkPolicy"
            | "ConfigMap"
            | "Secret" => NAME,
            _ => return, // some kinds have rules of their own
        };
        if with_name && name.len() > most {
            let why = format!("its name has {} characters, {most} are the most", name.len());
            self.find(&[], why, format!("a name that is {} shorter, or a shorter appname", name.len() - most));
        } else if with_name && !name.is_empty() && !is_subdomain(name) {
            self.find(&[], "its name has other signs than lower case letters, digits, `-` and `.`", "letters and digits at its ends");
        } else if with_name && kind == "Service" && (name.starts_with(|c: char| c.is_ascii_digit())) {
            self.find(&[], "the name of a Service starts with a letter", "releaseName: app-NAME");
            self.until(RELAXED_SERVICE);
        }
        self.labels(&object.metadata()["labels"], "labels");
        self.annotations(&object.metadata()["annotations"]);
        for selector in ["/selector/matchLabels", "/podSelector/matchLabels"] {
            self.labels(object.spec().pointer(selector).unwrap_or(&Json::Null), "labels");
        }
    }

    fn labels(&mut self, labels: &Json, key: &str) {
        for (name, value) in labels.as_object().into_iter().flatten() {
            if !is_qualified(name) {
                self.find(
                    &[key, name],
                    format!("`{name}` is no name of a label"),
                    "[PREFIX/]NAME: letters, digits, `-`, `_` and `.`, 63 at most",
                );
            }
            if let Some(text) = value.as_str().filter(|text| !text.is_empty() && !is_word(text)) {
                let why = format!("`{}` cannot be the value of the label {name}", shown(text));
                self.find(&[key, name], why, "letters, digits, `-`, `_` and `.`, 63 at most, letters and digits at the ends");
            }
        }
    }

    fn annotations(&mut self, annotations: &Json) {
        for name in annotations.as_object().into_iter().flatten().map(|(name, _)| name) {
            if !is_qualified(&name.to_lowercase()) {
                self.find(
                    &["annotations", name],
                    format!("`{name}` is no name of an annotation"),
                    "[PREFIX/]NAME: letters, digits, `-`, `_` and `.`",
                );
            }
        }
    }

    fn counts(&mut self, spec: &Json, keys: &[&str]) {
        for key in keys {
            if let Some(number) = spec[*key].as_i64().filter(|number| *number < 0) {
                self.find(&[key], format!("{key} is {number}, less than nothing"), format!("{key}: 0"));
            }
        }
    }

    fn strategy(&mut self, strategy: &Json, key: &str, types: &[&str]) {
        let kind = strategy["type"].as_str();
        if let Some(kind) = kind.filter(|kind| !types.contains(kind)) {
            return self.find(&[key, "type"], format!("`{kind}` is no type of {key}"), format!("type: {} # or {}", types[0], types[1]));
        }
        let rolling = &strategy["rollingUpdate"];
        if !rolling.is_null() && kind.is_some_and(|kind| kind != "RollingUpdate") {
            return self.find(
                &[key, "rollingUpdate"],
                format!("rollingUpdate is for the type RollingUpdate alone, this is {}", kind.unwrap_or_default()),
                "type: RollingUpdate",
            );
        }
        let mut zeros = 0;
        for part in ["maxSurge", "maxUnavailable"].into_iter().filter(|part| !rolling[*part].is_null()) {
            let wrong = match amount(&rolling[part]) {
                None => "neither a number nor a percentage",
                Some(number) if number < 0 => "less than nothing",
                Some(number) => {
                    zeros += u32::from(number == 0);
                    continue;
                }
            };
            self.find(&[key, "rollingUpdate", part], format!("{part} is {wrong}"), format!("{part}: 1 # or 25%"));
        }
        let unavailable = &rolling["maxUnavailable"];
        if unavailable.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u32>().ok()).is_some_and(|percent| percent > 100) {
            self.find(&[key, "rollingUpdate", "maxUnavailable"], "maxUnavailable is more than 100%", "maxUnavailable: 100%");
        }
        if zeros == 2 {
            self.find(&[key, "rollingUpdate"], "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced", "maxSurge: 1");
        }
    }

    fn job(&mut self, spec: &Json) {
        self.counts(spec, &["backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "completions", "parallelism"]);
        self.template(&spec["template"]);
    }

    fn template(&mut self, template: &Json) {
        self.labels(&template["metadata"]["labels"], "labels");
        self.annotations(&template["metadata"]["annotations"]);
        self.pod(&template["spec"]);
    }

    fn pod(&mut self, spec: &Json) {
        if let Some(name) = spec["serviceAccountName"].as_str().filter(|name| !name.is_empty() && !is_subdomain(name)) {
            self.find(
                &["serviceAccountName"],
                format!("`{}` cannot be the name of a service account", shown(name)),
                "serviceAccountName: default",
            );
        }
        self.labels(&spec["nodeSelector"], "nodeSelector");
        let mut volumes = HashSet::new();
        for volume in list(&spec["volumes"]) {
            let name = volume["name"].as_str().unwrap_or_default();
            if !is_label(name) {
                self.find(
                    &["volumeMounts", name],
                    format!("`{}` cannot be the name of a volume", shown(name)),
                    "lower case letters, digits and `-`, 63 at most",
                );
            }
            if !volumes.insert(name) {
                self.find(&["volumeMounts", name], format!("two volumes are called `{name}`"), "a name of its own for each");
            }
        }
        for alias in list(&spec["hostAliases"]) {
            let ip = alias["ip"].as_str().unwrap_or_default();
            if ip.parse::<IpAddr>().is_err() {
                self.find(&["hostAliases", ip], format!("hostAliases: `{}` is no IP address", shown(ip)), "ip: 10.0.0.1");
            }
            for host in list(&alias["hostnames"]).filter_map(Json::as_str).filter(|host| !is_subdomain(host)) {
                self.find(
                    &["hostAliases", host],
                    format!("hostAliases: `{}` is no host name", shown(host)),
                    "lower case letters, digits, `-` and `.`",
                );
            }
        }
        let mut names: HashSet<&str> = HashSet::new();
        let inits = list(&spec["initContainers"]).map(|container| (container, true));
        for (container, is_init) in list(&spec["containers"]).map(|container| (container, false)).chain(inits) {
            let name = container["name"].as_str().unwrap_or_default();
            let keys: &[&str] = if is_init { &["initContainers", name] } else { &[] };
            if !is_label(name) {
                self.find(
                    keys,
                    format!("`{}` cannot be the name of a container", shown(name)),
                    "lower case letters, digits and `-`, 63 at most",
                );
            } else if !names.insert(name) {
                self.find(keys, format!("two containers of one pod are called `{name}`"), format!("name: {name}-init"));
            }
            self.container(container, keys, &volumes);
        }
    }

    fn container(&mut self, container: &Json, above: &[&str], volumes: &HashSet<&str>) {
        for name in list(&container["env"]).filter_map(|one| one["name"].as_str()).filter(|name| !is_variable(name)) {
            let keys: Vec<&str> = above.iter().copied().chain(["env", name]).collect();
            self.find(
                &keys,
                format!("`{}` cannot be the name of a variable", shown(name)),
                "letters, digits, `_`, `-` and `.`, no digit first",
            );
            if name.chars().all(|c| matches!(c, ' '..='~') && c != '=') && !name.is_empty() {
                self.until(RELAXED_ENV);
            }
        }
        let below = |keys: &[&'static str]| -> Vec<String> { above.iter().chain(keys).map(|key| (*key).to_owned()).collect() };
        let mut found = |keys: Vec<String>, why: String, hint: String| self.faults.push(Fault { keys, why, hint, is_sure: true });
        let mut paths = HashSet::new();
        for mount in list(&container["volumeMounts"]) {
            let (name, path) = (mount["name"].as_str().unwrap_or_default(), mount["mountPath"].as_str().unwrap_or_default());
            let mut keys = below(&["volumeMounts"]);
            keys.push(if path.is_empty() { name } else { path }.to_owned());
            if !volumes.contains(name) {
                let hint = format!("volumes: [{{name: {name}, emptyDir: {{}}}}] # or the name of a volume that is there");
                found(keys.clone(), format!("it mounts a volume `{}` that the pod has not", shown(name)), hint);
            }
            if path.is_empty() {
                found(keys.clone(), "a mount has no mountPath".to_owned(), "mountPath: /lain/app/FILE".to_owned());
            } else if !paths.insert(path) {
                found(keys.clone(), format!("two mounts have the mountPath {path}"), "another mountPath for one of them".to_owned());
            }
            if let Some(sub) = mount["subPath"].as_str().filter(|sub| sub.starts_with('/') || sub.split('/').any(|part| part == "..")) {
                found(
                    keys,
                    format!("the subPath `{}` leads out of the volume", shown(sub)),
                    format!("subPath: {}", sub.replace("..", "").trim_matches('/')),
                );
            }
        }
        let mut ports = HashSet::new();
        for port in list(&container["ports"]) {
            if let Some(name) = port["name"].as_str() {
                if !is_port_name(name) {
                    found(
                        below(&["ports"]),
                        format!("`{}` cannot be the name of a port", shown(name)),
                        format!("{PORT_NAME} lower case letters, digits and `-` at most"),
                    );
                } else if !ports.insert(name) {
                    found(below(&["ports"]), format!("two ports are called `{name}`"), "a name of its own for each".to_owned());
                }
            }
        }
        for key in PROBES {
            for (why, hint) in probe_faults(&container[key], key) {
                found(below(&[key]), why, hint);
            }
        }
        for key in ["postStart", "preStop"] {
            for (why, hint) in handler_faults(&container["lifecycle"][key], key, &HOOK_HANDLERS) {
                found(below(&["lifecycle", key]), why, hint);
            }
        }
    }

    fn ingress(&mut self, spec: &Json) {
        let hosts = list(&spec["rules"]).map(|rule| &rule["host"]).chain(list(&spec["tls"]).flat_map(|tls| list(&tls["hosts"])));
        let mut seen = HashSet::new();
        for host in hosts.filter_map(Json::as_str).filter(|host| !host.is_empty() && seen.insert(*host)) {
            let Some(why) = no_host(host) else { continue };
            self.find(&["host", host], format!("`{}` is no host: it {why}", shown(host)), format!("host: {}", mended_host(host)));
        }
        for rule in list(&spec["rules"]) {
            let host = rule["host"].as_str().unwrap_or_default();
            for one in list(&rule["http"]["paths"]) {
                let path = one["path"].as_str().unwrap_or_default();
                let literal = matches!(one["pathType"].as_str(), Some("Exact" | "Prefix"));
                let odd = ["//", "/./", "/../", "%2f", "%2F"].iter().any(|part| path.contains(part))
                    || path.ends_with("/..")
                    || path.ends_with("/.");
                if (literal || !path.is_empty()) && !path.starts_with('/') {
                    self.find(
                        &["paths", host, path],
                        format!("the path `{}` does not start with `/`", shown(path)),
                        format!("- /{}", path.trim_start_matches('/')),
                    );
                } else if literal && odd {
                    self.find(
                        &["paths", host, path],
                        format!("the path `{}` has `//`, `.`, `..` or an escaped slash in it", shown(path)),
                        "- / # or a path without them",
                    );
                }
            }
        }
        if let Some(class) = spec["ingressClassName"].as_str().filter(|class| !is_subdomain(class)) {
            self.find(&["ingressClass"], format!("`{}` cannot be the name of an ingress class", shown(class)), "ingressClass: nginx");
        }
    }

    fn autoscaler(&mut self, spec: &Json) {
        // Some clusters let an autoscaler go down to nothing by what is measured elsewhere.
        let elsewhere = list(&spec["metrics"]).any(|metric| matches!(metric["type"].as_str(), Some("Object" | "External")));
        for (key, least) in [("minReplicas", i64::from(!elsewhere)), ("maxReplicas", 1)] {
            if let Some(number) = spec[key].as_i64().filter(|number| *number < least) {
                self.find(&["hpa", key], format!("{key} is {number}, it has to be {least} at least"), format!("{key}: 1"));
            }
        }
    }
}

fn probe_faults(probe: &Json, key: &str) -> Vec<(String, String)> {
    let mut found = handler_faults(probe, key, &PROBE_HANDLERS);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(number) = probe[field].as_i64().filter(|number| *number < 0) {
            found.push((format!("{key}.{field} is {number}, less than nothing"), format!("{field}: 1")));
        }
    }
    if let Some(number) = probe["successThreshold"].as_i64().filter(|number| *number > 1 && key != "readinessProbe") {
        found.push((
            format!("{key}.successThreshold is {number}, and only readiness probes may ask for more than 1"),
            "successThreshold: 1".to_owned(),
        ));
    }
    found
}

fn handler_faults(probe: &Json, key: &str, handlers: &[&str]) -> Vec<(String, String)> {
    let Some(map) = probe.as_object() else { return vec![] };
    let given: Vec<&str> = handlers.iter().filter(|handler| map.get(**handler).is_some_and(|value| !value.is_null())).copied().collect();
    let mut found = vec![];
    match given[..] {
        [] => found
            .push((format!("{key} says nothing to do"), format!("{key}: {{httpGet: {{path: /, port: 8000}}}} # or exec, or tcpSocket"))),
        [_] => {}
        _ => found.push((
            format!("{key} has {} at once, and one alone is taken", given.join(" and ")),
            format!("one of {} alone", given.join(", ")),
        )),
    }
    if map.get("exec").is_some_and(|exec| exec["command"].as_array().is_none_or(Vec::is_empty) && !exec.is_null()) {
        found.push((format!("{key}.exec has no command"), "exec: {command: [\"true\"]}".to_owned()));
    }
    for handler in ["httpGet", "tcpSocket"] {
        let Some(action) = map.get(handler).filter(|action| !action.is_null()) else { continue };
        let port = &action["port"];
        let good = port.as_i64().map_or_else(|| port.as_str().is_some_and(is_port_name), |number| (1..=65535).contains(&number));
        if !good {
            found.push((format!("{key}.{handler} has no port that there can be"), "port: 8000".to_owned()));
        }
        if let Some(scheme) = action["scheme"].as_str().filter(|scheme| !matches!(*scheme, "HTTP" | "HTTPS")) {
            found.push((format!("{key}.{handler} has the scheme `{}`", shown(scheme)), "scheme: HTTP # or HTTPS".to_owned()));
        }
    }
    found
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

/// A count or a percentage; none for what is neither.
fn amount(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.strip_suffix('%')?.parse::<u32>().ok().map(i64::from),
        _ => None,
    }
}

/// Why it is no host of an ingress, in a few words that follow "it".
fn no_host(host: &str) -> Option<&'static str> {
    if host.contains("://") {
        return Some("has a scheme");
    }
    if host.contains('/') {
        return Some("has a path");
    }
    if host.parse::<IpAddr>().is_ok() {
        return Some("is an address");
    }
    if host.contains(':') {
        return Some("has a port");
    }
    let bare = host.strip_prefix("*.").unwrap_or(host);
    if host.ends_with('.') {
        return Some("ends with a dot");
    }
    if bare.chars().any(|c| c.is_ascii_uppercase()) {
        return Some("has capitals");
    }
    (!is_subdomain(bare)).then_some("has other signs than lower case letters, digits, `-` and `.`, or is too long")
}

/// What was meant, as far as that can be told.
fn mended_host(host: &str) -> String {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    let rest = rest.split(['/', ':']).next().unwrap_or_default().trim_end_matches('.').to_lowercase().replace('_', "-");
    if is_subdomain(rest.strip_prefix("*.").unwrap_or(&rest)) && rest.parse::<IpAddr>().is_err() {
        rest
    } else {
        "shop.example.com".to_owned()
    }
}

/// A text as part of a message.
fn shown(text: &str) -> String {
    if text.chars().count() > 80 { text.chars().take(80).chain(['…']).collect() } else { text.to_owned() }
}

/// RFC 1123: a label.
fn is_label(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LABEL).contains(&text.len()) && text.chars().all(legal) && !text.starts_with('-') && !text.ends_with('-')
}

/// RFC 1123: labels with dots between them, which may be longer than 63 each here.
fn is_subdomain(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let part = |part: &str| !part.is_empty() && part.chars().all(legal) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= NAME && text.split('.').all(part)
}

/// A label's value, the second half of a qualified name.
fn is_word(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends = |c: char| c.is_ascii_alphanumeric();
    (1..=LABEL).contains(&text.len()) && text.chars().all(legal) && text.starts_with(ends) && text.ends_with(ends)
}

/// `[PREFIX/]NAME`.
fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_word(name),
        None => is_word(text),
    }
}

fn is_port_name(text: &str) -> bool {
    is_label(text) && text.len() <= PORT_NAME && text.contains(|c: char| c.is_ascii_lowercase()) && !text.contains("--")
}

fn is_variable(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit()) && name != "." && !name.starts_with("..")
}
