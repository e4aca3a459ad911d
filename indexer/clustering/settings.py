"""How products are grouped; written into clusters.json, because other settings mean other clusters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterSettings:
    """How products are grouped."""

    leaf_scale: float = 0.7  # products per leaf = leaf_scale * sqrt(n), between the two bounds below
    leaf_smallest: int = 10  # products per leaf aimed at in a small catalog
    leaf_largest: int = 120  # and in a large one: more than this nobody looks through
    least_products: int = 4  # a leaf of fewer is dissolved into its neighbours
    leaves_for_parents: int = 12  # below this the leaves themselves are the top level
    most_parents: int = 20
    neighbors: int = 10  # of a product in the graph whose communities are the leaves
    word_share: float = 0.5  # length of a product's word vector beside its embedding; DESIGN.md, "Clusters"
    word_dim: int = 100
    category_pull: float = 1.0  # weight of a product's categories beside its own vector; 0 ignores them
    seed: int = 1_234
    language: str = "en"  # ISO 639-1, decides stems and stop words of the labels
