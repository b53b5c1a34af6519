//! Which templates are the newest, and whose pods are of them.
//!
//! A pod is new when its template is, as helm and `kubectl rollout status` judge: that of the Deployment's newest `ReplicaSet` (`pod-template-hash`), or the
//! `StatefulSet`'s `updateRevision` (`controller-revision-hash`). Pods of the templates before may be in any state, but for those that a `StatefulSet`
//! keeps (`OnDelete`, `partition`).

use std::collections::BTreeMap;

use super::objects::{Job, Object, Pod, PodSpec, ReplicaSet, Workload};

/// The newest templates.
pub(super) struct Templates<'a> {
    /// The Deployment that each `ReplicaSet` is of.
    deployments: BTreeMap<&'a str, &'a str>,
    /// The hash of each Deployment's newest template; none while its controller has not made it.
    hashes: BTreeMap<&'a str, Option<&'a str>>,
    /// The same of each `StatefulSet`.
    revisions: BTreeMap<&'a str, Option<&'a str>>,
    /// How many pods of each `StatefulSet`, from number 0 on, keep the template that they have.
    kept: BTreeMap<&'a str, u64>,
    /// Jobs that nobody makes again and again.
    jobs: BTreeMap<&'a str, &'a Job>,
    /// What the pods of each workload or Job are to be, by kind and name.
    specs: BTreeMap<(&'static str, &'a str), &'a PodSpec>,
    /// Pods alone were selected, and none of what keeps them.
    are_alone: bool,
}

impl<'a> Templates<'a> {
    /// Those of everything that was selected.
    pub(super) fn of(objects: &'a [Object]) -> Self {
        let (jobs, specs, kept) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (deployments, hashes, revisions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut found = Self { deployments, hashes, revisions, kept, jobs, specs, are_alone: true };
        let mut newest: BTreeMap<&str, &ReplicaSet> = BTreeMap::new();
        for object in objects {
            let Object::ReplicaSet(set) = object else { continue };
            let Some(owner) = set.metadata.owner() else { continue };
            found.deployments.insert(&set.metadata.name, &owner.name);
            let known = newest.entry(&owner.name).or_insert(set);
            if set.revision() > known.revision() {
                *known = set;
            }
        }
        found.hashes = newest.into_iter().map(|(name, set)| (name, Some(set.hash()))).collect();
        objects.iter().for_each(|object| found.add(object));
        found
    }

    fn add(&mut self, object: &'a Object) {
        match object {
            Object::Deployment(it) => {
                self.are_alone = false;
                self.specs.insert(("deployment", &it.metadata.name), &it.spec.template.spec);
                if !is_seen(it) || it.spec.paused {
                    self.hashes.insert(&it.metadata.name, None);
                }
            }
            Object::StatefulSet(it) => {
                self.are_alone = false;
                self.specs.insert(("statefulset", &it.metadata.name), &it.spec.template.spec);
                self.kept.insert(&it.metadata.name, it.spec.update_strategy.staying());
                self.revisions.insert(&it.metadata.name, is_seen(it).then_some(&*it.status.update_revision));
            }
            Object::Job(it) if it.metadata.owner().is_none() => {
                self.specs.insert(("job", &it.metadata.name), &it.spec.template.spec);
                self.jobs.insert(&it.metadata.name, it);
            }
            _ => {}
        }
    }

    /// What keeps the pod: its kind and name, where that was selected.
    pub(super) fn keeper(&self, pod: &'a Pod) -> Option<(&'static str, &'a str)> {
        let owner = pod.metadata.owner()?;
        match owner.kind.as_str() {
            "ReplicaSet" => self.deployments.get(&*owner.name).map(|name| ("deployment", *name)),
            "StatefulSet" => self.revisions.contains_key(&*owner.name).then_some(("statefulset", &*owner.name)),
            "Job" => self.jobs.contains_key(&*owner.name).then_some(("job", &*owner.name)),
            _ => None,
        }
    }

    /// The Job that a pod is of, when nobody makes that again and again.
    pub(super) fn job_of(&self, pod: &Pod) -> Option<&'a Job> {
        let owner = pod.metadata.owner().filter(|owner| owner.kind == "Job")?;
        self.jobs.get(&*owner.name).copied()
    }

    /// The containers that the pod has by its template: others were injected.
    pub(super) fn own_containers(&self, pod: &'a Pod) -> Vec<&'a str> {
        let Some(spec) = self.keeper(pod).and_then(|keeper| self.specs.get(&keeper)) else { return vec![] };
        spec.init_containers.iter().chain(&spec.containers).map(|container| container.name.as_str()).collect()
    }

    /// Tells a state of a template from those before and after: `deployment/dummy-web@5d4f`.
    pub(super) fn id_of(&self, pod: &'a Pod) -> Option<String> {
        let (kind, name) = self.keeper(pod)?;
        let state = match kind {
            "deployment" => pod.metadata.label("pod-template-hash"),
            "statefulset" => pod.metadata.label("controller-revision-hash"),
            _ => &self.jobs.get(name)?.metadata.uid,
        };
        Some(id(kind, name, state))
    }

    /// The same of the newest state of a workload's template; none while its controller has not made it.
    pub(super) fn newest(&self, kind: &'static str, name: &str) -> Option<String> {
        let known = if kind == "deployment" { &self.hashes } else { &self.revisions };
        known.get(name).copied().flatten().map(|state| id(kind, name, state))
    }

    /// The newest templates by their ids, and the Jobs.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        let deployments = self.hashes.keys().filter_map(|name| self.newest("deployment", name));
        let sets = self.revisions.keys().filter_map(|name| self.newest("statefulset", name));
        deployments.chain(sets).chain(self.jobs.iter().map(|(name, job)| id_of_job(name, job)))
    }

    /// The pod is of a newest template; without what keeps it, it counts as such.
    pub(super) fn have(&self, pod: &Pod) -> bool {
        let Some(owner) = pod.metadata.owner() else { return self.are_alone };
        let (newest, label) = match owner.kind.as_str() {
            "ReplicaSet" => (self.deployments.get(&*owner.name).and_then(|name| self.hashes.get(name)), "pod-template-hash"),
            "StatefulSet" => (self.revisions.get(&*owner.name), "controller-revision-hash"),
            _ => return false,
        };
        newest.map_or(self.are_alone, |newest| *newest == Some(pod.metadata.label(label)))
    }

    /// The pod is of a template that is not the newest, and goes once others serve.
    pub(super) fn are_past(&self, pod: &Pod) -> bool {
        let is_kept = pod.metadata.owner().is_some_and(|owner| matches!(owner.kind.as_str(), "ReplicaSet" | "StatefulSet"));
        is_kept && !self.have(pod) && !self.keep(pod)
    }

    /// The pod keeps a template that is not the newest: its `StatefulSet` replaces it no more.
    pub(super) fn keep(&self, pod: &Pod) -> bool {
        let Some(owner) = pod.metadata.owner().filter(|owner| owner.kind == "StatefulSet") else { return false };
        let is_seen = self.revisions.get(&*owner.name).is_some_and(Option::is_some);
        let number = pod.metadata.name.rsplit_once('-').and_then(|(_, number)| number.parse::<u64>().ok());
        is_seen && number.zip(self.kept.get(&*owner.name)).is_some_and(|(number, kept)| number < *kept)
    }

    /// How many pods of each workload are ready and stay, where its pods were selected too: a status is older than a pod that was just deleted.
    pub(super) fn ready_and_staying(&self, objects: &'a [Object]) -> BTreeMap<(&'static str, &'a str), u64> {
        let mut found = BTreeMap::new();
        for object in objects {
            let Object::Pod(pod) = object else { continue };
            let Some(keeper) = self.keeper(pod) else { continue };
            if keeper.0 == "statefulset" || self.have(pod) {
                *found.entry(keeper).or_default() += u64::from(!pod.metadata.is_leaving() && pod.is("Ready"));
            }
        }
        found
    }

    /// The pod is waited for by itself: it is to stay, and what keeps it was not selected. helm's hooks end.
    pub(super) fn stands_alone(&self, pod: &Pod) -> bool {
        let keeper = pod.metadata.owner().map(|owner| owner.kind.as_str());
        self.are_alone
            && matches!(keeper, None | Some("ReplicaSet" | "StatefulSet"))
            && !pod.is_over()
            && pod.metadata.annotation("helm.sh/hook").is_none()
    }
}

fn id(kind: &str, name: &str, state: &str) -> String {
    format!("{kind}/{name}@{state}")
}

/// Tells a Job from one of the same name before.
pub(super) fn id_of_job(name: &str, job: &Job) -> String {
    id("job", name, &job.metadata.uid)
}

/// Tells what is wanted of a workload from what was before, also while its controller has not seen it.
pub(super) fn id_of_spec(it: &Workload) -> String {
    id("statefulset", &it.metadata.name, &format!("generation {}", it.metadata.generation))
}

/// The controller has seen the newest `spec`.
pub(super) fn is_seen(workload: &Workload) -> bool {
    workload.status.observed_generation >= workload.metadata.generation
}

/// Deployments and `StatefulSets`, each with how often what is wanted of it changed.
pub(crate) type Generations = BTreeMap<(&'static str, String), u64>;

/// The generations of these objects.
pub(crate) fn generations(objects: &[Object]) -> Generations {
    let of = |object: &Object| match object {
        Object::Deployment(it) => Some((("deployment", it.metadata.name.clone()), it.metadata.generation)),
        Object::StatefulSet(it) => Some((("statefulset", it.metadata.name.clone()), it.metadata.generation)),
        _ => None,
    };
    objects.iter().filter_map(of).collect()
}
