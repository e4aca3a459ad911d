"""The server's settings: one frozen dataclass, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.state.rates import Rate, rate_of
from web.serving.cors import origins_of

MAX_THREADS = 64
MAX_PROCESSES = 64
MAX_PROXIES = 8
OPENABLE = ("search", "events")
DEFAULT_RATE = Rate(1200, 60)  # an office behind one address, or a shopper who opens everything, never meets it
TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"


@dataclass(frozen=True)
class Settings:
    """How the page and the API are served.

    Attributes:
        home: the folder that holds the releases.
        host, port: where to listen; port 1..65535.
        processes: how many processes serve, 1..64.
        threads: how many requests are at work at once in each of them, 1..64.
        deadline_ms: how long a request may wait for its turn before it is refused, 1..60000.
        log: "text" or "json", one line per request on stderr.
        shop_name: what the page calls itself.
        language: a language tag every visitor gets, such as "de"; "" for what each browser asks for.
        theme: a folder with the shop's own look, see web/pages/theme.py; None for ours.
        translations: the folder of compiled gettext catalogs.
        url: where the shop is to be found, such as "https://shop.example"; "" for where each request came to.
        events: whether searches and what comes of them are kept, without names, in the home.
        events_days: for how long, 1..3650.
        events_mb: and how much of them, 10..100,000 megabytes.
        cors_origins: whose scripts may read the API, see web/serving/cors.py; () for nobody else's.
        open_scopes: of search and events, what needs no key; see web/serving/access.py.
        rate_limit: of each address, and of each key without its own; None for none.
        proxies: how many proxies stand in front, 0..8; the caller's address is that many from the end of
            X-Forwarded-For.
    """

    home: Path = Path("instance")
    host: str = "127.0.0.1"
    port: int = 8000
    processes: int = 1
    threads: int = 4
    deadline_ms: int = 500
    log: str = "text"
    shop_name: str = "Aisle"
    language: str = ""
    theme: Path | None = None
    translations: Path = TRANSLATIONS
    url: str = ""
    events: bool = True
    events_days: int = 90
    events_mb: int = 500
    cors_origins: tuple[str, ...] = ()
    open_scopes: tuple[str, ...] = OPENABLE
    rate_limit: Rate | None = DEFAULT_RATE
    proxies: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Return the settings that the environment (default: the process's own) asks for.

        Raises:
            ValueError: a value that cannot be used; it names the variable.
        """
        values = os.environ if environment is None else environment
        log = values.get("AISLE_LOG") or cls.log
        if log not in ("text", "json"):
            raise ValueError(f'AISLE_LOG is "{log}"; it must be text or json')
        url = values.get("AISLE_URL") or cls.url
        if url and not url.startswith(("https://", "http://")):
            raise ValueError(f'AISLE_URL is "{url}"; it must begin with https:// or http://')
        events = values.get("AISLE_EVENTS") or "on"
        if events not in ("on", "off"):
            raise ValueError(f'AISLE_EVENTS is "{events}"; it must be on or off')
        return cls(
            home=Path(values.get("AISLE_HOME") or cls.home),
            host=values.get("AISLE_HOST") or cls.host,
            port=_whole(values, "AISLE_PORT", cls.port, 65535),
            processes=_whole(values, "AISLE_PROCESSES", cls.processes, MAX_PROCESSES),
            threads=_whole(values, "AISLE_THREADS", cls.threads, MAX_THREADS),
            deadline_ms=_whole(values, "AISLE_DEADLINE_MS", cls.deadline_ms, 60_000),
            log=log,
            shop_name=values.get("AISLE_SHOP_NAME") or cls.shop_name,
            language=values.get("AISLE_LANGUAGE") or cls.language,
            theme=Path(values["AISLE_THEME"]) if values.get("AISLE_THEME") else None,
            url=url,
            events=events == "on",
            events_days=_whole(values, "AISLE_EVENTS_DAYS", cls.events_days, 3650),
            events_mb=_whole(values, "AISLE_EVENTS_MB", cls.events_mb, 100_000, least=10),
            cors_origins=origins_of(values.get("AISLE_CORS_ORIGINS", "")),
            open_scopes=_open_scopes(values.get("AISLE_OPEN") or ",".join(cls.open_scopes)),
            rate_limit=_rate_or_off(values.get("AISLE_RATE_LIMIT") or str(cls.rate_limit)),
            proxies=_whole(values, "AISLE_PROXIES", cls.proxies, MAX_PROXIES, least=0),
        )


def _whole(values: Mapping[str, str], name: str, default: int, most: int, least: int = 1) -> int:
    text = values.get(name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f'{name} is "{text}"; it must be a whole number from {least} to {most}')
    return int(text)


def _open_scopes(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(one.strip() for one in text.lower().split(",") if one.strip()))
    if names == ("none",):
        return ()
    if wrong := [name for name in names if name not in OPENABLE]:
        raise ValueError(f'AISLE_OPEN holds "{wrong[0]}"; it must be search, events, both, or none alone')
    return names


def _rate_or_off(text: str) -> Rate | None:
    try:
        return None if text.strip().lower() == "off" else rate_of(text)
    except ValueError as error:
        raise ValueError(f"AISLE_RATE_LIMIT: {error}; or off") from None
