"""Columns of a parquet file, judged by what it declares before any of it is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backtests.data.reading.options import MAX_COLUMNS, ReadOptions, shortened
from backtests.data.reading.tables import Columns, RawTable, Wanted, kept
from config.errors import Refusal

BYTES_PER_VALUE = 8
LONGEST_TEXT = 200
# What writers call an index without a name.
NAMELESS_INDEX = "__index_level_0__"


def open_parquet(path: Path, options: ReadOptions) -> RawTable:
    """The columns of a parquet file, and a way to read them.

    Raises
    ------
    Refusal
        It cannot be read, holds other than plain columns where bars are wanted, or unpacks to more than may be.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException, MemoryError) as error:
        raise _unreadable(path, error) from error
    if len(schema.names) > MAX_COLUMNS:
        raise Refusal(f"{path}: {len(schema.names):,} columns, more than {MAX_COLUMNS:,}; give a long table")

    def read(places: Sequence[int], symbol: int | None, wanted: Wanted | None) -> Columns:
        for place in places:
            _refuse_other_than_plain(path, schema.field(place))
        try:
            return _read(path, schema, places, symbol, wanted, options)
        except (OSError, ValueError, pa.ArrowException, MemoryError, OverflowError) as error:
            raise _unreadable(path, error) from error

    return RawTable(tuple(("",) if n == NAMELESS_INDEX else (n,) for n in schema.names), read)


def _read(
    path: Path,
    schema: pa.Schema,
    places: Sequence[int],
    symbol: int | None,
    wanted: Wanted | None,
    options: ReadOptions,
) -> Columns:
    # Text is kept as the few different texts that there are, so that no row can cost more than a number.
    names = [schema.names[k] for k in places]
    texts = [schema.names[k] for k in places if _is_text(_values(schema.field(k).type))]
    with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
        _refuse_too_large(path, file.metadata, names, options)
        parts: list[Columns] = []
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if rows and (
                wanted is None or symbol is None or _has_wanted(path, file, group, schema.names[symbol], wanted)
            ):
                table = file.read_row_group(group, columns=names)
                arrays = {k: _plain(path, table.column(schema.names[k])) for k in places}
                parts.append(kept(arrays, first, symbol, wanted))
            first += rows
    if not parts:
        empty = {k: pa.chunked_array([], type=_values(schema.field(k).type)) for k in places}
        return Columns(empty, np.arange(0))
    arrays = {k: pa.chunked_array([chunk for part in parts for chunk in part.arrays[k].chunks]) for k in places}
    return Columns(arrays, np.concatenate([part.rows for part in parts]))


def _has_wanted(path: Path, file: pq.ParquetFile, group: int, name: str, wanted: Wanted) -> bool:
    """Whether a part of the file holds a symbol that is kept; one column of it is read to know."""
    column = file.read_row_group(group, columns=[name]).column(0)
    return bool(wanted([str(value) for value in pc.unique(_plain(path, column)).to_pylist()]))


def _plain(path: Path, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text without its dictionary."""
    if not pa.types.is_dictionary(column.type):
        return column
    longest = max((pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0 for chunk in column.chunks), default=0)
    if longest > LONGEST_TEXT:
        raise Refusal(
            f"{path}: holds a text of {longest:,} characters where a symbol or a time belongs; write it again"
        )
    return pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], type=column.type.value_type)


def _refuse_too_large(path: Path, metadata: pq.FileMetaData, names: Collection[str], options: ReadOptions) -> None:
    """By what the file declares: the rows it unpacks to, and the size of its groups of rows.

    What it declares of a single column is not asked for: pyarrow ends the process where that is damaged.
    """
    stored = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    size = max(metadata.num_rows * len(names) * BYTES_PER_VALUE, stored)
    if size > options.max_bytes:
        raise Refusal(
            f"{path}: {metadata.num_rows:,} rows unpack to {size / 1e9:.1f} GB, more than "
            f"{options.max_bytes / 1e9:.1f}; give a part of it"
        )


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _refuse_other_than_plain(path: Path, field: pa.Field) -> None:
    kind = _values(field.type)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise Refusal(
            f"{path}: column {shortened(field.name)[1:-1]} holds {str(kind)[:40]}; write one number or text a row"
        )


def _unreadable(path: Path, error: BaseException) -> Refusal:
    reason = " ".join(str(error).split())[:200]
    return Refusal(f"{path}: cannot be read as parquet ({reason}); write the file again")
