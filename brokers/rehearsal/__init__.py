"""A rehearsal exchange that accepts, holds, fills and refuses orders as Alpaca does; pure, time is handed in."""
