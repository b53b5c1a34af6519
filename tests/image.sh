#!/usr/bin/env bash
# The image, really: both targets built without a network, twice, and used: as root, as other users, with a read-only root, without the entrypoint.
#
#     tests/image.sh [FOLDER WITH THE BINARIES]
#
# Without a folder the binaries are compiled first (debug, so sizes are those of a release with larger binaries). Needs docker: tests/rig brings it.
set -Eeuo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
trap 'echo "tests/image.sh: line $LINENO failed" >&2' ERR
say() { printf '\n== image: %s (%s s)\n' "$*" "$SECONDS"; }
die() { echo "tests/image.sh: $*" >&2; exit 1; }

# shellcheck source=/dev/null
source tests/pipelines/image.sh
trap 'rm -rf "$work"' EXIT

# Every file with its mode, owner, kind and content; times are not told.
contents() {
  local container
  container=$(docker create "$1")
  docker export "$container" | python3 -c '
import hashlib, sys, tarfile
archive = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
for entry in archive:
    data = hashlib.sha256(archive.extractfile(entry).read()).hexdigest() if entry.isreg() else entry.linkname
    print(entry.name, oct(entry.mode), entry.uid, entry.gid, entry.type.decode(), data)
' | LC_ALL=C sort
  docker rm "$container" >/dev/null
}
# trusts IMAGE CERTIFICATE
trusts() { docker run --rm --entrypoint cat "$1" /etc/ssl/certs/ca-certificates.crt | grep -qF "$(sed -n 2p "$2")"; }
dangling() { docker images --filter dangling=true --quiet | sort --unique; }
size() { docker save "$1" | gzip | wc --bytes | awk '{printf "%d MB compressed", $1 / 1e6}'; }

for target in slim full; do
  say "$target, built without a network"
  image "$target" "lain:$target-test"
  contents "lain:$target-test" >"$work/first"
  if [[ $target == full ]]; then # slim is in it
    dangling >"$work/before"
    image "$target" "lain:$target-again" --no-cache
    contents "lain:$target-again" >"$work/second"
    docker image rm "lain:$target-again" >/dev/null
    dangling | comm -13 "$work/before" - | xargs --no-run-if-empty docker image rm --force >/dev/null 2>&1 || true # stages of stages go with them
    diff "$work/first" "$work/second" >&2 || die "$target: built twice, it differs"
  fi
  say "$target: $(size "lain:$target-test"), $(wc --lines <"$work/first") files"

  # What may run as somebody else is the base image's.
  setuid() { docker run --rm --entrypoint find "$1" / -xdev -type f -perm /6000 | sort; }
  more=$(comm -13 <(setuid debian:trixie-slim) <(setuid "lain:$target-test"))
  [[ -z $more ]] || die "$target: setuid or setgid: $more"
  # Nothing of the place where it was built: no certificate of a vendor folder, no mirror, no proxy, no folder.
  ! docker history --no-trunc --format '{{.CreatedBy}}' "lain:$target-test" | grep -iE 'vendor|proxy|token|password|mirror' || die "$target: the history tells too much"
  ! docker run --rm --entrypoint grep "lain:$target-test" -rlE "$context|trusted=yes|/vendor/" /etc /usr/local/share /root /home || die "$target: traces of the build"
  trusts "lain:$target-test" tests/pipelines/company-ca.crt || die "$target: a certificate of vendor/ca is not trusted"
  # A link leads to a package of the base image, which brings its own licences.
  packages() { docker run --rm --entrypoint dpkg-query "$1" --show --showformat '${Package}\n' | sort; }
  ours=$(comm -13 <(packages debian:trixie-slim) <(packages "lain:$target-test"))
  without=$(docker run --rm --entrypoint sh "lain:$target-test" -c 'for name; do [ -e "/usr/share/doc/$name/copyright" ] || [ -L "/usr/share/doc/$name" ] || echo "$name"; done' sh $ours)
  [[ -z $without ]] || die "$target: packages without their licence: $without"

  say "$target: every program answers, whoever runs it"
  programs='helm version --short;kubectl version --client;docker --version;git --version;docker buildx version;curl --version'
  programs+=';[ "$(id -u)" = 12345 ] || ssh -V' # ssh runs for nobody without a name
  [[ $target == slim ]] || programs+=';helm3 version --short;docker compose version;git lfs version;jq --version;yq --version;mysql --version;psql --version;redis-cli --version;dig -v;ping -V;rsync --version;unzip -v;zip --version;vi --version;zsh --version'
  expected=$("$binaries/lain" --version)
  for how in "--user 0" "--user 1001" "--user 12345" "--user 12345 --read-only --tmpfs /tmp" "--read-only --tmpfs /tmp" "--user 12345 --entrypoint sh" "--read-only --tmpfs /tmp --entrypoint sh"; do
    command=(sh)
    [[ $how != *--entrypoint* ]] || command=()
    # shellcheck disable=SC2086
    told=$(docker run --rm $how --env "PROGRAMS=$programs" --env "LAIN_SAYS=$expected" "lain:$target-test" "${command[@]}" -ec '
      for name in lain lain-render lain-build lain-deploy lain-notify; do [ "$("$name" --version)" = "$name ${LAIN_SAYS#lain }" ] || { echo "fails: $name"; exit 1; }; done
      IFS=";"
      for program in $PROGRAMS; do sh -c "$program" >/dev/null 2>&1 || { echo "fails: $program"; exit 1; }; done
      test -d /usr/share/lain/cluster_values
      test -z "${LAIN_IGNORE_LINT:-}"
      mkdir /tmp/app && cd /tmp/app
      lain init --appname app >/dev/null 2>&1
      lain template >/dev/null 2>/tmp/said || { cat /tmp/said; exit 1; }
      lain use >/dev/null
      lain --version') || die "$target $how: $told"
    [[ $told == "$expected" ]] || die "$target $how: lain says '$told', not '$expected'"
  done
done

say "the pages about it"
# Names alone: versions come and go with Debian's.
rows() { sed -nE 's/^\| `?([^`|]*[^`| ])`? \|.*\| *(yes)? *\|$/\1 \2/p' | grep -v '^stern '; }
diff <(rows <docs/image-contents.md) <(vendor/contents --names lain:full-test lain:slim-test | rows) >&2 ||
  die "docs/image-contents.md is of another image: vendor/contents --names lain:full-test lain:slim-test"
# The image that docs/image.md makes of ours.
mkdir "$work/own"
sed -n '/^```Dockerfile$/,/^```$/{/^```/!p}' docs/image.md | sed 's/^FROM .*/FROM lain:full-test/' >"$work/own/Dockerfile"
echo "registry: registry.example.com/own" >"$work/own/values-own.yaml"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=own-ca -days 2 -keyout "$work/key" -out "$work/own/company-ca.crt" 2>/dev/null
docker build --network none --tag lain:own-test "$work/own" >"$work/own.log" 2>&1 || { cat "$work/own.log" >&2; die "docs/image.md: it does not build"; }
docker run --rm lain:own-test lain use 2>&1 | grep -q own || die "docs/image.md: the cluster is not there"
trusts lain:own-test "$work/own/company-ca.crt" || die "docs/image.md: the certificate is not trusted"
docker image rm lain:own-test >/dev/null

say "GitLab's variables"
run() { docker run --rm "$@"; }
for user in 0 12345; do
  told=$(run --user "$user" --env 'DOCKER_AUTH_CONFIG={"auths": {}}' lain:full-test sh -c 'cat "$HOME/.docker/config.json"')
  [[ $told == '{"auths": {}}' ]] || die "uid $user: DOCKER_AUTH_CONFIG became '$told'"
done
run --env LAIN_CLUSTER= --env LAIN_VALUES= --env LAIN_IGNORE_LINT= lain:full-test lain use >/dev/null || die "an empty variable is taken for a value"
# git asks for the login of a private repo: the job's token goes to the pipeline's own GitLab alone.
login() { run --env CI_SERVER_URL=https://gitlab.example.com --env CI_JOB_TOKEN=s3cret lain:slim-test sh -c 'printf "url=%s\n\n" "$1" | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1 || true' sh "$1"; }
told=$(login https://gitlab.example.com/team/app.git)
[[ $told == *username=gitlab-ci-token*password=s3cret* ]] || die "the job's token is not git's login: $told"
for other in https://gitlab.example.com.evil.example/a.git http://gitlab.example.com/a.git https://evil.example/gitlab.example.com/ https://me@gitlab.example.com/a.git; do
  [[ $(login "$other") != *s3cret* ]] || die "the job's token goes to $other"
done

say "shells"
for shell in 'bash -ic "_comp_load lain && complete -p lain"' 'zsh -ic "print \$_comps[lain]"'; do
  run lain:full-test sh -c "$shell" 2>/dev/null | grep -q _lain || die "no completions: $shell"
done
# shellcheck disable=SC2016
for shell in 'bash -ic "printf %s \"\${PS1@P}\""' 'zsh -ic "print -P \"\$PROMPT\""'; do
  told=$(run --env LAIN_CLUSTER=test lain:full-test sh -c "$shell" 2>&1 || true)
  [[ $told == *"(test)"* ]] || die "the prompt does not show the cluster: $shell: $told"
done
tests/airgap.sh "$binaries" lain:slim-test lain:slim-test # the small one for both: how they travel is tested, not what they hold

say "all green"
