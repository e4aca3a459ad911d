"""Visitors who click by a known rule: each looks at position k with a known chance, and clicks if the product is good.

The list is in order of a noisy guess of the truth, renewed with each release, as a real ranking would be.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.state.database import Event, EventDatabase, Searched

ATTRACTIVENESS = np.array([0.02, 0.12, 0.3, 0.6])  # of grades 0 to 3


@dataclass(frozen=True)
class Traffic:
    """What was simulated.

    Attributes:
        truth: query text -> product id -> true grade, 0 to 3.
        clicks: query text -> product id -> raw clicks.
    """

    truth: dict[str, dict[str, int]]
    clicks: dict[str, dict[str, int]]


def simulate(
    path: Path,
    *,
    queries: int = 20,
    searches: int = 4_000,
    products: int = 24,
    releases: int = 4,
    examination: Callable[[np.ndarray], np.ndarray] = lambda k: k**-0.8,
    noise: float = 1.2,
    seed: int = 7,
    start: float = 1_750_000_000.0,
    seconds: float = 86_400.0 * 20,
) -> Traffic:
    """Write the searches and clicks of visitors to a file of events; popular queries are asked more, as 1 / rank."""
    random = np.random.default_rng(seed)
    database = EventDatabase(path, days=3650, megabytes=100_000)
    grades = random.choice(4, p=[0.45, 0.25, 0.2, 0.1], size=(queries, products))
    shares = 1 / np.arange(1, queries + 1)
    looked_at = examination(np.arange(1, products + 1).astype(float))
    counts = np.zeros((queries, products), int)
    asked = random.choice(queries, p=shares / shares.sum(), size=searches)
    pending: list[tuple[Searched, list[Event]]] = []
    ranking = np.zeros((queries, products), int)
    for number, query in enumerate(asked):
        if number % -(-searches // releases) == 0:
            guess = grades + random.normal(0, noise, grades.shape)
            ranking = np.argsort(-guess, axis=1, kind="stable")
        shown = ranking[query]
        clicked = random.random(products) < looked_at * ATTRACTIVENESS[grades[query, shown]]
        counts[query, shown[clicked]] += 1
        time = start + number * seconds / searches
        query_id = uuid.UUID(int=int(random.integers(0, 2**63)) << 64 | number).hex
        visitor = int(random.integers(-(2**63), 2**63 - 1))
        names = tuple(f"p{query}-{one}" for one in shown)
        search = Searched(
            time, query_id, f"query {query}", None, "page", "hybrid", 1, products, "good", None, (),
            f"release {number * releases // searches}", 5.0, visitor, 1, names,
        )  # fmt: skip
        clicks = [
            Event(time + 5, "click", names[place], query_id, int(place) + 1, visitor=visitor)
            for place in np.flatnonzero(clicked)
        ]
        pending.append((search, clicks))
        if len(pending) == 2_000 or number == searches - 1:
            database.write([one for one, _ in pending], [event for _, told in pending for event in told])
            pending.clear()
    database.close()
    return Traffic(
        truth={f"query {q}": {f"p{q}-{p}": int(grades[q, p]) for p in range(products)} for q in range(queries)},
        clicks={f"query {q}": {f"p{q}-{p}": int(counts[q, p]) for p in range(products)} for q in range(queries)},
    )
