"""The answers, field by field as the API gives them; what each field means is told at /api/docs.

Dictionaries with known keys, not classes: an answer prints, dumps and goes into a table as the JSON it is.
"""

from __future__ import annotations

from aisle_client.answers_of_clusters import (
    Cluster,
    ClusterAnswer,
    ClusterLinks,
    Clusters,
    LegendLine,
    Lit,
    LitLinks,
    Map,
    MapCluster,
    MapColor,
    MapColumn,
    MapLinks,
    MapPoint,
    MapPoints,
    Picture,
    TopProduct,
)
from aisle_client.answers_of_products import (
    Availability,
    Degraded,
    Match,
    NearHit,
    Product,
    ProductAnswer,
    ProductLinks,
    Recommended,
    Similar,
    WithoutWord,
    Word,
)
from aisle_client.answers_of_searches import (
    Batch,
    Bucket,
    CategoryCount,
    ClusterCount,
    Constraint,
    Explanation,
    FacetValue,
    Highlights,
    Hit,
    Links,
    Mode,
    Query,
    RangeFacet,
    Rescue,
    SearchAnswer,
    SearchBody,
    SearchParameters,
    Sort,
    SuggestedCategory,
    SuggestedProduct,
    SuggestedQuery,
    Suggestions,
    Threshold,
    ValuesFacet,
    Variants,
    WayOut,
)
from aisle_client.answers_of_service import (
    Changed,
    EncoderName,
    Events,
    ProductChange,
    Release,
    Releases,
    Switched,
    Version,
)

__all__ = [
    "Availability", "Batch", "Bucket", "CategoryCount", "Changed", "Cluster", "ClusterAnswer", "ClusterCount",
    "ClusterLinks", "Clusters", "Constraint", "Degraded", "EncoderName", "Events", "Explanation", "FacetValue",
    "Highlights", "Hit", "LegendLine", "Links", "Lit", "LitLinks", "Map", "MapCluster", "MapColor", "MapColumn",
    "MapLinks", "MapPoint", "MapPoints", "Match", "Mode", "NearHit", "Picture", "Product", "ProductAnswer",
    "ProductChange", "ProductLinks", "Query", "RangeFacet", "Recommended", "Release", "Releases", "Rescue",
    "SearchAnswer", "SearchBody", "SearchParameters", "Similar", "Sort", "SuggestedCategory", "SuggestedProduct",
    "SuggestedQuery", "Suggestions", "Switched", "Threshold", "TopProduct", "ValuesFacet", "Variants", "Version",
    "WayOut", "WithoutWord", "Word",
]  # fmt: skip
