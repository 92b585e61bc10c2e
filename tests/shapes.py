"""What a database is made of, so that one that came there by steps can be compared with a new one."""

import sqlite3
from contextlib import closing
from pathlib import Path


def shape(path: str | Path) -> list[tuple[str, ...]]:
    """Return all tables with their columns, all indexes, views and triggers of the file."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        shaped: list[tuple[str, ...]] = []
        for kind, name, sql in sorted(made):
            # What ALTER TABLE has written reads otherwise, and says the same.
            shaped.append((kind, name, "" if kind == "table" else " ".join(sql.split())))
            for facts in ("table_info", "foreign_key_list") if kind == "table" else ():
                rows = connection.execute(f"PRAGMA {facts} ('{name}')")
                shaped += [(name, facts, *map(str, row)) for row in rows]
    return shaped
