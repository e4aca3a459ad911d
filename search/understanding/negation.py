"""What a query does not want: without, no, not, avoid, doesn't have, anything but, neither, -word.

Fixed words are left alone: "non-stick", "no-iron" and "sugar-free" are wishes for something, and "wireless" is a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERBS = (
    r"(?:have|has|having|contain(?:s|ing)?|include[sd]?|including|use[sd]?|using|come(?:s)? with|need[s]?|require[s]?|"
    r"involve[s]?|feature[s]?|got|carry|carries|smell(?:s)?(?: (?:like|of))?|taste(?:s)?(?: (?:like|of))?|"
    r"look(?:s)? like|want|like|wear|eat|do|use|stand|tolerate|handle|take|show me|be made (?:of|from|with))"
)
_NOT = (
    r"(?:(?:do|does|did|ca|wo|would|should|must)(?:es)?n['’]?t|do not|does not|did not|cannot|can not|will not|never)"
)
_STRICT = r"no|non|not|never|-"  # after these the next word is what is not wanted; after the others a phrase may be
_MARK = re.compile(
    r"(?<![\w-])(?P<mark>"
    r"without(?: having)?|w/o|sans|minus|excluding|exclude|lacking|(?:that|which|it) lacks?|omitting|"
    r"except(?:ing)?(?: for)?|apart from|aside from|besides|other than|rather than|instead of|as opposed to|"
    r"(?:any|every|whatever|all)(?:thing|one)?(?: (?!from\b|in\b)\w+)? (?:but|except|besides)(?: not)?|"
    r"(?:(?:stay|keep|steer|staying|keeping|steering) (?:away|clear) (?:from|of)|away from)|"
    rf"(?:i |we |he |she |they |that |which |it |and |but |who )*{_NOT}(?: really| even| actually)? {_VERBS}|"
    r"(?:i |we |he |she |they |and |but )*(?:hates?|dislikes?|avoids?|avoiding|skip(?:s|ping)?|leav(?:e|es|"
    r"ing) out|omits?|excludes?|"
    r"leave off|hold the|ditch the|lose the|drop the|nix)|"
    r"(?:that |which |and |but )*(?:has|have|having|with|contain(?:s|ing)?|includ(?:es|ing)|got|uses?|using|needs?|"
    r"requires?|comes? with|made with|featuring) (?:no|zero)|"
    r"(?:that |which |they |it |and |but )*(?:isn['’]?t|is not|aren['’]?t|are not|wasn['’]?t|weren['’]?t|not|"
    r"must not be|"
    r"shouldn['’]?t be|can['’]?t be|cannot be|not be)"
    r"(?: (?:[a-z]+ed|made|woven|sewn|built|knit))?"
    r" (?:made |colou?red )?(?:of|from|with|in|by)|"
    r"(?:that |which |they |it |and |but )*(?:isn['’]?t|is not|aren['’]?t|are not|wasn['’]?t|weren['’]?t|must not be|"
    r"can['’]?t be|cannot be|shouldn['’]?t be)(?! (?:made|in)\b)|"
    r"(?:i(?:['’]?m| am) |he(?:['’]?s| is) |she(?:['’]?s| is) |who(?:['’]?s| is) |is |are )?"
    r"(?:allergic to|intolerant (?:of|to)|sensitive to)|"
    r"free (?:of|from)|"
    r"(?:and |but |must |should |to )*not (?:use|have|contain|include|need|require)(?: any| an?)?|"
    r"(?:but |and )?none (?:from|of|by|in|with|made (?:of|from|with))|"
    r"neither|nor|nothing(?: (?:in|with|made (?:of|from|with)|containing|that(?:['’]s| is| has| contains| uses|"
    r" smells of))"
    r"|(?= [a-z]))|"
    r"(?:and |but )?(?<!do )(?<!does )(?<!me )not(?: (?:in|with|on|by|from))?|(?<!\w)no|non|-)"
    r"(?P<gap>[\s:]+|(?<=-))(?=[\w\"'])|(?<![\w-])(?P<prefix>non)-(?=\w)",
    re.IGNORECASE,
)
_SKIPPED = re.compile(
    r"(?:(?:any|the|an?|that|which|is|are|has|have|it|its|anything|something|stuff|things?|ones?|kinds?|sorts?|types?|"
    r"made|of|in|with|from|containing|all|too much|much|also|either|colou?red|colou?r|about|those|these|your|my|"
    r"to be|for|by|certain|visible|whatever|whichever)\s+)++",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_EXCLUDED = re.compile(
    r"(?:^|(?<=[\s,.;!?]))(?P<words>[^\W\d_]+)\s+(?:(?:is|are)\s+)?(?:excluded|ruled out|out of the question|"
    r"not wanted|unwanted|"
    r"(?:is|are) (?:not (?:allowed|acceptable|welcome|an option)|a no-?go|a deal ?-?breaker))\b|"
    r"\b(?:(?:leave|leaving|filter) (?:out )?(?:the |any |all )?|keep (?:the |any |"
    r"all ))(?P<these>[^\W\d_]+)(?: ones?)? out\b",
    re.IGNORECASE,
)
# After "no" or "not" these begin something else than what is not wanted.
_NO_OBJECT = frozenset(
    """
    enough included necessary available sold sure idea only just really quite very that so exactly always
    a all also always an any as at be cheap even ever exactly expensive fancy for from going good idea in is
    it just kidding less longer matter me mine more much my need needed of on one only or other our over
    problem really required so such sure than that the they this to too until us very what when where which
    who why will with yet you your better too up frills nonsense brainer reason time way limit limits doubt
    thanks please worries tomorrow today name where rush hurry luck thank preference clue fear mind care
    want have know think see find believe understand like get let work sleep stop wait deal big bigger smaller
    larger wider longer taller heavier crazy bad bothered picky fussy important pay cost spend exceed go worry
    those these them fail exception question further hesitation warning delay fuss interested
    looking happy after here there everything everyone nothing anything someone something
""".split()
)
# Together with "no" or "non" these name a property that products have.
_FIXED = frozenset(
    """
    stick slip skid toxic alcoholic dairy fiction woven iron show tie pull drill sew bake rinse spill touch
    mess fuss crease wire knead cook code fly tear tears scratch abrasive acidic comedogenic greasy gmo shrink
    fade roll pill odor odour wrinkle crush kink spray drip smudge glare tangle nail nails screw tool sweat
    chafe itch heat lye stain staining reflective slick magnetic contact invasive prescription perishable
    electric stretch chip leak bounce hands smoking parking trespassing soliciting scratching marking bend
    absorbent clumping slipping rust peel pinch poke dig bark bite churn freeze burn hassle
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
    and or but for with in under over below above that which please size from at to on by , ; . nor though since
    because as if when while cause cuz is are i we it they my our so just only thanks thank anymore either between
    around about rated he she you ideally preferably where who whose were was do does has have can could should
    inside because up because anywhere
""".split()
)
_ADJECTIVAL = re.compile(r"(?:is|are|was|be)(?:n['’]?t| not|)$|\bnot$", re.IGNORECASE)


_DOING = re.compile(
    r"[a-z]+ing (?:my|your|his|her|our|the|an?|up|out|down|it|them|anything|everything|over)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Unwanted:
    """Words that are not wanted.

    Attributes:
        words: as typed, each with its start and end; at most three.
        start, end: of the marker and the words in the text.
        is_loose: whether up to three words may be meant ("without a hood"); after "no" it is the next one.
        is_whole: whether the words run up to the end of their clause.
        is_value: whether they must name a value of the catalog to count: "nothing striped", but "nothing beats it".
    """

    words: tuple[tuple[str, int, int], ...]
    start: int
    end: int
    is_loose: bool
    is_whole: bool
    is_value: bool = False


def unwanted_in(text: str) -> list[Unwanted]:
    """Return what a text does not want, each with the words after its marker, before any is looked up."""
    found = []
    end = 0
    for match in _MARK.finditer(text):
        if match.start() < end:
            continue
        mark = (match["mark"] or match["prefix"]).casefold()
        if _is_told(mark, text[: match.start()]):
            continue
        at = match.end()
        is_strict = bool(re.fullmatch(rf"(?:and |but )?(?:{_STRICT})", mark))
        skipped = None if mark in ("-", "non") else _SKIPPED.match(text, at)
        if skipped and not (is_strict and mark.endswith(("no", "not")) and _is_object_free(text, at)):
            at = skipped.end()
        words = [(word[0], word.start(), word.end()) for word in _WORD.finditer(text, at)]
        if not words or not _has_object(mark, words[0][0].casefold(), text, match) or _DOING.match(text, words[0][1]):
            continue
        run, is_whole = _run(text, words, at)
        if run:
            # "backpack, no zipper pocket": what is sought was said before, so all that follows is not wanted.
            said_before = bool(re.search(r"\w", text[: match.start()].replace("\0", " ")))
            is_loose = not is_strict or (mark == "no" and said_before and is_whole)
            found.append(Unwanted(tuple(run), match.start(), run[-1][2], is_loose, is_whole, mark == "nothing"))
            end = run[0][2]
    return found + [
        one for one in _excluded(text) if not any(one.start < other.end and other.start < one.end for other in found)
    ]


def _excluded(text: str) -> list[Unwanted]:
    """Return what is said to be unwanted after it is named: "black excluded", "leave the red ones out"."""
    found = []
    for match in _EXCLUDED.finditer(text):
        named = match.span("words" if match["words"] else "these")
        words = tuple((word[0], word.start(), word.end()) for word in _WORD.finditer(text, *named))
        if words:
            found.append(Unwanted(words, match.start(), match.end(), True, True))
    return found


def _is_told(mark: str, before: str) -> bool:
    """Return whether the clause tells how things are: "can't sleep without it", "we have had no power"."""
    clause = re.split(r"[.,;!?\0]", before)[-1]
    if mark.startswith("without") and re.search(r"n['’]t\b|\b(?:not|never|cannot|can[’']?t)\b", clause, re.IGNORECASE):
        return True
    if re.match(r"(?:and|but) have\b", mark):  # "moving out and have no pots"
        return True
    if re.match(r"(?:has|have|got)\b", mark) and re.search(
        r"\b(?:who|he|she|i|we|they|people|someone)\s*$", clause, re.IGNORECASE
    ):
        return True
    return mark == "no" and bool(
        re.search(r"\b(?:had|there(?:['’]?s| is| are| was)|is|was|are)\s*$", clause, re.IGNORECASE)
    )


def _run(text: str, words: list[tuple[str, int, int]], at: int) -> tuple[list[tuple[str, int, int]], bool]:
    """Return up to three words of one clause, and whether the clause ends with them."""
    run: list[tuple[str, int, int]] = []
    for place, (word, start, stop) in enumerate(words):
        between = text[words[place - 1][2] if place else at : start]
        if place and (word.casefold() in _END or between.strip(" \"'")):
            return run, True
        if len(run) == 3:
            return run, False
        run.append((word, start, stop))
    return run, True


def wanted_words(unwanted: Unwanted) -> int:
    """Return how many of the words are meant when none names a value of the catalog."""
    words = [word.casefold() for word, _, _ in unwanted.words]
    if words[0] in _QUALIFIERS and len(words) > 1:
        return 2
    return min(len(words), 2) if unwanted.is_loose and unwanted.is_whole and len(words) <= 2 else 1


def _is_object_free(text: str, at: int) -> bool:
    """Return whether a bare "no" or "not" begins something else: "not the biggest", "no more"."""
    word = _WORD.match(text, at)
    return word is not None and word[0].casefold() in _NO_OBJECT


def _has_object(mark: str, word: str, text: str, match: re.Match[str]) -> bool:
    last = mark.split()[-1]
    if mark == "-":
        return match.start() == 0 or text[match.start() - 1].isspace()
    if word[0].isdigit():
        return False
    if last in ("no", "non", "not", "nothing", "nor", "never", "neither") or _ADJECTIVAL.search(mark):
        if word.split("-")[0] in _FIXED or word in _NO_OBJECT:
            return False
        return "." not in text[match.end("mark") if match["mark"] else match.end() : match.end()]
    return word not in _NO_OBJECT
