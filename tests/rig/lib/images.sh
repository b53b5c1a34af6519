# Base images. Nothing can be pulled on a machine that reaches only package registries, so they are made
# from Debian packages and imported under the names that Dockerfiles ask for.

# Where the python and node images have what the examples install, and pip and npm look nowhere else: the many builds of a run of the tests do not hang on
# a network.
PYTHON_WHEELS=/usr/share/python-wheels-of-the-rig
NODE_PACKAGES=/usr/share/node-packages-of-the-rig
BASES=(debian:trixie-slim python:3.13-slim node:22-slim nginxinc/nginx-unprivileged:1.27 lain-ci-helper:local rust:trixie)

import_images() {
  local image told
  for image in "${BASES[@]}"; do
    told=$(dock image inspect --format '{{index .Config.Labels "lain.rig.revision"}}' "$image" 2>/dev/null || echo none)
    [[ ${told:-1} == "$(revision "$image")" ]] || make_image "$image"
  done
}

# Raised when what is in an image changes: a rig that has an older one makes it anew.
revision() {
  case $1 in
    python:*) echo "2-$(requirements | sha256sum | head -c 8)" ;;
    node:*) echo "2-$(cat "$HERE"/../../examples/*/package-lock.json | sha256sum | head -c 8)" ;;
    *) echo 1 ;;
  esac
}

requirements() { sort -u "$HERE"/../../examples/*/requirements.txt; }

make_image() {
  local image=$1 name tar
  name=${image//[:\/]/_}
  tar=$CACHE/images/$name.tar
  [[ $(revision "$image") == 1 ]] || tar=$CACHE/images/$name-$(revision "$image").tar
  mkdir -p "$CACHE/images"
  if [[ ! -f $tar ]]; then
    case $image in
      debian:*) rootfs "$tar" '' ;;
      # Like the public image of that name: python and pip3 on PATH, and pip may install system-wide.
      python:*) rootfs "$tar" python3,python3-pip python_extras ;;
      # Of the age that Debian has; npm comes from its registry, Debian's would bring hundreds of packages.
      node:*) rootfs "$tar" nodejs node_extras ;;
      nginxinc/*) rootfs "$tar" nginx-light nginx_extras ;;
      lain-ci-helper:*) rootfs "$tar" bash,git,rsync,zip,unzip,curl,jq ;;
      rust:*) rootfs "$tar" gcc,libc6-dev,pkg-config,git rust_extras ;;
    esac
  fi
  local changes=(--change 'CMD ["bash"]' --change 'ENV LANG=C.UTF-8' --change "LABEL lain.rig.revision=$(revision "$image")")
  [[ $image != rust:* ]] || changes+=(--change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'ENV CARGO_HOME=/usr/local/cargo')
  [[ $image != python:* ]] || changes+=(--change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' --change 'ENV PIP_ROOT_USER_ACTION=ignore'
    --change "ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=$PYTHON_WHEELS")
  [[ $image != node:* ]] || changes+=(--change "ENV NPM_CONFIG_OFFLINE=true NPM_CONFIG_CACHE=$NODE_PACKAGES" --change 'ENV NPM_CONFIG_UPDATE_NOTIFIER=false')
  [[ $image != nginxinc/* ]] || changes+=(--change 'USER 101')
  dock import "${changes[@]}" "$tar" "$image" >/dev/null
}

rootfs() {
  local tar=$1 packages=ca-certificates${2:+,$2} extras=${3:-} work
  work=$(mktemp -d "$CACHE/rootfs.XXXXXX")
  debootstrap --variant=minbase --include="$packages" trixie "$work/root" "$(debian_uri)"
  host_certificates "$work/root"
  [[ -z $extras ]] || "$extras" "$work/root"
  rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists" "$work/root/usr/share/doc" "$work/root/usr/share/man"
  mkdir -p "$work/root/var/cache/apt/archives/partial" "$work/root/var/lib/apt/lists/partial"
  tar -C "$work/root" -cf "$tar.new" .
  mv "$tar.new" "$tar"
  rm -rf "$work"
}

# A company's own CA is trusted inside as it is on the host.
host_certificates() {
  local root=$1
  mkdir -p "$root/usr/local/share/ca-certificates"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true
  chroot "$root" update-ca-certificates >/dev/null
}

python_extras() {
  local root=$1
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  ln -sf python3 "$root/usr/bin/python"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  requirements >"$root/tmp/requirements.txt"
  chroot "$root" env -u PIP_FIND_LINKS PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_RETRIES=9 PIP_RESUME_RETRIES=9 PIP_DEFAULT_TIMEOUT=30 \
    pip3 download --quiet --only-binary :all: --dest "$PYTHON_WHEELS" --requirement /tmp/requirements.txt
  rm "$root/tmp/requirements.txt" "$root/etc/resolv.conf"
}

node_extras() {
  local root=$1 work lock
  install_npm
  work=$(mktemp -d "$CACHE/rootfs.XXXXXX")
  (cd "$work" && npm pack --silent npm@10.9.4 >/dev/null)
  mkdir -p "$root/usr/lib/node_modules/npm" "$root$NODE_PACKAGES"
  tar -C "$root/usr/lib/node_modules/npm" --strip-components 1 -xzf "$work"/npm-*.tgz
  local program
  for program in npm npx; do ln -sf "../lib/node_modules/npm/bin/$program-cli.js" "$root/usr/bin/$program"; done
  for lock in "$HERE"/../../examples/*/package-lock.json; do
    mkdir "$work/app"
    cp "$lock" "${lock%-lock.json}.json" "$work/app/"
    (cd "$work/app" && npm ci --silent --ignore-scripts --no-fund --no-audit --cache "$root$NODE_PACKAGES")
    rm -r "$work/app"
  done
  chmod -R a+rwX "$root$NODE_PACKAGES"
  rm -rf "$work"
}

# Like the public image of that name: serves /usr/share/nginx/html at 8080, as a user without rights.
nginx_extras() {
  local root=$1
  rm -rf "$root/etc/nginx/sites-enabled/default" "$root/usr/share/nginx/html"
  mkdir -p "$root/usr/share/nginx/html"
  sed -i -e '/^user /d' -e 's,^pid .*,pid /tmp/nginx.pid;,' -e 's,access_log .*,access_log /dev/stdout;,' "$root/etc/nginx/nginx.conf"
  sed -i -e '1i error_log /dev/stderr notice;' -e '/^error_log \/var/d' "$root/etc/nginx/nginx.conf"
  cat >"$root/etc/nginx/conf.d/default.conf" <<'CONF'
server {
  listen 8080;
  root /usr/share/nginx/html;
}
CONF
  chmod -R a+rwX "$root/var/lib/nginx" "$root/var/log/nginx"
  echo 'nginx:x:101:101:nginx:/nonexistent:/usr/sbin/nologin' >>"$root/etc/passwd"
}

rust_extras() {
  local root=$1 toolchain
  toolchain=$(rustc --print sysroot)
  mkdir -p "$root/usr/local/rust" "$root/usr/local/cargo/bin"
  tar -C "$toolchain" --exclude=share --exclude=etc -cf - . | tar -C "$root/usr/local/rust" -xf -
  local program
  for program in cargo rustc rustdoc; do ln -sf "/usr/local/rust/bin/$program" "$root/usr/local/cargo/bin/$program"; done
}
