"""Matplotlib without the lists that it writes into its documentation, which take a quarter of its import."""

from __future__ import annotations

import importlib
from typing import Any


def load_matplotlib() -> None:
    """Import matplotlib; the documentation of its classes then lacks the lists of their properties.

    ``matplotlib.artist.kwdoc`` still tells them, and whatever was imported before keeps them.
    """
    from matplotlib.artist import ArtistInspector

    inspector: Any = ArtistInspector
    listed = inspector.pprint_setters
    inspector.pprint_setters = lambda *_args, **_named: []
    try:
        importlib.import_module("matplotlib.pyplot")
    finally:
        inspector.pprint_setters = listed
