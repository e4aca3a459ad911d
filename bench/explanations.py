"""Whether the words that an explanation calls heavy are those without which a product is less close to a query.

Usage: python bench/explanations.py [--pairs 200] [--data FOLDER] CATALOG=HOME ...

For example: python bench/explanations.py sample=instance crowdflower=/tmp/crowdflower

CATALOG is `sample` (the queries and judgments of catalog/) or a folder of FOLDER (default: ../shared/data) with
queries.csv and judgments.csv; HOME holds its built release. Draws pairs of a query and a product judged relevant, no
query more often than it takes to have enough, and takes each word out of the product's text, encoding it again without
(the truth). Then, for each way of weighing words in advance:

* wins: share of pairs in which the word said to matter most lowers the cosine more than another word drawn at random
  (the mean over all others, so no draw blurs it), with its 95 % bootstrap interval;
* most: share of pairs in which it is the very word that lowers it most; of best: what it lowers as a share of that;
* Spearman: rank correlation of weights and true falls within a pair, averaged over pairs.

The ways:

* left out: the fall of the cosine when the word's tokens leave the mean, as search/match.py has it;
* additive: the word's share of the cosine, which is a sum over tokens;
* integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365), 8 steps from padding: with --gradients;
* shared: whether the query holds the word, the rarest first: what highlighting says, no encoder asked.

Words are grouped and stop words left out as on the page. The query's words are measured alike; there the page itself
leaves each word out and encodes again, for which the check would be trivial.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search.arrays import unit_rows
from search.engine import Engine
from search.match import MatchedWord, TermSums, without_term, words_in
from search.passages import Texts
from search.request import SearchRequest
from search.tokens import Tokens

ROOT = Path(__file__).resolve().parents[1]
LEAST_TERMS = 3  # of a text in which a word can matter more than another
RELEVANT = 2 / 3  # of the highest grade
Numbers = NDArray[np.float64]


@dataclass
class Outcomes:
    """What came of one way of weighing, a number per pair each."""

    wins: list[float] = field(default_factory=list)
    most: list[bool] = field(default_factory=list)
    of_best: list[float] = field(default_factory=list)
    correlation: list[float] = field(default_factory=list)

    def add(self, weights: Numbers, falls: Numbers) -> None:
        """Note how the weights of a pair's words compare with the true falls."""
        from scipy.stats import rankdata

        top = int(np.argmax(weights))
        self.wins.append(float((falls[top] > np.delete(falls, top)).mean()))
        self.most.append(bool(falls[top] == falls.max()))
        self.of_best.append(float(np.clip(falls[top] / falls.max(), -1, 1)) if falls.max() > 0 else 0.0)
        if weights.std() > 0 and falls.std() > 0:
            self.correlation.append(float(np.corrcoef(rankdata(weights), rankdata(falls))[0, 1]))

    def line(self, name: str) -> str:
        """Return a row of a Markdown table."""
        wins = np.array(self.wins)
        rng = np.random.default_rng(20_261_126)
        drawn = [rng.choice(wins, len(wins)).mean() for _ in range(2_000)]
        low, high = np.quantile(drawn, (0.025, 0.975))
        return (
            f"| {name} | {wins.mean():.3f} ({low:.3f}-{high:.3f}) | {np.mean(self.most):.3f} | "
            f"{np.mean(self.of_best):.3f} | {np.mean(self.correlation):.3f} |"
        )


def pairs_of(engine: Engine, folder: Path, count: int) -> Iterator[tuple[str, int]]:
    """Yield up to `count` drawn (query text as read, row of a relevant product)."""
    with (folder / "queries.csv").open(newline="", encoding="utf-8") as file:
        query_of = {line["query_id"]: line["query"] for line in csv.DictReader(file)}
    with (folder / "judgments.csv").open(newline="", encoding="utf-8") as file:
        judged = [(line["query_id"], line["product_id"], float(line["grade"])) for line in csv.DictReader(file)]
    highest = max(grade for _, _, grade in judged)
    good = [(query, product) for query, product, grade in judged if grade >= RELEVANT * highest]
    drawn: Counter[str] = Counter()
    most = -(-count // len({query for query, _ in good})) + 1  # of one query: one more than an even share
    for place in np.random.default_rng(20_261_126).permutation(len(good)):
        query, product = good[place]
        if drawn[query] == most:
            continue
        text = engine.understood(SearchRequest(q=query_of[query])).search_text
        if text:
            drawn[query] += 1
            yield text, engine.release.products.row_of(product)
        if drawn.total() == count:
            return


def weights_of(words: Sequence[MatchedWord]) -> dict[str, float]:
    """Return term -> weight."""
    return {word.term: word.weight for word in words}


def gradients(engine: Engine, texts: Texts, query: Numbers, terms: Sequence[str], steps: int = 8) -> Numbers:
    """Return (len(terms),) integrated gradients of the cosine along the passage's word embeddings, from padding."""
    import torch

    encoder: Any = engine.encoder._encoder
    model, tokenizer = encoder.model[0].auto_model, encoder.model.tokenizer
    read = tokenizer(
        [texts.passage], truncation=True, max_length=encoder.max_tokens, return_offsets_mapping=True,
        return_tensors="pt",
    )  # fmt: skip
    whole = model.get_input_embeddings()(read["input_ids"]).detach()
    start = whole.clone()
    start[:, 1:-1] = model.get_input_embeddings()(torch.tensor([[tokenizer.pad_token_id]])).detach()
    kind = torch.tensor(unit_rows(engine.encoder.tokens(texts.kind).vectors.sum(axis=0)[None, :])[0])
    total = torch.zeros_like(whole)
    for step in range(steps):
        inputs = (start + (whole - start) * (step + 0.5) / steps).requires_grad_()
        tokens = model(inputs_embeds=inputs, attention_mask=read["attention_mask"]).last_hidden_state[0]
        passage = torch.nn.functional.normalize(tokens.mean(dim=0), dim=0)
        product = (1 - texts.kind_share) * passage + texts.kind_share * kind
        (torch.nn.functional.normalize(product, dim=0) @ torch.tensor(query, dtype=torch.float32)).backward()
        total += inputs.grad
    by_token = ((whole - start) * total / steps).sum(dim=-1)[0, :, None].numpy()
    tokens_of = Tokens(by_token, read["offset_mapping"][0].numpy())
    sums = TermSums.of(texts.passage, tokens_of, engine.release.lexical.analyzer)
    found = dict(zip(sums.terms, sums.sums[:, 0], strict=True))
    return np.array([found[term] for term in terms])


def passage_side(engine: Engine, text: str, row: int, with_gradients: bool) -> tuple[dict[str, Numbers], Numbers]:
    """Return the weights of each way and the true falls of the product's words; no words, no falls."""
    matcher, analyzer, encoder = engine.matcher, engine.release.lexical.analyzer, engine.encoder
    match, texts = matcher.match(row, text), matcher.texts(row)
    telling = [word for word in match.words if word.text.lower() not in analyzer.stop_words]
    left_out = weights_of(telling)
    terms = list(left_out)
    if len(terms) < LEAST_TERMS:
        return {}, np.zeros(0)
    query = unit_rows(encoder.tokens(text).vectors.sum(axis=0)[None, :])[0]
    passage, kind = (TermSums.of(one, encoder.tokens(one), analyzer) for one in (texts.passage, texts.kind))
    lengths = np.linalg.norm(passage.total), np.linalg.norm(kind.total)
    in_passage = dict(zip(passage.terms, passage.sums @ query / lengths[0], strict=True))
    in_kind = dict(zip(kind.terms, kind.sums @ query / lengths[1], strict=True))
    share = texts.kind_share
    asked, rarity = set(analyzer.terms_of(text)), Counter(word.term for word in words_in(texts.passage, analyzer))
    weights = {
        "left out": np.array(list(left_out.values())),
        "additive": np.array([(1 - share) * in_passage[term] + share * in_kind.get(term, 0.0) for term in terms]),
        "shared": np.array([(term in asked) / rarity[term] for term in terms]),
    }
    if with_gradients:
        weights["integrated gradients"] = gradients(engine, texts, query, terms)
    assert match.closeness is not None
    falls = match.closeness - matcher.closeness_without(texts, terms, query)
    return weights, np.asarray(falls, np.float64)


def query_side(engine: Engine, text: str, row: int) -> tuple[dict[str, Numbers], Numbers]:
    """Return the weights of each way and the true falls of the query's words; no words, no falls."""
    analyzer, encoder = engine.release.lexical.analyzer, engine.encoder
    words = [
        word for word in words_in(text, analyzer) if text[word.start : word.end].lower() not in analyzer.stop_words
    ]
    product = np.asarray(engine.release.dense.embeddings[row])
    asked = TermSums.of(text, encoder.tokens(text), analyzer)
    terms = [term for term in dict.fromkeys(word.term for word in words) if term in asked.terms]
    if len(terms) < LEAST_TERMS:
        return {}, np.zeros(0)
    left_out = unit_rows(asked.total[None, :])[0] @ product - asked.without(terms) @ product
    additive = dict(zip(asked.terms, asked.sums @ product, strict=True))
    vectors = encoder.passages([text, *(without_term(text, term, analyzer) for term in terms)])
    falls = (vectors[0] - vectors[1:]) @ product
    weights = {
        "left out": np.asarray(left_out, np.float64), "additive": np.array([additive[term] for term in terms]),
    }  # fmt: skip
    return weights, np.asarray(falls, np.float64)


def report(name: str, engine: Engine, pairs: Sequence[tuple[str, int]], with_gradients: bool) -> str:
    """Return Markdown tables of both sides for one catalog."""
    outcomes: dict[str, dict[str, Outcomes]] = {"product": {}, "query": {}}
    words: dict[str, list[int]] = {"product": [], "query": []}
    apart, seconds = [], []
    for text, row in pairs:
        started = time.perf_counter()
        match = engine.matcher.match(row, text)
        seconds.append(time.perf_counter() - started)
        indexed = float(engine.release.dense.embeddings[row] @ engine.encoder.vectors([text])[0])
        apart.append(abs(float(match.closeness or 0.0) - indexed))
        sides = {"product": passage_side(engine, text, row, with_gradients), "query": query_side(engine, text, row)}
        for side, (weights, falls) in sides.items():
            words[side] += [len(falls)] * bool(weights)
            for way, values in weights.items():
                outcomes[side].setdefault(way, Outcomes()).add(values, falls)
    lines = [
        f"### {name}: {len(pairs)} pairs", "",
        f"The closeness that is explained is within {max(apart):.4f} of the index's; an explanation takes "
        f"{1000 * np.median(seconds):.0f} ms (median; 95th percentile {1000 * np.quantile(seconds, 0.95):.0f}).", "",
    ]  # fmt: skip
    for side, ways in outcomes.items():
        measured = f"{side}, {len(words[side])} pairs of {np.mean(words[side]):.0f} words"
        lines.append(f"| {measured} | wins | most | of best | Spearman |")
        lines += ["|---|---|---|---|---|", *(found.line(way) for way, found in ways.items()), ""]
    return "\n".join(lines)


@click.command()
@click.argument("homes", nargs=-1, required=True)
@click.option("--pairs", default=200, show_default=True)
@click.option("--gradients", "with_gradients", is_flag=True, help="Measure integrated gradients as well.")
@click.option("--data", type=click.Path(path_type=Path), default=ROOT.parent / "shared" / "data")
def main(homes: tuple[str, ...], pairs: int, with_gradients: bool, data: Path) -> None:
    """Print the tables of each catalog."""
    for name, home in (one.split("=", 1) for one in homes):
        folder = ROOT / "catalog" if name == "sample" else data / name
        if not (folder / "judgments.csv").is_file():
            print(f"{name}: skipped, {folder} is not there", file=sys.stderr)
            continue
        engine = Engine.open(home)
        print(report(name, engine, list(pairs_of(engine, folder, pairs)), with_gradients), flush=True)


if __name__ == "__main__":
    main()
