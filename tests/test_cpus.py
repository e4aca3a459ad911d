"""How many CPUs a process has: what its control groups grant counts as much as what the machine holds."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from search.cpus import available_cpus, cpu_quota, cpu_threads, keep_to_own_cpu


def quota(tmp_path: Path, own: str, files: dict[str, str]) -> float:
    """Return the quota on a machine whose control groups hold these files."""
    groups = tmp_path / "cgroup"
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    (tmp_path / "own").write_text(own)
    return cpu_quota(groups, tmp_path / "own")


def test_a_container_sees_its_quota_in_the_root_of_its_own_view(tmp_path: Path) -> None:
    assert quota(tmp_path, "0::/\n", {"cpu.max": "150000 100000\n"}) == 1.5


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    assert quota(tmp_path, "0::/\n", {"cpu.max": "max 100000\n"}) == math.inf
    assert quota(tmp_path, "", {}) == math.inf
    assert cpu_quota(tmp_path / "none", tmp_path / "none") == math.inf


def test_a_service_is_limited_by_its_group_and_by_every_one_above(tmp_path: Path) -> None:
    files = {"system.slice/cpu.max": "200000 100000", "system.slice/aisle.service/cpu.max": "300000 100000"}
    assert quota(tmp_path, "0::/system.slice/aisle.service\n", files) == 2
    assert quota(tmp_path, "0::/system.slice/other.service\n", files) == 2


def test_version_1_keeps_quota_and_period_in_files_of_their_own(tmp_path: Path) -> None:
    own = "4:memory:/docker/a\n3:cpuset:/docker/a\n2:cpu,cpuacct:/docker/a\n"
    files = {"cpu,cpuacct/docker/a/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000\n",
             "cpuset/docker/a/cpu.cfs_quota_us": "1\n", "cpuset/docker/a/cpu.cfs_period_us": "100000\n"}  # fmt: skip
    assert quota(tmp_path, own, files) == 0.5


def test_version_1_inside_a_container_has_only_the_root(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}
    assert quota(tmp_path, "2:cpu,cpuacct:/docker/of-the-host\n", files) == 4


@pytest.mark.parametrize("text", ["", "nonsense", "-1 100000", "0 100000", "100000 0", "1 2 3", "\x00"])
def test_what_cannot_be_read_limits_nothing(tmp_path: Path, text: str) -> None:
    assert quota(tmp_path, "0::/\nnot a line\n0::/../..\n", {"cpu.max": text}) == math.inf


def test_threads_are_rounded_down_and_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AISLE_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for granted, threads in ((0.4, 1), (1.5, 1), (2.0, 2), (math.inf, 8)):
        monkeypatch.setattr("search.cpus.cpu_quota", lambda granted=granted: granted)
        assert available_cpus() == cpu_threads() == threads


def test_who_names_a_number_of_threads_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_THREADS", "3")
    assert cpu_threads() == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to a CPU")
@pytest.mark.parametrize(
    ("cpus", "quota", "of", "expected"),
    [
        ({3, 5}, math.inf, 2, [{3}, {5}]),
        ({3, 5}, 2.0, 2, [{3}, {5}]),
        ({3, 5}, 1.5, 2, [None, None]),  # the time of others who may be kept to the same
        ({3, 5, 7}, math.inf, 2, [None, None]),
        ({3}, math.inf, 2, [None, None]),
        ({3}, math.inf, 1, [None]),
    ],
)
def test_processes_keep_to_a_cpu_each_only_where_there_is_one_for_each(
    monkeypatch: pytest.MonkeyPatch, cpus: set[int], quota: float, of: int, expected: list[set[int] | None]
) -> None:
    kept: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cpus)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, one: kept.append(one))
    monkeypatch.setattr("search.cpus.cpu_quota", lambda: quota)
    for place, wanted in enumerate(expected):
        kept.clear()
        keep_to_own_cpu(place, of)
        assert kept == ([] if wanted is None else [wanted])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to a CPU")
def test_a_process_that_may_not_choose_its_cpu_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    keep_to_own_cpu(0, 2)
