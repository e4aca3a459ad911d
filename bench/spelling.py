"""What one slip of the finger costs: nDCG@10 of judged queries as they are, and with one edit in one long word.

Usage: python bench/spelling.py --queries FILE --judgments FILE [--index FOLDER] [--draws 3] [--as-they-are]

Every query with a word of five letters or more gets one random edit (insert, delete, replace, swap neighbours) in one
such word, `--draws` times with a fixed seed. Prints the mean of the clean queries, of the misspelt ones with and
without correction, and how many were corrected silently, offered, or left alone.

With --as-they-are nothing is misspelt: prints what correction changes in the queries that it corrects, as people typed
them, and over all queries.
"""

from __future__ import annotations

import random
import re
import string
import sys
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indexer.evaluation.judgments import Judgments, Queries, read_judgments, read_queries
from indexer.evaluation.measures import bootstrap_intervals, ndcg, relevant_from_of
from search.engine import Engine
from search.request import SearchRequest

LONG = re.compile(r"[a-z]{5,}", re.IGNORECASE)


def misspelt(text: str, rng: random.Random) -> str:
    """Return the text with one edit in one of its long words."""
    word = rng.choice(list(LONG.finditer(text)))
    letters, place = list(word[0]), rng.randrange(len(word[0]))
    kind = rng.choice(("insert", "delete", "replace", "swap"))
    letter = rng.choice(string.ascii_lowercase)
    if kind == "insert":
        letters.insert(place, letter)
    elif kind == "delete":
        del letters[place]
    elif kind == "replace":
        letters[place] = letter
    else:
        place = min(place, len(letters) - 2)
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return text[: word.start()] + "".join(letters) + text[word.end() :]


def corrected(engine: Engine, texts: Queries, grades: Judgments) -> None:
    """Print what correction changes, with its 95 % paired bootstrap interval."""
    least = relevant_from_of(grades)
    asked = [one for one in grades if max(grades[one].values(), default=0) >= least]
    read = {one: engine.understood(SearchRequest(q=texts[one], interpret=False)) for one in asked}
    fired = [one for one in asked if read[one].corrected]
    found = {}
    for name, correct in (("as typed", False), ("corrected", True)):
        engine.encoder.vectors([read[one].search_text if correct else texts[one] for one in fired] or [""])
        answers = [
            engine.search(texts[one], interpret=False, correct=correct, per_page=10, facets=()).hits for one in fired
        ]
        found[name] = np.array(
            [ndcg([hit.id for hit in hits], grades[one]) for hits, one in zip(answers, fired, strict=True)]
        )
    change = found["corrected"] - found["as typed"]
    interval = bootstrap_intervals({"change": change})["change"]
    print(f"{len(asked)} queries, {len(fired)} corrected silently; of these, nDCG@10 of what the page shows:")
    print(
        f"{found['as typed'].mean():.3f} as typed, {found['corrected'].mean():.3f} corrected, {change.mean():+.3f} "
        f"({interval.low:+.3f} to {interval.high:+.3f}); {(change > 0).sum()} gained, {(change < 0).sum()} lost; "
        f"over all queries {change.sum() / len(asked):+.4f}"
    )


@click.command()
@click.option("--queries", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--judgments", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
@click.option("--draws", default=3, show_default=True)
@click.option("--as-they-are", is_flag=True, help="Correct the queries themselves instead of misspelling them.")
def main(queries: Path, judgments: Path, index: Path | None, draws: int, as_they_are: bool) -> None:
    """Print the cost of misspellings."""
    engine = Engine.open(index)
    texts, grades = read_queries(queries), read_judgments(judgments)
    if as_they_are:
        corrected(engine, texts, grades)
        return
    least = relevant_from_of(grades)
    asked = [one for one in grades if LONG.search(texts[one]) and max(grades[one].values(), default=0) >= least]
    rng = random.Random(20_261_124)
    changed = {one: [misspelt(SearchRequest(q=texts[one]).q, rng) for _ in range(draws)] for one in asked}
    every = [texts[one] for one in asked] + [text for given in changed.values() for text in given]
    read = [engine.understood(SearchRequest(q=text)) for text in every]
    engine.encoder.vectors([one.search_text or one.text for one in read] + every)

    def scores(given: str, query_id: str, interpret: bool) -> float:
        return ndcg(engine.rank(given, depth=10, interpret=interpret)[0], grades[query_id])

    clean = np.array([scores(texts[one], one, True) for one in asked])
    for name, interpret in (("corrected", True), ("as typed", False)):
        found = np.array([np.mean([scores(text, one, interpret) for text in changed[one]]) for one in asked])
        print(f"{name:<10} {found.mean():.3f}, {found.mean() / clean.mean():.1%} of the clean {clean.mean():.3f}")
    made = read[len(asked) :]
    silently, offered = (
        sum(one.corrected is not None for one in made),
        sum(one.did_you_mean is not None for one in made),
    )
    print(f"{len(asked)} queries, {len(made)} misspellings: {silently} corrected silently, {offered} offered")


if __name__ == "__main__":
    main()
