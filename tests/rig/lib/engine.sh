# A second docker engine, Debian 13's, with the containerd image store: the "docker daemon elsewhere" of the tests, and a BuildKit that is not
# the daemon's own builder. It runs in a root folder, mount and process namespace of its own, so that ending it ends all it started.
# Not in a container of the first engine: where the machine lacks a capability, docker refuses `--privileged`.

ENGINE=$CACHE/engine
ENGINE_HOST=tcp://127.0.0.1:${LAIN_RIG_ENGINE_PORT:-5010}
ENGINE_BRIDGE=lain-engine0 # the first engine has docker0
BUILDKIT=unix://$RUN/buildkit.sock
BUILDX=$TOOLS/docker-buildx/docker-buildx

engine() { docker --host "$ENGINE_HOST" "$@" 2>/dev/null; } # it repeats that its port has no TLS

make_engine() {
  local tar=$CACHE/images/engine.tar work
  if [[ ! -f $ENGINE/.done ]]; then
    [[ -f $tar ]] || rootfs "$tar" docker.io,docker-cli,docker-buildx,iptables
    rm -rf "$ENGINE"
    mkdir -p "$ENGINE"
    tar -C "$ENGINE" -xf "$tar"
    rm -f "$tar"
    touch "$ENGINE/.done"
  fi
  # The plugin serves the first engine too: with it `docker build` there uses BuildKit.
  if [[ ! -x $BUILDX ]]; then
    work=$(mktemp -d "$CACHE/rootfs.XXXXXX")
    cp "$ENGINE/usr/libexec/docker/cli-plugins/docker-buildx" "$work/docker-buildx"
    place "$work/docker-buildx" "$BUILDX"
    rm -rf "$work"
  fi
}

start_engine() {
  local inside
  make_engine
  ip link show "$ENGINE_BRIDGE" >/dev/null 2>&1 || ip link add "$ENGINE_BRIDGE" type bridge
  ip addr replace 172.30.0.1/24 dev "$ENGINE_BRIDGE"
  ip link set "$ENGINE_BRIDGE" up
  mkdir -p "$CACHE/engine-data" "$ENGINE/etc/docker" "$ENGINE/var/lib/docker"
  cat >"$ENGINE/etc/docker/daemon.json" <<JSON
{"features": {"containerd-snapshotter": true}, "bridge": "$ENGINE_BRIDGE", "iptables": false, "ip6tables": false,
 "hosts": ["$ENGINE_HOST"], "tls": false, "log-level": "warn"}
JSON
  # The mounts go with the namespace.
  # shellcheck disable=SC2016
  inside='set -e
mount --bind "$1" "$1" # dockerd remounts /, so / is to be a mount
mount --bind "$2" "$1/var/lib/docker"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
cp /etc/resolv.conf "$1/etc/resolv.conf"
exec chroot "$1" dockerd'
  start engine unshare --mount --pid --fork --kill-child bash -c "$inside" inside "$ENGINE" "$CACHE/engine-data"
  wait_for 60 engine version
  engine image prune --force >/dev/null # what tests of the last run left without a name
  engine image inspect debian:trixie-slim >/dev/null ||
    engine import --change 'CMD ["bash"]' --change 'ENV LANG=C.UTF-8' "$CACHE/images/debian_trixie-slim.tar" debian:trixie-slim >/dev/null
}

# Its BuildKit alone, as `docker buildx create --driver remote` reaches a rootless one.
start_buildkit() {
  local config=$RUN/buildkit-docker
  mkdir -p "$config/cli-plugins"
  ln -sf "$BUILDX" "$config/cli-plugins/docker-buildx"
  rm -f "$RUN/buildkit.sock"
  start buildkit env DOCKER_CONFIG="$config" DOCKER_HOST="$ENGINE_HOST" \
    socat "UNIX-LISTEN:$RUN/buildkit.sock,fork" "EXEC:docker buildx dial-stdio --progress quiet"
  wait_for 20 test -S "$RUN/buildkit.sock"
}

stop_engine() {
  local pid
  stop buildkit
  if runs engine; then
    read -r pid _ <"$RUN/pid/engine"
    pgrep -P "$pid" | xargs -r kill 2>/dev/null || true # `unshare` itself passes no signal on
  fi
  stop engine
  ip link delete "$ENGINE_BRIDGE" 2>/dev/null || true
}
