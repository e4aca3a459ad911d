"""How often what is asked is still remembered: python bench/remembering.py [--texts 20000] [--asked 60000]

The share of questions whose answer is still there, of texts that are asked as visitors ask (bench/traffic.py), when so
many answers are kept: by the server's own rule (search/remembered.py), by throwing away the oldest, or what was not
asked for longest, and at best, where those most often asked are known beforehand. The first half only fills.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.traffic import as_shops_are_asked
from search.remembered import Remembered

KEPT = (64, 128, 256, 512, 1024, 2048)
Knows = Callable[[str], bool]  # asks for a text and remembers it; whether it was remembered


def sieve(kept: int) -> Knows:
    """Return the server's own rule."""
    remembered: Remembered[str, bool] = Remembered(kept)

    def knows(text: str) -> bool:
        known = remembered.get(text) is not None
        if not known:
            remembered.put(text, True)
        return known

    return knows


def queue(kept: int, *, moves: bool) -> Knows:
    """Return the rule that forgets the oldest or, where what is asked for moves to the end, what was asked first."""
    remembered: OrderedDict[str, bool] = OrderedDict()

    def knows(text: str) -> bool:
        known = text in remembered
        if not known:
            remembered[text] = True
        elif moves:
            remembered.move_to_end(text)
        if len(remembered) > kept:
            remembered.popitem(last=False)
        return known

    return knows


def share(asked: Sequence[str], knows: Knows) -> float:
    """Return the share of the second half that was remembered."""
    known = [knows(text) for text in asked]
    return float(np.mean(known[len(known) // 2 :]))


@click.command(help=(__doc__ or "").split("\n")[0])
@click.option("--texts", default=20_000, show_default=True, help="different ones")
@click.option("--asked", default=60_000, show_default=True, help="how many are asked in all")
def main(texts: int, asked: int) -> None:
    """Print a table."""
    drawn = as_shops_are_asked([str(number) for number in range(texts)], asked)
    print("| kept | oldest goes | longest unasked goes | the server's rule | at best |\n|---:|---:|---:|---:|---:|")
    for kept in KEPT:
        rules = queue(kept, moves=False), queue(kept, moves=True), sieve(kept)
        best = np.mean([int(text) < kept for text in drawn[asked // 2 :]])
        print(
            f"| {kept} | " + " | ".join(f"{one:.3f}" for one in (*(share(drawn, rule) for rule in rules), best)) + " |"
        )


if __name__ == "__main__":
    main()
