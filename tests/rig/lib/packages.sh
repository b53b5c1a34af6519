# Debian packages, installed only where something is missing.

PACKAGES=(docker.io iptables etcd-server conntrack socat ebtables docker-registry debootstrap
  ca-certificates curl git gcc libc6-dev golang-go golang-github-modern-go-reflect2-dev rsync jq iproute2 dpkg-dev openssl unzip xz-utils prometheus prometheus-alertmanager strace chromium-headless-shell age
  podman uidmap openssh-client shellcheck mksh busybox tmux zsh fish)

install_packages() {
  local missing=() package
  for package in "${PACKAGES[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  echo "installing ${missing[*]}"
  # A package's own daemon must not start: the rig starts its own, on its own ports and folders.
  local policy=/usr/sbin/policy-rc.d made=
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  local code=0
  apt_get update || true # one broken foreign source must not stop us
  DEBIAN_FRONTEND=noninteractive apt_get install -y --no-install-recommends "${missing[@]}" || code=$?
  [[ -z $made ]] || rm -f "$policy"
  return "$code"
}

apt_get() { apt-get -q -o DPkg::Lock::Timeout=600 "$@"; }

# The mirror this machine itself uses, from its own sources.
debian_uri() {
  local uri
  uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  [[ -n $uri ]] || uri=$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) bookworm main.*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
  [[ -n $uri ]] || { echo "no Debian mirror in /etc/apt/sources.list or /etc/apt/sources.list.d/debian.sources" >&2; return 1; }
  echo "$uri"
}

# A source package's files, into the current folder.
apt_source_files() {
  local dir=$PWD/apt package=$1
  mkdir -p "$dir/lists/partial"
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm main\n' "$(debian_uri)" >"$dir/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$dir/lists")
  apt_get "${options[@]}" update
  apt_get "${options[@]}" source --download-only "$package"
}
