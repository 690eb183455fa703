#!/usr/bin/env python3
"""Check an exported track record without any of the program that wrote it: standard library alone.

Usage: verify_bundle.py FOLDER [--head "NUMBER HASH"]
``--head`` is a head that was told earlier, by the trader's owner: the record must hold it at its place. Without it the
check shows that the bundle is whole and agrees with itself, not when it was made.
Exit status: 0 it holds, 1 it does not. Checked are hashes, chain, the bookkeeping of decisions, and what was filled,
positions and trades from fills.
"""

import hashlib
import json
import sys
from decimal import Decimal
from pathlib import Path

ZERO, SHARE, OPENING = Decimal(0), Decimal("0.000000001"), ("entry", "hedge")
TOLERANCE = Decimal("0.0002")  # USD a trade: the program adds binary numbers and rounds to four places.


class Wrong(Exception):
    """The record does not hold; the text says where."""


def dumps(value):
    """JSON as the rows are written."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def text_of(number):
    """A decimal in plain digits without trailing zeros."""
    return format(number.normalize(), "f")


def require(truth, what):
    if not truth:
        raise Wrong(what)


def read_manifest(folder):
    data = (folder / "manifest.json").read_bytes()
    manifest = json.loads(data)
    unsigned = {key: value for key, value in manifest.items() if key != "sha256"}
    own = hashlib.sha256(json.dumps(unsigned, sort_keys=True, indent=1).encode()).hexdigest()
    signed = json.dumps({**unsigned, "sha256": own}, sort_keys=True, indent=1)
    require(signed.encode() + b"\n" == data, "manifest.json: its own hash is another")
    require(manifest["format"] in (1, 2), "manifest.json: its format is not known here")
    return manifest


def read_lines(folder, name, manifest):
    data = (folder / name).read_bytes()
    require(hashlib.sha256(data).hexdigest() == manifest["files"][name], f"{name}: its hash is not the manifest's")
    require(data == b"" or data.endswith(b"\n"), f"{name}: its last line is cut")
    return data.decode("ascii").split("\n")[:-1]


def read_chain(lines, manifest, known_head):
    rows, digest, heads = [], manifest["begins_with"], {}
    for number, line in enumerate(lines, 1):
        digest = hashlib.sha256(f"{digest}\n{line}".encode()).hexdigest()
        heads[number] = digest
        row = json.loads(line)
        require(row["link"] == number and dumps(row) == line, f"rows.jsonl, line {number}: not as it was written")
        rows.append(row)
    require(manifest["head"] == {"link": len(lines), "hash": digest}, "rows.jsonl: it does not end with the head")
    number, _, wanted = known_head.partition(" ")
    require(not known_head or heads.get(int(number)) == wanted, "the head that was told is not in the chain")
    return rows


def check_decision(row):
    where = f"decision of {row['symbol']} at {row['time']}"
    before, left = None, (proposed := Decimal(row["proposed_quantity"]))
    for place, verdict in enumerate(row["verdicts"]):
        require(verdict["sequence"] == place, f"{where}: verdict {place} is missing")
        rule, held = f"{where}: {verdict['module']}", verdict["before"]
        require(before in (None, held), f"{rule} does not go on from the rule before it")
        before, left = verdict["after"], Decimal(verdict["after"])
        require(left <= Decimal(held), f"{rule} makes {left} of {held}")
    outcome = "refused" if left <= 0 else "resized" if left < proposed else "sent"
    require(Decimal(row["final_quantity"]) == left, f"{where}: its final quantity is not its last verdict's")
    require(row["outcome"] == outcome, f"{where}: it is {row['outcome']}, its quantities say {outcome}")


def filled(reports):
    """Shares, USD, whether the USD are partly a guess, and the fees, from an order's fill reports."""
    tagged, single, totals, placed, charged = {}, {}, [(ZERO, ZERO, 0)], set(), [(ZERO, ZERO)]
    for report in sorted(reports, key=report_key):
        quantity, price = Decimal(report["quantity"]), Decimal(report["price"])
        if report["kind"] == "cumulative":
            totals.append((quantity, price, -price.normalize().as_tuple().exponent))
            # A row has fees where the venue told them with the total; bundles of format 1 have none.
            charged.append((quantity if "fees" in report else ZERO, Decimal(report.get("fees", ZERO))))
            require(charged[-1][1] >= 0, "fees below 0")
        elif report["cumulative"] is None:
            single[report["fill_id"]] = (quantity, price)
        else:
            tagged.setdefault(Decimal(report["cumulative"]), (quantity, price))
            placed.add(report["fill_id"])
    alone = [*tagged.values(), *(fill for name, fill in single.items() if name not in placed)]
    shares = sum((quantity for quantity, _ in alone), ZERO)
    # Of two averages for one total the one with more digits, then the higher one.
    known, average, _ = max(totals, key=lambda t: (t[0], t[2], t[1]))
    top, fees = max([known, *tagged]), max(charged)[1]
    if shares >= top:
        return shares, sum((quantity * price for quantity, price in alone), ZERO), False, fees
    money, reached, guessed = known * average, known, False
    for total in sorted(total for total in tagged if total > known):
        quantity, price = tagged[total]
        guessed = guessed or total - quantity != reached
        money += (total - reached) * price
        reached = total
    return top, money, guessed, fees


def report_key(report):
    """Reports are gone through in the order of their names, so that a doubt is settled in one way."""
    if report["kind"] == "cumulative":
        return f"sum:{report['quantity']}@{report['price']}"
    return f"id:{report['fill_id']}" if report["fill_id"] else f"at:{report['cumulative']}"


def read_orders(rows):
    orders, reports = {}, {}
    for row in rows:
        if row["table"] == "orders":
            orders[row["client_order_id"]] = {**row, "state": None, "quantity": None, "venue_id": None}
        elif row["table"] == "order_events":
            order = orders[row["client_order_id"]]
            order["state"] = row["state"]
            order |= {name: row[name] for name in ("quantity", "venue_id") if row[name] is not None}
        elif row["table"] == "fills":
            require(row["client_order_id"] in orders, f"a fill of no order: {row['client_order_id']}")
            require(Decimal(row["quantity"]) > 0 and Decimal(row["price"]) > 0, "a fill of nothing")
            reports.setdefault(row["client_order_id"], []).append(row)
    for name, order in orders.items():
        require(order["state"] is not None, f"order {name}: it has no events")
        mine = reports.get(name, [])
        order["shares"], order["usd"], order["guessed"], order["fees"] = filled(mine)
        order["first"] = min((row["time"] for row in mine), default=None)
        order["last"] = max((row["time"] for row in mine), default=None)
    return orders


def settle(orders):
    """Filled orders in the order of their first fills, without what was taken back."""
    back, kept = {}, []
    for order in orders.values():
        if order["first"] is None:
            continue
        if order["role"] == "manual" and order["parent_id"] and not order["venue_id"]:
            back[order["parent_id"]] = back.get(order["parent_id"], ZERO) + order["shares"]
        else:
            kept.append(dict(order))
    for order in kept:
        left = order["shares"] - back.get(order["client_order_id"], ZERO)
        order["usd"], order["fees"] = (order[name] * left / order["shares"] for name in ("usd", "fees"))
        order["shares"] = left
    return [order for order in kept if order["shares"] > 0]


def replay(orders, splits, adopted):
    """Positions (ours and manual) and trades."""
    ours, manual, trades = {}, {}, {}
    events = [((o["first"], 0, o["journaled_at"], o["client_order_id"]), o) for o in settle(orders)]
    events += [((s["time"], 1, s["time"], s["symbol"]), s) for s in splits]
    for _, event in sorted(events, key=lambda pair: pair[0]):
        symbol = event["symbol"]
        if event["table"] == "splits":
            scale(ours, manual, symbol, Decimal(event["before"]), Decimal(event["after"]))
            continue
        part = signed = event["shares"] if event["side"] == "buy" else -event["shares"]
        if event["role"] not in OPENING and symbol not in adopted:
            held = ours[symbol]["shares"] if symbol in ours else ZERO
            part = from_ours(signed, held, manual.get(symbol, ZERO), event["role"] == "manual")
            manual[symbol] = manual.get(symbol, ZERO) + signed - part
        if part:
            book(ours, trades, event, part)
    return ours, {symbol: held for symbol, held in manual.items() if held}, trades


def taken(wanted, there):
    """What of a signed quantity takes away from what is there."""
    return ZERO if wanted * there >= 0 else max(wanted, -there) if wanted < 0 else min(wanted, -there)


def from_ours(signed, held, theirs, by_hand):
    """A manual order takes manual shares first; our exit takes ours, then manual ones, and what is beyond is ours."""
    if by_hand:
        return taken(signed - taken(signed, theirs), held)
    return signed - taken(signed - taken(signed, held), theirs)


def book(ours, trades, order, part):
    symbol, price = order["symbol"], order["usd"] / order["shares"]
    fee = order["fees"] * abs(part) / order["shares"]
    position = ours.get(symbol)
    if position is not None and (closing := taken(part, position["shares"])) not in (ZERO, part):
        book(ours, trades, order, closing)
        part -= closing
        fee, position = order["fees"] * abs(part) / order["shares"], None
    if position is None:
        opened = {"entry": order["client_order_id"], "time": order["last"]}
        ours[symbol] = {"shares": part, "price": price, "fees": fee, **opened}
        return
    if position["shares"] * part > 0:
        total = position["shares"] + part
        position["price"] = (position["price"] * position["shares"] + price * part) / total
        position |= {"shares": total, "fees": position["fees"] + fee}
        return
    paid = position["fees"] * abs(part / position["shares"])
    gain = (price - position["price"]) * abs(part) * (1 if position["shares"] > 0 else -1) - fee - paid
    trades[position["entry"], order["client_order_id"]] = {
        "symbol": symbol, "quantity": abs(part), "entry_price": position["price"], "exit_price": price, "pnl": gain,
        "entry_time": position["time"], "exit_time": order["last"], "exit_reason": order["role"],
    }  # fmt: skip
    position |= {"shares": position["shares"] + part, "fees": position["fees"] - paid}
    if abs(position["shares"]) < SHARE:
        del ours[symbol]


def scale(ours, manual, symbol, before, after):
    total = manual.get(symbol, ZERO) + (ours[symbol]["shares"] if symbol in ours else ZERO)
    if symbol in ours:
        ours[symbol]["shares"] = round(ours[symbol]["shares"] * after / before, 9)
        ours[symbol]["price"] = ours[symbol]["price"] * before / after
    if symbol in manual:
        manual[symbol] = round(total * after / before - (ours[symbol]["shares"] if symbol in ours else ZERO), 9)


def compare(lines, orders, ours, manual, trades, form):
    told = {"order": {}, "trade": {}, "position": {}}
    for line, row in ((line, json.loads(line)) for line in lines):
        require(dumps(row) == line, f"derived.jsonl: not as it was written: {line[:80]}")
        pair = row.get("entry_order_id"), row.get("exit_order_id")
        key = pair if row["kind"] == "trade" else row.get("client_order_id") or row["symbol"]
        require(key not in told[row["kind"]], f"derived.jsonl: {key} is there twice")
        told[row["kind"]][key] = row
    require(told["order"].keys() == orders.keys(), "derived.jsonl: its orders are not those of the rows")
    for name, row in told["order"].items():
        order = orders[name]
        found = {
            "kind": "order", "client_order_id": name, "state": order["state"], "quantity": order["quantity"],
            "venue_id": order["venue_id"], "filled_quantity": text_of(order["shares"]),
            "filled_notional": text_of(order["usd"]), "estimated": order["guessed"],
        }  # fmt: skip
        found |= {"fees": text_of(order["fees"])} if form > 1 else {}
        require(row == found, f"derived.jsonl: order {name} is {dumps(row)}, its rows say {dumps(found)}")
    held = {symbol: position["shares"] for symbol, position in ours.items()}
    require(told["position"].keys() == held.keys() | manual.keys(), "derived.jsonl: other positions follow")
    for symbol, row in told["position"].items():
        mine, total = held.get(symbol, ZERO), held.get(symbol, ZERO) + manual.get(symbol, ZERO)
        near = abs(Decimal(row["ours"]) - mine) <= SHARE and abs(Decimal(row["quantity"]) - total) <= SHARE
        require(near, f"derived.jsonl: {symbol} is {row['quantity']} shares, fills say {text_of(total)}")
    require(told["trade"].keys() == trades.keys(), "derived.jsonl: other trades follow from the fills")
    for key, row in told["trade"].items():
        for name, value in trades[key].items():
            right = row[name] == value
            if isinstance(value, Decimal):
                right = abs(Decimal(row[name]) - value) <= TOLERANCE * max(1, abs(value) / 10_000)
            require(right, f"derived.jsonl: trade {key[1]}: {name} is {row[name]}, fills say {value}")


def verify(folder, known_head=""):
    """Check a bundle; raises Wrong, returns a summary."""
    manifest = read_manifest(folder)
    rows = read_chain(read_lines(folder, "rows.jsonl", manifest), manifest, known_head)
    for row in rows:
        if row["table"] == "decisions":
            check_decision(row)
    orders = read_orders(rows)
    ours, manual, trades = replay(orders, [row for row in rows if row["table"] == "splits"], manifest["adopted"])
    compare(read_lines(folder, "derived.jsonl", manifest), orders, ours, manual, trades, manifest["format"])
    equity = sorted((row["time"], row["equity"]) for row in rows if row["table"] == "equity")
    span = f", equity {equity[0][1]} to {equity[-1][1]} USD from {equity[0][0]} to {equity[-1][0]}" if equity else ""
    gain, fees = sum((t["pnl"] for t in trades.values()), ZERO), sum((o["fees"] for o in orders.values()), ZERO)
    return (
        f"{len(rows)} rows, {len(orders)} orders, {len(trades)} trades with {gain:.2f} USD after fees ({fees:.2f}), "
        f"{len(ours)} positions of ours, {len(manual)} made by hand{span}; head {manifest['head']['link']} "
        f"{manifest['head']['hash']}{'; ' + manifest['upgraded'] if manifest['upgraded'] else ''}"
    )


def main(arguments):
    """Run the command line; returns the exit status."""
    if len(arguments) not in (1, 3) or arguments[1:2] not in ([], ["--head"]):
        sys.exit('usage: verify_bundle.py FOLDER [--head "NUMBER HASH"]')
    try:
        print(f"it holds: {verify(Path(arguments[0]), *arguments[2:])}")
        return 0
    except Wrong as wrong:
        print(f"it does not hold: {wrong}")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        print(f"it does not hold: it cannot be read ({type(error).__name__}: {error})")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
