"""What can go wrong with a page's layout, looked for in the browser: texts too wide, cut off, or over one another."""

from __future__ import annotations

from typing import Any

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
    for (const box of range.getClientRects()) if (box.width > 1 && box.height > 1) texts.push([node.data.trim().slice(0, 40), box, one, node]);
  }
"""


def widest(page: Any) -> list[str]:
    """Return what makes the page scroll sideways; [] when it does not."""
    found: list[str] = page.evaluate("""() => {
      const root = document.documentElement, edge = root.clientWidth;
      if (root.scrollWidth <= edge) return [];
      const wide = [...document.querySelectorAll('body *')].filter((one) => {
        const box = one.getBoundingClientRect();
        return box.width && (box.right > edge + 1 || box.left < -1) && ![...one.children].some((child) => child.getBoundingClientRect().right > edge + 1);
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
          if (box.right > hole.right + 2 || box.left < hole.left - 2 || box.bottom > hole.bottom + 3 || box.top < hole.top - 3) {
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
      const fixed = (one) => { for (; one; one = one.parentElement) if (/fixed|sticky/.test(getComputedStyle(one).position)) return true; return false; };
      const still = texts.filter(([, , one]) => !fixed(one)).sort((a, b) => a[1].top - b[1].top);
      const pairs = [];
      still.forEach(([words, box, , node], index) => {
        for (const [others, other, , second] of still.slice(index + 1)) {
          if (other.top > box.bottom - 3) break;
          const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
          const down = Math.min(box.bottom, other.bottom) - other.top;
          // Boxes of lines set close together share a few pixels; letters do not.
          if (node !== second && across > 2 && down > 0.45 * Math.min(box.height, other.height)) pairs.push(`${words} / ${others}`);
        }
      });
      return pairs.slice(0, 5);
    }"""
    )
    return found
