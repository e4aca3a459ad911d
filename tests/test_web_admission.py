"""Who is let in: slots, a short queue in order, and an answer at once for everyone else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from test_web_live import eventually

from app import create_app
from search.engine import Engine
from web.live import FixedEngine
from web.serving.admission import Admission, Lane, Overloaded
from web.settings import Settings


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def test_so_many_enter_at_once_and_the_next_when_one_leaves_in_the_order_they_came() -> None:
    lane = Lane("x", 2, 3, 5.0)
    assert lane.enter() == lane.enter() == 0.0
    order: list[int] = []
    for place in range(3):
        in_thread(lambda place=place: (lane.enter(), order.append(place)))
        assert eventually(lambda place=place: lane.queued == place + 1)
    for entered in range(1, 4):
        lane.leave()
        assert eventually(lambda entered=entered: len(order) == entered)
    assert order == [0, 1, 2]
    lane.leave()
    lane.leave()
    assert (lane.at_work, lane.queued) == (0, 0)


def test_who_finds_the_queue_full_is_refused_at_once() -> None:
    lane = Lane("x", 1, 1, 5.0)
    lane.enter()
    waits = in_thread(lane.enter)
    assert eventually(lambda: lane.queued == 1)
    started = time.perf_counter()
    with pytest.raises(Overloaded) as refused:
        lane.enter()
    assert refused.value.reason == "queue_full"
    assert time.perf_counter() - started < 0.5
    lane.leave()
    waits.join(5)  # the slot is theirs now
    assert (lane.at_work, lane.queued) == (1, 0)


def test_nobody_waits_longer_than_the_deadline_and_their_place_is_free_again() -> None:
    lane = Lane("x", 1, 1, 0.1)
    lane.enter()
    for _ in range(2):
        started = time.perf_counter()
        with pytest.raises(Overloaded) as refused:
            lane.enter()
        assert refused.value.reason == "waited_too_long"
        assert time.perf_counter() - started >= 0.1
    lane.leave()
    assert lane.enter() == 0.0
    lane.leave()
    assert (lane.at_work, lane.queued) == (0, 0)


def test_slots_are_neither_lost_nor_made_when_many_come_go_and_give_up() -> None:
    lane = Lane("x", 3, 5, 0.002)
    most, at_work, lock = [0], [0], threading.Lock()
    outcomes: list[str] = []

    def visit() -> None:
        for _ in range(60):
            try:
                lane.enter()
            except Overloaded as refused:
                outcomes.append(refused.reason)
                continue
            with lock:
                at_work[0] += 1
                most[0] = max(most[0], at_work[0])
            time.sleep(0.001)
            with lock:
                at_work[0] -= 1
            lane.leave()
            outcomes.append("in")

    visitors = [in_thread(visit) for _ in range(12)]
    for one in visitors:
        one.join()
    assert len(outcomes) == 12 * 60
    assert {"in", "queue_full"} <= set(outcomes)
    assert most[0] <= 3
    assert (lane.at_work, lane.queued) == (0, 0)


def test_a_full_server_says_so_in_the_form_the_asker_reads_and_still_tells_how_it_is(shop: Engine) -> None:
    app = create_app(Settings(threads=1, deadline_ms=20, events=False), FixedEngine(shop))
    client = app.test_client()
    shop.encoder.vectors(["ready"])
    admission: Admission = app.extensions["aisle.admission"]
    admission.searches.enter()
    refused = client.get("/api/v1/search?q=cup")
    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
    assert (refused.get_json()["code"], refused.headers["Retry-After"]) == ("overloaded", "1")
    page = client.get("/search?q=cup")
    assert (page.status_code, page.mimetype, page.headers["Retry-After"]) == (503, "text/html", "1")
    assert page.headers["Content-Security-Policy"]
    for path in ("/healthz", "/readyz", "/metrics", "/api/v1/suggest?q=cu", "/static/css/base.css", "/api/v1/version"):
        assert client.get(path).status_code == 200, path
    admission.searches.leave()
    assert client.get("/api/v1/search?q=cup").status_code == 200


def test_a_full_server_still_answers_what_it_remembers_and_what_has_not_changed(shop: Engine) -> None:
    app = create_app(Settings(threads=1, deadline_ms=20, events=False), FixedEngine(Engine(shop.release, shop.encoder)))
    client, admission = app.test_client(), app.extensions["aisle.admission"]
    shop.encoder.vectors(["ready"])
    first = client.get("/api/v1/search?q=cup")
    client.get("/api/v1/search?q=mug&per_page=1")
    admission.searches.enter()
    again = client.get("/api/v1/search?q=cup")
    assert (again.status_code, again.get_json()["hits"]) == (200, first.get_json()["hits"])
    assert client.post("/api/v1/search", json={"q": "cup"}).status_code == 200
    assert client.get("/api/v1/search?q=boot", headers={"If-None-Match": "*"}).status_code == 503
    assert client.get("/api/v1/search?q=cup", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    for path in ("/api/v1/search?q=boot", "/api/v1/search?q=cup&page=2", "/search?q=cup"):
        assert client.get(path).status_code == 503, path
    assert client.get("/api/v1/search?page=0").status_code == 422  # nothing to wait for
    assert admission.searches.at_work == 1
    admission.searches.leave()
    assert client.get("/api/v1/search?q=boot").status_code == 200
    assert admission.searches.at_work == 0


@pytest.mark.parametrize("path", ["/api/v1/search?q=cup", "/api/v1/search?page=0", "/nothing", "/search?q=cup", "/"])
def test_every_answer_and_every_error_gives_its_slot_back(shop: Engine, path: str) -> None:
    app = create_app(Settings(threads=1, deadline_ms=20, events=False), FixedEngine(shop))
    for _ in range(5):
        assert app.test_client().get(path).status_code != 503
    assert app.extensions["aisle.admission"].searches.at_work == 0


def test_even_an_answer_that_fails_gives_its_slot_back() -> None:
    class Failing:
        engine, is_opening, trouble = None, False, ""

        def get(self) -> Engine:
            raise RuntimeError

    app = create_app(Settings(threads=1, deadline_ms=20, events=False), Failing())
    for _ in range(3):
        assert app.test_client().get("/api/v1/search").status_code == 500
    assert app.extensions["aisle.admission"].searches.at_work == 0


def test_a_server_has_threads_enough_for_all_that_may_wait() -> None:
    admission = Admission(4, 500)
    assert admission.threads > sum(lane.slots + lane.waiting for lane in admission.lanes)


def test_an_answer_that_is_streamed_keeps_its_slot_until_it_was_sent(shop: Engine) -> None:
    app = create_app(Settings(threads=1, deadline_ms=20, events=False), FixedEngine(shop))
    searches = app.extensions["aisle.admission"].searches
    answer = app.test_client().get("/api/v1/search:export?mode=lexical", buffered=False)
    assert (answer.status_code, searches.at_work) == (200, 1)
    assert answer.data
    answer.close()
    assert searches.at_work == 0


def test_events_that_wait_for_the_disk_keep_no_suggestion_waiting() -> None:
    admission = Admission(4, 20)
    for _ in range(admission.events.slots):
        admission.events.enter()
    assert admission.lane_of("/api/v1/events") is admission.events
    lane = admission.lane_of("/api/v1/suggest")
    assert lane is not None and lane.enter() == 0.0
