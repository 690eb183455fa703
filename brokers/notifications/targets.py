"""Where notices go: addresses of apprise, each with what became of the last attempt."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from config.errors import Refusal
from config.operating import Notifications

VARIABLE = "NOTIFY_URLS"


class Channel(Protocol):
    """What takes a message to somebody."""

    name: str

    def send(self, title: str, text: str, critical: bool) -> bool:
        """Whether it was delivered; may take seconds, and raises nothing."""
        ...


@dataclass(slots=True)
class AppriseChannel:
    """One address; ``name`` tells the service and never the address, which is a secret."""

    name: str
    _apprise: Any

    def send(self, title: str, text: str, critical: bool) -> bool:
        from apprise import NotifyFormat, NotifyType

        kind = NotifyType.FAILURE if critical else NotifyType.INFO
        try:
            return bool(self._apprise.notify(text, title=title, notify_type=kind, body_format=NotifyFormat.TEXT))
        except Exception:
            # Whatever a service's plugin trips over, the message was not delivered.
            return False


def channels(addresses: str, settings: Notifications) -> Sequence[Channel]:
    """A channel for each address of a list, separated by blanks, commas or line ends.

    Raises
    ------
    Refusal
        One of them is no address of apprise.
    """
    # apprise would write addresses into its own log, and keep a cache on the disk.
    talk = logging.getLogger("apprise")
    talk.handlers[:], talk.propagate = [logging.NullHandler()], False
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    asset = AppriseAsset(async_mode=False, storage_mode=PersistentStoreMode.MEMORY, app_id="risk-first")
    found: list[Channel] = []
    for number, url in enumerate(_split(addresses), start=1):
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None:
            raise Refusal(
                f"{VARIABLE}: address {number} is none that apprise knows; write e.g. tgram://TOKEN/CHAT, "
                "ntfy://TOPIC, mailto://USER:PASSWORD@HOST or json://HOST:PORT/"
            )
        plugin.socket_connect_timeout = settings.connect_timeout_s
        plugin.socket_read_timeout = settings.read_timeout_s
        sender = Apprise(asset=asset)
        sender.add(plugin)
        found.append(AppriseChannel(f"address {number} ({plugin.service_name})", sender))
    return found


def _split(addresses: str) -> list[str]:
    """A comma inside of an address stays: one ends where the next scheme begins."""
    return [part for part in re.split(r"[\s]+|,(?=[a-z0-9+]+://)", addresses.strip()) if part]
