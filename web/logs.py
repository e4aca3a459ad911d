"""The server's log on stderr: lines for people, or JSON objects for programs."""

from __future__ import annotations

import json
import logging

from web.scrubbing import Scrubbed


class JsonFormatter(logging.Formatter):
    """One JSON object a line; a record's `fields` are members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON text."""
        entry = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname.lower()}
        entry |= {"logger": record.name, "message": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def start_logging(form: str) -> None:
    """Send the `aisle` loggers to stderr as "text" or "json"."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    handler.setFormatter(Scrubbed(JsonFormatter() if form == "json" else plain))
    logger = logging.getLogger("aisle")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # A browser's burst of static files is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
