"""The interface's words in other languages: complete, in step with the code, and safe to put in its place."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "translations"
LANGUAGES = sorted(path.parent.parent.name for path in FOLDER.glob("*/LC_MESSAGES/messages.po"))
NAMES = {"web", "templates", "static", "js", "parts", "map", "pages"}  # the folders that hold words
_PLACE = re.compile(r"%\(\w+\)s")
_TAG = re.compile(r"</?\w[^>]*>")


def catalog(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(message: Message) -> list[str]:
    return list(message.string) if isinstance(message.string, tuple) else [message.string]


def source_of(message: Message) -> str:
    return message.id[-1] if isinstance(message.id, tuple) else message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_code_is_in_the_catalog_and_the_reverse(language: str) -> None:
    methods, options = parse_mapping_cfg((FOLDER / "babel.cfg").open(encoding="utf-8"))
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(
        str(ROOT), methods, options, keywords, directory_filter=lambda path: Path(path).name in NAMES
    )
    code = {message for _, _, message, _, _ in found}
    assert {message.id for message in catalog(language) if message.id} == code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_is_translated_with_its_places_and_its_markup(language: str) -> None:
    for message in catalog(language):
        if not message.id:
            continue
        source = source_of(message)
        assert not message.fuzzy, source
        for text in texts(message):
            assert text, source
            # A language may say "one product" or "two products" in words; nothing else may be left out or brought in.
            assert set(_PLACE.findall(source)) - set(_PLACE.findall(text)) <= {"%(count)s"}, text
            assert set(_PLACE.findall(text)) <= set(_PLACE.findall(source)), text
            assert sorted(_TAG.findall(text)) == sorted(_TAG.findall(source)), text
        if not isinstance(message.id, tuple):
            assert sorted(_PLACE.findall(message.string)) == sorted(_PLACE.findall(source)), source


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    fresh = BytesIO()
    write_mo(fresh, catalog(language))
    assert (FOLDER / language / "LC_MESSAGES" / "messages.mo").read_bytes() == fresh.getvalue()
