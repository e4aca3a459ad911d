"""Where a release's encoder lies: the pinned package, the home's adopted models, or the folder it was built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.encoder import SentenceTransformerEncoder, open_encoder
from search.errors import EncoderError
from search.home import Home

# A query is one short text: a second thread gains little alone and loses much beside others (DESIGN.md, "Threads").
QUERY_THREADS = 1


def find_encoder(record: dict[str, Any], home: Home) -> SentenceTransformerEncoder:
    """Return the encoder a manifest's `encoder` record names.

    Args:
        record: `name`, `fingerprint`, and `source` ("base", "adopted" or the --model value).
        home: whose `encoders/<fingerprint>/` holds adopted models.

    Raises:
        EncoderError: it is not where the record says.
    """
    if record["source"] == "base":
        return open_encoder(threads=QUERY_THREADS)
    if record["source"] != "adopted":
        return open_encoder(record["source"], QUERY_THREADS)
    folder = home.encoders / record["fingerprint"]
    if not Path(folder).is_dir():
        raise EncoderError(
            f"the release was built with encoder {record['fingerprint']}, which is not in {home.encoders}; "
            "bring that folder back, or build the release again"
        )
    return SentenceTransformerEncoder(folder, record["name"], threads=QUERY_THREADS)
