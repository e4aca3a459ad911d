"""What the server does in numbers, for Prometheus. No label ever holds what someone typed, an id or a path."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable
from functools import cache as remembered
from functools import partial
from typing import TypedDict, cast

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from search.request import SearchResults
from search.watch import Watch
from web import __version__
from web.api.openapi import operation_of
from web.asking import Surface, searched
from web.caching import uncached
from web.live import EngineProvider
from web.serving.admission import Admission
from web.serving.workers import Workers

metrics = Blueprint("metrics", __name__)
# Seconds. A cached answer takes 1 ms, a new search some 20, one that waited for others half a second.
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
BATCHES = (1, 2, 3, 4, 6, 8, 16, 32)


class State(TypedDict):
    """What is so in one process; `at_work` and `queued` are requests by lane."""

    at_work: dict[str, int]
    queued: dict[str, int]
    is_ready: bool
    release: str
    encoder: str
    products: int
    stands_in: bool
    sequence: int
    is_unreadable: bool


class Metrics(Watch):
    """The server's counters and histograms in a registry of their own, so that two apps do not add up.

    Of several processes each keeps its own in a file by its number, so that one that takes another's place counts on,
    and whoever is asked adds up all files (prometheus_client's multiprocess mode).

    Args:
        app: whose admission and live engine are read when the numbers are asked for.
        workers: the processes that serve it.

    Attributes:
        registry: of what is told.
    """

    def __init__(self, app: Flask, workers: Workers):
        self._app = app
        if workers.folder is not None:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(workers.folder)
            values.ValueClass = values.MultiProcessValue(lambda: workers.number)
        new = CollectorRegistry()
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
        # Each label's own counter, found at once: `labels` costs ten times as much.
        self._requests, self._seconds = remembered(self.requests.labels), remembered(self.seconds.labels)
        self._waited, self._searches = remembered(self.waited.labels), remembered(self.searches.labels)
        self._stages, self._caches = remembered(self.stages.labels), remembered(self.caches.labels)
        self.registry = new
        if workers.folder is not None:
            self.registry = CollectorRegistry()
            MultiProcessCollector(self.registry, str(workers.folder))
        else:
            GCCollector(registry=new)
        self.registry.register(_State(self.state, workers))
        self.registry.register(_Processes(workers))

    def state(self) -> State:
        """Return what is so now in this process."""
        admission: Admission = self._app.extensions["aisle.admission"]
        provider: EngineProvider = self._app.extensions["aisle.engine"]
        engine = provider.engine  # not get(): a scrape opens nothing
        release = engine.release if engine is not None else None
        return {
            "at_work": {lane.name: lane.at_work for lane in admission.lanes},
            "queued": {lane.name: lane.queued for lane in admission.lanes},
            "is_ready": engine is not None and engine.encoder.is_ready,
            "release": release.name if release else "",
            "encoder": release.manifest["encoder"]["fingerprint"] if release else "",
            "products": release.rows if release else 0,
            "stands_in": bool(provider.trouble),
            "sequence": release.sequence if release else 0,
            "is_unreadable": bool(provider.changes_failure),
        }

    def encoded(self, texts: int, seconds: float) -> None:
        """Count a call of the encoder."""
        self.encode.observe(seconds)
        self.batches.observe(texts)

    def looked_up(self, cache: str, hits: int, misses: int) -> None:
        """Count what a cache had."""
        hit, miss = self._caches(cache, "hit"), self._caches(cache, "miss")  # each is told of from the first, as 0
        if hits:
            hit.inc(hits)
        if misses:
            miss.inc(misses)

    def switched(self) -> None:
        """Count a release that took another's place."""
        self.switches.inc()

    def not_opened(self) -> None:
        """Count a release that could not be opened."""
        self.open_failures.inc()

    def count_search(self, results: SearchResults, surface: Surface) -> None:
        """Count a search and the time its stages took."""
        self._searches(surface, results.mode, results.confidence).inc()
        if results.query["corrected"]:
            self.corrected.inc()
        if results.degraded:
            self.degraded.labels(results.degraded).inc()
        for stage, milliseconds in results.timings_ms.items():
            self._stages(stage).observe(milliseconds / 1000)

    def count_request(self, response: Response) -> Response:
        """Count an answer; connected last, so that it runs first: compression comes after."""
        name = _name(current_app, request.endpoint)
        of_request = g._get_current_object()
        self._requests(name, f"{response.status_code // 100}xx").inc()
        self._seconds(name).observe(time.perf_counter() - of_request.started)
        if "lane" in of_request:
            self._waited(of_request.lane.name).observe(of_request.waited)
        if "refused" in of_request:
            self.refused.labels(of_request.refused).inc()
        return response


def _name(app: Flask, endpoint: str | None) -> str:
    """Return what a request is called: an operation of the API, a page, or "unmatched"."""
    stated = operation_of(app, endpoint)
    return stated.id if stated else endpoint or "unmatched"


class _State(Collector):
    """What is so at the moment of asking; of other processes, as they told within the last second."""

    def __init__(self, state: Callable[[], State], workers: Workers):
        self._state, self._workers = state, workers

    def collect(self) -> Iterable[Metric]:
        """Give the gauges."""
        build = GaugeMetricFamily("aisle_build_info", "The program", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        own = self._state()
        states = [own, *cast(list[State], self._workers.others())]
        at_work = GaugeMetricFamily("aisle_requests_at_work", "Requests at work", labels=["lane"])
        queued = GaugeMetricFamily("aisle_requests_queued", "Requests that wait", labels=["lane"])
        for lane in own["at_work"]:
            at_work.add_metric([lane], sum(one["at_work"][lane] for one in states))
            queued.add_metric([lane], sum(one["queued"][lane] for one in states))
        yield at_work
        yield queued
        ready = sum(one["is_ready"] for one in states)
        # One that begins takes no searches before it is ready, unless none is.
        yield GaugeMetricFamily("aisle_encoder_ready", "Whether searches are answered by meaning", value=int(ready > 0))
        yield GaugeMetricFamily("aisle_processes_ready", "Processes that answer by meaning", value=ready)
        info = GaugeMetricFamily("aisle_release_info", "The live release", labels=["release", "encoder"])
        for release, encoder in dict.fromkeys((one["release"], one["encoder"]) for one in states if one["release"]):
            info.add_metric([release, encoder], 1)
        yield info
        rows = GaugeMetricFamily("aisle_release_products", "Products of the live release")
        if own["release"]:
            rows.add_metric([], own["products"])
        yield rows
        text = "Whether an earlier release answers because the live one cannot be opened"
        yield GaugeMetricFamily("aisle_release_stands_in", text, value=any(one["stands_in"] for one in states))
        # The least: it is in every answer.
        text = "Last change of prices and stock that is served"
        yield GaugeMetricFamily("aisle_changes_sequence", text, value=min(one["sequence"] for one in states))
        text = "Whether changes cannot be read"
        yield GaugeMetricFamily("aisle_changes_unreadable", text, value=any(one["is_unreadable"] for one in states))


class _Processes(Collector):
    """The library's numbers of a process, added up over all of them; memory that they share is in each one's."""

    def __init__(self, workers: Workers):
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        """Give processor time, memory and files of all processes, the start of the first and the limit of one."""
        found: dict[str, list[Metric]] = {}
        for pid in self._workers.pids or [os.getpid()]:
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                found.setdefault(metric.name, []).append(metric)
        for name, metrics in found.items():
            merged = min if name in ("process_start_time_seconds", "process_max_fds") else sum
            (sample,) = metrics[0].samples
            metrics[0].samples = [sample._replace(value=merged([one.samples[0].value for one in metrics]))]
            yield metrics[0]


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
