"""Where a release's encoder lies: the home's ONNX form of it, or the model itself, which needs torch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from search.encoder import Encoder, SentenceTransformerEncoder, open_encoder
from search.errors import EncoderError
from search.home import Home
from search.onnx_encoder import OnnxEncoder, damage_of_encoder

logger = logging.getLogger("aisle.encoder")
# A query is one short text: a second thread gains little alone and loses much beside others (DESIGN.md, "Threads").
QUERY_THREADS = 1


def find_encoder(record: dict[str, Any], home: Home, threads: int = QUERY_THREADS) -> Encoder:
    """Return the encoder a manifest's `encoder` record names; where its ONNX form is damaged, the model it was made of.

    Args:
        record: `name`, `fingerprint`, `source` ("base", "adopted" or the --model value), and `serving`: the `runtime`
            and, for "onnx", the `folder` and the `sha256` of its settings.
        home: whose `encoders/<fingerprint>/` holds adopted models and the ONNX form of any.
        threads: CPU threads of one call.

    Raises:
        EncoderError: it is not where the record says.
    """
    folder = onnx_folder(record, home)
    if folder is None:
        return _model(record, home, threads)
    try:
        return OnnxEncoder(folder, record["serving"]["sha256"], threads)
    except EncoderError as damaged:
        try:
            model = _model(record, home, threads)
        except EncoderError as missing:
            raise EncoderError(f"{damaged}. Nor is the model itself there: {missing}") from damaged
        logger.warning("%s. Until then the model itself answers, which takes longer", damaged)
        return model


def onnx_folder(record: dict[str, Any], home: Home) -> Path | None:
    """Return where the ONNX form of an encoder lies, None where a release was built without."""
    serving = record.get("serving") or {}
    if serving.get("runtime") != "onnx":
        return None
    return Path(home.encoders / record["fingerprint"] / Path(serving["folder"]).name)


def encoder_damage(record: dict[str, Any], home: Home) -> list[str]:
    """Return what is wrong with the files of a release's encoder in the home, a sentence each; [] for nothing."""
    folder = onnx_folder(record, home)
    return [] if folder is None else damage_of_encoder(folder, record["serving"]["sha256"])


def _model(record: dict[str, Any], home: Home, threads: int) -> SentenceTransformerEncoder:
    if record["source"] == "base":
        return open_encoder(threads=threads)
    if record["source"] != "adopted":
        return open_encoder(record["source"], threads)
    folder = home.encoders / record["fingerprint"]
    if not Path(folder).is_dir():
        raise EncoderError(
            f"the release was built with encoder {record['fingerprint']}, which is not in {home.encoders}; "
            "bring that folder back, or build the release again"
        )
    return SentenceTransformerEncoder(folder, record["name"], threads=threads)
