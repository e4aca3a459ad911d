"""The language a page speaks and the way it writes numbers: what the browser asks for first, of those we have.

Every word of the interface stands in the code in English, inside `gettext` or `ngettext`; translations/ holds other
languages as gettext catalogs (`make strings` collects and compiles them). The API speaks English, a catalog its own.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.extract import extract_from_dir
from flask import Flask, Response, g, has_request_context, request
from flask_babel import Babel, get_locale, get_translations
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from web.settings import TRANSLATIONS

ENGLISH = Locale("en")
COUNTS = (*range(201), 1_000_000)  # every plural category of every language we know of has one of them
KEPT_HEADERS = 64  # of Accept-Language, whose locale is known then; the longest has 256 kB
SCRIPTS = Path(__file__).resolve().parent.parent / "static" / "js"


def current_locale() -> Locale:
    """Return the locale of this request, English outside of one."""
    try:
        locale: Locale | None = g.get("locale")
    except RuntimeError:  # no app, no request
        return ENGLISH
    if locale is None:
        if not has_request_context():
            return ENGLISH
        locale = g.locale = get_locale() or ENGLISH
    return locale


def _translations() -> Any:
    """Return the translations of this request; a page asks for hundreds of words, Flask-Babel looks anew each time."""
    try:
        found = g.get("translations")
    except RuntimeError:
        return get_translations()
    if found is None:
        found = g.translations = get_translations()
    return found


def gettext(message: str, **variables: Any) -> str:
    """Return a message in the language of this request, its %(variables)s filled in."""
    found: str = _translations().ugettext(message)
    return found % variables if variables else found


def ngettext(singular: str, plural: str, num: int, **variables: Any) -> str:
    """Return the form of a message for so many, its %(variables)s filled in; `num` is one of them."""
    found: str = _translations().ungettext(singular, plural, num)
    return found % {"num": num, **variables}


# As Jinja's "newstyle" functions do, but in one call for each word: what is filled in is escaped.
@pass_eval_context
def _gettext_in_template(context: EvalContext, message: str, **variables: Any) -> str:
    found: str = _translations().ugettext(message)
    return (Markup(found) if context.autoescape else found) % variables  # noqa: S704 - our own messages


@pass_eval_context
def _ngettext_in_template(context: EvalContext, singular: str, plural: str, num: int, **variables: Any) -> str:
    found: str = _translations().ungettext(singular, plural, num)
    variables.setdefault("num", num)
    return (Markup(found) if context.autoescape else found) % variables  # noqa: S704 - our own messages


def chosen(asked: list[str], offered: set[str]) -> Locale:
    """Return the first locale asked for whose language is offered, with its region; English when there is none.

    Args:
        asked: language tags as browsers send them, the most wanted first.
        offered: language codes we have words in.
    """
    for tag in asked:
        try:
            locale = Locale.parse(tag, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        if locale.language in offered:
            return locale
    return ENGLISH


def _offered(folder: Path) -> set[str]:
    return {"en"} | {found.parent.parent.name for found in folder.glob("*/LC_MESSAGES/messages.mo")}


@lru_cache(maxsize=1)
def _messages_of_scripts() -> frozenset[str | tuple[str, ...]]:
    """Return the messages that static/js asks for; a plural is a pair."""
    found = extract_from_dir(str(SCRIPTS), [("**.js", "javascript")])
    return frozenset(message for _, _, message, _, _ in found)


def words_of_scripts() -> dict[str, Any]:
    """Return what static/js/words.js needs: a text, or the list of its plural forms, of each English message.

    `forms` says which form a CLDR plural category takes, because scripts may not evaluate a catalog's own expression.
    """
    if current_locale().language == "en":
        return {}
    return _words_of_scripts(_translations(), current_locale())


@lru_cache(maxsize=64)
def _words_of_scripts(translations: Any, locale: Locale) -> dict[str, Any]:
    """Return them in one locale; the translations of a locale are read once and stay the same object."""
    category_of = locale.plural_form
    forms = {category_of(number): translations.plural(number) for number in COUNTS}
    words: dict[str, Any] = {}
    for message in _messages_of_scripts():
        if isinstance(message, str):
            words[message] = translations.gettext(message)
        else:
            some = {form: number for number in COUNTS if (form := translations.plural(number)) is not None}
            words[message[0]] = [translations.ngettext(*message[:2], some[form]) for form in sorted(some)]
    return {"forms": forms, "words": words}


def spoken() -> Markup:
    """Return the attributes of an element that holds text of the catalog: its language and direction.

    Nothing where the page speaks the same language.
    """
    language = g.engine.release.manifest.get("language", "") if "engine" in g else ""
    if not language or language == current_locale().language:
        return Markup("")
    return Markup(' lang="{}" dir="auto"').format(language)


def install(app: Flask, language: str = "", translations: Path = TRANSLATIONS) -> None:
    """Give templates `gettext`, `ngettext`, `locale`, `spoken`, `words_of_scripts`; pages their headers.

    Args:
        language: a language tag that every visitor gets, "" for what each asks for.
        translations: the folder of compiled gettext catalogs.
    """
    offered = _offered(translations)

    @lru_cache(KEPT_HEADERS)
    def locale_of(header: str) -> Locale:
        return chosen([language] if language else list(parse_accept_header(header, LanguageAccept).values()), offered)

    def select() -> Locale:
        return locale_of(request.headers.get("Accept-Language", ""))

    Babel(app, locale_selector=select, default_translation_directories=str(translations))
    app.jinja_env.globals.update(gettext=_gettext_in_template, ngettext=_ngettext_in_template, _=_gettext_in_template)
    app.jinja_env.globals.update(locale=current_locale, words_of_scripts=words_of_scripts, spoken=spoken)
    app.after_request(_told)


def _told(response: Response) -> Response:
    return localized(response) if response.mimetype == "text/html" else response


def localized(response: Response) -> Response:
    """Say of a response that its words depend on the language asked for."""
    response.content_language.add(current_locale().language)
    response.vary.add("Accept-Language")
    return response
