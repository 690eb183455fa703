"""What differs by rounding alone."""

NIL_DEVIATION = 1e-9
"""Deviation of returns up to which they move by rounding alone, as money is kept to a millionth of a dollar."""
