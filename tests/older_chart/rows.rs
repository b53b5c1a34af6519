//! The rows of docs/chart-differences.md.

/// A difference of all apps: the first table.
pub struct Common {
    /// The first cell of its row in the document.
    pub name: &'static str,
    /// Whether this is it: where, what stood there, what stands there.
    pub is: fn(&str, &str, &str) -> bool,
}

/// A difference of apps whose values ask for it: the second table.
pub struct Row {
    /// The first cell of its row in the document.
    pub name: &'static str,
    /// Values that show it, on top of [`VALUES`].
    pub values: &'static str,
    /// What differs then, besides what differs for all apps.
    pub differences: &'static [&'static str],
    /// The version of Kubernetes.
    pub on: &'static str,
    /// The API server takes only ours.
    pub refused: bool,
}

/// The first table.
pub const COMMON: &[Common] = &[
    Common {
        name: "CronJob always `batch/v1beta1`",
        is: |at, old, new| {
            at.starts_with("CronJob/") && at.ends_with(" apiVersion") && old == r#""batch/v1beta1""# && new == r#""batch/v1""#
        },
    },
    Common {
        name: "HPA always `autoscaling/v2beta2`",
        is: |at, old, new| {
            at.starts_with("HorizontalPodAutoscaler/")
                && at.ends_with(" apiVersion")
                && old == r#""autoscaling/v2beta2""#
                && new == r#""autoscaling/v2""#
        },
    },
    Common {
        name: "text unquoted in places (tags, images, names)",
        is: |at, old, new| {
            ["[LAIN_CLUSTER].value", "[IMAGE_TAG].value"].iter().any(|end| at.ends_with(end))
                && !old.starts_with(['"', '{', '['])
                && new.starts_with('"')
        },
    },
    Common { name: "`cpu: 1` rendered as a number", is: |at, old, new| at.contains(".resources.") && new == format!("\"{old}\"") },
    Common {
        name: "empty `annotations`, `hostAliases`, `resources`, `volumeMounts` rendered as null",
        is: |at, old, new| {
            ["annotations", "hostAliases", "resources", "volumeMounts"].iter().any(|end| at.ends_with(end))
                && old == "null"
                && new == "nothing"
        },
    },
    Common {
        name: "test pods had no serviceAccountName",
        is: |at, old, new| at.starts_with("Pod/") && at.ends_with(" spec.serviceAccountName") && old == "nothing" && new.starts_with('"'),
    },
    Common {
        name: "statefulSets had no Service",
        is: |at, old, new| at == "Service/dummy-store" && old == "nothing" && new == "an object",
    },
];

/// The app of all rows.
pub const VALUES: &str = r#"
appname: dummy
registry: r.example.com
domain: example.com
imageTag: v1
cluster: test
namespace: shops
deployments:
  web:
    command: [sleep, "1000"]
    replicaCount: 1
    resources: {requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1000m, memory: 80Mi}}
"#;

/// Every key that the older chart knows.
pub const EVERYTHING: &str = r#"
imageTag: "1000"
cluster: y
internalRegistry: i.example.com/team
serviceAccountName: apps
ingressClass: inner
externalIngressClass: outer
clusterIssuer: letsencrypt
clusterHostAliases: [{ip: 10.0.0.1, hostnames: [nfs]}]
hostAliases: [{ip: 10.0.0.2, hostnames: [db, db2]}]
labels: {team: shops}
serviceAnnotations: {owner: shops}
ingressAnnotations: {nginx.ingress.kubernetes.io/ssl-redirect: "true"}
externalIngressAnnotations: {nginx.ingress.kubernetes.io/ssl-redirect: "false"}
env: {GLOBAL: a, BOTH: a}
extraEnvFrom: [{secretRef: {name: other-env}}]
volumes: [{name: scratch, emptyDir: {}}]
volumeMounts:
  - {mountPath: /lain/app/secret.txt, subPath: secret.txt}
  - {name: scratch, mountPath: /scratch}
  - {name: data, mountPath: /data}
persistentVolumeClaims:
  data: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
networkPolicy:
  spec: {podSelector: {matchLabels: {app.kubernetes.io/name: dummy}}, policyTypes: [Ingress]}
deployments:
  web: &web
    env: {OWN: b, BOTH: b}
    command: [sleep, "1000"]
    workingDir: /tmp
    imagePullPolicy: IfNotPresent
    replicaCount: 2
    containerPort: 5000
    readinessProbe: {tcpSocket: {port: 5000}}
    livenessProbe: {exec: {command: [cat, /tmp/x]}}
    startupProbe: {httpGet: {path: /, port: 5000}}
    podAnnotations: {prometheus.io/scrape: "true"}
    podSecurityContext: {runAsUser: 0}
    serviceAccountName: special
    terminationGracePeriodSeconds: 20
    minReadySeconds: 10
    strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
    hostNetwork: false
    affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
    lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
    volumeMounts: [{mountPath: /lain/app/web.txt, subPath: web.txt}]
    resources: &resources {requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1, memory: 80Mi}}
    initContainers:
      - {name: one, command: [echo, one], env: {BOTH: c}, workingDir: /, volumeMounts: [{mountPath: /lain/app/one.txt, subPath: one.txt}]}
      - {name: two, command: [echo, two], imageTag: two, resources: *resources}
      - {name: three, command: [echo, three], image: "other:three", imagePullPolicy: Never}
  game: {command: [game], image: "other:1.2", nodePort: 32321, containerPort: 7777, protocol: UDP, replicaCount: 1, nodes: [n1], resources: *resources}
  old: {command: [old], imageTag: "2.0", nodePort: 32322, replicaCount: 1, resources: *resources}
statefulSets:
  store: {command: [store], replicaCount: 1, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}, nodes: [n1], podAnnotations: {a: b}, resources: *resources, initContainers: [{name: one, command: [echo, one]}]}
cronjobs:
  nightly: {schedule: "0 17 * * *", command: [echo, done], suspend: true, concurrencyPolicy: Forbid, successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 3, backoffLimit: 1, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 100, resources: *resources}
  plain: {schedule: "@daily", command: [echo, done], imageTag: "2.0", resources: *resources}
jobs:
  migrate: {annotations: {helm.sh/hook: pre-upgrade}, command: [echo, done], initContainers: [{name: one, command: [echo, one]}]}
  plain: {command: [echo, done], backoffLimit: 2, activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 100, resources: *resources}
tests:
  simple: {command: [echo, done], image: "other:test"}
ingresses:
  - {host: dummy, deployName: web, paths: [/], annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 8m}}
  - {host: dummy.other.com, deployName: game, paths: [/, /a]}
externalIngresses:
  - {host: www.dummy.com, deployName: web, paths: [/]}
  - {host: dummy.com, deployName: web, paths: [/]}
"#;

/// Another kind of cluster: classes as a field, certificates from Secrets, hosts with a suffix; and a release beside the first.
pub const ELSEWHERE: &str = r#"
appname: other
ingressClass: inner
externalIngressClass: outer
supportsIngressClassName: true
ingressTLSSecretName: inner-tls
externalIngressTLSSecretName: outer-tls
domain_suffix: -shops.example.com
deployments:
  udp: {image: "other:1.2", nodePort: 32321, protocol: UDP, replicaCount: 1, hostNetwork: true, affinity: {nodeAffinity: {}}, resources: {}}
ingresses:
  - {host: dummy, deployName: web, paths: [/], ingressClass: mine}
  - {host: dummy.other.com, deployName: udp, paths: [/, /a]}
externalIngresses:
  - {host: www.dummy.com, deployName: web, paths: [/], ingressClass: mine}
"#;

const fn row(name: &'static str, values: &'static str, differences: &'static [&'static str]) -> Row {
    Row { name, values, differences, on: "1.20.2", refused: false }
}

impl Row {
    const fn on(self, on: &'static str) -> Self {
        Self { on, ..self }
    }

    const fn refused(self) -> Self {
        Self { refused: true, ..self }
    }
}

/// The second table.
pub const ROWS: &[Row] = &[
    row(
        "`hpa`",
        "deployments: {web: {replicaCount: 2, hpa: {minReplicas: 2, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}}}",
        &["Deployment/dummy-web spec.replicas: 2 -> nothing"],
    ).on("1.37.0"),
    row(
        "`hpa` without metrics",
        "deployments: {web: {hpa: {maxReplicas: 3}}}",
        &["Deployment/dummy-web spec.replicas: 1 -> nothing", r#"HorizontalPodAutoscaler/dummy-web spec.metrics: nothing -> [{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}]"#],
    ),
    row(
        "`hpa.minReplicas`",
        "deployments: {web: {hpa: {minReplicas: 2, maxReplicas: 3}}}",
        &["Deployment/dummy-web spec.replicas: 1 -> nothing", r#"HorizontalPodAutoscaler/dummy-web spec.metrics: nothing -> [{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}]"#, "HorizontalPodAutoscaler/dummy-web spec.minReplicas: 1 -> 2"],
    ),
    row(
        "`hpa` with another `releaseName`, or a canary",
        "appname: other
deployments: {web: {hpa: {maxReplicas: 3}}}",
        &["Deployment/dummy-web spec.replicas: 1 -> nothing", "HorizontalPodAutoscaler/dummy-web: nothing -> an object", "HorizontalPodAutoscaler/other-web: an object -> nothing"],
    ),
    row(
        "`hpa` on a statefulSet",
        "statefulSets: {store: {replicaCount: 1, hpa: {maxReplicas: 3}}}",
        &["HorizontalPodAutoscaler/dummy-store: nothing -> an object", "StatefulSet/dummy-store spec.replicas: 1 -> nothing"],
    ),
    row(
        "`minReadySeconds` of a statefulSet",
        "statefulSets: {store: {replicaCount: 1, minReadySeconds: 3}}",
        &["StatefulSet/dummy-store spec.minReadySeconds: nothing -> 3"],
    ).on("1.22.0"),
    row(
        "env that names `LAIN_CLUSTER`, `K8S_NAMESPACE` or `IMAGE_TAG`",
        "env: {LAIN_CLUSTER: mine}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].env[0]: {"name":"LAIN_CLUSTER","value":"test"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[1]: {"name":"K8S_NAMESPACE","value":"shops"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[2]: {"name":"IMAGE_TAG","value":"v1"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[3]: {"name":"LAIN_CLUSTER","value":"mine"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[IMAGE_TAG]: nothing -> {"name":"IMAGE_TAG","value":"v1"}"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[K8S_NAMESPACE]: nothing -> {"name":"K8S_NAMESPACE","value":"shops"}"#, r#"Deployment/dummy-web spec.template.spec.containers[web].env[LAIN_CLUSTER]: nothing -> {"name":"LAIN_CLUSTER","value":"mine"}"#],
    ),
    row(
        "no `namespace`, and a release outside of `default`",
        "namespace: null",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].env[K8S_NAMESPACE].value: "default" -> "elsewhere""#],
    ),
    row(
        r#"process env `A: ""` over a global `A`"#,
        r#"env: {A: a}
deployments: {web: {env: {A: ""}}}"#,
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].env[A].value: "a" -> """#],
    ),
    row(
        "`A:` in env, with nothing behind it",
        "env: {A: null}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].env[A]: {"name":"A","value":null} -> nothing"#],
    ),
    row(
        "`LIMIT: 1000000` in env, unquoted (lint refused it)",
        "env: {LIMIT: 1000000}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].env[LIMIT].value: "1e+06" -> "1000000""#],
    ),
    row(
        "the same ip in clusterHostAliases and hostAliases",
        "clusterHostAliases: [{ip: 10.0.0.1, hostnames: [a]}]
hostAliases: [{ip: 10.0.0.1, hostnames: [b, a]}]",
        &[r#"Deployment/dummy-web spec.template.spec.hostAliases[0]: {"hostnames":["a"],"ip":"10.0.0.1"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.hostAliases[10.0.0.1]: nothing -> {"hostnames":["a","b"],"ip":"10.0.0.1"}"#, r#"Deployment/dummy-web spec.template.spec.hostAliases[1]: {"hostnames":["b","a"],"ip":"10.0.0.1"} -> nothing"#],
    ),
    row(
        "the same mountPath globally and in a process",
        "volumeMounts: [{mountPath: /a, subPath: a}]
deployments: {web: {volumeMounts: [{mountPath: /a, subPath: b}]}}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].volumeMounts[0]: {"mountPath":"/a","name":"secret","subPath":"a"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].volumeMounts[1]: {"mountPath":"/a","name":"secret","subPath":"b"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.containers[web].volumeMounts[secret]: nothing -> {"mountPath":"/a","name":"secret","subPath":"b"}"#],
    ).refused(),
    row(
        "`readOnly` and other fields of a volumeMount",
        "volumeMounts: [{mountPath: /a, subPath: a, readOnly: true}]",
        &["Deployment/dummy-web spec.template.spec.containers[web].volumeMounts[secret].readOnly: nothing -> true"],
    ),
    row(
        "a volume called `secret` of the app's own",
        "volumes: [{name: secret, emptyDir: {}}]",
        &[r#"Deployment/dummy-web spec.template.spec.volumes[0]: {"emptyDir":{},"name":"secret"} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.volumes[1]: {"name":"secret","secret":{"secretName":"dummy-secret"}} -> nothing"#, r#"Deployment/dummy-web spec.template.spec.volumes[secret]: nothing -> {"emptyDir":{},"name":"secret"}"#],
    ).refused(),
    row(
        "`nodes` with `affinity.nodeAffinity`",
        "deployments: {web: {nodes: [n1], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: Exists}]}]}}}}}",
        &["the chart: has a key twice -> has it once", r#"Deployment/dummy-web spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: "dummy-web" -> "disk""#, r#"Deployment/dummy-web spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].operator: "In" -> "Exists""#, r#"Deployment/dummy-web spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values: ["true"] -> nothing"#, r#"Deployment/dummy-web spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[1]: nothing -> {"key":"dummy-web","operator":"In","values":["true"]}"#],
    ),
    row(
        "`lifecycle` of a statefulSet",
        "statefulSets: {store: {replicaCount: 1, lifecycle: {preStop: {exec: {command: [sleep]}}}}}",
        &[r#"StatefulSet/dummy-store spec.template.spec.containers[store].lifecycle: nothing -> {"preStop":{"exec":{"command":["sleep"]}}}"#],
    ),
    row(
        "init container of a statefulSet with `imageTag` or `workingDir`",
        r#"statefulSets:
  store:
    replicaCount: 1
    imageTag: "3"
    initContainers: [{name: a, command: [a], imageTag: "2"}, {name: b, command: [b], workingDir: /b}]"#,
        &[r#"StatefulSet/dummy-store spec.template.spec.initContainers[a].image: "r.example.com/dummy:3" -> "r.example.com/dummy:2""#, r#"StatefulSet/dummy-store spec.template.spec.initContainers[b].workingDir: nothing -> "/b""#],
    ),
    row(
        "init containers of a cronjob",
        r#"cronjobs: {nightly: {schedule: "0 1 * * *", command: [a], initContainers: [{name: a, command: [a]}]}}"#,
        &["the chart: does not render -> renders"],
    ),
    row(
        "podAnnotations, nodes, affinity, hostNetwork, probes, ports, grace period of jobs, cronjobs, tests",
        r#"cronjobs: {nightly: {schedule: "0 1 * * *", command: [a], podAnnotations: {a: b}, nodes: [n1]}}
jobs: {one: {command: [a], hostNetwork: true, terminationGracePeriodSeconds: 5, affinity: {podAffinity: {}}}}
tests: {two: {command: [a], containerPort: 80, readinessProbe: {tcpSocket: {port: 80}}}}"#,
        &[r#"CronJob/dummy-nightly spec.jobTemplate.spec.template.metadata.annotations: nothing -> {"a":"b"}"#, r#"CronJob/dummy-nightly spec.jobTemplate.spec.template.spec.affinity: nothing -> {"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"dummy-nightly","operator":"In","values":["true"]}]}]}}}"#, r#"Job/dummy-one spec.template.spec.affinity: nothing -> {"podAffinity":{}}"#, "Job/dummy-one spec.template.spec.hostNetwork: nothing -> true", "Job/dummy-one spec.template.spec.terminationGracePeriodSeconds: nothing -> 5", r#"Pod/dummy-two spec.containers[two].ports: nothing -> [{"containerPort":80,"protocol":"TCP"}]"#, r#"Pod/dummy-two spec.containers[two].readinessProbe: nothing -> {"tcpSocket":{"port":80}}"#],
    ),
    row(
        "`annotations` of a cronjob",
        r#"cronjobs: {nightly: {schedule: "0 1 * * *", command: [a], annotations: {a: b}}}"#,
        &[r#"CronJob/dummy-nightly metadata.annotations: nothing -> {"a":"b"}"#],
    ),
    row(
        "`terminationGracePeriodSeconds: 0`",
        "deployments: {web: {terminationGracePeriodSeconds: 0}}",
        &["Deployment/dummy-web spec.template.spec.terminationGracePeriodSeconds: 100 -> 0"],
    ),
    row(
        "`ttlSecondsAfterFinished: 0`, history limits of 0",
        r#"cronjobs: {nightly: {schedule: "0 1 * * *", command: [a], ttlSecondsAfterFinished: 0, failedJobsHistoryLimit: 0}}"#,
        &["CronJob/dummy-nightly spec.failedJobsHistoryLimit: 1 -> 0", "CronJob/dummy-nightly spec.jobTemplate.spec.ttlSecondsAfterFinished: 86400 -> 0"],
    ),
    row(
        "`labels` with non-text values",
        "labels: {on: true, size: 1}",
        &[r#"Deployment/dummy-web metadata.labels.size: 1 -> "1""#, r#"Deployment/dummy-web metadata.labels.true: true -> "true""#, r#"Deployment/dummy-web spec.template.metadata.labels.size: 1 -> "1""#, r#"Deployment/dummy-web spec.template.metadata.labels.true: true -> "true""#],
    ).refused(),
    row(
        "`command` items such as `y` or `10`, unquoted",
        "deployments: {web: {command: [sleep, 10, y]}}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].command[1]: 10 -> "10""#, r#"Deployment/dummy-web spec.template.spec.containers[web].command[2]: true -> "true""#],
    ).refused(),
    row(
        "`deploy`, `sts` and other short keys",
        r#"deploy: {two: {command: [a], replicaCount: 1}}
sts: {store: {replicaCount: 1}}
cronjob: {nightly: {schedule: "0 1 * * *", command: [a]}}
job: {one: {command: [a]}}
ing: [{host: dummy, deployName: web, paths: [/]}]
externalIng: [{host: www.dummy.com, deployName: web, paths: [/]}]"#,
        &["CronJob/dummy-nightly: nothing -> an object", "Deployment/dummy-two: nothing -> an object", "Ingress/dummy-example-com-dummy-web: nothing -> an object", "Ingress/www-dummy-com-dummy-web: nothing -> an object", "Job/dummy-one: nothing -> an object", "StatefulSet/dummy-store: nothing -> an object"],
    ),
    row(
        "a process that is null",
        "deployments: {other: null}",
        &["the chart: does not render -> renders"],
    ),
    row(
        "`build: NAME`",
        "deployments: {web: {build: front}}",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].image: "r.example.com/dummy:v1" -> "r.example.com/dummy-front:v1""#],
    ),
    row(
        "`imageRef` (passed by `lain deploy --image`)",
        "imageRef: r.example.com/dummy@sha256:0123",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].image: "r.example.com/dummy:v1" -> "r.example.com/dummy@sha256:0123""#],
    ),
    row(
        "`useClusterSpec` of a claim",
        "persistentVolumeClaims: {a: {useClusterSpec: true}}
clusterPersistentVolumeClaims: {a: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
        &[r#"PersistentVolumeClaim/dummy-a spec.accessModes: nothing -> ["ReadWriteOnce"]"#, r#"PersistentVolumeClaim/dummy-a spec.resources: nothing -> {"requests":{"storage":"1Gi"}}"#, "PersistentVolumeClaim/dummy-a spec.useClusterSpec: true -> nothing"],
    ).refused(),
    row(
        "`secretsChecksum` (passed by `lain deploy`)",
        "secretsChecksum: abc",
        &[r#"Deployment/dummy-web spec.template.metadata.annotations: nothing -> {"lain.dev/secrets-checksum":"abc"}"#],
    ),
    row(
        "ingress with `ingressClass`, cluster without",
        "ingresses: [{host: dummy, deployName: web, paths: [/], ingressClass: mine}]",
        &[r#"Ingress/dummy-example-com-dummy-web metadata.annotations: null -> {"kubernetes.io/ingress.class":"mine"}"#],
    ),
    row(
        "ingress to a statefulSet",
        "statefulSets: {store: {replicaCount: 1}}
ingresses: [{host: dummy, deployName: store, paths: [/]}]",
        &["the chart: does not render -> renders"],
    ),
    row(
        "ingress without `paths`",
        "ingresses: [{host: dummy, deployName: web}]",
        &[r#"Ingress/dummy-example-com-dummy-web spec.rules[0].http.paths: null -> [{"backend":{"service":{"name":"dummy-web","port":{"number":80}}},"path":"/","pathType":"Prefix"}]"#],
    ).refused(),
    row(
        "bare host, no `domain`, but `domain_suffix` and `clusterIssuer`",
        r#"domain: ""
domain_suffix: -a.example.com
clusterIssuer: le
ingresses: [{host: dummy, deployName: web, paths: [/]}]"#,
        &["the chart: does not render -> renders"],
    ),
    row(
        "`clusterIssuer` and a TLS secret name",
        "clusterIssuer: le
ingressTLSSecretName: mine
ingresses: [{host: dummy, deployName: web, paths: [/]}]",
        &["the chart: has a key twice -> has it once"],
    ),
    row(
        "own annotation `kubernetes.io/ingress.class` under `supportsIngressClassName`",
        "ingressClass: inner
supportsIngressClassName: true
ingresses: [{host: dummy, deployName: web, paths: [/], annotations: {kubernetes.io/ingress.class: mine}}]",
        &[r#"Ingress/dummy-example-com-dummy-web spec.ingressClassName: "inner" -> nothing"#],
    ).refused(),
    row(
        "host `*.example.com`",
        r#"ingresses: [{host: "*.example.com", deployName: web, paths: [/]}]"#,
        &["the chart: does not render -> renders"],
    ),
    row(
        "no registry or tag",
        "imageTag: null",
        &[r#"Deployment/dummy-web spec.template.spec.containers[web].image: "r.example.com/dummy:%!s(<nil>)" -> "r.example.com/dummy:UNKNOWN""#],
    ),
];
