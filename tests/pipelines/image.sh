# What every script that stands on the image begins with, sourced by them: the rig, the binaries in $binaries (of the script's first argument, else compiled), a
# folder $work that the script takes away, and `image`, which builds as a place without internet does. Wants `die`.
tests/rig/rig up >&2
eval "$(tests/rig/rig env)"
binaries=${1:-}
if [[ -z $binaries ]]; then
  cargo build --locked --bins
  binaries=${CARGO_TARGET_DIR:-target}/debug
fi
binaries=$(cd "$binaries" && pwd)
work=$(mktemp -d)

# What is built: the sources, and in vendor/ lain, helm 4 and 3, kubectl, and Debian's packages. stern cannot be had here, so it is left out.
context() {
  context=$work/context
  [[ ! -d $context ]] || return 0
  mkdir -p "$context"
  git ls-files -z | xargs -0 cp --no-dereference --parents --target-directory "$context"
  mkdir -p "$context/vendor/bin"
  install --strip -m 755 "$binaries/lain" "$context/vendor/bin/"
  install -m 755 "$LAIN_RIG_TOOLS/helm-4.3.1/helm" "$context/vendor/bin/helm"
  install -m 755 "$LAIN_RIG_TOOLS/helm-3.17.3/helm" "$context/vendor/bin/helm3"
  install -m 755 "$LAIN_RIG_TOOLS/kubectl-1.20.2/kubectl" "$context/vendor/bin/kubectl" # of the rig's own cluster
  mkdir -p "$context/vendor/ca"
  cp tests/pipelines/company-ca.crt "$context/vendor/ca/" # nobody has its key
  "$context/vendor/fill" --packages
}

# image TARGET NAME [ARGUMENTS OF docker build]: the binaries are vendored, so the Rust image is not needed: any will do.
image() {
  local target=$1 tag=$2
  shift 2
  context
  docker image prune --force --filter until=24h >/dev/null # what earlier runs left
  docker build --network none --target "$target" --build-arg RUST_IMAGE=debian:trixie-slim --build-arg STERN_VERSION= --tag "$tag" "$@" \
    "$context" >"$work/image.log" 2>&1 || { tail -40 "$work/image.log" >&2; die "the image does not build"; }
}
