"""The Python client against a running server: every route, typed answers, and what the package holds."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisle_client import Aisle, AisleError, AisleProblem, answers
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
