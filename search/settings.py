"""How a release ranks: one frozen dataclass, written into the manifest and read back from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RankingSettings:
    """Every number that decides an order or a count.

    The cut-off fields are a provisional rule until one is calibrated per catalog (DESIGN.md, "Cut-off").
    """

    pool: int = 1000  # candidates drawn from each leg
    dense_weight: float = 0.5  # share of the dense leg in the fused score; DESIGN.md, "Fusion"
    feedback_products: int = 3  # best products whose vectors the query moves towards; DESIGN.md, "Second look"
    feedback_weight: float = 0.3  # how far
    segment_weight: float = 0.5  # of a product's closest segment where no title holds the query; DESIGN.md, "Segments"
    smoothed_products: int = 100  # best rows whose scores are averaged with their neighbours'; 0 turns it off
    boost: float = 0.05  # what a product gains that has every value the query names; DESIGN.md, "Constraints"
    bandwidth: float = 0.05  # cosine distance over which a neighbour's weight falls to 1/e
    dense_floor: float = 0.30  # cosine below which nothing is relevant by meaning alone
    dense_margin: float = 0.25  # how far below the query's best cosine meaning still counts
    covers: float = 0.95  # share (by rarity) of the query's terms a product must hold to be relevant by its words
    good_cosine: float = 0.40  # best cosine from which an answer is called good
    closest: int = 12  # products shown as closest matches when nothing is relevant
