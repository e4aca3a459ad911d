"""Every number of the fine-tuning and of its gate, in one frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How the encoder is fine-tuned and what it must prove. Two equal settings give the same weights.

    Attributes:
        seed: of every draw (split, pseudo-queries, batches, dropout, bootstrap).
        held_out_share: share (0..1) of the products kept out of training; half of them choose the merge weight,
            half are the gate.
        held_out_least, held_out_most: products; small catalogs hold out more than the share so that the gate has
            something to see (never over 40 %), large ones need no more than this.
        near_duplicate: cosine of two titles under the base encoder from which products count as one.
        least_queries: held-out pseudo-queries each half must have; below it there is no evidence and no adoption.
        least_judged: judged queries both halves together must have to replace the pseudo-queries.
        least_taught: judged queries from which half of them teach the encoder instead of only judging it; with fewer
            the pairs are too few to learn from (bench/ranking/LOG.md, 14 and 17).
        taught_steps: most steps on such pairs; they are worth more than pseudo-queries, so they get more time.
        taught_anchor_weight: `anchor_weight` for them; real queries may move the encoder further.
        pairs_per_product: pairs seen per training product; with `batch` it fixes the number of steps, so that
            the same catalog always trains alike, however fast the machine.
        least_steps, most_steps: steps; the upper bound keeps two cores under six minutes.
        cloze_share: share of the pairs whose product text is read without the query's words, see `pairs.Pair`.
        batch: pairs a step; 32 gives 31 negatives a query, and two AVX2 cores about a step a second.
        learning_rate: AdamW's peak; the usual one for this size of model.
        warmup_share: share of the steps over which the rate rises; it falls linearly after them.
        scale: cosine -> logit, the usual 20 of in-batch softmax losses.
        guide_margin: cosine; a negative that the frozen base finds nearly as good as the positive (within this)
            is no negative.
        anchor_weight: weight of (1 - cosine to the base's vector); holds back forgetting.
        max_tokens: tokens of a text in training; titles, brand, category, attributes and the first words fit.
        merge_weights: shares of the tuned weights in the merged model that are tried; 0 (the base) always takes part.
        gate_tokens: tokens of a passage in selection and gate; half of what is served, half the time.
        selection_corpus, gate_corpus: products ranked when the merge weight is chosen, and in the gate.
        most_relevant: products; a gate query that more of them answer is ambiguous and left out.
        bootstrap_samples: resamples behind the gate's interval.
        guard_tolerance: how much the guard score (0..1) may fall.
        time_ceiling_minutes: stop training after this many minutes; None (the default) because a stopped training
            depends on the machine and is not repeated exactly.
    """

    seed: int = 20_261_123
    held_out_share: float = 0.25
    held_out_least: int = 120
    held_out_most: int = 800
    near_duplicate: float = 0.95
    least_queries: int = 50
    least_judged: int = 40
    least_taught: int = 500
    taught_steps: int = 520
    taught_anchor_weight: float = 0.1
    pairs_per_product: float = 1.5
    least_steps: int = 30
    most_steps: int = 200
    cloze_share: float = 0.5
    batch: int = 32
    learning_rate: float = 2e-5
    warmup_share: float = 0.1
    scale: float = 20.0
    guide_margin: float = 0.05
    anchor_weight: float = 0.2
    max_tokens: int = 32
    merge_weights: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    gate_tokens: int = 48
    selection_corpus: int = 300
    gate_corpus: int = 800
    most_relevant: int = 10
    bootstrap_samples: int = 4_000
    guard_tolerance: float = 0.005
    time_ceiling_minutes: float | None = None

    def steps_for(self, training_products: int) -> int:
        """Return the number of training steps, a function of the catalog's size alone."""
        wanted = round(self.pairs_per_product * training_products / self.batch)
        return min(max(wanted, self.least_steps), self.most_steps)

    @property
    def most_training_products(self) -> int:
        """How many products the longest training can use."""
        return int(self.most_steps * self.batch / self.pairs_per_product)

    def held_out_of(self, products: int) -> int:
        """Return how many of the products are to be held out."""
        wanted = max(round(self.held_out_share * products), self.held_out_least)
        return min(wanted, int(0.4 * products), self.held_out_most)
