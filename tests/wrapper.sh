#!/usr/bin/env bash
# examples/bin/lain, really: by docker and by podman, by a user and by root, in several shells, with what people type and where they stand.
#
#     tests/wrapper.sh [FOLDER WITH THE FIVE BINARIES]
#
# Stands on lain:slim-test, which tests/image.sh leaves behind; builds it where it is missing or has another lain. Needs root and docker: tests/rig brings it.
# shellcheck disable=SC2154 # work, binaries: tests/pipelines/image.sh sets them
set -Eeuo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
trap 'echo "tests/wrapper.sh: line $LINENO failed" >&2' ERR
say() { printf '\n== wrapper: %s (%s s)\n' "$*" "$SECONDS"; }
die() { echo "tests/wrapper.sh: $*" >&2; exit 1; }
expect() { [[ $2 == "$3" ]] || die "$1:"$'\n'"$2"$'\n'"is not"$'\n'"$3"; }
says() { [[ $2 == *"$3"* ]] || die "$1:"$'\n'"$2"$'\n'"does not say"$'\n'"$3"; }

# shellcheck source=/dev/null
source tests/pipelines/image.sh
# The wrapper shares /tmp and the home: what is to be neither is elsewhere.
place=$(mktemp -d /var/tmp/lain-wrapper.XXXXXX)
user=lain-wrapper-$$
clean() {
  local pid
  exec 2>/dev/null # the shell tells of each job that is killed
  # podman leaves one process that holds the user's namespace; unshare heeds no softer signal.
  for pid in $(jobs -p) $(cat "$place/run/libpod/tmp/pause.pid" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
  wait || true
  ! id "$user" >/dev/null 2>&1 || userdel --force "$user" 2>/dev/null || true
  rm -rf "$work" "$place"
}
trap clean EXIT

export LAIN_CONTAINER_IMAGE=lain:slim-test
install --strip -m 755 "$binaries/lain" "$place/native"
there=$(docker run --rm --entrypoint sha256sum lain:slim-test /usr/local/bin/lain 2>/dev/null || true)
here=$(sha256sum "$place/native")
if [[ ${there%% *} != "${here%% *}" ]]; then
  say "the image"
  image slim lain:slim-test
fi

# Another user than root, and docker's socket as a group's: the checkout and the rig's own socket may be where root alone comes.
useradd --no-create-home --home-dir "$place/home" "$user" 2>/dev/null
uid=$(id -u "$user") gid=$(id -g "$user") group=54321
grep -q "^$user:" /etc/subuid || die "$user has no subordinate uids, which podman needs"
chmod 755 "$place"
mkdir -p "$place/home/.kube" "$place/daemon" "$place/root" "$place/else"
install -m 755 examples/bin/lain "$place/lain"
socat -t 600 "UNIX-LISTEN:$place/daemon/docker.sock,fork,mode=660,group=$group" "UNIX-CONNECT:${DOCKER_HOST#unix://}" 2>/dev/null &
for _ in $(seq 50); do [[ ! -S $place/daemon/docker.sock ]] || break; sleep 0.1; done
# In place of the image's lain: says what it was given. What lain itself makes of it is lain's own, below.
cat >"$place/probe" <<'PROBE'
#!/bin/sh
case ${1:-} in
  exit) exit "$2" ;;
  sh) shift && exec sh -c "$@" ;;
  tty) set -- && for n in 0 1 2; do [ -t $n ] && set -- "$@" yes || set -- "$@" no; done && echo "$*" && echo "to stderr" >&2 ;;
  wait) trap 'echo told to end; exit 7' TERM; trap 'echo interrupted; exit 130' INT; echo waits; while :; do sleep 0.1; done ;;
  *) for word; do printf '<%s>' "$word"; done ;;
esac
PROBE
chmod 755 "$place/probe"
chown -R "$uid:$gid" "$place/home" "$place/else"

base=(PATH=/usr/local/bin:/usr/bin:/bin HOME="$place/home" TERM=xterm LAIN_CONTAINER_IMAGE=lain:slim-test DOCKER_HOST="unix://$place/daemon/docker.sock")
become=(setpriv --reuid "$uid" --regid "$gid" --groups "$gid,$group" env -i "${base[@]}")
probing=("${become[@]}" "LAIN_CONTAINER_OPTIONS=--volume $place/probe:/usr/local/bin/lain:ro" "$place/lain")
as_user() { "${become[@]}" "$@"; }
probe() { "${probing[@]}" "$@"; }
lain() { as_user "$place/lain" "$@"; }
cd "$place/home"

say "shells"
shellcheck "$place/lain"
for shell in dash "bash --posix" "busybox sh" mksh; do
  # shellcheck disable=SC2086
  expect "$shell" "$("${probing[@]::${#probing[@]}-1}" $shell "$place/lain" run 'a  b' "it's" '' '$HOME `id` "q" \' $'two\nlines\n' 中文 '*')" '<run><a  b><it'\''s><><$HOME `id` "q" \><two
lines
><中文><*>'
done

say "stdin, terminals, exit codes, signals"
expect "piped stdin" "$(printf 'a\n\nb' | probe sh 'cat; echo .')" $'a\n\nb.'
expect "an empty stdin" "$(probe sh 'cat; echo .' </dev/null)" .
expect "no stdin" "$(probe run <&-)" '<run>'
typed() { script --quiet --return --command "$(printf '%q ' "${probing[@]}" tty)$1" /dev/null </dev/null | tr -d '\r'; }
says "on a terminal" "$(typed "")" "yes yes yes"
says "into a pipe" "$(typed "| cat")" "no no no"
expect "with stderr in a file" "$(typed "2>$place/said")" "no no no"
expect "with stderr in a file" "$(cat "$place/said")" "to stderr"
for code in 3 126 255; do
  got=0
  probe exit "$code" || got=$?
  expect "exit code" "$got" "$code"
done
# A shell has jobs in the background ignore INT: this one shall not.
heeding=(python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])')
for signal in TERM:7 INT:130; do
  "${heeding[@]}" "${probing[@]}" wait >"$place/said" 2>&1 &
  pid=$!
  for _ in $(seq 300); do ! grep -q waits "$place/said" || break; sleep 0.1; done
  kill "-${signal%:*}" "$pid"
  got=0
  wait "$pid" || got=$?
  expect "after SIG${signal%:*}" "$got" "${signal#*:}"
done
python3 - "${probing[@]}" wait <<'PYTHON' || die "Ctrl-C on a terminal"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
while b"waits" not in said:
    said += os.read(terminal, 1000)
os.write(terminal, b"\x03")
try:
    while more := os.read(terminal, 1000):
        said += more
except OSError:  # Linux's way to tell of the end
    pass
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert code == 130 and b"interrupted" in said, (code, said)
PYTHON
[[ -z $(docker ps --quiet --filter volume="$place/probe") ]] || die "a container is left"

say "whose files, and who one is"
probe sh 'echo x >mine; mkdir -p ~/.config/lain; echo y >/tmp/'"$user"'; id -un; echo $HOME; docker version --format "{{.Server.Version}}"; ssh -G example.com 2>/dev/null | sed -n "s/^userknownhostsfile //p"' >"$place/said"
expect "who" "$(cat "$place/said")" "$user
$place/home
$(docker version --format '{{.Server.Version}}')
$place/home/.ssh/known_hosts $place/home/.ssh/known_hosts2"
expect "files" "$(stat --format '%u:%g' mine .config/lain "/tmp/$user" | uniq)" "$uid:$gid"
rm "/tmp/$user"
expect "a uid without an account, without a home" "$(cd /tmp && setpriv --reuid 60123 --regid 60123 --groups "$group" env -i "${base[@]}" HOME=/ "$place/lain" --version)" "$("$place/native" --version)"
expect "root" "$(env -i "${base[@]}" HOME="$place/root" "$place/lain" --version)" "$("$place/native" --version)"
expect "no arguments: a shell" "$(echo 'echo $0' | lain)" bash
ln -s "$place/lain" "$place/lain-deploy"
says "as lain-deploy" "$(as_user "$place/lain-deploy" --help)" "Usage: lain-deploy"

say "folders"
git() { as_user git -c user.name=x -c user.email=x@example.com -c init.defaultBranch=main -c protocol.file.allow=always "$@"; }
app() { # FOLDER [ARGUMENTS OF git init]: an app in a repository
  local folder=$1
  shift
  as_user mkdir -p "$folder/chart" "$folder/src/deep"
  printf 'appname: shop\nbuild: {base: "debian:trixie-slim", script: [cat chart/values.yaml]}\ndeployments: {web: {command: [a]}}\n' >"$folder/chart/values.yaml"
  git -C "$folder" init --quiet "$@"
  git -C "$folder" add --all
  git -C "$folder" commit --quiet --message one
}
same() { # WHAT FOLDER: lain sees there what lain itself sees
  local want got
  want=$(cd "$2" && as_user "$place/native" meta 2>/dev/null && pwd -P)
  got=$(cd "$2" && echo 'lain meta && pwd' | lain 2>/dev/null)
  expect "$1" "$got" "$want"
}
for name in 'with  space' 'a:b' 'it'\''s "a,b"' 中文; do
  app "$place/else/$name"
  same "in '$name'" "$place/else/$name/src/deep"
done
cd "$place/else/中文"
git worktree add --quiet "$place/else/worktree"
same "a worktree" "$place/else/worktree/chart"
git clone --quiet --shared . "$place/else/borrowed"
same "borrowed objects" "$place/else/borrowed"
app "$place/else/apart" --separate-git-dir "$place/else/of apart"
same "a git folder elsewhere" "$place/else/apart"
git -C "$place/else/with  space" submodule --quiet add "$place/else/中文" sub
same "a submodule" "$place/else/with  space/sub/chart"
as_user ln -s "$place/else/worktree" "$place/else/link"
same "a linked folder" "$place/else/link/chart"
cd "$place/home"
meta=$(as_user "$place/native" -C "$place/else/a:b" meta 2>/dev/null)
expect "-C" "$(lain -C "$place/else/a:b/src" meta 2>/dev/null)" "$meta"
expect "LAIN_APP_DIR" "$(as_user LAIN_APP_DIR="$place/else/a:b" "$place/lain" meta 2>/dev/null)" "$meta"
says "a message's path" "$(lain image 2>&1 || true)" "error: no chart/values.yaml in $place/home"$'\n'"next: lain init"
as_user mkdir "$place/else/plain"
(cd "$place/else/plain" && lain init --appname shop >/dev/null 2>&1)
says "no repository" "$(cd "$place/else/plain" && lain values 2>&1)" "appname: shop"
expect "what lain init writes" "$(find "$place/else/plain" ! -user "$user")" ""

say "a home by a link; clusters, variables, the agent"
as_user mkdir -p "$place/else/real/.kube" "$place/else/clusters" "$place/else/kube"
as_user ln -s "$place/else/real" "$place/else/linked"
linked=(HOME="$place/else/linked" LAIN_CLUSTER_VALUES_DIR="$place/else/clusters")
printf 'registry: 127.0.0.1:5000/lain/wrapper\n' | tee "$place/else/clusters/values-test.yaml" >"$place/else/clusters/values-prod.yaml"
install -m 600 -o "$uid" -g "$gid" "$LAIN_E2E_KUBECONFIG" "$place/else/kube/test"
as_user ln -s ../../kube/test "$place/else/real/.kube/kubeconfig-test" # kept elsewhere, as some do
as_user "${linked[@]}" "$place/lain" use test >/dev/null 2>&1
expect "lain use" "$(readlink "$place/else/real/.kube/config" | sed 's|.*/||')" kubeconfig-test
cd "$place/else"
inside() { printf '%s\n' "$2" | as_user "${linked[@]}" "$1" "$place/lain"; } # VARIABLE COMMAND
says "the cluster by its link" "$(inside A= 'kubectl get --raw /version')" gitVersion
as_user kubectl --kubeconfig "$place/else/kube/test" config view --raw --minify >/dev/null
printf 'apiVersion: v1\nkind: Config\ncontexts: [{name: other, context: {cluster: none, user: none}}]\n' >"$place/else/kube/other"
own=$(as_user kubectl --kubeconfig "$place/else/kube/test" config get-contexts --output name | grep -c .)
expect "KUBECONFIG with several" "$(inside "KUBECONFIG=$place/else/kube/other:$place/else/kube/test" 'kubectl config get-contexts --output name | grep -c .')" $((own + 1))
mkdir "$place/certificates"
printf x | tee "$place/certificates/ca.crt" >"$place/else/kube/client.key"
printf 'kind: Config\nclusters:\n- cluster:\n    certificate-authority: %s/certificates/ca.crt\n  name: x\nusers:\n- name: x\n  user:\n    client-key: "client.key"\n' "$place" >"$place/else/kube/files"
expect "the files of a kubeconfig" "$(inside "KUBECONFIG=$place/else/kube/files" 'cat ../certificates/ca.crt kube/client.key')" xx
says "KUBECONFIG_TEST" "$(inside "KUBECONFIG_TEST=$place/else/kube/test" 'cat "$KUBECONFIG_TEST"')" "kind: Config"
# The image's own lain builds by the socket; what it is given of the environment goes by name alone.
mkdir "$place/told"
# shellcheck disable=SC2016
printf '#!/bin/sh\nprintf "%%s\\n" "$@" >>%q\nexec %q "$@"\n' "$place/argv" "$(type -P docker)" >"$place/told/docker"
chmod 755 "$place/told/docker"
touch "$place/argv" && chmod 666 "$place/argv"
secret=s3cret-$$
cd "$place/else/中文"
as_user "${linked[@]}" PATH="$place/told:/usr/bin:/bin" LAIN_RELEASE=$secret CI_JOB_TOKEN=$secret HTTPS_PROXY=http://$secret no_proxy=$secret KUBECONFIG_PROD=$secret OTHER=$secret \
  DOCKER_AUTH_CONFIG=$secret LAIN_CLUSTER= "$place/lain" <<<'printf "%s|" "$LAIN_RELEASE" "$CI_JOB_TOKEN" "$HTTPS_PROXY" "$no_proxy" "$KUBECONFIG_PROD" "${OTHER-none}" "${LAIN_CLUSTER-none}"' >"$place/said"
expect "variables" "$(cat "$place/said")" "$secret|$secret|http://$secret|$secret|$secret|none||"
[[ ! -e $place/else/real/.docker ]] || die "a login went into the home"
grep -q CI_JOB_TOKEN "$place/argv" || die "nothing was recorded"
! grep "$secret" "$place/argv" >&2 || die "a value stands in the arguments"
as_user "${linked[@]}" LAIN_CLUSTER=test "$place/lain" build >"$place/said" 2>&1 || die "lain build: $(cat "$place/said")"
docker image rm "$(as_user "${linked[@]}" LAIN_CLUSTER=test "$place/lain" image)" >/dev/null
eval "$(as_user ssh-agent -a "$place/else/agent" -s | grep -v echo)"
as_user ssh-keygen -q -t ed25519 -N '' -C "$user" -f "$place/else/key"
as_user SSH_AUTH_SOCK="$place/else/agent" ssh-add -q "$place/else/key"
says "the agent" "$(as_user SSH_AUTH_SOCK="$place/else/agent" "$place/lain" <<<'ssh-add -l')" "$user"
kill "$SSH_AGENT_PID"
as_user mkdir "$place/home/.docker"
printf '{\n  "auths": {"r.example.com": {}},\n  "credsStore": "desktop"\n}\n' >"$place/home/.docker/config.json"
says "logins that a helper keeps" "$(lain tags 2>&1 || true)" "warning: docker-credential-desktop keeps logins of $place/home/.docker/config.json"
! lain <<<'docker pull 127.0.0.1:5000/lain/nothing' 2>&1 | grep credential || die "docker inside asks the helper"
grep -q '"credsStore": "desktop"' "$place/home/.docker/config.json" || die "the user's own file is changed"
rm -r "$place/home/.docker"

say "what is wrong, and what to type"
wrong() { # CODE WHAT NEXT COMMAND...
  local code=$1 what=$2 next=$3 got=0 told
  shift 3
  told=$("$@" 2>&1) || got=$?
  expect "$* exits" "$got" "$code"
  says "$*" "$told" "error: $what"
  says "$*" "$told" "next: $next"
}
mkdir "$place/bare"
for program in sh env id sed cat readlink uname ls awk head mkdir mv rm; do ln -s "$(type -P "$program")" "$place/bare/"; done
wrong 1 "neither docker nor podman is on PATH" "https://docs.docker.com/get-docker/" as_user PATH="$place/bare" "$place/lain" lint
wrong 2 "LAIN_CONTAINER_ENGINE: there is no program \`nothing\`" "LAIN_CONTAINER_ENGINE=docker" as_user LAIN_CONTAINER_ENGINE=nothing "$place/lain" lint
wrong 1 "docker does not answer at unix://$place/no.sock" "sudo systemctl start docker" as_user DOCKER_HOST="unix://$place/no.sock" "$place/lain" lint
wrong 1 "you may not talk to docker at unix://$place/daemon/docker.sock" "sudo usermod -aG docker" setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i "${base[@]}" "$place/lain" lint
wrong 2 "docker is at tcp://docker.example.com:2376" "env -u DOCKER_HOST" as_user DOCKER_HOST=tcp://docker.example.com:2376 "$place/lain" lint
wrong 1 "there is no image lain-nothing" "export LAIN_CONTAINER_IMAGE=" as_user LAIN_CONTAINER_IMAGE=lain-nothing "$place/lain" lint
wrong 1 "127.0.0.1:5000/lain/nothing cannot be pulled" "docker login 127.0.0.1:5000" as_user LAIN_CONTAINER_IMAGE=127.0.0.1:5000/lain/nothing "$place/lain" lint
cd /usr
wrong 2 "lain cannot work in /usr" "cd YOUR_APP" lain lint

say "podman"
# What rootless engines ask of a machine and this one may refuse: limits higher than the test's own.
cat >"$place/runtime" <<'RUNTIME'
#!/bin/bash
PATH=/usr/sbin:/usr/bin
bundle='' previous=''
for word; do
  case $previous in --bundle) bundle=$word ;; esac
  case $word in --bundle=*) bundle=${word#--bundle=} ;; esac
  previous=$word
done
if [[ -n $bundle ]]; then
  jq -c 'del(.process.rlimits, .process.oomScoreAdj)' "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
fi
exec runc "$@"
RUNTIME
chmod 755 "$place/runtime"
printf '[engine]\nruntime = "bare"\ncgroup_manager = "cgroupfs"\n[engine.runtimes]\nbare = ["%s"]\n' "$place/runtime" >"$place/containers.conf"
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\nrootless_storage_path = "%s"\n' "$place/store" "$place/run/containers" "$place/store" >"$place/storage.conf"
install -d -m 700 -o "$uid" -g "$gid" "$place/run" "$place/store"
cp --recursive --symbolic-link /usr/bin "$place/without docker"
rm "$place/without docker/docker"
become=(setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i HOME="$place/home" TERM=xterm XDG_RUNTIME_DIR="$place/run" CONTAINERS_CONF="$place/containers.conf"
  CONTAINERS_STORAGE_CONF="$place/storage.conf" LAIN_CONTAINER_IMAGE=lain:slim-test PATH="$place/without docker:/usr/sbin")
cd "$place/home"
docker save lain:slim-test | as_user podman load --quiet >"$place/said" 2>&1 || die "podman load: $(cat "$place/said")"
probing=("${become[@]}" "LAIN_CONTAINER_OPTIONS=--volume $place/probe:/usr/local/bin/lain:ro" "$place/lain")
expect "words" "$(probe run 'a  b' "it's" '' 中文 $'\n')" $'<run><a  b><it\'s><><中文><\n>'
expect "piped stdin" "$(printf 'a\nb' | probe sh cat)" $'a\nb'
got=0
probe exit 7 || got=$?
expect "exit code" "$got" 7
probe sh 'echo x >theirs; id -un' >"$place/said"
expect "who" "$(cat "$place/said") $(stat --format '%u:%g' theirs)" "$user $uid:$gid"
for name in 'with  space' 'a:b' 'it'\''s "a,b"' 中文; do same "in '$name'" "$place/else/$name/src/deep"; done
says "on a terminal" "$(typed "")" "yes yes yes"
wrong 1 "there is no image lain-nothing" "export LAIN_CONTAINER_IMAGE=" as_user LAIN_CONTAINER_IMAGE=lain-nothing "$place/lain" lint

say "docker that runs as the user itself"
# A daemon in the user's own namespaces; of the image as much as tells who one is there.
mkdir -p "$place/tiny/bin" "$place/tiny/usr/local/bin" "$place/tiny/tmp"
mapfile -t libraries < <(ldd /bin/busybox | grep -o '/[^ ]*')
(cd / && cp --parents --dereference "${libraries[@]}" "$place/tiny")
cp /bin/busybox "$place/tiny/bin/"
for program in sh id cat; do ln -s busybox "$place/tiny/bin/$program"; done
printf '#!/bin/sh\nshift\nexec "$@"\n' >"$place/tiny/bin/tini"
chmod 755 "$place/tiny/bin/tini"
cp "$place/probe" "$place/tiny/usr/local/bin/lain"
install -d -m 700 -o "$uid" -g "$gid" "$place/own"
mkdir "$place/proxy" && ln -s /bin/false "$place/proxy/rootlesskit-docker-proxy" # dockerd looks for it, also where no port is to be published
cat >"$place/daemon.sh" <<'DAEMON'
mount -t tmpfs tmpfs /run && ip link set lo up
exec dockerd --rootless --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/docker.sock" --iptables=false --bridge=none \
  --exec-opt native.cgroupdriver=cgroupfs --add-runtime "bare=$2" --default-runtime bare
DAEMON
setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i PATH="$place/proxy:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$place/home" XDG_RUNTIME_DIR="$place/own" ROOTLESSKIT_STATE_DIR="$place/own" \
  unshare --user --map-root-user --map-auto --net --mount --pid --mount-proc --fork --kill-child sh "$place/daemon.sh" "$place/own" "$place/runtime" >"$place/daemon.log" 2>&1 &
become=(setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i "${base[@]}" DOCKER_HOST="unix://$place/own/docker.sock" LAIN_CONTAINER_IMAGE=lain-tiny)
for _ in $(seq 100); do ! as_user docker version >/dev/null 2>&1 || break; sleep 0.2; done
tar --create --directory "$place/tiny" . | as_user docker import - lain-tiny >/dev/null || die "no docker of one's own: $(tail -5 "$place/daemon.log")"
as_user "$place/lain" sh 'echo x >own; id -u; cat /etc/passwd' >"$place/said"
expect "who" "$(cat "$place/said") $(stat --format '%u:%g' own)" "0"$'\n'"root:x:0:0::$place/home:/bin/sh $uid:$gid"
say "all green"
