"""What comes from outside, held against a pydantic model; what is wrong is said in a sentence, with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from werkzeug.datastructures import MultiDict

from search.errors import QueryError
from search.naming import nearest

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})([eE][+-]?[0-9]{1,3})?")


def _flag(value: Any) -> Any:
    """Return True or False for the two spellings of a switch."""
    known = {"0": False, "1": True}
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value in known:
        return known[value]
    raise ValueError("it must be 0 or 1")


def _whole(value: Any) -> Any:
    """Return the value unless it is a text that is no integer, or a number with a fraction that is none (24.0)."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("it must be an integer")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: Any) -> Any:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("it must be a plain number")
    return value


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"enum": [0, 1, False, True]})]
AS_WHOLE, AS_NUMBER = BeforeValidator(_whole), BeforeValidator(_number)  # last in Annotated: bounds are checked after
Whole = Annotated[int, AS_WHOLE]
Model = TypeVar("Model", bound="Parameters")
Names = Callable[[], list[str]]


class Parameters(BaseModel):
    """Base of all parameter models: nothing unknown is let through."""

    # Built at the first question, not while the server starts.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class NoParameters(Parameters):
    """For routes that take none."""


class InvalidParameters(QueryError):
    """One or more parameters are not understood; `errors` lists each with its name and what is wrong."""

    def __init__(self, errors: list[tuple[str, str]]):
        super().__init__(*errors[0])
        self.errors = errors


class InvalidBody(InvalidParameters):
    """The same of a JSON body: in place of names there are JSON pointers, "" for the body as a whole."""


def query_of(model: type[Model], values: MultiDict[str, str]) -> Model:
    """Return the query string of a route as a model; each parameter may be given once.

    Raises:
        InvalidParameters: naming each parameter that is unknown, repeated or out of bounds.
    """
    if repeated := [(name, said_twice(name, texts)) for name, texts in values.lists() if len(texts) > 1]:
        raise InvalidParameters(repeated)
    return parsed(model, values.to_dict())


def parsed(model: type[Model], values: Mapping[str, Any], also: Names | None = None) -> Model:
    """Return the texts of an address as a model.

    Raises:
        InvalidParameters: naming each parameter that is unknown or out of bounds; `also` gives further known names.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        found = [(".".join(map(str, one["loc"])), _sentence(one, model, also)) for one in error.errors()]
        raise InvalidParameters(found) from None


def parsed_body(model: type[Model], body: Any, also: Names | None = None, at: str = "") -> Model:
    """Return a JSON object as a model; its types are taken at their word ("1" is no number).

    Args:
        model: what it must be.
        body: as it was read.
        also: gives further known names.
        at: JSON pointer to the object, where it is a part of the body.

    Raises:
        InvalidBody: pointing at each member that is unknown, missing or out of bounds.
    """
    expect_object(body, at)
    try:
        return model.model_validate(body, strict=True)
    except ValidationError as error:
        wrong = [(at + _pointer(one["loc"], body), _sentence(one, model, also)) for one in error.errors()]
        raise InvalidBody(wrong) from None


def expect_object(body: Any, at: str, example: str = "") -> None:
    """Check that a body, or the part of it a pointer leads to, is an object.

    Raises:
        InvalidBody: it is something else.
    """
    if not isinstance(body, dict):
        what = at[1:] or "the body"
        raise InvalidBody([(at, f"{what} must be a JSON object {example}".rstrip())])


def _pointer(path: tuple[str | int, ...], body: Any) -> str:
    """Return the JSON pointer to a member, or to what should have it; what pydantic says of unions is no member."""
    pointer = ""
    for part in path:
        if isinstance(body, dict) and isinstance(part, str):
            if part not in body:
                return pointer + (f"/{escaped(part)}" if part == path[-1] else "")
        elif not (isinstance(body, list) and isinstance(part, int) and part < len(body)):
            return pointer
        body, pointer = body[part], f"{pointer}/{escaped(str(part))}"
    return pointer


def escaped(name: str) -> str:
    """Return a member's name as a part of a JSON pointer (RFC 6901) in a URI fragment."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@")


def said_twice(name: str, texts: list[str]) -> str:
    """Return what is said of a parameter that may be given once."""
    return f"{name:.60} is given {len(texts)} times; once is enough"


def _sentence(problem: Any, model: type[BaseModel], also: Names | None) -> str:
    """Return what is wrong, of one pydantic error."""
    path = [str(part) for part in problem["loc"] if part != "[key]"]
    name, value = ".".join(path)[:80], problem["input"]
    if problem["type"] == "extra_forbidden":
        known = [*_model_at(model, path).model_fields, *(also() if also else ())]
        return f'unknown parameter "{path[-1]:.60}"{nearest(path[-1][:60], known)}'
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "literal_error":
        choices = [choice.strip(" '") for choice in problem["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f'{name} "{value!s:.60}" is not known{nearest(str(value)[:60], choices)}'
    if problem["type"] == "value_error":
        return f'{name} is "{value!s:.60}"; {problem["ctx"]["error"]}'
    said = json.dumps(value, ensure_ascii=False, default=str)
    return f"{name} is {said:.60}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _model_at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """Return the model of the object that a path leads into."""
    for part in path:
        field = model.model_fields.get(part)
        model = next(_models_in(field.annotation), model) if field else model
    return model


def _models_in(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models_in(part)
