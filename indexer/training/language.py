"""Is the catalog written in a language the encoder was made for?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from search.encoder import BASE_WEIGHTS_SHA256, file_sha256
from search.product import Product

SAMPLE = 300  # products looked at, spread evenly over the catalog
CHUNK = 240  # characters a guess is made from; shorter texts are too often misjudged
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"


class HasFolder(Protocol):
    """An encoder that lies in a folder."""

    name: str
    folder: Path


def main_language(products: Sequence[Product]) -> tuple[str, float]:
    """Return (ISO 639-1 code, its share 0..1) of the catalog's most frequent language; ("", 0.0) without words."""
    from py3langid import classify  # answers zxx where there are no words

    found = Counter(code for code in (classify(chunk)[0] for chunk in _chunks(products)) if code != "zxx")
    if not found:
        return "", 0.0
    code, count = min(found.items(), key=lambda item: (-item[1], item[0]))
    return code, count / found.total()


def warn_language(language: tuple[str, float], base: HasFolder) -> str | None:
    """Return a sentence for people when the catalog is not English but the encoder is the English default.

    Args:
        language: `main_language` of the catalog.
        base: the encoder.
    """
    weights = base.folder / "model.safetensors"
    if not weights.is_file() or file_sha256(weights) != BASE_WEIGHTS_SHA256:
        return None  # someone chose this encoder with --model and knows why
    code, share = language
    if code in {"", "en"} or share < 0.5:
        return None
    return (
        f'The catalog reads like language "{code}" ({share:.0%} of a sample), but the encoder {base.name} was made for '
        f"English and will understand little of it. Build with a multilingual one: --model {MULTILINGUAL}"
    )


def _chunks(products: Sequence[Product]) -> list[str]:
    """Return texts of about CHUNK characters from an even sample; short products are read together."""
    step = max(1, len(products) // SAMPLE)
    chunks, pending = [], ""
    for product in products[::step]:
        pending += f"{product.title}. {product.description[:CHUNK]} "
        if len(pending) >= CHUNK:
            chunks.append(pending)
            pending = ""
    return chunks or [pending] * bool(pending)
