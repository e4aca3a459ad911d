"""Which words of an answer's texts were asked for, and the texts as HTML with these marked."""

from __future__ import annotations

import string
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape
from itertools import chain
from typing import TypeVar

from search.analysis import Analyzer
from search.passages import SENTENCE_ENDS

Found = TypeVar("Found")
SNIPPET_WORDS = 26
_AROUND = "".join(c for c in string.punctuation if c not in "%+") + "“”‘’…–—"
_MARKED = 4096  # words whose marked form is remembered: a page has the same few again and again


class FoundOnce(dict[str, Found]):
    """Word, as written -> what is found in it, looked for once; for `get`, of the words looked up so far.

    Args:
        find: what is in a word.
    """

    def __init__(self, find: Callable[[str], Found]):
        super().__init__()
        self._find = find

    def __missing__(self, word: str) -> Found:
        found = self[word] = self._find(word)
        return found


class Marker:
    """Finds and marks the words of an answer's texts that were asked for.

    Where they may be, its methods are told: see `search.shown.Places`.

    Args:
        terms: that were asked for.
        analyzer: of the release.
    """

    def __init__(self, terms: set[str], analyzer: Analyzer):
        self.terms, self._analyzer = terms, analyzer
        terms_of, plain = analyzer.terms_of_word, analyzer.plain_terms
        self.held = FoundOnce(lambda word: terms_of(word) & terms)
        # Words between two blanks that are those asked for, compounds and quantities not looked at.
        self._asked = FoundOnce(lambda piece: tuple([word for word, term in plain(piece) if term in terms]))
        self.alone = set(filter(analyzer.stands_alone, terms))
        self.joined = terms - self.alone

    def held_in(self, words: Sequence[str], places: Sequence[int]) -> list[frozenset[str]]:
        """Return the terms that were asked for of each of the words, read by itself, at some places."""
        held = self.held
        return [held[words[place]] for place in places]

    def terms_of_parts(self, parts: Sequence[str], words: Sequence[str], places: Sequence[int]) -> list[set[str]]:
        """Return the terms that were asked for of each part of a text.

        Args:
            parts: of the text; they may begin and end within one of its words.
            words: of the text, between blanks.
            places: of the words that may hold terms.
        """
        if self.joined:
            return [self.terms.intersection(self._analyzer.terms_of(part)) for part in parts]
        known = dict.fromkeys(words, ()) | {words[place]: self.held[words[place]] for place in places}
        return [
            set().union(*[known[word] if word in known else self.held[word] for word in part.split()]) for part in parts
        ]

    def words_in(self, pieces: Sequence[str], places: Sequence[int]) -> list[str]:
        """Return the different words of a text that are those asked for, compounds and quantities not looked at.

        Args:
            pieces: of the text, between blanks.
            places: of the pieces that may hold any.
        """
        asked = self._asked
        return list(dict.fromkeys(chain.from_iterable([asked[pieces[place]] for place in places])))

    def highlight(self, text: str, places: Sequence[int]) -> str:
        """Return the text as HTML: escaped, each word whose term was asked for inside <mark>.

        Args:
            text: words with single blanks between.
            places: of the words that may be among them.
        """
        if not places:
            return escape(text)
        words = text.split(" ")
        return _highlighted(text, words, self._kept(words, places))

    def snippet(self, text: str, places: Sequence[int]) -> str:
        """Return the stretch of the text that holds most of the terms, highlighted, with … where it was cut.

        Args:
            text: to be cut.
            places: of the words, between any blanks, that may hold terms.
        """
        words = _first_words(text, places)
        return _snippet(words, self._kept(words, places))

    def snippets(self, text: str, part: Sequence[str], places: Sequence[int]) -> tuple[str, str]:
        """Return the snippets of a text and of a part of it: its words, but that it may begin and end within one.

        Args:
            text: see `snippet`; places: of its words.
            part: words of a part of the text without what ends a sentence; at least one.
        """
        words = _first_words(text, places)
        kept = self._kept(words, places)
        asked = {form for place in kept for form in (words[place], words[place].rstrip(SENTENCE_ENDS))}
        if "|" in text or "•" in text:  # these end sentences within words
            asked.update(word for word in (part[0], *part[-2:]) if self.held[word])  # before an … perhaps
        marked = [place for place, word in enumerate(part) if word in asked] if asked else []
        return _snippet(words, kept), _snippet(part, marked)

    def _kept(self, words: Sequence[str], places: Sequence[int]) -> list[int]:
        held = self.held
        return [place for place in places if held[words[place]]]


def _first_words(text: str, places: Sequence[int]) -> list[str]:
    """Return the words of a text between any blanks; without places only those a snippet has, and the rest as one."""
    return text.split() if places else text.split(None, SNIPPET_WORDS)


def _snippet(words: Sequence[str], places: Sequence[int]) -> str:
    """Return the stretch of the words that holds most of these places, which are marked."""
    if len(words) <= SNIPPET_WORDS:
        return _highlighted(" ".join(words), words, places)
    start = _fullest(places)
    end = start + SNIPPET_WORDS
    shown = words[start:end]
    body = _highlighted(" ".join(shown), shown, [place - start for place in places if start <= place < end])
    return f"{'… ' if start else ''}{body}{'' if end >= len(words) else ' …'}"


def _highlighted(text: str, words: Sequence[str], places: Sequence[int]) -> str:
    """Return the text, whose words these are with single blanks between, as HTML, those at some places marked."""
    escaped = escape(text)
    if not places:
        return escaped
    pieces = escaped.split(" ")  # escaping neither makes blanks nor takes them away
    for place in places:
        pieces[place] = _marked(words[place])
    return " ".join(pieces)


@lru_cache(_MARKED)
def _marked(piece: str) -> str:
    """Return the piece escaped, its core inside <mark>, the punctuation around it outside."""
    core = piece.strip(_AROUND)
    before, _, after = piece.partition(core)
    return f"{escape(before)}<mark>{escape(core)}</mark>{escape(after)}"


def _fullest(places: Sequence[int]) -> int:
    """Return where the first of the stretches of SNIPPET_WORDS words begins that holds the most places."""
    if not places:
        return 0
    # The first stretch with as many places as any ends with the last of them, or stands at the beginning.
    starts = [max(0, place - SNIPPET_WORDS + 1) for place in places]
    return max(starts, key=lambda start: bisect_left(places, start + SNIPPET_WORDS) - bisect_left(places, start))
