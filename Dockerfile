# The image for CI: lain, helm, kubectl, the docker CLI, git, and in `full` (the one that is built without --target) all that pipelines use besides.
#
#   docker build -t lain .
#   docker build --target slim -t lain:slim .
#
# Files in vendor/ replace downloads and compiling: see vendor/README.md. Any docker builds it, with BuildKit or without.

ARG RUST_IMAGE=rust:trixie
ARG BASE_IMAGE=debian:trixie-slim

# lain, compiled or from vendor/bin, and its other four names.
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
    for name in lain-render lain-build lain-deploy lain-notify; do ln -s lain "/out/$name"; done; \
    if [ -e vendor/bin/lain ]; then install -m 755 vendor/bin/lain /out/; exit; fi; \
    set --; \
    if [ -n "$CRATES_MIRROR" ]; then \
      set -- --config 'source.crates-io.replace-with="mirror"' --config "source.mirror.registry=\"$CRATES_MIRROR\""; \
    fi; \
    cargo build --release --locked --bin lain "$@"; \
    install -m 755 "${CARGO_TARGET_DIR:-target}/release/lain" /out/

# Debian's part of `slim`, with the certificates that builds behind a company proxy need.
FROM $BASE_IMAGE AS base
# A Debian mirror: https://HOST/debian
ARG APT_MIRROR=
ARG SLIM_PACKAGES="ca-certificates curl docker-buildx docker-cli git openssh-client tini"
COPY vendor/README.md vendor/c[a] /usr/local/share/ca-certificates/lain/
COPY vendor/install vendor/README.md vendor/ap[t] /vendor/apt/
# uid 1001 has a name: ssh runs for nobody without one.
RUN sh /vendor/apt/install $SLIM_PACKAGES && rm -rf /vendor && \
    mkdir -p /usr/share/lain/cluster_values && install -d -m 1777 /home/lain && git config --system safe.directory '*' && \
    echo 'lain:x:1001:' >>/etc/group && echo 'lain:x:1001:1001::/home/lain:/bin/bash' >>/etc/passwd
COPY LICENSE-APACHE LICENSE-MIT docs/licences.md /usr/share/doc/lain/

# Debian's part of `full`.
FROM base AS more
ARG APT_MIRROR=
# What pipelines use besides; give another list for another image.
ARG TOOL_PACKAGES="bash-completion bind9-dnsutils default-mysql-client docker-compose git-lfs iputils-ping jq postgresql-client redis-tools rsync unzip vim-tiny yq zip zsh"
# More Debian packages, separated by spaces.
ARG EXTRA_PACKAGES=
COPY vendor/install vendor/README.md vendor/ap[t] /vendor/apt/
RUN sh /vendor/apt/install $TOOL_PACKAGES $EXTRA_PACKAGES && rm -rf /vendor

# helm 4 and 3, kubectl and stern, downloaded and checked or from vendor/bin. vendor/check-versions tells of newer ones.
FROM base AS tools
ARG HELM_VERSION=4.3.0
ARG HELM_SHA256_AMD64=86584a54def73570558f66f5111cc53dfed56689637ae32c1201205d494f54fb
ARG HELM_SHA256_ARM64=31c5794dd55c66a51e6b7d2e2ac7a114ae8b1de41ff1d9ba51748ac973b06a08
ARG HELM3_VERSION=3.22.0
ARG HELM3_SHA256_AMD64=1e4ab49e429626cf6c6958d914248b78c9730803c2751b87627e171dc800e7bb
ARG HELM3_SHA256_ARM64=f14e804dfee240f55525b667488fe9adca349e63e00c9af634c0beb1421ac310
ARG HELM_DOWNLOADS=https://get.helm.sh
ARG KUBECTL_VERSION=1.37.1
ARG KUBECTL_SHA256_AMD64=65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8
ARG KUBECTL_SHA256_ARM64=ff749f4b78d9c4f1ec87307df9b50119ed819e2094aa9810cb9acffc3286c8c7
ARG KUBECTL_DOWNLOADS=https://dl.k8s.io/release
# Empty: without stern; lain logs uses kubectl unless --stern asks for it.
ARG STERN_VERSION=1.34.0
ARG STERN_SHA256_AMD64=7754adfa653939240f7d20fff4ada9b69cda40c9e70732301f67bb8045f1ef3e
ARG STERN_SHA256_ARM64=e215cfc5e42d71e93b77d3fac8f0df7d736271f44b2d92a5b417eaa588edff3a
ARG STERN_DOWNLOADS=https://github.com/stern/stern/releases/download
COPY vendor /vendor
RUN set -eu; \
    arch=$(dpkg --print-architecture); \
    sum() { case "$arch" in amd64) echo "$1" ;; arm64) echo "$2" ;; esac; }; \
    fetch() { \
      [ -n "$3" ] || { echo "no checksum of $1 for $arch; put the program into vendor/bin" >&2; return 1; }; \
      curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"; \
      echo "$3  $2" | sha256sum --check --quiet -; \
    }; \
    helm() { \
      if [ -e "/vendor/bin/$1" ]; then cp "/vendor/bin/$1" "/out/$1"; return; fi; \
      fetch "$HELM_DOWNLOADS/helm-v$2-linux-$arch.tar.gz" "/tmp/$1.tar.gz" "$3"; \
      tar -xzf "/tmp/$1.tar.gz" -C /tmp "linux-$arch/helm"; \
      mv "/tmp/linux-$arch/helm" "/out/$1"; \
    }; \
    mkdir /out; \
    helm helm "$HELM_VERSION" "$(sum "$HELM_SHA256_AMD64" "$HELM_SHA256_ARM64")"; \
    helm helm3 "$HELM3_VERSION" "$(sum "$HELM3_SHA256_AMD64" "$HELM3_SHA256_ARM64")"; \
    if [ -e /vendor/bin/kubectl ]; then cp /vendor/bin/kubectl /out/kubectl; else \
      fetch "$KUBECTL_DOWNLOADS/v$KUBECTL_VERSION/bin/linux/$arch/kubectl" /out/kubectl "$(sum "$KUBECTL_SHA256_AMD64" "$KUBECTL_SHA256_ARM64")"; \
    fi; \
    if [ -e /vendor/bin/stern ]; then cp /vendor/bin/stern /out/stern; elif [ -n "$STERN_VERSION" ]; then \
      fetch "$STERN_DOWNLOADS/v$STERN_VERSION/stern_${STERN_VERSION}_linux_$arch.tar.gz" /tmp/stern.tar.gz "$(sum "$STERN_SHA256_AMD64" "$STERN_SHA256_ARM64")"; \
      tar -xzf /tmp/stern.tar.gz -C /out stern; \
    fi; \
    chown root:root /out/*; \
    chmod 755 /out/*

# What makes Debian's part ours, for both images:
# - the entrypoint gives a uid without an entry in /etc/passwd, whose home is /, one that it can write to; lain itself needs none. It gives docker by itself
#   the logins of GitLab's DOCKER_AUTH_CONFIG, unless there is a config.json; lain reads them itself.
# - git asks lain-git-askpass: the job's token is the login at the pipeline's own GitLab, and nowhere else.
# - prompts show the cluster.
# git-lfs writes its filters in an order of its own each time: they are written here.
FROM base AS ours
RUN set -eu; \
    mkdir -p /out/bin /out/etc; \
    printf '%s\n' \
      '#!/bin/sh' \
      '[ -w "${HOME:-/}" ] || export HOME=/home/lain' \
      'config=${DOCKER_CONFIG:-$HOME/.docker}/config.json' \
      'if [ -n "${DOCKER_AUTH_CONFIG:-}" ] && [ ! -e "$config" ]; then' \
      '  (umask 077 && mkdir -p "${config%/*}" && printf "%s\n" "$DOCKER_AUTH_CONFIG" >"$config") || echo "lain-entrypoint: cannot write $config" >&2' \
      'fi' \
      'exec "$@"' >/out/bin/lain-entrypoint; \
    printf '%s\n' \
      '#!/bin/sh' \
      '# git asks: Username for '\''https://HOST'\'': / Password for '\''https://USER@HOST'\'': ; with credential.useHttpPath a path follows the host.' \
      'asked=${1#*\'\''}' \
      'asked=${asked%\'\''*}' \
      'scheme=${CI_SERVER_URL%%://*}' \
      'server=${CI_SERVER_URL#*://}' \
      'server=${server%/}' \
      'if [ -n "${CI_JOB_TOKEN:-}" ] && [ -n "$server" ]; then' \
      '  case "$1|$asked/" in' \
      '    "Username "*"|$scheme://$server/"*) echo gitlab-ci-token; exit ;;' \
      '    "Password "*"|$scheme://gitlab-ci-token@$server/"*) printf "%s\n" "$CI_JOB_TOKEN"; exit ;;' \
      '  esac' \
      'fi' \
      '# Another host: whoever sits at the terminal.' \
      '{ exec </dev/tty; } 2>/dev/null || exit 1' \
      'printf "%s" "$1" >/dev/tty' \
      'case "$1" in Password*) stty -echo; trap "stty echo" EXIT ;; esac' \
      'IFS= read -r answer && printf "%s\n" "$answer"' >/out/bin/lain-git-askpass; \
    chmod 755 /out/bin/*; \
    printf '%s\n' \
      '# The cluster that lain acts on, for prompts.' \
      'lain_cluster() {' \
      '  set -- "${LAIN_CLUSTER:-$(readlink ~/.kube/config 2>/dev/null)}"' \
      '  set -- "${1##*/}"' \
      '  [ -z "$1" ] || printf "(%s) " "${1#kubeconfig-}"' \
      '}' >/out/etc/lain-prompt

FROM scratch AS slim
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 GIT_ASKPASS=/usr/local/bin/lain-git-askpass
COPY --from=base / /
COPY --from=ours /out/bin/ /usr/local/bin/
COPY --from=tools /out/helm /out/kubectl /usr/local/bin/
COPY --from=build /out/ /usr/local/bin/
ENTRYPOINT ["tini", "--", "lain-entrypoint"]
CMD ["sh"]

FROM scratch AS full
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 GIT_ASKPASS=/usr/local/bin/lain-git-askpass
COPY --from=more / /
COPY --from=ours /out/bin/ /usr/local/bin/
COPY --from=ours /out/etc/lain-prompt /etc/lain-prompt
COPY --from=tools /out/ /usr/local/bin/
COPY --from=build /out/ /usr/local/bin/
RUN set -eu; \
    mkdir -p /usr/share/bash-completion/completions /usr/local/share/zsh/site-functions; \
    rm -f /etc/gitconfig; \
    git config --system safe.directory '*'; \
    if command -v git-lfs >/dev/null; then \
      for name in clean smudge; do git config --system "filter.lfs.$name" "git-lfs $name -- %f"; done; \
      git config --system filter.lfs.process 'git-lfs filter-process'; \
      git config --system filter.lfs.required true; \
    fi; \
    for name in helm helm3 kubectl stern; do \
      ! command -v "$name" >/dev/null || [ ! -d /usr/share/bash-completion ] || case "$name" in \
        stern) stern --completion bash >/usr/share/bash-completion/completions/stern ;; \
        helm3) ;; \
        *) "$name" completion bash >"/usr/share/bash-completion/completions/$name"; "$name" completion zsh >"/usr/local/share/zsh/site-functions/_$name" ;; \
      esac; \
    done; \
    lain completions bash >/usr/share/bash-completion/completions/lain; \
    lain completions zsh >/usr/local/share/zsh/site-functions/_lain; \
    mkdir -p /etc/zsh; \
    printf '%s\n' 'autoload -Uz compinit && compinit -u' 'setopt prompt_subst' '. /etc/lain-prompt' \
      'PROMPT="%F{yellow}\$(lain_cluster)%f%~ %# "' >>/etc/zsh/zshrc; \
    printf '%s\n' '[ ! -f /usr/share/bash-completion/bash_completion ] || . /usr/share/bash-completion/bash_completion' '. /etc/lain-prompt' \
      'PS1="\[\e[33m\]\$(lain_cluster)\[\e[0m\]\w \\\$ "' >>/etc/bash.bashrc
ENTRYPOINT ["tini", "--", "lain-entrypoint"]
CMD ["bash"]
