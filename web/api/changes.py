"""`PATCH /api/v1/products`: prices and stock that change between two releases."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, current_app, g, jsonify, request
from pydantic import ConfigDict, Field

from search.state.batches import MAX_PRICE, Change, availability_of_stock
from search.state.changes import ChangeLog
from web.api.answers import Answer
from web.api.bodies import json_body
from web.api.openapi import operation
from web.api.validation import AS_WHOLE, InvalidBody, NoParameters, Parameters, parsed_body, query_of
from web.caching import uncached
from web.live import current_engine
from web.serving.limits import count_as

logger = logging.getLogger("aisle.changes")
changes = Blueprint("changes", __name__, url_prefix="/api/v1")
MOST_PRODUCTS = 1_000  # in one request
COUNTED_TOGETHER = 100  # products that count as one request
MOST_STOCK = 1_000_000_000


_SAYS_SOMETHING: list[Any] = [
    {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in ("price", "availability", "stock")
]


class ProductChange(Parameters):
    """What is new of one product; at least one of the three."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _SAYS_SOMETHING})

    id: str = Field(min_length=1, max_length=256, description="The product's id.")
    price: float | None = Field(
        None, ge=0, le=MAX_PRICE, allow_inf_nan=False, description="In the catalog's currency, two decimals."
    )
    availability: Literal["in_stock", "out_of_stock", "preorder"] | None = Field(
        None, description="Whether it can be had."
    )
    stock: Annotated[int | None, Field(ge=-MOST_STOCK, le=MOST_STOCK), AS_WHOLE] = Field(
        None, description="How many there are: above 0 is in_stock, else out_of_stock; availability, if given, decides."
    )


class ChangesBody(Parameters):
    """What is new, of up to 1,000 products, each of them once."""

    products: list[ProductChange] = Field(min_length=1, max_length=MOST_PRODUCTS)


class ChangesAnswer(Answer):
    """What became of the changes; they are on disk, and every answer from now on knows them."""

    release: str
    sequence: int = Field(description="Of these changes; an answer of this sequence or a higher one knows them.")
    accepted: int = Field(description="Products that were changed.")
    unknown: list[str] = Field(description="Ids that the live release does not have; nothing is kept for them.")


@changes.patch("/products")
@operation(
    "changeProducts", "Change prices and stock", "admin", body=ChangesBody, answer=ChangesAnswer, scope="admin"
)  # fmt: skip
def change_products() -> Response:
    """Change price, availability or stock of up to 1,000 products, without a new release; all of them or none.

    What is accepted is on disk and outlives a crash; this server answers with it at once, others of the same home
    within a second. Sending it again changes nothing more. A catalog that is published later and was read after a
    change decides again. Each 100 products count as one request.
    """
    query_of(NoParameters, request.args)
    asked = parsed_body(ChangesBody, json_body()).products
    _expect_sound(asked)
    count_as(-(-len(asked) // COUNTED_TOGETHER))
    release = current_engine().release
    known = release.products.known_rows([one.id for one in asked])
    new = {one.id: _change_of(one) for one in asked if one.id in known}
    sequence = release.sequence
    if new:
        sequence = _log().write(new, release.sequence)
        current_app.extensions["aisle.engine"].catch_up()
        told = {"action": "change_products", "sequence": sequence, "products": len(new), "key": g.key.id}
        logger.info("%d products changed, sequence %d (key %s, request %s)", len(new), sequence, g.key.id, g.request_id,
                    extra={"fields": {**told, "request_id": g.request_id}})  # fmt: skip
    unknown = [one.id for one in asked if one.id not in known]
    return uncached(jsonify(release=release.name, sequence=sequence, accepted=len(new), unknown=unknown))


def _expect_sound(asked: list[ProductChange]) -> None:
    """Check what one product's members do not tell.

    Raises:
        InvalidBody: pointing at each product that changes nothing or is there twice.
    """
    times = Counter(one.id for one in asked)
    errors = []
    for place, one in enumerate(asked):
        if (one.price, one.availability, one.stock) == (None, None, None):
            errors.append((f"/products/{place}", "nothing is to change; give price, availability or stock"))
        if times[one.id] > 1:
            errors.append((f"/products/{place}/id", f'"{one.id:.60}" is there {times[one.id]} times; once is enough'))
    if errors:
        raise InvalidBody(errors)


def _change_of(one: ProductChange) -> Change:
    by_stock = None if one.stock is None else availability_of_stock(one.stock)
    return Change(None if one.price is None else round(one.price, 2), one.availability or by_stock)


def _log() -> ChangeLog:
    log: ChangeLog = current_app.extensions["aisle.changes"]
    return log
