//! Every check: its id, which never changes its meaning, and one line of why. `docs/lint/ID.md` says more, with a bad and a good file.

use crate::model::check::{Check, check};

/// All checks, in the order of their ids.
pub const CHECKS: &[Check] = &[
    check("L000", "values can be read", "what helm cannot read, or reads differently than it looks, cannot be deployed"),
    check("L001", "app name", "it becomes part of every object's name, and Kubernetes takes only DNS-1123 labels"),
    check("L002", "proc name", "it becomes part of an object's name, and Kubernetes takes only DNS-1123 labels"),
    check(
        "L003",
        "name used twice",
        "two procs of one name would be RELEASE-NAME both, and logs, selectors and commands could not tell them apart",
    ),
    check("L004", "misspelt key", "a key that nobody reads changes nothing, and nobody says so"),
    check("L005", "reserved word", "a name that is also a key makes commands and values files ambiguous"),
    check("L006", "wrong type", "the chart or Kubernetes would refuse it, with words that name neither file nor line"),
    check("L007", "missing key", "without it there is nothing to render or to build"),
    check("L008", "values of an unknown cluster", "a values-CLUSTER.yaml that no cluster loads is a slip in its name, or left over"),
    check("L009", "same as what it overrides", "a copy of a value hides later changes of the original"),
    check("L010", "command", "Kubernetes runs the first word as a program, without a shell that would split it"),
    check("L011", "replicaCount", "how many pods run should be a decision"),
    check("L012", "resources", "without requests and limits one process can starve its neighbours on the node"),
    check("L013", "readinessProbe", "a port without a readiness probe gets traffic before anything listens"),
    check("L014", "one image", "only one of image, imageTag and build can decide what runs"),
    check("L015", "deployName", "an ingress to nothing answers 503"),
    check("L016", "nodePort", "Kubernetes gives out node ports from 30000 to 32767 alone"),
    check("L017", "hpa.targetCPUUtilizationPercentage", "current autoscaling APIs do not know it: it would be dropped without a word"),
    check("L018", "subPath", "keys of a Secret have no slash, so such a mount never starts"),
    check("L019", "schedule", "a cronjob without a valid schedule is refused by Kubernetes, or runs at another time than meant"),
    check("L020", "nothing to run", "a proc without an image of its own runs what `build` makes"),
    check("L021", "requests above limits", "Kubernetes refuses it"),
    check("L022", "very little memory", "`80m` is 0.08 bytes: the container would be killed before it starts"),
    check("L023", "quantity", "Kubernetes refuses what it cannot read as an amount"),
    check("L024", "duration", "Neither Prometheus nor a rollout knows how long something is that is no duration"),
    check("L025", "port", "ports are whole numbers from 1 to 65535"),
    check("L026", "canary annotations", "nginx ingress knows five canary annotations; others do nothing"),
    check("L027", "keep", "what prepare keeps is looked for below the working directory, by its exact name"),
    check("L028", "build and release", "a release copies out of a build, and a proc can pick only a build that is there"),
    check("L029", "hpa range", "an autoscaler with a floor above its ceiling is refused by Kubernetes"),
    check(
        "L030",
        "not the text it looks like",
        "YAML 1.1 makes a boolean of `on` and 511 of `0777`; the container gets that, not what is written",
    ),
    check("L032", "number too long", "helm reads numbers as 64 bit floats: beyond 2^53 the last digits change"),
    check(
        "L033",
        "whose signature",
        "a rule that names nobody lets nothing run, and one that names an issuer alone would let anybody's image run",
    ),
    check("L040", "image without a version", "`latest` is another program tomorrow, and a rollback does not bring the old one back"),
    check("L041", "no probes", "Kubernetes cannot tell a process that hangs from one that works"),
    check("L042", "limits without requests", "Kubernetes then sets aside the whole limit"),
    check("L043", "looks like a secret", "values are in git and in every rendered manifest; `lain env edit` keeps secrets in the cluster"),
    check("L044", "one replica behind an ingress", "its users are cut off whenever that pod moves to another node"),
    check("L050", "helm lint", "what helm itself finds wrong with the chart"),
    check("L051", "renders nothing", "a chart without objects deploys nothing and says that it went well"),
    check("L052", "chart version", "newer templates know newer Kubernetes versions"),
    check("L053", "removed API", "the cluster's Kubernetes version does not serve it, so the deploy would fail"),
    check("L054", "deprecated API", "a coming Kubernetes version will not serve it"),
    check("L055", "rendered twice", "of two objects of one kind and name, one replaces the other, or a first install fails"),
    check("L060", "CPU limit", "under one core a start takes long, and CPU that nobody else needs is kept from the process"),
    check("L061", "CPU request", "far from what is used, it wastes the node or starves the process"),
    check("L062", "memory request", "far from what is used, it wastes the node or gets the pod evicted"),
    check("L063", "memory limit", "too near to what is used the process is killed, too far a leak takes the node down"),
    check("L069", "no advice", "resource advice needs an answer from Prometheus"),
    check("L070", "refused by Kubernetes", "the API server takes no such object, or the pods of it never come"),
    check("L071", "unknown to Kubernetes", "helm and the API server refuse fields that they do not know, and values of another kind"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::check::named;

    #[test]
    fn ids_are_sorted_and_unique() {
        assert!(CHECKS.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!(named(CHECKS, "l012", "lain lint").expect("a check").title, "resources");
    }
}
