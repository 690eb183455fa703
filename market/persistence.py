"""A reading of the regime by topology: how large a loop the latest returns draw, whatever their size.

Returns of a window, divided by their deviation, are laid out as points of each return beside the two before it. A loop
in such a cloud (persistent homology of dimension 1, after Gidea and Katz 2018) comes with returns that follow one
another in a cycle; the lifetime of the longest one is large there and small in noise. It is independent of ADX and ATR:
neither the direction nor the size of the moves is in it.
"""

from __future__ import annotations

import numpy as np

from config.errors import Refusal

POINTS_BESIDE = 3
"""Returns that make up a point."""
LEAST_BARS = 12


def longest_loop(closes: np.ndarray, bars: int) -> np.ndarray:
    """Lifetime of the longest loop in the latest ``bars`` returns; about a millisecond for each symbol and bar.

    Parameters
    ----------
    closes : ndarray of float, shape (bars, symbols)
        Each symbol's own bars, NaN after its last.
    bars : int
        Returns of a window, at least 12.

    Returns
    -------
    ndarray of float, shape (bars, symbols)
        NaN until there are enough bars, 0 where there is no loop or prices stand still.

    Raises
    ------
    Refusal
        The window is too short, or ripser is not installed.
    """
    if bars < LEAST_BARS:
        raise Refusal(f"persistence_{bars}: a loop needs more returns; write at least persistence_{LEAST_BARS}")
    try:
        from ripser import ripser
    except ImportError:
        raise Refusal("persistence needs ripser; install the package with the extra topology") from None
    found = np.full(closes.shape, np.nan)
    returns = np.diff(np.log(closes), axis=0)
    for k in range(closes.shape[1]):
        for row in range(bars, len(closes)):
            window = returns[row - bars : row, k]
            if not np.isfinite(window).all():
                continue
            deviation = float(window.std())
            if deviation == 0:
                found[row, k] = 0.0
                continue
            points = np.lib.stride_tricks.sliding_window_view(window / deviation, POINTS_BESIDE)
            loops = ripser(points, maxdim=1)["dgms"][1]
            found[row, k] = float((loops[:, 1] - loops[:, 0]).max(initial=0.0))
    return found
