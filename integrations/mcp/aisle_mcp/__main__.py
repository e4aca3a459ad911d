"""`python -m aisle_mcp`: speak MCP over stdin and stdout or, with --http, over HTTP."""

from __future__ import annotations

import argparse
import sys

from aisle_client import Aisle

from aisle_mcp.server import make_server


def main(arguments: list[str] | None = None) -> int:
    """Serve until stdin is closed or the process is interrupted; exit code 2 for an address or key of no use."""
    parser = argparse.ArgumentParser(
        prog="aisle-mcp", description="Let a model search an Aisle shop (Model Context Protocol).",
        epilog="AISLE_KEY in the environment is the key, where the shop wants one; the scope search is enough.",
    )  # fmt: skip
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where Aisle answers (%(default)s)")
    parser.add_argument("--shop-url", help="where people reach the shop, when that is another address")
    parser.add_argument(
        "--http", type=int, metavar="PORT", help="streamable HTTP on 127.0.0.1 in place of stdio, at /mcp"
    )
    asked = parser.parse_args(arguments)
    try:
        aisle = Aisle(asked.url)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    server = make_server(aisle, (asked.shop_url or asked.url).rstrip("/") + "/")
    if asked.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", port=asked.http, stateless_http=True, json_response=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
