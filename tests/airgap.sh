#!/usr/bin/env bash
# The air-gapped bundle, really: made by vendor/bundle, and imported by a docker and into a registry that have no route to anywhere.
#
#     tests/airgap.sh [FOLDER WITH THE BINARIES [FULL SLIM]]
#
# FULL and SLIM are images of these binaries; tests/image.sh, which calls this, has them.
set -Eeuo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
trap 'echo "tests/airgap.sh: line $LINENO failed" >&2' ERR
say() { printf '\n== air gap: %s (%s s)\n' "$*" "$SECONDS"; }
die() { echo "tests/airgap.sh: $*" >&2; exit 1; }

# shellcheck source=/dev/null
source tests/pipelines/image.sh
inside=
clean() {
  [[ -z $inside ]] || { kill "$inside" && wait "$inside"; } 2>/dev/null || true
  [[ -n $inside ]] || kill %1 2>/dev/null || true
  umount --recursive --lazy "$work/exec" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
say "the bundle"
full=${2:-lain:full-test} slim=${3:-lain:slim-test}
[[ $# -ge 3 ]] || { image full "$full" && image slim "$slim"; }
docker tag "$full" "lain:$version"
docker tag "$slim" "lain:$version-slim"
vendor/bundle "$work/out" debian:trixie-slim 2>"$work/said" || { cat "$work/said" >&2; die "no bundle"; }
bundle=lain-$version-amd64
ls -lh "$work/out"
[[ $(ls "$work/out") == "$bundle.tar"$'\n'"$bundle.tar.sha256" ]] || die "more than the bundle: $(ls -a "$work/out")"
# What is pasted is what the script says to type.
command=$(sed -n 's/^vendor\/bundle:   //p' "$work/said")
command=${command/REGISTRY\/PATH/127.0.0.1:5000/team}
command=${command/TEMPLATES-FOLDER/templates}

# A machine of its own but for its files: loopback is all the network there is.
cat >"$work/registry.yml" <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:5000"}
YAML
runtime=()
(echo -998 >/proc/self/oom_score_adj) 2>/dev/null || runtime=(--add-runtime "oom=$(docker info --format '{{.Runtimes.oom.Path}}')" --default-runtime oom)
export work
# shellcheck disable=SC2016
unshare --net --pid --fork --mount-proc --kill-child bash -c '
  ip link set lo up
  docker-registry serve "$work/registry.yml" &
  exec dockerd --host "unix://$work/docker.sock" --data-root "$work/docker" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" --bridge none --iptables=false --log-level error "$@"
' inside "${runtime[@]}" >"$work/machine.log" 2>&1 &
for _ in {1..100}; do
  ! docker --host "unix://$work/docker.sock" version >/dev/null 2>&1 || { inside=$(pgrep -P "$!"); break; }
  sleep 0.3
done
[[ -n $inside ]] || { cat "$work/machine.log" >&2; die "no docker behind the air gap"; }
there() { nsenter --net --target "$inside" env -u DOCKER_BUILDKIT DOCKER_HOST="unix://$work/docker.sock" "$@"; }
! there curl --silent --max-time 3 https://deb.debian.org >/dev/null || die "there is a way out"
[[ $(there ip -brief address) == "lo "* ]] || die "more than loopback: $(there ip -brief address)"

say "import"
mkdir "$work/place" && mv "$work/out"/* "$work/place/"
# Nothing of it is pushed where a part of it was spoiled on the way.
tar -C "$work" -xf "$work/place/$bundle.tar"
chmod u+w "$work/$bundle/README.md" && echo >>"$work/$bundle/README.md"
! there "$work/$bundle/import" 127.0.0.1:5000/team 2>"$work/said" || die "a spoiled bundle is imported"
grep -q 'README.md: FAILED' "$work/said" && grep -q 'copy the bundle again' "$work/said" || die "not said: $(cat "$work/said")"
rm -rf "${work:?}/$bundle"
! there curl --silent --fail 127.0.0.1:5000/v2/team/lain/tags/list || die "it was pushed"
(cd "$work/place" && there bash -c "$command" 2>"$work/said") || { cat "$work/said" >&2; die "the import fails: $command"; }

say "what is there"
expect() { [[ $2 == "$3" ]] || die "$1: '$2', not '$3'"; }
expect "tags" "$(there curl --silent 127.0.0.1:5000/v2/team/lain/tags/list | jq --raw-output '.tags | sort | join(" ")')" "$version $version-slim"
expect "more images" "$(there curl --silent 127.0.0.1:5000/v2/team/debian/tags/list | jq --raw-output '.tags[]')" trixie-slim
for tag in "$version" "$version-slim"; do
  there docker image rm --force "lain:$tag" "127.0.0.1:5000/team/lain:$tag" >/dev/null
  expect "lain of $tag" "$(there docker run --rm --network none "127.0.0.1:5000/team/lain:$tag" lain --version 2>/dev/null)" "$("$binaries/lain" --version)"
done
# The templates are this version's, and their jobs run in the image that is there.
"$binaries/lain" ci templates "$work/expected" --image "127.0.0.1:5000/team/lain:$version" 2>/dev/null
diff --recursive "$work/expected" "$work/place/templates" || die "other templates"
# An example from the bundle, with its chart: rendered, linted and built there, from the base image that came along.
there docker run --rm --network none --volume "$work/place/$bundle/examples/cron-only:/app:ro" --workdir /app "127.0.0.1:5000/team/lain:$version" lain template >/dev/null 2>"$work/said" ||
  { cat "$work/said"; die "an example of the bundle does not render"; }
expect "examples" "$(find "$work/place/$bundle/examples" -type l | wc -l)" 0

say "the wrong thing typed"
for args in '' '--help' 'https://127.0.0.1:5000/team' '127.0.0.1:5000/team a b'; do
  # shellcheck disable=SC2086
  ! there "$work/place/$bundle/import" $args 2>"$work/said" || die "'$args' is taken"
  grep -q 'REGISTRY/PATH' "$work/said" || die "'$args': $(cat "$work/said")"
done
! there "$work/place/$bundle/import" 127.0.0.1:1/team 2>"$work/said" || die "a registry that is not there"
grep -q 'docker login 127.0.0.1:1' "$work/said" || die "not said: $(cat "$work/said")"
! there env DOCKER_HOST=unix:///nowhere "$work/place/$bundle/import" 127.0.0.1:5000/team 2>"$work/said" || die "without docker"
grep -q 'docker does not answer' "$work/said" || die "not said: $(cat "$work/said")"
docker image rm "lain:$version" "lain:$version-slim" >/dev/null
say "all green"
