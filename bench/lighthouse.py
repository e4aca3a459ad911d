"""Lighthouse on every kind of page of a running home: python bench/lighthouse.py --index instance

Accessibility, best practices and SEO must be 100. Lighthouse comes from npm by npx; without it this says so and ends
with code 0. Pages of a search are kept out of search engines on purpose (web/pages/discovery.py), so that the one audit
of SEO which asks whether a page may be indexed is left out there; the same template is audited whole as a category.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.served import served

VERSION = "13.5.0"
CATEGORIES = ("accessibility", "best-practices", "seo")
CHROME = "--headless=new --no-sandbox --disable-gpu"


class Links(HTMLParser):
    """The links of a page, in order."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs).get("href") or "")


def pages_of(root: str) -> dict[str, str]:
    """Return a path of each kind of page, found by following links."""
    start, groups = _links(f"{root}/"), _links(f"{root}/clusters")
    search = _first(start, "/search?q=")
    pages = {
        "start": "/",
        "results": search,
        "category": _first(start, "/search?f.category="),
        "product": _first(_links(root + search), "/products/").split("?")[0],
        "groups": "/clusters",
        "group": _first(groups, "/clusters/"),
        "map": "/map",
    }
    return {name: path for name, path in pages.items() if path}


def _links(address: str) -> list[str]:
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own server
        return Links(answer.read().decode()).found


def _first(links: list[str], beginning: str) -> str:
    return next((link for link in links if link.startswith(beginning)), "")


def scores(address: str, is_search: bool, is_phone: bool, chromium: str) -> tuple[dict[str, int], list[str]]:
    """Return each category's score in hundredths, and the audits that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            "npx", "--yes", f"lighthouse@{VERSION}", address, "--quiet", "--output=json", f"--output-path={report}",
            f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={CHROME}",
            *([] if is_phone else ["--preset=desktop"]),
            *(["--skip-audits=is-crawlable"] if is_search else []),
        ]  # fmt: skip
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium}, capture_output=True)
        data = json.loads(report.read_text("utf-8"))
    found = {name: round(100 * (data["categories"][name]["score"] or 0)) for name in CATEGORIES}
    failed = [
        f"{audit['title']}: {_where(audit)}"
        for name in CATEGORIES
        for one in data["categories"][name]["auditRefs"]
        if one["weight"] and (audit := data["audits"][one["id"]])["score"] not in (None, 1)
    ]
    return found, failed


def _where(audit: dict[str, object]) -> str:
    details = audit.get("details") or {}
    items = details.get("items", []) if isinstance(details, dict) else []
    told = [item.get("node", {}).get("snippet") or item.get("description") or item.get("source") for item in items]
    return "; ".join(str(one)[:160] for one in told[:3])


def main() -> int:
    """Print the table; 1 when a score is under 100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=Path, default=Path("instance"))
    parser.add_argument("--phone", action="store_true", help="as a phone in place of a desktop")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
    if not shutil.which("npx") or not chromium:
        print("skipped: Lighthouse needs npx (Node.js) and a Chromium")
        return 0
    table = {}
    with served(asked.index) as root:
        for name, path in pages_of(root).items():
            table[name] = found, failed = scores(root + path, name == "results", asked.phone, chromium)
            if not asked.json:
                print(f"{name:<10}" + "".join(f"{category} {found[category]:>3}   " for category in CATEGORIES))
                print("".join(f"    {one}\n" for one in failed), end="", flush=True)
    if asked.json:
        print(json.dumps({name: {**found, "failed": failed} for name, (found, failed) in table.items()}, indent=1))
    return int(any(score < 100 for found, _ in table.values() for score in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
