"""Where trials run: on this machine's cores, or on a Dask or Ray cluster, behind one interface."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from config.errors import Refusal

R = TypeVar("R")
LOOPBACK = "127.0.0.1"
_held: dict[str, Any] = {}


class Executor(Protocol):
    """Runs a function of a shared context and one item for many items.

    Results come in the items' order, each as soon as it and those before it are there: what is told of one is kept
    whatever becomes of the others.
    """

    def map(self, function: Callable[[Any, Any], R], context: Any, items: Sequence[Any]) -> Iterator[R]: ...


def call_held(function: Callable[[Any, Any], R], context: Any, item: Any) -> R:
    """Call with the context that this process already holds, so that what it has computed is used again."""
    held = _held.get(context.key)
    if held is None:
        # One study at a time: an older context would only keep its bars in memory.
        _held.clear()
        held = _held[context.key] = context
    return function(held, item)


class InProcess:
    """Runs one item after the other."""

    def map(self, function: Callable[[Any, Any], R], context: Any, items: Sequence[Any]) -> Iterator[R]:
        """See ``Executor``."""
        for item in items:
            yield call_held(function, context, item)


class Cores:
    """Worker processes on this machine that stay alive between batches and read the context from a file once."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._folder = tempfile.TemporaryDirectory(prefix="risk-first-trials-")
        self._stored: tuple[str, Path] | None = None

    def map(self, function: Callable[[Any, Any], R], context: Any, items: Sequence[Any]) -> Iterator[R]:
        """See ``Executor``."""
        from joblib import Parallel, delayed

        if self._stored is None or self._stored[0] != context.key:
            path = Path(self._folder.name) / f"{len(list(Path(self._folder.name).iterdir()))}.pickle"
            path.write_bytes(pickle.dumps(context, protocol=pickle.HIGHEST_PROTOCOL))
            self._stored = (context.key, path)
        call = delayed(_call_stored)
        together = Parallel(n_jobs=self._workers, backend="loky", batch_size=1, return_as="generator")
        yield from together(call(function, *self._stored, item) for item in items)

    def close(self) -> None:
        """Remove what the workers were given."""
        self._folder.cleanup()


def _call_stored(function: Callable[[Any, Any], R], key: str, path: Path, item: Any) -> R:
    if key not in _held:
        _held.clear()
        # Written by this study's own process into a folder that only its user can read.
        _held[key] = pickle.loads(path.read_bytes())  # noqa: S301  # see above
    return function(_held[key], item)


class DaskCluster:
    """A Dask cluster; without an address one is started on this machine, on loopback only."""

    def __init__(self, address: str, workers: int) -> None:
        distributed = _required("distributed", "dask")
        self._client = (
            distributed.Client(address)
            if address
            else distributed.Client(
                n_workers=workers,
                threads_per_worker=1,
                host=LOOPBACK,
                dashboard_address=None,
                silence_logs=logging.ERROR,
            )
        )
        self._sent: tuple[str, Any] | None = None

    def map(self, function: Callable[[Any, Any], R], context: Any, items: Sequence[Any]) -> Iterator[R]:
        """See ``Executor``."""
        if self._sent is None or self._sent[0] != context.key:
            self._sent = (context.key, self._client.scatter(context, broadcast=True))
        futures = [self._client.submit(call_held, function, self._sent[1], item, pure=False) for item in items]
        for future in futures:
            yield future.result()

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._client.close()
        cluster = getattr(self._client, "cluster", None)
        if cluster is not None:
            cluster.close()


class RayCluster:
    """A Ray cluster; without an address one is started on this machine, on loopback only."""

    def __init__(self, address: str, workers: int) -> None:
        self._ray = _required("ray", "ray")
        if address:
            self._ray.init(address=f"ray://{address}", log_to_driver=False)
        else:
            with _kept_to_itself():
                self._ray.init(
                    num_cpus=workers, include_dashboard=False, _node_ip_address=LOOPBACK, log_to_driver=False
                )
        self._remote = self._ray.remote(call_held)
        self._sent: tuple[str, Any] | None = None

    def map(self, function: Callable[[Any, Any], R], context: Any, items: Sequence[Any]) -> Iterator[R]:
        """See ``Executor``."""
        if self._sent is None or self._sent[0] != context.key:
            self._sent = (context.key, self._ray.put(context))
        for future in [self._remote.remote(function, self._sent[1], item) for item in items]:
            yield self._ray.get(future)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


@contextlib.contextmanager
def _kept_to_itself() -> Iterator[None]:
    """Start Ray's processes so that they report no use, and ask no cloud service what kind of machine this is.

    They ask even where reports are off, so that for them the way out is a proxy on which nobody listens.
    """
    set_here = {"RAY_USAGE_STATS_ENABLED": "0", "no_proxy": f"{LOOPBACK},localhost"}
    set_here |= dict.fromkeys(("http_proxy", "HTTP_PROXY"), f"http://{LOOPBACK}:9")
    before = {name: os.environ.get(name) for name in set_here}
    os.environ.update(set_here)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def executor(workers: int, cluster: str = "") -> Iterator[Executor]:
    """The executor for ``--workers`` and ``--cluster``.

    Parameters
    ----------
    workers : int
        Processes on this machine.
    cluster : str
        Empty, ``dask://HOST:PORT`` or ``ray://HOST:PORT``; without host a cluster is started here, on loopback.

    Raises
    ------
    Refusal
        If the address is none, or its package is not installed.
    """
    if not cluster:
        if workers == 1:
            yield InProcess()
            return
        cores = Cores(workers)
        try:
            yield cores
        finally:
            cores.close()
        return
    kind, rest = urlsplit(cluster).scheme, urlsplit(cluster).netloc
    if kind not in ("dask", "ray"):
        raise Refusal(f"--cluster {cluster}: write dask://HOST:PORT or ray://HOST:PORT; dask:// alone starts one here")
    try:
        found: DaskCluster | RayCluster = (
            DaskCluster(f"tcp://{rest}" if rest else "", workers) if kind == "dask" else RayCluster(rest, workers)
        )
    except Refusal:
        raise
    except Exception as error:
        # Ray raises bare exceptions where a node doesn't come up.
        raise Refusal(f"--cluster {cluster}: no cluster answers there ({error}); start one or correct it") from error
    try:
        yield found
    finally:
        found.close()


def _required(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise Refusal(
            f"--cluster {extra}://: {module} is not installed; install the package with the extra {extra}"
        ) from None
