"""The Python client against a running server: every route, typed answers, and what it does when things fail."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aisle_client import Aisle, AisleError, AisleProblem, AisleUnreachable, answers, connection
from aisle_client.problems import seconds_of
from browser_fixtures import served
from client_fixtures import misfits
from conftest import SHOP

from search.engine import Engine

CLIENT = Path(__file__).parent.parent / "client"
IDS = [one.id for one in SHOP]


@pytest.fixture(scope="module")
def url(shop: Engine) -> Iterator[str]:
    with served(shop) as address:
        yield address


@pytest.fixture
def aisle(url: str) -> Iterator[Aisle]:
    with Aisle(url, key="") as opened:
        yield opened


# -- every route --


def test_answers_have_the_fields_their_types_say_and_no_others(aisle: Aisle) -> None:
    plain, told = aisle.search("mug"), aisle.search("red mug under $50", explain=True, fold=True)
    nothing = aisle.search("gown", filters={"brand": "Norr"})
    for answer in (plain, told, nothing):
        assert misfits(answers.SearchAnswer, answer) == []
    assert "explain" in told["hits"][0] and "variants" in told["hits"][0] and "timings_ms" in told
    assert nothing["rescue"] and nothing["hits"] == []
    assert misfits(answers.Suggestions, aisle.suggest("mu")) == []
    assert misfits(answers.Suggestions, aisle.suggest()) == []
    assert misfits(answers.ProductAnswer, aisle.product("0001")) == []
    assert misfits(answers.Similar, aisle.similar("0001")) == []
    assert misfits(answers.Match, aisle.match("0001", "mug")) == []
    assert misfits(answers.Recommended, aisle.recommend(["0001"])) == []
    assert misfits(answers.Clusters, aisle.clusters()) == []
    assert misfits(answers.ClusterAnswer, aisle.cluster(0)) == []
    assert misfits(answers.Map, aisle.map()) == []
    assert misfits(answers.Version, aisle.version()) == []


def test_a_search_takes_every_parameter(aisle: Aisle) -> None:
    answer = aisle.search(
        "mug", page=1, per_page=2, mode="lexical", sort="price:asc",
        filters={"brand": ["Norr", "Tazza"], "color": "red"},
        price_min=5, price_max=30.5, rating_min=4, in_stock=True, facets=["brand"], find={"brand": "no"}, cluster=1,
        explain=True, fold=True, interpret=False, correct=False, cutoff=False, literal=["a", "b"],
    )  # fmt: skip
    assert answer["links"]["self"] == (
        "/api/v1/search?q=mug&f.brand=Norr&f.brand=Tazza&f.color=red&price_min=5&price_max=30.5&rating_min=4&in_stock=1"
        "&cluster=1&find.brand=no&facets=brand&mode=lexical&sort=price%3Aasc&per_page=2&explain=1&fold=1&literal=a"
        "&literal=b&interpret=0&correct=0&cutoff=0"
    )
    assert list(aisle.search(facets=())["facets"]) == []
    assert aisle.search(price_max=None, facets=None)["total"] == 8


def test_a_search_too_long_for_an_address_is_sent_as_a_body(aisle: Aisle, url: str) -> None:
    long = {"brand": [f"{number:02}" + "ü" * 90 for number in range(20)]}
    answer = aisle.search("mug", filters={"brand": [*long["brand"], "Norr"]})
    assert {hit["product"]["brand"] for hit in answer["hits"]} == {"Norr"}


def test_all_pages_are_walked(aisle: Aisle) -> None:
    assert [hit["id"] for hit in aisle.search_all(per_page=3)] == IDS
    assert [hit["id"] for hit in aisle.search_all(per_page=3, page=2)] == IDS[3:]
    assert [hit["rank"] for hit in aisle.search_all()] == list(range(1, 9))


def test_pages_of_two_releases_are_not_mixed(aisle: Aisle, monkeypatch: pytest.MonkeyPatch) -> None:
    real = aisle.search
    monkeypatch.setattr(aisle, "search", lambda q, **asked: {**real(q, **asked), "release": f"r{asked['page']}"})
    with pytest.raises(AisleError, match="r2 replaced r1"):
        list(aisle.search_all(per_page=3))


def test_an_export_gives_every_product_in_order(aisle: Aisle) -> None:
    assert [one["id"] for one in aisle.export()] == IDS
    assert misfits(answers.Product, next(aisle.export("gown", filters={"brand": "Velour"}))) == []
    with pytest.raises(AisleProblem, match="page"):
        next(aisle.export(page=2))


def test_ids_of_any_signs_are_asked_for(aisle: Aisle) -> None:
    for product_id in ("a/b", "../version", "50% off?", "ü #1"):
        with pytest.raises(AisleProblem) as caught:
            aisle.product(product_id)
        assert (caught.value.status, caught.value.code) == (404, "not_found")
        assert product_id in caught.value.detail


def test_the_map_is_read_as_numbers(aisle: Aisle) -> None:
    told = aisle.map()
    positions = aisle.map_column(told["positions"])
    assert len(positions) == 2 * len(SHOP) and set(positions) == {32768}  # every dot in the middle
    assert list(aisle.map_column(told["leaves"])) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_a_server_says_how_it_is(aisle: Aisle) -> None:
    assert aisle.is_alive() and aisle.is_ready()
    nobody = Aisle("http://127.0.0.1:9", retries=0)
    assert not nobody.is_alive() and not nobody.is_ready()


def test_a_problem_says_what_is_wrong_where(aisle: Aisle) -> None:
    with pytest.raises(AisleProblem) as caught:
        aisle.search(sort="price:up")  # type: ignore[arg-type]
    problem = caught.value
    assert (problem.status, problem.code) == (422, "invalid_parameter")
    assert problem.errors[0]["parameter"] == "sort"
    assert "price:asc" in problem.detail and problem.request_id in str(problem)
    assert isinstance(problem, AisleError)


def test_one_client_serves_many_threads(aisle: Aisle) -> None:
    found: list[Any] = []

    def ask(word: str) -> None:
        for _ in range(10):
            found.append((word, aisle.search(word)["query"]["text"]))

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("mug", "gown", "lamp", "boot")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 40 and all(asked == answered for asked, answered in found)


# -- when things fail: a server that answers as it is told to --


class Scripted(ThreadingHTTPServer):
    """Gives its answers one after the other, the last for ever; remembers what it was asked, over how many wires."""

    daemon_threads = True

    def __init__(self, *script: Any):
        self.script = list(script)
        self.asked: list[tuple[str, str, dict[str, str], float]] = []
        self.bodies: list[bytes] = []
        self.wires = 0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def setup(self) -> None:
        super().setup()
        self.server.wires += 1

    def _answer(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.server.asked.append((self.command, self.path, dict(self.headers), time.monotonic()))
        script = self.server.script
        status, headers, body = script.pop(0) if len(script) > 1 else script[0]
        if status == 0:  # the wire breaks
            self.close_connection = True
            self.wfile.write(body)
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def scripted(*script: Any, **options: Any) -> Iterator[tuple[Scripted, Aisle]]:
    server = Scripted(*script)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with Aisle(f"http://127.0.0.1:{server.server_port}", **{"key": "", **options}) as aisle:
        yield server, aisle
    server.shutdown()
    server.server_close()


FINE = (200, {}, b'{"name": "aisle"}')
BUSY = (503, {"Retry-After": "0"}, b'{"code": "overloaded", "detail": "too much", "request_id": "r1"}')
BROKEN = (0, {}, b"")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.01)


def test_connections_are_kept() -> None:
    with scripted(FINE) as (server, aisle):
        for _ in range(5):
            aisle.version()
    assert (len(server.asked), server.wires) == (5, 1)


@pytest.mark.parametrize(
    "trouble", [BUSY, (429, {}, b"{}"), BROKEN, (0, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")]
)
def test_what_only_reads_is_tried_again(trouble: Any) -> None:
    with scripted(trouble, trouble, FINE) as (server, aisle):
        assert aisle.version()["name"] == "aisle"
    assert len(server.asked) == 3


def test_a_server_is_not_asked_before_the_time_it_names() -> None:
    with scripted((429, {"Retry-After": "1"}, b"{}"), FINE) as (server, aisle):
        aisle.version()
    assert server.asked[1][3] - server.asked[0][3] >= 1


@pytest.mark.parametrize("named", ["31", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_server_that_asks_for_too_much_patience_is_left(named: str) -> None:
    with scripted((503, {"Retry-After": named}, b"{}"), FINE) as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert caught.value.retry_after and caught.value.retry_after > 30
    assert len(server.asked) == 1


def test_tries_come_to_an_end_and_the_last_answer_is_told() -> None:
    told = pytest.raises(AisleProblem, match=r"503 overloaded: too much \(request r1\)")
    with scripted(BUSY, retries=2) as (server, aisle), told:
        aisle.version()
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 502])
def test_other_problems_are_not_tried_again(status: int) -> None:
    with scripted((status, {}, b"<html>"), FINE) as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert (caught.value.status, caught.value.code, caught.value.detail) == (status, f"http_{status}", "<html>")
    assert len(server.asked) == 1


@pytest.mark.parametrize("trouble", [BUSY, BROKEN])
def test_what_would_do_more_a_second_time_is_sent_once(trouble: Any) -> None:
    with scripted(trouble, FINE) as (server, aisle), pytest.raises(AisleError):
        aisle.rollback()
    assert len(server.asked) == 1


def test_events_sent_again_are_the_same_events() -> None:
    mine = {"type": "view", "product_id": "2", "event_id": "mine"}
    with scripted(BROKEN, BUSY, FINE) as (server, aisle):
        aisle.send_events([{"type": "click", "product_id": "1"}, mine])
    first, second, third = server.bodies
    assert first == second == third
    given = json.loads(first)
    assert given[1] == mine
    assert given[0].keys() == {"type", "product_id", "event_id"} and len(given[0]["event_id"]) == 16


def test_an_answer_that_does_not_come_ends_with_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        aisle = Aisle(f"http://127.0.0.1:{silent.getsockname()[1]}", key="", timeout=0.2)
        started = time.monotonic()
        with pytest.raises(AisleUnreachable, match="timed out"):
            aisle.version()
        assert time.monotonic() - started < 1  # one try, not three


def test_a_connection_closed_meanwhile_is_opened_anew_even_for_what_is_sent_once() -> None:
    with scripted((200, {"Keep": "1"}, b"{}")) as (server, aisle):
        aisle.version()
        kept = aisle._connection._own.connection
        kept.sock.shutdown(socket.SHUT_RDWR)  # as after a server's idle time
        aisle.rollback()
    assert (len(server.asked), server.wires) == (2, 2)


def test_compressed_answers_are_read_and_cut_ones_told() -> None:
    lines = b'{"id": "a"}\n' * 2000
    packed = gzip.compress(lines)
    as_gzip = {"Content-Encoding": "gzip"}
    with scripted((200, as_gzip, packed)) as (_, aisle):
        assert len(list(aisle.export())) == 2000
    longer = {"Content-Length": "99999", "Connection": "close"}
    for headers, body in ((as_gzip | longer, packed[:-9]), (longer, lines), ({"Connection": "close"}, lines[:-3])):
        with scripted((200, headers, body)) as (_, aisle), pytest.raises(AisleUnreachable):
            list(aisle.export())


def test_a_server_that_is_no_shop_is_told_apart() -> None:
    with (
        scripted((200, {}, b"<html>welcome")) as (_, aisle),
        pytest.raises(AisleProblem, match="not answered by Aisle"),
    ):
        aisle.version()


# -- keys --


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("AISLE_KEY", "of-the-environment\n")
    with scripted(FINE, key=None) as (server, aisle):
        aisle.version()
    assert server.asked[0][2]["Authorization"] == "Bearer of-the-environment"
    with scripted((403, {}, b"{}"), key="secret-one") as (server, aisle):
        with pytest.raises(AisleProblem) as caught:
            aisle.version()
        assert server.asked[0][2]["Authorization"] == "Bearer secret-one"
        shown = f"{aisle!r} {aisle} {caught.value!r} {caught.value} {caught.traceback} {caplog.text}"
        assert "secret-one" not in shown
    monkeypatch.delenv("AISLE_KEY")
    with scripted(FINE, key=None) as (server, aisle):
        aisle.version()
    assert "Authorization" not in server.asked[0][2]


@pytest.mark.parametrize("key", ["two words", "a\r\nX-Admin: 1", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(ValueError) as caught:
        Aisle(key=key)
    assert key not in str(caught.value)


def test_a_key_stays_with_its_server() -> None:
    with scripted(FINE) as (other, _):
        elsewhere = {"Location": f"http://127.0.0.1:{other.server_port}/"}
        with scripted((302, elsewhere, b""), key="secret-one") as (_, aisle), pytest.raises(AisleProblem, match="302"):
            aisle.version()
        assert other.asked == []


@pytest.mark.parametrize(
    "url", ["shop.example", "ftp://shop.example", "http://", "http://a:b@shop.example", "http://a?b"]
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url is"):
        Aisle(url)


def test_a_shop_may_live_under_a_path() -> None:
    with scripted(FINE) as (server, aisle):
        Aisle(f"{aisle._connection.url}/shop/", key="").version()
    assert server.asked[0][1] == "/shop/api/v1/version"


@pytest.mark.parametrize(("text", "seconds"), [("5", 5.0), (None, None), ("soon", None), ("-1", None)])
def test_retry_after_is_read(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
    assert seconds_of("Fri, 01 Jan 1999 00:00:00 GMT") == 0


# -- the package --


def test_it_needs_nothing_but_python() -> None:
    script = (
        "before = set(sys.modules); import aisle_client; print(*{m.split('.')[0] for m in {*sys.modules} - before})"
    )
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(CLIENT)!r}); {script}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert set(done.stdout.split()) <= set(sys.stdlib_module_names) | {"aisle_client"}


def test_the_client_and_its_package_say_the_same_version() -> None:
    import tomllib

    import aisle_client
    from aisle_client.client import AGENT

    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == aisle_client.__version__ == AGENT.partition("/")[2]
    assert project["dependencies"] == []


def test_the_readme_names_every_method() -> None:
    public = [name for name in vars(Aisle) if not name.startswith("_") and name != "close"]
    readme = (CLIENT / "README.md").read_text("utf-8")
    assert [name for name in public if f"`{name}(" not in readme] == []
