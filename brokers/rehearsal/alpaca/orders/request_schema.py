"""What a request may look like, whatever the account holds: fields, types, ticks, times in force."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from brokers.rehearsal.alpaca.errors import forbidden, unprocessable
from brokers.rehearsal.alpaca.json_bodies import plain
from brokers.rehearsal.core.settings import VenueSettings

TYPES = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": (),
}
PRICES = ("limit_price", "stop_price")
TRAILS = ("trail_price", "trail_percent")
CLASSES = ("simple", "bracket", "oco", "oto", "mleg")
TIMES_IN_FORCE = ("day", "gtc", "opg", "cls", "ioc", "fok")
AUCTIONS = {"opg": "open", "cls": "close"}
INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
NOT_REHEARSED = ("advanced_instructions", "legs")
OPTION = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}")
LONGEST_CLIENT_ID = 128
LONGEST_NUMBER = 40
# Nobody has a trillion, and arithmetic has to stay exact.
LARGEST_EXPONENT = 11
LONGEST_FRACTION = -9


@dataclass(frozen=True, slots=True)
class Request:
    """A well-formed order request; what was left out is None or empty."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    order_class: str
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    client_order_id: str | None
    intent: str = ""
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None

    @property
    def fractional(self) -> bool:
        return self.notional is not None or (self.qty is not None and self.qty != self.qty.to_integral_value())


def number(value: object, name: str) -> Decimal | None:
    """A positive decimal given as text or number; None stays None."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        text = value if isinstance(value, str) else repr(value)
        if len(text) > LONGEST_NUMBER or not isinstance(value, str | int | float | Decimal):
            raise InvalidOperation
        read = Decimal(str(value))
    except InvalidOperation:
        raise unprocessable(f"invalid {name}") from None
    if read.is_finite() and read.adjusted() > LARGEST_EXPONENT:
        raise unprocessable(f"{name} is too large")
    if not read.is_finite() or read <= 0:
        raise unprocessable(f"{name} must be > 0")
    return read


def price(value: object, name: str) -> Decimal | None:
    """A price on the venue's grid: cents from $1 on, hundredths of a cent below."""
    read = number(value, name)
    if read is None:
        return None
    places = Decimal("0.01") if read >= 1 else Decimal("0.0001")
    if read % places:
        raise unprocessable(
            f"invalid {name} {plain(read)}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return read


def choice(payload: Mapping[str, object], key: str, allowed: tuple[str, ...]) -> str:
    """The text at ``key``, which has to be one of ``allowed``."""
    value = payload.get(key)
    for name in allowed:
        if value == name:
            # Not ``value``: a client library's enum member equals its text and prints as something else.
            return name
    raise unprocessable(f"invalid {key}")


def switch(payload: Mapping[str, object], key: str) -> bool:
    """The boolean at ``key``, false where there is none."""
    value = payload.get(key)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise unprocessable(f"invalid {key}: it is true or false, without quotation marks")


def _intent(payload: Mapping[str, object]) -> str:
    """Whether the order is declared to open or to close; empty where nothing is declared."""
    if payload.get("position_intent") in (None, ""):
        return ""
    declared = choice(payload, "position_intent", INTENTS)
    side, _, intent = declared.partition("_to_")
    if side != payload.get("side"):
        raise unprocessable(f"position_intent {declared} contradicts the side {payload.get('side')}")
    return intent


def client_id(value: object) -> str | None:
    """A client order id of acceptable length; None where none was given."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST_CLIENT_ID:
        raise unprocessable(f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")
    return value


def read_order(payload: Mapping[str, object], settings: VenueSettings) -> Request:
    """Read an order request.

    Raises
    ------
    ApiError
        422 for a request that Alpaca would refuse at any time; 403 for a notional that is too small.
    """
    symbol = payload.get("symbol")
    order_class = choice({"order_class": payload.get("order_class") or "simple"}, "order_class", CLASSES)
    if order_class == "mleg":
        raise unprocessable("invalid order_class: mleg is not rehearsed here, options are not traded")
    for name in NOT_REHEARSED:
        if payload.get(name):
            raise unprocessable(f"{name} are not rehearsed here")
    if not isinstance(symbol, str) or not symbol:
        raise unprocessable("symbol is required")
    if "/" in symbol or OPTION.fullmatch(symbol):
        kind = "crypto" if "/" in symbol else "an option"
        raise unprocessable(f'"{symbol}" is not rehearsed here: {kind}, and only US shares are traded')
    legs = {name: _leg(payload, name) for name in ("take_profit", "stop_loss")}
    request = Request(
        symbol=symbol,
        side=choice(payload, "side", ("buy", "sell")),
        type=choice(payload, "type", tuple(TYPES)),
        time_in_force=choice(payload, "time_in_force", TIMES_IN_FORCE),
        order_class="" if order_class == "simple" else order_class,
        qty=number(payload.get("qty"), "qty"),
        notional=number(payload.get("notional"), "notional"),
        limit_price=price(payload.get("limit_price"), "limit_price"),
        stop_price=price(payload.get("stop_price"), "stop_price"),
        trail_price=number(payload.get("trail_price"), "trail_price"),
        trail_percent=number(payload.get("trail_percent"), "trail_percent"),
        extended_hours=switch(payload, "extended_hours"),
        client_order_id=client_id(payload.get("client_order_id")),
        intent=_intent(payload),
        take_profit=price(legs["take_profit"].get("limit_price"), "take_profit.limit_price"),
        stop_loss=price(legs["stop_loss"].get("stop_price"), "stop_loss.stop_price"),
        stop_loss_limit=price(legs["stop_loss"].get("limit_price"), "stop_loss.limit_price"),
    )
    _check_quantity(request, settings)
    _check_class(request)
    _check_prices(request)
    _check_hours(request)
    return request


def _leg(payload: Mapping[str, object], name: str) -> Mapping[str, object]:
    leg = payload.get(name)
    if leg is None:
        return {}
    if not isinstance(leg, Mapping):
        raise unprocessable(f"invalid {name}")
    return leg


def _check_quantity(request: Request, settings: VenueSettings) -> None:
    if request.qty is None and request.notional is None:
        raise unprocessable("qty or notional is required")
    if request.qty is not None and request.notional is not None:
        raise unprocessable("only one of qty or notional is accepted")
    if request.notional is not None:
        if request.type != "market":
            raise unprocessable("notional orders must be market orders")
        if request.notional < settings.minimum_notional_usd:
            minimum = plain(settings.minimum_notional_usd)
            raise forbidden(f"cost basis must be >= minimal amount of order {minimum}")
    amount = request.qty if request.qty is not None else request.notional
    # An exponent is text only for NaN and infinity, which parsing has refused.
    if amount is not None and amount.normalize().as_tuple().exponent < LONGEST_FRACTION:  # type: ignore[operator]  # see above
        raise unprocessable("qty and notional take at most 9 decimals")
    if request.fractional:
        if request.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if request.order_class or request.type == "trailing_stop":
            raise unprocessable("fractional orders must be simple orders")


def _check_class(request: Request) -> None:
    name = request.order_class
    has_target, has_stop = request.take_profit is not None, request.stop_loss is not None
    if not name:
        if has_target or has_stop or request.stop_loss_limit is not None:
            raise unprocessable("simple orders must not have take_profit or stop_loss")
        return
    if request.type == "trailing_stop":
        raise unprocessable("trailing_stop orders must be simple orders")
    if request.time_in_force not in ("day", "gtc"):
        raise unprocessable(f"{name} orders must be DAY or GTC orders")
    if request.extended_hours:
        raise unprocessable(f"{name} orders must not be extended hours orders")
    if name == "oto":
        if has_target == has_stop:
            raise unprocessable("oto orders require either take_profit.limit_price or stop_loss.stop_price")
    elif not has_target:
        raise unprocessable(f"{name} orders require take_profit.limit_price")
    elif not has_stop:
        raise unprocessable(f"{name} orders require stop_loss.stop_price")
    if name == "oco" and request.type != "limit":
        raise unprocessable("oco orders must be limit orders")
    if request.take_profit is not None and request.stop_loss is not None:
        # The exits of a buy sell above and below it; an OCO is itself the exit.
        sells = (request.side == "sell") if name == "oco" else (request.side == "buy")
        if request.take_profit <= request.stop_loss if sells else request.take_profit >= request.stop_loss:
            relation = ">" if sells else "<"
            raise unprocessable(f"take_profit.limit_price must be {relation} stop_loss.stop_price")


def _check_prices(request: Request) -> None:
    if request.order_class == "oco":
        return
    for name in PRICES:
        given = getattr(request, name) is not None
        if name in TYPES[request.type] and not given:
            raise unprocessable(f"{request.type} orders require {name}")
        if given and name not in TYPES[request.type]:
            raise unprocessable(f"{request.type} orders must not have {name}")
    trails = sum(getattr(request, name) is not None for name in TRAILS)
    if request.type == "trailing_stop" and trails != 1:
        raise unprocessable("trailing_stop orders require either trail_price or trail_percent")
    if request.type != "trailing_stop" and trails:
        raise unprocessable(f"{request.type} orders must not have trail_price or trail_percent")


def _check_hours(request: Request) -> None:
    if request.time_in_force in AUCTIONS and (request.type not in ("market", "limit") or request.extended_hours):
        raise unprocessable(f"{request.time_in_force} orders must be market or limit orders of the regular session")
    if request.extended_hours and (request.type != "limit" or request.time_in_force != "day"):
        raise unprocessable("extended hours order must be DAY limit orders")
    if request.type == "trailing_stop" and request.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing_stop orders must be DAY or GTC orders")
