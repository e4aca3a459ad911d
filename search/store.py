"""The products of a release: one read-only SQLite file, rows in catalog order, with prefix suggestions beside them."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from search.analysis import words_of
from search.arrays import Rows
from search.errors import NotFound, ReleaseDamaged
from search.product import Product
from search.state.batches import Change

_SCHEMA = """
CREATE TABLE products (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, group_id TEXT NOT NULL, json BLOB NOT NULL);
CREATE INDEX products_by_group ON products (group_id) WHERE group_id != '';
CREATE TABLE codes (code TEXT NOT NULL, row INTEGER NOT NULL, own INTEGER NOT NULL);
CREATE INDEX codes_by_code ON codes (code);
"""
PAGES_KB = 256
SUGGESTION_KINDS = ("queries", "categories", "products")


class _Connections(deque[sqlite3.Connection]):
    """Connections that nobody reads over now; closed with whoever holds them last.

    Left alone they would stay open: in Python each is a circle with its own statements.
    """

    def __del__(self) -> None:
        for connection in self:
            connection.close()


class ProductStore:
    """Products by row or id, and suggestions by prefix. Safe to share between threads.

    Each reads over a connection of its own while it reads: there are as many as ever read at once.
    """

    def __init__(self, path: Path, *, writable: bool = False):
        self.path = path
        self._changes: dict[int, Change] = {}
        self._mode = "rwc" if writable else "ro&immutable=1"
        try:
            self._db = self._connect()
            if writable:
                # The file is written aside and synced once at publication; a journal would only cost time.
                self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
            self._idle = _Connections([self._db])
            # Counting would read the whole file.
            self.count = int(self._read("SELECT coalesce(max(row) + 1, 0) FROM products")[0][0])
        except sqlite3.Error as error:
            raise ReleaseDamaged(f"{path} cannot be read as a product store ({error}); build the release again") from (
                error
            )

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode={self._mode}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        # Its own cache of pages, 2 MB of each connection, only repeats the system's.
        connection.execute(f"PRAGMA cache_size = -{PAGES_KB}")
        return connection

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            connection = self._idle.pop()  # one step of the interpreter: no two threads get the same
        except IndexError:
            connection = self._connect()
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            raise ReleaseDamaged(f"{self.path} cannot be read ({error}); see python -m indexer verify") from error
        finally:
            self._idle.append(connection)

    # -- writing (the indexer only) --

    def append(self, products: Iterable[Product]) -> None:
        """Add products; each gets the next row."""
        for product in products:
            record = (self.count, product.id, product.group_id, product.as_line())
            self._db.execute("INSERT INTO products VALUES (?, ?, ?, ?)", record)
            self.count += 1

    def write_suggestions(self, suggestions: Mapping[str, Iterable[tuple[str, str]]]) -> None:
        """Add (text, target) suggestions of every kind, the most useful first: that order is the answer's order."""
        for kind in SUGGESTION_KINDS:
            self._db.execute(
                f"CREATE VIRTUAL TABLE suggest_{kind} USING fts5("
                "folded, text UNINDEXED, target UNINDEXED, prefix='1 2 3', detail='none')"
            )
            rows = ((" ".join(words_of(text)), text, target) for text, target in suggestions[kind])
            self._db.executemany(f"INSERT INTO suggest_{kind} VALUES (?, ?, ?)", rows)  # noqa: S608 - kind is ours

    def write_codes(self, codes: Iterable[tuple[str, int, bool]]) -> None:
        """Add (code, row, whether it is the product's own number, not one in its title)."""
        self._db.executemany("INSERT INTO codes VALUES (?, ?, ?)", codes)

    def finish(self) -> None:
        """Write everything out and close."""
        self._db.commit()
        self._db.close()

    # -- reading --

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Product]:
        """Yield every product in row order, a thousand in memory at a time."""
        for start in range(0, self.count, 1000):
            yield from self.products(range(start, min(start + 1000, self.count)))

    def ids(self, rows: range | None = None) -> list[str]:
        """Return the id of every product, or of a range of rows, in row order."""
        part = range(self.count) if rows is None else rows
        sql = "SELECT id FROM products WHERE row >= ? AND row < ? ORDER BY row"
        return [product_id for (product_id,) in self._read(sql, (part.start, part.stop))]

    def group_ids(self) -> list[str]:
        """Return what each product shares with its variants, "" where it stands alone, in row order."""
        return [group_id for (group_id,) in self._read("SELECT group_id FROM products ORDER BY row")]

    def products(self, rows: Sequence[int] | Rows) -> list[Product]:
        """Return the products of these rows, in the order asked for."""
        wanted = [int(row) for row in rows]
        found: dict[int, Product] = {}
        for start in range(0, len(wanted), 500):  # SQLite takes a bounded number of placeholders
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            lines = self._read(f"SELECT row, json FROM products WHERE row IN ({marks})", part)  # noqa: S608
            found |= {row: Product.from_line(line) for row, line in lines}
        for row in found.keys() & self._changes.keys():
            found[row] = self._as_it_is(row, found[row])
        return [found[row] for row in wanted]

    def _as_it_is(self, row: int, product: Product) -> Product:
        """Return a product of the catalog as it is today."""
        change = self._changes[row]
        price = product.price if change.price is None else change.price
        return replace(product, price=price, availability=change.availability or product.availability)

    def with_changes(self, changes: Mapping[int, Change]) -> ProductStore:
        """Return the same products, some with another price or availability, over the same connections.

        Args:
            changes: by row, on top of those there are.
        """
        other = copy(self)
        other._changes = {**self._changes}
        for row, change in changes.items():
            other._changes[row] = change.after(self._changes.get(row))
        return other

    def row_of(self, product_id: str) -> int:
        """Return the row of a product id.

        Raises:
            NotFound: no product has it.
        """
        rows = self._read("SELECT row FROM products WHERE id = ?", (product_id,))
        if not rows:
            raise NotFound(f'no product with id "{product_id}" in this release')
        return int(rows[0][0])

    def rows_of(self, product_ids: Sequence[str]) -> list[int]:
        """Return the row of each product id, in the order asked for.

        Raises:
            NotFound: no product has one of them.
        """
        found = self.known_rows(product_ids)
        return [found[one] if one in found else self.row_of(one) for one in product_ids]

    def known_rows(self, product_ids: Sequence[str]) -> dict[str, int]:
        """Return id -> row of those product ids that there are."""
        found: dict[str, int] = {}
        for start in range(0, len(product_ids), 500):
            part = product_ids[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= dict(self._read(f"SELECT id, row FROM products WHERE id IN ({marks})", part))  # noqa: S608
        return found

    def group_rows(self, group_id: str) -> list[int]:
        """Return the rows of a group's variants, ascending; none for ""."""
        if not group_id:
            return []
        return [row for (row,) in self._read("SELECT row FROM products WHERE group_id = ? ORDER BY row", (group_id,))]

    def code_rows(self, code: str, limit: int, *, own: bool = False, is_prefix: bool = False) -> list[int]:
        """Return up to `limit` rows with a code, ascending.

        Args:
            code: as reduced by `search.codes.code_of`.
            limit: most rows.
            own: whether numbers in titles do not count.
            is_prefix: whether the code goes on; one that is exactly this is left out.
        """
        if not code:
            return []
        where = ("code > ?1 AND code < ?2" if is_prefix else "code = ?1") + (" AND own" if own else "")
        sql = f"SELECT DISTINCT row FROM codes WHERE {where} ORDER BY row LIMIT ?3"  # noqa: S608 - ours
        return [row for (row,) in self._read(sql, (code, code + "\U0010ffff", limit))]

    def most_useful(self, kind: str, limit: int) -> list[tuple[str, str]]:
        """Return the first (text, target) suggestions of a kind, the most useful first."""
        return self._read(f"SELECT text, target FROM suggest_{kind} ORDER BY rowid LIMIT ?", (limit,))  # noqa: S608

    def suggestions(self, kind: str, prefix: str, limit: int) -> list[tuple[str, str]]:
        """Return up to `limit` (text, target) whose words begin with, or are, the words typed so far."""
        words = words_of(prefix)
        if not words:
            return []
        match = " AND ".join(f'"{word}"' for word in words[:-1])
        match = f'{match} AND "{words[-1]}"*' if match else f'"{words[-1]}"*'
        # Entries lie best first, so rowid order lets FTS5 stop after `limit`.
        sql = f"SELECT text, target FROM suggest_{kind} WHERE suggest_{kind} MATCH ? ORDER BY rowid LIMIT ?"  # noqa: S608
        return self._read(sql, (match, limit))

    def best_suggestions(self, kind: str, limit: int) -> list[tuple[str, str]]:
        """Return the (text, target) of the `limit` most useful of a kind."""
        return self._read(f"SELECT text, target FROM suggest_{kind} ORDER BY rowid LIMIT ?", (limit,))  # noqa: S608
