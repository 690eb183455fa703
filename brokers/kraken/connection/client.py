"""Everything that is asked of Kraken, one method for each question; answers as they come, each read once elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from brokers.kraken.answers.figures import seconds
from brokers.kraken.connection.errors import PAIR_COUNTER
from brokers.kraken.connection.rates import Work
from brokers.kraken.connection.rest import Json, KrakenRest, admitted, urgently
from brokers.kraken.payloads import Fields
from brokers.network.admission import Admission
from brokers.venue_errors import NotSent, RateLimited, VenueRefusal, VenueUnavailable

BY_IDS, PAGE, MOST_PAGES = 20, 50, 20
"""Orders of one QueryOrders, of one page of ClosedOrders, and the most pages of a listing."""


class KrakenClient:
    """One key at Kraken, or at whatever speaks its protocol.

    Parameters
    ----------
    rest : KrakenRest
    admission : Admission, optional
        Which requests that change orders may leave; none do without it.

    Raises
    ------
    VenueError
        From every method.
    """

    def __init__(self, rest: KrakenRest, admission: Admission | None = None) -> None:
        self.rest = rest
        self.rates = rest.rates
        self._admission = admission or Admission()

    # ---- public ---------------------------------------------------------------------------------------

    def time(self) -> Json:
        return self._public("Time")

    def system_status(self) -> Json:
        return self._public("SystemStatus")

    def assets(self) -> Json:
        return self._public("Assets")

    def asset_pairs(self) -> Json:
        return self._public("AssetPairs")

    def tickers(self, keys: Iterable[str]) -> Json:
        return self._public("Ticker", {"pair": ",".join(keys)})

    def bars(self, key: str, minutes: int, since: int) -> Json:
        """OHLC: rows after ``since`` (seconds since 1970), at most the newest 720."""
        return self._public("OHLC", {"pair": key, "interval": str(minutes), "since": str(since)})

    # ---- the account ----------------------------------------------------------------------------------

    def balances(self) -> Json:
        return self._ask("BalanceEx")

    def trade_volume(self, keys: Iterable[str]) -> Json:
        return self._ask("TradeVolume", {"pair": ",".join(keys), "fee-info": "true"})

    def open_orders(self, cl_ord_id: str = "") -> Json:
        """Open orders by txid."""
        return _part(self._ask("OpenOrders", {"cl_ord_id": cl_ord_id} if cl_ord_id else {}), "open")

    def closed_orders(self, after: datetime | None = None, cl_ord_id: str = "") -> Json:
        """Orders by txid that were opened or ended after a time, page by page."""
        asked = {"start": seconds(after)} if after is not None else {}
        asked |= {"cl_ord_id": cl_ord_id} if cl_ord_id else {}
        found: Json = {}
        for page in range(MOST_PAGES):
            answer = self._ask("ClosedOrders", {**asked, **({"ofs": str(page * PAGE)} if page else {})})
            rows = _part(answer, "closed")
            fresh = {txid: row for txid, row in rows.items() if txid not in found}
            found |= fresh
            if len(rows) < PAGE or not fresh:
                return found
        raise VenueUnavailable(f"more than {MOST_PAGES * PAGE} orders have ended; the listing is not complete")

    def orders(self, txids: Iterable[str]) -> Json:
        """Orders by txid; what Kraken does not know is missing."""
        wanted, found = list(txids), Json()
        for at in range(0, len(wanted), BY_IDS):
            part = wanted[at : at + BY_IDS]
            try:
                found |= self._ask("QueryOrders", {"txid": ",".join(part)})
            except VenueRefusal as refusal:
                if "EOrder:Unknown order" not in refusal.message:
                    raise
                # One that is not known spoils the answer about the others.
                found |= self._one_by_one(part) if len(part) > 1 else {}
        return found

    # ---- orders ---------------------------------------------------------------------------------------

    def add(self, name: str, fields: Fields) -> Json:
        """AddOrder for the order that the gateway calls ``name``."""
        return self._change("AddOrder", fields, name, fields["pair"], Work.ADD, "")

    def amend(self, name: str, fields: Fields, pair: str) -> Json:
        """AmendOrder for the change that the gateway calls ``name``."""
        return self._change("AmendOrder", fields, name, pair, Work.AMEND, fields["txid"])

    def cancel(self, txid: str, pair: str) -> Json:
        return self._change("CancelOrder", {"txid": txid}, txid, pair, Work.CANCEL, txid)

    def _one_by_one(self, txids: Iterable[str]) -> Json:
        found = Json()
        for txid in txids:
            found |= self.orders([txid])
        return found

    def _change(self, endpoint: str, fields: Fields, name: str, pair: str, work: Work, order_id: str) -> Json:
        if not self._admission.admits(name):
            raise VenueRefusal(f"{endpoint} did not come through the order gateway, it is not sent")
        urgent = self._admission.urgent(name)
        with urgently(urgent):
            # Before order work is counted that cannot be sent.
            self.rest.refuse_lockout()
        if not self.rates.work(pair, work, order_id, urgent=urgent):
            raise NotSent(f"own rate limit: no room for more order work in {pair}")
        try:
            with admitted(), urgently(urgent):
                return _object(self.rest.request(endpoint, "private", "POST", fields))
        except NotSent as error:
            if PAIR_COUNTER not in str(error):
                raise
            raise RateLimited(f"{pair}: {error}", self.rates.pair_full(pair)) from None

    def _ask(self, endpoint: str, fields: Mapping[str, Any] | None = None) -> Json:
        return _object(self.rest.request(endpoint, "private", "POST", fields))

    def _public(self, endpoint: str, query: Mapping[str, Any] | None = None) -> Json:
        return _object(self.rest.request(endpoint, "public", "GET", query))


def _object(answer: Any) -> Json:
    if not isinstance(answer, dict):
        raise VenueUnavailable(f"the venue answered with {type(answer).__name__} where a listing belongs")
    return answer


def _part(answer: Json, name: str) -> Json:
    return _object(answer.get(name) or {})
