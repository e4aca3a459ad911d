"""The one source of chance: every draw has a seed and a purpose, so that no draw disturbs another."""

from __future__ import annotations

import random


def chance(seed: int, purpose: str) -> random.Random:
    """Return a generator that depends on seed and purpose alone."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - samples, not secrets
