"""The sample catalog keeps its promises: size, variety, no text used twice, and judgments that fit it."""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from bm25s import stopwords

from indexer.catalog import CatalogSettings, check_catalog
from indexer.evaluation.judgments import read_judgments, read_queries

FOLDER = Path(__file__).parent.parent / "catalog"
ROOT = FOLDER.parent
RUN = 8  # words


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def products() -> list[dict[str, str]]:
    return rows_of("products.csv")


@pytest.fixture(scope="module")
def one_per_group(products: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    for product in products:
        groups.setdefault(product["group_id"] or product["id"], product)
    return groups


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", plain(text).lower())


def test_it_has_the_promised_size(products: list[dict[str, str]], one_per_group: dict[str, dict[str, str]]) -> None:
    assert len(products) >= 1000
    assert len(one_per_group) >= 600
    assert len({product["category"].split(" > ")[0] for product in products}) >= 12


def test_no_sentence_and_no_run_of_eight_words_occurs_in_two_products(one_per_group: dict[str, dict[str, str]]) -> None:
    seen: dict[str, str] = {}
    repeated = []
    for group, product in one_per_group.items():
        description = words(product["description"])
        sentences = [" ".join(words(part)) for part in re.split(r"(?<=[.!?])\s+", plain(product["description"]))]
        runs = [" ".join(description[at : at + RUN]) for at in range(len(description) - RUN + 1)]
        for text in {*runs, *(sentence for sentence in sentences if sentence)}:
            if seen.setdefault(text, group) != group:
                repeated.append((seen[text], group, text))
    assert repeated == []


def test_it_is_read_without_a_single_rejection() -> None:
    report = check_catalog(FOLDER / "products.csv", CatalogSettings())
    assert (report.rejected, report.catalog.currency) == (0, "USD")


def test_it_holds_honest_mess(products: list[dict[str, str]]) -> None:
    assert 0.02 < sum(not product["brand"] for product in products) / len(products) < 0.15
    assert any("<ul>" in product["description"] for product in products)
    assert any(product["id"].startswith("00") for product in products)
    assert any(not product["rating"] for product in products)
    assert max(len(words(product["description"])) for product in products) > 100


def test_attributes_are_plain_json_objects_of_text(products: list[dict[str, str]]) -> None:
    for product in products:
        attributes = json.loads(product["attributes"] or "{}")
        assert all(isinstance(value, str) for value in attributes.values()), product["id"]


def test_every_picture_can_be_drawn(products: list[dict[str, str]]) -> None:
    vendored = {
        path.name.removesuffix(".svg").removesuffix("-duotone") for path in ROOT.glob("static/vendor/phosphor/**/*.svg")
    }
    icons = {product["image_url"].split("/")[2] for product in products}
    assert icons <= vendored


def test_queries_are_of_all_kinds_and_judgments_fit_the_catalog(products: list[dict[str, str]]) -> None:
    queries, judgments = read_queries(FOLDER / "queries.csv"), read_judgments(FOLDER / "judgments.csv")
    ids = {product["id"] for product in products}
    assert len(queries) >= 150
    assert set(judgments) <= set(queries)
    assert {product_id for grades in judgments.values() for product_id in grades} <= ids
    kinds = Counter(row["kind"] for row in rows_of("queries.csv"))
    assert kinds.keys() == {"exact", "sku", "type", "feature", "theme", "need", "compatibility", "unit", "negation",
                            "price", "typo", "none"}  # fmt: skip
    assert min(kinds.values()) >= 10
    for row in rows_of("queries.csv"):
        best = max(judgments.get(row["query_id"], {"": 0}).values())
        assert best < 2 if row["kind"] == "none" else best >= 2, row


def test_a_third_of_the_queries_share_no_content_word_with_a_best_title(products: list[dict[str, str]]) -> None:
    common = frozenset(stopwords.STOPWORDS_EN) | {"my", "me", "i", "without", "under", "over", "from"}

    def content(text: str) -> set[str]:
        return {re.sub(r"(ing|ies|es|s|ed|y)$", "", word) for word in words(text)} - common

    titles = {product["id"]: content(product["title"]) for product in products}
    best: dict[str, list[str]] = defaultdict(list)
    for query_id, grades in read_judgments(FOLDER / "judgments.csv").items():
        best[query_id] = [product_id for product_id, grade in grades.items() if grade == 3]
    queries = read_queries(FOLDER / "queries.csv")
    apart = [q for q, ids in best.items() if ids and not any(content(queries[q]) & titles[p] for p in ids)]
    assert len(apart) >= len(queries) / 3


def test_judgments_cover_prices_that_were_asked_for(products: list[dict[str, str]]) -> None:
    """A product over the limit is never what "under $40" asks for."""
    prices = {product["id"]: float(product["price"]) for product in products}
    queries, judgments = read_queries(FOLDER / "queries.csv"), read_judgments(FOLDER / "judgments.csv")
    for query_id, text in queries.items():
        limit = re.search(r"(?:under|below|less than) \$?(\d+)", text)
        if limit:
            for product_id, grade in judgments[query_id].items():
                assert grade < 2 or prices[product_id] <= float(limit[1]), (text, product_id)
