"""What the server does in numbers, for Prometheus. No label ever holds what someone typed, an id or a path."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from search.request import SearchResults
from search.watch import Watch
from web import __version__
from web.api.openapi import operation_of
from web.asking import Surface, searched
from web.caching import uncached
from web.live import EngineProvider
from web.serving.admission import Admission

metrics = Blueprint("metrics", __name__)
# Seconds. A cached answer takes 1 ms, a new search some 20, one that waited for others half a second.
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
BATCHES = (1, 2, 3, 4, 6, 8, 16, 32)


class Metrics(Watch):
    """The server's counters and histograms in a registry of their own, so that two apps do not add up.

    Args:
        app: whose admission and live engine are read when the numbers are asked for.
    """

    def __init__(self, app: Flask):
        self.registry = new = CollectorRegistry()
        self.requests = Counter("aisle_requests", "Requests answered", ["operation", "status"], registry=new)
        self.seconds = Histogram(
            "aisle_request_seconds", "From a request's first line to its answer, waiting included", ["operation"],
            buckets=REQUEST_SECONDS, registry=new,
        )  # fmt: skip
        self.waited = Histogram(
            "aisle_wait_seconds",
            "What requests that were let in waited for",
            ["lane"],
            buckets=STAGE_SECONDS,
            registry=new,
        )
        self.refused = Counter("aisle_refused", "Requests refused before any work", ["reason"], registry=new)
        self.searches = Counter("aisle_searches", "Searches answered", ["surface", "mode", "confidence"], registry=new)
        self.corrected = Counter("aisle_searches_corrected", "Searches whose spelling was corrected", registry=new)
        self.degraded = Counter("aisle_searches_degraded", "Searches answered by words alone", ["reason"], registry=new)
        self.stages = Histogram(
            "aisle_search_stage_seconds", "Stages of a search", ["stage"], buckets=STAGE_SECONDS, registry=new
        )
        self.encode = Histogram("aisle_encode_seconds", "One call of the encoder", buckets=STAGE_SECONDS, registry=new)
        self.batches = Histogram(
            "aisle_encode_texts", "Query texts in one call of the encoder", buckets=BATCHES, registry=new
        )
        self.caches = Counter("aisle_cache", "What caches had and had not", ["cache", "result"], registry=new)
        self.switches = Counter("aisle_release_switches", "Releases that took another's place", registry=new)
        self.open_failures = Counter("aisle_release_open_failures", "Releases that could not be opened", registry=new)
        self.registry.register(_State(app))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def encoded(self, texts: int, seconds: float) -> None:
        """Count a call of the encoder."""
        self.encode.observe(seconds)
        self.batches.observe(texts)

    def looked_up(self, cache: str, hits: int, misses: int) -> None:
        """Count what a cache had."""
        self.caches.labels(cache, "hit").inc(hits)
        self.caches.labels(cache, "miss").inc(misses)

    def switched(self) -> None:
        """Count a release that took another's place."""
        self.switches.inc()

    def not_opened(self) -> None:
        """Count a release that could not be opened."""
        self.open_failures.inc()

    def count_search(self, results: SearchResults, surface: Surface) -> None:
        """Count a search and the time its stages took."""
        self.searches.labels(surface, results.mode, results.confidence).inc()
        if results.query["corrected"]:
            self.corrected.inc()
        if results.degraded:
            self.degraded.labels(results.degraded).inc()
        for stage, milliseconds in results.timings_ms.items():
            self.stages.labels(stage).observe(milliseconds / 1000)

    def count_request(self, response: Response) -> Response:
        """Count an answer; connected last, so that it runs first: compression comes after."""
        name = _name(current_app, request.endpoint)
        self.requests.labels(name, f"{response.status_code // 100}xx").inc()
        self.seconds.labels(name).observe(time.perf_counter() - g.started)
        if "lane" in g:
            self.waited.labels(g.lane.name).observe(g.waited)
        if "refused" in g:
            self.refused.labels(g.refused).inc()
        return response


def _name(app: Flask, endpoint: str | None) -> str:
    """Return what a request is called: an operation of the API, a page, or "unmatched"."""
    stated = operation_of(app, endpoint)
    return stated.id if stated else endpoint or "unmatched"


class _State(Collector):
    """What is so at the moment of asking: nothing has to be kept up to date."""

    def __init__(self, app: Flask):
        self._app = app

    def collect(self) -> Iterable[Metric]:
        """Give the gauges."""
        build = GaugeMetricFamily("aisle_build_info", "The program", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        admission: Admission = self._app.extensions["aisle.admission"]
        for name, text in (("at_work", "Requests at work"), ("queued", "Requests that wait")):
            family = GaugeMetricFamily(f"aisle_requests_{name}", text, labels=["lane"])
            for lane in admission.lanes:
                family.add_metric([lane.name], getattr(lane, name))
            yield family
        provider = self._app.extensions["aisle.engine"]
        engine = provider.engine  # not get(): a scrape opens nothing
        ready = engine is not None and engine.encoder.is_ready
        yield GaugeMetricFamily("aisle_encoder_ready", "Whether searches are answered by meaning", value=int(ready))
        info = GaugeMetricFamily("aisle_release_info", "The live release", labels=["release", "encoder"])
        rows = GaugeMetricFamily("aisle_release_products", "Products of the live release")
        if engine is not None:
            info.add_metric([engine.release.name, engine.release.manifest["encoder"]["fingerprint"]], 1)
            rows.add_metric([], engine.release.rows)
        yield info
        yield rows
        text = "Whether an earlier release answers because the live one cannot be opened"
        yield GaugeMetricFamily("aisle_release_stands_in", text, value=int(bool(provider.trouble)))
        yield from _changes(provider)


def _changes(live: EngineProvider) -> Iterable[Metric]:
    """Give how far the changes of prices and stock were followed."""
    engine = live.engine
    sequence = engine.release.sequence if engine is not None else 0
    yield GaugeMetricFamily("aisle_changes_sequence", "Last change of prices and stock that is served", value=sequence)
    is_unreadable = int(bool(live.changes_failure))
    yield GaugeMetricFamily("aisle_changes_unreadable", "Whether changes cannot be read", value=is_unreadable)


def install(app: Flask, counted: Metrics) -> None:
    """Count every request and search of an app, and serve the numbers at /metrics."""

    def on_search(sender: Flask, results: SearchResults, surface: Surface, **_: object) -> None:
        counted.count_search(results, surface)

    app.extensions["aisle.metrics"] = counted
    app.extensions["aisle.metrics.on_search"] = on_search  # signals hold listeners weakly
    searched.connect(on_search, app)
    app.after_request(counted.count_request)
    app.register_blueprint(metrics)


@metrics.get("/metrics")
def numbers() -> Response:
    """Give every metric in the Prometheus text format, or OpenMetrics to whoever asks for that."""
    counted: Metrics = current_app.extensions["aisle.metrics"]
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    response = Response(encode(counted.registry), content_type=content_type)
    return uncached(response)
