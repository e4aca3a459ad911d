"""Do results keep what is asked? Every phrase of tests/phrases.csv that has a price or a refusal, asked of a release.

Usage: python bench/conditions.py [--index FOLDER]   (a release of the sample catalog)

The labels say what a person meant, whatever the parser made of it. Of prices, all products of the first page are
checked; of what is not wanted, the values, brand and title of the first ten (a denial there, "sugar-free", is none).
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search.engine import Engine
from search.naming import field_name
from search.product import Product
from search.understanding.constraints import AROUND

PHRASES = Path(__file__).resolve().parents[1] / "tests" / "phrases.csv"
PART = re.compile(r"(\w+)(<=|>=|!=|~)(.+)")


def keeps_price(product: Product, op: str, bound: float) -> bool:
    """Return whether a product's price is as asked; an unknown one is not."""
    price = product.price
    if price is None:
        return False
    if op == "~":
        return bound * (1 - AROUND) <= price <= bound * (1 + AROUND)
    return price <= bound if op == "<=" else price >= bound


def states(product: Product, field: str, unwanted: str) -> bool:
    """Return whether a product says that it is or has something."""
    texts = [t for name, values in product.attributes.items() for t in values if field in ("words", field_name(name))]
    texts += [product.title] if field == "words" else [product.brand] if field == "brand" else []
    word = re.escape(unwanted.casefold().removesuffix("s"))
    text = " | ".join(texts).casefold()
    denied = (
        rf"\b(?:no|non|not|without|zero|free of|faux|vegan|imitation)[ -](?:\w+ )?{word}|{word}s?[ -]free|{word}less"
    )
    return bool(re.search(rf"\b{word}s?\b", text)) and not re.search(denied, text)


@click.command()
@click.option("--index", type=click.Path(exists=True, path_type=Path), default=None)
def main(index: Path | None) -> None:
    """Print how many of the products shown keep what was asked."""
    engine = Engine.open(index)
    shown = {"price": 0, "refusal": 0}
    broken: dict[str, list[str]] = {"price": [], "refusal": []}
    with PHRASES.open(newline="", encoding="utf-8") as file:
        phrases = [(row["query"], PART.findall(row["constraints"].replace("; ", "\n"))) for row in csv.DictReader(file)]
    for query, asked in phrases:
        prices = [(op, float(value)) for field, op, value in asked if field == "price"]
        refusals = [(field, value) for field, op, value in asked if op == "!="]
        if not prices and not refusals:
            continue
        for place, hit in enumerate(engine.search(query, facets=()).hits):
            for op, bound in prices:
                shown["price"] += 1
                broken["price"] += [query] if not keeps_price(hit.product, op, bound) else []
            for field, value in refusals if place < 10 else ():
                shown["refusal"] += 1
                broken["refusal"] += [query] if states(hit.product, field, value) else []
    for kind, count in shown.items():
        print(
            f"{kind}: {count:,} products checked, {len(broken[kind])} do not keep it ({len(broken[kind]) / count:.2%})"
        )
        for query in dict.fromkeys(broken[kind]):
            print(f"  {query}")


if __name__ == "__main__":
    main()
