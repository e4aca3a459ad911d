"""The API's docs: everything of the OpenAPI document is on the page, and every example on it runs as it stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aisle_client
import pytest
from aisle_client import Aisle, answers
from browser_fixtures import served
from client_fixtures import differences
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient

from app import create_app
from search.engine import Engine
from search.product import Product
from web.api.docs import limits_of, type_of
from web.api.examples import _COLUMNS, LANGUAGES, METHODS, Example
from web.live import FixedEngine

CLIENT = Path(aisle_client.__file__).parent.parent


class Code(HTMLParser):
    """Collects the programs of a page as (language, text), and its ids and links."""

    def __init__(self, page: str):
        super().__init__()
        self.programs: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._language = ""
        self.feed(page)

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in given}
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" and "href" in attributes else []
        if tag == "code" and "data-language" in attributes:
            self._language = attributes["data-language"]
            self.programs.append((self._language, ""))

    def handle_endtag(self, tag: str) -> None:
        self._language = "" if tag == "code" else self._language

    def handle_data(self, data: str) -> None:
        if self._language:
            language, text = self.programs[-1]
            self.programs[-1] = (language, text + data)


@pytest.fixture(scope="module")
def url(shop: Engine) -> Iterator[str]:
    with served(shop) as address:
        yield address


@pytest.fixture(scope="module")
def page(url: str) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{url}/api/docs") as response:  # noqa: S310 - our own
        found: str = response.read().decode()
        return found


@pytest.fixture(scope="module")
def document(url: str) -> dict[str, Any]:
    return Aisle(url, key="").openapi()


@pytest.fixture
def client(shop: Engine) -> FlaskClient:
    return create_app(engine=FixedEngine(shop)).test_client()


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield path, method.upper(), one


# -- the examples --


def run(language: str, program: str) -> subprocess.CompletedProcess[str]:
    """Run a program as a reader would: pasted into a shell, an interpreter, or Node."""
    command = {
        "curl": ["bash", "-c"],
        "python": [sys.executable, "-c"],
        "javascript": ["node", "--input-type=module", "-e"],
    }
    expect_there(language)
    return started([*command[language], program])


def expect_there(language: str) -> None:
    needed = {"curl": "curl", "python": sys.executable, "javascript": "node"}[language]
    if not shutil.which(needed):
        pytest.skip(f"examples in {LANGUAGES[language]} are not run: there is no {needed} here")


def started(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CLIENT), "AISLE_KEY": ""}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=120, check=False, cwd=folder
    )


class Examples:
    """The programs of the page, and what they print: each language is run once."""

    def __init__(self, page: str, folder: Path):
        found = Code(page).programs
        # What needs a key is run in tests/test_client_admin.py.
        self.programs = {
            name: [text for spelled, text in found if spelled == name and "AISLE_KEY" not in text] for name in LANGUAGES
        }
        self.folder = folder

    @cache  # noqa: B019 - as long as the module's tests
    def printed(self, language: str) -> list[str]:
        expect_there(language)
        programs = self.programs[language]
        if language == "javascript":
            return self._printed_by_node(programs)
        command = ["bash", "-c"] if language == "curl" else [sys.executable, "-c"]
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda text: started([*command, text], self.folder), programs))
        for program, one in zip(programs, done, strict=True):
            assert (one.returncode, one.stderr) == (0, ""), f"{program}\n\n{one.stdout}{one.stderr}"
        return [one.stdout for one in done]

    def _printed_by_node(self, programs: list[str]) -> list[str]:
        """Each program is a module of its own, as it stands; one Node, whose start takes longest, loads them all."""
        for place, text in enumerate(programs):
            (self.folder / f"{place}.mjs").write_text(text, "utf-8")
        load = "".join(f"await import('./{n}.mjs'); console.log('\\0');\n" for n in range(len(programs)))
        (self.folder / "all.mjs").write_text(load, "utf-8")
        done = started(["node", "all.mjs"], self.folder)
        printed = done.stdout.split("\0\n")[:-1]
        failed = programs[min(len(printed), len(programs) - 1)]
        assert (done.returncode, done.stderr) == (0, ""), f"{failed}\n\n{done.stderr}"
        return printed


@pytest.fixture(scope="module")
def examples(page: str, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return Examples(page, tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_example_runs_as_it_stands_on_the_page(examples: Examples, language: str) -> None:
    printed = examples.printed(language)
    assert len(printed) >= 24
    for program, text in zip(examples.programs[language], printed, strict=True):
        assert text.strip() or "-o column.bin" in program, program


def test_an_example_says_the_same_in_every_language(examples: Examples) -> None:
    curl, python, javascript = (examples.printed(language) for language in LANGUAGES)
    assert python == javascript
    for answer, value in zip(curl, python, strict=True):
        if answer.startswith("{"):  # what the other two print is in it
            assert json.dumps(value.strip())[1:-1] in json.dumps([json.loads(line) for line in answer.splitlines()])


def test_examples_of_odd_ids_and_words_are_spelled_so_that_they_run(tmp_path: Path) -> None:
    odd = Product('it\'s "x" & $HOME `id` /%', 'Don\'t `touch` $this & "that" </code>', brand="O'Neill <b>")
    with served(open_engine(write_release(tmp_path / "shop", (odd, *SHOP)))) as url:
        example = Example(
            "product", "GET", "/api/v1/products/{product_id}", {"product_id": odd.id}, shown=("product", "title")
        )
        searched = Example("search", "GET", "/api/v1/search", query={"q": odd.title, "f.brand": odd.brand},
                           shown=("hits", 0, "id"))  # fmt: skip
        posted = Example("searchByBody", "POST", "/api/v1/search", body={"q": odd.title, "f.brand": [odd.brand]},
                         shown=("hits", 0, "id"))  # fmt: skip
        for one, said in ((example, odd.title), (searched, odd.id), (posted, odd.id)):
            for language in ("python", "javascript"):
                done = run(language, one.spelled(language, url))
                assert done.stdout == f"{said}\n", done.stderr
            assert json.dumps(said)[1:-1] in run("curl", one.spelled("curl", url)).stdout


def test_the_page_quotes_what_the_catalog_says(tmp_path: Path) -> None:
    odd = Product("<script>1</script>", "x", brand="</code><script>alert(1)</script>")
    client = create_app(engine=FixedEngine(open_engine(write_release(tmp_path / "shop", (odd, *SHOP))))).test_client()
    page = client.get("/api/docs").text
    assert "<script>1" not in page and "<script>alert" not in page
    assert "&lt;script&gt;" in page


# -- the page --


def test_every_operation_has_its_place_its_example_and_a_method_of_the_client(page: str, document: Any) -> None:
    code = Code(page)
    for path, _, one in operations_of(document):
        name = one["operationId"]
        assert name in code.ids
        assert f"<code>{path}</code>" in page.replace("<wbr>", "")
        assert name in METHODS or name in _COLUMNS, f"{name}: no method of the client is named in web/api/examples.py"
        if name in METHODS:
            assert hasattr(Aisle, METHODS[name][0])
        article = page[page.index(f'id="{name}"') :].split("</article>")[0]
        for language in LANGUAGES:
            assert f'data-language="{language}"' in article, f"{name} has no example: web/api/example_requests.py"


def test_every_link_of_the_page_leads_somewhere(page: str, client: FlaskClient) -> None:
    code = Code(page)
    assert len(code.ids) == len(set(code.ids))
    inside = {link[1:] for link in code.links if link.startswith("#")}
    assert inside <= set(code.ids)
    tried = {link for link in code.links if link.startswith("/api/")}
    assert len(tried) > 12
    for link in sorted(tried):
        assert client.get(link).status_code in (200, 422), link


def test_parameters_say_their_bounds_and_defaults(page: str) -> None:
    assert (
        limits_of({"minimum": 1, "maximum": 10000, "default": 24}) == "At least 1; at most 10,000; `24` when left out."
    )
    assert limits_of({"anyOf": [{"maxItems": 50}, {"type": "null"}], "default": None}) == "At most 50."
    assert limits_of({"default": "hybrid"}) == "`hybrid` when left out."
    assert limits_of({"type": "string", "default": ""}) == ""
    article = page[page.index('id="search"') :].split("</article>")[0]
    assert "At most 512 characters" in article and "<code>f.&lt;field&gt;</code>" in article


def test_types_are_said_in_words() -> None:
    reference = {"$ref": "#/components/schemas/Hit"}
    assert type_of({"type": "array", "items": reference}) == [("list of ", ""), ("Hit", "Hit")]
    assert type_of({"anyOf": [{"type": "number"}, {"type": "null"}]}) == [("number", ""), (" or ", ""), ("null", "")]
    assert type_of({"enum": ["a", "b"]}) == [('"a" | "b"', "")]
    assert type_of({"type": "object", "additionalProperties": reference}) == [("object of ", ""), ("Hit", "Hit")]
    assert type_of({}) == [("any", "")]


def test_the_docs_need_no_script_and_nothing_from_elsewhere(page: str) -> None:
    main = page[page.index("<main") : page.index("</main>")]
    assert not re.search(r"<script|<iframe|\sstyle=|\son\w+=", main)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.replace('<link rel="canonical" href="http', ""))


def test_docs_are_there_before_a_catalog_is(tmp_path: Path) -> None:
    from web.settings import Settings

    response = create_app(Settings(home=tmp_path)).test_client().get("/api/docs")
    assert response.status_code == 200
    assert "SKU-1" in response.text


# -- the client's types against the document --

ANSWERS = {
    "search": answers.SearchAnswer, "searchByBody": answers.SearchAnswer, "searchBatch": answers.Batch,
    "suggest": answers.Suggestions, "product": answers.ProductAnswer, "similarProducts": answers.Similar,
    "match": answers.Match, "recommend": answers.Recommended, "clusters": answers.Clusters,
    "cluster": answers.ClusterAnswer, "map": answers.Map, "mapPoints": answers.MapPoints, "mapLit": answers.Lit,
    "sendEvents": answers.Events, "version": answers.Version, "releases": answers.Releases,
    "exportSearch": Any, "changeProducts": answers.Changed,
    "activateRelease": answers.Switched, "rollbackRelease": answers.Switched, "openapi": Any,
    "insights": Any,
}  # fmt: skip


def test_the_clients_types_are_those_of_the_document(document: dict[str, Any]) -> None:
    compared = 0
    for _, _, one in operations_of(document):
        good = next(answer for status, answer in one["responses"].items() if status.startswith("2"))
        schema = good.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            compared += 1
            assert differences(ANSWERS[one["operationId"]], schema, document, one["operationId"]) == []
    assert compared >= 14


def test_the_clients_parameters_are_those_of_the_document(document: dict[str, Any]) -> None:
    served = document["components"]["schemas"]["SearchParameters"]["properties"]
    names = {name for name in served if not name.startswith(("f.", "find."))}
    assert set(answers.SearchBody.__annotations__) == (names - {"q"}) | {"q", "filters", "find"}
