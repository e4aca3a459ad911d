"""Pictures of numbers as inline SVG: no script, no style attribute, a label for those who do not see them.

Every function returns safe markup. Sizes are in units of the view box, WIDTH across, which a page may scale; what is
coloured is said by class names (see templates/style.css).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

WIDTH = 420
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 34


def forest(rows: Sequence[tuple[str, float, float, float]], label: str, unit: str) -> Markup:
    """Draw changes with their intervals against a line at no change.

    Args:
        rows: (name, mean, low, high).
        label: what the picture shows, for screen readers.
        unit: below the axis.
    """
    if not rows:
        return Markup("")
    low = min(0.0, *(row[2] for row in rows))
    high = max(0.0, *(row[3] for row in rows))
    margin = 0.08 * ((high - low) or 1.0)
    across = _Scale(low - margin, high + margin, 8, WIDTH - 8)
    height = TOP + 46 * len(rows) + BOTTOM
    bottom = height - BOTTOM
    parts = [_line(across(0), TOP - 6, across(0), bottom, "zero")]
    for place, (name, mean, lower, upper) in enumerate(rows):
        y = TOP + 46 * place + 30
        kind = _verdict(lower, upper, 0.0)
        parts += [
            _text(8, y - 16, f"{name}: {mean:+.3f} ({lower:+.3f} to {upper:+.3f})", "row"),
            _line(across(lower), y, across(upper), y, f"interval {kind}"),
            _line(across(lower), y - 5, across(lower), y + 5, f"interval {kind}"),
            _line(across(upper), y - 5, across(upper), y + 5, f"interval {kind}"),
            _dot(across(mean), y, kind),
        ]
    parts += [_line(8, bottom, WIDTH - 8, bottom, "axis"), _text(across(0), bottom + 14, "0", "tick middle")]
    parts += [_text(WIDTH / 2, height - 4, unit, "unit middle")]
    return _svg(parts, height, label)


def line(
    points: Sequence[tuple[float, float]],
    label: str,
    unit: str,
    intervals: Sequence[tuple[float, float]] = (),
    baseline: float | None = None,
    names: Sequence[str] = (),
) -> Markup:
    """Draw a curve, its points with intervals where given, over an axis whose ends are named.

    Args:
        points: (x, y), x rising.
        label: what the picture shows, for screen readers.
        unit: below the axis.
        intervals: (low, high) of each point's y, or none.
        baseline: a y to draw a dashed line at.
        names: of the points, below the axis; the first and last x where left out.
    """
    if not points:
        return Markup("")
    height = 200
    bottom = height - BOTTOM
    ys = [y for _, y in points] + [y for both in intervals for y in both] + ([] if baseline is None else [baseline])
    margin = 0.08 * ((max(ys) - min(ys)) or 1.0)
    across = _Scale(points[0][0], points[-1][0], LEFT + 14, WIDTH - RIGHT - 14)
    up = _Scale(min(ys) - margin, max(ys) + margin, bottom, TOP)
    parts = [_line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")]
    digits = 3 if max(ys) - min(ys) < 0.1 else 2
    for y in (min(ys), max(ys)):
        parts.append(_text(LEFT - 6, up(y) + 4, f"{y:.{digits}f}", "tick end"))
    if baseline is not None:
        parts.append(_line(LEFT, up(baseline), WIDTH - RIGHT, up(baseline), "zero"))
    for (x, _), (low, high) in zip(points, intervals, strict=False):
        parts.append(_line(across(x), up(low), across(x), up(high), f"interval {_verdict(low, high, baseline)}"))
    trace = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    parts.append(Markup('<polyline class="curve" points="{}"/>').format(trace))
    for (x, y), both in zip(points, intervals, strict=False):
        parts.append(_dot(across(x), up(y), _verdict(*both, baseline)))
    ticks = list(zip((x for x, _ in points), names, strict=True)) if names else [
        (points[0][0], f"{points[0][0]:,g}"), (points[-1][0], f"{points[-1][0]:,g}")
    ]  # fmt: skip
    parts += [_text(across(x), bottom + 14, name, "tick middle") for x, name in ticks]
    parts.append(_text((LEFT + WIDTH) / 2, height - 4, unit, "unit middle"))
    return _svg(parts, height, label)


def histogram(
    edges: Sequence[float], heights: Sequence[int], label: str, unit: str, mark: float | None = None, digits: int = 2
) -> Markup:
    """Draw how often values fall between the edges, those below `mark` in another colour.

    Args:
        edges: (b + 1,) rising.
        heights: (b,).
        label: what the picture shows, for screen readers.
        unit: below the axis.
        mark: a value to draw a dashed line at, or None.
        digits: behind the point, of the axis.
    """
    if not heights or not max(heights):
        return Markup("")
    height = 160
    bottom = height - BOTTOM
    across = _Scale(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    up = _Scale(0, max(heights), bottom, TOP)
    parts = []
    for low, high, count in zip(edges, edges[1:], heights, strict=False):
        kind = "bar far" if mark is not None and high <= mark else "bar"
        wide = max(across(high) - across(low) - 1, 0.5)
        parts.append(
            Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                kind, across(low), up(count), wide, bottom - up(count)
            )
        )
    if mark is not None and edges[0] < mark < edges[-1]:
        parts.append(_line(across(mark), TOP - 6, across(mark), bottom, "zero"))
    parts += [
        _line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis"),
        _text(LEFT - 6, TOP + 8, f"{max(heights):,}", "tick end"),
        _text(LEFT, bottom + 14, f"{edges[0]:,.{digits}f}", "tick start"),
        _text(WIDTH - RIGHT, bottom + 14, f"{edges[-1]:,.{digits}f}", "tick end"),
        _text((LEFT + WIDTH) / 2, height - 4, unit, "unit middle"),
    ]
    return _svg(parts, height, label)


def meter(share: float) -> Markup:
    """Draw a share (0..1) as a small bar; the number beside it says the same, so it is hidden from screen readers."""
    wide = 100 * min(max(share, 0.0), 1.0)
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="bar" width="{:.1f}" height="8"/></svg>'
    ).format(wide)


def _verdict(low: float, high: float, baseline: float | None) -> str:
    """Return the class of an interval: clear of the baseline on the good side, on the bad one, or not clear."""
    if baseline is None:
        return "unclear"
    return "better" if low > baseline else "worse" if high < baseline else "unclear"


class _Scale:
    """Maps low..high to start..end, linearly."""

    def __init__(self, low: float, high: float, start: float, end: float):
        self.low, self.start = low, start
        self.slope = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) * self.slope


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _dot(x: float, y: float, kind: str) -> Markup:
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(kind, x, y)


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text)


def _svg(parts: Iterable[Markup], height: float, label: str) -> Markup:
    inside = Markup("").join(parts)
    return Markup('<svg class="plot" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, escape(label), inside
    )
