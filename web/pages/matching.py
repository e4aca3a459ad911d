"""Why a product answers a search, as its page shows it: words marked by how much they pull the two together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from flask_babel import lazy_gettext as _

from search.engine import Engine
from search.errors import EncoderError, QueryError
from search.match import Match, MatchedWord
from web.formats import hundredths

LEVELS = 4  # of marks, the strongest last
LEAST_FALL = 0.005  # of closeness, for a word to be named: half of the last digit shown
LEAST_AWAY = 0.15  # of what pulls together, for a word of the query to be said to pull away
_LABELS = {
    "title": _("Title"), "brand": _("Brand"), "category": _("Category"), "attributes": _("Details"),
    "description": _("Description"),
}  # fmt: skip
_NOTES = {
    "encoder_loading": _("Meaning is still being loaded; try again in a moment."),
    "encoder_unavailable": _("Meaning cannot be looked into right now."),
    "no_token_vectors": _("The model behind this shop reads texts as wholes and cannot say what each word does."),
}


@dataclass(frozen=True)
class Piece:
    """A stretch of text; level 0 is unmarked, LEVELS the strongest mark."""

    text: str
    level: int = 0


@dataclass(frozen=True)
class Line:
    """One field of the product, its values one after the other."""

    label: str
    values: list[list[Piece]]


@dataclass(frozen=True)
class Fall:
    """What the closeness falls to without a word, all its forms."""

    forms: tuple[str, ...]
    closeness: str


@dataclass(frozen=True)
class Matching:
    """The section "Why this matches".

    Attributes:
        q: the search as typed; query: the words that were compared, marked.
        note: why there is nothing to see by meaning; "" when there is.
        closeness: of the two, "0.62"; "" when unknown.
        through: the words named first, those whose taking out was seen to lower the closeness most.
        falls: what it falls to without each of them.
        away: words of the search without which the product would be closer.
        lines: the product's text.
        heaviest: its marked words, the strongest first.
        shared: words that both hold.
        is_complete: False while it will say more later.
    """

    q: str
    query: list[Piece]
    note: str = ""
    closeness: str = ""
    through: list[str] = field(default_factory=list)
    falls: list[Fall] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    heaviest: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    is_complete: bool = True


def matching_of(engine: Engine, product_id: str, q: str) -> Matching | None:
    """Return why a product answers a search; None without one. A page outlives an encoder that does not work."""
    try:
        match = engine.match(product_id, q)
    except QueryError:  # empty, or longer than any search: nobody searched for it
        return None
    except EncoderError:
        return Matching(q, [Piece(q)], str(_NOTES["encoder_unavailable"]), is_complete=False)
    stop_words = engine.release.lexical.analyzer.stop_words
    below = (match.closeness or 0.0) - LEAST_FALL
    falls = [Fall(one.forms, hundredths(one.closeness)) for one in match.without if one.closeness <= below]
    # Where no word was seen to matter, what weighs most among them says nothing.
    own, asked = (_levels(words, stop_words) if falls else {} for words in (match.words, match.query_words))
    return Matching(
        q=q,
        query=_pieces(match.search_text, 0, len(match.search_text), match.query_words, asked),
        note=_note(match),
        closeness="" if match.closeness is None else hundredths(match.closeness),
        through=[one.forms[0] for one in falls],
        falls=falls,
        away=_away(match.query_words, stop_words) if falls else [],
        lines=_lines(match, own),
        heaviest=_heaviest(match.words, own),
        shared=match.shared,
        is_complete=match.degraded not in ("encoder_loading", "encoder_unavailable"),
    )


def _note(match: Match) -> str:
    if match.degraded:
        return str(_NOTES[match.degraded])
    if match.search_text:
        return ""
    return str(_("The search names conditions only, such as a price, and nothing to compare."))


def _levels(words: Sequence[MatchedWord], stop_words: frozenset[str]) -> dict[str, int]:
    """Return term -> level, in equal steps up to the heaviest term; the little words stay unmarked."""
    telling = [word for word in words if word.text.lower() not in stop_words]
    heaviest = max((word.weight for word in telling), default=0.0)
    if heaviest <= 0:
        return {}
    return {word.term: max(0, round(LEVELS * word.weight / heaviest)) for word in telling}


def _lines(match: Match, levels: dict[str, int]) -> list[Line]:
    """Return the product's text by field, ending in … where it goes on unread."""
    lines = [
        Line(str(_LABELS[name]), [_pieces(match.passage, part.start, part.end, match.words, levels) for part in parts])
        for name, parts in groupby(match.parts, key=lambda part: part.field)
    ]
    if lines and match.is_cut:
        lines[-1].values[-1].append(Piece(" …"))
    return lines


def _pieces(text: str, start: int, end: int, words: Sequence[MatchedWord], levels: dict[str, int]) -> list[Piece]:
    """Return the text from start to before end, cut at its marked words."""
    pieces, done = [], start
    for word in words:
        if start <= word.start < end and levels.get(word.term, 0):
            pieces += [Piece(text[done : word.start]), Piece(text[word.start : word.end], levels[word.term])]
            done = word.end
    return [piece for piece in (*pieces, Piece(text[done:end])) if piece.text]


def _heaviest(words: Sequence[MatchedWord], levels: dict[str, int]) -> list[str]:
    marked = {word.term: word for word in reversed(words) if levels.get(word.term, 0)}
    return [word.text for word in sorted(marked.values(), key=lambda word: (-word.weight, word.start))]


def _away(words: Sequence[MatchedWord], stop_words: frozenset[str]) -> list[str]:
    """Return the words without which the two would be closer, once each."""
    away = [word for word in words if word.weight < -LEAST_AWAY and word.text.lower() not in stop_words]
    return list({word.term: word.text for word in reversed(away)}.values())[::-1]
