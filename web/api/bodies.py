"""What a request holds, read strictly before anything is done with it: I-JSON (RFC 7493) of bounded depth, in UTF-8."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

MAX_DEPTH = 8  # objects and lists within each other; the deepest body that is understood has 5


def json_body() -> Any:
    """Return the body of this request.

    Raises:
        UnsupportedMediaType: it is not said to be JSON in UTF-8.
        BadRequest: it is empty, not UTF-8, not JSON, or JSON that programs read differently: a member twice, NaN, a
            number too large, half a surrogate pair; or too deep.
        RequestEntityTooLarge: more than web/serving/security.py allows.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be JSON; say Content-Type: application/json")
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("JSON is UTF-8; leave the charset out")
    return parsed_json(request.get_data(cache=False))


def expect_utf8(query_string: bytes) -> None:
    """Check the raw query string of an address: werkzeug would read other bytes as percent signs and digits.

    Raises:
        BadRequest: what it stands for is not UTF-8.
    """
    try:
        unquote_to_bytes(query_string).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("the query string is not UTF-8; percent-encode texts as UTF-8") from error


def parsed_json(content: bytes) -> Any:
    """Return a JSON text as objects.

    Raises:
        BadRequest: as `json_body`.
    """
    if not content.strip():
        raise BadRequest('the body is empty; send a JSON object such as {"q": "red dress"}')
    try:
        text = content.decode("utf-8")
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_refused, parse_float=_finite)
        _expect_plain(found)
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: byte {error.start} cannot be read") from error
    except RecursionError as error:
        raise BadRequest(f"the body is nested more than {MAX_DEPTH} deep") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error.msg}, line {error.lineno} column {error.colno}") from error
    except ValueError as error:
        # Also what Python says of an integer of thousands of digits.
        raise BadRequest(f"the body cannot be read: {str(error).partition(';')[0]:.120}") from error
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the member {json.dumps(twice):.60} is there twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.40} is too large")
    return number


def _expect_plain(found: Any) -> None:
    """Check depth and text: a lone surrogate can be neither stored nor sent on.

    Raises:
        ValueError: saying what is wrong.
    """
    level, depth = [found], 0
    while level:
        depth += any(isinstance(one, (dict, list)) for one in level)
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
        for one in level:
            if isinstance(one, str) and not one.isascii():
                expect_whole_characters(one)
        level = [
            part
            for one in level
            if isinstance(one, (dict, list))
            for part in ([*one.keys(), *one.values()] if isinstance(one, dict) else one)
        ]


def expect_whole_characters(text: str) -> None:
    """Check that a text can be written as UTF-8.

    Raises:
        ValueError: it holds half a surrogate pair.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"half a surrogate pair, \\u{ord(text[error.start]):04x}, is no character") from error
