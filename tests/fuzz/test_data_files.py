"""Good files, damaged: each is read as what is left of it or refused in one sentence, and no price is read wrongly.

What changes a digit into another is left out: no reader can know it. Everything else may happen to a file.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from backtests.data.bar_files import read_file
from config.errors import Refusal
from market.bars import PRICES

SYMBOLS = ("AAA", "BRK.B", "NA")
LONGEST_MESSAGE = 700


def good(intraday: bool) -> pd.DataFrame:
    """Bars that all differ, so that one read in another's place is noticed."""
    rng = random.Random(5)
    days = pd.DatetimeIndex(["2023-03-09", "2023-03-10", "2023-03-13", "2023-03-14"])
    times = days
    if intraday:
        opens = [day.tz_localize("America/New_York") + pd.Timedelta(hours=9.5) for day in days]
        times = pd.DatetimeIndex([t for at in opens for t in pd.date_range(at, periods=6, freq="5min")])
    rows = []
    for symbol in SYMBOLS:
        price = rng.uniform(10, 400)
        for time in times:
            low = round(price * rng.uniform(0.97, 0.99), 4)
            high = round(price * rng.uniform(1.01, 1.03), 4)
            rows.append((symbol, time, round(price, 4), high, low, round((low + high) / 2, 4), rng.randrange(1, 10**6)))
            price *= rng.uniform(0.98, 1.02)
    return pd.DataFrame(rows, columns=["symbol", "datetime", *PRICES, "volume"])


GOOD = {intraday: good(intraday) for intraday in (False, True)}
STRUCTURE = (
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b'"',
    b" ",
    b"\0",
    b"#",
    b"-",
    b"?",
    b"\xff",
    b"\xef\xbb\xbf",
    b"'",
    b"=",
)


ACCIDENTS = (
    "insert", "delete", "cut", "drop line", "double line", "swap lines", "swap columns", "rename", "blank field",
    "utf-16", "joined", "halves",
)  # fmt: skip


def _truth(frame: pd.DataFrame) -> dict[tuple[str, pd.Timestamp], tuple[float, ...]]:
    times = frame["datetime"]
    stamps = times if times.dt.tz is None else times.dt.tz_convert("UTC")
    keys = zip(frame["symbol"].astype(str), stamps, strict=True)
    return dict(zip(keys, frame[list(PRICES)].itertuples(index=False, name=None), strict=True))


TRUTHS = {intraday: _truth(frame) for intraday, frame in GOOD.items()}


def damaged_text(data: bytes, draw: st.DataObject) -> bytes:
    """A csv file after some accidents that leave its digits alone."""
    for _ in range(draw.draw(st.integers(1, 3))):
        kind = draw.draw(st.sampled_from(ACCIDENTS))
        lines = data.split(b"\n")
        at = draw.draw(st.integers(0, max(len(data) - 1, 0)))
        row = draw.draw(st.integers(0, len(lines) - 1))
        if kind == "insert":
            # Beside a separator or at an end of a line, where it can make no other number of a number.
            places = [k for k in range(len(data) + 1) if k in (0, len(data)) or data[k - 1 : k] in (b",", b"\n")]
            place = places[at % len(places)]
            data = data[:place] + draw.draw(st.sampled_from(STRUCTURE)) + data[place:]
        elif kind == "delete":
            places = [k for k in range(len(data)) if data[k : k + 1] in (b",", b"\n")]
            if places:
                place = places[at % len(places)]
                data = data[:place] + data[place + 1 :]
        elif kind == "cut":
            # Inside the last field of a line nobody can see it: a shorter number is a number too.
            rest = data[at:].partition(b"\n")[0]
            data = data[:at] if b"," in rest or not rest else data[: data.rfind(b",", 0, at) + 1]
        elif kind == "drop line":
            data = b"\n".join(lines[:row] + lines[row + 1 :])
        elif kind == "double line":
            data = b"\n".join([*lines[: row + 1], *lines[row:]])
        elif kind == "swap lines":
            other = draw.draw(st.integers(0, len(lines) - 1))
            lines[row], lines[other] = lines[other], lines[row]
            data = b"\n".join(lines)
        elif kind == "swap columns":
            one, two = draw.draw(st.integers(0, 6)), draw.draw(st.integers(0, 6))
            data = b"\n".join(_swapped(line, one, two) for line in lines)
        elif kind == "rename":
            name = draw.draw(st.sampled_from([b"Close", b"adj close", b"time", b"", b"close", b"x", b"name"]))
            fields = lines[0].split(b",")
            fields[at % len(fields)] = name
            data = b"\n".join([b",".join(fields), *lines[1:]])
        elif kind == "blank field":
            fields = lines[row].split(b",")
            fields[at % len(fields)] = b""
            data = b"\n".join([*lines[:row], b",".join(fields), *lines[row + 1 :]])
        elif kind == "utf-16":
            data = data.decode("latin-1").encode(draw.draw(st.sampled_from(["utf-16", "utf-16-le", "utf-16-be"])))
        elif kind == "joined":
            data += data
        else:
            data = data[len(data) // 2 :] + data[: len(data) // 2]
    return data


def _swapped(line: bytes, one: int, two: int) -> bytes:
    fields = line.split(b",")
    if max(one, two) < len(fields):
        fields[one], fields[two] = fields[two], fields[one]
    return b",".join(fields)


def damaged_parquet(data: bytes, draw: st.DataObject) -> bytes:
    """A parquet file with bytes changed, lost or doubled; its pages carry checksums."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, max(len(changed) - 1, 0)))
        kind = draw.draw(st.sampled_from(["flip", "cut", "delete", "double"]))
        if kind == "flip" and changed:
            changed[at] ^= 1 << draw.draw(st.integers(0, 7))
        elif kind == "cut":
            del changed[at:]
        elif kind == "delete":
            del changed[at : at + draw.draw(st.integers(1, 64))]
        else:
            changed[at:at] = changed[at : at + 64]
    return bytes(changed)


def judge(path: Path, intraday: bool) -> str:
    """Read a damaged file; what is accepted must be the truth, what is refused is told in a sentence."""
    try:
        found = read_file(path).frame
    except Refusal as refusal:
        message = str(refusal)
        assert "\n" not in message and "\0" not in message and len(message) < LONGEST_MESSAGE, message
        assert message.startswith(str(path)), message
        return "refused"
    truth = TRUTHS[intraday]
    for key, prices in _truth(found).items():
        assert key in truth, f"{key} was made up"
        assert prices == pytest.approx(truth[key], rel=1e-12), key
    return "whole" if len(found) == len(truth) else "part"


def at_once(number: int, case: Callable[[], str]) -> None:
    case()


def fuzz(
    folder: Path, kind: str, examples: int, number: int, tried: Callable[[int, Callable[[], str]], None] = at_once
) -> Counter[str]:
    """Damage files so many times, each ``tried`` by itself; counts of what came of them."""
    outcomes: Counter[str] = Counter()

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data(), st.booleans())
    def once(draw: st.DataObject, intraday: bool) -> None:
        path = folder / f"bars.{kind}"
        if kind == "csv":
            path.write_bytes(damaged_text(GOOD[intraday].to_csv(index=False).encode(), draw))
        else:
            pq.write_table(pa.Table.from_pandas(GOOD[intraday], preserve_index=False), path, write_page_checksum=True)
            path.write_bytes(damaged_parquet(path.read_bytes(), draw))

        def judged() -> str:
            found = judge(path, intraday)
            outcomes[found] += 1
            return found

        tried(number, judged)

    once()
    return outcomes


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_damaged_files_are_read_right_or_refused(tmp_path, kind):
    outcomes = fuzz(tmp_path, kind, 40, 1)
    assert outcomes["refused"] > 10
    if kind == "csv":
        assert outcomes["whole"] + outcomes["part"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("number", range(2, 6))
def test_many_damaged_files_are_read_right_or_refused(tmp_path, kind, number):
    outcomes = fuzz(tmp_path, kind, 1_000, number)
    assert outcomes["refused"] > 200
    if kind == "csv":
        assert outcomes["whole"] + outcomes["part"] > 50


def test_what_a_footer_says_of_its_columns_may_be_damaged(tmp_path):
    """One bit of how a column is declared, and pyarrow ended the process where it was asked for the column's size."""
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.Table.from_pandas(GOOD[False], preserve_index=False), path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    said: Counter[str] = Counter()
    for at in range(footer, footer + 130):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        said[judge(path, intraday=False)] += 1
        try:
            read_file(path)
        except Refusal as refusal:
            said["levels"] += "level histogram" in str(refusal)
    assert said["levels"] >= 3 and said["refused"] > 50
