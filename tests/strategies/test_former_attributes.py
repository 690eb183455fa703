"""Class attributes that other programs read, in a subclass of ours."""

from __future__ import annotations

import pytest

from config import Refusal
from strategies.parameters import refuse_former_attributes


class Base:
    STOP_LOSS_PCT = 0.05


class Child(Base):
    MINE = 3
    stop_loss_pct = 0.02


class Old(Child):
    CONFIDENCE_THRESHOLD = 65


def test_they_are_refused_with_the_setting_to_use():
    refuse_former_attributes(Child, Base)
    with pytest.raises(Refusal, match=r"Old\.CONFIDENCE_THRESHOLD: is not read; set selection.min_confidence"):
        refuse_former_attributes(Old, Base)


def test_below_other_attributes_too():
    class Younger(Old):
        pass

    with pytest.raises(Refusal, match=r"Old\.CONFIDENCE_THRESHOLD"):
        refuse_former_attributes(Younger, Base)
