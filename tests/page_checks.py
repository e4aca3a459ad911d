"""Every page of the shop of browser_fixtures, and what can be wrong with any page, looked for in the browser."""

from __future__ import annotations

from typing import Any

import pytest

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
ADDRESSES = {
    "start": "/",
    "results": "/search?q=red+gown",
    "everything": "/search",
    "list": "/search?view=list",
    "filtered": "/search?q=coffee&f.brand=Brand+01&price_max=500",
    "read": "/search?q=red+gown+under+%24130",
    "weak": "/search?q=insurance",
    "corrected": "/search?q=cofee+pot",
    "pages": "/search?q=coffee&page=2",
    "nothing": "/search?q=gown&price_max=1",
    "product": "/products/0001",
    "product-asked": "/products/0001?q=hot+red+mug",
    "no-picture": "/products/broken",
    "similar": "/similar?liked=0001&disliked=0003",
    "clusters": "/clusters",
    "cluster": "/clusters/1",
    "map": "/map",
    "map-asked": "/map?q=gown",
    "report": "/report",
    "queries": "/report/queries.html",
    "not-found": "/products/none",
    "not-understood": "/search?page=0",
}
# Off by default: 24 by 24 pixels to press, and the same words for the same thing.
RULES = {rule: {"enabled": True} for rule in ("target-size", "label-content-name-mismatch", "css-orientation-lock")}

# Texts that are seen: [words, rectangle, element]. Not: what is for screen readers alone, or hidden behind something
# that opens, and what a map places over its dots.
_SEEN = """
  const unseen = (one) => {
    for (; one; one = one.parentElement) {
      const { clip, clipPath, inlineSize } = getComputedStyle(one);
      if (clip !== 'auto' || clipPath.startsWith('inset(') || inlineSize === '1px') return true;
    }
  };
  const skipped = '.unseen, script, style, [aria-hidden=true], .map-labels, .skip, [hidden], option, canvas, .letter';
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, one = node.parentElement;
    if (!node.data.trim() || one.closest(skipped) || unseen(one)) continue;
    if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 1 && box.height > 1);
    boxes.forEach((box) => texts.push([node.data.trim().slice(0, 40), box, one, node]));
  }
"""


def widest(page: Any) -> list[str]:
    """Return what makes the page scroll sideways; [] when it does not."""
    found: list[str] = page.evaluate("""() => {
      const root = document.documentElement, edge = root.clientWidth;
      if (root.scrollWidth <= edge) return [];
      const wide = [...document.querySelectorAll('body *')].filter((one) => {
        const box = one.getBoundingClientRect();
        const isInner = ![...one.children].some((child) => child.getBoundingClientRect().right > edge + 1);
        return box.width && (box.right > edge + 1 || box.left < -1) && isInner;
      });
      return [`${root.scrollWidth} of ${edge}`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 80))];
    }""")
    return found


def clipped_texts(page: Any) -> list[str]:
    """Return texts of which a part is cut off by a box that hides what does not fit and cannot be scrolled."""
    found: list[str] = page.evaluate(
        "() => {"
        + _SEEN
        + """
      const cut = [];
      for (const [words, box, one] of texts) {
        for (let around = one; around && around !== document.body; around = around.parentElement) {
          const style = getComputedStyle(around);
          if (!/hidden|clip/.test(style.overflowX + style.overflowY) || style.webkitLineClamp !== 'none') continue;
          const hole = around.getBoundingClientRect();
          const isWide = box.right > hole.right + 2 || box.left < hole.left - 2;
          if (isWide || box.bottom > hole.bottom + 3 || box.top < hole.top - 3) {
            cut.push(`${words} in ${around.outerHTML.slice(0, 60)}`);
            break;
          }
        }
      }
      return cut.slice(0, 5);
    }"""
    )
    return found


def overlapping_texts(page: Any) -> list[str]:
    """Return pairs of texts that lie over one another; what stays in its place while the page scrolls is left out."""
    found: list[str] = page.evaluate(
        "() => {"
        + _SEEN
        + """
      scrollTo(0, 0);
      const fixed = (one) => {
        for (; one; one = one.parentElement) if (/fixed|sticky/.test(getComputedStyle(one).position)) return true;
      };
      // What has been scrolled out of a box of its own, or not yet into it, lies over nothing.
      const shown = (box, one) => {
        let { left, right, top, bottom } = box;
        for (; one && one !== document.body; one = one.parentElement) {
          if (getComputedStyle(one).overflowX === 'visible') continue;
          const hole = one.getBoundingClientRect();
          [left, right] = [Math.max(left, hole.left), Math.min(right, hole.right)];
          [top, bottom] = [Math.max(top, hole.top), Math.min(bottom, hole.bottom)];
        }
        return { left, right, top, bottom, height: bottom - top };
      };
      const still = texts.filter(([, , one]) => !fixed(one))
        .map(([words, box, one, node]) => [words, shown(box, one), one, node])
        .filter(([, box]) => box.right > box.left && box.bottom > box.top).sort((a, b) => a[1].top - b[1].top);
      const pairs = [];
      still.forEach(([words, box, , node], index) => {
        for (const [others, other, , second] of still.slice(index + 1)) {
          if (other.top > box.bottom - 3) break;
          const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
          const down = Math.min(box.bottom, other.bottom) - other.top;
          // Boxes of lines set close together share a few pixels; letters do not.
          const lies = across > 2 && down > 0.45 * Math.min(box.height, other.height);
          if (node !== second && lies) pairs.push(`${words} / ${others}`);
        }
      });
      return pairs.slice(0, 5);
    }"""
    )
    return found


def broken_words(page: Any) -> list[str]:
    """Return short words that are broken in two, because what is beside them takes their room."""
    found: list[str] = page.evaluate(
        "() => {"
        + _SEEN
        + """
      const broken = new Set();
      for (const [, , one, node] of texts) {
        for (const { 0: word, index } of node.data.matchAll(/[\\p{L}\\p{N}$.,]{2,12}(?![\\p{L}\\p{N}\\p{M}])/gu)) {
          if (/[\\p{L}\\p{N}]/u.test(node.data[index - 1] ?? " ")) continue;
          const range = document.createRange();
          range.setStart(node, index);
          range.setEnd(node, index + word.length);
          const tops = [...range.getClientRects()].filter((box) => box.width > 0).map((box) => box.top);
          if (Math.max(...tops) - Math.min(...tops) > 6) broken.add(`broken: ${word} in ${one.outerHTML.slice(0, 60)}`);
        }
      }
      return [...broken].slice(0, 5);
    }"""
    )
    return found


def lost(page: Any) -> list[str]:
    """Return what of a page's text goes beyond the window, is cut off, lies over other text, or is broken."""
    return [*widest(page), *clipped_texts(page), *overlapping_texts(page), *broken_words(page)]


def violations(page: Any) -> list[str]:
    """Return what axe finds wrong, best practice included: each rule, how often, where first, and what it measured."""
    axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs: axe-playwright-python")
    found = axe_api.Axe().run(page, options={"rules": RULES}).response
    assert len(found["passes"]) > 10  # it has looked
    return [
        f"{one['id']}, {len(one['nodes'])} times: {one['nodes'][0]['target']} "
        + " ".join(one["nodes"][0].get("failureSummary", "").split())
        for one in found["violations"]
    ]


def go(page: Any, address: str) -> None:
    """Open a page; a map has then been drawn."""
    page.goto(address)
    if address.startswith("/map"):
        page.wait_for_selector("canvas[data-drawn]", state="attached")


def told(found: dict[str, list[str]]) -> str:
    """Return what was found wrong, a line each."""
    return "\n".join(f"{where}: {one}" for where, wrong in found.items() for one in wrong)
