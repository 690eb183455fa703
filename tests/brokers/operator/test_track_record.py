"""A track record: derived from the chain, exported, and checked by a program that shares no code with this one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from brokers.desk.reconcile.position_book import replay
from brokers.journal import Cumulative, Execution, Journal, OrderIntent, order_statements
from brokers.journal.database.integrity import Damaged
from brokers.operator.bundle import _signed, export, verify_bundle
from brokers.operator.track_record import Period, _require_bookkeeping, verify
from brokers.record import EquityRow
from commands.app import main
from commands.operator import verify as verify_command
from config.errors import Refusal
from tests.brokers.desk.drills import scripted_day
from tests.brokers.desk.scene import ACCOUNT, TUESDAY, Scene
from tests.brokers.desk.written_days import DAY, Written, a_day
from tests.brokers.journal.databases import put

TOOL = Path(__file__).parents[3] / "tools" / "verify_bundle.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_bundle", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a day on which a desk did everything that it does."""
    folder = tmp_path_factory.mktemp("day")
    scene = Scene(folder)
    scripted_day(scene, lambda: None)
    scene.settle(5)
    scene.stop()
    return folder / "journal.sqlite"


@pytest.fixture(scope="module")
def bundle(day: Path) -> Path:
    export(day, day.parent / "bundle")
    return day.parent / "bundle"


def test_a_journal_in_place_of_a_bundle_is_told_its_option(tmp_path):
    (tmp_path / "journal.sqlite3").touch()
    with pytest.raises(
        Refusal, match=r"is a file, a bundle is a folder; a journal is verified with --journal .*sqlite3$"
    ):
        verify_bundle(tmp_path / "journal.sqlite3")


def test_a_day_is_derived_from_its_chain_and_the_tool_agrees(day, bundle, tool):
    record = verify(day)
    assert len(record.trades) > 3
    assert record.counts["orders"] == len(record.orders) > 10
    assert abs(record.cash_change - record.cash_by_fills) < 10_000
    told = tool.verify(bundle)
    assert f"{len(record.orders)} orders, {len(record.trades)} trades" in told
    assert told.endswith(f"head {record.head}")
    assert verify_bundle(bundle).lines == record.lines


def test_the_tool_stands_alone(bundle):
    source = TOOL.read_text()
    assert len(source.splitlines()) <= 300
    done = subprocess.run([sys.executable, "-I", str(TOOL), str(bundle)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:9]) == (0, "it holds:"), done
    head = verify_bundle(bundle).head
    for told, status in ((head, 0), (head.replace(head[-1], "x"), 1), (f"1 {head.partition(' ')[2]}", 1)):
        done = subprocess.run([sys.executable, "-I", str(TOOL), str(bundle), "--head", told], check=False)
        assert done.returncode == status
    assert subprocess.run([sys.executable, "-I", str(TOOL)], check=False).returncode == 1


def test_a_period_counts_what_lies_in_it(day):
    whole = verify(day)
    middle = TUESDAY + timedelta(seconds=20)
    first, second = verify(day, Period(None, middle)), verify(day, Period(middle, None))
    assert sorted([*first.trades, *second.trades]) == whole.trades
    assert first.trades and second.trades
    assert {k: first.counts[k] + second.counts[k] for k in whole.counts} == whole.counts


@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_a_journal_on_either_database_gives_the_same_bundle(where, tmp_path, request, tool):
    """Upgraded from version 1, with orders by hand."""
    if where == "sqlite":
        address = str(put(tmp_path / "journal.sqlite"))
    else:
        from tests.brokers.journal.databases import KEPT, execute

        address = request.getfixturevalue("postgres").fresh()
        execute(address, (KEPT / "version_1.postgresql.sql").read_text())
    with pytest.raises(Refusal, match="of schema version 1; start the trader once to bring it to version 4"):
        verify(address)
    Journal(address, ACCOUNT).close()
    record = export(address, tmp_path / "bundle")
    assert len(record.trades) == 2
    assert "rows were there before the chain was" in tool.verify(tmp_path / "bundle")


@pytest.mark.parametrize("seed", range(3))
def test_random_histories_with_splits_and_hands_are_derived_alike(seed, tmp_path, tool):
    chance, written, seen = Random(seed), Written(), Counter()
    for number in range(70):
        a_day(chance, written, number, number * 3, seen)
    path = tmp_path / "journal.sqlite"
    adopted = ("MSFT",)
    with Journal(path, "account", lambda: TUESDAY) as journal, journal._store.transaction() as connection:
        for item in sorted(written.filled_orders(), key=lambda f: bool(f.order.parent_id)):
            write(connection, item, chance)
    with Journal(path, "account") as journal:
        for split in written.splits():
            journal.split(split.symbol, split.before, split.after, split.time)
        book = replay(journal.filled_orders(), lambda order: None, adopted, DAY, journal.splits())
        journal.trades({(p.entry_order, p.exit_order): p.trade for p in book.portions})
    record = export(path, tmp_path / "bundle", adopted)
    assert len(record.trades) == len(book.portions) > 3
    assert book.ledger.record.fees > 3, "fees are in the trades that are compared"
    assert seen["split"] + seen["difference"] > 2
    assert f"{len(record.trades)} trades" in tool.verify(tmp_path / "bundle")
    assert verify_bundle(tmp_path / "bundle").lines == record.lines
    with pytest.raises(Refusal, match="table trades"):
        verify(path, adopted=("AAPL", "NVDA"))


def write(connection, item, chance: Random) -> None:
    """An order as it stands, told of in parts."""
    order = item.order
    intent = OrderIntent(
        order.strategy, order.symbol, order.side, order.quantity, order.type, order.role, order.decision_time,
        bracket_stop=order.bracket_stop, bracket_target=order.bracket_target, parent_id=order.parent_id,
    )  # fmt: skip
    name, total = order.client_order_id, order.filled_quantity
    price = round(order.filled_notional / total, 4)
    order_statements.insert(
        connection, name, intent, run_id=None, now=order.journaled_at, venue_id=order.venue_id or None
    )  # fmt: skip
    reports = [Cumulative(total, price, item.last_fill, order.fees)]
    if total > 1:
        reports.append(Execution(1, price + 1, item.first_fill, "x", 1 if chance.random() < 0.5 else None))
    else:
        reports = [Execution(total, price, item.first_fill, "", total)]
    for report in reports:
        order_statements.report(
            connection, name, order.state, report.key, time=item.last_fill, venue_id=order.venue_id or None,
            reports=[report],
        )  # fmt: skip


def changes(bundle: Path, folder: Path, seed: int, count: int) -> Iterator[tuple[Path, str]]:
    chance = Random(seed)
    files = sorted(bundle.iterdir())
    sizes = [file.stat().st_size for file in files]
    shutil.copytree(bundle, folder, dirs_exist_ok=True)
    for _ in range(count):
        file = chance.choices(files, [*sizes[:1], *sizes[1:2], max(sizes) // 2][: len(files)])[0]
        data = bytearray(file.read_bytes())
        place = chance.randrange(len(data))
        data[place] = (data[place] + chance.randrange(1, 256)) % 256
        (folder / file.name).write_bytes(data)
        yield folder, f"{file.name} at {place}"
        shutil.copyfile(file, folder / file.name)


def every_change_is_found(bundle: Path, folder: Path, tool: ModuleType, seed: int, count: int) -> None:
    met = Counter()
    for changed, where in changes(bundle, folder, seed, count):
        with pytest.raises(Refusal) as caught:
            verify_bundle(changed)
        assert "\n" not in str(caught.value)
        assert tool.main([str(changed)]) == 1, where
        met[where.partition(" ")[0]] += 1
    assert len(met) == 3
    assert tool.main([str(folder)]) == 0


def test_each_changed_byte_of_a_bundle_is_found_by_both(bundle, tmp_path, tool):
    every_change_is_found(bundle, tmp_path, tool, 1, 200)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_of_many_changed_bytes_of_a_bundle_is_found_by_both(bundle, tmp_path, tool):
    every_change_is_found(bundle, tmp_path, tool, 2, 10_000)


def signed(folder: Path) -> None:
    """Hash everything anew, as whoever forges a bundle would."""
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_text())
    digest = manifest["begins_with"]
    lines = (folder / "rows.jsonl").read_text().splitlines()
    for line in lines:
        digest = hashlib.sha256(f"{digest}\n{line}".encode()).hexdigest()
    manifest["head"] = {"link": len(lines), "hash": digest}
    for name in manifest["files"]:
        manifest["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    manifest.pop("sha256")
    own = hashlib.sha256(json.dumps(manifest, sort_keys=True, indent=1).encode()).hexdigest()
    text = json.dumps({**manifest, "sha256": own}, sort_keys=True, indent=1)
    (folder / "manifest.json").write_bytes(text.encode() + b"\n")


@pytest.mark.parametrize(
    ("file", "table", "column"),
    [("rows.jsonl", "fills", "price"), ("rows.jsonl", "fills", "quantity"), ("derived.jsonl", "trade", "pnl"),
     ("derived.jsonl", "order", "filled_notional"), ("derived.jsonl", "order", "fees")],
)  # fmt: skip
def test_a_forged_figure_that_is_hashed_anew_is_found_by_both(bundle, tmp_path, tool, file, table, column):
    folder = tmp_path / "forged"
    shutil.copytree(bundle, folder)
    lines = (folder / file).read_text().splitlines()
    place = next(
        i for i, line in enumerate(lines) if (json.loads(line).get("table") or json.loads(line)["kind"]) == table
    )
    row = json.loads(lines[place])
    row[column] = str(float(row[column]) + 3)
    lines[place] = json.dumps(row, sort_keys=True, separators=(",", ":"))
    (folder / file).write_text("".join(f"{line}\n" for line in lines))
    signed(folder)
    with pytest.raises(Refusal, match=r"does not follow|cannot be below"):
        verify_bundle(folder)
    assert tool.main([str(folder)]) == 1


def test_no_rule_makes_more_of_a_quantity(tool):
    verdicts = [{"module": "equity_sizer", "before": "10", "after": "10", "sequence": 0}]
    verdicts.append({"module": "a_rule", "before": "10", "after": "500", "sequence": 1})
    decision = {"symbol": "AAPL", "time": "t", "verdicts": verdicts, "proposed_quantity": "10"}
    decision |= {"final_quantity": "500", "outcome": "sent"}
    for error, check in ((Damaged, _require_bookkeeping), (tool.Wrong, tool.check_decision)):
        with pytest.raises(error, match="decision of AAPL at t: a_rule makes 500 of 10"):
            check(decision)


def sold(address: str | Path, price: str) -> None:
    """A twentieth of a coin bought at 0.30 and sold."""
    at = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    with Journal(address, ACCOUNT, lambda: at) as journal:
        journal.begin_run("live", "combined", "micro_cap", "h")
        for k, (role, side, usd) in enumerate((("entry", "buy", "0.30"), ("close", "sell", price))):
            when, coins = at + timedelta(minutes=k), Decimal("0.05")
            name = journal.plan_order(OrderIntent("combined", "DOGE/USD", side, coins, "market", role, when))
            journal.sent(name, f"v{k}")
            journal.event(name, "filled", time=when, fills=[Cumulative(coins, Decimal(usd), when)])
        journal.equity(EquityRow(at, 100.0, -0.0, 0.0, -0.0, 0))
        portions = replay(journal.filled_orders(), lambda order: None, ()).portions
        journal.trades({(p.entry_order, p.exit_order): p.trade for p in portions})
        assert str(portions[0].trade.pnl) == "-0.0"


def test_a_result_that_rounds_to_minus_nothing_is_nothing(tmp_path, tool, postgres):
    address = postgres.fresh()
    sold(address, "0.2995")
    assert '"pnl":"0"' in verify(address).trades[0]
    # A journal and a bundle of before have a zero with its sign in a file.
    path = tmp_path / "journal.sqlite"
    sold(path, "0.2995")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE trades SET pnl = '-0'")
    assert verify(path).trades == export(path, tmp_path / "bundle").trades == verify(address).trades
    derived = tmp_path / "bundle" / "derived.jsonl"
    derived.write_text(derived.read_text().replace('"pnl":"0"', '"pnl":"-0"'))
    manifest = tmp_path / "bundle" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["files"]["derived.jsonl"] = hashlib.sha256(derived.read_bytes()).hexdigest()
    manifest.write_bytes(_signed({key: value for key, value in told.items() if key != "sha256"}))
    assert verify_bundle(tmp_path / "bundle").trades == verify(address).trades
    assert "1 trades" in tool.verify(tmp_path / "bundle")


def test_the_commands(day, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["verify", "--journal", str(day)]) == 0
    assert "it is what was written: " in capsys.readouterr().out
    assert main(["export", str(out), "--journal", str(day)]) == 0
    assert sorted(f.name for f in out.iterdir()) == ["derived.jsonl", "manifest.json", "rows.jsonl"]
    capsys.readouterr()
    assert main(["verify", str(out), "--start", "2023-03-07", "--end", "2023-03-07", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["orders"] > 0
    for arguments in (
        ["export", str(out), "--journal", str(day)],
        ["verify", "--journal", str(tmp_path / "nothing.sqlite")],
        ["verify", str(tmp_path)],
        ["verify", "--journal", str(day), "--start", "07/03/2023"],
    ):
        assert main(arguments) == 2, arguments


def test_fills_without_their_trades_are_told_from_a_changed_table(day, tmp_path):
    path = tmp_path / "journal.sqlite"
    shutil.copyfile(day, path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM trades WHERE exit_order_id = (SELECT min(exit_order_id) FROM trades)")
    with pytest.raises(Refusal, match=r"without their trades: 1 trade .* is not .*; start the trader once") as caught:
        verify(path)
    assert "restore a copy" not in str(caught.value)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE trades SET pnl = '1000'")
    with pytest.raises(Refusal, match=r"table trades: .* the journal is not what was written"):
        verify(path)


def test_a_day_ends_at_midnight_in_new_york():
    assert verify_command.midnight(date(2023, 3, 7), 1) == datetime(2023, 3, 8, 5, tzinfo=UTC)
    assert verify_command.midnight(date(2023, 3, 11), 1) == datetime(2023, 3, 12, 5, tzinfo=UTC)
    assert verify_command.midnight(date(2023, 3, 13), 0) == datetime(2023, 3, 13, 4, tzinfo=UTC)
