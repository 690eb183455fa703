"""A rehearsal exchange that accepts, holds, fills and refuses orders as Kraken does."""
