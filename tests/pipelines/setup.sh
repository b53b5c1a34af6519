# What both runs of pipelines stand on, sourced by them: the rig, the image lain:local, two clusters that are namespaces of one, and pipelines in
# gitlab-ci-local. The caller sets `name` (of namespaces and images) and `second` (the second cluster); its first argument is a folder with the binaries.
set -Eeuo pipefail
ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
cd "$ROOT"
trap 'echo "$0: line $LINENO failed" >&2' ERR

say() { printf '\n== %s: %s (%s s)\n' "$name" "$*" "$SECONDS"; }
die() { echo "$0: $*" >&2; exit 1; }

# shellcheck source=/dev/null
source tests/pipelines/image.sh
gitlab_ci_local=$(tests/rig/rig pipelines | tail -1)
[[ -x $gitlab_ci_local ]] || die "no gitlab-ci-local at '$gitlab_ci_local'"
for tool in helm kubectl docker git curl jq rsync; do command -v "$tool" >/dev/null || die "$tool is missing"; done
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${socket#unix://}
[[ -S $socket ]] || die "DOCKER_HOST is no unix socket: $socket"

namespace=lain-$name-$$
kubectl=(kubectl --kubeconfig "$LAIN_E2E_KUBECONFIG")
clean() {
  "${kubectl[@]}" delete namespace "$namespace" "$namespace-$second" --ignore-not-found --wait=false >/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

say "image"
image full lain:local

# What a project has: a repo with a remote, a kubeconfig, cluster values. The registry path is this test's own.
export HOME=$work/home LAIN_CLUSTER_VALUES_DIR=$work/clusters
mkdir -p "$HOME" "$LAIN_CLUSTER_VALUES_DIR" "$work/secrets"
git config --global user.name "$name"
git config --global user.email "$name@example.com"
git config --global init.defaultBranch main
install -m 600 "$LAIN_E2E_KUBECONFIG" "$work/secrets/kubeconfig"
registry=$LAIN_E2E_REGISTRY/$name
cat >"$LAIN_CLUSTER_VALUES_DIR/values-test.yaml" <<YAML
registry: $registry
domain: rig.example.com
namespace: $namespace
YAML
cat >"$LAIN_CLUSTER_VALUES_DIR/values-$second.yaml" <<YAML
registry: $registry-$second
domain: $second.example.com
namespace: $namespace-$second
YAML
"${kubectl[@]}" create namespace "$namespace" >/dev/null
"${kubectl[@]}" create namespace "$namespace-$second" >/dev/null

# new_repo FOLDER EXAMPLE. The fetch address is only for show; pushes go to the bare folder beside the repo.
new_repo() {
  local repo=$1
  git init --quiet --bare "$repo.git"
  cp --recursive --dereference "$ROOT/examples/$2" "$repo"
  git -C "$repo" init --quiet
  git -C "$repo" remote add origin "https://gitlab.example.com/$name/$(basename "$repo").git"
  git -C "$repo" remote set-url --push origin "$repo.git"
  printf '.gitlab-ci-local\n' >>"$repo/.git/info/exclude"
}
save() {
  git -C "$1" add --all
  git -C "$1" commit --quiet --message "$2"
  git -C "$1" push --quiet --set-upstream origin HEAD
  git -C "$1" symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main
}
# The rig brings gitlab-ci-local's helper image; elsewhere it is pulled.
helper=()
! docker image inspect lain-ci-helper:local >/dev/null 2>&1 || helper=(--helper-image lain-ci-helper:local)
# Jobs run in lain:local unless they name an image, on the host's network (registry and cluster are there), with docker's socket.
pipeline() {
  local repo=$1
  shift
  (cd "$repo" && "$gitlab_ci_local" --home "$work/home" --default-image lain:local --no-shell-executor-no-image \
    --ignore-predefined-vars CI_PIPELINE_SOURCE,CI_COMMIT_BRANCH,CI_COMMIT_TAG,CI_COMMIT_REF_PROTECTED,CI_MERGE_REQUEST_IID,CI_MERGE_REQUEST_PROJECT_ID,CI_MERGE_REQUEST_SOURCE_PROJECT_ID \
    "${helper[@]}" --pull-policy if-not-present --network host --umask --no-artifacts-to-source \
    --volume "$socket:/var/run/docker.sock" --volume "$work/clusters:/usr/share/lain/cluster_values:ro" \
    --volume "$work/secrets:/secrets:ro" --variable KUBECONFIG=/secrets/kubeconfig "$@")
}
# The names of the jobs that a push of the repo's HEAD would run, and whether by themselves.
jobs() { pipeline "$@" --list-csv 2>/dev/null | sed 1d | cut --delimiter ';' --fields 1,3 | tr -d '"' | sort | paste -sd ' '; }
expect() { [[ $2 == "$3" ]] || die "$1: '$2', not '$3'"; }
# What GitLab tells of a merge request and of a tag.
# shellcheck disable=SC2034
request=(--variable CI_PIPELINE_SOURCE=merge_request_event --variable CI_MERGE_REQUEST_IID=12 --variable CI_COMMIT_BRANCH= --variable CI_MERGE_REQUEST_PROJECT_ID=1)
own=(--variable CI_MERGE_REQUEST_SOURCE_PROJECT_ID=1)
fork=(--variable CI_MERGE_REQUEST_SOURCE_PROJECT_ID=2)
tag=(--variable CI_COMMIT_BRANCH=)
version=(--variable CI_COMMIT_TAG=v1.2)
protected=(--variable CI_COMMIT_REF_PROTECTED=true)
