"""Keys for tests: a home with some, and a wrong one of the right form."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from search.home import Home
from search.state.keys import SCOPES, KeyFile, Scope


def unknown_key() -> str:
    """A key as we would print it, of a home that is not this one."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return KeyFile(Path(folder) / "keys.json").create("stranger", ["search"])[1]


def keys_in(home: Home) -> dict[str, str]:
    """Make a key of every kind in a home; return them by what they are: a scope, "all", or what is wrong with them."""
    file = KeyFile(home.keys)
    made = {scope: file.create(f"only {scope}", [scope])[1] for scope in SCOPES}
    made["all"] = file.create("all", list(SCOPES))[1]
    made["expired"] = expired_key(file, list(SCOPES))
    key, made["revoked"] = file.create("gone", list(SCOPES))
    file.revoke(key.id)
    made["unknown"] = unknown_key()
    made["cut"] = made["all"][:-1]
    return made


def expired_key(file: KeyFile, scopes: list[Scope]) -> str:
    """Make a key whose time is over."""
    key, text = file.create("late", scopes, lasts=timedelta(days=1))
    kept = json.loads(file.path.read_text())
    record = next(one for one in kept["keys"] if one["id"] == key.id)
    record["expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    file.path.write_text(json.dumps(kept))
    return text
