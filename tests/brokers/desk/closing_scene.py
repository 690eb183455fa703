"""A position on its way out."""

from __future__ import annotations

import threading

from tests.brokers.desk.scene import Scene


def closes(scene: Scene) -> list[tuple[str, str | None]]:
    sent = [what for name, what in scene.wire.calls if name == "submit"]
    return [(order["qty"], order.get("limit_price")) for order in sent if "order_class" not in order]


class RunningClock:
    """Lets the venue's time run while the desk settles."""

    def __init__(self, scene: Scene) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(scene,))
        self._thread.start()

    def _run(self, scene: Scene) -> None:
        while not self._stop.wait(0.1):
            with scene.desk.lock:
                scene.pass_time(0.5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
