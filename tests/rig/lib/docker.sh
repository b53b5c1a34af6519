# A docker daemon and a registry of our own.

dock() { docker --host "unix://$RUN/docker.sock" "$@"; }

# Where the kernel refuses the negative oom_score_adj that kubelet asks for, pods fail with
# "can't get final child's PID from pipe". This runtime asks for 0 instead.
oom_wrapper() {
  cat >"$RUN/runc-oom" <<'WRAPPER'
#!/usr/bin/env bash
bundle=
previous=
for word in "$@"; do
  case $previous in --bundle) bundle=$word ;; esac
  case $word in --bundle=*) bundle=${word#--bundle=} ;; esac
  previous=$word
done
if [[ -n $bundle && -f $bundle/config.json ]]; then
  jq -c 'if (.process.oomScoreAdj // 0) < 0 then .process.oomScoreAdj = 0 else . end' "$bundle/config.json" >"$bundle/config.json.new" &&
    mv "$bundle/config.json.new" "$bundle/config.json"
fi
exec runc "$@"
WRAPPER
  chmod +x "$RUN/runc-oom"
}

start_docker() {
  ! runs dockerd || return 0
  local runtime=() strays
  [[ ! -f $RUN/pid/dockerd ]] || tell "dockerd has died: starting it again; containers of pods are started again by kubelet"
  stop kubelet # started again below, where it looks at all containers anew
  clear_docker
  mkdir -p "$CACHE/docker" "$RUN/docker-exec"
  if ! (echo -998 >/proc/self/oom_score_adj) 2>/dev/null; then
    oom_wrapper
    runtime=(--add-runtime "oom=$RUN/runc-oom" --default-runtime oom)
  fi
  rm -f "$RUN/docker.sock"
  start dockerd dockerd --host "unix://$RUN/docker.sock" --data-root "$CACHE/docker" --exec-root "$RUN/docker-exec" \
    --pidfile "$RUN/dockerd.pid" --bip 172.17.0.1/16 --log-level warn "${runtime[@]}"
  wait_for 60 dock version
  # Those of pods are kubelet's to start again or to remove; where the cluster's data is gone they are nobody's.
  strays=$(dock ps -a --format '{{.ID}} {{.Names}}')
  [[ ! -d $RUN/etcd ]] || strays=$(grep -v ' k8s_' <<<"$strays" || true)
  if [[ -n $strays ]]; then
    tell "removing the stopped containers that belong to no pod: ${strays//$'\n'/, }"
    cut -d' ' -f1 <<<"$strays" | xargs -r docker --host "unix://$RUN/docker.sock" rm -f >/dev/null
  fi
  dock image prune --force >/dev/null # steps of builds whose image is gone: tests keep them, another may build on them
  iptables -P FORWARD ACCEPT # pods reach each other through the bridge
}

# start_registry [NAME [PORT [EXTRA_YAML]]]
start_registry() {
  local name=${1:-registry} port=${2:-${REGISTRY##*:}} extra=${3:-}
  ! runs "$name" || return 0
  mkdir -p "$RUN/$name-data"
  cat >"$RUN/$name.yml" <<YAML
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $RUN/$name-data}
  delete: {enabled: true}
http: {addr: "127.0.0.1:$port"}
$extra
YAML
  start "$name" docker-registry serve "$RUN/$name.yml"
  wait_for 20 curl -sf "http://127.0.0.1:$port/v2/"
}
