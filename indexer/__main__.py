"""The command line: python -m indexer check, build, update, report, evaluate, compare, search, dimensions, export,
insights, releases, rollback, verify, keys.

Exit codes: 0 fine, 1 the answer is no (a refusal, errors found), 2 bad usage or input.
"""

from __future__ import annotations

import os

import click

from indexer.commands import catalog, dimensions, insights, keys, quality, releases, report, update

# Set before any library starts its threads: a fork afterwards would hang, and models are local.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Aisle's indexer: a catalog file in, a checked, fine-tuned, searchable release out."""


for command in (
    catalog.check, catalog.build, update.update, report.report, quality.evaluate, quality.compare, quality.search,
    dimensions.dimensions, insights.insights, releases.export, releases.releases, releases.rollback, releases.verify,
    keys.keys,
):  # fmt: skip
    main.add_command(command)

if __name__ == "__main__":
    main()
