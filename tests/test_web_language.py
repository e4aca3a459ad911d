"""The language of a page: what the browser asks for first of what there is, prices in its locale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g

from web import language
from web.formats import counted, date_text, price_text, round_price_text
from web.language import chosen, spoken, words_of_scripts

POLISH = """
msgid ""
msgstr ""
"Language: pl\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\\n"

msgid "%(count)s product"
msgid_plural "%(count)s products"
msgstr[0] "%(count)s produkt"
msgstr[1] "%(count)s produkty"
msgstr[2] "%(count)s produktów"
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    source, folder = tmp_path / "pl.po", tmp_path / "pl" / "LC_MESSAGES"
    source.write_text(POLISH, "utf-8")
    folder.mkdir(parents=True)
    with source.open("rb") as read, (folder / "messages.mo").open("wb") as written:
        write_mo(written, read_po(read, locale="pl"))
    made = Flask("shop")
    language.install(made, translations=tmp_path)
    yield made


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(["de-AT", "en-GB"], "en_GB"), (["pl"], "pl"), (["nonsense", "x" * 500, "*"], "en"), ([], "en")],
)
def test_the_first_language_we_have_is_spoken_with_the_visitors_region(asked: list[str], expected: str) -> None:
    assert str(chosen(asked, {"en", "pl"})) == expected


def test_products_are_counted_by_the_rules_of_the_language(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "pl"}):
        assert [counted(number, "product") for number in (1, 3, 5, 22)] == [
            "1 produkt", "3 produkty", "5 produktów", "22 produkty",
        ]  # fmt: skip


def test_prices_keep_the_catalogs_currency_and_are_written_as_the_visitor_does(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "pl"}):
        assert price_text(1039.9, "USD").replace("\xa0", " ") == "1 039,90 USD"
    with app.test_request_context(headers={"Accept-Language": "en-GB"}):
        assert price_text(1039.9, "USD") == "US$1,039.90"


def test_a_script_gets_every_plural_form_under_its_category(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("%(count)s product", "%(count)s products")
    monkeypatch.setattr(language, "_messages_of_scripts", lambda: frozenset({pair, "Close"}))
    with app.test_request_context(headers={"Accept-Language": "pl"}):
        found = words_of_scripts()
    assert found["words"]["Close"] == "Close"  # not translated yet
    assert found["words"][pair[0]][found["forms"]["few"]] == "%(count)s produkty"
    assert found["words"][pair[0]][found["forms"]["many"]] == "%(count)s produktów"


def test_a_set_language_is_every_visitors(tmp_path: Path, app: Flask) -> None:
    fixed = Flask("shop")
    language.install(fixed, "pl", tmp_path)
    with fixed.test_request_context(headers={"Accept-Language": "en"}):
        assert counted(5, "product") == "5 produktów"


def test_whole_amounts_and_days_are_written_as_the_visitor_does(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "pl"}):
        assert round_price_text(1040.0, "USD").replace("\xa0", " ") == "1 040 USD"
        assert date_text(date(2026, 3, 2)) == "2 mar 2026"
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert (round_price_text(40.0, "USD"), round_price_text(39.5, "USD")) == ("$40", "$39.50")
        assert round_price_text(40.0, "") == "40.00"


def test_texts_of_the_catalog_say_their_language_where_the_page_speaks_another(app: Flask) -> None:
    def release(language: str) -> SimpleNamespace:
        return SimpleNamespace(release=SimpleNamespace(manifest={"language": language}))

    with app.test_request_context(headers={"Accept-Language": "pl"}):
        g.engine = release("he")
        assert spoken() == ' lang="he" dir="auto"'
        g.engine = release("pl")
        assert spoken() == ""
