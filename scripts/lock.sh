#!/usr/bin/env bash
# Renews the locks from pyproject.toml. Needs uv, which the dev environment holds.
# Versions already locked are kept; `scripts/lock.sh --upgrade` takes the newest, `--upgrade-package NAME` one of them.
# One lock serves all platforms; `scripts/lock.sh --check` resolves each platform with the locks as constraints, since a
# universal resolution alone does not show that a wheel exists everywhere.
# The machine's own index settings are left out: what they add must not reach a lock that others install from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX UV_EXTRA_INDEX_URL
# Wheels for macOS 14 and later; uv would otherwise resolve for macOS 13.
export UV_PYTHON_DOWNLOADS=never MACOSX_DEPLOYMENT_TARGET=14.0

resolve() {
  "$uv" --no-config pip compile --quiet --no-header --no-annotate --no-strip-extras \
    --only-binary :all: --no-binary ibapi "$@"
}
# The slim lock leaves out what Lumibot requires and this program never imports; what the tests run on is that and the
# development tools, so that CI runs the whole suite on what README installs first.
slim=(--excludes scripts/slim-excludes.txt)
if [ "${1:-}" = --check ]; then
  # uv puts its output in place by a rename, which would replace /dev/null itself.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  for python in 3.11 3.12 3.13; do
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
      for lock in requirements.lock requirements-slim.lock requirements-dev.lock; do
        options=("${slim[@]}")
        [ "$lock" = requirements.lock ] && options=()
        [ "$lock" = requirements-dev.lock ] && options+=(--extra dev)
        resolve pyproject.toml "${options[@]}" --constraints "$lock" --python-version "$python" \
          --python-platform "$platform" --output-file "$scratch/resolved-$python-$platform-$lock"
        echo "$lock: every package has a wheel for $platform, Python $python"
      done
    done
  done
  exit
fi
universal=(--universal --python-version 3.11 --generate-hashes pyproject.toml)
resolve "${universal[@]}" --output-file requirements.lock "$@"
resolve "${universal[@]}" "${slim[@]}" --constraints requirements.lock --output-file requirements-slim.lock "$@"
resolve "${universal[@]}" "${slim[@]}" --extra dev --constraints requirements.lock --output-file requirements-dev.lock "$@"
