"""JSON as it leaves: written by orjson, products spliced in as the release keeps them."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider

from search.product import Product

_OPTIONS = (
    orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS  # Flask writes these in ways of its own
)  # fmt: skip


def product_json(product: Product) -> orjson.Fragment:
    """Return a product as the text that stands for it in an answer: nothing of it is written anew."""
    return orjson.Fragment(product.as_line())


class JsonAnswers(DefaultJSONProvider):
    """Writes what `jsonify` is given; templates and what is read are Flask's own affair."""

    sort_keys = False

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return data as a response of JSON, UTF-8."""
        data = self._prepare_response_obj(args, kwargs)
        try:
            text = orjson.dumps(data, self.default, _OPTIONS)
        except TypeError:  # keys that are no text, halves of surrogate pairs: rare, and Flask can write them
            text = f"{self.dumps(data, default=_plain(self.default))}\n".encode()
        return Response(text, mimetype=self.mimetype)


def _plain(default: Any) -> Any:
    """Return how to write what the standard library cannot, fragments too."""

    def written(value: Any) -> Any:
        return orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else default(value)

    return written
