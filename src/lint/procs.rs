//! Procs, ingresses and the image they run.

use super::Input;
use crate::model::app::ProcKind;
use crate::model::name::nearest;

/// L010 command, L011 replicas, L012 resources, L013 readiness, L014 image twice, L015 deployName, L016 nodePort,
/// L017 old hpa key, L018 mounts, L019 schedule, L020 nothing to run.
pub fn check(input: &mut Input<'_>) {
    let app = input.app;
    let maps = |kind: ProcKind| match kind {
        ProcKind::Deployment => &["deployments", "deployment", "deploy"][..],
        ProcKind::StatefulSet => &["statefulSets", "statefulSet", "statefulset", "sts"],
        ProcKind::CronJob => &["cronjobs", "cronjob"],
        ProcKind::Job => &["jobs", "job"],
        ProcKind::Test => &["tests"],
    };
    for (kind, name, proc) in app.procs() {
        let map = maps(kind)
            .iter()
            .find(|map| input.root().get(map).is_some_and(|node| node.get(name).is_some()))
            .copied()
            .unwrap_or("deployments");
        let at = |input: &Input<'_>, keys: &[&str]| input.span(&[&[map, name], keys].concat());
        let own = at(input, &[]);
        match proc.command.as_deref() {
            None | Some([]) if matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet) && proc.image.is_none() => {
                input.error("L010", &own, format!("`{map}.{name}` has no `command`"), "command: [\"/lain/app/run.py\"]");
            }
            Some([first, ..]) if first.0.contains(char::is_whitespace) && !first.0.contains('\n') => {
                let words: Vec<String> = first.0.split_whitespace().map(|word| format!("{word:?}")).collect();
                let span = at(input, &["command"]);
                input.error(
                    "L010",
                    &span,
                    format!("the first word of a command is the program; `{}` has a space", first.0),
                    format!("command: [{}]", words.join(", ")),
                );
            }
            _ => {}
        }
        if matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet) {
            if proc.replica_count.is_none() {
                input.error("L011", &own, format!("`{map}.{name}` has no `replicaCount`"), "replicaCount: 1");
            }
            let complete = proc.resources.as_ref().is_some_and(|resources| {
                ["requests", "limits"].iter().all(|part| ["cpu", "memory"].iter().all(|what| !resources[part][what].is_null()))
            });
            if !complete {
                let span = at(input, &["resources"]);
                input.error(
                    "L012",
                    &span,
                    format!("`{map}.{name}` needs `resources` with requests and limits of cpu and memory"),
                    "resources: {requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1000m, memory: 80Mi}}",
                );
            }
            if proc.container_port.is_some() && proc.readiness_probe.is_none() {
                let span = at(input, &["containerPort"]);
                input.warning(
                    "L013",
                    &span,
                    format!("`{map}.{name}` has a containerPort but no readinessProbe: it gets traffic before it can answer"),
                    "readinessProbe: {httpGet: {path: /healthz, port: PORT}}",
                );
            }
        }
        if proc.image.is_some() && proc.image_tag.is_some() {
            let span = at(input, &["imageTag"]);
            input.error(
                "L014",
                &span,
                format!("`{map}.{name}` has both `image` and `imageTag`"),
                "keep one: image is a whole reference, imageTag a tag of this app's image",
            );
        }
        if let Some(port) = proc.node_port.filter(|port| !(30000..=32767).contains(port)) {
            let span = at(input, &["nodePort"]);
            input.error("L016", &span, format!("nodePort {port} is outside 30000-32767"), "nodePort: 30080");
        }
        if proc.hpa.as_ref().is_some_and(|hpa| !hpa["targetCPUUtilizationPercentage"].is_null()) {
            let span = at(input, &["hpa", "targetCPUUtilizationPercentage"]);
            input.error(
                "L017",
                &span,
                "`targetCPUUtilizationPercentage` is not read any more",
                "remove it: 80% CPU is the default; `hpa.metrics` says anything else",
            );
        }
        for (index, mount) in proc.volume_mounts.iter().flatten().enumerate() {
            let index = index.to_string();
            mount_path(input, &[map, name, "volumeMounts", &index], mount);
        }
        if kind == ProcKind::CronJob {
            match proc.schedule.as_deref() {
                None => input.error("L019", &own, format!("`{map}.{name}` has no `schedule`"), "schedule: \"0 17 * * *\""),
                Some(schedule) if !schedule.starts_with('@') && schedule.split_whitespace().count() != 5 => {
                    let span = at(input, &["schedule"]);
                    input.error(
                        "L019",
                        &span,
                        format!("`{schedule}` is no schedule: five fields, minute hour day month weekday"),
                        "schedule: \"0 17 * * *\"",
                    );
                }
                Some(_) => {}
            }
        }
    }
    for (index, mount) in app.volume_mounts.iter().flatten().enumerate() {
        let index = index.to_string();
        mount_path(input, &["volumeMounts", &index], mount);
    }
    let deployments: Vec<&str> =
        app.procs().filter(|(kind, _, _)| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet)).map(|(_, name, _)| name).collect();
    for (key, list) in [
        ("ingresses", &app.ingresses),
        ("ingress", &app.ingresses),
        ("ing", &app.ingresses),
        ("externalIngresses", &app.external_ingresses),
        ("externalIngress", &app.external_ingresses),
        ("externalIng", &app.external_ingresses),
    ] {
        if input.root().get(key).is_none() {
            continue;
        }
        for (index, ingress) in list.iter().flatten().enumerate() {
            if !deployments.contains(&ingress.deploy_name.as_str()) {
                let span = input.span(&[key, &index.to_string(), "deployName"]);
                let hint = nearest(&ingress.deploy_name, deployments.iter().copied()).or(deployments.first().copied());
                input.error(
                    "L015",
                    &span,
                    format!("deployName `{}` is no deployment", ingress.deploy_name),
                    hint.map_or_else(String::new, |name| format!("deployName: {name}")),
                );
            }
        }
    }
    let needs_image = app.procs().any(|(_, _, proc)| proc.image.is_none());
    if needs_image && app.build.is_none() && app.builds.is_none() {
        let span = input.span(&[]);
        input.warning(
            "L020",
            &span,
            "the values have no `build`, but not every proc names an `image`",
            "build: {base: IMAGE, script: [COMMAND]}",
        );
    }
}

fn mount_path(input: &mut Input<'_>, path: &[&str], mount: &crate::model::app::VolumeMount) {
    if mount.sub_path.as_deref().is_some_and(|sub| sub.contains('/')) && mount.name.is_none() {
        let span = input.span(&[path, &["subPath"]].concat());
        let last = mount.mount_path.rsplit('/').next().unwrap_or_default();
        input.error("L018", &span, "subPath is a key of the Secret and has no `/`", format!("subPath: {last}"));
    }
}
