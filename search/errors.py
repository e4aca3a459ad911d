"""Every error Aisle raises on purpose, as one tree.

    AisleError
    ├── CatalogError            a catalog file that cannot be read or mapped
    │   └── TooManyRejected     more bad rows than the build accepts
    ├── BuildRefused            a finished release that must not go live without --force
    ├── EncoderError            an encoder that is missing, damaged or not the one that built the index
    │   └── EncoderMismatch
    ├── ReleaseError            a release folder that cannot be opened
    │   ├── ReleaseMissing
    │   ├── ReleaseDamaged
    │   └── ReleaseRefused      a release that must not be made live
    ├── DiskError               a disk that is full, read-only, failing or not ours to write to
    ├── KeysError               API keys that cannot be read, made or kept
    ├── EvaluationError         queries, judgments or runs that cannot be used
    ├── EventsUnavailable       searches and events that cannot be stored or read at the moment
    ├── ChangesUnavailable      prices and stock that cannot be changed, or whose changes cannot be read, at the moment
    ├── QueryError              a search request that is not understood (names the parameter)
    └── NotFound                no such product, cluster, key or kept release

Each message says what is wrong, where, and what to do next. The web layer maps the classes to HTTP codes
in one place (web/serving/problems.py); the command line maps them to exit code 1 (BuildRefused, TooManyRejected) or 2.
"""

from __future__ import annotations


class AisleError(Exception):
    """Base of every expected failure; its message is written for the person who has to act."""


class CatalogError(AisleError):
    """The catalog file cannot be read, or its columns cannot be mapped."""


class TooManyRejected(CatalogError):
    """A larger share of the rows was rejected than `--max-rejected` allows."""


class BuildRefused(AisleError):
    """The build finished, but switching to it would probably be a mistake; `--force` overrides."""


class EncoderError(AisleError):
    """The encoder's files are missing, damaged, or unusable."""


class EncoderMismatch(EncoderError):
    """The encoder at hand is not the one the release was built with."""


class ReleaseError(AisleError):
    """A release folder cannot be used."""


class ReleaseMissing(ReleaseError):
    """There is no such release."""


class ReleaseDamaged(ReleaseError):
    """A release file is missing, truncated, or of the wrong shape."""


class ReleaseRefused(ReleaseError):
    """The release is damaged or of another format; the live one stays."""


class DiskError(AisleError):
    """A disk is full, read-only, failing, or not ours to write to."""


class KeysError(AisleError):
    """The file of API keys cannot be read or written, or a key cannot be made as asked."""


class EvaluationError(AisleError):
    """Queries, judgments or runs do not fit each other or cannot be read."""


class EventsUnavailable(AisleError):
    """Searches and events cannot be stored or read at the moment; search itself goes on."""


class ChangesUnavailable(AisleError):
    """Changes of prices and stock cannot be stored or read at the moment; search itself goes on."""


class QueryError(AisleError):
    """A search request is not understood.

    `parameter` is the name of the offending parameter as the caller wrote it.
    """

    def __init__(self, parameter: str, detail: str):
        super().__init__(detail)
        self.parameter = parameter
        self.detail = detail


class NotFound(AisleError):
    """No product or cluster of the live release, no key and no kept release has this id."""
