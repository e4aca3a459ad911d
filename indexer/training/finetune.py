"""Fine-tuning: the loss, the training through sentence-transformers, and the merge with the base."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.training.pairs import Pair
from indexer.training.settings import TrainingSettings
from indexer.training.vectors import query_vectors, text_vectors, token_limit
from search.analysis import words_of
from search.arrays import Floats, Mask
from search.passages import passage_of
from search.product import Product

LEAST_CLOZE_WORDS = 5
LOSS_POINTS = 20  # points of the loss curve kept in the report

State = Mapping[str, Any]  # parameter name -> tensor


@dataclass(frozen=True)
class TrainingRun:
    """What a training did.

    Attributes:
        state: the tuned weights, on the CPU.
        steps: steps taken.
        seconds: time they took, preparation of the guide included.
        loss_curve: (step, mean loss since the point before).
        stopped_early: whether the time ceiling ended it.
    """

    state: State
    steps: int
    seconds: float
    loss_curve: list[tuple[int, float]]
    stopped_early: bool


def training_text(product: Product, tokens: int) -> str:
    """Return the passage, cut where the token limit would cut it anyway (a word is at least one token)."""
    return " ".join(passage_of(product).split()[:tokens])


def without_words(text: str, query: str) -> str:
    """Return the text without the query's words; the whole text when fewer than LEAST_CLOZE_WORDS would be left."""
    dropped = set(words_of(query))
    kept = [piece for piece in text.split() if not set(words_of(piece)) or not dropped.issuperset(words_of(piece))]
    return " ".join(kept) if len(kept) >= LEAST_CLOZE_WORDS else text


def negatives_to_skip(queries: Floats, texts: Floats, groups: Sequence[int], holds: Mask, margin: float) -> Mask:
    """Return (b, b): True where text j must not serve as a negative of query i; the diagonal is False.

    Args:
        queries: (b, d) unit query vectors of the frozen base.
        texts: (b, d) unit text vectors of the frozen base; text i is the positive of query i.
        groups: (b,) product group of each text.
        holds: (b, b) whether text j holds every word of query i.
        margin: cosine; negatives that the base finds within this of the positive are probably right answers.
    """
    cosines = queries @ texts.T  # (b, b)
    too_good = cosines > np.diag(cosines)[:, None] - margin
    same_group = np.equal.outer(np.asarray(groups), np.asarray(groups))
    skip = too_good | same_group | holds
    np.fill_diagonal(skip, False)
    return skip


@dataclass(frozen=True)
class Guide:
    """What the frozen base knows about the m pairs, looked up by their place.

    Attributes:
        queries: (m, d) query vectors.
        texts: (m, d) vectors of the texts as trained on; the anchor.
        products: (m, d) vectors of the products' whole training texts; they decide what is no negative. Taken
            from a text without the query's words, the base's opinion would be that everything is a better answer.
        groups: product group.
        query_words, product_words: words of the query, of the whole text.
    """

    queries: Floats
    texts: Floats
    products: Floats
    groups: tuple[int, ...]
    query_words: tuple[frozenset[str], ...]
    product_words: tuple[frozenset[str], ...]

    @classmethod
    def of(
        cls,
        base: Any,
        pairs: Sequence[Pair],
        texts: Sequence[str],
        wholes: Sequence[str],
        group_of: Mapping[int, int],
        tokens: int,
    ) -> Guide:
        """Encode all queries and texts once with the base model."""
        distinct = list(dict.fromkeys([*texts, *wholes]))
        place = {text: number for number, text in enumerate(distinct)}
        vectors = text_vectors(base, distinct, tokens)
        return cls(
            query_vectors(base, [pair.query for pair in pairs], tokens),
            vectors[[place[text] for text in texts]],
            vectors[[place[text] for text in wholes]],
            tuple(group_of[pair.row] for pair in pairs),
            tuple(frozenset(words_of(pair.query)) for pair in pairs),
            tuple(frozenset(words_of(text)) for text in wholes),
        )

    def skip(self, places: Sequence[int], margin: float) -> Mask:
        """Return `negatives_to_skip` of a batch of pairs."""
        holds = np.array([[self.query_words[i] <= self.product_words[j] for j in places] for i in places])
        return negatives_to_skip(
            self.queries[places], self.products[places], [self.groups[i] for i in places], holds, margin
        )


def guided_loss(model: Any, guide: Guide, settings: TrainingSettings) -> Any:
    """Return the loss module: masked in-batch softmax plus the anchor to the base's vectors.

    The softmax is that of multiple negatives ranking (Henderson et al. 2017, arXiv 1705.00652) with false negatives
    masked by a guide as in GISTEmbed (Solatorio 2024, arXiv 2402.16829); here the guide is the frozen base, its
    vectors computed beforehand and found by the pair's place, which travels in the label column.
    """
    import torch
    from torch.nn.functional import cosine_similarity, cross_entropy, normalize

    class GuidedLoss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sentence_features: Any, labels: Any) -> dict[str, Any]:
            queries, texts = (
                normalize(self.model(features)["sentence_embedding"], dim=-1) for features in sentence_features
            )
            places = labels.view(-1).tolist()
            skip = torch.from_numpy(guide.skip(places, settings.guide_margin)).to(queries.device)
            logits = (settings.scale * queries @ texts.T).masked_fill(skip, float("-inf"))  # (b, b)
            targets = torch.arange(len(places), device=queries.device)
            anchors = [
                1 - cosine_similarity(vectors, torch.from_numpy(base[places]).to(vectors.device)).mean()
                for vectors, base in ((queries, guide.queries), (texts, guide.texts))
            ]
            return {
                "ranking": cross_entropy(logits, targets),
                "anchor": settings.anchor_weight * sum(anchors),
            }

    return GuidedLoss()


def train(
    model: Any,
    base: Any,
    products: Sequence[Product],
    pairs: Sequence[Pair],
    group_of: Mapping[int, int],
    workdir: Path,
    settings: TrainingSettings,
    progress: Callable[[str, int, int], None],
) -> TrainingRun:
    """Fine-tune `model` in place on pairs already laid out in batches (`pairs.in_batches`).

    Args:
        model: a SentenceTransformer that may change.
        base: the frozen base; only encodes.
        products: the catalog.
        pairs: m pairs, m a multiple of the batch size.
        group_of: row -> product group.
        workdir: the trainer's scratch folder is made in here and removed again.
        settings: how.
        progress: called with (what, done, total) after every step.
    """
    import torch
    from datasets import Dataset, disable_progress_bars

    started = time.perf_counter()
    disable_progress_bars()
    wholes = [training_text(products[pair.row], settings.max_tokens) for pair in pairs]
    texts = [without_words(whole, p.query) if p.cloze else whole for p, whole in zip(pairs, wholes, strict=True)]
    guide = Guide.of(base, pairs, texts, wholes, group_of, settings.max_tokens)
    columns = {"query": [p.query for p in pairs], "text": texts, "label": list(range(len(pairs)))}
    steps = len(pairs) // settings.batch
    scratch = workdir / "trainer"
    watch = _watcher(steps, started, settings.time_ceiling_minutes, progress)
    with token_limit(model, settings.max_tokens), _repeatable():
        # Newly seeded here and by the trainer, so that dropout does not depend on what ran before.
        trainer = _quiet_trainer(
            model=model,
            args=_arguments(scratch, steps, prompts_of(model), settings),
            train_dataset=Dataset.from_dict(columns),
            loss=guided_loss(model, guide, settings),
            callbacks=[watch],
        )
        trainer.train()
    shutil.rmtree(scratch, ignore_errors=True)
    curve = [(entry["step"], round(float(entry["loss"]), 4)) for entry in trainer.state.log_history if "loss" in entry]
    taken = int(trainer.state.global_step)
    model.eval()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return TrainingRun(state_of(model), taken, time.perf_counter() - started, curve, taken < steps)


def prompts_of(model: Any) -> dict[str, str]:
    """Return column -> the prompt that this model puts before queries or passages when it encodes them."""
    prompts = getattr(model, "prompts", None) or {}
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if prompts.get(name)), "")
    return {column: prompt for column, prompt in (("query", prompts.get("query")), ("text", passage)) if prompt}


def _arguments(scratch: Path, steps: int, prompts: dict[str, str], settings: TrainingSettings) -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments

    return SentenceTransformerTrainingArguments(
        output_dir=str(scratch),
        max_steps=steps,
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.learning_rate,
        warmup_steps=max(1, round(settings.warmup_share * steps)),
        optim="adamw_torch_fused",
        seed=settings.seed % 2**32,
        batch_sampler=_in_given_order,
        prompts=prompts or None,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="steps",
        logging_steps=max(1, steps // LOSS_POINTS),
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
    )


def _in_given_order(dataset: Any, batch_size: int, drop_last: bool, **unused: Any) -> Any:
    """Return a sampler that keeps the order of `pairs.in_batches`; a shuffle would undo its promise."""
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler

    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)


def _watcher(steps: int, started: float, ceiling: float | None, progress: Callable[[str, int, int], None]) -> Any:
    """Return a trainer callback that reports steps and enforces the time ceiling (minutes)."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **unused: Any) -> Any:
            progress("fine-tuning steps", state.global_step, steps)
            if ceiling is not None and time.perf_counter() - started > 60 * ceiling:
                control.should_training_stop = True
            return control

    return Watcher()


def _quiet_trainer(**arguments: Any) -> Any:
    """Return a sentence-transformers trainer that prints nothing and gathers nothing for a model card."""
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback

    class QuietTrainer(SentenceTransformerTrainer):
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Skip it: it reads the whole dataset and writes about machine and time, which differ every build."""

    trainer = QuietTrainer(**arguments)
    trainer.remove_callback(PrinterCallback)
    return trainer


@contextmanager
def _repeatable() -> Iterator[None]:
    """Let torch prefer repeatable algorithms for a while; the few that have none only warn.

    Equal weights also need an equal number of threads: sums are split among them.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not repeatable
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def state_of(model: Any) -> dict[str, Any]:
    """Return a copy of the model's weights on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def merged_state(base: State, tuned: State, weight: float) -> dict[str, Any]:
    """Return weight x tuned + (1 - weight) x base for float tensors; others are the base's.

    Interpolating weights keeps most of a gain and loses little of the base: WiSE-FT (Wortsman et al. 2021,
    arXiv 2109.01903), LM-Cocktail (Xiao et al. 2023, arXiv 2311.13534).
    """
    return {
        name: weight * tuned[name] + (1 - weight) * tensor if tensor.is_floating_point() else tensor
        for name, tensor in base.items()
    }


def save_model(model: Any, folder: Path) -> Path:
    """Save the model as a sentence-transformers folder, replacing what lies there, and return the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    return folder
