#!/usr/bin/env bash
# Open sockets, threads and files of a running trader; the program is scripts/monitor_sockets.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec "${PYTHON:-python3}" scripts/monitor_sockets.py "$@"
