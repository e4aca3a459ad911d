"""What happens inside the engine, told to whoever watches: the server's metrics do, nobody else has to."""

from __future__ import annotations


class Watch:
    """Is told what the engine's parts did; by itself it forgets it. Called from many threads, so be quick and safe."""

    def encoded(self, texts: int, seconds: float) -> None:
        """Hear that so many query texts went through the encoder in one call."""

    def looked_up(self, cache: str, hits: int, misses: int) -> None:
        """Hear what a cache ("query_vectors" or "scored_queries") had and had not."""

    def switched(self) -> None:
        """Hear that a release took another's place."""

    def not_opened(self) -> None:
        """Hear that a release could not be opened."""


NOBODY = Watch()
