"""Terms and their numbers on disk answer as a dictionary of the same terms does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.errors import ReleaseDamaged
from search.vocabulary import Vocabulary

ANY_TEXT = st.text(st.characters(), max_size=6)  # halves of surrogate pairs, NUL and astral letters too


def written(terms: list[str], folder: Path) -> Vocabulary:
    paths = folder / "letters.npy", folder / "ends.npy"
    Vocabulary.save(terms, *paths)
    return Vocabulary.load(*paths)


@given(terms=st.sets(ANY_TEXT, max_size=30), asked=st.lists(ANY_TEXT, max_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_vocabulary_on_disk_answers_as_a_dictionary_does(tmp_path: Path, terms: set[str], asked: list[str]) -> None:
    ordered = sorted(terms)
    found, known = written(ordered, tmp_path), {term: place for place, term in enumerate(ordered)}
    assert list(found) == ordered
    assert len(found) == len(known)
    for term in (*ordered, *asked):
        assert (found.get(term), term in found) == (known.get(term), term in known)


def test_a_term_that_is_not_there_is_a_key_error_and_what_is_no_text_is_no_term(tmp_path: Path) -> None:
    found = written(["cup", "mug"], tmp_path)
    with pytest.raises(KeyError, match="vase"):
        found["vase"]
    assert 3 not in found


def test_terms_whose_letters_do_not_reach_their_ends_are_refused(tmp_path: Path) -> None:
    written(["cup", "mug"], tmp_path)
    np.save(tmp_path / "letters.npy", np.frombuffer(b"cupm", np.uint8))
    with pytest.raises(ReleaseDamaged, match="letters of the vocabulary"):
        Vocabulary.load(tmp_path / "letters.npy", tmp_path / "ends.npy")
