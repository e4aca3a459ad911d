"""Clients that keep their connection and ask again as soon as they are answered; used by the benches of servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

# How much rarer a query is than the one before it in the order of popularity (Zipf's law): the slope of log popularity
# over log rank of 751 queries that Best Buy's visitors typed (data: Algolia's datasets, "bestbuy suggestions").
ZIPF = 0.94
GIVES_UP = 60.0  # seconds until a client stops waiting for an answer


@dataclass(frozen=True)
class Exchange:
    """One request: its status (0: no answer), milliseconds until the whole answer was there, and its headers."""

    status: int
    ms: float
    headers: dict[str, str]


@dataclass(frozen=True)
class Traffic:
    """What so many clients got in so many seconds."""

    clients: int
    seconds: float
    exchanges: list[Exchange]

    def as_json(self) -> dict[str, Any]:
        """Return answers a second, p50, p99 and the slowest in milliseconds, and how many were no answer."""
        good = [one for one in self.exchanges if one.status == 200]
        found = np.percentile([one.ms for one in good], [50, 99, 100]) if good else [float("nan")] * 3
        told = {name: round(float(value), 2) for name, value in zip(("p50_ms", "p99_ms", "max_ms"), found, strict=True)}
        return {"clients": self.clients, "answers": len(good), "failed": len(self.exchanges) - len(good),
                "per_s": round(len(good) / self.seconds, 1), **told}  # fmt: skip


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer, its body read to the end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split(" ")[1]), headers


async def _client(address: str, paths: Iterator[str], until: float, exchanges: list[Exchange]) -> None:
    parts = urlsplit(address)
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for path in paths:
        if time.perf_counter() >= until:
            break
        request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n\r\n".encode()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(GIVES_UP):
                if streams is None:
                    streams = await asyncio.open_connection(parts.hostname, parts.port)
                streams[1].write(request)
                status, headers = await _read(streams[0])
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            status, headers = 0, {"connection": "close"}
        exchanges.append(Exchange(status, (time.perf_counter() - started) * 1000, headers))
        if headers.get("connection", "").lower() == "close" and streams is not None:
            streams[1].close()
            streams = None
    if streams is not None:
        streams[1].close()


def as_shops_are_asked(paths: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Return `count` of these paths, drawn as visitors ask: a few again and again, most hardly ever."""
    weights = np.arange(1, len(paths) + 1) ** -ZIPF
    drawn = np.random.default_rng(seed).choice(len(paths), count, p=weights / weights.sum())
    return [paths[place] for place in drawn]


def traffic(address: str, paths: Sequence[str], clients: int, seconds: float = float("inf")) -> Traffic:
    """Ask for paths in their order, shared among clients, until all are answered or the time is over."""

    async def asked() -> Traffic:
        exchanges: list[Exchange] = []
        shared, started = iter(paths), time.perf_counter()
        await asyncio.gather(*(_client(address, shared, started + seconds, exchanges) for _ in range(clients)))
        return Traffic(clients, time.perf_counter() - started, exchanges)

    return asyncio.run(asked())
