"""What an operator asks of a trader, from its journal and its state file: read-only, beside it or after it.

``state`` is the file that the trader writes, ``journal_reader`` the journal, ``market_view`` its bars and readings;
``status``, ``explain``, ``whatif`` and ``metrics`` answer from them, for every screen alike.
"""
