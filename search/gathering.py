"""Which texts wait for the encoder, and until when: searches that can go on without it go first.

Texts that come while the encoder is busy go through it together, in its next call (group commit, as databases write
their logs), and so do those that come while searches can work: eight texts together cost half of what each costs alone.
A lone text waits for nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from weakref import WeakMethod

from search.arrays import Floats

ENOUGH = 2  # searches that can work, for texts to go on gathering where the encoder has a CPU beside them
TOGETHER = 64  # most texts in one call: a whole batch and what waits beside it


class Gathering:
    """The texts that wait, and the searches that stand between them and the encoder.

    A search is read (`coming`), its texts wait, their vectors are there (it returns), and it works in its turn. A call
    begins when few enough searches can go on: none where there is but one CPU, for then a call only takes it from
    them; fewer than ENOUGH where it has another. No text lets more of them pass than there are texts in one call.

    Args:
        begin: a method that is told how many calls are to take texts from the queue, beside whatever asked for them. It
            is not held: its object holds this, and is to go with its last user.
    """

    def __init__(self, begin: Callable[[int], None]):
        self.lock = threading.Lock()  # guards all that follows
        self.calls, self.together = 1, TOGETHER  # how many at a time, and of how many texts
        self.has_own_cpu = False  # whether a call has a CPU beside a search that works
        self._begin = WeakMethod(begin)
        self._waiting: dict[str, Future[Floats]] = {}  # texts without a vector yet
        self._asked_with: dict[str, set[str]] = {}  # what else of them the same caller waits for
        self._queue: deque[str] = deque()  # those that no call has taken
        self._at_work = 0  # calls under way
        self._coming: set[int] = set()  # threads of searches that are read
        self._returning = 0  # callers whose vectors are there, and who have not woken yet to take them
        self._ready = 0  # searches that have their vectors and wait for their turn
        self._at_turn: int | None = None  # the thread of the search whose turn it is
        self._waits_at_turn = False  # whether that one waits for a vector, which keeps all others from their turn
        self._passed = 0  # searches that went first since a call began or the queue was empty

    @contextmanager
    def coming(self) -> Iterator[None]:
        """A search is read: until it waits for its texts, or is found to have none."""
        thread = threading.get_ident()
        with self.lock:
            self._coming.add(thread)
        try:
            yield
        except BaseException:
            with self.lock:
                self._passed += 1
            raise
        finally:
            with self._moved():
                self._coming.discard(thread)

    @contextmanager
    def turn(self, turn: threading.Lock) -> Iterator[None]:
        """Hold the turn of a search that has its vectors.

        Args:
            turn: what only one search holds.
        """
        with self.lock:
            self._ready += 1
        with turn:
            with self._moved():  # what begins, begins beside what this search does
                self._ready -= 1
                self._passed += 1
                self._at_turn = threading.get_ident()
            try:
                yield
            finally:
                with self._moved():
                    self._at_turn, self._waits_at_turn = None, False

    def queued(self, texts: Iterable[str]) -> tuple[dict[str, Future[Floats]], bool, int]:
        """Let texts wait; only with the lock.

        Returns:
            The vector to come of each, one and the same for all who ask for it meanwhile; whether `returned` is to be
            called when they are there; and how many calls are to be made, under way from now on.
        """
        thread, new = threading.get_ident(), set[str]()
        asked: dict[str, Future[Floats]] = {}
        for text in texts:
            if text not in self._waiting:
                self._waiting[text], self._asked_with[text] = Future(), new
                self._queue.append(text)
                new.add(text)
            asked[text] = self._waiting[text]
        if asked:
            self._coming.discard(thread)
            self._waits_at_turn = self._waits_at_turn or self._at_turn == thread
        return asked, bool(new), self._begun()

    def returned(self) -> None:
        """A caller whose texts waited goes on, with their vectors or with an error."""
        with self._moved():
            self._returning -= 1

    def taken(self) -> list[str]:
        """Take those that have waited longest from the queue, at most as many as one call may have."""
        with self.lock:
            return [self._queue.popleft() for _ in range(min(len(self._queue), self.together))]

    def delivered(self, texts: Sequence[str]) -> list[Future[Floats]]:
        """Return who waits for the vectors of these texts, now that they are there; only with the lock."""
        for text in texts:
            left = self._asked_with.pop(text)
            left.remove(text)
            self._returning += not left
        return [self._waiting.pop(text) for text in texts]

    def ended(self) -> None:
        """A call is over."""
        with self._moved():
            self._at_work -= 1

    @contextmanager
    def _moved(self) -> Iterator[None]:
        """Hold the lock while somebody is counted elsewhere; calls that may begin then do so once it is free."""
        with self.lock:
            yield
            begun = self._begun()
        begin = self._begin()
        if begin is not None and begun > 0:
            begin(begun)

    def _begun(self) -> int:
        """Return how many calls are to be made for the queue, under way from now on; only with the lock.

        All that are counted here ask again as they go on.
        """
        if not self._queue:
            self._passed = 0
            return 0
        can_work, enough = self._ready + self._returning, ENOUGH
        if not self.has_own_cpu:
            can_work, enough = can_work + len(self._coming) + (self._at_turn is not None), 1
        if can_work >= enough and self._passed < self.together and not self._waits_at_turn:
            return 0
        begun = min(self.calls - self._at_work, -(-len(self._queue) // self.together))
        self._at_work += begun
        if begun:
            self._passed = 0
        return begun
