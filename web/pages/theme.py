"""A shop's own look: a folder outside of the code (AISLE_THEME) with a style sheet, a mark, and templates.

theme.css     wins over every style sheet of ours
mark.svg      the sign beside the shop's name and in the browser's tab
…             other pictures, fonts, style sheets and scripts, for these two and the templates to use
templates/    each stands in the place of ours of the same name, which it can extend as "aisle/<name>"
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, TemplateError, TemplateSyntaxError, meta

MAX_FILES = 200
SERVED = frozenset(
    (".css", ".svg", ".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".ico", ".woff", ".woff2", ".js")
)
TEMPLATES = "templates"
ORIGINALS = "aisle"


@dataclass(frozen=True)
class Theme:
    """A theme folder that has been looked through.

    Attributes:
        files: what browsers may ask for, by its name below the folder.
        templates: the folder of templates, None when there is none.
    """

    files: dict[str, Path] = field(default_factory=dict)
    templates: Path | None = None


def open_theme(folder: Path) -> Theme:
    """Return the theme in a folder.

    Hidden files, other kinds of files than browsers need, and links that lead out of the folder are not served.

    Raises:
        ValueError: no such folder, or one with so many files that it must be another one.
    """
    if not folder.is_dir():
        raise ValueError(f'AISLE_THEME is "{folder}", which is not a folder; make it, with a theme.css inside')
    inside = folder.resolve()
    files: dict[str, Path] = {}
    seen = 0
    for place, folders, names in os.walk(inside):
        is_top = Path(place) == inside
        folders[:] = [name for name in folders if not name.startswith(".") and not (is_top and name == TEMPLATES)]
        seen += len(names)
        if seen > MAX_FILES:
            raise ValueError(f'AISLE_THEME is "{folder}", which holds over {MAX_FILES} files; give the theme its own')
        for name in names:
            path = Path(place, name)
            is_served = path.suffix.lower() in SERVED and not name.startswith(".")
            if is_served and path.is_file() and path.resolve().is_relative_to(inside):
                files[path.relative_to(inside).as_posix()] = path
    templates = inside / TEMPLATES
    return Theme(files, templates if templates.is_dir() else None)


def install(app: Flask, theme: Theme) -> None:
    """Let a theme's templates stand in the place of the app's; to be called when the app has its filters and globals.

    Raises:
        ValueError: one of them cannot be read as a template; it says which and in which line.
    """
    ours = app.jinja_loader
    if theme.templates is None or ours is None:
        return
    own = FileSystemLoader(theme.templates)
    app.jinja_loader = ChoiceLoader([own, ours, PrefixLoader({ORIGINALS: ours})])
    app.jinja_env.auto_reload = True  # whoever writes templates sees them at the next request
    for name in filter(lambda name: name.endswith(".html"), own.list_templates()):
        try:
            _check(app, own, name)
        except TemplateError as error:
            line = f", line {error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
            raise ValueError(f"AISLE_THEME: {theme.templates / name}{line}: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"AISLE_THEME: {theme.templates / name} is not UTF-8; save it as UTF-8") from error


def _check(app: Flask, own: FileSystemLoader, name: str) -> None:
    """Compile a template and find those it names."""
    source, _, _ = own.get_source(app.jinja_env, name)
    app.jinja_env.get_template(name)
    named = set(filter(None, meta.find_referenced_templates(app.jinja_env.parse(source))))
    if name in named:
        raise TemplateError(f'it names itself; the one it replaces is "{ORIGINALS}/{name}"')
    for other in named:
        app.jinja_env.get_template(other)
