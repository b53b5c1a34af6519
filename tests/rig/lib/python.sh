# Python programs that tests compare with, each in a venv of its own.

venv() {
  local dir=$CACHE/$1 probe=$2
  shift 2
  if [[ ! -x $dir/bin/$probe ]]; then
    need_python
    rm -rf "$dir"
    python3 -m venv "$dir" >&2
    "$dir/bin/pip" install -q --disable-pip-version-check "$@" >&2 || { rm -rf "$dir"; return 1; }
  fi
  echo "$dir/bin/$probe"
}

# The older tool, as a black box; pinned, because a fresh install of it no longer starts.
old_lain() { venv old-lain lain lain 'marshmallow<4' 'click<8.2' setuptools; }

# The schemas of Kubernetes 1.25 to 1.37; pinned, because each release drops an old version and adds a new one.
schemas() { venv kubernetes-validate kubernetes-validate 'kubernetes-validate==1.37.0'; }
