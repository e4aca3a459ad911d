"""Comparing words around a number: which way they point, a negation before them turned round.

"Under $50", "not more than 50 dollars", "I don't want to pay over 50", "50 bucks tops" all say at most. What may stand
between a negation, the comparing words and the number are only words that say nothing themselves, so that "no leather
boots over $50" is a wish for dear boots.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NEGATION = (
    r"(?:no|not|never|nothing|none|without|cannot|nor|(?:ca|wo|do|does|did|is|are|was|should|would|must|need|could)"
    r"n['’]?t|avoid(?:ing)?|nowhere|skip|ignore|hide|exclude|leave out)"
)
_SAYS_NOTHING = (
    r"(?:wan(?:t|na)|wish|to|go(?:es|ing)?|pay(?:ing)?|spend(?:ing)?|costs?|costing|be|being|priced?|prices|"
    r"any(?:thing)?|ones?|is|are|it(?:['’]?s)?|they(?:['’]?re)?|that(?:['’]s)?|which|willing|able|like|prefer|much|way|"
    r"too|the|an?|sets?|setting|me|us|back|runs?|running|for|should|will|would|have|has|having|let|by|all|far|ever|gets?|"
    r"i|i'?m|we|you|comes?|coming|in|at|bother|show|recommend|suggest|send|give|include|list|offer|really|afford|break|"
    r"tags?|even|single|cent|penny|dime|dollar|items?|products?|things?|options?|with|of|them|these|those|whatever|"
    r"everything|drops?|dropping|falls?|dips?|stars?|charge[sd]?|retail(?:s|ing)?|sell(?:s|ing)?|sold|my|our|budget|"
    r"stretch|rated|ratings?|reviews?|scores?)"
)
LESS = (
    r"(?:under(?:neath)?|below|beneath|(?:less|lesser|lower|cheaper|fewer) than|(?:less|lower)(?=\s*$)|"
    r"less expensive than|up ?to|at (?:the )?(?:very )?most|max(?:imum|imal|\.)?(?: (?:price|cost|spend))?(?: of| is)?|"
    r"within|inside|<=?|≤|sub|as (?:low|little|cheap|high|much) as|(?:just )?(?:south|short|shy) of|"
    r"capp?(?:ed)? at|limited to|"
    r"(?:price |spending )?(?:cap|ceiling|limit)(?: of| is| at)?|max(?:es|ing)? out at|top(?:s|ping)? out at|"
    r"not to exceed)"
)
MORE = (
    r"(?:over|above|(?:more|greater|higher|pricier|better) than|more expensive than|north of|beyond|past|"
    r"exceed(?:s|ing)?|surpass(?:es|ing)?|at (?:the )?(?:very )?least|>=?|≥|upwards? of|"
    r"min(?:imum|imal|\.)?(?: (?:price|spend|rating|score))?(?: of| is)?|start(?:s|ing)? (?:at|from)|from)"
)
NEAR = (
    r"(?:~|≈|around|about|roughly|approximately|approx\.?|near(?:ly)?|circa|close to|give or take|"
    r"in the (?:region|neighbou?rhood|ballpark|vicinity|area) of|in the ballpark|ballpark(?: of)?)"
)
_BETWEEN = r"(?:(?:of|a|an|the|price|say|maybe|perhaps|ideally|like|is|at|total|cost|tag|absolute|just|only)\b|[:,])"
_BEFORE = {
    op: re.compile(
        rf"(?:(?<![\w-])(?P<no>{refused})\s+(?:{_SAYS_NOTHING}\s+){{0,8}}?)?(?<![\w-])(?P<said>{words})"
        rf"(?:\s*{_BETWEEN})*[\s-]*$",
        re.IGNORECASE,
    )
    # "Mad at me if it's over $50": a condition on more turns it round, one on less does not.
    for op, words, refused in (("~", NEAR, NEGATION), ("<=", LESS, NEGATION), (">=", MORE, rf"(?:{NEGATION}|if)"))
}
# Of "min 20 max 40" the max is the next number's.
_ALONE = r"(?!\s*(?:of|is|:|price|spend|cost)?\s*(?:[$€£]|\d|\w+ (?:dollars|bucks)))"
_AFTER = {
    op: re.compile(rf"\s*,?\s*-?(?:{words}){_ALONE}", re.IGNORECASE)
    for op, words in (
        (
            "<=",
            r"(?:(?:or|and|&) (?:less|under|below|beneath|cheaper|lower|fewer)|max(?:imum)?|tops|"
            r"at (?:the )?(?:very |absolute )?(?:most|max(?:imum)?|outside)|"
            r"(?:and |but |or )?(?:no|not)(?: an?| one| a single)?(?: penny| cent| dime| dollar| buck)? "
            r"(?:more|over|above|higher))\b",
        ),
        (
            ">=",
            r"(?:(?:or|and|&) (?:more|up(?:wards?)?|over|above|higher|better|beyond|greater)|plus|min(?:imum)?|"
            r"at (?:the )?(?:very )?least|upwards)\b|\+(?!\w)",
        ),
        ("~", r"(?:(?:or|and) so|ish|or thereabouts|give or take|or around (?:that|there)|more or less)\b"),
    )
}
# "Anything over $100 is too much": what is said of the number turns it round.
_REFUSED = re.compile(
    r"\s*(?:(?:is|are|would be|would|feels?|seems?)\s+)?(?:(?:way |just |a bit |far )?too (?:much|expensive|"
    r"dear|rich|pricey|steep)|"
    r"overpriced|out of (?:my|our|the) (?:budget|range|reach|league)|(?:is |are )?out of the question)\b",
    re.IGNORECASE,
)
_TURNED = {"<=": ">=", ">=": "<=", "~": "~"}


@dataclass(frozen=True)
class Compared:
    """How a number is compared.

    Attributes:
        op: "<=", ">=", "~", or "" when nothing compares it.
        start, end: of the number and all words that compare it.
    """

    op: str
    start: int
    end: int


def compared(text: str, start: int, end: int, earlier: int = 0) -> Compared:
    """Return what the words around the number at start..end say of it; those after it weigh more.

    Args:
        earlier: end of the number before, whose words are not this one's.
    """
    op = ""
    before = text[earlier:start]
    for candidate, pattern in _BEFORE.items():
        match = pattern.search(before)
        if match:
            op = _TURNED[candidate] if match["no"] else candidate
            start = earlier + match.start()
            break
    for candidate, pattern in _AFTER.items():
        match = pattern.match(text, end)
        if match:
            return Compared(candidate, start, match.end())
    refused = _REFUSED.match(text, end) if op == ">=" else None
    return Compared("<=", start, refused.end()) if refused else Compared(op, start, end)
