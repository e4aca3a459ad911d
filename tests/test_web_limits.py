"""Nobody asks more often than allowed, everybody is told where they stand, and memory stays bounded."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from search.engine import Engine
from search.home import Home
from search.state.keys import KeyFile
from search.state.rates import Rate
from web.live import FixedEngine
from web.serving.limits import ALIKE, Accounts, Meter, asker_of
from web.settings import Settings


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_whole_amount_may_come_at_once_and_then_one_for_each_part_of_the_window() -> None:
    clock = Clock()
    meter = Meter(Rate(6, 60), clock=clock)
    assert [meter.hit("a").remaining for _ in range(6)] == [5, 4, 3, 2, 1, 0]
    assert meter.hit("a").wait == pytest.approx(10)  # one is paid off every ten seconds
    clock.now += 4
    assert meter.hit("a").wait == pytest.approx(6)  # asking in vain costs nothing
    clock.now += 6
    assert meter.hit("a").wait == 0
    assert meter.hit("a").wait == pytest.approx(10)
    clock.now += 60
    assert meter.hit("a").remaining == 5
    assert meter.hit("b").remaining == 5  # each alone


def test_no_window_holds_more_than_the_amount_and_what_it_pays_off() -> None:
    """Against a plain list of the moments that were answered."""
    draw, clock, rate = random.Random(3), Clock(), Rate(20, 10)
    meter = Meter(rate, clock=clock)
    answered = []
    for _ in range(5000):
        clock.now += draw.expovariate(4)
        if not meter.hit("a").wait:
            answered.append(clock.now)
    for place, start in enumerate(answered):
        for span in (1.0, 10.0, 60.0):
            within = sum(1 for moment in answered[place : place + 500] if moment <= start + span)
            assert within <= rate.amount + span * rate.amount / rate.seconds + 1e-6
    assert len(answered) >= (clock.now - 1000.0) * 2 - 1  # and it gives all that it may: 20 in 10 s


def test_an_account_outlives_the_turn_of_a_window_exactly() -> None:
    clock = Clock()
    meter = Meter(Rate(5, 10), clock=clock)
    draw = random.Random(5)
    owed = 0.0
    for _ in range(2000):
        clock.now += draw.uniform(0, 4)
        owed = max(owed, clock.now)
        allowed = owed + 2 - clock.now <= 10 + 1e-6
        owed += 2 if allowed else 0
        assert (meter.hit("a").wait == 0) == allowed


def test_a_flood_of_addresses_leaves_no_more_than_is_bounded() -> None:
    accounts = Accounts(1000)
    meter = Meter(Rate(3, 60), accounts, Clock())
    for _ in range(3):
        meter.hit("old")
    for number in range(200_000):
        meter.hit(f"{number}")
    assert len(accounts) <= 1000 + ALIKE
    assert meter.hit("old").wait > 0  # the flood did not clear its account


@pytest.mark.parametrize(
    ("address", "asker"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("203.0.113.7\r\nX: y", "unknown"),
        ("x" * 10_000, "unknown"),
    ],
)
def test_whom_an_address_stands_for(address: str, asker: str) -> None:
    assert asker_of(address) == asker


def client_of(shop: Engine, home: Path, **settings: object) -> FlaskClient:
    made = Settings(**{"home": home, "rate_limit": Rate(3, 60), **settings})  # type: ignore[arg-type]
    return create_app(made, engine=FixedEngine(shop)).test_client()


def asked(
    client: FlaskClient, path: str = "/api/v1/clusters", address: str = "10.0.0.1", **headers: str
) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=named, environ_overrides={"REMOTE_ADDR": address})


def test_every_limited_answer_says_where_the_asker_stands(shop: Engine, tmp_path: Path) -> None:
    client = client_of(shop, tmp_path)
    first = asked(client)
    assert first.headers["RateLimit-Policy"] == '"address";q=3;w=60'
    assert first.headers["RateLimit"] == '"address";r=2;t=40'
    assert asked(client, "/api/v1/nothing").headers["RateLimit"] == '"address";r=1;t=20'
    assert asked(client, "/search?q=lamp&mode=lexical").headers["RateLimit"] == '"address";r=0;t=1'
    refused = asked(client)
    problem = refused.get_json()
    assert (refused.status_code, problem["code"], refused.mimetype) == (
        429,
        "too_many_requests",
        "application/problem+json",
    )
    assert refused.headers["Retry-After"] == "20"
    assert refused.headers["RateLimit"] == '"address";r=0;t=20'
    assert asked(client, "/search").status_code == 429
    assert asked(client, "/search").mimetype == "text/html"
    assert asked(client, address="10.0.0.2").status_code == 200


def test_files_and_health_are_never_refused(shop: Engine, tmp_path: Path) -> None:
    client = client_of(shop, tmp_path)
    for _ in range(10):
        asked(client)
    for path in ("/static/css/base.css", "/healthz", "/robots.txt"):
        answer = asked(client, path)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def test_a_key_is_counted_by_itself_wherever_it_comes_from_with_its_own_rate(shop: Engine, tmp_path: Path) -> None:
    file = KeyFile(Home(tmp_path).keys)
    plain, wide = file.create("a", ["search"])[1], file.create("b", ["search"], rate="100/second")[1]
    client = client_of(shop, tmp_path)
    assert asked(client, X_API_Key=plain).headers["RateLimit-Policy"] == '"key";q=3;w=60'
    asked(client, X_API_Key=plain, address="10.0.0.9")
    asked(client, X_API_Key=plain)
    assert asked(client, X_API_Key=plain, address="10.0.0.8").status_code == 429
    assert asked(client, X_API_Key=wide).headers["RateLimit-Policy"] == '"key";q=100;w=1'
    assert asked(client).headers["RateLimit"] == '"address";r=2;t=40'  # the keys used nothing of the address


def test_wrong_keys_are_counted_by_address_so_that_guessing_is_slow(shop: Engine, tmp_path: Path) -> None:
    client = client_of(shop, tmp_path, open_scopes=())
    assert [asked(client, X_API_Key=f"guess{number}").status_code for number in range(5)] == [401, 401, 401, 429, 429]


def test_limits_can_be_off_for_all_but_keys_with_their_own(shop: Engine, tmp_path: Path) -> None:
    own = KeyFile(Home(tmp_path).keys).create("b", ["search"], rate="1/hour")[1]
    client = client_of(shop, tmp_path, rate_limit=None)
    assert [asked(client).status_code for _ in range(5)] == [200] * 5
    assert "RateLimit" not in asked(client).headers
    assert [asked(client, X_API_Key=own).status_code for _ in range(2)] == [200, 429]


def test_only_the_stated_number_of_proxies_is_believed(shop: Engine, tmp_path: Path) -> None:
    alone = client_of(shop, tmp_path)
    for number in range(3):
        asked(alone, X_Forwarded_For=f"203.0.113.{number}")
    assert asked(alone, X_Forwarded_For="203.0.113.9").status_code == 429  # a made-up address is no way out
    behind = client_of(shop, tmp_path, proxies=1)
    for number in range(3):  # the caller writes the first, the proxy the last
        asked(behind, X_Forwarded_For=f"198.51.100.{number}, 203.0.113.7")
    assert asked(behind, X_Forwarded_For="198.51.100.9, 203.0.113.7").status_code == 429
    assert asked(behind, X_Forwarded_For="203.0.113.8").status_code == 200
    assert asked(behind, X_Forwarded_For="2001:db8::1").status_code == 200
    for number in range(3):
        asked(behind, X_Forwarded_For=f"2001:db8::{number}")
    assert asked(behind, X_Forwarded_For="2001:db8::ffff:1").status_code == 429  # the same /64


def test_a_proxy_is_not_believed_about_the_host(shop: Engine, tmp_path: Path) -> None:
    behind = client_of(shop, tmp_path, proxies=1)
    page = asked(behind, "/search?q=lamp&mode=lexical", X_Forwarded_Host="evil.example", X_Forwarded_Proto="javascript")
    assert "evil.example" not in page.text
    assert "javascript:" not in page.text


def test_a_batch_counts_as_the_searches_in_it(shop: Engine, tmp_path: Path) -> None:
    client = client_of(shop, tmp_path)  # three a minute
    two, path = {"queries": [{"q": "mug"}, {"q": "lamp"}]}, "/api/v1/search:batch"
    assert client.post(path, json=two).headers["RateLimit"] == '"address";r=1;t=20'
    assert client.post(path, json=two).status_code == 429


def test_a_batch_beyond_the_whole_amount_takes_all_of_it_and_is_answered(shop: Engine, tmp_path: Path) -> None:
    client = client_of(shop, tmp_path)  # three a minute
    answer = client.post("/api/v1/search:batch", json={"queries": [{"q": "mug"}] * 5})
    assert (answer.status_code, answer.headers["RateLimit"]) == (200, '"address";r=0;t=1')
    assert client.post("/api/v1/search:batch", json={"queries": [{"q": "mug"}]}).status_code == 429
