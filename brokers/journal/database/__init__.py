"""The journal's database: SQLite or PostgreSQL, one writer, every row checked before it is believed."""
