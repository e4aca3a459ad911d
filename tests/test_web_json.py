"""JSON answers: products spliced in as stored, everything else as Flask would write it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from conftest import SHOP
from flask import Flask, jsonify

from search.product import Product
from web.json_answers import JsonAnswers, product_json


@pytest.fixture
def app() -> Flask:
    made = Flask(__name__)
    made.json = JsonAnswers(made)
    return made


def written(app: Flask, data: Any) -> Any:
    with app.test_request_context():
        response = jsonify(data)
    assert response.mimetype == "application/json"
    return json.loads(response.get_data())


def test_a_product_stands_in_an_answer_as_its_fields(app: Flask) -> None:
    read = Product.from_line(SHOP[0].as_line())
    told = written(app, {"hits": [product_json(read), product_json(SHOP[0])]})["hits"]
    assert told == [json.loads(json.dumps(SHOP[0].as_json()))] * 2


def test_what_flask_writes_in_its_own_way_is_written_so(app: Flask) -> None:
    then = datetime(2026, 11, 26, tzinfo=UTC)
    assert written(app, {"then": then}) == {"then": "Thu, 26 Nov 2026 00:00:00 GMT"}


def test_order_is_kept_and_numbers_of_numpy_are_numbers(app: Flask) -> None:
    told = written(app, {"z": np.float64(0.1), "a": np.int64(3), "m": (1, 2)})
    assert told == {"z": 0.1, "a": 3, "m": [1, 2]}
    assert list(told) == ["z", "a", "m"]


def test_what_no_utf8_can_hold_is_escaped_beside_products(app: Flask) -> None:
    told = written(app, {"text": "half \ud800 a pair", 7: "seven", "product": product_json(SHOP[3])})
    assert told["text"] == "half \ud800 a pair"
    assert told["7"] == "seven"
    assert told["product"]["id"] == SHOP[3].id
