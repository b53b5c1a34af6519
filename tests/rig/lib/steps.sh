# Steps with a time and a log, and processes that are stopped by the id they were started with.

exec 3>&2 # what `tell` says reaches the caller from inside a step too
note() { printf 'rig: %s\n' "$*" >&2; }
tell() { printf 'rig: %s\n' "$*" >&3; }
die() { printf 'rig: %s\n' "$*" >&2; exit 1; }

# step TITLE FUNCTION: runs it with its output in a log; on failure shows the end of that log.
step() {
  local title=$1 started=$SECONDS log
  mkdir -p "$RUN/log"
  log=$RUN/log/step-$2.log
  # Not `if "$2"`: a condition would switch `set -e` off inside the function.
  set +e
  (set -e; "$2") >"$log" 2>&1
  local code=$?
  set -e
  if [[ $code -ne 0 ]]; then
    note "$title: failed after $((SECONDS - started)) s; the end of $log:"
    tail -n 30 "$log" >&2
    exit 1
  fi
  note "$title: $((SECONDS - started)) s"
}

# start NAME COMMAND...: in the background, out of this shell's session; remembers its id and its start time,
# so that a recycled id is never taken for ours.
start() {
  local name=$1
  shift
  # The last words of the one before, which may have crashed, stay to be read.
  [[ ! -f $RUN/log/$name.log ]] || mv "$RUN/log/$name.log" "$RUN/log/$name.old.log"
  # fd 9 is the lock; a daemon that held it would hold it for ever. fd 3 may be a pipe that somebody reads to its end.
  setsid nohup "$@" >"$RUN/log/$name.log" 2>&1 </dev/null 3>&- 9>&- &
  local pid=$!
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$RUN/pid/$name"
}

# ensure NAME COMMAND...: leaves alone what runs by just these words; what runs by others (another build, other options) is replaced.
ensure() {
  local name=$1 pid
  shift
  if runs "$name"; then
    read -r pid _ <"$RUN/pid/$name"
    ! cmp -s <(printf '%s\0' "$@") "/proc/$pid/cmdline" || return 0
    tell "$name: another build of it runs, or with other options: replacing it"
    stop "$name"
  elif [[ -f $RUN/pid/$name ]]; then
    tell "$name has died (log: $RUN/log/$name.old.log): starting it again"
  fi
  start "$name" "$@"
}

# Ticks since this boot; the boot's own id beside them, because ticks start anew.
start_time() { echo "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20)@$(cat /proc/sys/kernel/random/boot_id)"; }

runs() {
  local pid since
  [[ -f $RUN/pid/$1 ]] || return 1
  read -r pid since <"$RUN/pid/$1" || return 1
  # A dead one stays in /proc until its parent, by now the machine's first process, asks for it.
  [[ -d /proc/$pid && $(start_time "$pid") == "$since" && $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) != [ZX]* ]]
}

stop() {
  local name=$1 pid tries=${2:-100}
  if runs "$name"; then
    read -r pid _ <"$RUN/pid/$name"
    kill "$pid" 2>/dev/null || true
    while runs "$name" && ((tries-- > 0)); do sleep 0.1; done
    runs "$name" && kill -9 "$pid" 2>/dev/null
  fi
  rm -f "$RUN/pid/$name"
}

# wait_for SECONDS COMMAND...
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "waited in vain for: $*"; return 1; }
    sleep 0.3
  done
}

SERVICES=(kube-proxy kubelet kube-scheduler kube-controller-manager kube-apiserver etcd registry dockerd)

stop_all() {
  local name containers
  stop kubelet
  stop_engine
  if runs dockerd; then
    containers=$(dock ps -aq 2>/dev/null || true)
    # shellcheck disable=SC2086
    [[ -z $containers ]] || dock rm -f $containers >/dev/null 2>&1 || true
  fi
  for name in "${SERVICES[@]}"; do stop "$name"; done
  clear_docker
  # kubelet leaves the tmpfs mounts of Secrets behind, and a mount of its own folder.
  awk -v root="$RUN/kubelet" 'index($2, root) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null || true
  rm -rf "$RUN/etcd" "$RUN/kubelet"
  if command -v iptables-save >/dev/null && iptables-save 2>/dev/null | grep -q '^:KUBE-'; then
    iptables-save | grep -v KUBE- | iptables-restore || true
  fi
}

# dockerd killed the hard way leaves its containerd behind, and the shim and the processes of each container.
clear_docker() {
  local pid
  pid=$(cat "$RUN/docker-exec/containerd/containerd.pid" 2>/dev/null || true)
  if [[ -n $pid && -e /proc/$pid/cmdline ]] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$RUN/docker-exec"; then
    kill "$pid" 2>/dev/null || true
    sleep 1
  fi
  for pid in $(pgrep -f -- "^[^ ]*containerd-shim[^ ]* .*-address $RUN/docker-exec/" || true); do
    pgrep -P "$pid" | xargs -r kill -9 2>/dev/null || true
    kill -9 "$pid" 2>/dev/null || true
  done
  awk -v root="$RUN/docker-exec/" 'index($2, root) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null || true
  rm -rf "$RUN/docker-exec" "$RUN/dockerd.pid"
}

show_status() {
  local name pid
  for name in "${SERVICES[@]}" engine buildkit; do
    if runs "$name"; then
      read -r pid _ <"$RUN/pid/$name"
      printf '%-24s runs, pid %s, log %s\n' "$name" "$pid" "$RUN/log/$name.log"
    else
      printf '%-24s does not run\n' "$name"
    fi
  done
}
