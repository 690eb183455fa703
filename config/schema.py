"""The sections of the settings: frozen, strict, no unknown keys, units in the names.

``_frac`` is a fraction of 1 (0.15 is 15%), ``_usd`` money, ``_bps`` hundredths of a percent. The
sections of risk modules, signals and bracket models are plain dictionaries here: each module owns
its settings and ``strategies.registry`` validates them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from config.values.addresses import address
from config.values.closed_trades import CLOSED_TRADES_KEPT
from config.values.markets import MARKETS
from config.values.symbols import canonical


def _sleeptime(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]*[SMHD]", value.upper()):
        raise ValueError('write a whole number and S, M, H or D, e.g. "30S", "5M", "1H" or "1D"')
    return value.upper()


def _market(value: str) -> str:
    if value not in MARKETS:
        raise ValueError("write one of Lumibot's markets, e.g. NYSE, NASDAQ, us_futures or 24/7")
    return value


def _bar_minutes(value: int) -> int:
    if value not in BAR_MINUTES:
        raise ValueError(f"write one of {', '.join(map(str, BAR_MINUTES))} minutes")
    return value


def _clock_time(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError('write New York time as "HH:MM", e.g. "10:30"')
    return value


def _http_url(value: str) -> str:
    return address(value, "https", "http")


def _stream_url(value: str) -> str:
    return address(value, "wss", "ws")


BAR_MINUTES = (1, 5, 15, 30, 60, 1440)

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
BasisPoints = Annotated[float, Field(ge=0, le=1_000)]
Name = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]
Symbol = Annotated[str, AfterValidator(canonical)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
StreamUrl = Annotated[str, AfterValidator(_stream_url)]
ModuleSettings = dict[str, dict[str, Any]]


class Section(BaseModel):
    """Base of every section."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Evidence(Section):
    """What is known of a profile on bars that it was not chosen on; told wherever it runs, read by no decision."""

    verdict: Literal["edge", "no edge", "not tested"]
    sentence: Name


class Account(Section):
    budget_usd: Annotated[float, Field(ge=1)]


class Universe(Section):
    """What may be traded; ``cap`` keeps the first N symbols, ``benchmark`` is only compared with."""

    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1)]
    sectors: dict[Symbol, Name]
    benchmark: Symbol
    cap: Annotated[int, Field(ge=1)] | None

    @property
    def traded(self) -> tuple[str, ...]:
        """The symbols after the cap."""
        return self.symbols[: self.cap]


class Pace(Section):
    """When iterations happen: ``sleeptime`` and ``market`` in Lumibot's words, ``windows`` in New York time.

    ``bars`` is the length of the bars that a live run decides on, in minutes; 1440 is a day. ``speed`` is how many
    seconds of the venue pass in one of ours: above 1 only for a venue on loopback.
    """

    sleeptime: Annotated[str, BeforeValidator(_sleeptime)]
    bars: Annotated[int, AfterValidator(_bar_minutes)]
    speed: Annotated[float, Field(ge=1, le=10_000)]
    market: Annotated[str, AfterValidator(_market)]
    day: Literal["America/New_York", "UTC"]
    windows: tuple[Annotated[str, AfterValidator(_clock_time)], ...]


class Vote(Section):
    """How the enabled signals vote on an entry; a quorum of 1 without veto is no vote."""

    quorum: Annotated[int, Field(ge=1)]
    veto: tuple[Name, ...]
    min_vote_score: Annotated[float, Field(ge=0, le=100)]


class MetaModel(Section):
    """A classifier that learns from the strategy's own closed trades how far to trust an entry.

    ``features`` are read at the last bar before each entry. Of the trades that are closed the first ``train_share``
    fit it and the later ones calibrate its probability; it is fitted anew after each ``refit_trades`` more of them. An
    entry has half its size at the probability ``half_at`` and below, all of it at ``full_at`` and above.
    """

    enabled: bool
    features: Annotated[tuple[Name, ...], Field(min_length=1)]
    min_trades: Annotated[int, Field(ge=40, le=CLOSED_TRADES_KEPT)]
    refit_trades: Annotated[int, Field(ge=1)]
    train_share: Annotated[float, Field(ge=0.5, le=0.9)]
    half_at: Fraction
    full_at: Fraction
    history_bars: Annotated[int, Field(ge=50, le=20_000)]


class Signals(Section):
    """``modules`` are the settings of signals that are classes, ``rules`` are signals written in YAML."""

    enabled: Annotated[tuple[Name, ...], Field(min_length=1)]
    rules: ModuleSettings
    ensemble: Vote
    meta_model: MetaModel
    modules: ModuleSettings


class Selection(Section):
    """From scores to entries: confidence is score / 100."""

    min_confidence: Fraction
    a_plus_score: Annotated[float, Field(ge=0, le=100)]
    watch_list: Annotated[int, Field(ge=1)]
    execute: Annotated[int, Field(ge=1)]
    only_a_plus: bool
    min_session_bars: Annotated[int, Field(ge=0, le=100)]


class Exits(Section):
    model: Name
    models: ModuleSettings


class Sizing(Section):
    risk_frac: PositiveFraction
    max_notional_frac: PositiveFraction
    notional_usd: Annotated[float, Field(gt=0)] | None = None
    lot: Annotated[float, Field(gt=0)]


class Risk(Section):
    chain: tuple[Name, ...]
    modules: ModuleSettings


class GateSettings(Section):
    """The policy gate under everything, as the settings have it; ``max_day_notional_frac`` may exceed 1.

    ``min_cash_frac`` None stands for the share that the rule cash_buffer keeps where it runs, and for 0 elsewhere.
    ``cash_funds`` count as cash: they pass the limits of order, day and number; None stands for the funds of the rule
    cash_sweep where it runs, and for none elsewhere. ``Sections.policy_gate`` derives both.
    """

    max_order_notional_frac: PositiveFraction
    max_day_notional_frac: Annotated[float, Field(gt=0, le=4)]
    max_order_notional_usd: Annotated[float, Field(gt=0)] | None
    max_day_notional_usd: Annotated[float, Field(gt=0)] | None
    max_new_positions: Annotated[int, Field(ge=1)]
    min_cash_frac: Fraction | None
    max_open_positions: Annotated[int, Field(ge=1)]
    restricted: tuple[Symbol, ...]
    cash_funds: tuple[Symbol, ...] | None = None
    price_collar_frac: PositiveFraction


class Gate(GateSettings):
    """The limits that orders are held to: those of the settings, with what follows the chain of rules derived."""

    min_cash_frac: Fraction
    cash_funds: tuple[Symbol, ...] = ()


class Fills(Section):
    """What the backtester charges, slippage against us, and what it pays: interest on idle cash, a year."""

    market_slippage_bps: BasisPoints
    stop_slippage_bps: BasisPoints
    limit_slippage_bps: BasisPoints
    fee_per_share_usd: Annotated[float, Field(ge=0)]
    fee_frac: Annotated[float, Field(ge=0, le=0.1)]
    maker_fee_frac: Annotated[float, Field(ge=0, le=0.1)] | None = None
    cash_interest_frac: Annotated[float, Field(ge=0, le=0.25)]
    exit_gap_usd: Annotated[float, Field(ge=0, le=1)] = 0.01
    entry_rests: bool = False


class Entry(Section):
    """How an entry meets the market: a limit through the ask or at the bid, for so long, and what follows it."""

    cheap_below_usd: Annotated[float, Field(gt=0)]
    cheap_offset_usd: Annotated[float, Field(ge=0)]
    offset_frac: Annotated[float, Field(ge=0, le=0.05)]
    patience_s: Annotated[float, Field(gt=0, le=3_600)]
    join: Literal["ask", "bid"]
    rest: Literal["market", "none"]
    max_quote_age_s: Annotated[float, Field(gt=0)]


class Close(Section):
    """How a protected position is closed: a limit through the market, chased, and then at market."""

    through_frac: Annotated[float, Field(ge=0, le=0.05)]
    patience_s: Annotated[float, Field(gt=0, le=600)]
    chases: Annotated[int, Field(ge=0, le=20)]


class ExtendedHours(Section):
    """Entries from 04:00 New York to four hours after the close; what they leave bare until the opening is capped."""

    enabled: bool
    max_unprotected_frac: PositiveFraction


class Protection(Section):
    """Exits for shares that were found without any, how long before their end resting exits are renewed, and how long a
    stop may be away for its target where the venue lets only the stop rest.
    """

    stop_frac: Annotated[float, Field(gt=0, lt=1)]
    target_frac: Annotated[float, Field(gt=0)]
    renew_days: Annotated[int, Field(ge=1, le=80)]
    max_exchange_s: Annotated[float, Field(gt=0, le=300)]


class Live(Section):
    """What only a run against a venue needs; ``adopt`` names positions made by hand that it may manage;
    ``yahoo`` lets Yahoo serve bars of tickers that the venue has none of. ``journal_answer_s`` is how long a database
    server may be silent before its session counts as lost, ``start_wait_s`` how long a venue that does not answer is
    asked at the start before the trader ends.
    """

    state_dir: Name
    start_wait_s: Annotated[float, Field(ge=0, le=3_600)]
    journal_answer_s: Annotated[float, Field(ge=0.5, le=60)]
    entry: Entry
    close: Close
    protection: Protection
    extended_hours: ExtendedHours
    adopt: tuple[Symbol, ...]
    yahoo: bool


class Monitoring(Section):
    """What a trader leaves for the operator's screens, and where their page is; no decision reads any of it."""

    beat_s: Annotated[float, Field(ge=0.2, le=60)]
    keep_days: Annotated[int, Field(ge=1, le=400)]
    keep_bars: Annotated[int, Field(ge=100, le=20_000)]
    port: Annotated[int, Field(ge=0, le=65_535)]


class Alpaca(Section):
    """Addresses of the venue; None is Alpaca's own for the mode, paper or live. ``feed`` is its data plan."""

    trading_url: HttpUrl | None
    data_url: HttpUrl | None
    stream_url: StreamUrl | None
    feed: Literal["iex", "sip"]


class Kraken(Section):
    """Address and limits of the venue.

    ``tier`` is the account's level of verification, which sets how often it may be asked. ``account`` is what the
    journal calls it, None for a name that follows from the key. ``profiles`` are lower bounds of the balance, USD.
    ``query_s`` and ``monitoring_s`` are the least times between two look-ups of what has ended, and between two looks
    at an account in which nothing is under way; ``late_bar_s`` between two questions for a bar that is late, and
    ``reference_s`` between two readings of pairs and fees.
    """

    url: HttpUrl
    tier: Literal["starter", "intermediate", "pro"]
    account: Name | None
    profiles: Annotated[dict[Name, Annotated[float, Field(ge=0)]], Field(min_length=1)]
    query_s: Annotated[float, Field(ge=0, le=600)]
    monitoring_s: Annotated[float, Field(ge=0, le=600)]
    late_bar_s: Annotated[float, Field(ge=1, le=600)]
    reference_s: Annotated[float, Field(ge=60, le=86_400)]


class Broker(Section):
    venue: Literal["alpaca", "kraken"]
    alpaca: Alpaca
    kraken: Kraken


class Sections(Section):
    """All sections, each fine by itself."""

    strategy: Name
    evidence: Evidence
    account: Account
    universe: Universe
    pace: Pace
    signals: Signals
    selection: Selection
    exits: Exits
    sizing: Sizing
    risk: Risk
    gate: GateSettings
    fills: Fills
    live: Live
    monitoring: Monitoring
    broker: Broker

    @property
    def policy_gate(self) -> Gate:
        """The gate that orders pass. The settings keep None, so that a change of the rule reaches the gate as well."""
        derived: dict[str, Any] = {}
        if self.gate.min_cash_frac is None:
            kept = self._of_rule("cash_buffer").get("buffer_frac", 0.0)
            # A share that the rule will refuse is named with the rule's own key.
            possible = isinstance(kept, int | float) and 0 <= kept <= 1
            derived["min_cash_frac"] = float(kept) if possible else 0.0
        if self.gate.cash_funds is None:
            funds = self._of_rule("cash_sweep").get("funds") or ()
            derived["cash_funds"] = tuple(fund for fund in funds if isinstance(fund, str))
        return Gate(**{**self.gate.model_dump(), **derived})

    def _of_rule(self, name: str) -> dict[str, Any]:
        """The settings of a rule where it runs, else none."""
        return self.risk.modules.get(name, {}) if name in self.risk.chain else {}
