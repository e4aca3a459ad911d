"""STORY 1: catalog -> release on disk. Each step is one plainly named call; nothing is live until the last."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from indexer.boilerplate import boilerplate_of, without_boilerplate
from indexer.calibration import background_of, calibrate, foreign_queries
from indexer.catalog import open_catalog
from indexer.clustering import ClusterSettings, cluster_products, former_clusters, kept_clusters
from indexer.counted_words import Lender, counted_words
from indexer.decision import choose_encoder
from indexer.dense_index import titles_of
from indexer.embeddings import embed, text_hashes
from indexer.groundwork import UNTOLD, groundwork
from indexer.keeping import kept_of
from indexer.measuring import measure
from indexer.positions import map_positions, placed
from indexer.progress import Progress
from indexer.publishing import BuildResult, publish
from indexer.reading import read_judged, read_products
from indexer.releases import build_lock, disk_errors_told, new_staging, seal
from indexer.report import Subject, kept_findings, knowledge_of, write_report
from indexer.rows import HELD, StoredProducts, looking_for_garbage_seldom
from indexer.serving import prepare_to_serve
from indexer.settings import BuildSettings
from indexer.shown import write_shown
from indexer.storage import expect_storable, stored, vectors_place
from indexer.training.language import warn_language
from search.categories import CategoryIndex
from search.codes import codes_of
from search.confidence import Confidence
from search.encoder import SentenceTransformerEncoder, file_sha256, open_encoder
from search.home import Home, Layout
from search.lexical import LexicalSettings
from search.passages import categories_are_kinds, texts_of
from search.product import Product
from search.release import FORMAT, read_manifest
from search.releases import live_or_none
from search.state.changes import ChangeLog
from search.store import ProductStore
from search.understanding import Interpreter

RECORDED_VERSIONS = ("faiss-cpu", "sentence-transformers", "torch", "numpy", "bm25s")


def build(
    settings: BuildSettings,
    home: Home,
    progress: Progress,
    open_base: Callable[[str], SentenceTransformerEncoder] = open_encoder,
) -> BuildResult:
    """Make a release of a catalog file and, unless refused or not wanted, make it live.

    Args:
        settings: everything that decides the release.
        home: where it goes, and where earlier releases, encoders and unfinished work are found.
        progress: told of every stage.
        open_base: returns the encoder that `settings.model` names.

    Raises:
        CatalogError: the file cannot be read, or too many rows were rejected (TooManyRejected).
        EncoderError: the encoder is not there or damaged.
        BuildRefused: the release is complete but was not made live; the message says why and how to override.
        DiskError: the disk is full, read-only or failing.
    """
    with ExitStack() as stack:
        stack.enter_context(disk_errors_told(home, lambda: progress.now))
        stack.enter_context(build_lock(home))
        stack.enter_context(looking_for_garbage_seldom())
        live = live_or_none(home)
        staging = new_staging(home)
        base = open_base(settings.model)
        sequence = known_changes(home, live, settings.keep_changes)  # before the catalog is read: it knows no later one

        with progress.stage("reading the catalog"):
            catalog = open_catalog(settings.catalog_path, settings.catalog)
            store = ProductStore(staging.products, writable=True)
            held: list[Product] = []
            reading = read_products(catalog, store, staging, settings.max_rejected, progress, held)
            listed = held or StoredProducts(store)
            boilerplate = boilerplate_of(listed)
            products = without_boilerplate(listed, boilerplate)
        if (settings.dim, settings.precision) != (None, "float32"):
            expect_storable(settings.dim, settings.precision, base.dim, len(products))
        ahead = stack.enter_context(groundwork(products, listed))
        texts = texts_of(products)
        hashes = text_hashes(texts)

        with progress.stage("choosing the encoder"):
            judged = read_judged(settings.queries_path, settings.judgments_path)
            choice = choose_encoder(settings, home, base, products, hashes, judged, live, progress.step)
            progress.say(f"  {choice.report['reason']}")
        with progress.stage("embedding"):
            full = choice.encoder.dim
            place_of = stack.enter_context(vectors_place(home, staging, settings.dim, settings.precision, full))
            embedded = embed(texts, hashes, choice.encoder, home, place_of, progress.step, live)
            spoken = ahead.take("language")
            language, warning = spoken[0] or UNTOLD, warn_language(spoken, base)
            warnings = list(dict.fromkeys([*([warning] if warning else []), *choice.report.get("warnings", [])]))
            former = former_clusters(live, store.ids(), hashes)
            same = {
                "language": language, "vectors.precision": settings.precision,
                "settings.ranking": settings.as_json()["ranking"],
            }  # fmt: skip
            kept = kept_of(live, former, same)
            vectors = stored(
                embedded, choice.encoder, settings.dim, settings.precision, live,
                titles_of(products), settings.recall, None if kept is None else kept.manifest,
            )  # fmt: skip
            if kept is not None and kept.manifest["vectors"]["space"] != vectors.record["space"]:
                kept = None
            vectors.save(staging)
            vectors = vectors.reopened(staging)
            np.save(staging.text_hashes, hashes)
            np.save(staging.decided_on, choice.decided_on)
        with progress.stage("preparing the encoder to serve"):
            passages = [text.passage for text in texts]
            serving = prepare_to_serve(
                choice.encoder, home, settings.catalog_path.name, passages, vectors.first_rows, live
            )
            if serving["runtime"] == "torch":
                warnings.append(f"a server will need torch for this encoder: {serving['reason']}")
            elif serving["runtime"] == "onnx" and not serving["eight_bits"]["adopted"]:
                progress.say(f"  it serves in float32, not in eight bits: {serving['eight_bits']['reason']}")
        del texts, passages
        with progress.stage("indexing words and facets"):
            weighing = LexicalSettings(language=language)
            lexical, stated_terms, counted = counted_words(
                products, weighing, Lender.of(live, weighing), ahead.take("titles")
            )
            facets, group_of = ahead.take("facets")
            lexical.save(staging.lexical)
            counted.save(staging.lexical)
            facets.save(staging.facets)
            CategoryIndex.build(vectors.embeddings, facets).save(staging.categories)
            words = choice.encoder.words()
            Interpreter.build(products, facets, lexical, words, stated_terms, ahead.take("words")).save(
                staging.understanding
            )
            store.write_suggestions(ahead.take("suggestions"))
            store.write_codes((code, row, own) for row, one in enumerate(products) for code, own in codes_of(one))
            np.save(staging.groups, group_of)
            analyzer, borrowed = lexical.analyzer, counted.borrowed
            lexical = lexical.reopened(staging.lexical)
            del counted, stated_terms, facets
            write_shown(staging, listed, boilerplate, analyzer, borrowed, live)
        with progress.stage("asking what it cannot answer"):
            if kept is not None:
                confidence = Confidence.load(kept.layout.confidence)
                background = confidence.background
            else:
                background = background_of(vectors.encoder, home)
                confidence = calibrate(
                    foreign_queries(), vectors.encoder, vectors.dense, vectors.segments, lexical, background
                )
            confidence.save(staging.confidence)
            vectors, lexical = vectors.reopened(staging), lexical.reopened(staging.lexical)  # what was read is let go
        with progress.stage("clustering"):
            clustering = None
            grouping, fingerprint = ClusterSettings(language=language), choice.encoder.fingerprint
            if former is not None and kept is not None and former.holds(fingerprint, asdict(grouping)):
                looked_at = int(kept.manifest["sampled"]["clusters"])
                clustering = kept_clusters(former, vectors.embeddings, group_of, looked_at)
            if clustering is None:
                clustering = cluster_products(
                    vectors.embeddings, products, lexical, grouping, former, fingerprint, vectors.encoder.encode_queries
                )
            clustering.save(staging.clusters)
        with progress.stage("laying out the map"):
            if former is not None and clustering.is_kept:
                positions = placed(vectors.embeddings, former.positions, progress.step)
            else:
                positions = map_positions(vectors.embeddings, clustering.levels(), progress.step)
            np.save(staging.clusters / "positions.npy", positions)
        rows, has_kinds = store.count, categories_are_kinds(products)
        store.finish()
        if isinstance(listed, StoredProducts):
            listed = StoredProducts(ProductStore(staging.products))

        encoder = choice.record(full, embedded.precision, embedded.parity)
        manifest: dict[str, Any] = {
            "format": FORMAT, "rows": rows, "dim": vectors.dense.dim, "language": language,
            "catalog": {**reading, "name": settings.catalog_path.name, "sha256": file_sha256(settings.catalog_path)},
            "sequence": sequence, "encoder": {**encoder, "serving": serving}, "vectors": vectors.record,
            "encoded": embedded.encoded,
            "passages": {"categories_are_kinds": has_kinds, "boilerplate": sorted(boilerplate)},
            "training": choice.report, "settings": settings.as_json(), "warnings": warnings,
            "sampled": {"clusters": clustering.looked_at, "most": HELD},
            "kept": None if kept is None else kept.as_json(),
            "confidence": asdict(confidence.calibration), "metrics": None, "ranker": None,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in RECORDED_VERSIONS}},
        }  # fmt: skip
        worse = ""
        if judged is not None:
            with progress.stage("measuring"):
                measured, worse = measure(staging, manifest, judged, home, live, progress)
            manifest |= measured
            progress.say(f"  {manifest['ranker']['reason']}")
        with progress.stage("writing the report"):
            found = None if kept is None else kept_findings(kept.layout.report, kept.since)
            if found is None:
                labels = {cluster.id: cluster.label for cluster in clustering.clusters}
                subject = Subject.of(
                    listed, vectors.embeddings, group_of, clustering.cluster_of, labels,
                    vectors.encoder, background, language,
                )  # fmt: skip
                write_report(staging.report, manifest, knowledge_of(subject, progress.step))
            else:
                write_report(staging.report, manifest, kept=found)
        progress.now = "publishing the release"
        newest = max((layout.name for layout in home.all_releases()), default="")
        manifest = seal(staging, {**manifest, "seconds": progress.seconds}, newest)
        return publish(staging, manifest, embedded, settings, home, live, worse)


def known_changes(home: Home, live: Layout | None, keep: bool) -> int:
    """Return the number of the last change of prices and stock that a catalog read now knows of.

    Args:
        keep: whether it knows of none but those that the live release's catalog knew.

    Raises:
        ChangesUnavailable: it cannot be told.
    """
    before = read_manifest(live).get("sequence", 0) if live is not None else 0
    return int(before) if keep else max(int(before), ChangeLog(home.changes).sequence)
