"""Where notices go: addresses of apprise, each with what became of the last attempt."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from brokers.notifications.failures import LOGGER, Failures, why
from config.errors import Refusal
from config.operating import Notifications

VARIABLE = "NOTIFY_URLS"
_FAILURES = Failures()


class Channel(Protocol):
    """What takes a message to somebody; ``why`` says why the last attempt failed, without a secret."""

    name: str
    why: str

    def send(self, title: str, text: str, critical: bool) -> bool:
        """Whether it was delivered; may take seconds, and raises nothing."""
        ...


@dataclass(slots=True)
class AppriseChannel:
    """One address; ``name`` tells the service and never the address, which is a secret."""

    name: str
    _apprise: Any
    why: str = ""

    def send(self, title: str, text: str, critical: bool) -> bool:
        from apprise import NotifyFormat, NotifyType

        kind = NotifyType.FAILURE if critical else NotifyType.INFO
        with _FAILURES.attempt() as said:
            try:
                done = bool(self._apprise.notify(text, title=title, notify_type=kind, body_format=NotifyFormat.TEXT))
            except Exception as error:
                # Whatever a service's plugin trips over, the message was not delivered.
                said.append(repr(error))
                done = False
        self.why = "" if done else why(said)
        return done


def channels(addresses: str, settings: Notifications) -> Sequence[Channel]:
    """A channel for each address of a list, separated by blanks, commas or line ends.

    Raises
    ------
    Refusal
        One of them is no address of apprise.
    """
    # apprise would write addresses into its own log, and keep a cache on the disk.
    talk = logging.getLogger(LOGGER)
    talk.handlers[:], talk.propagate = [_FAILURES], False
    talk.setLevel(logging.DEBUG)
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    # What is redirected goes to a host that nobody named, or loses its text on the way and counts as delivered.
    asset = AppriseAsset(
        async_mode=False, storage_mode=PersistentStoreMode.MEMORY, app_id="risk-first", http_redirects=False
    )
    found: list[Channel] = []
    for number, url in enumerate(_split(addresses), start=1):
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None:
            raise Refusal(
                f"{VARIABLE}: address {number} is none that apprise knows; write e.g. tgram://TOKEN/CHAT, "
                "ntfy://TOPIC, mailto://USER:PASSWORD@HOST or json://HOST:PORT/"
            )
        plugin.redirects = False
        plugin.socket_connect_timeout = settings.connect_timeout_s
        plugin.socket_read_timeout = settings.read_timeout_s
        sender = Apprise(asset=asset)
        sender.add(plugin)
        found.append(AppriseChannel(f"address {number} ({plugin.service_name})", sender))
    return found


def _split(addresses: str) -> list[str]:
    """A comma inside of an address stays: one ends where the next scheme begins."""
    return [part for part in re.split(r"[\s]+|,(?=[a-z0-9+]+://)", addresses.strip()) if part]
