"""Whether a value is what one of the client's types says, field by field, nothing missing and nothing more."""

from __future__ import annotations

import types
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict


def fields_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return (type, whether it must be there) by name of a TypedDict's fields."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for name, hint in hints.items():
        optional = get_origin(hint) is NotRequired
        found[name] = (get_args(hint)[0] if optional else hint, name in kind.__required_keys__ and not optional)
    return found


def misfits(kind: Any, value: Any, at: str = "$") -> list[str]:
    """Return where a value is not what a type says; [] when it is, all of it."""
    if kind is Any:
        return []
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return [f"{at}: {value!r:.40} is no object"]
        fields = fields_of(kind)
        missing = [f"{at}.{name} is missing" for name, (_, needed) in fields.items() if needed and name not in value]
        unknown = [f"{at}.{name} is in no type" for name in value if name not in fields]
        inner = [misfits(fields[name][0], one, f"{at}.{name}") for name, one in value.items() if name in fields]
        return [*missing, *unknown, *(one for found in inner for one in found)]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        tried = [misfits(one, value, at) for one in args]
        return [] if [] in tried else tried[0]
    if origin is Literal:
        return [] if value in args else [f"{at}: {value!r} is none of {args}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{at}: {value!r:.40} is no list"]
        return [one for n, item in enumerate(value) for one in misfits(args[0], item, f"{at}[{n}]")]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{at}: {value!r:.40} is no object"]
        return [one for name, item in value.items() for one in misfits(args[1], item, f"{at}.{name}")]
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    return [] if fits else [f"{at}: {value!r:.40} is no {getattr(kind, '__name__', kind)}"]


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def differences(kind: Any, schema: dict[str, Any], document: dict[str, Any], at: str) -> list[str]:
    """Return where a type and a JSON Schema of a document say different things; [] when they say the same."""
    if kind is Any:
        return []
    if "$ref" in schema:
        return differences(kind, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, at)
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _differences_of_union(args, schema.get("anyOf") or schema.get("oneOf") or [schema], document, at)
    if is_typeddict(kind):
        return _differences_of_object(kind, schema, document, at)
    if origin is Literal:
        told = schema.get("enum") or [schema.get("const")]
        return [] if set(told) == set(args) else [f"{at}: {args} is {told} in the document"]
    if origin is list:
        is_list = schema.get("type") == "array"
        return differences(args[0], schema["items"], document, f"{at}[]") if is_list else [f"{at}: no list: {schema}"]
    if origin is dict:
        inner = schema.get("additionalProperties")
        return differences(args[1], inner, document, f"{at}.*") if inner else [f"{at}: no object of values: {schema}"]
    is_same = schema.get("type") == _NAMES.get(kind) and "enum" not in schema
    return [] if is_same else [f"{at}: {kind} is {schema} in the document"]


def _differences_of_union(kinds: Any, schemas: list[dict[str, Any]], document: dict[str, Any], at: str) -> list[str]:
    kinds = [one for one in kinds if one is not types.NoneType]
    told = [one for one in schemas if one.get("type") != "null"]
    if len(kinds) != len(told) or len(schemas) - len(told) > 1:
        return [f"{at}: {kinds} are {schemas} in the document"]
    missed = []
    for kind in kinds:
        tried = [differences(kind, one, document, at) for one in told]
        missed += [] if [] in tried else tried[0]
    return missed


def _differences_of_object(kind: Any, schema: dict[str, Any], document: dict[str, Any], at: str) -> list[str]:
    fields, told, required = fields_of(kind), schema.get("properties", {}), set(schema.get("required", []))
    found = [f"{at}.{name} is in one of the two" for name in fields.keys() ^ told.keys()]
    for name in fields.keys() & told.keys():
        inner, needed = fields[name]
        found += differences(inner, told[name], document, f"{at}.{name}")
        found += [f"{at}.{name}: required in one of the two"] if needed != (name in required) else []
    return found
