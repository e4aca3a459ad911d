"""What a query does not want, as filters: values of the catalog where it names some, else words."""

from __future__ import annotations

import re

from search.lexical import LexicalIndex
from search.understanding.constraints import Constraint, Found
from search.understanding.negation import Unwanted, unwanted_in, wanted_words
from search.understanding.spoken import form_of, longest
from search.understanding.values import JOINERS, ValueReader, following_words

_OR_ANOTHER = re.compile(
    r"(?:\s*,)?\s+(?:or|nor|and no|or no)\s+(?:any |an? |the )?(?P<words>[^\W\d_]+(?: [^\W\d_]+)?)(?=\s*(?:$|[.,;!?\0]|"
    r"(?:please|for|under|that|since|because)\b))",
    re.IGNORECASE,
)


class RefusalReader:
    """Finds what queries do not want.

    Args:
        lexical: of the release.
        values: reads the catalog's values.
    """

    def __init__(self, lexical: LexicalIndex, values: ValueReader):
        self.lexical, self.values, self.spoken = lexical, values, values.spoken

    def refusals_in(self, text: str) -> tuple[list[Found], list[str]]:
        """Return the filters, and what things without it are called, to be looked up instead."""
        refused: list[Found] = []
        wanted_instead: list[str] = []
        for unwanted in unwanted_in(text):
            if "\0" not in text[unwanted.start : unwanted.words[0][2]]:
                for one in self._negated(unwanted, text, wanted_instead):
                    refused.append(one)
                    text = one.blanked(text)
        return refused, wanted_instead

    def _negated(self, unwanted: Unwanted, text: str, wanted_instead: list[str]) -> list[Found]:
        """Return the filters of one "without": values of the catalog where it names some, else words."""
        whole = self.values.words_in(text, unwanted.start)
        named = longest([word.term for word in whole], self.spoken.after_not, 0)
        if named > 2 and whole[0].start == unwanted.start:  # "no added sugar" is a value itself
            return []
        words = self.values.words_in(text, unwanted.words[0][1])
        keys = [word.term for word in words]
        asked = [word.term for word in self.values.words_in(text, 0)]
        place, found = 0, []
        start = unwanted.start
        while (length := longest(keys, self.spoken.after_not, place)) > 0:
            key = tuple(keys[place : place + length])
            field, value = self.values.best_rival(key, asked, self.spoken.after_not[key])
            end = words[place + length - 1].end
            is_word = length == 1 and not keys[place][0].isdigit()
            if is_word and not self.values.can_be_said(
                field, value, following_words(words, place + 1, text), words[place].term
            ):
                break
            found.append(Found((Constraint(field, "!=", value, text[start:end].strip(), True),), start, end))
            place += length
            if place >= len(words) or not JOINERS.match(text[end : words[place].start]):
                break
            start = end
        if found:
            return [*found, *self._also_unwanted(text, found[-1].end, wanted_instead)]
        if unwanted.is_value:
            return []
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
        words = self.values.words_in(text, other.start("words"))
        if length := longest([word.term for word in words], self.spoken.after_not, 0):
            field, value = self.spoken.after_not[tuple(word.term for word in words[:length])]
            end = words[length - 1].end
            return [
                Found((Constraint(field, "!=", value, text[other.start() : end].strip(), True),), other.start(), end)
            ]
        wanted_instead += self._opposites(other["words"])
        unwanted_too = Constraint("words", "!=", other["words"].casefold(), other[0].strip(), True)
        return [Found((unwanted_too,), other.start(), other.end())]

    def _opposites(self, words: str) -> list[str]:
        """Return what things without it are called: sleeves -> sleeveless where the catalog says so, else sugar-free.

        An encoder that reads "without sugar" finds sugar; of "sugar-free" it knows the meaning.
        """
        singular = re.sub(r"ie$", "y", form_of(words))
        is_past = singular.endswith("ed")
        without = f"un{singular}" if is_past else f"{singular}less"  # unscented, sleeveless
        if self.lexical.analyzer.term_of(without) in self.lexical.vocabulary:
            return [without]
        return [] if is_past else [f"{singular}-free"]
