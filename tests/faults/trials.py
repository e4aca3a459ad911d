"""Runs one operation under every fault, each try in a child of its own, and prints a JSON object for each.

python tests/faults/trials.py OPERATION SCRATCH [all | syscalls=EVERY]

This process loads everything once and forks: a child that is killed costs no new interpreter.
"""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # a process whose threads hold locks must not fork
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]

# ruff: noqa: E402 - the paths and variables come first
from conftest import SHOP
from injection import KINDS, Fault, Site, Tracer, errors_of
from operation import Operation
from operations import OPERATIONS

from indexer.training.language import main_language

SAID_BYTES = 1 << 20
SYSCALLS = (
    "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat2", "mkdir", "unlink", "unlinkat", "rmdir", "chmod",
    "ftruncate", "flock",
)  # fmt: skip


def forked(work: Callable[[Callable[[Any], None]], None], inject: str = "") -> tuple[int, list[Any]]:
    """Do some work in a child; return how it ended (exit code, or minus the signal) and what it said.

    Args:
        work: is given what to say things with; said in shared memory, so that saying is no system call.
        inject: for strace, such as "write:error=ENOSPC:when=3"; the last thing said is then whether it happened.
    """
    shared = mmap.mmap(-1, SAID_BYTES)
    child = os.fork()
    if child == 0:
        ended = 70
        try:
            if inject:
                os.kill(os.getpid(), signal.SIGSTOP)  # until strace is there
            work(lambda said: (shared.write(json.dumps(said).encode() + b"\n"), None)[1])
            ended = 0
        except BaseException as error:
            shared.write(json.dumps({"broke": repr(error)}).encode() + b"\n")
        finally:
            os._exit(ended)
    status, struck = traced(child, inject) if inject else (os.waitpid(child, 0)[1], None)
    said = [json.loads(line) for line in bytes(shared).rstrip(b"\0").splitlines()]
    shared.close()
    return os.waitstatus_to_exitcode(status), said if struck is None else [*said, {"struck": struck}]


def traced(child: int, inject: str) -> tuple[int, bool]:
    """Let a stopped child go on under strace; return its status and whether the fault happened."""
    os.waitpid(child, os.WUNTRACED)
    log = Path(f"/dev/shm/strace.{child}")  # noqa: S108 - ours alone
    command = ["strace", "-f", "-q", "-o", str(log), "-e", f"inject={inject}", "-e", f"trace={inject.split(':')[0]}"]
    with subprocess.Popen([*command, "-p", str(child)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as strace:
        while f"TracerPid:\t{strace.pid}" not in Path(f"/proc/{child}/status").read_text() and strace.poll() is None:
            time.sleep(0.002)
        os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
    text = log.read_text(errors="replace")
    log.unlink()
    return status, "(INJECTED)" in text or os.WIFSIGNALED(status)


def warm_up(modules: list[str]) -> None:
    """Load here what is loaded at first use, once and not in every child; nothing that would start threads."""
    for module in modules:
        if module.split(".")[0] not in ("__main__", "__mp_main__"):
            with suppress(Exception):
                importlib.import_module(module)
    main_language(SHOP)


def sites_of(operation: Operation, root: Path) -> dict[Site, int]:
    """Return the sites an operation comes by, and how often, by running it."""

    def look(say: Callable[[Any], None]) -> None:
        tracer = Tracer(root)
        tracer.install()
        operation.run(root, lambda _: None)
        tracer.is_on = False
        say([[*site, count] for site, count in tracer.seen.items()])

    ended, said = forked(look)
    if ended != 0:
        raise SystemExit(f"{operation.name} fails without any fault: {said}")
    return {Site(call, line): count for call, line, count in said[0]}


def tried(operation: Operation, root: Path, fault: Fault) -> dict[str, Any]:
    """Run an operation under a fault, look at what is left, and go on; return what happened and what is wrong."""

    def run(say: Callable[[Any], None]) -> None:
        tracer = Tracer(root, fault)
        tracer.install()
        try:
            operation.run(root, lambda one: say({"acknowledged": one}))
        except Exception as error:
            tracer.is_on = False
            say({"raised": str(error), "problem": operation.problem_of(error)})
        tracer.is_on = False
        say({"struck": tracer.has_struck})

    ended, said = forked(run)
    problems = looked_at(operation, root, ended, said)
    was_killed = ended < 0
    if was_killed != (fault.kind == "kill") and fault.kind != "torn":
        problems.append(f"it ended with {ended}")
    if not was_killed and {"struck": True} not in said:
        problems.append("the fault did not happen")
    return told(fault.site, fault.kind, fault.code, fault.time, ended, said, problems)


def looked_at(operation: Operation, root: Path, ended: int, said: list[Any]) -> list[str]:
    """Return what is wrong with what was said, with what is left, and after going on."""
    acknowledged = [one["acknowledged"] for one in said if "acknowledged" in one]
    problems = [f"the process broke: {one['broke']}" for one in said if "broke" in one]
    problems += [one["problem"] for one in said if one.get("problem")]
    for look in (lambda: operation.problems(root, acknowledged), lambda: operation.go_on(root)):
        _, found = forked(lambda say, look=look: say(look()))  # type: ignore[misc]
        problems += found[0] if isinstance(found[0], list) else [f"afterwards: {found[0]['broke']}"]
    return problems


def told(
    site: Site, kind: str, code: int, time: int, ended: int, said: list[Any], problems: list[str]
) -> dict[str, Any]:
    """Return a try as it is printed."""
    raised = next((one["raised"] for one in said if "raised" in one), "")
    return {
        "site": list(site), "kind": kind, "code": code, "time": time, "ended": ended, "raised": raised,
        "problems": problems,
    }  # fmt: skip


def syscalls_tried(
    operation: Operation, root: Path, afresh: Callable[[], None], every: int
) -> Iterator[dict[str, Any]]:
    """Break every so manieth system call of each kind, by an error and by a kill, until there are no more."""

    def run(say: Callable[[Any], None]) -> None:
        try:
            operation.run(root, lambda one: say({"acknowledged": one}))
        except Exception as error:
            say({"raised": str(error), "problem": operation.problem_of(error)})

    for call in SYSCALLS:
        for kind, what in (("error", "error=ENOSPC"), ("error", "error=EIO"), ("kill", "signal=KILL")):
            for number in itertools.count(1, every):
                afresh()
                ended, said = forked(run, f"{call}:{what}:when={number}")
                if said[-1] != {"struck": True}:
                    break
                problems = looked_at(operation, root, ended, said)
                yield told(Site(call, str(number)), kind, 0, number, ended, said, problems)


def faults_of(operation: Operation, sites: dict[Site, int], everything: bool) -> Iterator[Fault]:
    """Give the faults to try: each kind at every site; of all, also at the last time a site is come by."""
    listed = list(sites)
    if not everything and len(listed) > operation.shown:
        draw = random.Random(operation.name)
        mixed = draw.sample(listed, len(listed))
        mixed.sort(key=lambda site: not any(name in site.line for name in operation.own))  # stable
        listed = sorted(mixed[: operation.shown], key=listed.index)
    for number, site in enumerate(listed):
        codes = errors_of(site)
        for kind in KINDS:
            if kind == "torn" and not everything and number % 3:
                continue
            yield Fault(site, kind, codes[number % len(codes)] if kind == "error" else 0)
            if everything and sites[site] > 1:
                yield Fault(site, kind, codes[(number + 1) % len(codes)] if kind == "error" else 0, sites[site])


def main(name: str, scratch: str, option: str) -> None:
    """Try them all."""
    operation, folder = OPERATIONS[name], Path(scratch).resolve()
    template, root = folder / "template", folder / "try"
    # The template is made where the tries happen, so that paths within it are the same.
    root.mkdir(parents=True)
    ended, said = forked(lambda say: (operation.prepare(root), say(list(sys.modules)))[1])
    if ended:
        raise SystemExit(f"{name} cannot be prepared: {said}")
    warm_up(said[0])
    root.rename(template)

    def afresh() -> None:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root)

    logging.disable()
    if option.startswith("syscalls="):
        print(json.dumps({"sites": 0}), flush=True)
        for one in syscalls_tried(operation, root, afresh, int(option.removeprefix("syscalls="))):
            print(json.dumps(one), flush=True)
        shutil.rmtree(folder)
        return
    afresh()
    sites = sites_of(operation, root)
    print(json.dumps({"sites": len(sites)}), flush=True)
    for fault in faults_of(operation, sites, option == "all"):
        afresh()
        print(json.dumps(tried(operation, root, fault)), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], (sys.argv[3:] or [""])[0])
