"""The document says what the API does: it is valid, complete, the committed one, and real answers keep to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import SHOP, open_engine, write_release
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import BaseModel, ValidationError

from app import create_app
from web.api.answers import ProblemAnswer
from web.api.openapi import JSON, Operation, operation_of, operations
from web.live import FixedEngine
from web.settings import Settings

SNAPSHOT = Path(__file__).parent / "openapi.json"
RENEW = "AISLE_RENEW=1 python -m pytest tests/test_web_openapi.py -k committed"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    engine = open_engine(write_release(tmp_path_factory.mktemp("described") / "shop", SHOP))
    engine.encoder.vectors(["ready"])
    return create_app(engine=FixedEngine(engine)).test_client()


@pytest.fixture(scope="module")
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").get_json()
    return found


def test_every_api_route_states_what_it_is() -> None:
    app = create_app(Settings())
    silent = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and operation_of(app, rule.endpoint) is None
    ]
    assert silent == []


def test_operation_ids_are_unique() -> None:
    ids = [found.id for _, _, found in operations(create_app(Settings()))]
    assert len(ids) == len(set(ids)) > 10


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any], tmp_path: Path) -> None:
    validate(document, cls=OpenAPIV31SpecValidator)
    before_the_first_build = create_app(Settings(home=tmp_path)).test_client().get("/api/v1/openapi.json").get_json()
    validate(before_the_first_build, cls=OpenAPIV31SpecValidator)
    assert before_the_first_build["paths"].keys() == document["paths"].keys()


# -- the committed one --


def test_the_document_is_the_committed_one(document: dict[str, Any]) -> None:
    committed = json.loads(SNAPSHOT.read_text("utf-8")) if SNAPSHOT.exists() else {}
    gone = list(breaks(committed, document))
    assert gone == [], "v1 may only grow"
    if os.environ.get("AISLE_RENEW"):
        SNAPSHOT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return
    changed = [name for name in ("info", "paths", "components") if committed.get(name) != document[name]]
    assert changed == [], f"if the change is meant, renew the committed document: {RENEW}"
    assert committed == document


def breaks(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Give what a program written for one document would miss in another: things removed, retyped or newly required."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in old.items():
            if name in ("description", "summary", "example", "examples", "default", "info"):
                continue
            if name not in new:
                yield f"{at}/{name} is gone"
            elif name == "parameters" and isinstance(value, list):
                yield from _parameter_breaks(value, new[name], f"{at}/{name}")
            elif name == "required" and isinstance(value, list):
                yield from (f"{at}/{one} may be absent now" for one in value if one not in new[name])
            elif name in ("type", "$ref", "const") and value != new[name]:
                yield f"{at} was {value}, is {new[name]}"
            else:
                yield from breaks(value, new[name], f"{at}/{name}")
    elif isinstance(old, list) and isinstance(new, list):
        yield from (f"{at}: {one} is gone" for one in old if isinstance(one, str) and one not in new)


def _parameter_breaks(old: list[dict[str, Any]], new: list[dict[str, Any]], at: str) -> Iterator[str]:
    named = {one.get("name", one.get("$ref")): one for one in new}
    for one in old:
        name = one.get("name", one.get("$ref"))
        yield from breaks(one, named[name], f"{at}/{name}") if name in named else [f"{at}/{name} is gone"]
    known = {one.get("name") for one in old}
    yield from (f"{at}/{one['name']} is needed now" for one in new if one.get("required") and one["name"] not in known)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda schema: schema["properties"].pop("rank"), "rank is gone"),
        (lambda schema: schema["properties"]["rank"].update(type="string"), "was integer, is string"),
        (lambda schema: schema["required"].remove("rank"), "rank may be absent"),
        (lambda schema: schema["properties"].update(new={"type": "string"}), None),
        (lambda schema: schema["properties"]["rank"].update(description="Its place."), None),
    ],
)
def test_what_would_break_a_program_is_told_from_what_is_added(
    document: dict[str, Any], change: Any, said: str | None
) -> None:
    new = json.loads(json.dumps(document))
    change(new["components"]["schemas"]["Hit"])
    found = list(breaks(document, new))
    assert (len(found), said in found[0] if said and found else None) == ((1, True) if said else (0, None))


def test_a_parameter_that_goes_or_is_newly_needed_breaks_programs(document: dict[str, Any]) -> None:
    new = json.loads(json.dumps(document))
    parameters = new["paths"]["/api/v1/search"]["get"]["parameters"]
    parameters[0] = {"name": "query", "in": "query", "required": True, "schema": {"type": "string"}}
    del new["paths"]["/api/v1/suggest"]
    assert sorted(one.rpartition("/")[2] for one in breaks(document, new)) == [
        "q is gone", "query is needed now", "suggest is gone",
    ]  # fmt: skip


# -- complete --


def described(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            yield f"{method.upper()} {path}", one


def test_every_operation_is_told_in_full(document: dict[str, Any]) -> None:
    for name, one in described(document):
        assert one["summary"] and len(one["description"]) > 10, name
        assert one["tags"][0] in {tag["name"] for tag in document["tags"]}
        for parameter in one["parameters"]:
            if "$ref" not in parameter:
                assert parameter["description"], (name, parameter["name"])
                assert parameter["required"] in (True, False)
        assert {"400", "422", "429", "500", "503"} <= one["responses"].keys(), name
        good = next(answer for status, answer in one["responses"].items() if status.startswith("2"))
        assert {"X-Request-ID", "Server-Timing"} <= good["headers"].keys()


def test_every_text_list_and_number_of_a_request_has_its_limit(document: dict[str, Any]) -> None:
    """Limits are stated, so that a program need not find them out."""
    endless = []
    for name, one in described(document):
        for parameter in one["parameters"]:
            if parameter.get("in") == "query":
                endless += [f"{name} {parameter['name']} {what}" for what in unbounded(parameter["schema"], document)]
        for content in one.get("requestBody", {}).get("content", {}).values():
            endless += [f"{name} body {what}" for what in unbounded(content["schema"], document)]
    assert endless == []


def unbounded(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield from unbounded(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    closed = "enum" in schema or "const" in schema
    needed = {"string": ("maxLength",), "array": ("maxItems",), "integer": ("minimum", "maximum"),
              "number": ("minimum", "maximum")}.get(schema.get("type", ""), ())  # fmt: skip
    if not closed:
        yield from (f"{schema.get('type')} without {bound}" for bound in needed if bound not in schema)
    for part in [
        schema.get("items"),
        schema.get("additionalProperties"),
        *schema.get("anyOf", []),
        *schema.get("properties", {}).values(),
    ]:
        if isinstance(part, dict):
            yield from unbounded(part, document)


def test_the_document_names_the_filters_of_the_live_catalog(document: dict[str, Any]) -> None:
    parameters = {one.get("name"): one for one in document["paths"]["/api/v1/search"]["get"]["parameters"]}
    assert {"f.brand", "f.color", "f.category", "find.material"} <= parameters.keys()
    assert parameters["facets"]["schema"]["items"]["enum"] == [
        "category", "brand", "availability", "color", "material", "price", "rating", "none",
    ]  # fmt: skip
    assert "f.color" in document["components"]["schemas"]["SearchParameters"]["properties"]


def test_keys_are_asked_for_as_scopes_say(client: FlaskClient, document: dict[str, Any]) -> None:
    for rule, method, one in operations(client.application):
        path = rule.replace("<path:", "{").replace("<int:", "{").replace("<", "{").replace(">", "}")
        told = document["paths"][path][method.lower()]
        assert ({} in told["security"]) == (one.scope in ("search", "events"))
        assert ({"bearer": [one.scope]} in told["security"]) == bool(one.scope)
        assert ("401" in told["responses"]) == bool(one.scope)


# -- answers keep to it --

ASKED: list[tuple[str, str, Any]] = [
    ("GET", "/api/v1/search", None),
    ("GET", "/api/v1/search?q=red+mug+under+$25&explain=1&fold=1&per_page=1", None),
    ("GET", "/api/v1/search?q=gown&f.brand=Norr&price_min=5&rating_min=4&cluster=1", None),  # ways out
    ("GET", "/api/v1/search?q=tumblr+not+blue&mode=lexical&facets=none", None),
    ("POST", "/api/v1/search", {"q": "steel lamp or cup", "explain": True}),
    ("POST", "/api/v1/search:batch", {"queries": [{"q": "red mug", "fold": 1}, {"q": "boot", "explain": 1}, {}]}),
    ("GET", "/api/v1/suggest", None),
    ("GET", "/api/v1/suggest?q=mu", None),
    ("GET", "/api/v1/suggest?q=gwn", None),
    ("GET", "/api/v1/products/0001", None),
    ("GET", "/api/v1/products/0006", None),
    ("GET", "/api/v1/products/0001/similar", None),
    ("GET", "/api/v1/products/0003/match?q=red+cup", None),
    ("POST", "/api/v1/recommend", {"liked": ["0003"], "disliked": ["0004"]}),
    ("GET", "/api/v1/clusters", None),
    ("GET", "/api/v1/clusters/0", None),
    ("GET", "/api/v1/map", None),
    ("GET", "/api/v1/map/lit?q=mug&fold=1", None),
    ("GET", "/api/v1/map/lit?q=mug", None),
    ("GET", "/api/v1/map/shop/points?at=0,5", None),
    ("GET", "/api/v1/version", None),
]


def operation_asked(client: FlaskClient, method: str, path: str) -> Operation:
    endpoint, _ = client.application.url_map.bind("localhost").match(path.partition("?")[0], method)
    found = operation_of(client.application, endpoint)
    assert found is not None
    return found


def expect_strictly(model: type[BaseModel], content: bytes) -> None:
    """Nothing missing, nothing unknown, every type taken at its word."""
    model.model_validate_json(content, strict=True, extra="forbid")


@pytest.mark.parametrize(("method", "path", "body"), ASKED)
def test_a_real_answer_has_every_member_of_its_model_and_no_other(
    client: FlaskClient, method: str, path: str, body: Any
) -> None:
    model = operation_asked(client, method, path).answer
    assert model is not None
    answer = client.open(path, method=method, json=body)
    assert answer.status_code == 200
    expect_strictly(model, answer.data)


def test_every_json_answer_of_this_part_is_among_them(client: FlaskClient) -> None:
    asked = {operation_asked(client, method, path).id for method, path, _ in ASKED}
    mine = {one.id for *_, one in operations(client.application) if one.media == (JSON,) and one.answer}
    assert {"search", "searchByBody", "searchBatch", "match", "mapLit", "mapPoints"} <= asked
    assert asked <= mine


def test_an_answer_by_words_only_keeps_to_its_model(tmp_path: Path) -> None:
    engine = open_engine(write_release(tmp_path / "early", SHOP), waits=False)
    client = create_app(engine=FixedEngine(engine)).test_client()
    for path in ("/api/v1/search?q=gown&explain=1", "/api/v1/map/lit?q=gown", "/api/v1/products/0003/match?q=red+cup"):
        model = operation_asked(client, "GET", path).answer
        assert model is not None
        expect_strictly(model, client.get(path).data)


def test_problems_keep_to_their_model(client: FlaskClient) -> None:
    for path in ("/api/v1/nothing", "/api/v1/search?page=0", "/api/v1/products/none", "/api/v1/search?q=%ff"):
        expect_strictly(ProblemAnswer, client.get(path).data)
    expect_strictly(ProblemAnswer, client.post("/api/v1/search", json={"page": 0}).data)
    expect_strictly(ProblemAnswer, client.delete("/api/v1/search").data)


def test_a_member_too_many_or_too_few_is_noticed(client: FlaskClient) -> None:
    answer = client.get("/api/v1/products/0001").get_json()
    model = operation_asked(client, "GET", "/api/v1/products/0001").answer
    assert model is not None
    for change in ({"new": 1}, {"cluster": "1"}, {"product": {**answer["product"], "colour": "red"}}):
        with pytest.raises(ValidationError):
            expect_strictly(model, json.dumps({**answer, **change}).encode())
    with pytest.raises(ValidationError):
        expect_strictly(model, json.dumps({name: answer[name] for name in answer if name != "release"}).encode())
