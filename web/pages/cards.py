"""A product as the page shows it: on a card, as a picture, as choices among its variants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from markupsafe import Markup, escape

from search.engine import Engine
from search.marking import SNIPPET_WORDS
from search.naming import field_name
from search.product import Product
from search.request import Hit
from search.variants import Variants, alone, variants_of
from web.formats import availability_text, commas, counted, number_text, price_text
from web.language import gettext as _
from web.pages.illustrations import PALETTE
from web.pages.readings import facet_label
from web.urls import PageRequest, cluster_path, product_path, taste_path

SHOWN_SWATCHES = 5
ENOUGH_ALIKE = 40  # characters from which two texts are the same sentence
SHOWN_FACTS = 4  # attributes of a product in a list
TINTS = 8  # of the tiles of products without a picture
_VARYING = ("color", "colour", "size")  # attributes that tell the rows of one group apart
_LAST = re.compile(r"\s*[,/|(\u2013\u2014-]\s*([^,/|()\u2013\u2014]+?)\)?$")  # after a title's last separator


@dataclass(frozen=True)
class Picture:
    """What stands in a product's frame.

    Attributes:
        url: of the image; "" when there is none.
        letter: shown instead of a missing image.
        tint: 0..TINTS - 1, the frame's color then.
    """

    url: str
    letter: str
    tint: int


@dataclass(frozen=True)
class Trait:
    """A value that tells variants apart, with a swatch class suffix when it is a color we know ("" otherwise)."""

    label: str
    value: str
    swatch: str


@dataclass(frozen=True)
class Reason:
    """Why a product answers: a sentence of its own text (`is_quote`) or a few words of ours."""

    text: Markup
    is_quote: bool


@dataclass(frozen=True)
class Card:
    """One product in a grid.

    Attributes:
        product: the variant that is shown, and that the card leads to.
        price: "$39.90", or what its variants cost, "$39.90 to $54.90"; "" when unknown.
        options: "9 options", "4 of 9 options"; "" when it stands alone.
        traits: what tells the variant from its others, where it is the only one that answers.
        availability: "in_stock", ... of the product: out of stock when every variant is.
        reason: why it answers, where its title does not say so.
        snippet: a stretch of its description, the words of the search marked; "" where the reason says it.
        swatches: the colors that its variants come in; `more_colors` are left out.
        facts: (label, value) of attributes, in a list.
        cluster: (label, address) of the group of products it belongs to; None where the page is that group's.
        position: its rank among the results, from 1; 0 outside of results.
    """

    product: Product
    path: str
    title: Markup
    picture: Picture
    price: str
    options: str
    traits: list[Trait]
    availability: str
    reason: Reason | None = None
    snippet: Markup = field(default_factory=Markup)
    swatches: list[Trait] = field(default_factory=list)
    more_colors: int = 0
    facts: list[tuple[str, str]] = field(default_factory=list)
    cluster: tuple[str, str] | None = None
    position: int = 0

    @property
    def key(self) -> str:
        """What its variants share and no other product has: a list shows it once."""
        return self.product.group_id or self.product.id

    @property
    def stock(self) -> str:
        """Whether it can be had, for people; "" when that is not known."""
        return availability_text(self.availability)

    @property
    def similar(self) -> str:
        """The address of what is like it."""
        return taste_path([self.product.id])

    @property
    def colors_said(self) -> str:
        """Its swatches in words."""
        colors = commas(one.value for one in self.swatches)
        if not self.more_colors:
            return _("Colors: %(colors)s", colors=colors)
        return _("Colors: %(colors)s and %(count)s more", colors=colors, count=number_text(self.more_colors))

    @property
    def flag(self) -> str:
        """What is told over the picture: that it cannot be had, or not yet."""
        return availability_text(self.availability) if self.availability in ("out_of_stock", "preorder") else ""


def picture_of(product: Product, cluster: int) -> Picture:
    """Return a product's picture; products of one cluster share their tint."""
    name = product.category[-1] if product.category else product.title
    letter = next((sign for sign in name if sign.isalnum()), "·").upper()
    return Picture(product.image_url, letter, cluster % TINTS)


def trait(label: str, value: str) -> Trait:
    """Return one value of an attribute with its swatch."""
    swatch = value.casefold() if label.casefold() in ("color", "colour") and value.casefold() in PALETTE else ""
    return Trait(label, value, swatch)


def traits_of(product: Product) -> list[Trait]:
    """Return color and size of a product, for telling variants apart."""
    found = [
        trait(label, value)
        for label, values in product.attributes.items()
        if label.casefold() in _VARYING
        for value in values[:2]
    ]
    return sorted(found, key=lambda one: _VARYING.index(one.label.casefold()))


def card_of_hit(engine: Engine, hit: Hit, request: PageRequest) -> Card:
    """Return the card of a hit of a search."""
    variants = hit.variants or alone(hit.product)
    # The engine's highlights are escaped HTML whose only tag is <mark>.
    title, said = Markup(hit.highlights["title"]), Markup(hit.highlights["description"])  # noqa: S704
    cluster = engine.release.clusters.cluster(hit.cluster)
    title = cut_highlight(title, hit.product.title, shared_title(hit.product, variants.differ_in))
    return replace(
        _card(hit.product, variants, title, hit.cluster, request.q),
        reason=_reason(hit),
        snippet=_text(hit, said),
        facts=_facts(engine, hit.product, variants) if request.view == "list" else [],
        cluster=None if cluster.id == request.cluster else (cluster.label, cluster_path(cluster.id)),
        position=hit.rank,
    )


def _text(hit: Hit, said: Markup) -> Markup:
    """Return what a list says of a product: where its words are, `said`; how it begins where a sentence says that."""
    if not hit.highlights["sentence"]:
        return said
    words = hit.product.description.split()
    begin = " ".join(words[:SNIPPET_WORDS])
    quoted = Markup(hit.highlights["sentence"]).striptags()[:ENOUGH_ALIKE]  # noqa: S704 - only read
    return Markup("") if quoted in begin else escape(begin) + (" …" if len(words) > SNIPPET_WORDS else "")


def shared_title(product: Product, differ_in: Sequence[str]) -> str:
    """Return a title without the values at its end in which the variants differ: "Boots, 8" is "Boots"."""
    if not differ_in:
        return product.title
    varying = {
        value.casefold()
        for label, values in product.attributes.items()
        if field_name(label) in differ_in
        for value in values
    }
    title = product.title
    while (found := _LAST.search(title)) and found.start() and found[1].strip().casefold() in varying:
        title = title[: found.start()]
    return title


def cut_highlight(highlighted: Markup, title: str, shared: str) -> Markup:
    """Return the highlighted title as far as its beginning `shared` goes.

    Args:
        highlighted: of the title, word for word; only the core of a word is inside <mark>.
        title: plain text.
        shared: its beginning, plain text.
    """
    if shared == title:
        return highlighted
    words, kept = title.split(" "), shared.split(" ")
    pieces = highlighted.split(" ")[: len(kept)]
    rest = words[len(kept) - 1][len(kept[-1]) :]  # punctuation that followed the last word
    if not pieces[-1].endswith(rest):
        return escape(shared)
    pieces[-1] = pieces[-1].removesuffix(rest)
    return Markup(" ").join(pieces)


def _reason(hit: Hit) -> Reason | None:
    """Return the sentence that comes closest, else attributes that were asked for; None where the title says it all."""
    if hit.highlights["sentence"]:
        return Reason(Markup(hit.highlights["sentence"]), True)  # noqa: S704 - as above
    if hit.why == ["close in meaning"]:
        return Reason(escape(_("Close in meaning")), False)
    values = [one.partition(": ") for one in hit.why if not one.startswith(("title:", "description:"))]
    told = " · ".join(
        _("%(label)s: %(value)s", label=facet_label(label, label.replace("_", " ").capitalize()), value=value)
        for label, _colon, value in values
    )
    return Reason(escape(told), False) if told else None


def cards_of(engine: Engine, products: Sequence[Product]) -> list[Card]:
    """Return the cards of products that no query asked for."""
    release = engine.release
    rows = np.array([release.products.row_of(product.id) for product in products], np.int64)
    clusters = release.clusters.cluster_of[rows].tolist()
    return [
        _card(product, variants, escape(shared_title(product, variants.differ_in)), cluster)
        for product, variants, cluster in zip(products, variants_of(release, rows, products), clusters, strict=True)
    ]


def _card(product: Product, variants: Variants, title: Markup, cluster: int, q: str = "") -> Card:
    is_one = variants.matching == 1
    is_elsewhere = product.availability == "out_of_stock" and variants.available > 0  # in another variant
    swatches = [one for one in (trait("color", color) for color in variants.colors) if one.swatch]
    return Card(
        product,
        product_path(product.id, q),
        title,
        picture_of(product, cluster),
        _span(variants, product.currency),
        _options(variants),
        [one for one in traits_of(product) if one.swatch or variants.count > 1] if is_one else [],
        "" if is_elsewhere else product.availability,
        swatches=swatches[:SHOWN_SWATCHES],
        more_colors=len(variants.colors) - len(swatches[:SHOWN_SWATCHES]) if swatches else 0,
    )


def _facts(engine: Engine, product: Product, variants: Variants) -> list[tuple[str, str]]:
    """Return attributes that can be filtered by and that hold for every variant behind the card."""
    facets = engine.release.facets.values
    told = (
        (facet_label(name, facets[name].label), commas(values))
        for label, values in product.attributes.items()
        if (name := field_name(label)) in facets and name not in variants.differ_in
    )
    return list(islice(told, SHOWN_FACTS))


def _span(variants: Variants, currency: str) -> str:
    low, high = price_text(variants.price_min, currency), price_text(variants.price_max, currency)
    return low if low == high else _("%(low)s to %(high)s", low=low, high=high)


def _options(variants: Variants) -> str:
    if variants.count == 1:
        return ""
    several = counted(variants.count, "option")
    if variants.matching == variants.count:
        return several
    return _("%(some)s of %(several)s", some=number_text(variants.matching), several=several)


def one_per_group(products: Iterable[Product], count: int) -> list[Product]:
    """Return the first `count` products, one variant of each group."""
    found: dict[str, Product] = {}
    for product in products:
        found.setdefault(product.group_id or product.id, product)
    return list(found.values())[:count]


@dataclass(frozen=True)
class Choice:
    """One value of an attribute in which variants differ, and the variant that it leads to."""

    trait: Trait
    path: str
    is_current: bool
    is_available: bool


def choices_of(product: Product, variants: Sequence[Product], q: str = "") -> dict[str, list[Choice]]:
    """Return, for each attribute in which the variants differ, its values in catalog order.

    A value leads to the variant that has it and otherwise is most like the product being looked at.
    """
    labels = dict.fromkeys(label for variant in variants for label in variant.attributes)
    choices: dict[str, list[Choice]] = {}
    for label in labels:
        values = dict.fromkeys(_value(variant, label) for variant in variants)
        if len(values) < 2:
            continue
        choices[label] = []
        for value in filter(None, values):
            having = [variant for variant in variants if _value(variant, label) == value]
            target = max(having, key=lambda variant: _alike(variant, product))
            is_current = _value(product, label) == value
            path = product_path(product.id if is_current else target.id, q)
            is_available = any(variant.availability != "out_of_stock" for variant in having)
            choices[label].append(Choice(trait(label, value), path, is_current, is_available))
    return choices


def _value(product: Product, label: str) -> str:
    return ", ".join(product.attributes.get(label, ()))


def _alike(one: Product, other: Product) -> int:
    return sum(other.attributes.get(label) == values for label, values in one.attributes.items())
