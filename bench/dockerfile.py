"""Carry out the Dockerfile's steps without Docker: in a Debian root folder, by chroot, one copy of it for each stage.

Not a build: no layers, no cache, and Debian's own Python stands for that of the base image. But every RUN and COPY is
carried out as written, with the files that .dockerignore lets through, in a system that holds nothing else. Then the
last stage's program is started as its USER on a root folder that is read-only, asked, found healthy, and stopped.

    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm /tmp/root
    chroot /tmp/root ln -s python3 /usr/bin/python
    python bench/dockerfile.py /tmp/root --home HOME_WITH_A_RELEASE [--target indexer]

As root, on Linux. `--mount PATH` lends a folder or file of this machine to the steps (pip's settings), read-only.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

CHROOT = shutil.which("chroot") or "/usr/sbin/chroot"
REPOSITORY = Path(__file__).resolve().parents[1]
SYSTEM_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"  # of the base image
Step = tuple[str, str]


@dataclass
class Stage:
    """One stage: what it begins with, its steps (name, rest of the line), and where it is carried out."""

    parent: str
    steps: list[Step] = field(default_factory=list)
    root: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0"
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def stages_of(text: str) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in order; lines are joined, comments left out."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            parent, _, label = rest.partition(" AS ")
            stage = stages[label] = Stage(re.sub(r"\$\{(\w+)\}", lambda one: arguments[one[1]], parent))
        elif stage is None:
            arguments.update(dict([rest.split("=", 1)]))
        else:
            stage.steps.append((name, rest))
    return stages


def sources(ignore: list[str]) -> Iterator[Path]:
    """Yield the files that .dockerignore lets through (its last line that fits decides), relative to the repository."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        kept = True
        for line in ignore:
            pattern = line.removeprefix("!").removeprefix("**/")
            parts = (name, *map(str, Path(name).parents), *Path(name).parts)
            if any(fnmatch.fnmatch(part, pattern) for part in parts):
                kept = line.startswith("!")
        if kept:
            yield Path(name)


def carried_out(stage: Stage, stages: dict[str, Stage], base: Path, at: Path, mounts: list[str]) -> None:
    """Carry out a stage's steps in a copy of its parent, printing how long each took."""
    parent = stages.get(stage.parent)
    stage.root, done = at, at.with_suffix(".done")
    if is_new := not done.exists():
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{parent.root if parent else base}/.", at], check=True)
    if parent:
        stage.environment, stage.workdir, stage.user = dict(parent.environment), parent.workdir, parent.user
    for name, rest in stage.steps:
        started = time.monotonic()
        if name in ("RUN", "COPY") and not is_new:
            continue
        if name == "RUN":
            in_root(stage, ["/bin/sh", "-c", rest], mounts)
        elif name == "COPY":
            copy(stage, stages, rest)
        elif name in ("ENV", "ARG"):
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                stage.environment[key] = value.replace("$PATH", stage.environment.get("PATH", SYSTEM_PATH))
        elif name == "WORKDIR":
            stage.workdir = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = rest
        elif name == "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        elif name == "HEALTHCHECK":
            stage.health = json.loads(rest.partition("CMD")[2])
        elif name not in ("VOLUME", "EXPOSE"):
            raise SystemExit(f"this script does not know {name}")
        if name in ("RUN", "COPY"):
            print(f"{time.monotonic() - started:6.1f} s  {name} {rest[:100]}", flush=True)
    done.touch()


def copy(stage: Stage, stages: dict[str, Stage], rest: str) -> None:
    """Carry out a COPY of one source: from another stage, or of what .dockerignore lets through."""
    *flags, source, target = rest.split()
    destination = stage.root / ("/" / Path(stage.workdir) / target).relative_to("/")
    if flags:
        shutil.copytree(stages[flags[0].removeprefix("--from=")].root / source[1:], destination, symlinks=True)
        return
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    ignore = [line for line in lines if line and not line.startswith("#")]
    files = [one for one in sources(ignore) if Path(source) in (one, *one.parents)]
    if not files:
        raise SystemExit(f"COPY {rest}: there is no such file, or .dockerignore keeps it out")
    for one in files:
        into_folder = target.endswith("/")
        place = destination / (one.name if into_folder and one == Path(source) else one.relative_to(source))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / one, place)


@contextmanager
def mounted(root: Path, mounts: list[str]) -> Iterator[None]:
    """Lend folders to a root folder, and /proc."""
    with ExitStack() as undo:
        for what in (*mounts, "/proc"):
            place = root / what.lstrip("/")
            if Path(what).is_dir():
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            kind = ["-t", "proc", "proc"] if what == "/proc" else ["--bind", "-o", "ro", what]
            subprocess.run(["mount", *kind, place], check=True)
            undo.callback(subprocess.run, ["umount", place], check=True)
        yield


def in_root(stage: Stage, command: list[str], mounts: list[str]) -> None:
    """Run a command in a stage as its user, with pip's variables of this machine."""
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    with mounted(stage.root, mounts):
        inside = [CHROOT, f"--userspec={stage.user}", stage.root, "/usr/bin/env", "-C", stage.workdir, *command]
        done = subprocess.run(inside, env={"PATH": SYSTEM_PATH, **pip, **stage.environment})
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")


def libraries_missing(stage: Stage) -> list[str]:
    """Return the shared libraries that a package of the stage asks for and neither system nor packages hold."""
    asked = "find /opt/aisle -name '*.so*' -type f -exec ldd {} + 2>/dev/null | grep 'not found'"
    found = subprocess.run([CHROOT, stage.root, "/bin/sh", "-c", asked], capture_output=True, text=True)
    held = {one.name for one in (stage.root / "opt/aisle").rglob("*.so*")}
    return sorted({line.split()[0] for line in found.stdout.splitlines()} - held)


def megabytes(folder: Path) -> str:
    return subprocess.run(["du", "-sm", folder], capture_output=True, text=True).stdout.split()[0]


def try_server(stage: Stage, home: Path) -> None:
    """Start the stage's program as its user, the root folder read-only but for its volume and /tmp; ask it; stop it."""
    volume = stage.root / "var/lib/aisle"
    shutil.copytree(home, volume, dirs_exist_ok=True)
    subprocess.run(["chown", "-R", stage.user, volume], check=True)
    port = stage.environment["AISLE_PORT"] = "8199"
    inside = [CHROOT, f"--userspec={stage.user}:{stage.user}", stage.root, "/usr/bin/env", "-C", stage.workdir]
    with ExitStack() as undo:
        for command in (
            ["mount", "--bind", stage.root, stage.root],
            ["mount", "--bind", volume, volume],
            ["mount", "-t", "tmpfs", "tmpfs", stage.root / "tmp"],
            ["mount", "-o", "remount,bind,ro", stage.root],
            ["mount", "-t", "proc", "proc", stage.root / "proc"],
        ):
            subprocess.run(command, check=True)
            if "remount,bind,ro" not in command:
                undo.callback(subprocess.run, ["umount", "-l", command[-1]], check=False)
        started = time.monotonic()
        process = subprocess.Popen([*inside, *stage.entrypoint], env=stage.environment, stderr=subprocess.DEVNULL)
        undo.callback(process.kill)
        while subprocess.run([*inside, *stage.health], env=stage.environment, stderr=subprocess.DEVNULL).returncode:
            if process.poll() is not None or time.monotonic() - started > 60:
                raise SystemExit("the server does not become healthy")
            time.sleep(0.1)
        print(f"{time.monotonic() - started:6.1f} s  until healthy", flush=True)
        degraded: str | None = "not asked"
        while degraded and time.monotonic() - started < 120:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/search?q=warm+winter+coat&per_page=1") as answer:
                degraded = json.load(answer)["degraded"]
            time.sleep(0.2)
        print(f"{time.monotonic() - started:6.1f} s  until it answers by meaning ({degraded=})", flush=True)
        status = Path(f"/proc/{process.pid}/status").read_text()
        print(f"        {re.search('VmRSS.*', status)[0]}, {re.search('Uid.*', status)[0]}")  # type: ignore[index]
        stopping = time.monotonic()
        process.terminate()
        print(f"        SIGTERM: exit code {process.wait(60)} after {time.monotonic() - stopping:.1f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, help="a Debian root folder with python3 and python3-venv")
    parser.add_argument("--target", default="serve", help="the last stage to carry out (%(default)s)")
    parser.add_argument("--home", type=Path, help="a home with a live release, to be served")
    parser.add_argument("--run", help="arguments to run the last stage's program with, as its user")
    parser.add_argument("--work", type=Path, help="keep the stages here, and use those that are there")
    parser.add_argument("--mount", action="append", default=[], help="a folder or file to lend, read-only")
    asked = parser.parse_args()
    stages = stages_of((REPOSITORY / "Dockerfile").read_text())
    needed = [asked.target]
    for name in needed:
        also = [rest.split()[0].removeprefix("--from=") for _, rest in stages[name].steps if rest.startswith("--from=")]
        needed += [one for one in (stages[name].parent, *also) if one in stages and one not in needed]
    with tempfile.TemporaryDirectory(prefix="stages-") as temporary:
        folder = asked.work or Path(temporary)
        for name in (one for one in stages if one in needed):
            print(f"-- {name}", flush=True)
            carried_out(stages[name], stages, asked.base, folder / name, asked.mount)
        last = stages[asked.target]
        packages, program, whole = (megabytes(last.root / what) for what in ("opt/aisle", "srv/aisle", ""))
        print(f"        packages {packages} MB, program {program} MB, with this base {whole} MB")
        print(f"        shared libraries that nothing brings: {libraries_missing(last) or 'none'}")
        if asked.run is not None:
            in_root(last, [*last.entrypoint, *shlex.split(asked.run)], [])
        if asked.home:
            try_server(last, asked.home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
