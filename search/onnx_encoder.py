"""An encoder that answers without torch: the model as an ONNX graph, and its own tokenizer (indexer/serving.py).

Loading takes a fifth of a second. The weights lie beside the graph and are mapped; of the table of word vectors, half
of a small model, the rows that a text needs are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, unit_rows
from search.encoder import file_sha256
from search.errors import EncoderError
from search.scattered import array_in_pieces
from search.tokens import Tokens, fast_tokenizer, segment_means, segments_read_by, whole_words

GRAPH, WEIGHTS, TOKENIZER, SETTINGS = "model.onnx", "weights.dat", "tokens.json", "settings.json"
WORDS = "words.npy"  # the vector of each token, where the graph does not hold them
WORD_VECTORS = "word_vectors"  # the graph's input for them
# Texts in one run, of like length: a run of one reads all weights for one text, a long run pads (DESIGN.md, "Encoder").
TOGETHER = 8


class OnnxEncoder:
    """An encoder kept as an ONNX graph; loaded when it is made. Safe to share between threads.

    Args:
        folder: graph, weights, tokenizer and settings, as the build wrote them.
        sha256: of the settings, which name the size and content of the other files; "" takes any.
        threads: CPU threads of one run.

    Attributes:
        name, fingerprint, dim, pools_by_mean: see `Encoder`.

    Raises:
        EncoderError: a file is missing, truncated, or not what the build wrote.
    """

    bears_threads = True

    def __init__(self, folder: Path, sha256: str = "", threads: int = 1):
        self.folder = folder
        settings = read_settings(folder, sha256)
        self.name: str = settings["name"]
        self.fingerprint: str = settings["fingerprint"]
        self.dim: int = settings["dim"]
        self.max_tokens: int = settings["max_tokens"]
        self.pools_by_mean: bool = settings["pools_by_mean"]
        self._prompts: dict[str, str] = settings["prompts"]
        self._pad_id: int = settings["pad_id"]
        for name, (size, _) in settings["files"].items():
            found = (folder / name).stat().st_size if (folder / name).is_file() else "no"
            if found != size:
                raise EncoderError(f"{folder / name} has {found} bytes, not {size}; build the release again")
        try:
            self._tokenizer = fast_tokenizer(
                (folder / TOKENIZER).read_text("utf-8"), self.max_tokens, settings["truncation_side"]
            )
            self._session = _session(folder / GRAPH, threads)
            self._inputs = [one.name for one in self._session.get_inputs()]
            self._words = WordVectors(folder / WORDS) if WORD_VECTORS in self._inputs else None
        except ImportError as error:
            raise EncoderError(f"{error}; run: pip install -r requirements/serve.txt") from error
        except Exception as error:  # neither library has errors of its own for a file that it cannot read
            raise EncoderError(
                f"the encoder in {folder} cannot be loaded ({error}); build the release again"
            ) from error

    def words(self) -> list[str]:
        """Return the words that the tokenizer knows as a whole, lower case, the most frequent first."""
        return whole_words(self._tokenizer.get_vocab())

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows; the model's query prompt, if it has one, is applied."""
        return self._encode(texts, self._prompts["query"])

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows; the model's passage prompt, if it has one, is applied."""
        return self._encode(texts, self._prompts["passage"])

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return (n, dim) float32 unit rows, and (s, dim) ones of each passage's segments; see search/segments.py."""
        vectors = self.encode_passages(passages)
        if not self.pools_by_mean:
            return vectors, [vector[None, :] for vector in vectors]
        tokens = self.encode_tokens(passages)
        means = [segment_means(passage, *of_passage) for passage, of_passage in zip(passages, tokens, strict=True)]
        return vectors, [
            unit_rows(np.stack(of_passage)) if of_passage else vector[None, :]
            for of_passage, vector in zip(means, vectors, strict=True)
        ]

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of what `encode_segmented` gives it vectors of: no model runs."""
        if not passages or not self.pools_by_mean:
            return [[(0, len(passage))] for passage in passages]
        return segments_read_by(self._tokenizer, passages)

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, query or passage (no prompt tells them apart), as far as it is read.

        Raises:
            EncoderError: it does not pool by the mean.
        """
        if not self.pools_by_mean:
            raise EncoderError(f'encoder "{self.name}" does not pool by the mean: a word has no share in its vectors')
        found: dict[int, Tokens] = {}
        for rows, read, vectors in self._runs(texts, "token_embeddings"):
            for row, one, of_text in zip(rows, read, vectors, strict=True):
                places = np.array(one.offsets, np.int64).reshape(-1, 2)
                found[row] = Tokens(of_text[: len(places)].copy(), places)
        return [found[row] for row in range(len(texts))]

    def _encode(self, texts: Sequence[str], prompt: str) -> Floats:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for rows, _, found in self._runs([prompt + text for text in texts], "sentence_embedding"):
            vectors[rows] = found
        return unit_rows(vectors)

    def _runs(self, texts: Sequence[str], output: str) -> Iterator[tuple[list[int], list[Any], Floats]]:
        """Yield (which texts, how they were tokenized, one output of the graph for them), the shortest texts first."""
        read = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(read)), key=lambda row: len(read[row].ids))
        for start in range(0, len(order), TOGETHER):
            rows = order[start : start + TOGETHER]
            together = [read[row] for row in rows]
            yield rows, together, self._session.run([output], self._padded(together))[0]

    def inputs_of(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return what the graph is given for these texts in one run."""
        return self._padded(self._tokenizer.encode_batch(list(texts)))

    def _padded(self, together: Sequence[Any]) -> dict[str, Any]:
        """Return (n, t) int64 arrays of as many tokens as the longest text has."""
        shape = len(together), max(len(one.ids) for one in together)
        ids, mask = np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64)
        types = np.zeros(shape, np.int64)
        for row, one in enumerate(together):
            length = len(one.ids)
            ids[row, :length], mask[row, :length], types[row, :length] = one.ids, 1, one.type_ids
        arrays: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        if self._words is not None:
            arrays[WORD_VECTORS] = self._words.of(ids)
        return {name: arrays[name] for name in self._inputs}


class WordVectors:
    """The vector of each token of a tokenizer, in a file of which rows are read; safe to share between threads.

    Args:
        path: of the .npy file, (v, d) float32.

    Raises:
        OSError, ValueError: it cannot be read.
    """

    def __init__(self, path: Path):
        self._table, self._file, self._offset = array_in_pieces(path)

    def of(self, ids: NDArray[np.int64]) -> Floats:
        """Return (n, t, d) float32, the vectors of (n, t) tokens.

        Raises:
            ReleaseDamaged: the file has become shorter.
        """
        if self._file is None:
            return self._table[ids]
        rows, places = np.unique(ids, return_inverse=True)
        size = self._table.strides[0]
        found = np.empty((len(rows), self._table.shape[1]), np.float32)
        self._file.read(found, self._offset + rows * size, np.full(len(rows), size))
        return found[places.reshape(ids.shape)]


def read_settings(folder: Path, sha256: str = "") -> dict[str, Any]:
    """Return what an encoder's folder says about itself.

    Raises:
        EncoderError: there is no such file, or it is not the one that the release names.
    """
    try:
        written = (folder / SETTINGS).read_bytes()
        settings: dict[str, Any] = json.loads(written)
    except (OSError, ValueError) as error:
        raise EncoderError(f"{folder / SETTINGS} cannot be read ({error}); build the release again") from error
    if sha256 and hashlib.sha256(written).hexdigest() != sha256:
        raise EncoderError(f"{folder / SETTINGS} has changed since the build; build the release again")
    return settings


def damage_of_encoder(folder: Path, sha256: str = "") -> list[str]:
    """Return what is wrong with an encoder's files, a sentence each; [] when every checksum fits."""
    try:
        settings = read_settings(folder, sha256)
    except EncoderError as error:
        return [str(error)]
    wrong = []
    for name, (_, expected) in sorted(settings["files"].items()):
        if not (folder / name).is_file():
            wrong.append(f"{folder / name}: missing")
        elif file_sha256(folder / name) != expected:
            wrong.append(f"{folder / name}: its content has changed since the build")
    return wrong


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would take the CPU from answers
    # The arena keeps what the longest batch ever took, 115 MB for 32 passages; without it no run is slower.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
