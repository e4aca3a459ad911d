"""Query text -> what is looked up, what products must keep, what was corrected. Pure text and dictionary work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from search.analysis import folded, words_of
from search.arrays import Mask
from search.facets import FacetIndex
from search.lexical import LexicalIndex
from search.product import Product
from search.understanding.constraints import Constraint, Found
from search.understanding.english import DANGLING
from search.understanding.prices import prices_in
from search.understanding.ratings import ratings_in, stock_in
from search.understanding.refusals import RefusalReader
from search.understanding.spelling import LEAST_LETTERS, Correction, Speller, word_counts
from search.understanding.spoken import SpokenValues
from search.understanding.stated import StatedTerms, stated_text
from search.understanding.values import ValueReader

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True)
class Understood:
    """A query, read.

    Attributes:
        text: as asked, corrected where that was sure.
        search_text: what both legs look up: without the words of filters. "" when there were no others.
        corrected: the text after silent corrections, None when there were none.
        did_you_mean: a text to offer, None when there is nothing to.
        constraints: in the order of the text.
    """

    text: str
    search_text: str
    corrected: str | None = None
    did_you_mean: str | None = None
    constraints: tuple[Constraint, ...] = ()


class Interpreter:
    """Reads queries with the words of one catalog.

    Args:
        facets, lexical: of the release.
        spoken: the values a query may name.
        speller: the catalog's words.
        stated: what products say of themselves.
    """

    def __init__(
        self, facets: FacetIndex, lexical: LexicalIndex, spoken: SpokenValues, speller: Speller, stated: StatedTerms
    ):
        self.facets, self.lexical = facets, lexical
        self.spoken, self.speller, self.stated = spoken, speller, stated
        self._values = ValueReader(facets, lexical, spoken, speller.common)
        self._refusals = RefusalReader(lexical, self._values)

    @classmethod
    def build(
        cls,
        products: Sequence[Product],
        facets: FacetIndex,
        lexical: LexicalIndex,
        common_words: Iterable[str],
        stated: StatedTerms | None = None,
        counts: dict[str, int] | None = None,
    ) -> Interpreter:
        """Learn a catalog's words.

        Args:
            products: in row order.
            facets, lexical: built of them.
            common_words: that the encoder knows as a whole; see `Speller`.
            stated: what products say of themselves, where it is known.
            counts: `word_counts` of them, where they are known.
        """
        if counts is None:
            counts = word_counts((stated_text(product), product.description) for product in products)
        return cls(
            facets,
            lexical,
            SpokenValues.build(facets, lexical, ((product.title, product.description) for product in products)),
            Speller.of(counts, common_words),
            stated or StatedTerms.build(products, lexical.analyzer, lexical.vocabulary),
        )

    def save(self, folder: Path) -> None:
        """Write what was learnt."""
        folder.mkdir(parents=True)
        self.spoken.save(folder / "spoken.json")
        self.speller.save(folder / "words.json")
        self.stated.save(folder)

    @classmethod
    def load(cls, folder: Path, facets: FacetIndex, lexical: LexicalIndex) -> Interpreter:
        """Read it back.

        Raises:
            ReleaseDamaged: a file is missing or does not fit.
        """
        stated = StatedTerms.load(folder, len(lexical.vocabulary), lexical.rows)
        return cls(
            facets, lexical, SpokenValues.load(folder / "spoken.json"), Speller.load(folder / "words.json"), stated
        )

    def over(self, facets: FacetIndex) -> Interpreter:
        """Return the same reader over facets with other prices or availability, which no value is named by."""
        other = copy(self)
        other.facets = facets
        return other

    def unknown_words(self, text: str) -> list[str]:
        """Return the words of a text that no product has, in any form, and that the encoder knows in pieces only.

        Words of the language that the catalog lacks are not among them: meaning may find what they stand for.
        """
        return [
            word
            for word in dict.fromkeys(words_of(text))
            if word.isalpha() and len(word) >= LEAST_LETTERS and word not in self.speller.common
            and (terms := self.lexical.query_terms(word))
            and not any(term in self.lexical.vocabulary for term in terms)
        ]  # fmt: skip

    def kept_by(self, constraint: Constraint) -> Mask:
        """Return (n,) bool: the rows that keep a constraint."""
        if constraint.op != "!=":
            return constraint.kept_by(self.facets)
        # A value that is not wanted may stand in a title or in another value: "full-grain leather".
        terms = dict.fromkeys(self.lexical.analyzer.terms_of(str(constraint.value)))
        known = [self.lexical.vocabulary[term] for term in terms if term in self.lexical.vocabulary]
        return constraint.kept_by(self.facets, self.stated.having(known) if len(known) == len(terms) else None)

    def understood(
        self, text: str, *, interpret: bool = True, correct: bool = True, literal: Sequence[str] = ()
    ) -> Understood:
        """Return what a query asks.

        Args:
            text: of one line, as typed.
            interpret: whether words may become constraints.
            correct: whether words may be corrected.
            literal: texts of guessed values that are none.
        """
        corrected, offered = self._spelled(text) if correct else (text, text)
        read = self._constrained(corrected) if interpret else Understood(corrected, corrected)
        spared = {one.casefold() for one in literal}
        kept = tuple(one for one in read.constraints if one.is_filter or one.text.casefold() not in spared)
        return replace(
            read,
            constraints=kept,
            corrected=corrected if corrected != text else None,
            did_you_mean=offered if offered not in (text, corrected) else None,
        )

    # -- constraints --

    def _constrained(self, text: str) -> Understood:
        found: list[Found] = []
        blank = text
        for finder in (self._ratings, self._prices, self._stock):
            for one in finder(blank):
                found.append(one)
                blank = one.blanked(blank)
        refused, wanted_instead = self._refusals.refusals_in(blank)
        for one in refused:
            blank = one.blanked(blank)
        found += refused
        values = self._values.values_in(blank)
        left = _tidied(" ".join([*blank.replace("\0", " ").split(), *wanted_instead]), bool(found))
        stated = sorted([*found, *values], key=lambda one: one.start)
        distinct = {
            (one.field, one.op, one.value): one for each in reversed(stated) for one in reversed(each.constraints)
        }
        return Understood(text, left, constraints=tuple(reversed(distinct.values())))

    def _ratings(self, text: str) -> Iterator[Found]:
        return ratings_in(text) if "rating" in self.facets.numbers else iter(())

    def _prices(self, text: str) -> Iterator[Found]:
        return prices_in(text) if "price" in self.facets.numbers else iter(())

    def _stock(self, text: str) -> Iterator[Found]:
        return stock_in(text) if "availability" in self.facets.values else iter(())

    # -- spelling --

    def _spelled(self, text: str) -> tuple[str, str]:
        """Return the text with unknown words replaced where that is sure, and with all that could be replaced.

        Twice, for what is sure about one word helps to see what another one means.
        """
        for _ in range(2):
            corrections = self._corrections(text)
            if not any(one.is_sure for one in corrections):
                break
            text = _replaced(text, {one.word: one.best for one in corrections if one.is_sure})
        return text, _replaced(text, {one.word: one.best for one in corrections})

    def _corrections(self, text: str) -> list[Correction]:
        for finder in (self._ratings, self._prices, self._stock):  # their words are not the catalog's
            for one in finder(text):
                text = one.blanked(text)
        pairs = list(self.lexical.analyzer.words_and_terms(text))
        typed = {folded(word) for word in _WORD.findall(text)}
        known = [term for _, term in pairs if term in self.lexical.vocabulary]
        found = []
        for word, term in dict(pairs).items():
            unknown = term not in self.lexical.vocabulary and word in typed and word.isalpha()
            if unknown and not self.lexical.halves(word):
                correction = self.speller.correction(word, known, self.lexical)
                if correction:
                    found.append(correction)
        return found


def _replaced(text: str, corrections: dict[str, str]) -> str:
    return _WORD.sub(lambda match: corrections.get(folded(match[0]), match[0]), text)


def _tidied(text: str, was_cut: bool) -> str:
    """Return the text without what only tied the cut words to it."""
    if not was_cut:
        return text
    parts = [_without_dangling(part) for part in re.split(r"\s*[,;]\s+|\s+[,;]\s*", text)]
    return ", ".join(filter(None, parts)).strip(" ,;-")


def _without_dangling(text: str) -> str:
    words = text.split()
    while words and words[-1].casefold() in DANGLING:
        words.pop()
    while words and words[0].casefold() in DANGLING - {"the", "a", "an"}:
        words.pop(0)
    return " ".join(words)
