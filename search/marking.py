"""Which words of an answer's texts were asked for, and the texts as HTML with these marked."""

from __future__ import annotations

import html
import string
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from search.analysis import Analyzer
from search.forms import Known

SNIPPET_WORDS = 26
_AROUND = "".join(c for c in string.punctuation if c not in "%+") + "“”‘’…–—"


class Marker:
    """Finds and marks the words of an answer's texts that were asked for.

    Args:
        terms: that were asked for.
        analyzer: of the release.
    """

    def __init__(self, terms: set[str], analyzer: Analyzer):
        self.terms, self._analyzer = terms, analyzer
        self.stand_alone = all(map(analyzer.stands_alone, terms))
        self._wanted: set[str] = set()  # of the words known so far, those that hold a term that was asked for
        self._state: tuple[Known, int] | None = None  # what was known when these were taken, and how much of it

    def read(self, words: Iterable[str]) -> Known:
        """Return what is known of words, these as written among them."""
        known = self._analyzer.forms.read(words)
        if (state := (known, len(known.terms))) != self._state:
            self._wanted = set().union(*[known.words.get(term, ()) for term in self.terms])
            self._state = state
        return known

    def places(self, words: Sequence[str]) -> list[int]:
        """Return which of these words, as written, hold a term that was asked for, in order."""
        if not self.terms:
            return []
        self.read(words)
        wanted = self._wanted
        return [] if wanted.isdisjoint(words) else [place for place, word in enumerate(words) if word in wanted]

    def terms_in(self, text: str) -> set[str]:
        """Return the terms of a text that were asked for."""
        if not self.stand_alone:
            return self.terms.intersection(self._analyzer.terms_of(text))
        words = text.split()
        terms = self.read(words).terms
        return self.terms.intersection(set().union(*map(terms.__getitem__, words)))

    def words_in(self, text: str) -> list[str]:
        """Return the different words of a text that are those asked for, compounds and quantities not looked at."""
        if self.stand_alone:  # then no other piece of the text, between blanks, has one
            pieces = text.split()
            text = " ".join([pieces[place] for place in self.places(pieces)])
        return list(dict.fromkeys(word for word, term in self._analyzer.plain_terms(text) if term in self.terms))

    def highlight(self, text: str) -> str:
        """Return the text as HTML: escaped, each word whose term was asked for inside <mark>."""
        words = text.split(" ")
        return _highlighted(text, words, self.places(words))

    def snippet(self, text: str) -> str:
        """Return the stretch of the text that holds most of the terms, highlighted, with … where it was cut."""
        words = text.split()
        places = self.places(words)
        start = _fullest(places, len(words))
        end = start + SNIPPET_WORDS
        shown = words[start:end]
        body = _highlighted(" ".join(shown), shown, [place - start for place in places if start <= place < end])
        return f"{'… ' if start else ''}{body}{'' if end >= len(words) else ' …'}"


def _highlighted(text: str, words: Sequence[str], places: Sequence[int]) -> str:
    """Return the text, whose words these are with single blanks between, as HTML, those at some places marked."""
    escaped = html.escape(text)
    if not places:
        return escaped
    pieces = escaped.split(" ")  # escaping neither makes blanks nor takes them away
    for place in places:
        pieces[place] = _marked(words[place])
    return " ".join(pieces)


def _marked(piece: str) -> str:
    """Return the piece escaped, its core inside <mark>, the punctuation around it outside."""
    core = piece.strip(_AROUND)
    before, _, after = piece.partition(core)
    return f"{html.escape(before)}<mark>{html.escape(core)}</mark>{html.escape(after)}"


def _fullest(places: Sequence[int], count: int) -> int:
    """Return where the first of the stretches of SNIPPET_WORDS of `count` words begins that holds the most places."""
    if count <= SNIPPET_WORDS or not places:
        return 0
    # The first stretch with as many places as any ends with the last of them, or stands at the beginning.
    starts = [max(0, place - SNIPPET_WORDS + 1) for place in places]
    return max(starts, key=lambda start: bisect_left(places, start + SNIPPET_WORDS) - bisect_left(places, start))
