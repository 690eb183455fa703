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
if [ "${1:-}" = --check ]; then
  # uv puts its output in place by a rename, which would replace /dev/null itself.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  for python in 3.11 3.12 3.13; do
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
      for lock in requirements.lock requirements-dev.lock; do
        extra=()
        [ "$lock" = requirements-dev.lock ] && extra=(--extra dev)
        resolve pyproject.toml "${extra[@]}" --constraints "$lock" --python-version "$python" \
          --python-platform "$platform" --output-file "$scratch/resolved-$python-$platform-$lock"
        echo "$lock: every package has a wheel for $platform, Python $python"
      done
    done
  done
  exit
fi
resolve --universal --python-version 3.11 --generate-hashes pyproject.toml --output-file requirements.lock "$@"
resolve --universal --python-version 3.11 --generate-hashes pyproject.toml --extra dev --constraints requirements.lock \
  --output-file requirements-dev.lock "$@"
