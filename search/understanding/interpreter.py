"""Query text -> what is looked up, what products must keep, what was corrected. Pure text and dictionary work."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np

from search.analysis import folded, quantities_in
from search.arrays import Mask
from search.facets import FacetIndex
from search.lexical import LexicalIndex
from search.product import Product
from search.understanding.constraints import Constraint
from search.understanding.negation import Unwanted, unwanted_in, wanted_words
from search.understanding.numbers import Found, prices_in, ratings_in, stock_in
from search.understanding.spelling import Correction, Speller
from search.understanding.spoken import LEAST_SHARE, Key, SpokenValues, carriers_of, form_of, longest
from search.understanding.stated import StatedTerms, stated_text

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PACK = re.compile(r"\b(?:(?:pack|set|box) of (\d+)|(\d+)[\s-]?(?:pack|pk|ct|count))\b", re.IGNORECASE)
_JOINERS = re.compile(r"^(?:\s*(?:,|/|\bor\b|\band\b|&)\s*)+$", re.IGNORECASE)
_OR_ANOTHER = re.compile(r"\s+(?:or|nor)\s+(?:any |an? )?(?P<word>[^\W\d_]+)(?!\s+[^\W\d_])", re.IGNORECASE)
# Words that only tied a constraint to the rest; left over at an end of the text they say nothing.
_DANGLING = frozenset(
    """
    and but for with in that which under or of at by is are be costs cost costing priced price please the a an
    needs need has have having made
""".split()
)


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


@dataclass(frozen=True)
class _Word:
    """A word of the text: where it stands and the term it is looked up by."""

    term: str
    start: int
    end: int


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
        spoken_keys = itertools.chain(spoken.values, *spoken.by_field.values())
        self._measures = {key[0] for key in spoken_keys if len(key) == 1}
        self._fields_from: dict[str, list[tuple[Key, str]]] = {}  # first word of a field's name -> (words, field)
        for field in spoken.by_field:
            name = tuple(map(form_of, field.split("_")))
            self._fields_from.setdefault(name[0], []).append((name, field))

    @classmethod
    def build(
        cls, products: Sequence[Product], facets: FacetIndex, lexical: LexicalIndex, common_words: Iterable[str]
    ) -> Interpreter:
        """Learn a catalog's words.

        Args:
            products: in row order.
            facets, lexical: built of them.
            common_words: that the encoder knows as a whole; see `Speller`.
        """
        return cls(
            facets,
            lexical,
            SpokenValues.build(facets, lexical),
            Speller.build(((stated_text(product), product.description) for product in products), common_words),
            StatedTerms.build(products, lexical.analyzer, lexical.vocabulary),
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

    def kept_by(self, constraint: Constraint) -> Mask:
        """Return (n,) bool: the rows that keep a constraint."""
        if constraint.op != "!=":
            return constraint.kept_by(self.facets)
        # A value that is not wanted may stand in a title or in another value: "full-grain leather".
        terms = dict.fromkeys(self.lexical.analyzer.terms_of(str(constraint.value)))
        known = [self.lexical.vocabulary[term] for term in terms if term in self.lexical.vocabulary]
        return constraint.kept_by(self.facets, self.stated.having(known) if len(known) == len(terms) else None)

    def understood(self, text: str, *, interpret: bool = True, correct: bool = True) -> Understood:
        """Return what a query asks.

        Args:
            text: of one line, as typed.
            interpret: whether words may become constraints.
            correct: whether words may be corrected.
        """
        corrected, offered = self._spelled(text) if correct else (text, text)
        read = self._constrained(corrected) if interpret else Understood(corrected, corrected)
        return replace(
            read,
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
                blank = blank[: one.start] + "\0" * (one.end - one.start) + blank[one.end :]
        wanted_instead: list[str] = []
        for unwanted in unwanted_in(blank):
            for one in self._negated(unwanted, blank, wanted_instead):
                found.append(one)
                blank = blank[: one.start] + "\0" * (one.end - one.start) + blank[one.end :]
        values = self._values(blank)
        left = _tidied(" ".join([*blank.replace("\0", " ").split(), *wanted_instead]), bool(found))
        stated = sorted([*found, *values], key=lambda one: one.start)
        return Understood(text, left, constraints=tuple(constraint for one in stated for constraint in one.constraints))

    def _ratings(self, text: str) -> Iterator[Found]:
        return ratings_in(text) if "rating" in self.facets.numbers else iter(())

    def _prices(self, text: str) -> Iterator[Found]:
        return prices_in(text) if "price" in self.facets.numbers else iter(())

    def _stock(self, text: str) -> Iterator[Found]:
        return stock_in(text) if "availability" in self.facets.values else iter(())

    def _negated(self, unwanted: Unwanted, text: str, wanted_instead: list[str]) -> list[Found]:
        """Return the filters of one "without": values of the catalog where it names some, else words."""
        words = self._words(text, unwanted.words[0][1])
        keys = [word.term for word in words]
        place, found = 0, []
        start = unwanted.start
        while (length := longest(keys, self.spoken.after_not, place)) > 0:
            field, value = self.spoken.after_not[tuple(keys[place : place + length])]
            end = words[place + length - 1].end
            found.append(Found((Constraint(field, "!=", value, text[start:end].strip(), True),), start, end))
            place += length
            if place >= len(words) or not _JOINERS.match(text[end : words[place].start]):
                break
            start = end
        if found:
            return [*found, *self._also_unwanted(text, found[-1].end, wanted_instead)]
        count = wanted_words(unwanted)
        said, end = " ".join(word for word, _, _ in unwanted.words[:count]), unwanted.words[count - 1][2]
        wanted_instead += self._opposites(said)
        found = [Found((Constraint("words", "!=", said.casefold(), text[start:end].strip(), True),), start, end)]
        return [*found, *self._also_unwanted(text, end, wanted_instead)]

    def _also_unwanted(self, text: str, end: int, wanted_instead: list[str]) -> list[Found]:
        """Return the filter of "or plug" right after what is not wanted."""
        other = _OR_ANOTHER.match(text, end)
        if not other:
            return []
        wanted_instead += self._opposites(other["word"])
        unwanted_too = Constraint("words", "!=", other["word"].casefold(), other[0].strip(), True)
        return [Found((unwanted_too,), other.start(), other.end())]

    def _opposites(self, words: str) -> list[str]:
        """Return what things without it are called: sleeves -> sleeveless where the catalog says so, else sugar-free.

        An encoder that reads "without sugar" finds sugar; of "sugar-free" it knows the meaning.
        """
        singular = folded(words).removesuffix("s")
        without = f"{singular}less"
        return [without if self.lexical.analyzer.term_of(without) in self.lexical.vocabulary else f"{singular}-free"]

    def _values(self, text: str) -> list[Found]:
        """Return the values that the text names; values of one field joined by "or" are alternatives."""
        words = self._words(text, 0)
        keys = [word.term for word in words]
        named: list[tuple[str, str, int, int, bool]] = []  # field, value, start, end, field is named too
        place = 0
        while place < len(words):
            explicit = self._explicit(keys, place)
            length = explicit[2] if explicit else longest(keys, self.spoken.values, place)
            if length == 0:
                place += 1
                continue
            field, value = explicit[:2] if explicit else self.spoken.values[tuple(keys[place : place + length])]
            if not explicit and self._is_part_of_a_name(keys, place, length, field, value):
                place += length
                continue
            named.append((field, value, words[place].start, words[place + length - 1].end, bool(explicit)))
            place += length
        return _alternatives(named, text)

    def _is_part_of_a_name(self, keys: Sequence[str], place: int, length: int, field: str, value: str) -> bool:
        """Return whether the words mean something else next to their neighbours, as "cream" does in "hand cream".

        So it is when most products whose titles hold the words and the one beside them do not carry the value.
        """
        edges = (keys[max(place - 1, 0) : place + 1], keys[place + length - 1 : place + length + 1])
        if self.spoken.names.intersection(map(tuple, edges)):
            return True
        beside = [keys[at] for at in (place - 1, place + length) if 0 <= at < len(keys)]
        stem = self.lexical.analyzer.term_of
        held = [self.lexical.title_rows(stem(key)) for key in keys[place : place + length]]
        carriers = None
        for term in beside:
            rows = reduce(np.intersect1d, [*held, self.lexical.title_rows(stem(term))])
            if len(rows):
                carriers = carriers_of(self.facets.values[field], value) if carriers is None else carriers
                if carriers[rows].mean() < LEAST_SHARE:
                    return True
        return False

    def _explicit(self, keys: Sequence[str], place: int) -> tuple[str, str, int] | None:
        """Return (field, value, terms) where the text names a field and then one of its values: "size 8"."""
        for name, field in self._fields_from.get(keys[place], ()):
            values = self.spoken.by_field[field]
            after = place + len(name)
            if tuple(keys[place:after]) == name and (length := longest(keys, values, after)):
                return field, values[tuple(keys[after : after + length])], len(name) + length
        return None

    def _words(self, text: str, start: int) -> list[_Word]:
        """Return the words of a text from a place on; a quantity or a pack is one word."""
        quantities = [(term, begin, end) for term, begin, end in quantities_in(folded_alike(text)) if begin >= start]
        quantities += [
            (f"{match[1] or match[2]}-pack", *match.span()) for match in _PACK.finditer(text) if match.start() >= start
        ]
        known = [one for one in quantities if one[0] in self._measures]
        words = [_Word(*one) for one in known]
        for match in _WORD.finditer(text, start):
            if not any(begin <= match.start() < end for _, begin, end in known):
                words.append(_Word(form_of(match[0]), *match.span()))
        return sorted(words, key=lambda word: word.start)

    # -- spelling --

    def _spelled(self, text: str) -> tuple[str, str]:
        """Return the text with unknown words replaced where that is sure, and with all that could be replaced.

        Twice, for what is sure about one word helps to see what another one means.
        """
        for _ in range(2):
            corrections = self._corrections(text)
            text = _replaced(text, {one.word: one.best for one in corrections if one.is_sure})
        return text, _replaced(text, {one.word: one.best for one in corrections})

    def _corrections(self, text: str) -> list[Correction]:
        for finder in (self._ratings, self._prices, self._stock):  # their words are not the catalog's
            for one in finder(text):
                text = text[: one.start] + " " * (one.end - one.start) + text[one.end :]
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


def folded_alike(text: str) -> str:
    """Return the text in lower case, each letter in its place."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text


def _alternatives(named: list[tuple[str, str, int, int, bool]], text: str) -> list[Found]:
    found: list[Found] = []
    place = 0
    while place < len(named):
        field, value, start, end, is_explicit = named[place]
        values = [value]
        place += 1
        while place < len(named) and named[place][0] == field and _JOINERS.match(text[end : named[place][2]]):
            values.append(named[place][1])
            end = named[place][3]
            place += 1
        distinct = tuple(dict.fromkeys(values))
        stated = distinct if len(distinct) > 1 else distinct[0]
        constraint = Constraint(field, "in" if len(distinct) > 1 else "=", stated, text[start:end], is_explicit)
        found.append(Found((constraint,), start, end))
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
    while words and words[-1].casefold() in _DANGLING:
        words.pop()
    while words and words[0].casefold() in _DANGLING - {"the", "a", "an"}:
        words.pop(0)
    return " ".join(words)
