"""The admin routes: which releases are kept, and switching between them. Only there while a key is good for them."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, current_app, g, jsonify, request
from pydantic import BaseModel, Field, ValidationError

from search.errors import NotFound, ReleaseDamaged, ReleaseMissing
from search.home import Home, Layout
from search.naming import nearest
from search.release import expect_readable, read_manifest
from search.releases import activate, earlier, live_or_none
from web.api.openapi import operation
from web.api.validation import NoParameters, query_of
from web.caching import uncached
from web.serving.problems import Problem, Refused

logger = logging.getLogger("aisle.admin")
admin = Blueprint("admin", __name__, url_prefix="/api/v1/admin")


class KeptRelease(BaseModel):
    """One release that is kept."""

    release: str = Field(description="Its name, <utc>-<hash>.")
    live: bool
    readable: bool = Field(description="Whether this version can serve it; checksums are only checked on activation.")
    created_at: str | None = None
    products: int | None = Field(default=None, description="Rows, variants included.")
    catalog: str | None = Field(default=None, description="Name of the catalog file.")
    rejected: int | None = Field(default=None, description="Rows of the catalog that were rejected.")
    encoder: str | None = None
    fingerprint: str | None = Field(default=None, description="Of the encoder.")
    adopted: bool | None = Field(default=None, description="Whether the encoder is one fine-tuned here.")
    metrics: dict[str, dict[str, float]] | None = Field(
        default=None, description="Mean and 95 % interval by measure; null where the build was given no judgments."
    )


class KeptReleases(BaseModel):
    """Every release that is kept, oldest first."""

    live: str | None = Field(description="The live one; null while nothing is live.")
    releases: list[KeptRelease]


class Switched(BaseModel):
    """What a switch did."""

    live: str = Field(
        description="The release that answers from now on, as soon as the server has opened it: about a second."
    )
    previous: str | None = Field(description="The one that answered before; null where there was none.")


@admin.get("/releases")
@operation("releases", "The releases kept", "admin", scope="admin", answer=KeptReleases)
def releases() -> Response:
    """List the releases kept, oldest first, with what their manifests say."""
    query_of(NoParameters, request.args)
    home = _home()
    live = live_or_none(home)
    name = live.name if live else None
    kept = [_kept(layout, name) for layout in home.all_releases()]
    return _answer(KeptReleases(live=name, releases=kept))


@admin.post("/releases/<release>:activate")
@operation("activateRelease", "Make a release live", "admin", scope="admin", answer=Switched, problems=(404, 409))
def activate_release(release: str) -> Response:
    """Make a release the live one, once every file of it is what the build wrote; else nothing is switched."""
    query_of(NoParameters, request.args)
    home = _home()
    known = [layout.name for layout in home.all_releases()]
    if release not in known:
        raise NotFound(f'no release "{release:.80}" is kept{nearest(release, known)}')
    return _switched(home, release, "activate")


@admin.post("/releases:rollback")
@operation("rollbackRelease", "Go back to the release before", "admin", scope="admin", answer=Switched, problems=(409,))
def rollback_release() -> Response:
    """Make the release before the live one live, once every file of it is what the build wrote."""
    query_of(NoParameters, request.args)
    home = _home()
    try:
        name = earlier(home)
    except ReleaseMissing:
        detail = "no release older than the live one is kept; see GET /api/v1/admin/releases"
        raise Refused(Problem(409, "nothing_earlier", "There is nothing to go back to", detail)) from None
    return _switched(home, name, "rollback")


def _home() -> Home:
    home: Home = current_app.extensions["aisle.home"]
    return home


def _switched(home: Home, name: str, action: str) -> Response:
    live = live_or_none(home)
    previous = live.name if live else None
    told = {"action": action, "release": name, "previous": previous, "key": g.key.id, "request_id": g.request_id}
    try:
        activate(home, name)
    except Exception as error:
        logger.warning("%s of release %s refused: %s", action, name, error, extra={"fields": {**told, "done": False}})
        raise
    logger.info(
        "%s: release %s is live, before it %s (key %s, request %s)", action, name, previous, g.key.id, g.request_id,
        extra={"fields": {**told, "done": True}},
    )  # fmt: skip
    return _answer(Switched(live=name, previous=previous))


def _kept(layout: Layout, live: str | None) -> KeptRelease:
    """Return what a release's manifest says, as far as it can be read and is of the form we know."""
    is_live = layout.name == live
    try:
        manifest = read_manifest(layout)
        catalog, encoder = manifest.get("catalog") or {}, manifest.get("encoder") or {}
        return KeptRelease(
            release=layout.name,
            live=is_live,
            readable=_is_readable(layout),
            created_at=manifest.get("created_at"),
            products=manifest.get("rows"),
            catalog=catalog.get("name"),
            rejected=catalog.get("rejected"),
            encoder=encoder.get("name"),
            fingerprint=encoder.get("fingerprint"),
            adopted=(manifest.get("training") or {}).get("adopted"),
            metrics=(manifest.get("metrics") or {}).get("metrics"),
        )
    except (ReleaseDamaged, ValidationError, AttributeError):
        return KeptRelease(release=layout.name, live=is_live, readable=False)


def _is_readable(layout: Layout) -> bool:
    try:
        expect_readable(layout)
    except ReleaseDamaged:
        return False
    return True


def _answer(told: BaseModel) -> Response:
    response = jsonify(told.model_dump(mode="json"))
    return uncached(response)
