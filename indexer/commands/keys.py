"""API keys: create, list, revoke. A running server notices at once."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from indexer.commands.options import AS_JSON, fails_plainly, print_json

_SPANS = {"h": "hours", "d": "days", "w": "weeks"}


@click.group()
def keys() -> None:
    """Keys for the API: who may search, send events, or administrate."""


@keys.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(["search", "events", "admin"]),
              help="What it is good for; repeat for more. None implies another.")  # fmt: skip
@click.option("--expires", "expires", default="", help="How long it is good, such as 12h, 90d or 52w; default: no end.")
@click.option("--rate", default=None, help="Its own limit, such as 600/minute; default: the server's.")
@click.option("--note", default="", help="For whoever reads the list.")
@AS_JSON
@fails_plainly
def create(name: str, scopes: tuple[str, ...], expires: str, rate: str | None, note: str, as_json: bool) -> None:
    """Make a key for NAME and print it, once: only its hash is kept."""
    from search.home import default_home
    from search.state.keys import SCOPES, KeyFile

    chosen = [one for one in SCOPES if one in scopes]
    made, text = KeyFile(default_home().keys).create(name, chosen, lasts=span_of(expires), rate=rate, note=note)
    if as_json:
        print_json({"key": text, **made.told()})
        return
    click.echo(text)
    click.echo(f"key {made.id} for {made.name}, good for {', '.join(made.scopes)}; it is not shown again", err=True)


@keys.command("list")
@AS_JSON
@fails_plainly
def list_keys(as_json: bool) -> None:
    """List the keys, never their secrets."""
    from search.home import default_home
    from search.state.keys import KeyFile

    found = [key.told() for key in KeyFile(default_home().keys).keys().values()]
    if as_json:
        print_json(found)
        return
    for key in found:
        until = f"until {key['expires_at']}" if key["expires_at"] else "without end"
        facts = ["EXPIRED" if key["expired"] else until, key["rate"] or "the server's rate", key["note"]]
        click.echo(f"{key['id']}  {key['name']}  {','.join(key['scopes'])}  {'  '.join(filter(None, facts))}")


@keys.command()
@click.argument("id")
@AS_JSON
@fails_plainly
def revoke(id: str, as_json: bool) -> None:
    """Refuse the key ID from now on."""
    from search.home import default_home
    from search.state.keys import KeyFile

    gone = KeyFile(default_home().keys).revoke(id)
    print_json({"revoked": gone.told()}) if as_json else click.echo(f"revoked: {gone.id}  {gone.name}")


def span_of(text: str) -> timedelta | None:
    """Return the span of "12h", "90d" or "52w"; None of "".

    Raises:
        click.BadParameter: it is not of that form.
    """
    if not text:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text.strip().lower())
    if not found:
        raise click.BadParameter(f'"{text}" is no span of time; write it like 12h, 90d or 52w', param_hint="--expires")
    return timedelta(**{_SPANS[found[2]]: int(found[1])})
