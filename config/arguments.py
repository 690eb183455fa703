"""What the command lines share: a parser that refuses in one sentence, and the arguments that stand for settings."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from typing import NoReturn

from config.errors import Refusal
from config.loader import Override, load
from config.schema import Settings

DEFAULT_PROFILE = "active"


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[:1].lower()}{message[1:]}; see --help")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # argparse overloads it
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            near = difflib.get_close_matches(unknown[0].split("=")[0], self._option_string_actions, n=1)
            hint = f"did you mean {near[0]}?" if near else "see --help"
            raise Refusal(f"{unknown[0]} is not an argument; {hint}")
        return found, unknown


def command(file: str, doc: str | None) -> Parser:
    """The parser of a script: its name, and what its module says of it."""
    formatter = argparse.RawDescriptionHelpFormatter
    return Parser(prog=Path(file).name, description=doc, formatter_class=formatter, allow_abbrev=False)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """``--profile``, ``--config`` and ``--set``."""
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, metavar="NAME", help="settings profile (default: %(default)s)"
    )
    parser.add_argument("--config", action="append", default=[], metavar="FILE", help="YAML laid over it; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable")


def add_state_folder(parser: argparse.ArgumentParser) -> None:
    """``--state-dir``."""
    parser.add_argument(
        "--state-dir", metavar="DIR", help="the trader's state folder (default: the settings' live.state_dir)"
    )


def add_account(parser: argparse.ArgumentParser) -> None:
    """``--paper`` or ``--live``, and ``--alpaca-url``."""
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--paper", dest="paper", action="store_true", default=True, help="the paper account (default)")
    kind.add_argument("--live", dest="paper", action="store_false", help="the account with real money")
    parser.add_argument("--alpaca-url", metavar="BASE", help="one host for Alpaca's orders, data and stream")


def settings_of(args: argparse.Namespace) -> Settings:
    """Merged settings of arguments that the functions above added; Refusal for what is wrong with them."""
    arguments: list[Override] = addresses(getattr(args, "alpaca_url", None))
    if args.state_dir is not None:
        arguments.append(("--state-dir", "live.state_dir", args.state_dir))
    return load(args.profile, args.config, args.set, arguments=arguments)


def addresses(base: str | None) -> list[Override]:
    """What ``--alpaca-url BASE`` stands for; nothing without it."""
    if base is None:
        return []
    base = base.rstrip("/")
    stream = f"ws{base.removeprefix('http')}/stream" if base.startswith("http") else base
    urls = {"trading_url": base, "data_url": base, "stream_url": stream}
    return [("--alpaca-url", f"broker.alpaca.{key}", url) for key, url in urls.items()]
