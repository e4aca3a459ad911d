"""Which words of an answer's texts were asked for, and the texts as HTML with these marked."""

from __future__ import annotations

import html
import string
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

from search.analysis import Analyzer
from search.passages import SENTENCE_ENDS

SNIPPET_WORDS = 26
_AROUND = "".join(c for c in string.punctuation if c not in "%+") + "“”‘’…–—"
_MARKED = 4096  # words whose marked form is remembered: a page has the same few again and again


class Held(dict[str, frozenset[str]]):
    """Word, as written -> those of its terms that were asked for; for `get`, of the words looked up so far.

    Args:
        terms: that were asked for.
        analyzer: of the release.
    """

    def __init__(self, terms: set[str], analyzer: Analyzer):
        super().__init__()
        self._terms, self._terms_of = terms, analyzer.terms_of_word

    def __missing__(self, word: str) -> frozenset[str]:
        found = self[word] = self._terms_of(word) & self._terms
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
        self.held = Held(terms, analyzer)
        self.alone = set(filter(analyzer.stands_alone, terms))
        self.stand_alone = self.alone == terms

    def terms_in(self, words: Sequence[str], places: Sequence[int]) -> set[str]:
        """Return the terms that were asked for of the words, read by themselves, at some places."""
        held = self.held
        return set().union(*[held[words[place]] for place in places])

    def terms_of_parts(self, parts: Sequence[str], words: Sequence[str], places: Sequence[int]) -> list[set[str]]:
        """Return the terms that were asked for of each part of a text.

        Args:
            parts: of the text; they may begin and end within one of its words.
            words: of the text, between blanks.
            places: of the words that may hold terms.
        """
        if not self.stand_alone:
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
        pairs = self._analyzer.plain_terms(" ".join([pieces[place] for place in places])) if places else ()
        return list(dict.fromkeys(word for word, term in pairs if term in self.terms))

    def highlight(self, text: str, places: Sequence[int]) -> str:
        """Return the text as HTML: escaped, each word whose term was asked for inside <mark>.

        Args:
            text: words with single blanks between.
            places: of the words that may be among them.
        """
        words = text.split(" ") if places else ()
        return _highlighted(text, words, self._kept(words, places))

    def snippet(self, text: str, places: Sequence[int]) -> str:
        """Return the stretch of the text that holds most of the terms, highlighted, with … where it was cut.

        Args:
            text: to be cut.
            places: of the words, between any blanks, that may hold terms.
        """
        words = text.split()
        return _snippet(words, self._kept(words, places))

    def snippets(self, text: str, part: str, places: Sequence[int]) -> tuple[str, str]:
        """Return the snippets of a text and of a part of it: its words, but that it may begin and end within one.

        Args:
            text: see `snippet`; places: of its words.
            part: of the text, without what ends a sentence.
        """
        words, own = text.split(), part.split()
        kept = self._kept(words, places)
        asked = {form for place in kept for form in (words[place], words[place].rstrip(SENTENCE_ENDS))}
        if "|" in text or "•" in text:  # these end sentences within words
            asked.update(word for word in (own[0], *own[-2:]) if self.held[word])  # before an … perhaps
        return _snippet(words, kept), _snippet(own, [place for place, word in enumerate(own) if word in asked])

    def _kept(self, words: Sequence[str], places: Sequence[int]) -> list[int]:
        held = self.held
        return [place for place in places if held[words[place]]]


def _snippet(words: Sequence[str], places: Sequence[int]) -> str:
    """Return the stretch of the words that holds most of these places, which are marked."""
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


@lru_cache(_MARKED)
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
