"""A process that changes prices from four threads until it is killed, and says each change that was acknowledged.

python tests/change_writer.py LOG NAME
"""

from __future__ import annotations

import os
import sys
import threading
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from search.state.batches import Change
from search.state.changes import ChangeLog


def main(path: str, name: str) -> None:
    """Write on."""
    log = ChangeLog(Path(path))

    def send(thread: int) -> None:
        for number in count(1):
            product = f"{name}.{thread}.{number % 7}"
            sequence = log.write({product: Change(float(number)), f"{product}.twin": Change(float(number))})
            os.write(1, f"{sequence} {product} {number}\n".encode())  # in one piece, past every buffer

    for thread in range(4):
        threading.Thread(target=send, args=(thread,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
