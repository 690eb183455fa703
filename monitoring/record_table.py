"""A table that stays readable on any terminal: numbers and words are never cut, and never broken over two lines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP, INDENT = 2, 2
LEAST_PROSE = 16
"""Columns below which prose is hard to read."""


@dataclass(frozen=True, slots=True)
class Column:
    """``prose`` says that its cells are words, which may go on in another line; numbers may not."""

    name: str
    right: bool = False
    prose: bool = False


class RecordTable:
    """One record a row; where the terminal is narrower than the columns, one below another with its fields in lines.

    Parameters
    ----------
    columns : sequence of Column
        The first one names the record.
    title : str
    """

    def __init__(self, columns: Sequence[Column], title: str = "") -> None:
        self.columns, self.title = tuple(columns), title
        self._rows: list[tuple[list[Text], str]] = []

    def add(self, *cells: str | Text, style: str = "") -> None:
        """Add a record; text is taken as it is, without markup."""
        assert len(cells) == len(self.columns)
        self._rows.append(([cell if isinstance(cell, Text) else Text(cell) for cell in cells], style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.title:
            yield Text(self.title, style="italic")
        for gap in (GAP, 1):
            if widths := self._widths(options.max_width, gap):
                yield self._table(widths, gap)
                return
        yield from self._records(options.max_width)

    def _widths(self, most: int, gap: int) -> list[int]:
        """Widths at which nothing is cut, the widest columns broken between words; empty where there are none."""
        widths, least = [], []
        for k, column in enumerate(self.columns):
            cells = [row[k] for row, _ in self._rows]
            longest, word = max((cell.cell_len for cell in cells), default=0), _longest_word(Text(column.name))
            widths.append(max(longest, cell_len(column.name)))
            words = max([LEAST_PROSE, *map(_longest_word, cells)])
            least.append(max(word, min(longest, words) if column.prose else longest))
        room = most - gap * (len(widths) - 1)
        while sum(widths) > room:
            wider = [k for k in range(len(widths)) if widths[k] > least[k]]
            if not wider:
                return []
            widths[max(wider, key=widths.__getitem__)] -= 1
        return widths

    def _table(self, widths: Sequence[int], gap: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
        for column, width in zip(self.columns, widths, strict=True):
            justify = "right" if column.right else "left"
            heading = "\n".join(textwrap.wrap(column.name, width, break_long_words=False, break_on_hyphens=False))
            table.add_column(heading, justify=justify, width=width, no_wrap=not column.prose)  # type: ignore[arg-type]  # a literal chosen by a condition is text
        for cells, style in self._rows:
            table.add_row(*cells, style=style)
        return table

    def _records(self, most: int) -> Iterable[Text | Padding]:
        fields = [([_field(c.name, cell) for c, cell in zip(self.columns[1:], cells[1:], strict=True)], cells[0], style)
                  for cells, style in self._rows]  # fmt: skip
        rooms = [max((row[k].cell_len for row, _, _ in fields), default=0) for k in range(len(self.columns) - 1)]
        breaks = _breaks(rooms, most - INDENT)
        for row, name, style in fields:
            head = name.copy()
            head.stylize(f"bold {style}")
            yield head
            for first, after in pairwise(breaks):
                line = Text(style=style)
                for k in (k for k in range(first, after) if rooms[k]):
                    line.append_text(row[k]).append(" " * (rooms[k] - row[k].cell_len + GAP))
                line.rstrip()
                if line:
                    yield Padding(line, (0, 0, 0, INDENT))


def _breaks(rooms: Sequence[int], most: int) -> list[int]:
    """Where lines begin that hold as many fields as fit, the same ones in every record."""
    starts, used = [0], 0
    for k, room in enumerate(rooms):
        if used and used + GAP + room > most:
            starts.append(k)
            used = 0
        used += room + (GAP if used and room else 0)
    return [*starts, len(rooms)]


def _field(name: str, cell: Text) -> Text:
    """A value behind its heading; nothing for an empty one."""
    return Text.assemble((f"{name}:", "dim"), " ", cell) if cell.plain.strip() else Text()


def _longest_word(text: Text) -> int:
    return max(map(cell_len, text.plain.split()), default=0)
