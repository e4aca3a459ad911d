"""Aisle's query side: a release on disk in, answers out. Knows neither Flask nor the indexer."""

from search.engine import Engine
from search.request import SearchRequest, SearchResults

__all__ = ["Engine", "SearchRequest", "SearchResults"]
