"""Matplotlib without the lists that it writes into its documentation, which take a quarter of its import."""

from __future__ import annotations

import importlib


def load_matplotlib() -> None:
    """Import matplotlib; the documentation of its classes then lacks the lists of their properties.

    ``matplotlib.artist.kwdoc`` still tells them, and whatever was imported before keeps them.
    """
    from matplotlib.artist import ArtistInspector

    listed = ArtistInspector.pprint_setters
    ArtistInspector.pprint_setters = lambda *_args, **_named: []  # type: ignore[method-assign]  # put back below
    try:
        importlib.import_module("matplotlib.pyplot")
    finally:
        ArtistInspector.pprint_setters = listed  # type: ignore[method-assign]  # as above
