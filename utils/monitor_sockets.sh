#!/usr/bin/env bash
# Open sockets, threads and files of a running trader; the program is scripts/monitor_sockets.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The environment of the checkout, as in the README; without one the python that is active.
own=.venv/bin/python
[ -x "$own" ] || own=python3
exec "${PYTHON:-$own}" scripts/monitor_sockets.py "$@"
