"""A process that stores events from four threads until it is killed, and says each that was acknowledged.

python tests/event_writer.py FILE NAME
"""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from search.state.database import Event
from search.state.events import EventLog


def main(path: str, name: str) -> None:
    """Write on."""
    log = EventLog(Path(path), days=90, megabytes=100)

    def send(thread: int) -> None:
        for number in count():
            event_id = f"{name}.{thread}.{number}"
            log.store([Event(time.time(), "click", f"product {number % 50}", event_id=event_id)])
            os.write(1, f"{event_id}\n".encode())  # in one piece, past every buffer

    for thread in range(4):
        threading.Thread(target=send, args=(thread,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
