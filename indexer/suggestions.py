"""Catalog -> what the search box suggests: common phrases and brands, categories, and product titles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from search.analysis import Analyzer, words_of
from search.facets import PATH_SEPARATOR
from search.product import Product
from search.store import ProductStore

MAX_QUERIES = 5000
MIN_PRODUCTS = 3  # a phrase is suggested once this many titles hold it


def write_suggestions(store: ProductStore, language: str) -> None:
    """Write all suggestions into the store, the most useful of each kind first."""
    analyzer = Analyzer(language)
    phrases: Counter[str] = Counter()
    categories: Counter[tuple[str, ...]] = Counter()
    titles: dict[str, tuple[float, str, str]] = {}
    for product in store:
        phrases.update(_phrases(product, analyzer))
        categories.update(product.category[: depth + 1] for depth in range(len(product.category)))
        # Variants share a card's place in the list: the first title of a group stands for it.
        popularity = (product.rating or 0) * (product.rating_count or 0) ** 0.5
        titles.setdefault(product.group_id or product.id, (-popularity, product.title, product.id))
    store.write_suggestions("queries", ((phrase, "") for phrase in _worthwhile(phrases)))
    ranked = sorted(categories, key=lambda path: (-categories[path], path))
    store.write_suggestions("categories", ((path[-1], PATH_SEPARATOR.join(path)) for path in ranked))
    store.write_suggestions("products", ((title, identity) for _, title, identity in sorted(titles.values())))


def _phrases(product: Product, analyzer: Analyzer) -> set[str]:
    """Return the phrases a shopper could mean this product by: brand, leaf category, and runs of 1-3 title words."""
    words = words_of(product.title)
    found = {product.brand.casefold()} if product.brand else set()
    if product.category:
        found.add(product.category[-1].casefold())
    for length in (1, 2, 3):
        for start in range(len(words) - length + 1):
            run = words[start : start + length]
            ends = (run[0], run[-1])
            if all(word not in analyzer.stop_words and not word.isdigit() and len(word) > 2 for word in ends):
                found.add(" ".join(run))
    return found


def _worthwhile(phrases: Counter[str]) -> Iterator[str]:
    """Yield phrases several products share, the most common first; one that only ever occurs inside a longer
    suggested phrase is left out."""
    common = {phrase: count for phrase, count in phrases.items() if count >= MIN_PRODUCTS}
    inside = Counter[str]()
    for phrase, count in common.items():
        for part in _parts(phrase):
            inside[part] = max(inside[part], count)
    kept = [phrase for phrase, count in common.items() if inside[phrase] < count]
    yield from sorted(kept, key=lambda phrase: (-common[phrase], phrase))[:MAX_QUERIES]


def _parts(phrase: str) -> Iterable[str]:
    words = phrase.split()
    return (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1) if j - i < len(words))
