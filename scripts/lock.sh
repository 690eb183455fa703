#!/usr/bin/env bash
# Renews requirements.lock and requirements-dev.lock from pyproject.toml. Needs uv, which the dev environment holds.
# Versions already locked are kept; `scripts/lock.sh --upgrade` takes the newest, `--upgrade-package NAME` one of them.
# The machine's own index settings are left out: what they add must not reach a lock that others install from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || uv=uv
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_FIND_LINKS UV_INDEX UV_EXTRA_INDEX_URL

compile() {
  "$uv" --no-config pip compile --quiet --generate-hashes --no-header --no-annotate --no-strip-extras \
    --python-version 3.11 --python-platform x86_64-manylinux_2_28 --only-binary :all: --no-binary ibapi "$@"
}
compile pyproject.toml --output-file requirements.lock "$@"
compile pyproject.toml --extra dev --constraints requirements.lock --output-file requirements-dev.lock "$@"
