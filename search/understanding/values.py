"""The values of the catalog that a query names, each read in its place: "brown rice" is of no colour."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from search.analysis import dimensions_in, quantities_in
from search.arrays import Mask, common_to
from search.facets import FacetIndex
from search.lexical import LexicalIndex
from search.remembered import remembering
from search.understanding.amounts import has_digit, with_digits
from search.understanding.constraints import Constraint, Found
from search.understanding.english import ADJECTIVE_ENDINGS, DONE_TO, ONE_THING, PHRASE_ENDS
from search.understanding.spoken import (
    LEAST_SHARE,
    MOST_TERMS,
    PACK,
    Key,
    SpokenValues,
    carriers_of,
    form_of,
    is_telling,
    longest,
    pack_term,
)

JOINERS = re.compile(r"^\s*(?:(?:,|/|&|\b(?:or|and|nor)\b)\s*)+(?:(?:an?|the|any|no)\s+)?$", re.IGNORECASE)
LEAST_APPLIES = 0.2  # share of the things named that must have the field at all, for a value to be said of them
REMEMBERED = 8  # values whose carriers are known, a byte for each row: one query asks for the same two or three times
LEAST_COMMON = 0.2  # the same of all products, for a thing that the catalog does not know
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ARTICLE = re.compile(r"(?<!in )(?<!by )(?<!from )\b(?:an?|the|my|your|his|her|our|their)\s+$", re.IGNORECASE)
_OF_IT = re.compile(r"\b(?:in|made of|made from|woven from|made out of|colou?red)\s+(?:an?\s+)?$", re.IGNORECASE)
_DOES = re.compile(r"\b(?:to|that|who|can|will|helps?)\s+$", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:under|over|above|below|(?:less|more|longer|shorter) than|up to|at least|at most|within)\s+$", re.IGNORECASE
)
_NAME_BEFORE = re.compile(r"\b(?:named|called|mr|mrs|ms)\.?\s+$", re.IGNORECASE)
# "Paint for aluminum siding" is not of aluminum; "looking for a red dress" is.
_FOR = re.compile(
    r"(?<!look )(?<!looking )(?<!search )(?<!searching )(?<!shopping )(?<!shop )(?<!hunting )(?<!asking )(?<!ask )"
    r"(?<!asked )(?<!wished )(?<!wishing )(?<!hoping )"
    r"\bfor\s+(?:(?:an?|the|my|your|his|her|our|their|some|any)\s+)?$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\s+(?:to|of|out|up|down|as|on(?! (?:it|them)\b)|off|away|into)\b", re.IGNORECASE)
_MAKER = re.compile(r"\b(?:by|from|brand)\s+$", re.IGNORECASE)


@dataclass(frozen=True)
class Word:
    """A word of the text: where it stands and the term it is looked up by."""

    term: str
    start: int
    end: int


@dataclass(frozen=True)
class Named:
    """A value that a text names, and where."""

    field: str
    value: str
    start: int
    end: int
    is_explicit: bool  # whether the text names the field too
    length: int  # words


class ValueReader:
    """Finds the values that queries name.

    Args:
        facets, lexical: of the release.
        spoken: the values that a query may name.
        common: words of the language, whatever the catalog says.
    """

    def __init__(self, facets: FacetIndex, lexical: LexicalIndex, spoken: SpokenValues, common: frozenset[str]):
        self.facets, self.lexical, self.spoken, self.common = facets, lexical, spoken, common
        self._carriers = remembering(self._carriers_of, REMEMBERED)
        spoken_keys = itertools.chain(spoken.values, *spoken.by_field.values())
        self._measures = {key[0] for key in spoken_keys if len(key) == 1}
        self._field_of_stem = {lexical.analyzer.term_of(field): field for field in reversed(spoken.by_field)}
        self._fields_from: dict[str, list[tuple[Key, str]]] = {}  # first word of a field's name -> (words, field)
        for field in spoken.by_field:
            name = tuple(map(form_of, field.split("_")))
            self._fields_from.setdefault(name[0], []).append((name, field))

    def values_in(self, text: str) -> list[Found]:
        """Return the values that the text names; values of one field joined by "or" are alternatives."""
        words = self.words_in(text, 0)
        named: list[Named] = []
        place = 0
        while place < len(words):
            one = self._alternative(words, place, text, named) or self._explicit(words, place)
            keys, before = [word.term for word in words], text[: words[place].start]
            length = longest(keys, self.spoken.values, place)
            if one is None and _OF_IT.search(before):
                one = self._said_to_be_in(words, place, text)
                length = 0 if one else length
            if length and (one is None or length >= one.length):  # "long sleeve" is more than "long" said of sleeves
                one = self._guessed(words, place, length, text) or one
            if one is not None:
                named += self._joined_before(words, place, text, named, one)
                named.append(one)
            place += max(one.length if one else length, 1)
        return _alternatives(named, text)

    def _said_to_be_in(self, words: Sequence[Word], place: int, text: str) -> Named | None:
        """Return the value at the end of "a toaster in cream": by itself the word may be anything."""
        keys = [word.term for word in words]
        length = longest(keys, self.spoken.after_not, place)
        if length == 0 or keys[place][0].isdigit() or following_words(words, place + length, text):
            return None
        key = tuple(keys[place : place + length])
        field, value = self.best_rival(key, keys, self.spoken.after_not[key])
        return Named(field, value, words[place].start, words[place + length - 1].end, False, length)

    def _guessed(self, words: Sequence[Word], place: int, length: int, text: str) -> Named | None:
        """Return the value that these words name by themselves, None where they mean something else here."""
        keys, before = [word.term for word in words], text[: words[place].start]
        key, start, end = tuple(keys[place : place + length]), words[place].start, words[place + length - 1].end
        field, value = self.spoken.values[key]
        more = longest(keys, self.spoken.by_field[field], place)
        if more > length:  # "wool blend" may be too rare to be guessed, but is no wool
            key, length, end = tuple(keys[place : place + more]), more, words[place + more - 1].end
            value = self.spoken.by_field[field][key]
        if key[0][0].isdigit():
            named = self.best_rival(key, keys, (field, value))
            # "Lasts over 3 months" is a bound and names no value.
            return None if _BOUND.search(before) else Named(*named, start, end, False, length)
        if (_FOR.search(before) and place) or self._is_part_of_a_name(keys, place, length, field, value):
            return None
        is_code = not set(key[0]) & set("aeiouy")  # XL
        is_adjective = len(key[0]) > 4 and key[0].endswith(ADJECTIVE_ENDINGS)
        is_word = length == 1 and not is_code and not is_adjective
        if is_word and not self._is_said_of_a_thing(words, place, length, field, value, text):
            return None
        return Named(field, value, start, end, False, length)

    def best_rival(self, key: Key, keys: Sequence[str], named: tuple[str, str]) -> tuple[str, str]:
        """Return (field, value) of words that are values of several fields: that of the things asked for."""
        rivals = self.spoken.rivals.get(key)
        if rivals is None:
            return named
        stem = self.lexical.analyzer.term_of
        things = [self.lexical.title_rows(stem(one)) for one in keys if one not in key]
        masks = [self.facets.values[field].rows_with([value]) for field, value in rivals]
        carried = [sum(int(np.count_nonzero(mask[rows])) for rows in things) for mask in masks]
        return rivals[int(np.argmax(carried))]  # the first, which most products have, where none is asked for

    def _is_part_of_a_name(self, keys: Sequence[str], place: int, length: int, field: str, value: str) -> bool:
        """Return whether the words mean something else next to their neighbours, as "cream" does in "hand cream".

        So it is when most products whose titles hold the words and the one beside them do not carry the value.
        """
        edges = (keys[max(place - 1, 0) : place + 1], keys[place + length - 1 : place + length + 1])
        if self.spoken.names.intersection(map(tuple, edges)):
            return True
        if length > 1:  # two words that are a value mean it
            return False
        beside = [keys[at] for at in (place - 1, place + length) if 0 <= at < len(keys)]
        stem = self.lexical.analyzer.term_of
        held = [self.lexical.title_rows(stem(key)) for key in keys[place : place + length]]
        for term in beside:
            rows = reduce(common_to, [*held, self.lexical.title_rows(stem(term))])
            if len(rows) and self._carriers(field, value)[rows].mean() < LEAST_SHARE:
                return True
        return False

    def _is_said_of_a_thing(
        self, words: Sequence[Word], place: int, length: int, field: str, value: str, text: str
    ) -> bool:
        """Return whether the value can describe the thing that is named after it.

        "Brown rice" is no brown thing where no rice has a colour, and the "trundle" of "with a trundle" is a thing
        itself, not the brand.
        """
        before, after = text[: words[place].start], text[words[place + length - 1].end :]
        if _NAME_BEFORE.search(before) or _DOES.search(before):
            return False
        if field != "brand" and _is_capital(before, text[words[place].start :], after):
            return False
        following = following_words(words, place + length, text)
        if following and f"{words[place].term} {following[0]}" in ONE_THING:
            return False
        if not following and not re.match(r"\s*(?:,|/|or\b|and\b)", after, re.IGNORECASE):
            if _ARTICLE.search(before) or _GOES_ON.match(after):
                return False
            preceding = words[place - 1] if place else None
            is_beside = preceding is not None and text[preceding.end : words[place].start].isspace()
            if preceding and is_beside and preceding.term not in PHRASE_ENDS and field != "brand":
                return self._applies(field, value, preceding.term)
        while following and (following[0],) in self.spoken.values:  # "tan leather bag": the bag is what is tan
            following = following[1:]
        if field == "brand":
            is_word = length == 1 and words[place].term in self.common
            is_held = bool(following) and self._holds(field, value, self._titled(following[-1]))
            return is_held or not is_word or bool(_MAKER.search(before))
        said = text[words[place].start : words[place].end].casefold()
        if said.endswith("s") and not value.casefold().endswith("s"):  # greens are vegetables, knees are no length
            return False
        return self.can_be_said(field, value, following, words[place + length - 1].term)

    def can_be_said(self, field: str, value: str, following: Sequence[str], word: str) -> bool:
        """Return whether the value can describe what the words after it name.

        Args:
            following: these words' terms, the thing itself last; none: whatever it is.
            word: the value's last term.
        """
        if following and f"{word} {following[0]}" in ONE_THING:
            return False
        if not following or self._holds(field, value, self._titled(following[-1])):
            return True
        if (word, following[0]) in self.spoken.mentions or following[-1] in DONE_TO:
            return False
        return self._applies(field, value, following[-1])

    def _applies(self, field: str, value: str, thing: str) -> bool:
        """Return whether things of this name have the field at all; what the catalog does not know, as most do."""
        rows = self._titled(thing)
        if self._holds(field, value, rows):
            return True
        if len(rows) == 0:
            rows = self.lexical.rows_of(self.lexical.analyzer.term_of(thing))
        facet = self.facets.values[field]
        if len(rows) == 0:
            return facet.carriers >= LEAST_COMMON * self.facets.rows
        return facet.carried(rows) >= LEAST_APPLIES * len(rows)

    def _titled(self, thing: str) -> NDArray[np.int32]:
        return self.lexical.title_rows(self.lexical.analyzer.term_of(thing))

    def _holds(self, field: str, value: str, rows: NDArray[np.int32]) -> bool:
        return len(rows) > 0 and bool(self._carriers(field, value)[rows].any())

    def _carriers_of(self, field: str, value: str) -> Mask:
        return carriers_of(self.facets.values[field], value)

    def _alternative(self, words: Sequence[Word], place: int, text: str, named: Sequence[Named]) -> Named | None:
        """Return the value joined to the one before it, of the same field: "white or cream"."""
        if not named or not JOINERS.match(text[named[-1].end : words[place].start]):
            return None
        field, keys = named[-1].field, [word.term for word in words]
        length = longest(keys, self.spoken.by_field[field], place)
        if length == 0 or not is_telling(tuple(keys[place : place + length])):
            return None
        value = self.spoken.by_field[field][tuple(keys[place : place + length])]
        return Named(field, value, words[place].start, words[place + length - 1].end, named[-1].is_explicit, length)

    def _joined_before(
        self, words: Sequence[Word], place: int, text: str, named: Sequence[Named], one: Named
    ) -> list[Named]:
        """Return the value right before, of the same field, that would mean nothing alone: "cream or green"."""
        before = next(
            (words[at] for at in (place - 1, place - 2) if at >= 0 and words[at].term not in ("or", "and")), None
        )
        if before is None or (named and named[-1].end >= before.end):
            return []
        value = self.spoken.by_field[one.field].get((before.term,))
        if value is None or not is_telling((before.term,)) or not JOINERS.match(text[before.end : one.start]):
            return []
        return [Named(one.field, value, before.start, before.end, one.is_explicit, 1)]

    def _explicit(self, words: Sequence[Word], place: int) -> Named | None:
        """Return the value whose field the text names before or after it: "size 8", "slim fit", "cream coloured"."""
        keys = [word.term for word in words]
        for name, field in self._fields_from.get(keys[place], ()):
            values = self.spoken.by_field[field]
            after = place + len(name)
            if tuple(keys[place:after]) == name and (length := longest(keys, values, after)):
                value, end = values[tuple(keys[after : after + length])], words[after + length - 1].end
                return Named(field, value, words[place].start, end, True, len(name) + length)
        stem = self.lexical.analyzer.term_of
        for length in range(min(MOST_TERMS, len(keys) - place - 1), 0, -1):
            said = stem(keys[place + length].replace("colour", "color").replace("flavour", "flavor"))
            field = self._field_of_stem.get(said, "")
            found = self.spoken.by_field.get(field, {}).get(tuple(keys[place : place + length]))
            if found is not None:
                # Less sure than "size 8": the things sought may be what the field is called, "rechargeable batteries".
                return Named(field, found, words[place].start, words[place + length].end, False, length + 1)
        return None

    def words_in(self, text: str, start: int) -> list[Word]:
        """Return the words of a text from a place on; a quantity or a pack is one word."""
        lowered = with_digits(_folded_alike(text))
        measures: list[tuple[str, int, int]] = []
        if has_digit(lowered):
            measures = [*dimensions_in(lowered), *((pack_term(one), *one.span()) for one in PACK.finditer(lowered))]
            measures += quantities_in(lowered)
        known: list[tuple[str, int, int]] = []
        for term, begin, end in measures:  # the sides of 8.5" x 11" are no lengths of their own
            is_free = all(end <= other or begin >= stop for _, other, stop in known)
            term = next((one for one in (term, *_alike(term)) if one in self._measures), "")
            if begin >= start and term and is_free:
                known.append((term, begin, end))
        words = [Word(*one) for one in known]
        for match in _WORD.finditer(lowered, start):
            if not any(begin <= match.start() < end for _, begin, end in known):
                words.append(Word(form_of(match[0]), *match.span()))
        return sorted(words, key=lambda word: word.start)


def _alike(term: str) -> tuple[str, ...]:
    """Return other terms for the same number of things: a set of 4 may be sold as a 4-pack."""
    number, _, kind = term.rpartition("-")
    return {"set": (f"{number}-pack",), "pack": (f"{number}-set",)}.get(kind, ())


def _folded_alike(text: str) -> str:
    """Return the text in lower case, each letter in its place."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text


def _is_capital(before: str, said: str, after: str) -> bool:
    """Return whether a word begins a proper name: Orange of "he is from Orange County"."""
    next_word = re.match(r"\s+([A-Z][a-z]+)", after)
    return bool(next_word) and said[0].isupper() and any(word[0].islower() for word in before.split())


def following_words(words: Sequence[Word], place: int, text: str) -> list[str]:
    """Return the terms of up to three words that follow in the same phrase, the thing a value is said of."""
    found: list[str] = []
    for at in range(place, min(place + 3, len(words))):
        between = text[words[at - 1].end : words[at].start] if at else ""
        said = re.split("['’]", text[words[at].start : words[at].end].casefold())[0]
        if between.strip("- ") or said in PHRASE_ENDS or said[0].isdigit():
            break
        found.append(words[at].term)
    return found


def _alternatives(named: Sequence[Named], text: str) -> list[Found]:
    found: list[Found] = []
    place = 0
    while place < len(named):
        first = named[place]
        values, end = [first.value], first.end
        place += 1
        while (
            place < len(named) and named[place].field == first.field and JOINERS.match(text[end : named[place].start])
        ):
            values.append(named[place].value)
            end = named[place].end
            place += 1
        distinct = tuple(dict.fromkeys(values))
        stated = distinct if len(distinct) > 1 else distinct[0]
        op = "in" if len(distinct) > 1 else "="
        constraint = Constraint(first.field, op, stated, text[first.start : end], first.is_explicit)
        found.append(Found((constraint,), first.start, end))
    return found
