"""What a query does not want: without, no, not, non, except, -word. Fixed words are left alone.

"Non-stick", "no-iron" and "sugar-free" are wishes for something, not against it, and "wireless" is a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(
    r"(?<![\w-])(?P<mark>without(?: any| the| an?)?|w/o(?: any| an?)?|sans|minus(?: the)?|excluding(?: the)?|"
    r"except(?: for)?(?: the)?|anything but|everything but|other than|but not(?: in| with| an?| the)?|"
    r"(?:that )?(?:isn'?t|is not|aren'?t|are not)(?: made (?:of|from|with)| in)?(?: an?)?|"
    r"(?:i(?:'?m| am) )?allergic to|"
    r"(?:i )?(?:do not|don'?t) want(?: any| it in| an?| the)?|free (?:of|from)|"
    r"(?:and |but )?not (?:in|with|made (?:of|from|with))(?: any| an?)?|"
    r"(?<!do )(?<!does )(?<!me )not|no|non|nothing (?:in|with)|-)"
    r"(?P<gap>\s+|(?<=-))(?=\w)|(?<![\w-])(?P<prefix>non)-(?=\w)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# After "no" or "not" these begin something else than what is not wanted.
_NO_OBJECT = frozenset(
    """
    enough included necessary available sold
    a all also always an any as at be cheap even ever exactly expensive fancy for from going good idea in is
    it just kidding less longer matter me mine more much my need needed of on one only or other our over
    problem really required so such sure than that the they this to too until us very what when where which
    who why will with yet you your better too up frills nonsense brainer reason time way limit limits doubt
    thanks please worries tomorrow today name where
""".split()
)
# Together with "no" or "non" these name a property that products have.
_FIXED = frozenset(
    """
    stick slip skid toxic alcoholic dairy fiction woven iron show tie pull drill sew bake rinse spill touch
    mess fuss crease wire knead cook code fly tear tears scratch abrasive acidic comedogenic greasy gmo shrink
    fade roll pill odor odour wrinkle crush kink spray drip smudge glare tangle nail nails screw tool sweat
    chafe itch heat lye stain staining reflective slick magnetic contact invasive prescription perishable
    electric stretch chip leak bounce hands smoking parking trespassing soliciting
""".split()
)
_QUALIFIERS = frozenset(
    """
    added artificial extra visible exposed real genuine synthetic animal fake faux high low long short heavy
    strong bright loud big large small thick metal plastic
""".split()
)
_END = frozenset(
    """
    and or but for with in under over below above that which please size from at to on by , ; .
""".split()
)


@dataclass(frozen=True)
class Unwanted:
    """Words that are not wanted.

    Attributes:
        words: as typed; with "or", "and" or commas between them several in one go.
        start, end: of the marker and the words in the text.
        is_loose: whether up to three words may be meant ("without a hood"); after "no" it is the next one.
    """

    words: tuple[tuple[str, int, int], ...]
    start: int
    end: int
    is_loose: bool


def unwanted_in(text: str) -> list[Unwanted]:
    """Return what a text does not want, each with the words after its marker, before any is looked up."""
    found = []
    end = 0
    for match in _MARK.finditer(text):
        if match.start() < end:
            continue
        words = [(word[0], word.start(), word.end()) for word in _WORD.finditer(text, match.end())]
        mark = (match["mark"] or match["prefix"]).casefold()
        if not words or not _has_object(mark, words[0][0].casefold(), text, match):
            continue
        is_loose = mark not in ("no", "non", "not", "-")
        run = []
        for place, (word, start, stop) in enumerate(words):
            between = text[words[place - 1][2] if place else match.end() : start]
            if place and (word.casefold() in _END or between.strip()):
                break
            run.append((word, start, stop))
            if len(run) == 3:
                break
        if run:
            found.append(Unwanted(tuple(run), match.start(), run[-1][2], is_loose))
            end = run[0][2]
    return found


def wanted_words(unwanted: Unwanted) -> int:
    """Return how many of the words are meant when none names a value of the catalog."""
    words = [word.casefold() for word, _, _ in unwanted.words]
    if words[0] in _QUALIFIERS and len(words) > 1:
        return 2
    return min(len(words), 2) if unwanted.is_loose and len(words) <= 2 else 1


def _has_object(mark: str, word: str, text: str, match: re.Match[str]) -> bool:
    if mark in ("no", "non", "not"):
        if word[0].isdigit() or word.split("-")[0] in _FIXED or (word in _NO_OBJECT):
            return False
        return text[match.end("mark") if match["mark"] else match.end() : match.end()] != "."
    if mark == "-":
        return match.start() == 0 or text[match.start() - 1].isspace()
    return not (mark.startswith("minus") and word[0].isdigit())
