"""Which release of a home is live, and how another one takes its place: one rename of a one-line file.

Beside it lies what was live before, for a server that finds the live one damaged: older releases were not all meant
to be live, some are kept for inspection.
"""

from __future__ import annotations

from search.durable import disk_error, write_durably
from search.errors import ReleaseDamaged, ReleaseMissing, ReleaseRefused
from search.home import Home, Layout
from search.release import damage_of, expect_readable, read_manifest

REMEMBERED = 50  # switches


def live_or_none(home: Home) -> Layout | None:
    """Return the live release, of whatever format; None when nothing is live or its manifest cannot be read."""
    try:
        live = home.live()
        read_manifest(live)
    except (ReleaseMissing, ReleaseDamaged):
        return None
    return live


def switch(home: Home, name: str) -> None:
    """Make a release the live one.

    Raises:
        ReleaseMissing: there is no such release.
        ReleaseDamaged: this version cannot read it; no server could serve it.
        DiskError: it cannot be written down.
    """
    expect_readable(home.release(name))
    names = [*_were_live(home), name][-REMEMBERED:]
    try:
        write_durably(home.history, "".join(f"{one}\n" for one in names))
        write_durably(home.current, f"{name}\n")
    except OSError as error:
        raise disk_error(error, home.index, f"switching to release {name}") from error


def _were_live(home: Home) -> list[str]:
    """Return the names of the releases that were switched to, the latest last."""
    try:
        return home.history.read_text("utf-8").split()
    except (OSError, ValueError):
        return []


def stand_ins(home: Home) -> list[Layout]:
    """Return the releases that were live before, the latest first: one may stand in where the live one is damaged."""
    try:
        live = home.current.read_text("utf-8").strip()
    except (OSError, ValueError):
        return []  # nothing was published yet
    kept = {layout.name: layout for layout in home.all_releases() if layout.name != live}
    return [kept[name] for name in dict.fromkeys(reversed(_were_live(home))) if name in kept]


def activate(home: Home, name: str) -> str:
    """Make a release the live one when every file of it is what the build wrote; return its name.

    Raises:
        ReleaseMissing: there is no such release.
        ReleaseRefused: it is damaged, or of a format that this version does not read; nothing was switched.
        DiskError: it cannot be written down.
    """
    layout = home.release(name)
    try:
        expect_readable(layout)
        damage = damage_of(layout)
    except ReleaseDamaged as error:
        reason = str(error).replace(str(layout.folder), name)  # callers over HTTP are not told where things lie
        raise ReleaseRefused(f"nothing was switched: {reason}") from error
    if damage:
        raise ReleaseRefused(
            f"nothing was switched: of release {name} {len(damage)} files are damaged, {damage[0]}; build it again"
        )
    switch(home, name)
    return name


def rollback(home: Home, name: str = "") -> str:
    """Activate a release by name, or the one before the live one; return its name.

    Raises:
        ReleaseMissing: there is none to go back to.
        ReleaseRefused: it is damaged; nothing was switched.
    """
    return activate(home, name or earlier(home))


def earlier(home: Home) -> str:
    """Return the name of the release before the live one.

    Raises:
        ReleaseMissing: nothing is live, or the live one is the oldest that was kept.
    """
    live = home.live().name
    names = [layout.name for layout in home.all_releases() if layout.name < live]
    if not names:
        raise ReleaseMissing(f"{live} is the oldest release kept; there is nothing to roll back to")
    return names[-1]
