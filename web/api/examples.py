"""An example of the API is stated once; curl, Python and JavaScript are spelled from that one statement."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

LANGUAGES = {"curl": "curl", "python": "Python", "javascript": "JavaScript"}
WIDE = 76  # characters of code in a line, roughly
# operation -> the client's method, and which of the values are its first arguments.
METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "search": ("search", ("q",)),
    "searchByBody": ("search", ("q",)),
    "searchBatch": ("search_many", ("queries",)),
    "exportSearch": ("export", ("q",)),
    "suggest": ("suggest", ("q",)),
    "product": ("product", ("product_id",)),
    "similarProducts": ("similar", ("product_id",)),
    "match": ("match", ("product_id", "q")),
    "recommend": ("recommend", ("liked", "disliked")),
    "clusters": ("clusters", ()),
    "cluster": ("cluster", ("cluster_id",)),
    "map": ("map", ()),
    "mapPoints": ("map_points", ("release", "at")),
    "mapLit": ("map_lit", ("q",)),
    "sendEvents": ("send_events", ("events",)),
    "version": ("version", ()),
    "openapi": ("openapi", ()),
    "changeProducts": ("change_products", ("products",)),
    "releases": ("releases", ()),
    "activateRelease": ("activate", ("release",)),
    "insights": ("insights", ()),
    "rollbackRelease": ("rollback", ()),
}
_PREFIXES = {"f.": "filters", "find.": "find"}
# In these the client reads the address from the map's own answer.
_COLUMNS = {
    "mapPositions": 'shop.map_column(shop.map()["positions"])',
    "mapLeaves": 'shop.map_column(shop.map()["leaves"])',
    "mapColors": 'shop.map_column(shop.map()["colors"][0])',
}
_UNWRAPPED = {"searchBatch": "results"}  # the client gives this member of the answer alone
_ARRAYS = {"mapPositions": "Uint16Array", "mapLeaves": "Uint16Array", "mapColors": "Uint8Array"}


@dataclass(frozen=True)
class Example:
    """One request with everything that is needed to write it down.

    Attributes:
        operation: its id in the OpenAPI document; method, path: from there, with {arguments}.
        arguments: of the path; query: of the address, a list where a name repeats; body: sent as JSON, None for none.
        shown: what of the answer the program prints, as keys one below the other.
        code: of the problem that comes in place of an answer; "" when all is well.
        needs_key: whether the key is sent.
    """

    operation: str
    method: str
    path: str
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | list[Any] | None = None
    shown: tuple[str | int, ...] = ()
    code: str = ""
    needs_key: bool = False

    @property
    def target(self) -> str:
        """Path and query."""
        path = self.path
        for name, value in self.arguments.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        query = {name: int(value) if isinstance(value, bool) else value for name, value in self.query.items()}
        return f"{path}?{urlencode(query, doseq=True)}" if query else path

    def spelled(self, language: str, root: str) -> str:
        """Return the program in one of LANGUAGES; `root` is the server's address without a slash at its end."""
        return {"curl": _curl, "python": _python, "javascript": _javascript}[language](self, root)


# -- curl --


def _curl(example: Example, root: str) -> str:
    # A problem is told and ends the program as a failure, unless it is what the example is about.
    parts = ["curl -sS" if example.code else "curl -sS --fail-with-body"]
    if example.needs_key:
        parts.append('-H "Authorization: Bearer $AISLE_KEY"')
    if example.body is not None:
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_json(example.body))}"]
    if example.method != ("GET" if example.body is None else "POST"):
        parts.append(f"-X {example.method}")
    if example.operation in _ARRAYS:
        parts.append("-o column.bin")
    parts.append(shlex.quote(root + example.target))
    line = " ".join(parts)
    return line if len(line) <= WIDE else " \\\n  ".join(parts)


# -- Python --


def _python(example: Example, root: str) -> str:
    call = _COLUMNS.get(example.operation) or f"shop.{_call(example)}"
    if example.operation == "exportSearch":
        call = f"list({call})"
    head = [
        f"from aisle_client import Aisle{', AisleProblem' if example.code else ''}",
        "",
        f"shop = Aisle({_literal(root)})",
    ]
    if example.needs_key:
        head[-1] += "  # the key: AISLE_KEY"
    own = example.shown[1:] if example.shown[:1] == (_UNWRAPPED.get(example.operation),) else example.shown
    shown = "".join(f"[{_literal(key)}]" for key in own)
    if example.code:
        indented = call.replace("\n", "\n    ")
        return "\n".join(
            [*head, "try:", f"    {indented}", "except AisleProblem as problem:", "    print(problem.code)"]
        )
    return "\n".join([*head, f"answer = {call}", f"print(answer{shown})"])


def _call(example: Example) -> str:
    method, first = METHODS[example.operation]
    body = {"events": example.body} if isinstance(example.body, list) else example.body or {}
    given = _as_client({**example.arguments, **example.query, **body})
    leading = [_literal(given.pop(name)) for name in first if name in given]
    arguments = [*leading, *(f"{name}={_literal(value)}" for name, value in given.items())]
    line = f"{method}({', '.join(arguments)})"
    return line if len(line) <= WIDE else f"{method}(\n    " + ",\n    ".join(arguments) + ",\n)"


def _as_client(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as the client takes them: "f.brand" under `filters`, each search of a batch likewise."""
    given: dict[str, Any] = {}
    for name, value in values.items():
        prefix = next((one for one in _PREFIXES if name.startswith(one)), "")
        if prefix:
            given.setdefault(_PREFIXES[prefix], {})[name.removeprefix(prefix)] = value
        elif name == "queries":
            given[name] = [_as_client(one) for one in value]
        elif name == "at":
            given[name] = [int(one) for one in value.split(",")]
        elif name != "format":
            given[name] = value
    return given


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


# -- JavaScript --


def _javascript(example: Example, root: str) -> str:
    options = []
    headers = []
    if example.needs_key:
        headers.append("Authorization: `Bearer ${process.env.AISLE_KEY}`")
    if example.body is not None:
        headers.append('"Content-Type": "application/json"')
    if example.method != "GET":
        options.append(f'method: "{example.method}"')
    if headers:
        options.append(f"headers: {{ {', '.join(headers)} }}")
    if example.body is not None:
        options.append(f"body: JSON.stringify({_json(example.body)})")
    given = "".join(f"  {one},\n" for one in options)
    address = json.dumps(root + example.target, ensure_ascii=False)
    fetched = f"fetch({address}, {{\n{given}}})" if options else f"fetch({address})"
    failed = "if (!response.ok) throw new Error((await response.json()).detail);"
    read, shown = "const answer = await response.json();", "".join(map(_member, example.shown))
    if example.code:
        return f"const response = await {fetched};\n{read}\nif (!response.ok) console.log(answer.code);"
    if example.operation in _ARRAYS:
        read = f"const answer = new {_ARRAYS[example.operation]}(await response.arrayBuffer());"
    if example.operation == "exportSearch":
        read = 'const lines = (await response.text()).trimEnd().split("\\n");'
        read += "\nconst answer = lines.map((line) => JSON.parse(line));"
    return f"const response = await {fetched};\n{failed}\n{read}\nconsole.log(answer{shown});"


def _member(key: str | int) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{json.dumps(key)}]"


def _json(value: Any) -> str:
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= WIDE - 20 else json.dumps(value, ensure_ascii=False, indent=2)
