"""Fewer dimensions without training: vectors turned onto the directions that a catalog uses, and cut.

The directions are the right singular vectors of the product vectors, not centred, so that at full length inner
products stay what they were and at any length as much of them is kept as a linear map can keep (Eckart & Young 1936).
Cutting an encoder's own dimensions keeps far less, unless it was trained for that (Matryoshka; Kusupati et al. 2022).
What was kept is then turned once more, at random but always alike, so that no dimension weighs much more than another:
a product quantiser spends equally many bits on each (bench/ranking/LOG.md, 29; DESIGN.md, "Dimension and precision").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.arrays import Floats, expect, unit_rows
from search.encoder import Encoder
from search.errors import EncoderMismatch, ReleaseDamaged
from search.tokens import Tokens

SEED = 20_261_125  # of the second turn
BLOCK = 8192  # vectors in double precision at a time
STRAIGHT = 1e-3  # how far the columns of a rotation may be from orthonormal; float32 leaves 1e-6


class Reduction:
    """A turn and a cut: (n, full) unit rows to (n, dim) unit rows.

    Args:
        rotation: (full, dim) float32, orthonormal columns.

    Raises:
        ReleaseDamaged: it is not that.
    """

    def __init__(self, rotation: Floats):
        self.rotation = expect(rotation, (None, None), np.float32, "rotation")
        if not np.allclose(rotation.T @ rotation, np.eye(self.dim), atol=STRAIGHT):  # NaN is not close to anything
            raise ReleaseDamaged("its columns are not at right angles and of length 1")

    @property
    def full(self) -> int:
        """Length of the vectors that go in."""
        return int(self.rotation.shape[0])

    @property
    def dim(self) -> int:
        """Length of the vectors that come out."""
        return int(self.rotation.shape[1])

    @property
    def digest(self) -> str:
        """16 hex digits that tell this rotation from any other."""
        return hashlib.blake2b(self.rotation.tobytes(), digest_size=8).hexdigest()

    @classmethod
    def fit(cls, embeddings: Floats, dim: int) -> Reduction:
        """Return the reduction to `dim` dimensions that keeps most of the inner products of these products.

        Args:
            embeddings: (n, full) float32 unit rows.
            dim: 1..full.
        """
        return cls.along(directions_of(embeddings), dim)

    @classmethod
    def along(cls, directions: NDArray[np.float64], dim: int) -> Reduction:
        """Return the reduction to the first `dim` of these directions; see `directions_of`."""
        turn, _ = np.linalg.qr(np.random.default_rng(SEED).normal(size=(dim, dim)))
        return cls(np.ascontiguousarray(directions[:, :dim] @ turn, np.float32))

    def of(self, vectors: Floats) -> Floats:
        """Return (n, dim) float32 unit rows of (n, full) float32 ones."""
        return unit_rows(vectors @ self.rotation)

    def kept(self, embeddings: Floats) -> float:
        """Return 0..1, the mean share of the squared length of (n, full) unit rows that the cut leaves."""
        return float(np.mean(np.square(embeddings @ self.rotation).sum(axis=1)))

    def save(self, path: Path) -> None:
        """Write the rotation."""
        np.save(path, self.rotation)

    @classmethod
    def load(cls, path: Path, record: dict[str, Any]) -> Reduction | None:
        """Return a release's reduction, None where its vectors have the encoder's own length.

        Args:
            path: of the rotation.
            record: the manifest's `vectors` entry.

        Raises:
            ReleaseDamaged: the file is missing, truncated, of another shape, or of another release.
        """
        if record["rotation"] is None:
            return None
        try:
            reduction = cls(expect(np.load(path), (record["of"], record["dim"]), np.float32, "rotation"))
            if reduction.digest != record["rotation"]:
                raise ReleaseDamaged(f"it is rotation {reduction.digest}, the release needs {record['rotation']}")
        except (OSError, ValueError, EOFError, ReleaseDamaged) as error:
            raise ReleaseDamaged(f"{path} cannot be used ({error}); build the release again") from error
        return reduction


def directions_of(embeddings: Floats) -> NDArray[np.float64]:
    """Return (full, full) float64 orthonormal columns, the right singular vectors of (n, full) rows, largest first."""
    blocks = (embeddings[start : start + BLOCK].astype(np.float64) for start in range(0, len(embeddings), BLOCK))
    _, ascending = np.linalg.eigh(sum(block.T @ block for block in blocks))
    directions = ascending[:, ::-1]
    loudest = np.abs(directions).argmax(axis=0)
    signs = np.where(directions[loudest, np.arange(len(loudest))] < 0, -1, 1)  # the decomposition leaves them to chance
    return directions * signs


class ReducedEncoder:
    """An encoder whose every vector is turned and cut, so that whoever asks it asks in the release's space.

    Raises:
        EncoderMismatch: the encoder's vectors are not of the length that the reduction takes.
    """

    def __init__(self, encoder: Encoder, reduction: Reduction):
        if encoder.dim != reduction.full:
            raise EncoderMismatch(
                f'this release cuts vectors of {reduction.full} dimensions, but encoder "{encoder.name}" gives '
                f"{encoder.dim}; build the release again, or put the right encoder back"
            )
        self.encoder, self.reduction = encoder, reduction
        self.name = encoder.name
        self.fingerprint = hashlib.sha256(f"{encoder.fingerprint} {reduction.digest}".encode()).hexdigest()[:16]

    @property
    def dim(self) -> int:
        """Length of every vector."""
        return self.reduction.dim

    def words(self) -> list[str]:
        """Return the words it knows as a whole, lower case, the most frequent first."""
        return self.encoder.words()

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows for query texts."""
        return self.reduction.of(self.encoder.encode_queries(texts))

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, dim) float32 unit rows for passage texts."""
        return self.reduction.of(self.encoder.encode_passages(texts))

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return what `encode_passages` does, and for each passage (s, dim) float32 unit rows of its segments."""
        vectors, segments = self.encoder.encode_segmented(passages)
        return self.reduction.of(vectors), [self.reduction.of(one) for one in segments]

    def segments_read(self, passages: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return for each passage the (start, end) of what `encode_segmented` gives it vectors of, in order."""
        return self.encoder.segments_read(passages)

    @property
    def pools_by_mean(self) -> bool:
        """Whether a text's vector is the mean of its tokens', so that `encode_tokens` can be asked."""
        return self.encoder.pools_by_mean

    def encode_tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """Return the tokens of each text, turned and cut: the direction of their sum stays that of the text."""
        turned = [(one.vectors @ self.reduction.rotation, one.places) for one in self.encoder.encode_tokens(texts)]
        return [Tokens(vectors, places) for vectors, places in turned]


def reduced(encoder: Encoder, reduction: Reduction | None) -> Encoder:
    """Return the encoder as a release uses it: reduced where the release is.

    Raises:
        EncoderMismatch: see `ReducedEncoder`.
    """
    return encoder if reduction is None else ReducedEncoder(encoder, reduction)


def space_of(manifest: dict[str, Any]) -> str:
    """Return the fingerprint of the encoder as a release of any format uses it: vectors of one space compare."""
    return str(manifest.get("vectors", {}).get("space") or manifest["encoder"]["fingerprint"])


def has_full_vectors(manifest: dict[str, Any]) -> bool:
    """Return whether a release of any format holds the encoder's own vectors, whole and in float32."""
    record = manifest.get("vectors", {"rotation": None, "precision": "float32"})
    return record["rotation"] is None and record["precision"] == "float32"
