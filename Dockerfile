# The image for CI: lain, helm, kubectl, the docker CLI, git and what pipelines need around them.
#
#   docker build -t lain .
#
# Files in vendor/ replace downloads and compiling: see vendor/README.md. Any docker builds it, with BuildKit or without.

ARG RUST_IMAGE=rust:trixie
ARG BASE_IMAGE=debian:trixie-slim

# The five binaries, compiled or from vendor/bin.
FROM $RUST_IMAGE AS build
# A crates.io mirror: sparse+https://HOST/PATH/
ARG CRATES_MIRROR=
COPY vendor/README.md vendor/c[a] /usr/local/share/ca-certificates/lain/
RUN if ls /usr/local/share/ca-certificates/lain/*.crt >/dev/null 2>&1 && command -v update-ca-certificates >/dev/null; then \
      update-ca-certificates; \
    fi
WORKDIR /src
COPY . .
RUN set -eu; \
    mkdir /out; \
    if [ -e vendor/bin/lain ]; then \
      for name in lain lain-render lain-build lain-deploy lain-notify; do install -m 755 "vendor/bin/$name" /out/; done; \
      exit; \
    fi; \
    set --; \
    if [ -n "$CRATES_MIRROR" ]; then \
      set -- --config 'source.crates-io.replace-with="mirror"' --config "source.mirror.registry=\"$CRATES_MIRROR\""; \
    fi; \
    cargo build --release --locked --bins "$@"; \
    for name in lain lain-render lain-build lain-deploy lain-notify; do install -m 755 "${CARGO_TARGET_DIR:-target}/release/$name" /out/; done

# Debian's part, with the certificates that builds behind a company proxy need.
FROM $BASE_IMAGE AS base
# A Debian mirror: https://HOST/debian
ARG APT_MIRROR=
# What pipelines use besides; give another list, or an empty one for a small image.
ARG TOOL_PACKAGES="bind9-dnsutils default-mysql-client docker-buildx docker-compose git-lfs iputils-ping postgresql-client redis-tools rsync unzip vim-tiny yq zip"
# More Debian packages, separated by spaces.
ARG EXTRA_PACKAGES=
ENV LANG=C.UTF-8
COPY vendor/README.md vendor/c[a] /usr/local/share/ca-certificates/lain/
RUN set -eu; \
    ca=/usr/local/share/ca-certificates/lain; \
    rm -f "$ca/README.md"; \
    if ls "$ca"/*.crt >/dev/null 2>&1; then \
      mkdir -p /etc/ssl/certs; \
      cat "$ca"/*.crt >/etc/ssl/lain.pem; \
      echo 'Acquire::https::CAInfo "/etc/ssl/lain.pem";' >/etc/apt/apt.conf.d/99lain; \
    fi; \
    if [ -n "$APT_MIRROR" ]; then \
      for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do \
        [ ! -f "$list" ] || sed -i -E "s#https?://deb\.debian\.org/debian/?([[:space:]]|\$)#$APT_MIRROR\1#; s#https?://deb\.debian\.org/debian-security/?([[:space:]]|\$)#$APT_MIRROR-security\1#" "$list"; \
      done; \
    fi; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get update; \
    apt-get install --yes --no-install-recommends \
      bash-completion ca-certificates curl docker-cli git jq openssh-client tini zsh \
      $TOOL_PACKAGES $EXTRA_PACKAGES; \
    update-ca-certificates; \
    rm -rf /etc/apt/apt.conf.d/99lain /etc/ssl/lain.pem /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log

# helm and kubectl, downloaded and checked or from vendor/bin.
FROM base AS tools
ARG HELM_VERSION=3.17.3
ARG HELM_SHA256_AMD64=ee88b3c851ae6466a3de507f7be73fe94d54cbf2987cbaa3d1a3832ea331f2cd
ARG HELM_SHA256_ARM64=7944e3defd386c76fd92d9e6fec5c2d65a323f6fadc19bfb5e704e3eee10348e
ARG HELM_DOWNLOADS=https://get.helm.sh
ARG KUBECTL_VERSION=1.31.9
ARG KUBECTL_SHA256_AMD64=720d31a15368ad56993c127a7d4fa2688a8520029c2e6be86b1a877ad6f92624
ARG KUBECTL_SHA256_ARM64=1e6de599df408824f13602d73333c08c3528cfa5d6c8c98c633868a966882129
ARG KUBECTL_DOWNLOADS=https://dl.k8s.io/release
COPY vendor /vendor
RUN set -eu; \
    arch=$(dpkg --print-architecture); \
    case "$arch" in \
      amd64) helm_sum=$HELM_SHA256_AMD64 kubectl_sum=$KUBECTL_SHA256_AMD64 ;; \
      arm64) helm_sum=$HELM_SHA256_ARM64 kubectl_sum=$KUBECTL_SHA256_ARM64 ;; \
      *) helm_sum= kubectl_sum= ;; \
    esac; \
    fetch() { \
      [ -n "$3" ] || { echo "no checksum of $1 for $arch; put the program into vendor/bin" >&2; return 1; }; \
      curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"; \
      echo "$3  $2" | sha256sum --check --quiet -; \
    }; \
    mkdir /out; \
    if [ -e /vendor/bin/helm ]; then cp /vendor/bin/helm /out/helm; else \
      fetch "$HELM_DOWNLOADS/helm-v$HELM_VERSION-linux-$arch.tar.gz" /tmp/helm.tar.gz "$helm_sum"; \
      tar -xzf /tmp/helm.tar.gz -C /out --strip-components=1 "linux-$arch/helm"; \
    fi; \
    if [ -e /vendor/bin/kubectl ]; then cp /vendor/bin/kubectl /out/kubectl; else \
      fetch "$KUBECTL_DOWNLOADS/v$KUBECTL_VERSION/bin/linux/$arch/kubectl" /out/kubectl "$kubectl_sum"; \
    fi; \
    chmod 755 /out/helm /out/kubectl

FROM base
COPY --from=tools /out/ /usr/local/bin/
COPY --from=build /out/ /usr/local/bin/
# The entrypoint does two things before the command:
# - A uid without an entry in /etc/passwd has / as its home; it gets one it can write to, and not one that is shared with the host as /tmp may be.
# - GitLab's DOCKER_AUTH_CONFIG becomes the config.json that docker and lain read, unless there is one.
RUN set -eu; \
    printf '%s\n' \
      '#!/bin/sh' \
      '[ -w "${HOME:-/}" ] || export HOME=/home/lain' \
      'config=${DOCKER_CONFIG:-$HOME/.docker}/config.json' \
      'if [ -n "${DOCKER_AUTH_CONFIG:-}" ] && [ ! -e "$config" ]; then' \
      '  (umask 077 && mkdir -p "${config%/*}" && printf "%s\n" "$DOCKER_AUTH_CONFIG" >"$config") || echo "lain-entrypoint: cannot write $config" >&2' \
      'fi' \
      'exec "$@"' >/usr/local/bin/lain-entrypoint; \
    chmod 755 /usr/local/bin/lain-entrypoint; \
    mkdir -p /usr/share/lain/cluster_values /usr/share/bash-completion/completions /usr/local/share/zsh/site-functions; \
    install -d -m 1777 /home/lain; \
    git config --system safe.directory '*'; \
    lain completions bash >/usr/share/bash-completion/completions/lain; \
    lain completions zsh >/usr/local/share/zsh/site-functions/_lain; \
    helm completion bash >/usr/share/bash-completion/completions/helm; \
    kubectl completion bash >/usr/share/bash-completion/completions/kubectl; \
    printf '%s\n' 'autoload -Uz compinit && compinit -u' >>/etc/zsh/zshrc; \
    printf '%s\n' '. /usr/share/bash-completion/bash_completion' >>/etc/bash.bashrc
ENTRYPOINT ["tini", "--", "lain-entrypoint"]
CMD ["bash"]
