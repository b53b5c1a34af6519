#!/usr/bin/env bash
# The pipeline of each example, really: its own .gitlab-ci.yml, untouched, in gitlab-ci-local, which checks it against GitLab's schema: which jobs there are,
# then lint, prepare, test, build, deploy on the rig, and what runs is asked. examples/dummy has tests/pipeline.sh; examples/everything is there to be read.
#
#     tests/examples.sh [FOLDER WITH THE BINARIES]
#
# As tests/pipeline.sh. Two examples run at a time.
name=examples second=prod
# shellcheck source=/dev/null
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/pipelines/setup.sh"

# The project that the examples include from, where gitlab-ci-local keeps what it has fetched.
"$binaries/lain" ci templates "$work/templates" --image lain:local
start() {
  repo=$work/$1
  new_repo "$repo" "$1"
  mkdir -p "$repo/.gitlab-ci-local/includes/gitlab.example.com/tools/lain/HEAD"
  cp -r "$work/templates" "$repo/.gitlab-ci-local/includes/gitlab.example.com/tools/lain/HEAD/ci-templates"
  save "$repo" "the app"
}
run() { pipeline "$repo" "$@"; }
by_hand() { (cd "$repo" && CI=true KUBECONFIG=$work/secrets/kubeconfig "$binaries/lain" --cluster test "$@"); }
# ask NAMESPACE SERVICE PATH WORDS: asks until the answer holds the words.
ask() {
  local address body=
  address=$("${kubectl[@]}" --namespace "$1" get service "$2" --output 'jsonpath={.spec.clusterIP}')
  for _ in $(seq 120); do
    body=$(curl --fail --silent --show-error --max-time 3 "http://$address$3" 2>&1) && [[ $body == *"$4"* ]] && return
    sleep 0.5
  done
  die "$2 at $address$3 does not answer with '$4': $body"
}
head_tag() { (cd "$repo" && "$binaries/lain" meta); }
usual="build;on_success deploy;on_success lint;on_success"

monolith() {
  expect "a tag" "$(jobs "$repo" "${tag[@]}" "${version[@]}" "${protected[@]}")" \
    "lint;on_success prod-promote;on_success prod-release;manual prod-rollback;manual"
  expect "a merge request" "$(jobs "$repo" "${request[@]}" "${own[@]}")" \
    "changelog;on_success diff;on_success lint;on_success prepare;on_success test;on_success"
  run
  ask "$namespace" monolith-web / "monolith $(head_tag) on test, mail to mail.test.example.com"
  run "${tag[@]}" "${version[@]}" "${protected[@]}" prod-promote prod-release
  ask "$namespace-prod" monolith-web / "monolith $(head_tag) on prod, mail to mail.example.com"
  [[ $("${kubectl[@]}" --namespace "$namespace-prod" get cronjob --output name) == *monolith-report ]] || die "prod has no report"
  git -C "$repo" checkout --quiet -b feature
  sed -i 's/mail.test/post.test/' "$repo/chart/values-test.yaml"
  save "$repo" "mail goes to post"
  run "${request[@]}" "${own[@]}"
  jq -e '.update > 0 and .delete == 0' "$repo/.gitlab-ci-local/artifacts/diff/lain-diff.tfplan.json" || die "the counts of the diff are wrong"
}

front-end() {
  expect "a push" "$(jobs "$repo")" "$usual prepare;on_success rollback;manual test;on_success"
  run
  ask "$namespace" front-end-web / "<h1>It works</h1>"
  ! docker run --rm "$("${kubectl[@]}" --namespace "$namespace" get deployment front-end-web --output 'jsonpath={.spec.template.spec.containers[0].image}')" \
    sh -c 'command -v node || ls /lain/app/node_modules' || die "node is in the image that runs"
}

django() {
  expect "a push" "$(jobs "$repo")" "$usual prepare;on_success rollback;manual test;on_success"
  by_hand env add DJANGO_SECRET_KEY=rig
  run
  ask "$namespace" django-web / "django $(head_tag)"
  ask "$namespace" django-static /static/admin/css/base.css "{"
}

cron-only() {
  expect "a push" "$(jobs "$repo")" "$usual rollback;manual"
  expect "a schedule" "$(jobs "$repo" --variable CI_PIPELINE_SOURCE=schedule)" ""
  run
  told=$(by_hand create-job weekly)
  [[ $told == *"last 7 day(s), made by $(head_tag)"* ]] || die "the weekly report says: $told"
}

several-images() {
  expect "a push" "$(jobs "$repo")" "$usual rollback;manual"
  run
  ask "$namespace" several-images-api /api/ "$(head_tag)"
  ask "$namespace" several-images-site / "<h1>The site</h1>"
  told=$(by_hand create-job clean)
  [[ $told == *"nothing to clean in $(head_tag)"* ]] || die "the third image says: $told"
}

several-apps() {
  expect "a push" "$(jobs "$repo")" "admin-build;on_success admin-deploy;on_success admin-lint;on_success admin-rollback;manual \
shop-build;on_success shop-deploy;on_success shop-lint;on_success shop-rollback;manual"
  run
  ask "$namespace" shop-web / "shop $(head_tag)"
  ask "$namespace" shop-admin-web / "shop-admin $(head_tag)"
}

review-apps() {
  expect "a fork" "$(jobs "$repo" "${request[@]}" "${fork[@]}")" "lint;on_success"
  run
  ask "$namespace" review-apps-web / "hello $(head_tag)"
  git -C "$repo" checkout --quiet -b feature
  sed -i 's/GREETING: hello/GREETING: welcome/' "$repo/chart/values.yaml"
  save "$repo" "a warmer greeting"
  expect "a merge request" "$(jobs "$repo" "${request[@]}" "${own[@]}")" "build;on_success lint;on_success review-stop;manual review;on_success"
  run "${request[@]}" "${own[@]}"
  ask "$namespace" review-apps-mr-12-web / "welcome $(head_tag)"
  ask "$namespace" review-apps-web / hello
  run "${request[@]}" "${own[@]}" review-stop
  ! "${kubectl[@]}" --namespace "$namespace" get deployment review-apps-mr-12-web || die "the review is still there"
}

static-site() {
  expect "a push" "$(jobs "$repo")" "$usual rollback;manual"
  run
  ask "$namespace-prod" static-site-web / "<h1>It works</h1>"
}

# The rig's cluster has no DNS, and its queue is found by name: built, not deployed.
workers() {
  expect "a push" "$(jobs "$repo")" "build;on_success deploy;manual lint;on_success rollback;manual"
  run
  ! "${kubectl[@]}" --namespace "$namespace" get deployment workers-worker || die "deployed, and nobody said so"
}

# Each example in a shell of its own, its output shown when it fails.
lane() {
  local example began
  for example in "$@"; do
    began=$SECONDS
    (start "$example"; "$example") >"$work/$example.log" 2>&1 &
    wait $! || { cat "$work/$example.log" >&2; die "examples/$example failed"; }
    echo "$example: $((SECONDS - began)) s"
  done
}
mapfile -t there < <(ls -d "$ROOT"/examples/*/.gitlab-ci.yml | xargs -n 1 dirname | xargs -n 1 basename)
lanes=("monolith several-images static-site cron-only" "django front-end review-apps several-apps workers")
[[ $(printf '%s\n' ${lanes[*]} dummy | sort) == $(printf '%s\n' "${there[@]}" | sort) ]] || die "another set of examples has a pipeline: ${there[*]}"
say "the pipelines of ${lanes[*]}"
pids=()
for some in "${lanes[@]}"; do
  # shellcheck disable=SC2086
  lane $some &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
say "all green"
