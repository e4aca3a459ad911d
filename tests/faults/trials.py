"""Runs one operation under every fault, each try in a child of its own, and prints a JSON object for each.

python tests/faults/trials.py OPERATION SCRATCH [all]

This process loads everything once and forks: a child that is killed costs no new interpreter.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import random
import shutil
import sys
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
from operations import OPERATIONS, Operation

from indexer.training.language import main_language


def forked(work: Callable[[Callable[[Any], None]], None]) -> tuple[int, list[Any]]:
    """Do some work in a child; return how it ended (exit code, or minus the signal) and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        ended = 70
        try:
            work(lambda said: (os.write(writing, json.dumps(said).encode() + b"\n"), None)[1])
            ended = 0
        except BaseException as error:
            os.write(writing, json.dumps({"broke": repr(error)}).encode() + b"\n")
        finally:
            os._exit(ended)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), [json.loads(line) for line in said.splitlines()]


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
    acknowledged = [one["acknowledged"] for one in said if "acknowledged" in one]
    problems = [f"the process broke: {one['broke']}" for one in said if "broke" in one]
    problems += [one["problem"] for one in said if one.get("problem")]
    was_killed = ended < 0
    if was_killed != (fault.kind == "kill") and fault.kind != "torn":
        problems.append(f"it ended with {ended}")
    if not was_killed and {"struck": True} not in said:
        problems.append("the fault did not happen")
    for look in (lambda: operation.problems(root, acknowledged), lambda: operation.go_on(root)):
        _, found = forked(lambda say, look=look: say(look()))  # type: ignore[misc]
        problems += found[0] if isinstance(found[0], list) else [f"afterwards: {found[0]['broke']}"]
    raised = next((one["raised"] for one in said if "raised" in one), "")
    return {
        "site": list(fault.site), "kind": fault.kind, "code": fault.code, "time": fault.time, "ended": ended,
        "raised": raised, "problems": problems,
    }  # fmt: skip


def faults_of(operation: Operation, sites: dict[Site, int], everything: bool) -> Iterator[Fault]:
    """Give the faults to try: each kind at every site; of all, also at the last time a site is come by."""
    listed = list(sites)
    if not everything and len(listed) > operation.shown:
        drawn = random.Random(operation.name).sample(range(len(listed)), operation.shown)
        listed = [listed[place] for place in sorted(drawn)]
    for number, site in enumerate(listed):
        codes = errors_of(site)
        for kind in KINDS:
            if kind == "torn" and not everything and number % 3:
                continue
            yield Fault(site, kind, codes[number % len(codes)] if kind == "error" else 0)
            if everything and sites[site] > 1:
                yield Fault(site, kind, codes[(number + 1) % len(codes)] if kind == "error" else 0, sites[site])


def main(name: str, scratch: str, everything: bool) -> None:
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
    afresh()
    sites = sites_of(operation, root)
    print(json.dumps({"sites": len(sites)}), flush=True)
    for fault in faults_of(operation, sites, everything):
        afresh()
        print(json.dumps(tried(operation, root, fault)), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "all" in sys.argv[3:])
