"""The server's log on stderr: lines for people, or JSON objects for programs.

One record is one line whatever it holds, so that nobody who is asked about can write records of their own. What
people search for and their keys are not logged.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from search.state.keys import without_keys

logger = logging.getLogger("aisle.requests")
SLOW_MS = 1000
_MESSAGE = "%s %s %d %s B %.1f ms (waited %.1f)%s"

# Line ends of every kind, terminal escapes, and the signs that turn the direction of text.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text on one line that does to a terminal what it says: control characters as \x1b or \u2028."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class OfRequest(logging.Filter):
    """Adds the id of the request that a record belongs to, "" outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        record.request_id = g.get("request_id", "") if has_request_context() else ""
        return True


class TextFormatter(logging.Formatter):
    """One line a record; of an error, its stack follows, indented so that no line of it looks like a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname:7} {printable(record.getMessage())}"
        request_id = getattr(record, "request_id", "")
        if request_id:
            line += f" [{request_id}]"
        if record.exc_info:
            stack = self.formatException(record.exc_info)
            line += "".join(f"\n    {printable(part)}" for part in stack.splitlines())
        return without_keys(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; a record's `fields` are members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON text, ASCII so that nothing in it can pass for a line end."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname.lower(),
            "logger": record.name, "process": record.process, "message": record.getMessage(),
        }  # fmt: skip
        if getattr(record, "request_id", ""):
            entry["request_id"] = record.request_id  # type: ignore[attr-defined]
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return without_keys(json.dumps(entry, default=str))


def install(app: Flask) -> None:
    """Log every request of an app; installed before the parts whose work on an answer its size and time include."""
    app.after_request(_log_request)


def _log_request(response: Response) -> Response:
    """Log who was answered how: the path alone, for what people search for is not for the log."""
    took_ms = round((time.perf_counter() - g.started) * 1000, 1)
    is_slow = took_ms > SLOW_MS
    level = logging.WARNING if is_slow else logging.INFO
    if not logger.isEnabledFor(level):
        return response
    asked, key = request._get_current_object(), g.get("key")  # type: ignore[attr-defined]
    size = None if response.is_streamed else response.calculate_content_length()  # which would read a stream whole
    fields = {
        "method": asked.method, "path": asked.path, "route": asked.url_rule.rule if asked.url_rule else None,
        "status": response.status_code, "took_ms": took_ms, "waited_ms": round(g.get("waited", 0.0) * 1000, 1),
        "bytes": size, "slow": is_slow, **({"key": key.id} if key else {}),
    }  # fmt: skip
    told = (
        asked.method, asked.path, response.status_code, "-" if size is None else size, took_ms, fields["waited_ms"],
        " slow" if is_slow else "",
    )  # fmt: skip
    # Not `logger.log`, which would look for the line of code that calls it.
    record = logger.makeRecord(logger.name, level, __file__, 0, _MESSAGE, told, None, extra={"fields": fields})
    logger.handle(record)
    return response


def start_logging(form: str) -> None:
    """Send what Aisle tells, and what libraries warn of, to stderr as "text" or "json"."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(OfRequest())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("aisle").setLevel(logging.INFO)
    # How many requests wait is a metric; a browser's burst of static files is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
