//! What a process runs, and how it is reached.

use std::rc::Rc;

use super::{Input, Severity};
use crate::model::app::ProcKind;
use crate::values::node::{Node, Value};

/// L010 command, L011 replicas, L013 readiness, L017 old hpa key, L018 mounts, L029 hpa range, L041 probes.
pub(super) fn check(input: &mut Input<'_>) {
    let app = Rc::clone(&input.app);
    let older = input.surroundings.older_chart;
    for (kind, name, proc) in app.procs() {
        let map = kind.key();
        let own = input.key_span(&[map, name]);
        let runs_on = matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet);
        let has_command = input.root.nearest([map, name]).get("command").is_some();
        match proc.command.as_deref() {
            None | Some([]) if runs_on && proc.image.is_none() && (!has_command || proc.command.is_some()) => {
                let severity = if older || kind == ProcKind::StatefulSet { Severity::Warning } else { Severity::Error };
                input.push("L010", severity, &own, format!("`{map}.{name}` has no `command`"), "command: [\"/lain/app/run.py\"]".into());
            }
            Some([first, ..]) if first.0.contains(char::is_whitespace) && !first.0.contains('\n') => {
                let words: Vec<String> = first.0.split_whitespace().map(|word| format!("{word:?}")).collect();
                let span = input.span(&[map, name, "command", "0"]);
                let message = format!("the first word of a command is the program; `{}` has a space", first.0);
                input.error("L010", &span, message, format!("command: [{}]", words.join(", ")));
            }
            _ => {}
        }
        if kind == ProcKind::StatefulSet && proc.replica_count.is_none() {
            input.warning("L011", &own, format!("`{map}.{name}` has no `replicaCount`, so it gets one"), "replicaCount: 1");
        }
        let probed = [&proc.readiness_probe, &proc.liveness_probe, &proc.startup_probe].iter().any(|probe| is_given(probe.as_ref()));
        if runs_on && let Some(port) = proc.container_port.filter(|_| !is_given(proc.readiness_probe.as_ref())) {
            let span = input.key_span(&[map, name, "containerPort"]);
            let severity = if older { Severity::Warning } else { Severity::Error };
            let message = format!("`{map}.{name}` has a containerPort but no readinessProbe: it gets traffic before it can answer");
            input.push("L013", severity, &span, message, format!("readinessProbe: {{tcpSocket: {{port: {port}}}}}"));
        } else if runs_on && !probed {
            let message = format!("`{map}.{name}` has no probe: nobody notices when it hangs");
            // No probe can be pasted: one that looks for what the process does not do restarts it for ever.
            input.warning(
                "L041",
                &own,
                message,
                "lain lint --explain L041 # how; at first leave it out: `# lain:ignore L041` at the end of the line",
            );
        }
        if let Some(hpa) = &proc.hpa {
            if !hpa["targetCPUUtilizationPercentage"].is_null() {
                let span = input.key_span(&[map, name, "hpa", "targetCPUUtilizationPercentage"]);
                let hint = "remove it: 80% CPU is the default; `hpa.metrics` says anything else";
                input.error("L017", &span, "`targetCPUUtilizationPercentage` is not read any more", hint);
            }
            let least = hpa["minReplicas"].as_u64().or(proc.replica_count.map(u64::from));
            if let (Some(least), Some(most)) = (least, hpa["maxReplicas"].as_u64())
                && least > most
            {
                let span = input.span(&[map, name, "hpa", "maxReplicas"]);
                let floor = if hpa["minReplicas"].is_null() { "replicaCount" } else { "minReplicas" };
                input.error("L029", &span, format!("maxReplicas {most} is below {floor} {least}"), format!("maxReplicas: {least}"));
            }
        }
        mounts(input, input.root.nearest([map, name]).get("volumeMounts").cloned());
    }
    mounts(input, input.root.get("volumeMounts").cloned());
}

/// The older tool took `readinessProbe: {}` for none.
fn is_given(probe: Option<&serde_json::Value>) -> bool {
    probe.is_some_and(|probe| !probe.is_null() && probe.as_object().is_none_or(|map| !map.is_empty()))
}

/// By nodes: what could not be typed is no longer in its list.
fn mounts(input: &mut Input<'_>, list: Option<Node>) {
    let Some(Node { value: Value::Seq(items), .. }) = list else { return };
    for mount in items.iter().filter(|mount| mount.get("name").is_none()) {
        if let Some((node, sub)) = mount.get("subPath").and_then(|node| Some((node, node.as_str()?))).filter(|(_, sub)| sub.contains('/')) {
            let base = sub.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            input.error("L018", &node.span, "subPath is a key of the Secret and has no `/`", format!("subPath: {base}"));
        }
    }
}
