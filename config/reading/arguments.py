"""What command lines share: a parser for developers' scripts that refuses in one sentence, and Alpaca's addresses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NoReturn

from config.errors import Refusal

DEFAULT_PROFILE = "active"


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[:1].lower()}{message[1:]}; see --help")


def command(file: str, doc: str | None) -> Parser:
    """The parser of a script: its name, and what its module says of it."""
    formatter = argparse.RawDescriptionHelpFormatter
    return Parser(prog=Path(file).name, description=doc, formatter_class=formatter, allow_abbrev=False)


def addresses(base: str | None) -> list[tuple[str, str, Any]]:
    """What ``--alpaca-url BASE`` stands for, as overrides for ``config.load``; nothing without it."""
    if base is None:
        return []
    base = base.rstrip("/")
    stream = f"ws{base.removeprefix('http')}/stream" if base.startswith("http") else base
    urls = {"trading_url": base, "data_url": base, "stream_url": stream}
    return [("--alpaca-url", f"broker.alpaca.{key}", url) for key, url in urls.items()]
