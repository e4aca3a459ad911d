"""The front door: `create_app` makes the Flask app, `python app.py` serves it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

# Before anything heavy is imported: one thread a search, and tokenizers that stay in theirs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from search.home import Home
from search.state.changes import ChangeLog
from search.state.keys import KeyFile, KeyRing
from web import formats, language
from web.api.admin import admin
from web.api.changes import changes
from web.api.docs import docs
from web.api.events import events
from web.api.exports import exports
from web.api.insights import insights
from web.api.routes import api
from web.json_answers import JsonAnswers
from web.live import EngineProvider, LiveEngine, let_go_of_engine
from web.pages import assets, discovery, theme
from web.pages.illustrations import illustrations
from web.pages.map import catalog_map
from web.pages.map_picture import map_picture
from web.pages.report import report
from web.pages.routes import pages
from web.serving import (
    access,
    admission,
    compression,
    cors,
    event_log,
    limits,
    logs,
    metrics,
    problems,
    security,
    stopping,
)
from web.serving.health import health
from web.serving.workers import Workers, follow_others
from web.settings import Settings

ENVIRONMENT = """\
settings by environment:
  AISLE_HOME         the folder that holds the releases (instance)
  AISLE_HOST         where to listen (127.0.0.1)
  AISLE_PORT         and on which port (8000)
  AISLE_PROCESSES    how many processes serve (1); one per CPU answers most
  AISLE_THREADS      requests at work at once in each (4); in a build, the encoder's threads (else one per CPU)
  AISLE_DEADLINE_MS  how long a request may wait for its turn before it is refused (500)
  AISLE_LOG          text or json, one line per request on stderr (text)
  AISLE_SHOP_NAME    what the page calls itself (Aisle)
  AISLE_LANGUAGE     the page's language, such as de (what each browser asks for)
  AISLE_THEME        a folder with the shop's own theme.css, mark.svg and templates/ (docs/theming.md)
  AISLE_URL          where the shop is to be found, such as https://shop.example (as each request came)
  AISLE_EVENTS       on or off: whether searches and clicks are kept, without names, in the home (on)
  AISLE_EVENTS_DAYS  for how many days (90)
  AISLE_EVENTS_MB    and in how many megabytes at most; the oldest go first (500)
  AISLE_CORS_ORIGINS whose scripts may read the API: https://a.example,https://b.example or * (nobody else's)
  AISLE_OPEN         what needs no key: search,events or one of them or none; closing search closes the pages (both)
  AISLE_RATE_LIMIT   of each address, and of each key without its own, such as 600/minute, or off (1200/minute)
  AISLE_PROXIES      how many proxies stand in front and write X-Forwarded-For (0)
"""


class App(Flask):
    """A Flask app whose functions are all plain ones."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is; Flask would look at each of a request's twenty whether it is a coroutine."""
        return func


def create_app(
    settings: Settings | None = None, engine: EngineProvider | None = None, workers: Workers | None = None
) -> Flask:
    """Return the app, ready to serve; no release is opened before the first request that needs one.

    Args:
        settings: from the environment when left out.
        engine: where the engine comes from; the live release of the settings' home when left out.
        workers: the processes that will serve it; this one alone when left out.

    Raises:
        ValueError: a setting or the theme cannot be used.
    """
    settings = settings or Settings.from_environment()
    look = theme.open_theme(settings.theme) if settings.theme else theme.Theme()
    app = App(__name__, static_folder=None)  # web/pages/assets.py serves static/
    app.url_map.merge_slashes = False  # a product id may hold "//"
    app.json = JsonAnswers(app)
    app.extensions["aisle.workers"] = workers = workers or Workers()
    home, counted = Home(settings.home), metrics.Metrics(app, workers)
    app.extensions["aisle.home"] = home
    app.extensions["aisle.changes"] = ChangeLog(home.changes)
    app.extensions["aisle.engine"] = engine or LiveEngine(home, watch=counted)
    app.teardown_appcontext(let_go_of_engine)
    app.jinja_env.globals["shop_name"] = settings.shop_name
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    language.install(app, settings.language, settings.translations)
    assets.install(app, look.files)
    theme.install(app, look)
    for part in (logs, security, compression, problems, stopping):
        part.install(app)
    access.install(app, KeyRing(KeyFile(home.keys)), settings.open_scopes)
    limits.install(app, settings.rate_limit, workers)
    access.guard(app)
    cors.install(app, settings.cors_origins)
    admission.install(app, admission.Admission(settings.threads, settings.deadline_ms))
    follow_others(app, workers)
    metrics.install(app, counted)
    discovery.install(app, settings.url)
    event_log.install(app, settings)
    for blueprint in (
        pages, api, exports, events, changes, admin, insights, docs, catalog_map, map_picture, health, illustrations,
        report,
    ):  # fmt: skip
        app.register_blueprint(blueprint)
    if settings.proxies:
        # The address alone: few proxies overwrite X-Forwarded-Host, and AISLE_URL says where the shop is.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=0)  # type: ignore[method-assign]
    return app


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; exit code 2 for a setting that cannot be used.

    Where there are to be several processes, this one listens and watches over them; each of them makes a server.
    """
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="Serve the shop page and the JSON API of the live release.",
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="where to listen, in place of AISLE_HOST")
    parser.add_argument("--port", type=int, help="port to listen on, in place of AISLE_PORT")
    asked = parser.parse_args(arguments)

    from web.serving.processes import Supervisor, listening
    from web.serving.server import Server, share_memory

    share_memory()
    try:
        settings = Settings.from_environment()
        settings = replace(settings, host=asked.host or settings.host, port=asked.port or settings.port)
        workers = Workers(settings.processes)
        app = create_app(settings, workers=workers)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logs.start_logging(settings.log)
    try:
        sockets = listening(settings.host, settings.port)
    except OSError as error:
        print(f"cannot listen on {settings.host}:{settings.port} ({error}); choose another port", file=sys.stderr)
        return 2
    print(f"{settings.shop_name} is at http://{settings.host}:{settings.port} (Ctrl-C stops it)", flush=True)
    if settings.processes > 1 and (code := Supervisor(workers, sockets).run()) is not None:
        return code
    server = Server(app, sockets, is_behind_proxy=settings.proxies > 0)
    engine: LiveEngine = app.extensions["aisle.engine"]
    stopping.at_stop(app, engine.close)
    engine.start()
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
