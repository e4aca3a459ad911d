"""What a catalog is asked when settings are compared: people's judged queries, or pseudo-queries of its products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from indexer.evaluation.judgments import Judgments
from indexer.training.chance import chance
from indexer.training.evidence import Phrases, WordCounts, description_phrases, pseudo_evidence, turned_title_pair
from indexer.training.settings import TrainingSettings
from search.analysis import Analyzer
from search.errors import EvaluationError
from search.product import Product

MOST = 1000  # queries, drawn at random from more
LEAST = 50  # pseudo-queries; with fewer no difference could be told
SEED = 20_261_125


@dataclass(frozen=True)
class Questions:
    """Queries and what answers them.

    Attributes:
        kind: what they are, for people.
        is_judged: whether people judged what answers them.
        texts: query id -> text.
        judgments: query id -> product id -> grade.
    """

    kind: str
    is_judged: bool
    texts: Mapping[str, str]
    judgments: Judgments


def judged_questions(products: Sequence[Product], queries: Mapping[str, str], judgments: Judgments) -> Questions:
    """Return the judged queries that a product of the catalog answers, at most MOST.

    Raises:
        EvaluationError: there is none.
    """
    known = {product.id for product in products}
    answered = [
        query_id
        for query_id in queries
        if any(grade > 0 and product_id in known for product_id, grade in judgments.get(query_id, {}).items())
    ]
    if not answered:
        raise EvaluationError("no judged query has a relevant product in this release; are they of another catalog?")
    drawn = _drawn(answered)
    kind = f"{len(drawn)} judged queries" + (f" drawn from {len(answered)}" if len(drawn) < len(answered) else "")
    texts = {query_id: queries[query_id] for query_id in drawn}
    present = {query: {p: grade for p, grade in judgments[query].items() if p in known} for query in drawn}
    return Questions(kind, True, texts, present)


def pseudo_questions(products: Sequence[Product], analyzer: Analyzer) -> Questions:
    """Return pseudo-queries of the kind that the training gate asks, one a product, of products drawn at random.

    None is held out of anything: what is compared is one encoder with itself, and neither a rotation nor a quantiser
    is made from queries.

    Raises:
        EvaluationError: the texts give fewer than LEAST.
    """
    counts = WordCounts(products, analyzer)
    rows = chance(SEED, "asked").sample(range(len(products)), len(products))
    kinds: tuple[Phrases, ...] = (description_phrases, turned_title_pair)
    for phrases in kinds:
        telling = list(islice((row for row in rows if phrases(products[row], counts)), 2 * MOST))
        others = sorted(set(range(len(products))) - set(telling))
        found = pseudo_evidence(products, telling, others, frozenset(), counts, phrases, TrainingSettings())
        first = {unit: place for place, unit in reversed(list(enumerate(found.units)))}
        places = [first[unit] for unit in sorted(first)][:MOST]
        if len(places) >= LEAST:
            names = [f"p{place}" for place in places]
            return Questions(
                f"{len(places)} pseudo-queries: {found.kind} of random products",
                False,
                {name: found.queries[place] for name, place in zip(names, places, strict=True)},
                {name: dict(found.grades[place]) for name, place in zip(names, places, strict=True)},
            )
    raise EvaluationError(
        f"the catalog's texts give fewer than {LEAST} test queries; give judged ones with --queries and --judgments"
    )


def _drawn(query_ids: list[str]) -> list[str]:
    if len(query_ids) <= MOST:
        return query_ids
    chosen = set(chance(SEED, "queries").sample(query_ids, MOST))
    return [query_id for query_id in query_ids if query_id in chosen]
