//! What to type next, so that it meets the same cluster when it is pasted.

/// The flags that a pasted command needs, quoted for a shell; empty where the tools would go there anyway.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetFlags {
    /// Of `lain`: `--cluster prod`.
    pub lain: String,
    /// Of `kubectl`: `--kubeconfig FILE --context NAME`.
    pub kubectl: String,
    /// Of `helm`: the same, as helm calls it.
    pub helm: String,
    /// What helm is called, where that is not `helm`.
    pub helm_program: &'static str,
    /// Of both: `--namespace NAME`.
    pub namespace: String,
}

/// Commands of lain's own that no cluster is asked for.
const NO_CLUSTER: [&str; 5] = ["use", "init", "help", "man", "--help"];
/// What kubectl does in no namespace.
const NO_NAMESPACE: [&str; 4] = ["get --raw", "create namespace", "version", "config"];

impl TargetFlags {
    /// `hint` with the flags that the programs in it need, in each command of a chain; what follows ` # ` is no command.
    pub(super) fn at(&self, hint: &str) -> String {
        let (line, comment) = hint.find(" # ").map_or((hint, ""), |at| hint.split_at(at));
        let commands: Vec<String> = line.split(" && ").map(|command| self.aimed(command)).collect();
        format!("{}{comment}", commands.join(" && "))
    }

    fn aimed(&self, command: &str) -> String {
        let Some((program, rest)) = command.split_once(' ') else { return command.to_owned() };
        if program == "helm" && !self.helm_program.is_empty() {
            return Self { helm_program: "", ..self.clone() }.aimed(command).replacen("helm", self.helm_program, 1);
        }
        let begins = |words: &[&str]| words.iter().any(|word| rest == *word || rest.starts_with(&format!("{word} ")));
        let has_namespace = ["--all-namespaces", "--namespace", "-n "].iter().any(|flag| format!(" {rest}").contains(&format!(" {flag}")));
        let namespace = if begins(&NO_NAMESPACE) || has_namespace { "" } else { self.namespace.as_str() };
        let flags: Vec<&str> = match program {
            "lain" if begins(&NO_CLUSTER) => vec![],
            "lain" => vec![&self.lain],
            "kubectl" => vec![&self.kubectl, namespace],
            "helm" => vec![&self.helm, namespace],
            _ => vec![],
        };
        let flags = flags.into_iter().filter(|flag| !flag.is_empty()).collect::<Vec<_>>().join(" ");
        let is_aimed = rest.split([' ', '=']).any(|word| matches!(word, "--cluster" | "--kubeconfig"));
        if flags.is_empty() || is_aimed {
            return command.to_owned();
        }
        // Behind these words a flag would be another program's.
        let ends_in_words = rest.contains(" -- ") || (program == "lain" && begins(&["x", "run"]));
        if ends_in_words { format!("{program} {flags} {rest}") } else { format!("{command} {flags}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_gets_its_own_flags() {
        let flags = TargetFlags {
            lain: "--cluster prod".into(),
            kubectl: "--context a".into(),
            helm: "--kube-context a".into(),
            helm_program: "",
            namespace: "--namespace shop".into(),
        };
        for (hint, aimed) in [
            ("kubectl logs --previous a", "kubectl logs --previous a --context a --namespace shop"),
            (
                "helm history a && helm rollback a 3 # helm",
                "helm history a --kube-context a --namespace shop && helm rollback a 3 --kube-context a --namespace shop # helm",
            ),
            ("lain status -s # kubectl get pods", "lain status -s --cluster prod # kubectl get pods"),
            ("lain use test && lain deploy", "lain use test && lain deploy --cluster prod"),
            ("lain x web -- env", "lain --cluster prod x web -- env"),
            ("lain run ls", "lain --cluster prod run ls"),
            ("lain deploy --cluster test", "lain deploy --cluster test"),
            ("lain admin x --cluster-config a", "lain admin x --cluster-config a --cluster prod"),
            ("kubectl -n team logs a", "kubectl -n team logs a --context a"),
            ("kubectl create namespace shop", "kubectl create namespace shop --context a"),
            ("kubectl get --raw /readyz # is it well?", "kubectl get --raw /readyz --context a # is it well?"),
            ("kubectl get pods --all-namespaces", "kubectl get pods --all-namespaces --context a"),
            ("docker info", "docker info"),
            ("helm", "helm"),
            ("ask whoever runs kubectl here", "ask whoever runs kubectl here"),
        ] {
            assert_eq!(flags.at(hint), aimed);
        }
        assert_eq!(TargetFlags::default().at("kubectl get pods"), "kubectl get pods");
        let third = TargetFlags { helm_program: "helm3", ..flags };
        assert_eq!(third.at("helm list --all # helm"), "helm3 list --all --kube-context a --namespace shop # helm");
    }
}
