"""The server's settings: one frozen dataclass, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_THREADS = 64
TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"


@dataclass(frozen=True)
class Settings:
    """How the page and the API are served.

    Attributes:
        home: the folder that holds the releases.
        host, port: where to listen; port 1..65535.
        threads: how many requests are at work at once, 1..64.
        deadline_ms: how long a request may wait for its turn before it is refused, 1..60000.
        log: "text" or "json", one line per request on stderr.
        shop_name: what the page calls itself.
        language: a language tag every visitor gets, such as "de"; "" for what each browser asks for.
        theme: a folder with the shop's own look, see web/theme.py; None for ours.
        translations: the folder of compiled gettext catalogs.
        url: where the shop is to be found, such as "https://shop.example"; "" for where each request came to.
    """

    home: Path = Path("instance")
    host: str = "127.0.0.1"
    port: int = 8000
    threads: int = 4
    deadline_ms: int = 500
    log: str = "text"
    shop_name: str = "Aisle"
    language: str = ""
    theme: Path | None = None
    translations: Path = TRANSLATIONS
    url: str = ""

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
        return cls(
            home=Path(values.get("AISLE_HOME") or cls.home),
            host=values.get("AISLE_HOST") or cls.host,
            port=_whole(values, "AISLE_PORT", cls.port, 65535),
            threads=_whole(values, "AISLE_THREADS", cls.threads, MAX_THREADS),
            deadline_ms=_whole(values, "AISLE_DEADLINE_MS", cls.deadline_ms, 60_000),
            log=log,
            shop_name=values.get("AISLE_SHOP_NAME") or cls.shop_name,
            language=values.get("AISLE_LANGUAGE") or cls.language,
            theme=Path(values["AISLE_THEME"]) if values.get("AISLE_THEME") else None,
            url=url,
        )


def _whole(values: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = values.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ValueError(f'{name} is "{text}"; it must be a whole number from 1 to {most}')
    return int(text)
