"""What the training did and what the gate said of it, read from a manifest's `training` entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.training.curve import LearningCurve

LEG_NAMES = {"dense": "by meaning alone", "hybrid": "as shops search: meaning and words"}
KIND_NAMES = {
    "title_words": "words of the title", "title_run": "neighbouring words of the title",
    "category_leaf": "the category, alone or with a brand or value", "brand_and_noun": "the brand and what it is",
    "attribute_and_noun": "an attribute and what it is", "judged query": "a shopper's own, judged by people",
}  # fmt: skip
EXAMPLES = 8


@dataclass(frozen=True)
class Leg:
    """One way of searching: nDCG@10 of base and tuned encoder, and the change with its 95 % interval."""

    name: str
    base: float
    tuned: float
    mean: float
    low: float
    high: float
    wins: int
    losses: int


@dataclass(frozen=True)
class PairKind:
    """How many training pairs were made one way."""

    name: str
    count: int


@dataclass(frozen=True)
class Example:
    """A training pair: this query should find this product."""

    kind: str
    query: str
    title: str


@dataclass(frozen=True)
class Weight:
    """A merge weight that was tried, and nDCG@10 with it; 0 is the base."""

    weight: float
    dense: float
    hybrid: float


@dataclass(frozen=True)
class Training:
    """The training and its proof. Everything but the reason is empty when nothing was trained.

    Attributes:
        reason: the decision, a sentence.
        adopted: whether the tuned encoder is in use.
        method: what was held out.
        pairs: how many there were.
        kinds: of them.
        examples: a few to read.
        losses: (step, mean loss since the one before).
        steps: of the training.
        weights: tried on the selection half.
        chosen_weight: that the gate judged.
        legs: what the gate measured; asked: how many queries it asked, of how many `units` (`unit`).
        queries: a few of these.
    """

    reason: str
    adopted: bool
    method: str
    pairs: int
    kinds: tuple[PairKind, ...]
    examples: tuple[Example, ...]
    losses: tuple[tuple[int, float], ...]
    steps: int
    weights: tuple[Weight, ...]
    chosen_weight: float
    legs: tuple[Leg, ...]
    unit: str
    units: int
    asked: int
    queries: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What was found and what to do, in plain words."""
        if not self.legs:
            return f"The encoder is as it came: {self.reason.removeprefix('The base encoder stays: ').rstrip('.')}."
        if self.adopted:
            gain = next(leg for leg in self.legs if leg.name == LEG_NAMES["hybrid"])
            return (
                f"The encoder was trained on this catalog and proved itself: on {self.units:,} held-out {self.unit} "
                f"the quality of results rose by {gain.mean:.3f} ({gain.low:.3f} to {gain.high:.3f}). Nothing to do."
            )
        return (
            f"The encoder was trained on this catalog, but on {self.units:,} held-out {self.unit} it was not proven "
            "better, so the one it came with stays. Judged queries of real shoppers would teach it more."
        )


def training_of(report: Mapping[str, Any]) -> Training:
    """Return the training that a manifest's `training` entry tells of."""
    pairs, run, gate = (report.get(name) or {} for name in ("pairs", "training", "gate"))
    legs = tuple(_leg(name, measured) for name, measured in gate.get("legs", {}).items())
    shown = [
        Example(KIND_NAMES.get(one["kind"], one["kind"]), one["query"], one["title"])
        for one in pairs.get("examples", [])
    ]
    tried = report.get("selection", {}).get("scores", [])
    return Training(
        reason=report["reason"],
        adopted=bool(report.get("adopted")),
        method=report.get("method", ""),
        pairs=pairs.get("used", 0),
        kinds=tuple(PairKind(KIND_NAMES.get(kind, kind), count) for kind, count in pairs.get("by_kind", {}).items()),
        examples=tuple(shown[:EXAMPLES]),
        losses=tuple((int(step), float(loss)) for step, loss in run.get("loss_curve", [])),
        steps=run.get("steps", 0),
        weights=tuple(Weight(row["merge_weight"], row["dense"], row["hybrid"]) for row in tried),
        chosen_weight=gate.get("merge_weight", 0.0),
        legs=legs,
        unit=gate.get("unit", ""),
        units=gate.get("units", 0),
        asked=gate.get("queries", 0),
        queries=tuple(gate.get("examples", [])),
    )


def _leg(name: str, measured: Mapping[str, Any]) -> Leg:
    change = measured["change"]
    return Leg(
        LEG_NAMES.get(name, name), measured["base"], measured["tuned"], change["mean"], change["low"], change["high"],
        measured["wins"], measured["losses"],
    )  # fmt: skip


def curve_summary(curve: LearningCurve) -> str:
    """Return what a learning curve says of more data, in plain words; by meaning alone, where training acts."""
    last = curve.points[-1]
    change = last.change["dense"]
    reached = f"With {last.share:.0%} of the pairs ({last.pairs:,}) nDCG@10 by meaning changes by {change.mean:+.3f}"
    if last.gain is None:
        return f"{reached} ({change.low:+.3f} to {change.high:+.3f}). Measure more shares to see where it leads."
    before, gain = curve.points[-2], last.gain["dense"]
    if last.pairs == before.pairs:
        return f"{reached}; the shares are too near each other to tell what more would bring."
    step = f"the last step, from {before.pairs:,} to {last.pairs:,} pairs, {gain.mean:+.3f}"
    interval = f"({gain.low:+.3f} to {gain.high:+.3f})"
    if gain.low > 0:
        return f"{reached}, {step} of it {interval}: more pairs would very likely bring more."
    if gain.high < 0:
        return f"{reached}, but {step} {interval} was a loss: more pairs of this kind would not help."
    return f"{reached}; {step} {interval} is not clear of chance: expect little of more pairs of this kind."
