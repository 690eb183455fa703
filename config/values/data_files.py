"""Which files can hold bars, by the end of their names, and what helps with the others."""

from __future__ import annotations

from pathlib import Path

TEXT_FILES = (".csv", ".txt", ".tsv")
PARQUET_FILES = (".parquet", ".pq")
DATA_FILES = (*PARQUET_FILES, *TEXT_FILES)
_WAYS_OUT = {
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".7z"), "unpack it, and give the .csv that is in it"),
    **dict.fromkeys((".feather", ".arrow"), "convert it: pandas.read_feather(file).to_parquet('bars.parquet')"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "save its table as .csv"),
}


def way_out_of(path: Path) -> str:
    """What makes a .parquet or .csv file of a file of another kind; empty where nothing special is known."""
    return _WAYS_OUT.get(path.suffix.lower(), "")
