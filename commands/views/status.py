"""``status``: what is held, what may still be bought, and what is halted."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.composition import command
from commands.operator.account import settings_of
from commands.options import KeyOptions, ScreenOptions, SettingsOptions, StateOptions
from commands.runs.replayed import EndOptions, end_of_run, refuse_beside_run
from config.errors import Refusal
from config.values.counting import counted, plain_digits, signed
from config.values.markets import NEW_YORK_ZONE

if TYPE_CHECKING:
    from datetime import datetime

    from monitoring.status import Buyable, Status


@command(
    "risk-first status",
    "risk-first status --watch",
    "risk-first status --state-dir state --json",
    "risk-first status --run runs/backtest-active-2013-01-02",
)
def status(
    state: StateOptions,
    chosen: SettingsOptions,
    keys: KeyOptions,
    screen: ScreenOptions,
    end: EndOptions,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew each beat, until Ctrl-C.")] = False,
) -> int:
    """Say what is held, what may be bought, what is halted.

    Of a running trader, or of what the last one in the state folder wrote before it ended: positions and what is lost
    in USD if all stops fire, what may still be bought today and this week and which limit says so, every limit with
    what is used of it, halts and until when. It reads the state folder alone and asks no broker. With --run it says
    the same of a backtest's end: its limits are those that the next decision would meet.

    Exit status: 0 done, 2 refused the input.
    """
    refuse_beside_run(end, state, chosen)
    if end.run is not None and watch:
        raise Refusal("--watch is not read with --run: the end of a backtest does not change; leave it out")
    from commands.screen import console, show_json
    from monitoring.state import STATE_FILE

    if end.run is not None:
        from monitoring.status import status as meaning

        found = meaning(end_of_run(end, keys, screen).state)
        if screen.json:
            show_json(document(found))
        else:
            console(json=False).print(_screen(found), highlight=False)
        return 0
    settings = settings_of(chosen, state, keys, screen=screen)
    path = Path(settings.live.state_dir) / STATE_FILE
    if screen.json:
        if watch:
            raise Refusal("--watch is for people, --json for programs; give one of them")
        show_json(document(_read(path)))
        return 0
    printer = console(json=False)
    if not watch:
        printer.print(_screen(_read(path)), highlight=False)
        return 0
    from rich.live import Live

    try:
        with Live(_screen(_read(path)), console=printer, screen=printer.is_terminal, auto_refresh=False) as shown:
            while True:
                time.sleep(settings.monitoring.beat_s)
                shown.update(_screen(_read(path)), refresh=True)
    except KeyboardInterrupt:
        return 0


def _read(path: Path) -> Status:
    from monitoring.state import read_state
    from monitoring.status import status as meaning

    state = read_state(path)
    if state is None:
        raise Refusal(f"{path}: no trader has written here; name the state folder of one with --state-dir")
    return meaning(state)


def document(found: Status) -> dict[str, Any]:
    """The answer for programs."""
    from monitoring.signs import signs

    state = found.state
    return {
        "sign_of_life": found.sign_of_life,
        # A backtest's end is of no time of ours.
        "age_s": None if state.of_backtest else round(found.age_s, 1),
        "mode": state.mode,
        "profile": state.profile,
        "evidence": state.evidence,
        "venue_time": state.time,
        "last_iteration": state.last_iteration,
        "last_look": state.last_look,
        "positions_as_of": found.as_of,
        "orders_at_the_broker": state.resting,
        "last_tick": state.last_tick,
        "equity": state.equity,
        "cash": state.cash,
        "account_as_of": state.account_time,
        "day_result": state.day_result,
        "lost_at_stops": found.lost_at_stops,
        "lost_at_stops_frac": found.lost_frac,
        "closing": dict(state.closing),
        "without_a_stop_usd": found.bare,
        "without_a_stop": found.unbounded,
        "today": asdict(found.today),
        "week": asdict(found.week) if found.has_week else None,
        "positions": [
            {**asdict(p), "profit": p.profit, "r": p.unrealised_r, "lost_at_stop": p.lost_at_stop}
            for p in state.positions
        ],
        "remainders": [asdict(r) for r in state.remainders],
        "differences": [asdict(x) for x in state.differences],
        "pending": [asdict(p) for p in state.pending],
        "limits": [{**asdict(limit), "left": limit.left} for limit in state.limits],
        "halts": [asdict(halt) for halt in found.halts],
        "kill": state.kill,
        "stopped_by": found.stopped_by,
        "listening": state.listening,
        "signs": [asdict(sign) for sign in signs(found)],
    }


def _screen(found: Status) -> Any:
    from rich.console import Group
    from rich.text import Text

    from monitoring.signs import signs

    state = found.state
    head = f"equity {_usd(state.equity)}, cash {_usd(state.cash)}"
    if state.day_result is not None and state.session_open_equity and not state.of_backtest:
        result = signed(state.day_result / state.session_open_equity, ".2%")
        head += f", today {signed(state.day_result, ',.2f')} ({result})"
    if state.account_time is not None:
        head += f", as of {_clock(state.account_time)}"
    wrong = [Text(str(sign), "bold red") for sign in signs(found) if sign.kind != "stale"]
    evidence = [Text(state.evidence, "yellow")] if state.evidence else []
    parts: list[Any] = [_life(found), *wrong, *evidence, Text(head)]
    if found.as_of is not None and state.positions and not state.of_backtest:
        seen = f"Positions and stops as the last look at the broker showed them, {_clock(found.as_of)}"
        parts.append(
            Text(f"{seen}{'; an entry or a close was under way' if state.busy else ''}{_since(found)}", "yellow")
        )
    if state.positions:
        parts.append(_positions(found))
    loss = f"If all stops fire: {found.lost_at_stops:,.2f} USD"
    loss += "" if found.lost_frac is None else f", {found.lost_frac:.2%} of equity"
    if not any(p.protected > 0 for p in state.positions):
        loss = "No position has a stop."
    parts.append(Text(loss) if state.positions else _nothing(found))
    parts += [
        Text(
            f"{r.symbol}: {plain_digits(r.quantity)} coins, {r.usd:,.2f} USD, are below the venue's minimum and no "
            "position"
        )
        for r in state.remainders
    ]
    if found.unbounded:
        told = f"Without a stop: {found.bare:,.2f} USD in {', '.join(found.unbounded)}"
        parts.append(Text(told, "bold red"))
    week = _buyable(found.week) if found.has_week else "no limit of a week is set"
    today, this_week = "May still be bought today", "This week"
    if state.of_backtest and state.book_time is not None:
        today = f"May be bought by the next decision, {state.book_time.astimezone(NEW_YORK_ZONE):%Y-%m-%d %H:%M}"
        this_week = "In its week"
    parts += [Text(f"{today}: {_buyable(found.today)}"), Text(f"{this_week}: {week}")]
    if state.book_time is not None and not state.of_backtest:
        parts.append(Text(f"Limits as the last iteration found them, {_clock(state.book_time)}:"))
    parts.append(_limits(found))
    return Group(*parts)


def _life(found: Status) -> Any:
    """Whether the trader runs, or that it is none."""
    from rich.text import Text

    state = found.state
    venue = f"{state.time.astimezone(NEW_YORK_ZONE):%Y-%m-%d %H:%M:%S}"
    if state.of_backtest:
        return Text(f"{state.ended}, {state.profile}; as of the close of its last bar, {venue}", "yellow")
    stays = f"; {found.stays}" if found.stays else ""
    return {
        "running": Text(f"running, {state.mode}, {state.profile}; venue time {venue}", "green"),
        "ended": Text(f"ended {found.age_s:,.0f} s ago ({state.ended}); as of {venue}{stays}", "yellow"),
        "stale": Text(f"NO SIGN OF LIFE {found.silence}: the trader hangs or is gone; as of {venue}", "bold red"),
    }[found.sign_of_life]


def _nothing(found: Status) -> Any:
    """That no position was seen, and as of when where nobody looks any more."""
    from rich.text import Text

    looks = found.sign_of_life == "running" and not found.state.unseen
    if looks or found.state.of_backtest:
        if found.state.differences:
            return Text("The books hold nothing; what the broker shows is not counted yet.", "yellow")
        return Text("Nothing is held.")
    if found.as_of is None:
        return Text(
            "Whether something is held is not known, no look at the broker was written; risk-first positions asks it",
            "yellow",
        )
    under_way = "; an entry or a close was under way" if found.state.busy else ""
    held = "The books held nothing, and not all was counted," if found.state.differences else "Nothing was held"
    return Text(f"{held} at the last look at the broker, {_clock(found.as_of)}{under_way}{_since(found)}", "yellow")


def _since(found: Status) -> str:
    """What nobody knows of a trader that did not end in order."""
    stale = found.sign_of_life == "stale"
    return "; the broker may hold something else by now, risk-first positions asks it" if stale else ""


def _positions(found: Status) -> Any:
    from rich.text import Text

    from monitoring.record_table import Column, RecordTable

    protected = "protected" if found.as_of is None or found.state.of_backtest else f"protected at {_clock(found.as_of)}"
    names = ("quantity", "entry", "price", "profit", "R", "stop", "target", protected, "lost at stop")
    table = RecordTable([Column("symbol"), *(Column(name, right=True) for name in names)])
    for p in found.state.positions:
        r = p.unrealised_r
        some = Text(f"{plain_digits(p.protected)} of {plain_digits(abs(p.quantity))}", style="red")
        table.add(
            f"{p.symbol} by hand" if p.owner == "manual" else p.symbol,
            plain_digits(p.quantity),
            _usd(p.entry_price),
            _usd(p.price),
            "–" if p.profit is None else signed(p.profit, ",.2f"),
            "–" if r is None else signed(r, ".2f"),
            _usd(p.stop),
            _usd(p.target),
            "all" if p.bare <= 0 else some,
            _usd(p.lost_at_stop) if p.protected > 0 else "no stop",
        )
    return table


def _limits(found: Status) -> Any:
    from monitoring.record_table import Column, RecordTable

    table = RecordTable(
        [
            Column("limit", prose=True),
            Column("rule"),
            *(Column(name, right=True) for name in ("used", "of", "left")),
            Column("free again"),
        ]
    )
    frees = {"next_session": "next session", "next_week": "next week", "": ""}
    for x in found.state.limits:
        form = "{:,.2f}" if x.unit == "USD" else "{:g}"
        name = f"{x.name}, {x.scope}" if x.scope and x.scope not in ("one position", "inverse") else x.name
        style = "bold red" if x.left <= 0 and x.used > 0 else "yellow" if x.share >= 0.8 else ""
        cells = [form.format(value) for value in (x.used, x.most, x.left)]
        table.add(name, x.module, *cells, frees[x.frees], style=style)
    return table


def _buyable(found: Buyable) -> str:
    if found.why:
        return f"nothing ({found.why})"
    places = "" if found.positions is None else f" in {counted(int(found.positions), 'position')}"
    return f"{found.usd:,.2f} USD{places}, bound by {found.bound_by}"


def _clock(time: datetime) -> str:
    return f"{time.astimezone(NEW_YORK_ZONE):%H:%M:%S}"


def _usd(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"
