"""``python -m dashboard``: the process of the page, started by ``risk-first dashboard``."""

from __future__ import annotations

import sys

from config.errors import Refusal
from dashboard.server import listening, serve
from dashboard.settings import VARIABLE, from_environment


def main() -> int:
    """Serve the page that the environment describes; returns the exit status."""
    try:
        settings = from_environment()
    except KeyError:
        sys.stderr.write(f"{VARIABLE} is not set; start risk-first dashboard\n")
        return 2
    try:
        sock = listening(settings)
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 2
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{sock.getsockname()[1]}"
    sys.stdout.write(
        f"{address}/?token={settings.token}\nOpen it in a browser on this machine. Ctrl-C ends the page.\n"
    )
    sys.stdout.flush()
    serve(settings, sock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
