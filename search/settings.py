"""How a release ranks: one frozen dataclass, written into the manifest and read back from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RankingSettings:
    """Every number that decides an order or a count."""

    pool: int = 1000  # candidates drawn from each leg
    dense_weight: float = 0.5  # share of the dense leg in the fused score; DESIGN.md, "Fusion"
    feedback_products: int = 3  # best products whose vectors the query moves towards; DESIGN.md, "Second look"
    feedback_weight: float = 0.3  # how far
    segment_weight: float = 0.5  # of a product's closest segment where no title holds the query; DESIGN.md, "Segments"
    smoothed_products: int = 100  # best rows whose scores are averaged with their neighbours'; 0 turns it off
    boost: float = 0.05  # what a product gains that has every value the query names; DESIGN.md, "Constraints"
    bandwidth: float = 0.05  # cosine distance over which a neighbour's weight falls to 1/e
    dense_margin: float = 0.2  # how far below the query's best meaning still counts; DESIGN.md, "Cut-off"
    covers: float = 0.95  # share (by rarity) of the query's terms a product must hold to be relevant by its words
    closest: int = 12  # products shown as closest matches when nothing is relevant
