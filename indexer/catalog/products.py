"""A row that stands alone -> a Product, or the Rejection that says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import TypeVar

from indexer.catalog.attributes import attribute_pairs
from indexer.catalog.cleaning import INVISIBLE, plain_text
from indexer.catalog.columns import Columns
from indexer.catalog.conventions import Conventions, category_levels
from indexer.catalog.files import SURROGATE
from indexer.catalog.outcomes import Notes, Rejection, shortened
from indexer.catalog.prices import NotAPrice, currencies_of, parse_price
from indexer.catalog.rows import Cell, Row, main_text
from indexer.catalog.settings import CatalogSettings
from indexer.catalog.values import availability_of, date_of, rating_count_of, rating_of, url_of, urls_of
from search.product import Product

T = TypeVar("T")


class Rejected(Exception):
    """Carries the rejection of the row at hand out of the helpers."""

    def __init__(self, column: str, value: str, reason: str, fix: str, kind: str) -> None:
        super().__init__(reason)
        self.parts = (column, shortened(value), reason, fix, kind)


class ProductMaker:
    """Makes the products of one reading; remembers the ids it accepted, 16 bytes each, for duplicates."""

    def __init__(self, columns: Columns, conventions: Conventions, settings: CatalogSettings, notes: Notes) -> None:
        self._columns = columns
        self._mapped = frozenset(header for headers in columns.values() for header in headers)
        self._conventions = conventions
        self._settings = settings
        self._notes = notes
        self._line_of: dict[bytes, int] = {}

    def unreadable(self, row: Row) -> Rejection | None:
        """Reject a row with undecodable or oversized cells; NUL bytes are taken out of the others."""
        for header, cell in row.cells.items():
            for text in (cell,) if isinstance(cell, str) else _texts(cell):
                if len(text) > self._settings.max_cell_characters:
                    return self._oversized(row.line, header, text)
                if not text.isascii() and SURROGATE.search(text):
                    return _undecodable(row.line, header, text)
            if isinstance(cell, str) and "\0" in cell:
                row.cells[header] = cell.replace("\0", "")
                self._notes.warn(row.line, header, "NUL bytes removed", cell)
        return None

    def product(self, row: Row) -> Product | Rejection:
        """Return the row's product; the id counts as taken only when the product is accepted."""
        try:
            product = self._product(row)
        except Rejected as rejected:
            return Rejection(row.line, *rejected.parts)
        self._take(product.id, row.line)
        return product

    def _take(self, product_id: str, line: int) -> None:
        """Let an id be taken by the row at a line."""
        self._line_of[_digest(product_id)] = line

    def _product(self, row: Row) -> Product:
        price, currency = self._price(row)
        created, kept_date = self._created(row)
        image_url = self._optional(row, "image_url", url_of, "address is not http(s) or site-relative") or ""
        return Product(
            id=self._id(row),
            title=self._title(row),
            description=self._plain(row, "description"),
            category=self._category(row),
            brand=self._plain(row, "brand"),
            price=price,
            currency=currency,
            image_url=image_url,
            url=self._optional(row, "url", url_of, "address is not http(s) or site-relative") or "",
            rating=self._optional(row, "rating", rating_of, "rating is not a number from 0 to 5"),
            rating_count=self._optional(row, "rating_count", rating_count_of, "rating count is not a whole number"),
            availability=self._optional(row, "availability", availability_of, "availability is not understood") or "",
            group_id=INVISIBLE.sub("", self._text(row, "group_id")[1]),
            created_at=created,
            attributes=self._attributes(row, kept_date),
            more_image_urls=self._more_images(row, image_url),
        )

    def _id(self, row: Row) -> str:
        column, text = self._text(row, "id")
        product_id = INVISIBLE.sub("", text).strip()
        if not product_id:
            raise Rejected(column, "", "no id", "give every product an id of its own", "no id")
        if len(product_id) > self._settings.max_id_characters:
            reason = f"id of {len(product_id):,} characters, at most {self._settings.max_id_characters}"
            raise Rejected(column, text, reason, "shorten it, or look for shifted columns", "id too long")
        first = self._line_of.get(_digest(product_id))
        if first is not None:
            reason = f"the id is already used on line {first}"
            raise Rejected(
                column, product_id, reason, "keep one of the two rows, or give this one its own id", "duplicate id"
            )
        return product_id

    def _title(self, row: Row) -> str:
        column, text = self._text(row, "title")
        title = plain_text(text)
        if title:
            return title
        reason = "no title once markup is removed" if text else "no title"
        raise Rejected(column, text, reason, "give the product a title", "no title")

    def _price(self, row: Row) -> tuple[float | None, str]:
        column, text = self._text(row, "price")
        said = self._said_currencies(row)
        if not text:
            return None, self._conventions.currency
        try:
            money = parse_price(" ".join(text.split()), self._conventions.decimal, self._settings.max_price)
        except NotAPrice as error:
            fix = "write a plain amount such as 1299.00, or leave the cell empty when there is no price"
            raise Rejected(column, text, f"price not usable: {error}", fix, "price not usable") from None
        self._refuse_other_currency(column, text, said, money.currencies)
        return money.amount, self._conventions.currency

    def _said_currencies(self, row: Row) -> tuple[str, ...]:
        column, text = self._text(row, "currency")
        said = currencies_of(text)
        if text and not said:
            self._notes.warn(row.line, column, "currency is not an ISO code or a known sign", text)
        return said

    def _refuse_other_currency(self, column: str, text: str, said: tuple[str, ...], signed: tuple[str, ...]) -> None:
        if said and signed and not set(said) & set(signed):
            reason = f"the price is in {signed[0]}, the currency column says {said[0]}"
            raise Rejected(column, text, reason, "make the two agree", "two currencies")
        catalog, meant = self._conventions.currency, said or signed
        if catalog and meant and catalog not in meant:
            reason = f"price in {meant[0]}, the catalog is in {catalog}"
            fix = f"convert it to {catalog}, or build a catalog of its own with --currency {meant[0]}"
            raise Rejected(column, text, reason, fix, "other currency")

    def _category(self, row: Row) -> tuple[str, ...]:
        path: list[str] = []
        for header in self._columns.get("category", ()):
            for name in self._levels(row.cells.get(header, "")):
                if not path or path[-1].casefold() != name.casefold():
                    path.append(name)
        return tuple(path)

    def _levels(self, cell: Cell) -> Iterator[str]:
        if isinstance(cell, list):
            for item in cell:
                yield from self._levels(item)
            return
        yield from category_levels(main_text(cell), self._conventions.category_separator)

    def _created(self, row: Row) -> tuple[str, str]:
        """Return the ISO date and the header to keep as attribute, one of them ""."""
        column, text = self._text(row, "created_at")
        if not text:
            return "", ""
        created = date_of(text, self._conventions.day_first)
        if created:
            return created, ""
        self._notes.warn(row.line, column, "date is not understood; kept as attribute", text)
        return "", column

    def _more_images(self, row: Row, shown: str) -> tuple[str, ...]:
        """Return the other pictures: the rest of the shown one's cell, and of every column of pictures."""
        headers = (*self._columns.get("image_url", ()), *self._columns.get("more_image_urls", ()))
        found = [url for header in headers for text in _texts(row.cells.get(header, "")) for url in urls_of(text)]
        others = [url for url in dict.fromkeys(found) if url != shown]
        return tuple(others[: self._settings.max_images])

    def _plain(self, row: Row, field: str) -> str:
        return plain_text(self._text(row, field)[1])

    def _optional(self, row: Row, field: str, read: Callable[[str], T | None], complaint: str) -> T | None:
        column, text = self._text(row, field)
        if not text:
            return None
        value = read(" ".join(text.split()))
        if value is None:
            self._notes.warn(row.line, column, f"{complaint}; left empty", text)
        return value

    def _attributes(self, row: Row, kept_date: str) -> dict[str, tuple[str, ...]]:
        values: dict[str, dict[str, None]] = {}  # a dict of None keeps order and drops repeats
        unused_price = set(self._columns.get("price", ())) - {self._text(row, "price")[0]}
        for header, cell in row.cells.items():
            if not cell or (header in self._mapped and header != kept_date and header not in unused_price):
                continue
            for name, value in attribute_pairs(header, cell):
                if self._has_room(row, values, name):
                    values.setdefault(name, {})[value] = None
        return {name: tuple(found) for name, found in values.items()}

    def _has_room(self, row: Row, values: dict[str, dict[str, None]], name: str) -> bool:
        found = values.get(name)
        if len(values) < self._settings.max_attributes if found is None else len(found) < self._settings.max_values:
            return True
        self._notes.warn(row.line, "", "more attributes or values than a product may have; the rest is left out", name)
        return False

    def _text(self, row: Row, field: str) -> tuple[str, str]:
        """Return (header, text) of the field's first filled column; its first column and "" when none is filled."""
        headers = self._columns.get(field, ())
        for header in headers:
            cell = row.cells.get(header, "")
            text = cell.strip() if isinstance(cell, str) else main_text(cell)
            if text:
                return header, text
        return (headers[0] if headers else ""), ""

    def _oversized(self, line: int, header: str, text: str) -> Rejection:
        limit = self._settings.max_cell_characters
        reason = f"cell of {len(text):,} characters, at most {limit:,}"
        return Rejection(
            line, header, shortened(text), reason, "shorten it, or look for an unclosed quote", "cell too long"
        )


def _undecodable(line: int, header: str, text: str) -> Rejection:
    found = SURROGATE.search(text)
    around = text[max(0, found.start() - 20) :] if found else text
    fix = "save the catalog as UTF-8, or name its encoding"
    return Rejection(line, header, shortened(around), "bytes that are no valid text", fix, "undecodable bytes")


def _texts(cell: Cell) -> Iterator[str]:
    """Yield every text in a cell, keys included."""
    if isinstance(cell, str):
        yield cell
    elif isinstance(cell, list):
        for item in cell:
            yield from _texts(item)
    else:
        for key, inner in cell.items():
            yield key
            yield from _texts(inner)


def _digest(product_id: str) -> bytes:
    return blake2b(product_id.encode(), digest_size=16).digest()
