"""Texts -> token vectors, in batches as a CPU likes them: texts of like length, and few enough to stay in its cache.

What costs time in a catalog is padding, activations that leave the cache, and float32 where bfloat16 does. So texts are
sorted by their tokens, a batch holds so many tokens rather than so many texts, and the weights may be cast once, rather
than at every layer of every batch (bench/encoding.py; DESIGN.md, "Encoding a catalog").
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from search.arrays import Floats, Rows

TOKENS_CPU = 2048  # of a batch, padding included; with 8,192 a layer's activations leave the cache: .7 times as fast
TOKENS_GPU = 65_536


class TokenBatch(NamedTuple):
    """The tokens of some texts, special ones included, one text's after the other's.

    Attributes:
        texts: which texts they are of.
        vectors: (t, d) float32.
        firsts: (b,) int64, where each text's tokens begin.
        places: of each text (tokens, 2) int64, the characters (from, to) that each token stands for.
    """

    texts: list[int]
    vectors: Floats
    firsts: Rows
    places: list[Rows]

    @property
    def ends(self) -> Rows:
        """(b,) int64, before which each text's tokens end."""
        return np.append(self.firsts[1:], len(self.vectors))

    def wholes(self) -> Floats:
        """Return (b, d) float32, the mean of each text's tokens."""
        return self.means(self.firsts, self.ends)

    def of_each(self) -> list[Floats]:
        """Return of each text (tokens, d) float32."""
        return [self.vectors[first:end] for first, end in zip(self.firsts, self.ends, strict=True)]

    def means(self, firsts: Rows, ends: Rows) -> Floats:
        """Return (m, d) float32 means of the tokens from firsts[i] to before ends[i], at least one."""
        bounds = np.stack([firsts, ends], axis=1).ravel()
        sums = np.add.reduceat(np.concatenate([self.vectors, np.zeros_like(self.vectors[:1])]), bounds, axis=0)[::2]
        return np.asarray(sums / (ends - firsts)[:, None], np.float32)


class TokenModel:
    """The transformer of a sentence-transformers model whose first module is one.

    Args:
        model: the SentenceTransformer.
        precision: "float32", or "bfloat16" for weights cast once.
    """

    def __init__(self, model: Any, precision: str = "float32"):
        self.tokenizer, self.max_tokens = model.tokenizer, model.max_seq_length
        self.transformer = model[0].model
        if precision == "bfloat16":
            import torch

            self.transformer = copy.deepcopy(self.transformer).to(torch.bfloat16).eval()
            # torch's fused attention on a CPU gains nothing at these lengths, and in bfloat16 loses a tenth.
            self.transformer.set_attn_implementation("eager")

    def batches(self, texts: Sequence[str]) -> Iterator[TokenBatch]:
        """Yield the tokens of all texts, as far as they are read, texts of like length together."""
        read = self.tokenizer(
            list(texts), truncation=True, max_length=self.max_tokens, return_offsets_mapping=True,
            return_token_type_ids=False, return_attention_mask=False,
        )  # fmt: skip
        ids, places = read["input_ids"], read["offset_mapping"]
        budget = TOKENS_CPU if self.transformer.device.type == "cpu" else TOKENS_GPU
        for members in members_of_batches([len(one) for one in ids], budget):
            vectors = self._vectors([ids[text] for text in members])
            lengths = [len(ids[text]) for text in members]
            firsts = np.cumsum([0, *lengths[:-1]]).astype(np.int64)
            yield TokenBatch(members, vectors, firsts, [np.asarray(places[text], np.int64) for text in members])

    def _vectors(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return (t, d) float32 of the tokens of some texts, one text's after the other's."""
        import torch

        inputs = self.tokenizer.pad({"input_ids": list(ids)}, return_tensors="pt").to(self.transformer.device)
        mask = inputs["attention_mask"]
        if bool(mask.all()):
            del inputs["attention_mask"]  # nothing to mask is nothing to add at every layer
        with torch.inference_mode():
            hidden = self.transformer(**inputs)[0]
            return np.asarray(hidden[mask.bool()].float().cpu().numpy(), np.float32)


def members_of_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return which texts go together: the longest first, so many that padded to the longest they fit the budget.

    Args:
        lengths: tokens of each text.
        budget: tokens of a batch, padding included; a text that is longer has a batch of its own.
    """
    batches: list[list[int]] = []
    longest = 0
    for text in sorted(range(len(lengths)), key=lambda text: (-lengths[text], text)):
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = lengths[text]
        batches[-1].append(text)
    return batches
