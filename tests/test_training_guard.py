"""The guard set of general English."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.training.guard import forgets, guard_triples, mean_reciprocal_rank
from search.analysis import words_of


def test_the_guard_has_at_least_220_triples_and_no_text_twice() -> None:
    triples = guard_triples()
    texts = [
        " ".join(words_of(text)) for triple in triples for text in (triple.text, triple.paraphrase, triple.contrast)
    ]
    assert len(triples) >= 220
    assert len(set(texts)) == len(texts) and all(texts)


def test_most_contrasts_share_more_words_with_the_text_than_the_paraphrase_does() -> None:
    def shared(a: str, b: str) -> float:
        left, right = set(words_of(a)), set(words_of(b))
        return len(left & right) / len(left | right)

    closer = [shared(t.text, t.contrast) > shared(t.text, t.paraphrase) for t in guard_triples()]
    assert sum(closer) / len(closer) > 0.9  # so word matching alone cannot pass


def test_the_score_is_the_mean_of_one_over_the_rank_and_ties_count_against_it() -> None:
    scores = np.array([[0.9, 0.1, 0.2, 0.3], [0.8, 0.5, 0.5, 0.1]])
    # row 0: own 0.9 is first: 1. Row 1: own 0.5 is behind 0.8 and ties with another 0.5: rank 3.
    assert mean_reciprocal_rank(scores) == pytest.approx((1 + 1 / 3) / 2)


def test_a_loss_within_the_tolerance_is_no_forgetting() -> None:
    assert not forgets(0.550, 0.546, 0.005) and not forgets(0.550, 0.6, 0.005)
    assert forgets(0.550, 0.544, 0.005)
