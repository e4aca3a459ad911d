"""Which products are kept out of training: whole groups, so that no variant or near-duplicate straddles the split."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.training.chance import chance
from search.analysis import words_of
from search.arrays import Floats
from search.product import Product

_BLOCK = 1_000  # rows compared at a time


@dataclass(frozen=True)
class Split:
    """Rows by their part; together they are the pool.

    Attributes:
        training: rows the pseudo-queries of the training come from.
        selection: held-out rows that choose the merge weight.
        gate: held-out rows that decide on adoption.
    """

    training: tuple[int, ...]
    selection: tuple[int, ...]
    gate: tuple[int, ...]

    @property
    def held_out(self) -> tuple[int, ...]:
        """Rows that the training never sees."""
        return self.selection + self.gate


def groups_of(products: Sequence[Product], titles: Floats, near_duplicate: float) -> list[int]:
    """Return a group number per product: connected by group_id, by title, or by title vectors at least so close.

    Args:
        products: n products.
        titles: (n, d) float32 unit title vectors under the base encoder.
        near_duplicate: cosine.
    """
    parents = list(range(len(products)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    def join(a: int, b: int) -> None:
        a, b = root(a), root(b)
        parents[max(a, b)] = min(a, b)

    first: dict[Hashable, int] = {}
    for place, product in enumerate(products):
        join(place, first.setdefault(("title", *words_of(product.title)), place))
        if product.group_id:
            join(place, first.setdefault(("group", product.group_id), place))
    for start in range(0, len(products), _BLOCK):
        close = titles[start : start + _BLOCK] @ titles.T >= near_duplicate  # (block, n)
        for a, b in zip(*np.nonzero(np.triu(close, start + 1)), strict=True):
            join(start + int(a), int(b))
    return [root(place) for place in range(len(products))]


def split_by_group(rows: Sequence[int], groups: Sequence[int], held_out: int, seed: int) -> Split:
    """Return a split that holds out about `held_out` rows in whole groups, half for selection, half for the gate.

    A group larger than a tenth of what is held out always trains: as evidence it would be one voice heard often.

    Args:
        rows: the pool.
        groups: group number of each of these rows, in the same order.
        held_out: how many rows to hold out.
        seed: of the draw.
    """
    members: dict[int, list[int]] = {}
    for row, group in zip(rows, groups, strict=True):
        members.setdefault(group, []).append(row)
    drawn = list(members.values())
    chance(seed, "split").shuffle(drawn)
    parts: dict[str, list[int]] = {"training": [], "selection": [], "gate": []}
    for together in drawn:
        smaller = min(("gate", "selection"), key=lambda part: len(parts[part]))
        wanted = held_out // 2
        fits = len(together) <= max(2, held_out // 10) and len(parts[smaller]) + len(together) <= wanted
        parts[smaller if fits else "training"] += together
    return Split(*(tuple(sorted(parts[part])) for part in ("training", "selection", "gate")))
