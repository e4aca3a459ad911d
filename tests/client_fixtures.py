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
