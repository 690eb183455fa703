#!/usr/bin/env bash
# Open sockets, threads and files of a running trader; the program is scripts/monitor_sockets.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=scripts/monitor_sockets.py
if [ ! -f "$program" ]; then
  echo "$program is not part of this version; ls -l /proc/PID/fd shows the open files of a trader" >&2
  exit 2
fi
exec "${PYTHON:-python3}" "$program" "$@"
