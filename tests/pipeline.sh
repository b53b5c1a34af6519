#!/usr/bin/env bash
# The pipelines, really: runs GitLab pipelines of examples/dummy in the image with gitlab-ci-local,
# lint, prepare, test in the prepare image, build, deploy, diff, review app, rollback, promotion to a second cluster, and asks the app over HTTP.
# The other examples' own pipelines: tests/examples.sh.
#
#     tests/pipeline.sh [FOLDER WITH THE BINARIES]
#
# Without a folder the binaries are compiled first (debug). Needs a cluster, a registry and a docker: tests/rig brings them,
# LAIN_E2E_KUBECONFIG and LAIN_E2E_REGISTRY name others.
name=pipeline second=live
# shellcheck source=/dev/null
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/pipelines/setup.sh"

# Asks the Service until it answers with the image tag of the repo's HEAD.
check_app() {
  local repo=$1 tag address body
  tag=$(cd "$repo" && "$binaries/lain" meta)
  address=$("${kubectl[@]}" --namespace "$namespace" get service dummy-web --output 'jsonpath={.spec.clusterIP}')
  for _ in $(seq 60); do
    body=$(curl --fail --silent --show-error --max-time 3 "http://$address/" 2>&1) && [[ $body == *"$tag"* ]] && { echo "$body"; return; }
    sleep 0.5
  done
  die "the app at $address does not answer with image tag $tag: $body"
}

check_app_says() { curl --fail --silent --max-time 3 "http://$("${kubectl[@]}" --namespace "$namespace" get service dummy-web --output 'jsonpath={.spec.clusterIP}')/" 2>/dev/null | grep -q "$1"; }

say "the template's jobs and inputs"
repo=$work/inputs
new_repo "$repo" dummy
cp -r "$ROOT/ci-templates" "$repo/ci"
# with INPUTS: the include with these inputs.
with() { printf 'include: [{local: ci/lain.gitlab-ci.yml, inputs: {%s}}]\n' "$1" >"$repo/.gitlab-ci.yml"; }
with 'cluster: test'
save "$repo" "the pipeline"
expect "the default branch" "$(jobs "$repo")" "build;on_success deploy;on_success lint;on_success prepare;on_success rollback;manual"
expect "a schedule" "$(jobs "$repo" --variable CI_PIPELINE_SOURCE=schedule)" ""
git -C "$repo" checkout --quiet -b feature
expect "a branch" "$(jobs "$repo")" "lint;on_success prepare;on_success"
git -C "$repo" checkout --quiet main
with 'cluster: test, prefix: "a-", prepare-when: manual, deploy-when: manual, rollback: false'
expect "by hand" "$(jobs "$repo")" "a-build;on_success a-deploy;manual a-lint;on_success a-prepare;manual"
# shellcheck disable=SC2016
for wrong in 'cluster: "a$(touch hacked)"' 'cluster: test, prepare-when: sometimes' 'cluster: test, deploy: 1' 'prefix: a' 'cluster: test, image: "a b"' \
  'cluster: test, app-dir: "-C"' 'cluster: test, environment-suffix: "/a/"'; do
  with "$wrong"
  ! told=$(pipeline "$repo" --list 2>&1) || die "the template takes $wrong"
  [[ $told == *invalid* ]] || die "the template refuses $wrong with: $told"
done

say "the template, run: two clusters, lint to a release by tag"
repo=$work/template
new_repo "$repo" dummy
"$binaries/lain" ci templates "$repo/ci" --image lain:local
cat >"$repo/.gitlab-ci.yml" <<'YAML'
include:
  - local: ci/workflow.gitlab-ci.yml
  - local: ci/lain.gitlab-ci.yml
    inputs: {cluster: test, merge-requests: true, test: true, test-script: [pytest tests], build-on: merge-request, review: true, review-app: dummy, diff: true, changelog: true, cleanup: true, cleanup-keep: 1}
  - local: ci/lain.gitlab-ci.yml
    inputs: {cluster: live, prefix: "live-", lint: false, prepare: false, build: false, deploy: false, rollback: false, release: true, release-from: test}
YAML
save "$repo" "the app and its pipeline"
# What a person does once, before the first deploy.
printf 'I\nAM\nBATMAN\n' >"$work/secrets/topsecret.txt"
for cluster in test live; do
  (cd "$repo" && CI=true KUBECONFIG=$work/secrets/kubeconfig "$binaries/lain" --cluster $cluster secret add "$work/secrets/topsecret.txt")
done
pipeline "$repo" --list >"$work/list"
cat "$work/list"
pipeline "$repo" 2>&1 | tee "$work/log"
check_app "$repo"
image=$(cd "$repo" && "$binaries/lain" --cluster test image)
grep -q -- "--set-string imageRef=$image " "$work/log" || die "deploy did not take the image of the build job"
! grep -q 'working tree has changes' "$work/log" || die "the jobs changed the working tree before the build"
grep -qE '(1|2|3) passed' "$work/log" || die "the tests did not run in the prepare image"
report() { cat "$repo/.gitlab-ci-local/artifacts/$1/.gitlab-ci-reports/dotenv/"*; }
diff <(report build | cut -d = -f 1) <(printf '%s\n' LAIN_IMAGE LAIN_IMAGE_TAG LAIN_IMAGE_DIGEST) >&2 || die "the build job's report is wrong"
diff <(report deploy | cut -d = -f 1) <(printf '%s\n' LAIN_RELEASE LAIN_IMAGE_TAG LAIN_URL) >&2 || die "the deploy job's report is wrong"
jq -e '.outcome == "deployed"' "$repo/.gitlab-ci-local/artifacts/deploy/lain-deploy.json" >/dev/null || die "the deploy job's result is wrong"
docker tag "$registry/dummy:prepare" dummy:prepare

say "a merge request: what it would change, its review app, and that gone again"
git -C "$repo" checkout --quiet -b feature
sed -i 's/FOO: BAR/FOO: BAX/' "$repo/chart/values.yaml"
save "$repo" "FOO is BAX"
expect "a merge request" "$(jobs "$repo" "${request[@]}" "${own[@]}")" \
  "build;on_success changelog;on_success diff;on_success lint;on_success prepare;on_success review-stop;manual review;on_success test;on_success"
expect "a fork" "$(jobs "$repo" "${request[@]}" "${fork[@]}")" "lint;on_success"
request+=("${own[@]}")
pipeline "$repo" "${request[@]}" 2>&1 | tee "$work/log"
jq -e '.update > 0 and .delete == 0' "$repo/.gitlab-ci-local/artifacts/diff/lain-diff.tfplan.json" >/dev/null || die "the counts of the diff are wrong"
grep -q 'FOO is BAX' "$work/log" || die "the changelog does not tell the commit"
"${kubectl[@]}" --namespace "$namespace" get deployment dummy-mr-12-web >/dev/null || die "there is no review app"
# As GitLab does it: without a checkout.
empty=$work/empty
mkdir "$empty"
(cd "$empty" && git init --quiet && git remote add origin https://gitlab.example.com/pipeline/template.git && cp -r "$repo/ci" "$repo/.gitlab-ci.yml" . &&
  git add --all && git commit --quiet --message empty && git update-ref refs/remotes/origin/main HEAD && git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main)
pipeline "$empty" "${request[@]}" review-stop 2>&1 | tee "$work/log"
! "${kubectl[@]}" --namespace "$namespace" get deployment dummy-mr-12-web 2>/dev/null || die "the review app is still there"
"${kubectl[@]}" --namespace "$namespace" get deployment dummy-web >/dev/null || die "the app went with its review"

say "rolled back by hand"
git -C "$repo" checkout --quiet main
git -C "$repo" merge --quiet --ff-only feature
git -C "$repo" push --quiet
pipeline "$repo" build deploy
check_app "$repo" | grep -q BAX || die "the merged app does not run"
pipeline "$repo" rollback
for _ in $(seq 60); do ! check_app_says BAX || { sleep 0.5; continue; }; break; done
! check_app_says BAX || die "the rollback left FOO as it was"

say "a schedule that cleans up: nothing goes that runs or that helm can go back to"
schedule=(--variable CI_PIPELINE_SOURCE=schedule)
expect "a schedule" "$(jobs "$repo" "${schedule[@]}")" ""
expect "a schedule with LAIN_CLEANUP" "$(jobs "$repo" "${schedule[@]}" --variable LAIN_CLEANUP=1)" "cleanup;on_success"
pipeline "$repo" "${schedule[@]}" --variable LAIN_CLEANUP=1 2>&1 | tee "$work/log"
grep -qE 'dummy: .* tags (may go|stay)' "$work/log" || die "the clean-up does not tell what would go"
runs=$("${kubectl[@]}" --namespace "$namespace" get deployment dummy-web --output 'jsonpath={.spec.template.spec.containers[0].image}')
runs=${runs%@*}
for of_use in "${runs##*:}" "$(cd "$repo" && "$binaries/lain" meta)"; do
  ! grep 'B *dummy:' "$work/log" | grep -q "$of_use" || die "the clean-up would delete what is of use: $of_use"
done

say "a tag: the same digest in the second cluster"
try=(--variable CI_COMMIT_TAG=try)
open=(--variable CI_COMMIT_REF_PROTECTED=false)
expect "a tag" "$(jobs "$repo" "${tag[@]}" "${version[@]}" "${protected[@]}")" "lint;on_success live-promote;on_success live-release;on_success"
expect "another tag" "$(jobs "$repo" "${tag[@]}" "${try[@]}" "${protected[@]}")" "lint;on_success"
expect "a tag that anybody may push" "$(jobs "$repo" "${tag[@]}" "${version[@]}" "${open[@]}")" "lint;on_success"
pipeline "$repo" "${tag[@]}" "${version[@]}" "${protected[@]}" live-promote live-release 2>&1 | tee "$work/log"
digest() { curl --fail --silent --head --header 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://${LAIN_E2E_REGISTRY%%/*}/v2/$(cut --delimiter / --fields 2- <<<"$LAIN_E2E_REGISTRY/$1")/dummy/manifests/$(cd "$repo" && "$binaries/lain" meta)" | tr -d '\r' | grep -i '^docker-content-digest'; }
[[ $(digest pipeline) == "$(digest pipeline-live)" ]] || die "the digest changed on the way: $(digest pipeline), $(digest pipeline-live)"
"${kubectl[@]}" --namespace "$namespace-live" get deployment dummy-web --output 'jsonpath={.spec.template.spec.containers[0].image}' | grep -q "/pipeline-live/dummy" ||
  die "the release does not run the copy"

say "three jobs written by hand (examples/dummy/.gitlab-ci.yml)"
repo=$work/three
new_repo "$repo" dummy
sed -i 's/FOO: BAR/FOO: BAZ/' "$repo/chart/values.yaml"
save "$repo" "FOO is BAZ"
pipeline "$repo"
check_app "$repo" | tee "$work/answer"
grep -q BAZ "$work/answer" || die "the app has the old FOO"

say "the image in the cluster: a helm test that waits, a Job outside of an app, a release that goes by itself"
docker tag lain:local "$registry/lain:latest"
docker push --quiet "$registry/lain:latest" >/dev/null
# All that the waiting pod may do is look.
"${kubectl[@]}" --namespace "$namespace" create rolebinding looks --clusterrole view --serviceaccount "$namespace:default" >/dev/null
cat >>"$repo/chart/values.yaml" <<YAML
  waits:
    image: $registry/lain:latest
    command: [lain, wait, dummy, --timeout, 2m]
    resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {cpu: 1000m, memory: 256Mi}}
YAML
save "$repo" "a test that waits for the app"
pipeline "$repo" deploy_job 2>&1 | tee "$work/log"
"${kubectl[@]}" --namespace "$namespace" get pods --output name >"$work/pods"
told=$("${kubectl[@]}" --namespace "$namespace" logs dummy-waits 2>&1) || true
[[ $told == *"everything is ready"* ]] || die "the test did not wait in the cluster: $told ($(cat "$work/pods"))"
# From a repo without a chart.
repo=$work/ops
git init --quiet --bare "$repo.git" && git init --quiet "$repo" && git -C "$repo" remote add origin https://gitlab.example.com/pipeline/ops.git && git -C "$repo" remote set-url --push origin "$repo.git"
printf '.gitlab-ci-local\n' >>"$repo/.git/info/exclude"
cat >"$repo/.gitlab-ci.yml" <<'YAML'
look:
  script:
    - lain use test
    - lain job --wait -- sh -c 'lain --version && helm3 version --short && echo "to $(mysql --version | cut -d " " -f 1)"'
leave:
  needs: [look]
  script:
    - lain --cluster test delete dummy --after 1s
YAML
save "$repo" "two jobs"
pipeline "$repo" 2>&1 | tee "$work/log"
grep -q 'to mysql' "$work/log" || die "the Job outside of an app did not run in the image"
for _ in $(seq 120); do
  left=$("${kubectl[@]}" --namespace "$namespace" get deployments,jobs,roles,rolebindings,serviceaccounts --output name | grep -E 'dummy-(web|delete)') || break # hooks' Jobs stay, as helm leaves them
  sleep 1
done
[[ -z $left ]] || die "the release did not go by itself: $left"

say "all green"
