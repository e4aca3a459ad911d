"""Every condition of a search, chosen or read in its words, and the search without it: the ways out of no results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from search.request import SearchRequest
from search.understanding import Constraint, Understood


@dataclass(frozen=True)
class Condition:
    """One thing that products must keep, or are preferred for.

    Attributes:
        parameter: that sets it, "f.color", "price", "rating", "in_stock", "cluster"; "q" for what the words say.
        value: of a filter; None for the others.
        constraints: what was read, both ends of a range together; () for what was chosen.
        without: the same search from its first page without it.
    """

    parameter: str
    value: str | None
    constraints: tuple[Constraint, ...]
    without: SearchRequest

    def as_json(self, total: int) -> dict[str, Any]:
        """Return the contract's JSON of one way out.

        Args:
            total: how many products there are without it.
        """
        said = self.constraints[0].text if self.constraints else None
        return {"parameter": self.parameter, "value": self.value, "text": said, "total": total}


def conditions_of(request: SearchRequest, read: Understood) -> Iterator[Condition]:
    """Yield the conditions of a search: filters, price, rating, stock, those in its words, cluster."""
    first = replace(request, page=1)
    for field, values in request.filters.items():
        for value in values:
            yield Condition(f"f.{field}", value, (), without_value(first, field, value))
    if request.price_min is not None or request.price_max is not None:
        yield Condition("price", None, (), replace(first, price_min=None, price_max=None))
    if request.rating_min is not None:
        yield Condition("rating", None, (), replace(first, rating_min=None))
    if request.in_stock:
        yield Condition("in_stock", None, (), replace(first, in_stock=False))
    for text in dict.fromkeys(one.text for one in read.constraints):
        alike = tuple(one for one in read.constraints if one.text == text)
        yield Condition("q", None, alike, _without_words(first, alike[0]))
    if request.cluster is not None:
        yield Condition("cluster", None, (), replace(first, cluster=None))


def without_value(request: SearchRequest, field: str, value: str) -> SearchRequest:
    """Return the request, from its first page, without a value of a filter."""
    left = tuple(one for one in request.filters.get(field, ()) if one != value)
    filters = {**request.filters, field: left}
    return replace(request, filters={name: values for name, values in filters.items() if values}, page=1)


def _without_words(request: SearchRequest, constraint: Constraint) -> SearchRequest:
    """Return the request without a constraint of its words.

    A filter's words leave the query with it. What only prefers products keeps its words, which are then literal.
    """
    if not constraint.is_filter:
        return replace(request, literal=(*request.literal, constraint.text))
    left = " ".join(re.sub(re.escape(constraint.text), " ", request.q, count=1, flags=re.IGNORECASE).split())
    # Words that were corrected first do not stand there as read; then nothing is.
    return replace(request, q=left) if left != request.q else replace(request, interpret=False)
