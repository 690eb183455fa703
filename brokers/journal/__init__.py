"""The live journal: decisions, orders, fills, trades, equity and halts, in SQLite or PostgreSQL."""

from brokers.journal.database.address import journal_address
from brokers.journal.database.server import JournalTaken
from brokers.journal.fills import Cumulative, Execution
from brokers.journal.history import Figures, FilledOrder, Split
from brokers.journal.journal import Journal
from brokers.journal.journal_order import AlreadyPlanned, JournalConflict, JournalOrder, OrderIntent
from brokers.journal.states import IllegalTransition
from brokers.order_types import State

__all__ = [
    "AlreadyPlanned",
    "Cumulative",
    "Execution",
    "Figures",
    "FilledOrder",
    "IllegalTransition",
    "Journal",
    "JournalConflict",
    "JournalOrder",
    "JournalTaken",
    "OrderIntent",
    "Split",
    "State",
    "journal_address",
]
