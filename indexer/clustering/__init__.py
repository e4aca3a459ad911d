"""Clusters of alike products: two levels, each with a label, whose ids outlive a rebuild.

The story is `products.py`: points (what is compared), leaves (who belongs together), former (which ids stay), labels.
"""

from indexer.clustering.former import Former, former_clusters
from indexer.clustering.kept import kept_clusters
from indexer.clustering.products import Clustering, cluster_products
from indexer.clustering.settings import ClusterSettings

__all__ = ["ClusterSettings", "Clustering", "Former", "cluster_products", "former_clusters", "kept_clusters"]
