//! What to type next, so that it meets the same cluster and folder when it is pasted.

/// The flags that a pasted command needs, quoted for a shell; empty where the tools would go there anyway.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetFlags {
    /// Of `lain`: `--cluster prod`.
    pub lain: String,
    /// Of `kubectl`: `--kubeconfig FILE --context NAME --namespace NAME`.
    pub kubectl: String,
    /// Of `helm`: the same, as helm calls it.
    pub helm: String,
}

/// Commands of lain's own that no cluster is asked for.
const NO_CLUSTER: [&str; 5] = ["use", "init", "help", "man", "--help"];

impl TargetFlags {
    /// `hint` with the flags behind the programs that it names, in each command of a chain; what follows ` # ` is no command.
    pub(super) fn at(&self, hint: &str) -> String {
        let (line, comment) = hint.find(" # ").map_or((hint, ""), |at| hint.split_at(at));
        let commands: Vec<String> = line.split(" && ").map(|command| self.aimed(command)).collect();
        format!("{}{comment}", commands.join(" && "))
    }

    fn aimed(&self, command: &str) -> String {
        let Some((program, rest)) = command.split_once(' ') else { return command.to_owned() };
        let flags = match program {
            "lain" if rest.split(' ').next().is_some_and(|word| NO_CLUSTER.contains(&word)) => "",
            "lain" => self.lain.as_str(),
            "kubectl" => self.kubectl.as_str(),
            "helm" => self.helm.as_str(),
            _ => "",
        };
        let is_aimed = ["--cluster", "--kubeconfig", "--namespace", "-n "].iter().any(|flag| rest.contains(flag));
        if flags.is_empty() || is_aimed { command.to_owned() } else { format!("{program} {flags} {rest}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_gets_its_own_flags() {
        let flags = TargetFlags {
            lain: "--cluster prod".into(),
            kubectl: "--context a --namespace shop".into(),
            helm: "--kube-context a --namespace shop".into(),
        };
        for (hint, aimed) in [
            ("kubectl logs --previous a", "kubectl --context a --namespace shop logs --previous a"),
            (
                "helm history a && helm rollback a 3 # helm",
                "helm --kube-context a --namespace shop history a && helm --kube-context a --namespace shop rollback a 3 # helm",
            ),
            ("lain status -s # kubectl get pods", "lain --cluster prod status -s # kubectl get pods"),
            ("lain use test && lain deploy", "lain use test && lain --cluster prod deploy"),
            ("lain deploy --cluster test", "lain deploy --cluster test"),
            ("kubectl create namespace shop", "kubectl --context a --namespace shop create namespace shop"),
            ("docker info", "docker info"),
            ("helm", "helm"),
            ("ask whoever runs kubectl here", "ask whoever runs kubectl here"),
        ] {
            assert_eq!(flags.at(hint), aimed);
        }
        assert_eq!(TargetFlags::default().at("kubectl get pods"), "kubectl get pods");
    }
}
