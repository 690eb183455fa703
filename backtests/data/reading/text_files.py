"""Columns of a csv file: whatever its encoding, separator, comment lines and headers, and refused before it grows."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv_files

from backtests.data.reading.options import MAX_COLUMNS, MAX_LINE_BYTES, ReadOptions
from backtests.data.reading.tables import Columns, RawTable, Wanted, kept
from config.errors import Refusal

SEPARATORS = {",": "", ";": "separator ;", "\t": "separator tab", "|": "separator |"}
CHUNK = 1024 * 1024
WAY_OUT = "write numbers without thousands separators, and text with commas in quotes"
BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
FEWEST_FIELDS = 5
# Text in memory takes several times its size on the disk, with an entry for each field.
UNPACKED_PER_BYTE = 4


def open_text(path: Path, options: ReadOptions) -> RawTable:
    """The headings of a csv file, and a way to its columns.

    Raises
    ------
    Refusal
        It holds no table, or one whose rows cannot be told from one another.
    """
    if path.stat().st_size * UNPACKED_PER_BYTE > options.max_bytes:
        raise Refusal(
            f"{path}: unpacks to more than {options.max_bytes / 1e9:.1f} GB; give a part of it, or a .parquet"
        )
    with path.open("rb") as file:
        start = file.read(CHUNK)
    encoding, remarks = _encoding(start)
    _check_lines(path, encoding)
    lines, skipped = _head(start, encoding, path)
    separator = lines.pop(0).strip()[4:5] if lines and re.fullmatch(r"sep=.\s*", lines[0], re.I) else None
    skipped += separator is not None
    separator = separator or _separator(lines)
    remarks += [SEPARATORS[separator]] if SEPARATORS.get(separator) else []
    header = [_fields(line, separator) for line in lines[:4]]
    if not header:
        raise Refusal(f"{path}: cannot be read as csv (no rows); give a file with bars")
    if len(header[0]) > MAX_COLUMNS:
        raise Refusal(f"{path}: {len(header[0]):,} columns, more than {MAX_COLUMNS:,}; give a long table")
    if len(header[0]) == 1 and len(header[0][0].split()) >= FEWEST_FIELDS:
        raise Refusal(f"{path}: its columns are set apart by blanks alone; write a comma or a tab between them")
    if len(header[0]) == 1 and any(len(row) >= FEWEST_FIELDS for row in header[1:]):
        raise Refusal(f"{path}: its first line is a title and no header; delete the lines above the header")
    depth = _header_rows(header)
    headings = header[0] if depth else header[0][:0]
    while headings and not headings[-1].strip() and depth == 1:
        headings.pop()
    width = len(headings) if depth else len(header[0])
    there = len(header[depth]) if len(header) > depth else width
    if depth and len(header) <= depth:
        raise Refusal(f"{path}: no rows; give a file with bars")
    if there < width:
        raise Refusal(f"{path}: row 1 has {there} fields, the header {width}; give every row all of them")
    if depth and any(field.strip() for field in (header[depth] if there > width else [])[width:]):
        raise Refusal(f"{path}: row 1 has {there} fields, the header {width}; {WAY_OUT}")
    names = tuple(tuple(header[k][place].strip() for k in range(depth)) for place in range(width))

    def read(places: Sequence[int], symbol: int | None, wanted: Wanted | None) -> Columns:
        # A separator that ends every row makes a last field without anything in it.
        empty = range(width, there)
        table = _table(path, encoding, separator, skipped + depth, [*places, *empty], width)
        for k in empty:
            filled = pc.not_equal(pc.utf8_trim_whitespace(table.column(f"f{k}")), "")
            if pc.any(filled).as_py():
                row = int(np.argmax(filled.to_numpy())) + 1
                raise Refusal(f"{path}: row {row} has {k + 1} fields, the header {width}; {WAY_OUT}")
        return kept({k: table.column(f"f{k}") for k in places}, 0, symbol, wanted)

    return RawTable(names, read, tuple(remarks), () if depth else tuple(header[0]))


def _encoding(start: bytes) -> tuple[str, list[str]]:
    for mark, name in BOMS.items():
        if start.startswith(mark):
            return name, ["UTF-16"] if name != "utf-8" else []
    # Text of Latin letters has a NUL in every other place.
    sample = start[:1000]
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) >= 4 and sample[place::2].count(0) > 0.4 * len(sample) and sample[1 - place :: 2].count(0) == 0:
            return name, ["UTF-16"]
    return "utf-8", []


def _check_lines(path: Path, encoding: str) -> None:
    """Refuse NUL characters, and lines so long that they are none; with one chunk in memory."""
    wide = encoding != "utf-8"
    since, row = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if not wide and (place := chunk.find(b"\0")) >= 0:
                row += chunk.count(b"\n", 0, place)
                raise Refusal(f"{path}: row {row} holds a NUL character; write the file again")
            last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            since = len(chunk) - last - 1 if last >= 0 else since + len(chunk)
            row += chunk.count(b"\n")
            if since > MAX_LINE_BYTES:
                raise Refusal(
                    f"{path}: line {row + 1} is longer than {MAX_LINE_BYTES / 1e6:.0f} MB; write one row a line"
                )


def _head(start: bytes, encoding: str, path: Path) -> tuple[list[str], int]:
    """The first lines that are no comments, and how many lines lie before them."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start).lstrip("\ufeff")
    except UnicodeDecodeError:
        # Headings that a program under Windows wrote: none of them is read, but a message shall name them.
        text = start.decode("cp1252", errors="replace")
    lines = text.splitlines() if len(start) < CHUNK else text.splitlines()[:-1]
    if not lines:
        raise Refusal(f"{path}: cannot be read as csv (no line of headings); give a file with bars")
    skipped = 0
    while skipped < len(lines) and _is_comment(lines[skipped]) and not _is_headings(*lines[skipped : skipped + 2]):
        skipped += 1
    return lines[skipped : skipped + 6], skipped


def _is_comment(line: str) -> bool:
    # Some exports name their site above the headings.
    return not line.strip(" \t") or bool(re.match(r"\s*(?:#|//|https?://\S+\s*$)", line))


def _is_headings(line: str, following: str = "") -> bool:
    """Whether a line that begins as a comment has as many fields as a row of bars below it."""
    separator = _separator([following, following])
    row = _fields(following, separator)
    return len(row) == len(_fields(line, separator)) and _numeric(row) >= FEWEST_FIELDS - 1


def _separator(lines: Sequence[str]) -> str:
    """What the first lines have most fields by."""
    counts = {mark: [len(_fields(line, mark)) for line in lines[:2]] for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: min(counts[mark], default=0))
    return best if counts[best] and min(counts[best]) >= 2 else ","


def _fields(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line), delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return [line]


def _header_rows(header: Sequence[Sequence[str]]) -> int:
    """How many of the first rows are headings: yfinance writes up to three, some exports none."""
    if _numeric(header[0]) >= FEWEST_FIELDS - 1:
        return 0
    depth = 1
    while depth < len(header) and depth < 3 and not any(_is_number(field) for field in header[depth]):
        # A row with a time in it is one of bars, however badly off.
        if re.match(r"\s*\d", header[depth][0] if header[depth] else ""):
            break
        if len(header[depth]) != len(header[0]) or not any(field.strip() for field in header[depth]):
            break
        depth += 1
    return depth


def _numeric(fields: Sequence[str]) -> int:
    return sum(map(_is_number, fields))


def _is_number(field: str) -> bool:
    return bool(re.fullmatch(r"[$€£]?\s*[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?", field.strip()))


def _table(path: Path, encoding: str, separator: str, skipped: int, places: Sequence[int], width: int) -> pa.Table:
    """The rows as text."""
    faults: list[str] = []

    def judge(row: csv_files.InvalidRow) -> str:
        if not _is_comment(row.text):
            faults.append(f"row {row.number - skipped} has {row.actual_columns} fields, the header {width}")
        return "skip"

    try:
        table = csv_files.read_csv(
            _ended(path, encoding),
            # Only a reader without threads counts rows.
            csv_files.ReadOptions(
                use_threads=False,
                skip_rows=skipped,
                autogenerate_column_names=True,
                encoding=encoding,
                block_size=2 * MAX_LINE_BYTES,
            ),
            csv_files.ParseOptions(delimiter=separator, invalid_row_handler=judge, newlines_in_values=True),
            csv_files.ConvertOptions(
                include_columns=[f"f{k}" for k in places],
                include_missing_columns=True,
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
                column_types=dict.fromkeys([f"f{k}" for k in places], pa.string()),
            ),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Refusal(f"{path}: cannot be read as csv ({reason}); write the file again") from error
    if faults:
        raise Refusal(f"{path}: {faults[0]}; {WAY_OUT}")
    return table


def _ended(path: Path, encoding: str) -> Path | io.BytesIO:
    """A file, or a small one's content with an end to its last line: below the header the parser needs one."""
    if path.stat().st_size > CHUNK:
        return path
    content = path.read_bytes()
    ends = tuple(mark.encode(encoding) for mark in "\n\r")
    return path if content.endswith(ends) else io.BytesIO(content + ends[0])
