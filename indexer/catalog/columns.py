"""Which of the catalog's columns is which of our fields."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from indexer.catalog.settings import FIELDS
from search.errors import CatalogError

Columns = dict[str, tuple[str, ...]]  # our field -> headers; the first filled cell wins, category joins them

# Best guess first; written the way `normalised` leaves a header.
ALIASES: dict[str, tuple[str, ...]] = {
    "id": (
        *("id", "productid", "sku", "handle", "uid", "asin", "upc", "itemid", "itemnumber", "productcode"),
        *("articlenumber", "articleid", "ean", "gtin"),
    ),
    "title": ("title", "name", "productname", "producttitle", "productdisplayname", "itemname", "itemtitle", "product"),
    "description": (
        *("description", "productdescription", "longdescription", "desc", "bodyhtml", "body"),
        *("shortdescription", "overview", "about", "aboutproduct"),
    ),
    "category": (
        *("category", "categories", "categorypath", "categoryname", "productcategory", "googleproductcategory"),
        *("maincategory", "productcategorytree", "department", "taxonomy", "breadcrumbs", "breadcrumb"),
    ),
    "brand": ("brand", "brandname", "brands", "manufacturer", "vendor", "maker"),
    "price": (
        *("price", "currentprice", "sellingprice", "finalprice", "unitprice", "variantprice", "regularprice"),
        *("retailprice", "priceamount"),
    ),
    "currency": ("currency", "currencycode", "pricecurrency"),
    "image_url": (
        *("imageurl", "imagelink", "image", "imagesrc", "images", "imageurls", "mainimage", "primaryimage", "img"),
        *("imgurl", "imgsrc", "picture", "pictureurl", "thumbnail", "thumbnailurl", "photo", "productimageurl"),
    ),
    "more_image_urls": (
        *("additionalimagelink", "additionalimageurl", "additionalimageurls", "additionalimages", "moreimages"),
        *("moreimageurls", "galleryimages", "otherimages"),
    ),
    "url": ("url", "link", "producturl", "productlink", "permalink", "href", "productpage"),
    "rating": ("rating", "averagerating", "avgrating", "ratingaverage", "ratingvalue", "reviewrating", "stars"),
    "rating_count": (
        *("ratingcount", "ratingscount", "reviewcount", "reviewscount", "numreviews", "numratings"),
        *("noofratings", "numberofreviews", "numberofratings", "totalreviews", "ratingsnumber"),
    ),
    "availability": (
        *("availability", "availabilitystatus", "instock", "stockstatus", "isinstock", "stock", "currentstock"),
        *("inventory", "stockquantity", "stocklevel", "inventoryquantity", "quantityinstock"),
    ),
    "group_id": ("groupid", "itemgroupid", "parentid", "parentsku", "parentasin", "variantgroup", "variantgroupid"),
    "created_at": (
        *("createdat", "created", "datecreated", "createddate", "dateadded", "addedat", "datereleased"),
        *("releasedate", "publishedat", "launchdate"),
    ),
}
SALE_PRICES = ("saleprice", "specialprice")  # taken before the price where filled
DEEPER_CATEGORIES = ("subcategory", "subcategory1", "subcategory2", "subsubcategory", "producttype")


@lru_cache(maxsize=4096)  # the same few headers, row after row
def normalised(header: str) -> str:
    """Return the header as headers are compared: case, spaces, signs and Google's "g:" prefix do not matter.

    >>> normalised("Body (HTML)"), normalised("g:image_link")
    ('bodyhtml', 'imagelink')
    """
    return re.sub(r"[\W_]+", "", header.casefold().removeprefix("g:"))


def guess_columns(headers: Iterable[str]) -> Columns:
    """Map every field whose header is known, each header once."""
    by_name: dict[str, str] = {}
    for header in headers:
        by_name.setdefault(normalised(header), header)
    columns: Columns = {}
    for field in FIELDS:
        found = next((by_name[alias] for alias in ALIASES[field] if alias in by_name), None)
        if found:
            columns[field] = (found,)
    _prepend(columns, "price", [by_name[name] for name in SALE_PRICES if name in by_name])
    deeper = [by_name[name] for name in DEEPER_CATEGORIES if name in by_name]
    if deeper:
        columns["category"] = (*columns.get("category", ()), *deeper)
    return columns


def _prepend(columns: Columns, field: str, headers: list[str]) -> None:
    if headers:
        columns[field] = (*headers, *columns.get(field, ()))


def with_overrides(columns: Columns, overrides: Mapping[str, str], headers: tuple[str, ...]) -> Columns:
    """Apply --map; raises CatalogError for an unknown field or header, naming the nearest."""
    chosen = dict(columns)
    for field, wanted in overrides.items():
        if field not in FIELDS:
            raise CatalogError(f"--map {field}={wanted}: no field {field!r}{_did_you_mean(field, FIELDS)}")
        header = _find(wanted, headers)
        if wanted and header is None:
            hint = _did_you_mean(wanted, headers)
            raise CatalogError(f"--map {field}={wanted}: no column {wanted!r}{hint}; columns: {', '.join(headers)}")
        chosen = {f: kept for f, names in chosen.items() if (kept := tuple(n for n in names if n != header))}
        chosen.pop(field, None)
        if header:
            chosen[field] = (header,)
    return {field: chosen[field] for field in FIELDS if field in chosen}


def require_columns(columns: Columns, headers: tuple[str, ...], where: str) -> None:
    """Raise CatalogError when id or title has no column; it lists the headers and the --map to type."""
    missing = [field for field in ("id", "title") if field not in columns]
    if not missing:
        return
    taken = {header for names in columns.values() for header in names}
    free = [header for header in headers if header not in taken]
    nearest = {field: nearest_header(field, free) for field in missing}
    typed = ",".join(f"{field}={nearest[field] or 'HEADER'}" for field in missing)
    raise CatalogError(
        f"{where}: no column for {' and '.join(missing)} among the headers: {', '.join(headers) or '(none)'}. "
        f"If one of them is meant, name it: --map '{typed}'"
    )


def nearest_header(field: str, headers: list[str]) -> str:
    """Return the header most like the field or one of its aliases; "" when none comes near."""
    scored = [
        (difflib.SequenceMatcher(None, alias, normalised(header)).ratio(), -position, header)
        for position, header in enumerate(headers)
        for alias in ALIASES[field]
    ]
    best = max(scored, default=(0.0, 0, ""))
    return best[2] if best[0] >= 0.6 else ""


def _find(wanted: str, headers: tuple[str, ...]) -> str | None:
    if wanted in headers:
        return wanted
    return next((header for header in headers if normalised(header) == normalised(wanted)), None) if wanted else None


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.casefold(), [name.casefold() for name in known], n=1, cutoff=0.5)
    found = next((name for name in known if near and name.casefold() == near[0]), None)
    return f"; did you mean {found!r}?" if found else ""
