"""Text -> words -> terms, the same way for products and queries: folding, stemming, compounds, numbers with units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import chain, pairwise
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from search.remembered import remembering

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*")  # one word without accents that cannot be a quantity
_DIGIT = re.compile(r"\d")
_POSSESSIVE = re.compile(r"['’]s?$|['’]")
# Not begun inside a word: what does not match from its first letter on does not from a later one either.
_HYPHENATED = re.compile(rf"(?<![^\W_]){_WORD.pattern}(?:[-‐‑][^\W_]+)+")
# Symbols of units and the words for them, as written after a number; all forms of one unit become the first.
_UNITS = (
    ("mm", "millimetre", "millimeter"), ("cm", "centimetre", "centimeter"), ("m", "metre", "meter"), ("km",),
    ("in", "inch", "inches", '"', "”", "″"), ("ft", "foot", "feet", "'", "′"), ("yd", "yard"),
    ("mg",), ("g", "gram", "gramme", "gr"), ("kg", "kilo", "kilogram"), ("oz", "ounce"), ("lb", "lbs", "pound"),
    ("floz", "fl oz", "fl. oz", "fluid oz", "fluid ounce"),
    ("ml", "millilitre", "milliliter"), ("cl",), ("l", "litre", "liter", "ltr"), ("gal", "gallon"), ("qt", "quart"),
    ("w", "watt"), ("kw",), ("v", "volt"), ("mah",), ("hz",), ("mhz",), ("ghz",), ("khz",), ("lm", "lumen"),
    ("kb",), ("mb",), ("gb", "gigabyte"), ("tb", "terabyte"), ("mp", "megapixel"), ("dpi",), ("rpm",),
)  # fmt: skip
_UNIT_OF = {
    written: forms[0]
    for forms in _UNITS
    for form in forms
    for written in ({form, f"{form}s"} if len(form) > 2 else {form})
}
# After a blank these are ordinary words far more often than units: 2 in 1, size 8 m.
_ATTACHED_ONLY = ("in", "m", "l", "v", "w", "g", "ft")
_SPELLED = "|".join(re.escape(form) for form in sorted(_UNIT_OF, key=lambda form: (-len(form), form)))
_SPACED = "|".join(re.escape(form) for form in sorted(set(_UNIT_OF) - set(_ATTACHED_ONLY), key=lambda f: (-len(f), f)))
_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:[.,]\d+)?)"
_QUANTITY = rf"(?<![\w.,/]){_NUMBER}(?:-?(?P<unit>{_SPELLED})|[ -](?P<word>{_SPACED}))(?![^\W_])"
_TOKEN = re.compile(rf"(?=\d){_QUANTITY}|{_WORD.pattern}(?:[-‐‑][^\W_]+)*+")
# Pieces between blanks that have digits, with up to two after each: "12 fluid ounces" reaches over two blanks.
_NUMBERED = re.compile(r"[^ \d]*+\d\S*+(?:(?: [^\s\d]++){0,2} [^\s\d]*+\d\S*+)*+(?: [^\s\d]++(?!\S)){0,2}")
_WHOLE_QUANTITY = re.compile(_QUANTITY)
_ANY_QUANTITY = re.compile(rf"(?<![\w.,/]){_NUMBER}[\s-]?(?P<unit>{_SPELLED})(?![^\W_]|[\s-]*\d)")
_SIDE = rf"\d+(?:[.,]\d+)?(?:[\s-]?(?:{_SPELLED}))?"
_DIMENSIONS = re.compile(
    rf"(?<![\w.,/])(?P<sides>{_SIDE}(?:\s*(?:x|×|by)\s*{_SIDE}){{1,2}}?)(?:[\s-]?(?P<unit>{_SPELLED}))?(?![^\W_]|\s*(?:x|×|by)\s*\d)"
)
_QUANTITY_TERM = re.compile(rf"\d+(?:\.\d+)?(?:{'|'.join(forms[0] for forms in _UNITS)})")
IDENTIFYING_DIGITS = 4
LEAST_JOINED = 5  # letters of a word that may be two written together
BEGINNING = 2  # letters that a word and its stem have in common: not all three of "oring" and "ore"
MOST_PARTS = 4
MOST_HYPHENATED = 20_000  # hyphenated words that are all compounds; of more, those with few digits
Compounds = Mapping[str, tuple[str, ...]]
# ISO 639-1 code -> (Snowball stemmer, bm25s stop-word list); other languages are matched word for word.
_LANGUAGES = {
    "en": ("english", "EN"), "de": ("german", "GERMAN"), "fr": ("french", "FRENCH"), "es": ("spanish", "SPANISH"),
    "pt": ("portuguese", "PORTUGUESE"), "it": ("italian", "ITALIAN"), "nl": ("dutch", "DUTCH"),
    "sv": ("swedish", "SWEDISH"), "no": ("norwegian", "NORWEGIAN"), "da": ("danish", "DANISH"),
    "ru": ("russian", "RUSSIAN"), "tr": ("turkish", "TURKISH"), "fi": ("finnish", ""), "hu": ("hungarian", ""),
    "ro": ("romanian", ""), "cs": ("czech", ""), "pl": ("polish", ""),
}  # fmt: skip


def words_of(text: str) -> list[str]:
    """Return the words of a text: case-folded, accents off, possessive 's off, in order."""
    return _plain_words(folded(text))


def _plain_words(text: str) -> list[str]:
    words = _WORD.findall(text)
    return [_POSSESSIVE.sub("", word) for word in words] if "'" in text or "’" in text else words


def is_identifier(term: str) -> bool:
    """Return whether a term looks like a part, model or article number: digits and letters mixed, or four digits.

    A quantity, 16oz, does not.
    """
    digits = sum(map(str.isdigit, term))
    return bool(digits) and (
        digits >= IDENTIFYING_DIGITS or (digits < len(term) and not _QUANTITY_TERM.fullmatch(term))
    )


def folded(text: str) -> str:
    """Return the text case-folded and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def quantity_of(text: str) -> str:
    """Return the term of a text that is a quantity and nothing else, "10 in" -> "10in"; else ""."""
    found = _ANY_QUANTITY.fullmatch(text)
    return _quantity_term(found) if found else ""


def dimensions_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (term, start, end) of every size of two or three sides in a lower-case text: 8.5" x 11" -> 8.5x11in.

    The last unit is that of all sides; without one the term has none.
    """
    for found in _DIMENSIONS.finditer(text):
        sides = [side.replace(",", ".") for side in re.findall(r"\d+(?:[.,]\d+)?", found["sides"])]
        units = re.findall(rf"\d[\s-]?({_SPELLED})(?![^\W_])", found[0])
        yield f"{'x'.join(sides)}{_UNIT_OF[units[-1]] if units else ''}", *found.span()


def quantities_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (term, start, end) of everything in a lower-case text that may be a quantity, "2 in" of "2 in 1" too."""
    for found in _ANY_QUANTITY.finditer(text):
        yield _quantity_term(found), *found.span()


def _quantity_term(found: re.Match[str]) -> str:
    return f"{plain_number(found['number'])}{_UNIT_OF[found['unit']]}"


def plain_number(written: str) -> str:
    """Return a number without thousands separators, with a decimal point: 1,299.50 -> 1299.50, 2,5 -> 2.5."""
    has_thousands = re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", written)
    return written.replace(",", "" if has_thousands else ".")


@cache
def _stop_lists() -> ModuleType:
    """Return bm25s's module of stop words without the package around it, which brings SciPy: 20 MB and .3 s."""
    package = find_spec("bm25s")
    assert package is not None and package.submodule_search_locations  # noqa: S101 - it is a requirement
    spec = spec_from_file_location("bm25s.stopwords", Path(package.submodule_search_locations[0]) / "stopwords.py")
    assert spec is not None and spec.loader is not None  # noqa: S101 - as for any file of Python
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Token(NamedTuple):
    """A word, a hyphenated word or a quantity of a text.

    Attributes:
        words: in order, stop words too.
        pairs: (word, term) of what is kept of it, the quantity last, compounds left out.
        quantity: its term, "" for none.
        may_join: whether one of its words is a compound or may end one.
    """

    words: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    quantity: str
    may_join: bool


class Analyzer:
    """Text -> terms, the same way for passages and queries of one catalog.

    Three things a shopper writes in several ways become the same terms: 12 oz, 12oz, 12-ounce; t-shirt, tshirt,
    t shirt (where the catalog itself shows that they are one); and the forms of a word, by a stemmer.

    Args:
        language: ISO 639-1; decides stemmer and stop words.
        compounds: stem of the word written together -> its parts, see `compounds_of`.
        remembered: words whose terms are kept, some 150 bytes each in each of five ways.
    """

    def __init__(self, language: str = "en", compounds: Compounds | None = None, remembered: int = 100_000):
        import Stemmer

        self.language = language
        self.compounds = dict(compounds or {})
        stemmer, stop_list = _LANGUAGES.get(language, ("", ""))
        # Without its own cache, which is in the way of ours and, once full, is sorted again and again.
        self._stemmer = Stemmer.Stemmer(stemmer, 0) if stemmer else None
        self.stop_words = frozenset(getattr(_stop_lists(), f"STOPWORDS_{stop_list}", ()))
        self._term = remembering(self._stem, remembered)
        self._joined_term = remembering(self._stem, remembered)  # apart, so that these push out no words
        self._token = remembering(self._token_of, remembered)
        self._piece = remembering(self._read_tokens, remembered)  # what stands between two blanks
        self._plain_pairs = remembering(self._plain_pairs_of, remembered)
        self.terms_of_word = remembering(self._terms_of_word, remembered)
        # Values of attributes, which many products share.
        self.terms_of_value = remembering(self._terms_of_value, 4096)
        self.terms_of_pieces = remembering(self._terms_of_pieces, 4096)
        self._units = {self._term(word) for written in _UNIT_OF for word in words_of(written)}
        # Only a word that is a compound, or the last part of one, is worth a closer look.
        self._ends = {end for joined, parts in self.compounds.items() for end in (joined, self._term(parts[-1]))}
        self._begins = {joined[:BEGINNING] for joined in self.compounds}  # stems end otherwise, and begin alike

    def _stem(self, word: str) -> str:
        return self._stemmer.stemWord(word) if self._stemmer else word

    def stands_alone(self, term: str) -> bool:
        """Return whether a text holds a term if, and only if, one of its words does, read by itself.

        Not so compounds and quantities, which two words can make, and units, which a number before them takes up.
        """
        return not (term in self.compounds or self.is_measured(term))

    def is_measured(self, term: str) -> bool:
        """Return whether a term is a unit or has digits, so that what stands before or after it counts."""
        return term in self._units or _DIGIT.search(term) is not None

    def term_of(self, word: str) -> str:
        """Return the term a word is indexed under (its stem)."""
        return self._term(word)

    def _terms_of_word(self, word: str) -> frozenset[str]:
        """Return the terms of a word with the punctuation around it."""
        return self._terms_of_plain(word) if _PLAIN.fullmatch(word) else frozenset(self.terms_of(word))

    def _terms_of_plain(self, word: str) -> frozenset[str]:
        """Return the same of a word that is _PLAIN."""
        word = word.lower()
        term = self._term(word)
        parts = frozenset(map(self._term, self.compounds.get(term, ())))
        return parts if word in self.stop_words else parts | {term}

    def possible_terms(self, piece: str) -> set[str]:
        """Return every term that what stands between two blanks may have, whatever compounds a catalog has."""
        if _PLAIN.fullmatch(piece):
            return {self._term(piece.lower())}
        tokens = self._tokens_in(folded(piece))
        words = [word for token in tokens for word in token.words]
        runs = [
            "".join(words[at : at + parts])
            for parts in range(2, MOST_PARTS + 1)
            for at in range(len(words) + 1 - parts)
        ]
        quantities = {token.quantity for token in tokens}
        return {self._term(word) for word in (*words, *words_of(piece), *runs)}.union(quantities) - {""}

    def _terms_of_value(self, value: str) -> frozenset[str]:
        """Return the terms of a text word for word: no compounds, no quantities."""
        return frozenset(term for _, term in self.plain_terms(value))

    def _terms_of_pieces(self, value: str) -> frozenset[str]:
        """Return the terms of a text's pieces between blanks, each by itself, as they are highlighted."""
        return frozenset().union(
            *map(self._terms_of_plain if _PLAIN.fullmatch(value) else self.terms_of_word, value.split())
        )

    def plain_terms(self, text: str) -> list[tuple[str, str]]:
        """Return (word, term) of each word of a text that is no stop word, in order, repeats kept."""
        return [pair for piece in text.split() for pair in self._plain_pairs(piece)]

    def _plain_pairs_of(self, piece: str) -> tuple[tuple[str, str], ...]:
        """Return `plain_terms` of what stands between two blanks: no word reaches over one."""
        return tuple((word, self._term(word)) for word in words_of(piece) if word not in self.stop_words)

    def terms_of(self, text: str) -> list[str]:
        """Return the terms of a text, stop words left out, repeats kept, in order."""
        return [term for _, term in self._pairs_of(text)]

    def words_and_terms(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield (word, term) of a text in order, stop words left out; a compound comes after its parts."""
        return iter(self._pairs_of(text))

    def _pairs_of(self, text: str) -> list[tuple[str, str]]:
        tokens = self._tokens_in(folded(text))
        pairs: list[tuple[str, str]] = []
        for place, token in enumerate(tokens):
            if token.may_join:  # a compound may reach back
                before = tokens[max(place - MOST_PARTS + 1, 0) : place]
                pairs += self._joined(token, [word for one in before for word in one.words])
            else:
                pairs += token.pairs
        return pairs

    def _tokens_in(self, text: str) -> list[_Token]:
        """Return the tokens of a folded text, in order."""
        tokens: list[_Token] = []
        start = 0
        while digit := _DIGIT.search(text, start):
            first = max(text.rfind(" ", start, digit.start()) + 1, start)
            tokens += chain.from_iterable(map(self._piece, text[start:first].split()))
            start = _NUMBERED.match(text, first).end()  # type: ignore[union-attr]
            tokens += self._read_tokens(text[first:start])
        tokens += chain.from_iterable(map(self._piece, text[start:].split()))
        return tokens

    def _read_tokens(self, text: str) -> tuple[_Token, ...]:
        return tuple(self._token(found[0], found.lastgroup is not None) for found in _TOKEN.finditer(text))

    def _token_of(self, text: str, is_quantity: bool) -> _Token:
        """Return what a match of _TOKEN is; a catalog has the same ones again and again."""
        words, quantity = _read_token(text, is_quantity)
        kept = [(word, self._term(word)) for word in words if word and word not in self.stop_words]
        may_join = any(self._term(word) in self._ends for word in words)
        return _Token(words, tuple([*kept, (quantity, quantity)] if quantity else kept), quantity, may_join)

    def _joined(self, token: _Token, run: list[str]) -> list[tuple[str, str]]:
        """Return (word, term) of a token that may end a compound, and add its words to the run."""
        pairs: list[tuple[str, str]] = []
        for word in token.words:
            run.append(word)
            term = self._term(word)
            if word and word not in self.stop_words:
                pairs.append((word, term))
            if term in self._ends:
                pairs += self._compounds_at(run, term)
        if token.quantity:
            pairs.append((token.quantity, token.quantity))
        return pairs

    def _compounds_at(self, run: list[str], end: str) -> list[tuple[str, str]]:
        """Return the parts of the run's last word, if it is a compound, and the compounds that end with it."""
        found = [(part, self._term(part)) for part in self.compounds.get(end, ())]
        joined = run[-1]
        for word in run[-2 : -MOST_PARTS - 1 : -1]:
            joined = word + joined
            if joined[:BEGINNING] in self._begins and (term := self._joined_term(joined)) in self.compounds:
                found.append((joined, term))
        return found


def _read_token(text: str, is_quantity: bool) -> tuple[tuple[str, ...], str]:
    """Return (words, "") of a word or hyphenated word that _TOKEN found, ((number,), quantity) of a quantity."""
    if is_quantity:
        found = _WHOLE_QUANTITY.fullmatch(text)
        assert found is not None  # noqa: S101 - the same pattern found it
        unit = _UNIT_OF[found["unit"] or found["word"]]
        return tuple(_WORD.findall(found["number"])), f"{plain_number(found['number'])}{unit}"
    return tuple(_POSSESSIVE.sub("", word) for word in _WORD.findall(text)), ""


def compounds_of(texts: Iterable[str], language: str) -> dict[str, tuple[str, ...]]:
    """Return what these texts write both together and apart: stem of the word written together -> its parts.

    That is every hyphenated word (t-shirt, wd-40), and every word of which the texts also hold the two halves side by
    side (keychain, key chain), unless it is a form of the first half: lights are no light of size S.
    """
    analyzer = Analyzer(language)
    texts = [folded(text) for text in texts]
    hyphenated: dict[str, tuple[str, ...]] = {}
    words: set[str] = set()
    for text in texts:
        for found in _HYPHENATED.finditer(text):
            parts = tuple(_POSSESSIVE.sub("", word) for word in _WORD.findall(found[0]))
            if len(parts) <= MOST_PARTS and any(map(str.isalpha, "".join(parts))):
                hyphenated.setdefault(analyzer.term_of("".join(parts)), parts)
        words.update(_plain_words(text))
    single = {word for word in words if len(word) >= LEAST_JOINED and word.isalpha()}
    if len(hyphenated) > MOST_HYPHENATED:  # most are article numbers then, which `search.codes` finds in any writing
        hyphenated = {joined: parts for joined, parts in hyphenated.items() if not _is_long_number(parts)}
    apart: dict[str, tuple[str, ...]] = {}
    seen: set[tuple[str, str]] = set()
    for text in texts:
        for pair in pairwise(_plain_words(text)):
            joined = "".join(pair)
            if joined not in single or pair in seen or analyzer.stop_words.intersection(pair):
                continue
            seen.add(pair)
            if analyzer.term_of(joined) != analyzer.term_of(pair[0]):
                apart[joined] = pair
    return {**{analyzer.term_of(joined): parts for joined, parts in sorted(apart.items())}, **hyphenated}


def _is_long_number(parts: tuple[str, ...]) -> bool:
    return sum(map(str.isdigit, "".join(parts))) >= IDENTIFYING_DIGITS
