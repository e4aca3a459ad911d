"""Searches worth starting with, by a rule from the catalog: kinds of things it has plenty of, and what can be said.

There is no log of what people ask, so nothing is called popular. A *kind* is a phrase of the catalog's own suggestions
with which titles end, most of them in one group of products, and which is no brand, colour or other value: "headphones"
of electronics, "toner cartridge" of printing. One kind a group, so that the list shows how wide the catalog is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from search.analysis import words_of
from search.arrays import Rows
from search.release import Release

MOST_PHRASES = 3000  # suggestions looked at, the most frequent first
MOST_TITLES = 10_000  # evenly spread; about 0.2 s
LEAST_TITLES = 3  # that hold a phrase
LEAST_ENDING = 0.3  # of them, that end with it: what a title ends with is what the thing is
TWO_WORDS = 1.5  # a phrase of two words says more than one word: "rice cooker", "cooker"
LEAST_TO_CHOOSE = 6  # products of a kind, for a price or a refusal to leave some and take some
MOST_READ = 2000  # products, evenly spread, whose descriptions are read for a need
COMMON_FIELDS = 4  # the attributes most products have: colour and material, not a country of origin
_HEAD = re.compile(r",| - | – |\(|\||;")  # what comes after is a size, a colour, a number
NEEDS = ("keeps", "protects", "prevents", "stops", "hides", "softens", "soothes")  # the plainest first
_OBJECT = "(?!(?:it|its|him|her|them|this|these|those|everything|when|with|in|up|out|off|on|and|as|from)\\b)[a-z'-]+"
_NEED = re.compile(rf"\b((?:{'|'.join(NEEDS)}) {_OBJECT}(?: [a-z'-]+){{3,6}})(?=[.,;!])", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """A kind of things: the phrase, and the rows whose titles hold it."""

    phrase: str
    rows: Rows


@dataclass
class _Seen:
    rows: list[int] = field(default_factory=list)
    ending: int = 0
    beginning: int = 0
    groups: Counter[int] = field(default_factory=Counter)


def kinds_of(release: Release, count: int) -> list[Kind]:
    """Return up to `count` kinds of things, of the largest top groups first, one of each."""
    top_of = release.clusters.top_of
    best: dict[int, tuple[float, str]] = {}
    seen = _phrases_in_titles(release)
    for phrase, one in seen.items():
        group, inside = one.groups.most_common(1)[0]
        worth = _worth(phrase, one, inside)
        if worth > best.get(group, (0.0, ""))[0]:
            best[group] = (worth, phrase)
    sizes = np.bincount(top_of, minlength=max(best, default=0) + 1)
    largest = sorted(best, key=lambda group: (-sizes[group], group))
    return [Kind(best[group][1], np.array(seen[best[group][1]].rows, np.int64)) for group in largest[:count]]


def _worth(phrase: str, one: _Seen, inside: int) -> float:
    held = len(one.rows)
    ending = one.ending / held
    if held < LEAST_TITLES or ending < LEAST_ENDING:
        return 0.0
    longer = TWO_WORDS if " " in phrase else 1.0
    return held * (inside / held) ** 2 * ending * (1 - one.beginning / held) * longer


def _phrases_in_titles(release: Release) -> dict[str, _Seen]:
    """Return where the suggested phrases stand in titles, one title of each product."""
    values = _values(release)
    phrases = set(_suggested(release, values))
    titles = release.products.most_useful("products", release.rows)
    titles = titles[:: -(-len(titles) // MOST_TITLES) or 1]
    rows, top_of = release.products.rows_of([identity for _, identity in titles]), release.clusters.top_of
    found: dict[str, _Seen] = defaultdict(_Seen)
    for (title, _), row in zip(titles, rows, strict=True):
        words = words_of(_HEAD.split(title, maxsplit=1)[0])
        while words and (words[-1] in values or len(words[-1]) < 3 or not words[-1].isalpha()):
            words.pop()  # "toner cartridge black 2 x": the thing is the cartridge
        for start, end, phrase in _runs(words):
            if phrase in phrases:
                one = found[phrase]
                one.rows.append(row)
                is_measured = start > 0 and words[start - 1][0].isdigit()  # "6000 pages", "100 mhz"
                one.ending += end == len(words) and not is_measured
                one.beginning += start == 0 and end < len(words)
                one.groups[int(top_of[row])] += 1
    return found


def _runs(words: list[str]) -> Iterator[tuple[int, int, str]]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + 3, len(words)) + 1):
            yield start, end, " ".join(words[start:end])


def _values(release: Release) -> set[str]:
    facets = release.facets.values.items()
    return {" ".join(words_of(value)) for name, one in facets if name != "category" for value in one.values}


def _suggested(release: Release, values: set[str]) -> Iterator[str]:
    """Yield suggested phrases of plain words that are no brand and hold no value of a facet."""
    for text, _ in release.products.most_useful("queries", MOST_PHRASES):
        words = words_of(text)
        is_plain = text.replace(" ", "").replace("-", "").isalpha() and min(map(len, words), default=0) > 2
        if is_plain and text not in values and not values.intersection(words):
            yield " ".join(words)


# -- what can be said --


def examples_of(release: Release, kinds: list[Kind]) -> list[str]:
    """Return searches that show what can be said, a need, a price, a refusal.

    The catalog's own reader must read them so. English, as its grammar is; [] in a catalog of another language.
    """
    if release.manifest.get("language", "en") != "en":
        return []
    found = [_need(release), _priced(release, kinds), _refused(release, kinds[1:])]
    return [text for text in found if text]


def _need(release: Release) -> str:
    """Return "something that keeps mess to a minimum": what a product, the best rated first, is said to do."""
    rows = np.arange(0, release.rows, -(-release.rows // MOST_READ) or 1)
    ratings = release.facets.numbers.get("rating")
    if ratings is not None:
        rows = rows[np.argsort(-np.nan_to_num(ratings[rows]), kind="stable")]
    said = [found[1].lower() for one in release.products.products(rows) if (found := _NEED.search(one.description))]
    for verb in NEEDS:
        for text in (f"something that {one}" for one in said if one.startswith(verb)):
            if not release.interpreter.understood(text, correct=False).constraints:
                return text
    return ""


def _priced(release: Release, kinds: list[Kind]) -> str:
    """Return "tent under $200": the round sum that about half of a kind's products cost less than."""
    prices = release.facets.numbers.get("price")
    for kind in kinds:
        if prices is None:
            break
        known = prices[kind.rows]
        known = known[~np.isnan(known)]
        if len(known) < LEAST_TO_CHOOSE:
            continue
        most = _round(float(np.median(known)))
        text = f"{kind.phrase} under {'$' if release.currency == 'USD' else ''}{most}"
        read = release.interpreter.understood(text, correct=False).constraints
        leaves = 0 < np.count_nonzero(known <= most) < len(known)
        if leaves and [(one.field, one.value) for one in read if one.is_filter] == [("price", float(most))]:
            return text
    return ""


def _round(price: float) -> int:
    """Return the next sum of one significant digit, or of a half between: 37 is 40, 118 is 150, 9.3 is 10."""
    size = 10 ** int(np.floor(np.log10(max(price, 1))))
    return next(step * size // 2 for step in range(2, 21) if step * size // 2 >= price)


def _refused(release: Release, kinds: list[Kind]) -> str:
    """Return "shirt, not white": a value that some of a kind's products have and some lack."""
    fields = [one for name, one in release.facets.values.items() if name not in ("category", "brand", "availability")]
    for facet, kind in product(fields[:COMMON_FIELDS], kinds):
        counts = facet.counts(np.unique(kind.rows))
        value = facet.values[int(counts.argmax())]
        is_divided = 0.2 <= counts.max() / len(kind.rows) <= 0.7
        if len(kind.rows) < LEAST_TO_CHOOSE or not is_divided or not value.isalpha():
            continue
        text = f"{kind.phrase}, not {value.lower()}"
        read = release.interpreter.understood(text, correct=False).constraints
        if [(one.field, one.op) for one in read] == [(facet.name, "!=")]:
            return text
    return ""
