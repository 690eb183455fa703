"""A trader's figures in the text format that Prometheus reads; names in base units, no symbol but of positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitoring.journal_queries import FINAL
from monitoring.journal_reader import Statements
from monitoring.signs import CONDITIONS
from monitoring.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counts:
    """Counts of what only grows, kept from one reading to the next so that each reads the new rows alone."""

    def __init__(self) -> None:
        self._last = 0
        self.refusals: dict[str, int] = {}
        self.orders: dict[tuple[str, str], int] = {}

    def read(self, db: Statements) -> None:
        """Bring the counts up to date."""
        top = int(db.scalar("SELECT max(id) FROM decisions") or 0)
        if top < self._last:
            self._last, self.refusals = 0, {}
        # The last verdict of a chain is the one that refused.
        sql = (
            "SELECT v.module AS module, count(*) AS n FROM decisions d JOIN verdicts v ON v.decision_id = d.id "
            "WHERE d.id > :last AND d.id <= :top AND d.outcome = 'refused' AND v.sequence = "
            "(SELECT max(w.sequence) FROM verdicts w WHERE w.decision_id = d.id) GROUP BY v.module"
        )
        for row in db.rows(sql, last=self._last, top=top):
            self.refusals[row["module"]] = self.refusals.get(row["module"], 0) + int(row["n"])
        self._last = top
        # Of orders that have ended: what still works changes its state, and a counter may not fall.
        sql = f"SELECT role, state, count(*) AS n FROM orders WHERE state IN {FINAL} GROUP BY role, state"
        self.orders = {(row["role"], row["state"]): int(row["n"]) for row in db.rows(sql)}


def metrics(found: Status | None, counts: Counts) -> str:
    """The text of one reading."""
    out: list[str] = []
    if found is not None:
        _of_state(out, found)
    _series(
        out,
        "rft_orders_total",
        "counter",
        "Orders that have ended, by role and outcome.",
        [({"role": role, "outcome": state}, n) for (role, state), n in sorted(counts.orders.items())],
    )
    _series(
        out,
        "rft_refusals_total",
        "counter",
        "Proposals refused, by the rule that refused them.",
        [({"module": module}, n) for module, n in sorted(counts.refusals.items())],
    )
    return "\n".join(out) + "\n"


def _of_state(out: list[str], found: Status) -> None:
    state = found.state
    budgets = [x for x in state.limits if x.unit == "USD" and not x.halts]
    drop = None
    if state.equity is not None and state.session_open_equity:
        drop = max(0.0, 1 - state.equity / state.session_open_equity)
    bare = None if found.as_of is not None else sum(p.bare for p in state.positions)
    one = [
        ("rft_up", "Whether the trader gives signs of life (1) or not (0).", float(found.sign_of_life == "running")),
        ("rft_equity_usd", "Value of the account.", state.equity),
        ("rft_cash_usd", "Cash of the account.", state.cash),
        (
            "rft_account_timestamp_seconds",
            "When the venue told equity and cash, where the positions are newer; absent where they are not.",
            _unix(state.account_time),
        ),
        ("rft_day_drawdown_ratio", "Fall of equity since the session's opening.", drop),
        ("rft_open_positions", "Symbols that are held.", float(len({p.symbol for p in state.positions}))),
        ("rft_unprotected_shares", "Shares without a working stop; absent while nobody sees them.", bare),
        (
            "rft_lost_at_stops_usd",
            "What equity falls if every working stop fires at its level, fees included.",
            found.lost_at_stops,
        ),
        ("rft_iterations_total", "Iterations since the start.", float(state.iterations)),
        ("rft_state_age_seconds", "Age of the trader's last sign of life.", found.age_s),
        ("rft_last_iteration_timestamp_seconds", "When the last iteration ended.", _unix(state.last_iteration)),
        ("rft_last_reconcile_timestamp_seconds", "When the broker was last looked at.", _unix(state.last_look)),
        ("rft_last_tick_timestamp_seconds", "When the last price or trade update came.", _unix(state.last_tick)),
    ]
    for name, told, value in one:
        kind = "counter" if name.endswith("_total") else "gauge"
        _series(out, name, kind, told, [] if value is None else [({}, value)])
    _series(
        out,
        "rft_exposure_ratio",
        "gauge",
        "Part of a limit in money that is used.",
        [({"module": x.module, "budget": x.name}, x.used / x.most) for x in budgets if x.most > 0],
    )
    halts = [({"kind": halt.name}, 1.0) for halt in state.halts]
    halts.append(({"kind": "kill_switch"}, float(state.kill != "off")))
    _series(out, "rft_halt_active", "gauge", "Whether a halt is in force.", halts)
    lasting = {x.kind for x in state.conditions}
    _series(
        out,
        "rft_trouble_active",
        "gauge",
        "Whether trouble of a kind has lasted and lasts.",
        [({"kind": kind}, float(kind in lasting)) for kind in ("unprotected", *CONDITIONS)],
    )
    _series(
        out,
        "rft_position_value_usd",
        "gauge",
        "Value of what is held of a symbol, by hand included.",
        [
            ({"symbol": symbol}, sum(p.value for p in state.positions if p.symbol == symbol))
            for symbol in dict.fromkeys(p.symbol for p in state.positions)
        ],
    )


def _series(out: list[str], name: str, kind: str, told: str, rows: Sequence[tuple[Mapping[str, Any], float]]) -> None:
    if not rows:
        return
    out += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]
    for labels, value in rows:
        named = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
        out.append(f"{name}{{{named}}} {value:.10g}" if named else f"{name} {value:.10g}")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
