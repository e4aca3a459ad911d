"""Several server processes behind one port: one process listens, forks and watches; each of the others serves.

As gunicorn's arbiter and nginx's master do it: whoever watches does nothing else, so that nothing can break it; all
serve from one inherited socket, so that no connection is lost with a process. They part before a thread runs and
before a library that starts some is loaded: a lock that another thread held would never be let go of in the copy.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence

from waitress.adjustments import Adjustments

from search.cpus import keep_to_own_cpu
from web.serving.workers import Workers

logger = logging.getLogger("aisle.server")
WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM) if hasattr(signal, "SIGCHLD") else ()
BACKLOG = 1024  # connections that wait in the kernel
STEADY_SECONDS = 30.0  # a process that lived so long is replaced at once
LONGEST_PAUSE = 30.0  # seconds before one that dies again and again is; the first pause is of one
RETRY_SECONDS = 5.0  # after the system refused to make a process
HUNG_SECONDS = 60.0  # a loop that did not go round for so long never will: it does so once a second


def listening(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on an address, one for each that the name stands for, as waitress makes them.

    Raises:
        OSError: it cannot be listened on.
    """
    sockets = []
    for family, kind, protocol, address in Adjustments(host=host, port=port).listen:
        one = socket.socket(family, kind, protocol)
        sockets.append(one)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        one.listen(BACKLOG)
    return sockets


class Supervisor:
    """Makes a server's processes, makes them anew when they die, and passes on that they are to stop.

    Args:
        workers: which know how many they are to be.
        sockets: that all of them listen on.
    """

    def __init__(self, workers: Workers, sockets: Sequence[socket.socket]):
        self._workers, self._sockets = workers, sockets
        self._running: dict[int, int] = {}  # pid -> number
        self._began: dict[int, float] = {}  # number -> monotonic, when it was last made
        self._pauses: dict[int, float] = {}  # number -> seconds that it was waited for before that
        self._due = dict.fromkeys(range(1, workers.count + 1), 0.0)  # number -> monotonic, when to make it
        self._code = 0
        self._have_served = False
        self._stopping = False
        # Nobody writes to it. Whoever reads it hears its end, however the only process that could write ends.
        self._lifeline = os.pipe()

    def run(self) -> int | None:
        """Return None in each process that is to serve; in the one that watches over them, at last, the exit code."""
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._workers.begin(0, os.getpid())
        signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)  # forks do not have it
        try:
            while self._running or self._due:
                for number in [number for number, due in self._due.items() if due <= time.monotonic()]:
                    if self._make(number):
                        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                        return None
                received = signal.sigwait(WATCHED)
                if received in (signal.SIGTERM, signal.SIGINT):
                    self._stop(received)
                self._gather()
                self._end_hung()
        finally:
            if self._workers.number == 0:
                self._put_away()
        return self._code

    def _put_away(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.close(self._lifeline[1])

    def _make(self, number: int) -> bool:
        """Make a process; return whether this is it."""
        try:
            pid = os.fork()
        except OSError as error:  # no memory, or too many processes: those that are there go on
            logger.error("process %d cannot be made (%s); tried again in %g s", number, error, RETRY_SECONDS)
            self._due[number] = time.monotonic() + RETRY_SECONDS
            return False
        del self._due[number]
        if pid:
            self._running[pid] = number
            self._began[number] = time.monotonic()
            self._workers.begin(number, pid)
            return False
        self._workers.number = number
        keep_to_own_cpu(number - 1, self._workers.count)
        # Ctrl-C reaches everybody in the terminal; who watches says it in his turn.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(self._lifeline[1])
        threading.Thread(target=self._end_with_it, name="lifeline", daemon=True).start()
        return True

    def _end_with_it(self) -> None:
        """Stop this process in an orderly way once nobody watches over it any more."""
        os.read(self._lifeline[0], 1)
        logger.warning("the process that watches over the server is gone")
        self._workers.clear()
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self, number: int) -> None:
        """Tell every process to stop; when told twice, end them at once."""
        self._due.clear()
        if not self._stopping:
            self._stopping = True
            for one in self._sockets:
                one.close()  # the last to close it turns away who comes now
            self._tell_all(signal.SIGTERM)
        else:
            self._code = 128 + number
            self._tell_all(signal.SIGKILL)

    def _tell_all(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)  # it is ours until we wait for it, dead or alive

    def _gather(self) -> None:
        """See who ended, and what that means."""
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            number = self._running.pop(pid, None)
            if number is None:  # as the first process of a container one inherits orphans
                continue
            self._have_served |= self._workers.have_served
            self._workers.end(number)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                if code not in (0, -signal.SIGTERM):
                    self._code = self._code or _shell_code(code)
            elif not self._have_served:
                logger.error("process %d of %d cannot begin (%s); the server ends", number, self._workers.count,
                             _told(code))  # fmt: skip
                self._code = _shell_code(code) or 1
                self._stop(signal.SIGTERM)
            else:
                self._replace(number, pid, code)

    def _replace(self, number: int, pid: int, code: int) -> None:
        is_steady = time.monotonic() - self._began[number] >= STEADY_SECONDS
        pause = 0.0 if is_steady else min(2 * self._pauses.get(number, 0.0) or 1.0, LONGEST_PAUSE)
        self._pauses[number] = pause
        self._due[number] = time.monotonic() + pause
        logger.warning("process %d (pid %d) ended (%s); another takes its place%s", number, pid, _told(code),
                       f" in {pause:g} s" if pause else "")  # fmt: skip

    def _end_hung(self) -> None:
        for pid, number in self._running.items():
            if (silent := self._workers.silent_seconds(number)) > HUNG_SECONDS:
                logger.error("process %d (pid %d) has done nothing for %.0f s; it is ended", number, pid, silent)
                os.kill(pid, signal.SIGKILL)


def _told(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _shell_code(code: int) -> int:
    return 128 - code if code < 0 else code
