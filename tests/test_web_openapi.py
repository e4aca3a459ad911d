"""Every API route states what it takes, gives and needs."""

from __future__ import annotations

from app import create_app
from web.openapi import operation_of, operations
from web.settings import Settings


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
