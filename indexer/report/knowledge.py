"""All that a report knows of an embedding: each question asked once, of one catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from indexer.report.categories import Categories, categories_of
from indexer.report.clusters import Clusters, clusters_of
from indexer.report.duplicates import Duplicates, duplicates_of
from indexer.report.feel import Feel, feel_of
from indexer.report.health import Health, health_of
from indexer.report.loners import Loners, loners_of
from indexer.report.subject import Subject
from indexer.report.words import Words, words_of_catalog
from search.product import Product

SECTIONS = ("words", "feel", "categories", "duplicates", "loners", "clusters", "health")


@dataclass(frozen=True)
class Knowledge:
    """What the embedding makes of a catalog.

    Attributes:
        rows: of the catalog.
        items: products that were looked at, variants counted once.
        items_found: how many there are; more than `items` where a sample had to do.
        is_exact: whether every pair of products was compared, or only those in cells near each other.
        words_left_out: frequent words that were not asked, because there are too many.
    """

    rows: int
    items: int
    items_found: int
    is_exact: bool
    words_left_out: int
    words: Words
    feel: Feel
    categories: Categories
    duplicates: Duplicates
    loners: Loners
    clusters: Clusters
    health: Health

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data, each section with its `summary`; products as id and title."""
        data: dict[str, Any] = _plain(self)
        for name in SECTIONS:
            data[name] = {"summary": getattr(self, name).summary, **data[name]}
        return data


def knowledge_of(subject: Subject, progress: Callable[[str, int, int], None] = lambda *_: None) -> Knowledge:
    """Return what the embedding makes of a catalog; the same catalog gives the same answer.

    Args:
        subject: the catalog, its vectors and its encoder.
        progress: called with (what, done, total).
    """
    steps = len(SECTIONS)
    progress("asking for every product's neighbours", 0, steps)
    neighbors = subject.neighbors
    progress("asking the encoder for the titles' words", 1, steps)
    vocabulary = subject.vocabulary
    progress("holding words against products", 2, steps)
    words, feel = (
        words_of_catalog(vocabulary, subject.vectors),
        feel_of(vocabulary, subject.vectors, subject.encoder.words()),
    )
    progress("holding products against their neighbours", 4, steps)
    categories = categories_of(subject.items, subject.vectors, neighbors)
    duplicates = duplicates_of(subject.items, subject.vectors, neighbors, subject.analyzer)
    loners = loners_of(subject.items, neighbors)
    progress("looking at clusters and texts", 6, steps)
    clusters = clusters_of(subject.items, subject.vectors, subject.cluster_of, subject.labels)
    health = health_of(subject.rows)
    progress("looking at clusters and texts", steps, steps)
    return Knowledge(
        len(subject.rows), len(subject.items), subject.found, neighbors.is_exact, vocabulary.left_out,
        words, feel, categories, duplicates, loners, clusters, health,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Product):
        return {"id": value.id, "title": value.title}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value
