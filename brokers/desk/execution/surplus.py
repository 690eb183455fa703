"""Which exits to cancel where a position has more of them than shares."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

EXACT_GROUPS = 12
"""So many groups are weighed against one another in every way; twice the work for each more, under the desk's lock."""
NOTHING = Decimal(0)


def fewest(quantities: Mapping[str, Decimal], excess: Decimal, *, at_most: bool) -> tuple[str, ...]:
    """The groups that come nearest to ``excess`` from above, or from below where they are to be ``at_most`` that.

    Of several such the fewest. Of more than ``EXACT_GROUPS`` the larger ones are taken where they fit, the largest
    first, and only the smaller ones are weighed in every way, so that what is chosen may not be the very nearest.
    """
    ordered = sorted(quantities, key=lambda name: quantities[name], reverse=True)
    large = ordered[:-EXACT_GROUPS]
    taken, left, too_large = list[str](), excess, ""
    for name in large:
        if quantities[name] <= left:
            taken.append(name)
            left -= quantities[name]
        else:
            too_large = name
    found = _sums({name: quantity for name, quantity in quantities.items() if name not in large})
    if too_large:
        # The least of those that did not fit, by itself, may be all that is enough.
        found.setdefault(quantities[too_large], (too_large,))
    fits = [total for total in found if (total <= left if at_most else total >= left)]
    best = min(fits, key=lambda total: (abs(total - left), len(found[total])))
    return (*taken, *found[best])


def _sums(quantities: Mapping[str, Decimal]) -> dict[Decimal, tuple[str, ...]]:
    """Every sum that some of the quantities add up to, with the fewest names that do; 0 with none."""
    found: dict[Decimal, tuple[str, ...]] = {NOTHING: ()}
    for name, quantity in quantities.items():
        for total, names in list(found.items()):
            with_it = (*names, name)
            if len(with_it) < len(found.get(total + quantity, (*with_it, name))):
                found[total + quantity] = with_it
    return found
