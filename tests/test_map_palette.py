"""The map's colors: any two can be told apart, also by people who do not see red, green or blue."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SHEET = (Path(__file__).parent.parent / "static" / "css" / "map.css").read_text("utf-8")
LIGHT, DARK = SHEET.split("prefers-color-scheme: dark", 1)
# What linear red, green and blue become at full severity: Machado, Oliveira and Fernandes 2009, table 1.
SEEN = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip # noqa: E501


def linear(color: str) -> NDArray[np.float64]:
    parts = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def named(sheet: str, name: str) -> list[str]:
    return re.findall(rf"--map-{name}: (#[0-9a-f]{{6}})", sheet)


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN)
def test_any_two_hues_differ(sheet: str, eyes: str) -> None:
    hues = named(sheet, r"hue-\d")
    assert len(hues) == 9
    seen = {hue: lab(np.asarray(SEEN[eyes]) @ linear(hue)) for hue in hues}
    for one, other in itertools.combinations(hues, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 19, (one, other)  # 2.3 is just noticeable side by side


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN)
def test_the_steps_of_a_number_go_from_near_the_ground_to_far_from_it(sheet: str, eyes: str) -> None:
    (ground,) = named(sheet, "ground")
    lightness = [lab(np.asarray(SEEN[eyes]) @ linear(step))[0] for step in named(sheet, r"step-\d")]
    away = np.abs(np.array(lightness) - lab(linear(ground))[0])
    assert len(away) == 7
    assert (np.diff(away) > 2).all()


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_every_hue_stands_out_from_the_ground(sheet: str) -> None:
    (ground,) = named(sheet, "ground")
    light = np.array([0.2126, 0.7152, 0.0722])
    for hue in named(sheet, r"hue-\d"):
        high, low = sorted([light @ linear(hue), light @ linear(ground)], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 2.7, hue
