"""What is held, what is lost if all stops fire, what may still be bought under each limit, and what is halted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from config.values.counting import counted
from monitoring.state import HaltState, LimitState, TraderState

DAY_ENDS, WEEK_ENDS = "next_session", "next_week"
ONE = "one position"
"""The scope of the limit that sizing sets each position."""


@dataclass(frozen=True, slots=True)
class Buyable:
    """USD that may still be bought within a span, at most, and the limit that says so; ``positions`` likewise.

    ``why`` is set where nothing may be bought: a halt, the kill switch, a limit that is spent.
    """

    usd: float
    bound_by: str
    positions: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The answer; USD. ``sign_of_life`` is one of running, stale and ended.

    ``lost_at_stops`` is what equity falls from now if every working stop fires at its level, with the venue's fees;
    ``bare`` is the value of shares that no stop protects, ``unbounded`` their symbols.
    """

    state: TraderState
    sign_of_life: str
    age_s: float
    lost_at_stops: float
    lost_frac: float | None
    bare: float
    unbounded: tuple[str, ...]
    today: Buyable
    week: Buyable
    halts: tuple[HaltState, ...]
    stopped_by: tuple[str, ...]

    @property
    def as_of(self) -> datetime | None:
        """When positions and stops were seen last, by the venue's clock; None while a trader's looks succeed.

        Of a backtest it is the close of its last bar.
        """
        if self.state.of_backtest:
            return self.state.time
        return None if self.sign_of_life == "running" and not self.state.unseen else self.state.look_time

    @property
    def stays(self) -> str:
        """What a trader that has ended left at the broker, in words; empty where it did not say so."""
        count = self.state.resting
        if self.sign_of_life != "ended" or count is None:
            return ""
        return (
            f"{counted(count, 'order')} {'stays' if count == 1 else 'stay'} at the broker"
            if count
            else "no order stays"
        )

    @property
    def has_week(self) -> bool:
        """Whether something limits a week, as far as limits are known."""
        budget = "exposure_budget" in self.state.settings.get("risk", {}).get("chain", ())
        return budget or not self.state.limits or any(limit.frees == WEEK_ENDS for limit in self.state.limits)

    @property
    def halted(self) -> bool:
        """Whether nothing new may be entered now."""
        return bool(self.halts or self.stopped_by or self.state.kill != "off")

    @property
    def silence(self) -> str:
        """For how long the trader has said nothing, in words."""
        if self.age_s < 0:
            return f"since a time {-self.age_s:,.0f} s ahead of this machine's clock"
        return f"for {self.age_s:,.0f} s"


def status(state: TraderState, now: datetime | None = None) -> Status:
    """Answer from what the trader wrote last."""
    now = now or datetime.now(UTC)
    lost = sum(p.lost_at_stop or 0.0 for p in state.positions)
    bare = [p for p in state.positions if p.bare > 0]
    why = _stopped(state)
    today = _buyable(state.limits, why)
    week = _buyable([limit for limit in state.limits if limit.frees != DAY_ENDS], why="")
    return Status(
        state=state,
        sign_of_life="ended" if state.ended else "stale" if state.stale(now) else "running",
        age_s=state.age_s(now),
        lost_at_stops=lost,
        lost_frac=lost / state.equity if state.equity else None,
        bare=sum(p.bare * (p.price or p.entry_price or 0.0) for p in bare),
        unbounded=tuple(dict.fromkeys(p.symbol for p in bare)),
        today=today,
        week=week,
        halts=state.halts,
        stopped_by=state.stopped_by,
    )


def _stopped(state: TraderState) -> str:
    """Why nothing may be entered now, in words; empty where it may."""
    told = [f"{halt.name}: {halt.reason}" if halt.reason else halt.name for halt in state.halts]
    if state.kill != "off":
        told.append(f"kill switch: {state.kill}")
    told += [reason for reason in state.stopped_by if not reason.startswith("kill switch")]
    return "; ".join(told)


def _buyable(limits: Iterable[LimitState], why: str) -> Buyable:
    """The strictest of the limits of the whole account; no position takes more than one may have."""
    limits = list(limits)
    whole = [limit for limit in limits if not limit.scope and not limit.halts]
    usd = min((limit for limit in whole if limit.unit == "USD"), key=lambda limit: limit.left, default=None)
    places = min((limit for limit in whole if limit.unit == "positions"), key=lambda limit: limit.left, default=None)
    if usd is None and not why:
        why = "its limits are known after the first iteration"
    most, bound = (0.0, "") if usd is None else (usd.left, named(usd))
    left = None if places is None else places.left
    one = next((limit for limit in limits if limit.scope == ONE), None)
    if one is not None and left is not None and one.most * int(left) < most:
        most, bound = one.most * int(left), named(one)
    if not why and places is not None and places.left < 1:
        why, bound = f"{named(places)}: {places.used:g} of {places.most:g}", named(places)
    elif not why and usd is not None and most <= 0:
        why = f"{named(usd)}: {usd.used:,.2f} of {usd.most:,.2f} USD"
    return Buyable(0.0 if why else most, bound, left, why)


def named(limit: LimitState) -> str:
    """A limit in words."""
    scope = "" if limit.scope in ("", limit.name) else f" ({limit.scope})"
    return f"{limit.module}, {limit.name}{scope}"
