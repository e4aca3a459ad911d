"""Catalog -> what the search box suggests: common phrases and brands, categories, and product titles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from indexer.rows import HELD, sampled
from search.analysis import Analyzer, words_of
from search.naming import PATH_SEPARATOR
from search.product import Product

Suggestions = dict[str, list[tuple[str, str]]]  # kind -> (text, target), see `ProductStore.write_suggestions`
MAX_QUERIES = 5000
MIN_PRODUCTS = 2  # a phrase is suggested once this many products hold it
# No phrase goes across these: "Road Running Shoes, blue" does not hold "shoes blue".
_BREAKS = re.compile(r"[,;:()\[\]/|–—]|\s-\s")
_LIST_OF_NAMES = re.compile(r"\s*[,&/+]\s*")  # the category "Coffee Makers & Grinders" is two things to look for


def suggestions_of(products: Collection[Product], language: str) -> Suggestions:
    """Return all suggestions, the most useful of each kind first.

    Of more than HELD products, so many are read for common phrases: what is among the first MAX_QUERIES is in these.

    Args:
        products: of the release.
        language: ISO 639-1.
    """
    analyzer = Analyzer(language)
    names: Counter[str] = Counter()
    phrases: Counter[str] = Counter()
    categories: Counter[tuple[str, ...]] = Counter()
    titles: dict[str, tuple[float, int, str, str]] = {}
    read = set(sampled(len(products), HELD).tolist()) if len(products) > HELD else None
    for row, product in enumerate(products):
        # Variants share a card's place in the list: the first of a group stands for it, and is counted once.
        group = product.group_id or product.id
        if group not in titles:
            if read is None or row in read:
                names.update(_names(product))
                phrases.update(_phrases(product.title, analyzer))
            popularity = (product.rating or 0) * (product.rating_count or 0) ** 0.5
            titles[group] = (-popularity, len(product.title), product.title, product.id)
        categories.update(product.category[: depth + 1] for depth in range(len(product.category)))
    ranked = sorted(filter(_is_named, categories), key=lambda path: (-categories[path], path))
    return {
        "queries": [(phrase, "") for phrase in _worthwhile(names, phrases, analyzer)],
        "categories": [(path[-1], PATH_SEPARATOR.join(path)) for path in ranked],
        "products": [(title, identity) for *_, title, identity in sorted(titles.values())],
    }


def _is_named(path: tuple[str, ...]) -> bool:
    return any(map(str.isalpha, path[-1]))


def _names(product: Product) -> set[str]:
    """Return what this product's brand and leaf category are called."""
    kinds = _LIST_OF_NAMES.split(product.category[-1].casefold()) if product.category else []
    return {name for name in (product.brand.casefold(), *kinds) if any(map(str.isalpha, name))}


def _phrases(title: str, analyzer: Analyzer) -> set[str]:
    """Return the runs of one to three words of a title that a shopper could look for."""
    found = set()
    for words in map(words_of, _BREAKS.split(title)):
        for length in (1, 2, 3):
            for start in range(len(words) - length + 1):
                run = words[start : start + length]
                ends = {run[0], run[-1]}
                if len(ends) == min(length, 2) and all(
                    word not in analyzer.stop_words and not word.isdigit() and len(word) > 2 for word in ends
                ):
                    found.add(" ".join(run))
    return found


def _worthwhile(names: Counter[str], phrases: Counter[str], analyzer: Analyzer) -> Iterator[str]:
    """Yield what several products share, the most common first, in the most common of its forms.

    A phrase that only ever occurs inside a longer one is left out.
    """
    common = Counter({phrase: count for phrase, count in phrases.items() if count >= MIN_PRODUCTS})
    inside = Counter[str]()
    for phrase, count in common.items():
        for part in _parts(phrase):
            inside[part] = max(inside[part], count)
    kept = Counter({phrase: count for phrase, count in common.items() if inside[phrase] < count})
    kept |= Counter({name: count for name, count in names.items() if count >= MIN_PRODUCTS})
    forms: dict[tuple[str, ...], str] = {}
    for phrase in sorted(kept, key=lambda phrase: (-kept[phrase], phrase not in names, phrase)):
        forms.setdefault(tuple(map(analyzer.term_of, words_of(phrase))), phrase)
    yield from list(forms.values())[:MAX_QUERIES]


def _parts(phrase: str) -> Iterable[str]:
    words = phrase.split()
    return (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1) if j - i < len(words))
