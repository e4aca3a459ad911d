"""Catalogs of any size whose vectors need no encoding: python bench/synthetic.py ROWS HOME [--seed N] [--only-csv]

Every product descends from one of the sample catalog and borrows from two others of it: title words, sentences,
attributes and, in the same shares, the vectors that the base encoder gave them, plus noise with the sample's own
covariance. So texts have the length and the words of real ones, facets have few and many values, groups of variants
stand together, and the vectors have the geometry that the base encoder's queries meet. Everything follows from the seed
and the number of the product, which its `model` attribute tells to the stand-in encoder.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer.catalog import CatalogSettings, Notes, Rejection, open_catalog
from indexer.embeddings import choose_precision
from indexer.pipeline import build
from indexer.progress import Progress
from indexer.serving import prepare_to_serve
from indexer.settings import BuildSettings
from search.arrays import Floats, Rows, best_rows, unit_rows
from search.encoder import open_encoder
from search.home import Home
from search.passages import SENTENCE_END, texts_of
from search.product import Product

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 1000  # products that are drawn together
# Of every ten products, the first of each one's group: variants of four, of two, and four alone.
FIRSTS = np.arange(0, BLOCK, 10).repeat(10) + np.tile([0, 0, 0, 0, 4, 4, 6, 7, 8, 9], BLOCK // 10)
SHARES = (0.62, 0.25, 0.13)  # of the parent and the two donors in a vector
NOISE, VARIANT_NOISE = 0.35, 0.1  # length of the noise beside a unit vector: of an item, and of each variant of it
MARK = re.compile(r"\bmodel: qx(\d{7})\b", re.IGNORECASE)
SYLLABLES = ("ba be bo ca ce da de fa fe ga go ha he ka ke la le lo ma me mo na ne no pa pe ra re ro sa se so ta te to "
             "va ve wa we ya zo").split()  # fmt: skip
COLORS = ("black", "white", "grey", "navy", "red", "green", "sage", "beige", "brown", "yellow", "pink", "teal")
SIZES = ("XS", "S", "M", "L", "XL", "XXL")
COLUMNS = ("id", "title", "description", "category", "brand", "price", "currency", "availability", "rating",
           "rating_count", "group_id", "created_at", "model", "color", "size", "material", "series")  # fmt: skip


class Synthetic:
    """A seeded catalog: products and vectors by number.

    Args:
        rows: how many products.
        seed: another one gives another catalog.
    """

    def __init__(self, rows: int, seed: int = 0):
        self.rows, self.seed = rows, seed

    @cached_property
    def parents(self) -> list[Product]:
        """The products of the sample catalog, one of each group."""
        catalog = open_catalog(ROOT / "catalog" / "products.csv", CatalogSettings())
        found = [product for _, product in catalog.read(Notes()) if not isinstance(product, Rejection)]
        return list({product.group_id or product.id: product for product in found}.values())

    @cached_property
    def base(self) -> Any:
        """The base encoder, which encodes queries and what is no product's passage."""
        return open_encoder()

    @cached_property
    def parent_vectors(self) -> Floats:
        """(p, d) float32 unit rows, the base encoder's of the parents; kept beside the bench homes."""
        kept = ROOT / "instance" / "bench" / f"parents-{self.base.fingerprint}.npy"
        texts = [text.passage for text in texts_of(self.parents)]
        if not kept.is_file() or len(np.load(kept)) != len(texts):
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, self.base.encode_passages(texts))
        return np.asarray(np.load(kept), np.float32)

    def first_parents(self, queries: Floats, count: int) -> list[Rows]:
        """Return the parents nearest to each of (q, d) vectors, nearest first."""
        return [best_rows(scores, count) for scores in queries @ self.parent_vectors.T]

    @cached_property
    def _spread(self) -> Floats:
        """(d, d) float32: standard normal numbers times this have the parents' covariance, and length 1 on average."""
        centred = self.parent_vectors - self.parent_vectors.mean(axis=0)
        values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
        return ((axes * np.sqrt(np.maximum(values, 0) / values.sum())).T).astype(np.float32)

    @lru_cache(maxsize=2048)  # noqa: B019 - one catalog a process
    def _kin(self, block: int) -> NDArray[np.int16]:
        """Return (BLOCK, 3) the parent and the donors of a block's products; variants have the same."""
        random = np.random.default_rng((self.seed, block, 1))
        count = len(self.parents)
        order = np.random.default_rng(self.seed).permutation(count)
        weights = 1 / (10 + np.arange(count))  # some kinds of things are sold in a hundred forms, most in a few
        return random.choice(order, size=(BLOCK, 3), p=weights / weights.sum())[FIRSTS].astype(np.int16)

    def vectors(self, numbers: Sequence[int]) -> Floats:
        """Return (n, d) float32 unit rows of products by number."""
        kin = np.stack([self._kin(number // BLOCK)[number % BLOCK] for number in numbers])
        items = [_item(number) for number in numbers]
        mixed = unit_rows(np.einsum("k,nkd->nd", np.array(SHARES, np.float32), self.parent_vectors[kin]))
        return unit_rows(mixed + NOISE * self._noise(items, 2) + VARIANT_NOISE * self._noise(numbers, 6))

    def _noise(self, numbers: Sequence[int], stream: int) -> Floats:
        """Return (n, d) float32 noise of length 1 on average, of each number its own."""
        size = len(self._spread)
        normal = [
            np.random.default_rng((self.seed, number, stream)).standard_normal(size, np.float32) for number in numbers
        ]
        return np.asarray(np.stack(normal) @ self._spread, np.float32)

    def records(self, first: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the products as rows of a CSV file, from a number on."""
        for number in range(first, self.rows):
            yield self.record(number)

    def record(self, number: int) -> dict[str, Any]:
        """Return one product as a row of a CSV file."""
        block, place = divmod(number, BLOCK)
        item = _item(number)
        parent, donor, other = (self.parents[one] for one in self._kin(block)[place].tolist())
        random = np.random.default_rng((self.seed, item, 3))
        own = np.random.default_rng((self.seed, number, 4))
        maker = _word(int(300 * random.random() ** 3))
        words = parent.title.split(",")[0].split()
        words[0] = _word(300 + int(random.integers(20_000))).capitalize()  # the name of the thing
        words[-1:-1] = [donor.title.split(",")[0].split()[-2].lower()]
        has_variants = place % 10 < 6
        color, size = COLORS[int(own.integers(12) * own.random())], SIZES[int(own.integers(6))]
        title = " ".join(words) + (f", {color}, {size}" if has_variants else f" QX{number:07d}" if place % 3 else "")
        sentences = [sentence for one in (parent, donor, other) for sentence in SENTENCE_END.split(one.description)]
        taken = sorted(
            random.choice(len(sentences), size=min(len(sentences), 3 + int(random.integers(4))), replace=False)
        )
        price = (parent.price or 20.0) * float(np.exp(random.normal(0, 0.5)))
        availability = "in_stock" if own.random() < 0.9 else "out_of_stock"
        return {
            "id": f"S-{number:07d}", "title": title, "description": " ".join(sentences[one] for one in taken),
            "category": " > ".join(parent.category), "brand": maker.capitalize(), "price": f"{price:.2f}",
            "currency": "USD", "availability": availability, "rating": f"{3 + 2 * random.random():.1f}",
            "rating_count": int(random.integers(900)), "group_id": f"G-{item:07d}" if has_variants else "",
            "created_at": f"20{15 + item % 11:02d}-{1 + item % 12:02d}-{1 + item % 28:02d}",
            "model": f"QX{number:07d}", "color": color, "size": size if has_variants else "",
            "material": next(iter(parent.attributes.get("material", ())), ""),
            "series": _word(int(random.integers(400))),
        }  # fmt: skip

    def queries(self, count: int, seed: int = 1) -> list[str]:
        """Return so many different query texts of two to five words, as people would ask for these products."""
        random = np.random.default_rng((self.seed, seed, 5))
        texts: dict[str, None] = {}
        while len(texts) < count:
            parent, donor = (self.parents[one] for one in random.integers(len(self.parents), size=2))
            words = [word.strip(",.()").lower() for word in parent.title.split(",")[0].split()[1:]]
            words = words[-int(random.integers(1, 4)) :]
            extra = [COLORS[int(random.integers(12))], *donor.title.lower().split(",")[0].split()[1:2]]
            texts[" ".join([*extra[: int(random.integers(1, 3))], *words])] = None
        return list(texts)

    def write(self, path: Path) -> None:
        """Write the catalog as a CSV file."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.records())


class StandInEncoder:
    """The base encoder, but for the passages of a synthetic catalog, whose vectors are known."""

    def __init__(self, catalog: Synthetic):
        self.catalog, self.base = catalog, catalog.base

    def __getattr__(self, name: str) -> Any:
        return getattr(self.base, name)

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Return (n, d) float32 unit rows; texts that are no synthetic passage are really encoded."""
        found = [MARK.search(text) for text in texts]
        vectors = np.zeros((len(texts), self.base.dim), np.float32)
        known = [place for place, mark in enumerate(found) if mark]
        if known:
            vectors[known] = self.catalog.vectors([int(mark[1]) for mark in found if mark])
        others = [place for place, mark in enumerate(found) if not mark]
        if others:
            with self.base.computing_in(self._precision):
                vectors[others] = self.base.encode_passages([texts[place] for place in others])
        return vectors

    @cached_property
    def _precision(self) -> str:
        """That in which a build would encode with the base encoder on this machine."""
        return choose_precision(self.base, [parent.title for parent in self.catalog.parents[:8]])[0]

    def encode_segmented(self, passages: Sequence[str]) -> tuple[Floats, list[Floats]]:
        """Return the vectors of the passages and, near them, one for each of their segments."""
        vectors = self.encode_passages(passages)
        random = np.random.default_rng(len(passages))
        counts = [len(spans) for spans in self.base.segments_read(passages)]
        noise = random.standard_normal((sum(counts), self.base.dim), np.float32) @ self.catalog._spread
        segments = unit_rows(np.repeat(vectors, counts, axis=0) + noise)
        return vectors, np.split(segments, np.cumsum(counts)[:-1])


def _item(number: int) -> int:
    """Return the number of the first of a product's variants."""
    return number // BLOCK * BLOCK + int(FIRSTS[number % BLOCK])


def _word(number: int) -> str:
    """Return a made-up word, one of its own for each number."""
    letters = []
    for _ in range(3):
        number, place = divmod(number, len(SYLLABLES))
        letters.append(SYLLABLES[place])
    return "".join(letters)


def build_synthetic(rows: int, home: Path, seed: int = 0) -> Path:
    """Build a synthetic catalog into a home unless it holds one of that size; return its CSV file."""
    catalog = Synthetic(rows, seed)
    path = home / f"synthetic-{rows}.csv"
    home.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        aside = path.with_suffix(".partial")
        catalog.write(aside)
        aside.replace(path)
    encoder: Any = StandInEncoder(catalog)
    if not Home(home).current.is_file():
        # Queries meet the base encoder, so its ONNX form is proven on passages that it really encodes.
        proven = [text.passage for text in texts_of(catalog.parents)]
        serving = prepare_to_serve(catalog.base, Home(home), path.name, proven, catalog.first_parents, None)
        with patch("indexer.pipeline.prepare_to_serve", lambda *_: serving):  # a mock would keep every passage
            build(BuildSettings(catalog_path=path, train="never"), Home(home), Progress(), lambda _: encoder)
    return path


def main() -> None:
    """Write and build one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("home", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-csv", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    if options.only_csv:
        options.home.mkdir(parents=True, exist_ok=True)
        Synthetic(options.rows, options.seed).write(options.home / f"synthetic-{options.rows}.csv")
    else:
        build_synthetic(options.rows, options.home, options.seed)
    print(f"{options.rows:,} products in {time.perf_counter() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
