"""The loss, the merge and the training itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.training.finetune import (
    Guide,
    guided_loss,
    merged_state,
    negatives_to_skip,
    prompts_of,
    save_model,
    state_of,
    train,
    without_words,
)
from indexer.training.pairs import Pair
from indexer.training.settings import TrainingSettings
from indexer.training.vectors import text_vectors, token_limit
from search.arrays import unit_rows
from search.encoder import SentenceTransformerEncoder, fingerprint_of, load_sentence_transformer, open_encoder
from search.product import Product

SETTINGS = TrainingSettings(batch=4, anchor_weight=0.2)
PRODUCTS = [Product(str(n), f"{word} thing", f"A thing for {word} days, made to last.") for n, word in enumerate(
    ["amber", "teal", "coral", "slate", "olive", "ivory", "plum", "ochre"])]  # fmt: skip
PAIRS = [
    Pair(product.title.split()[0], row, "title_words", cloze=bool(row % 2)) for row, product in enumerate(PRODUCTS)
]
GROUPS = {row: row for row in range(8)}


@pytest.fixture(scope="module")
def base() -> SentenceTransformerEncoder:
    return open_encoder()


def no_progress(what: str, done: int, total: int) -> None:
    pass


def test_negatives_of_the_same_group_or_with_the_same_words_or_too_good_for_the_base_are_skipped() -> None:
    queries = unit_rows(np.eye(4))
    texts = unit_rows(np.eye(4))
    texts[1] = unit_rows(np.array([[0.97, np.sqrt(1 - 0.97**2), 0, 0]]))[0]  # nearly as good for query 0 as text 0
    holds = np.zeros((4, 4), bool)
    holds[2, 3] = True
    np.fill_diagonal(holds, True)
    skip = negatives_to_skip(queries, texts, [10, 11, 12, 10], holds, margin=0.05)
    assert np.argwhere(skip).tolist() == [
        [0, 1],  # .97 > 1 - .05
        [0, 3],  # the same group
        [2, 3],  # that text holds every word of the query
        [3, 0],  # the same group
    ]  # query 1 finds its own text at .243: the others, at 0, stay negatives


def test_without_the_querys_words_the_rest_of_the_text_remains() -> None:
    text = "Blue Ceramic Mug. Mugs. Keeps coffee warm, holds 300 ml"
    assert without_words(text, "ceramic mug") == "Blue Mugs. Keeps coffee warm, holds 300 ml"


def test_a_text_that_would_be_nearly_empty_keeps_the_words() -> None:
    assert without_words("Blue Ceramic Mug with lid", "ceramic mug") == "Blue Ceramic Mug with lid"


def guide(groups: tuple[int, ...], **changes: object) -> Guide:
    vectors = unit_rows(np.eye(3))
    words = tuple(frozenset({f"w{n}"}) for n in range(3))
    return replace(Guide(vectors, vectors, vectors, groups, words, words), **changes)


def losses(
    of: Guide, queries: np.ndarray, texts: np.ndarray, settings: TrainingSettings = SETTINGS
) -> tuple[float, float]:
    """The loss of a model that gives these vectors."""
    import torch

    class Fixed(torch.nn.Module):
        def forward(self, features: np.ndarray) -> dict[str, torch.Tensor]:
            return {"sentence_embedding": torch.from_numpy(features)}

    parts = guided_loss(Fixed(), of, settings)([queries, texts], torch.arange(3))
    return float(parts["ranking"]), float(parts["anchor"])


def test_the_ranking_loss_is_the_softmax_over_the_batch() -> None:
    eye = unit_rows(np.eye(3))
    ranking, anchor = losses(guide((0, 1, 2)), eye, eye, replace(SETTINGS, scale=1.0))
    # each row: own logit 1, two others 0
    assert ranking == pytest.approx(-np.log(np.e / (np.e + 2)), abs=1e-6)
    assert anchor == pytest.approx(0, abs=1e-6)


def test_masked_negatives_do_not_count() -> None:
    eye = unit_rows(np.eye(3))
    wrong = unit_rows(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]))  # queries 0 and 1 find each other's text
    assert losses(guide((0, 1, 2)), wrong, eye)[0] > 10
    assert losses(guide((0, 0, 2)), wrong, eye)[0] == pytest.approx(
        np.log(2) * 2 / 3, abs=1e-6
    )  # 0 and 1: own = other = 0
    assert losses(guide((0, 0, 0)), wrong, eye)[0] == pytest.approx(0, abs=1e-6)  # nothing left to tell apart


def test_the_anchor_is_the_cosine_distance_to_the_base_times_its_weight() -> None:
    eye = unit_rows(np.eye(3))
    turned = unit_rows(np.array([[0.6, 0.8, 0], [0, 1, 0], [0, 0, 1]]))  # one of three moved to cosine .6
    assert losses(guide((0, 1, 2)), turned, eye)[1] == pytest.approx(0.2 * 0.4 / 3, abs=1e-6)


def test_merging_nothing_is_the_base_and_merging_all_is_the_tuned_model() -> None:
    import torch

    base = {"w": torch.tensor([1.0, 3.0]), "ids": torch.tensor([1, 2])}
    tuned = {"w": torch.tensor([2.0, -1.0]), "ids": torch.tensor([1, 2])}
    assert merged_state(base, tuned, 0.0)["w"].tolist() == [1.0, 3.0]
    assert merged_state(base, tuned, 1.0)["w"].tolist() == [2.0, -1.0]
    assert merged_state(base, tuned, 0.25)["w"].tolist() == [1.25, 2.0]
    assert merged_state(base, tuned, 0.25)["ids"].tolist() == [1, 2]


def tuned_model(base: SentenceTransformerEncoder, workdir: Path, seed: int = 1) -> tuple[object, object]:
    model = load_sentence_transformer(base.folder, base.max_tokens)
    settings = replace(SETTINGS, seed=seed)
    return model, train(model, base.model, PRODUCTS, PAIRS, GROUPS, workdir, settings, no_progress)


def test_two_trainings_with_one_seed_give_the_same_model_and_leave_only_it_behind(
    base: SentenceTransformerEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    before = state_of(base.model)
    folders = []
    for name in ("first", "second"):
        torch.rand(len(name))  # what happened before must not matter
        workdir = tmp_path / name
        workdir.mkdir()
        model, run = tuned_model(base, workdir)
        assert run.steps == 2 and [step for step, _ in run.loss_curve] == [1, 2] and not run.stopped_early
        folders.append(save_model(model, workdir / "adopted"))
        assert [path.name for path in workdir.iterdir()] == ["adopted"]
    assert fingerprint_of(folders[0]) == fingerprint_of(folders[1]) != base.fingerprint
    assert json.loads((folders[0] / "modules.json").read_text())
    assert capsys.readouterr().out == ""
    assert all(torch.equal(tensor, before[name]) for name, tensor in state_of(base.model).items())


def test_a_saved_merge_encodes_as_the_model_in_memory_and_weight_0_as_the_base(
    base: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    model, run = tuned_model(base, tmp_path)
    texts = ["amber thing", "a kettle for the campsite"]
    before = base.encode_passages(texts)
    original = state_of(base.model)
    for weight in (0.0, 0.5, 1.0):
        model.load_state_dict(merged_state(original, run.state, weight))
        folder = save_model(model, tmp_path / f"merge-{weight}")
        saved = SentenceTransformerEncoder(folder, "merged").encode_passages(texts)
        assert saved == pytest.approx(text_vectors(model, texts, 128), abs=1e-6)
        assert (np.abs(saved - before).max() < 1e-6) == (weight == 0.0)


def test_a_time_ceiling_stops_the_training_and_says_so(base: SentenceTransformerEncoder, tmp_path: Path) -> None:
    model = load_sentence_transformer(base.folder, base.max_tokens)
    settings = replace(SETTINGS, time_ceiling_minutes=0.0)
    run = train(model, base.model, PRODUCTS, PAIRS, GROUPS, tmp_path, settings, no_progress)
    assert run.steps == 1 and run.stopped_early


def test_the_token_limit_is_lifted_again(base: SentenceTransformerEncoder) -> None:
    before = base.model.max_seq_length
    with pytest.raises(RuntimeError), token_limit(base.model, 8):
        assert base.model.max_seq_length == 8
        raise RuntimeError
    assert base.model.max_seq_length == before


def test_training_puts_the_models_own_prompts_before_queries_and_passages() -> None:
    class E5:
        prompts = {"query": "query: ", "passage": "passage: "}  # noqa: RUF012

    class Plain:
        prompts = {"query": "", "document": ""}  # noqa: RUF012

    assert prompts_of(E5()) == {"query": "query: ", "text": "passage: "}
    assert prompts_of(Plain()) == {}
