"""API keys: made by command, kept hashed in instance/state/keys.json, looked up by their id.

A key is `aisle_<id>_<secret><checksum>`: a prefix that secret scanners recognize, 8 characters that name it in lists
and logs, 256 random bits, and a CRC-32 that tells a cut or mistyped key from a wrong one.

Only its SHA-256 is kept. A slow hash (bcrypt, argon2) makes guessing a weak password dear; nobody guesses 256 random
bits, and each request would pay for it, those of an attacker too.

When a key was last used is not kept: every request would write, and the request log names the key of each.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import string
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from search.durable import disk_cure, write_durably
from search.errors import KeysError, NotFound
from search.state.rates import Rate, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("aisle.keys")
Scope = Literal["search", "events", "admin"]
SCOPES: tuple[Scope, ...] = ("search", "events", "admin")
PREFIX = "aisle"
ID_CHARACTERS, SECRET_CHARACTERS, CHECK_CHARACTERS = 8, 43, 6  # 62 ** 43 > 2 ** 256, 62 ** 6 > 2 ** 32
MAX_NAME_CHARACTERS = 80
# Wherever a key may have got into a text: its id stays, all that may be secret goes.
ANYWHERE = re.compile(rf"({PREFIX}_[0-9a-z]{{{ID_CHARACTERS}}})_[0-9A-Za-z_]+")
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(rf"{PREFIX}_([0-9a-z]{{{ID_CHARACTERS}}})_([0-9A-Za-z]{{{SECRET_CHARACTERS + CHECK_CHARACTERS}}})")
_NOBODY = "0" * 64  # the digest of no key: what a key with an unknown id is compared with


def _plain(text: str) -> str:
    """Return a text that stands on one line of a list or a log."""
    if not text.isprintable():
        raise ValueError("it holds line ends or other characters that cannot be shown")
    return text


def _rate_text(text: str | None) -> str | None:
    return None if text is None else str(rate_of(text))


class Key(BaseModel):
    """What is kept of a key.

    Attributes:
        scopes: what it is good for; none of them implies another.
        sha256: of the whole key, hexadecimal.
        rate: its own limit, such as "600/minute"; None for the server's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(pattern=rf"^[0-9a-z]{{{ID_CHARACTERS}}}$")
    name: Annotated[str, AfterValidator(_plain)] = Field(min_length=1, max_length=MAX_NAME_CHARACTERS)
    scopes: list[Scope] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    rate: Annotated[str | None, AfterValidator(_rate_text)] = None
    note: Annotated[str, AfterValidator(_plain)] = Field("", max_length=500)

    def is_good_for(self, scope: str) -> bool:
        """Return whether it opens a scope; "admin" opens the admin routes and nothing else."""
        return scope in self.scopes

    def has_expired(self, now: datetime | None = None) -> bool:
        """Return whether its time is over."""
        return self.expires_at is not None and self.expires_at <= (now or datetime.now(UTC))

    def own_rate(self) -> Rate | None:
        """Return its own limit; None for the server's."""
        return rate_of(self.rate) if self.rate else None

    def told(self) -> dict[str, Any]:
        """Return what lists show of it: all but its hash, JSON-ready."""
        return {**self.model_dump(mode="json", exclude={"sha256"}), "expired": self.has_expired()}


class _Kept(BaseModel):
    """The file: its version and its keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1]
    keys: list[Key]


class KeyFile:
    """The keys of a home.

    Args:
        path: `Home.keys`; need not exist.
    """

    def __init__(self, path: Path):
        self.path = path

    def keys(self) -> dict[str, Key]:
        """Return every key by its id, in the order they were made; {} while there is no file.

        Raises:
            KeysError: the file cannot be read, or says something this version does not understand.
        """
        try:
            kept = _Kept.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise KeysError(f"{self.path} cannot be used: {_fault(error)}; {_WAY_OUT}") from None
        keys = {key.id: key for key in kept.keys}
        if len(keys) < len(kept.keys):
            raise KeysError(f"{self.path} cannot be used: an id is there twice; {_WAY_OUT}")
        return keys

    def create(
        self, name: str, scopes: list[Scope], *, lasts: timedelta | None = None, rate: str | None = None, note: str = ""
    ) -> tuple[Key, str]:
        """Make a key; return what is kept of it and the key itself, which nothing can tell again.

        Args:
            lasts: how long it is good; None without end.
            rate: its own limit, such as "600/minute".

        Raises:
            KeysError: the file cannot be read or written, or name, note or rate cannot be used.
        """
        with self._changing() as keys:
            id = _new_id(keys)
            text, created = _new_key(id), datetime.now(UTC).replace(microsecond=0)
            try:
                key = Key(
                    id=id, name=name, scopes=[one for one in SCOPES if one in scopes], sha256=_digest(text),
                    created_at=created, expires_at=created + lasts if lasts else None, rate=rate, note=note,
                )  # fmt: skip
            except (ValidationError, OverflowError) as error:
                raise KeysError(f"this key cannot be made: {_fault(error)}") from None
            keys[id] = key
        return key, text

    def revoke(self, id: str) -> Key:
        """Take a key out; running servers refuse it from their next request on. Return what was kept of it.

        Raises:
            KeysError: the file cannot be read or written.
            NotFound: there is no such key.
        """
        with self._changing() as keys:
            if id not in keys:
                raise NotFound(f'no key has the id "{id:.80}"; see: python -m indexer keys list')
            return keys.pop(id)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """Give the keys and keep what becomes of them; one at a time among all processes."""
        from filelock import FileLock  # servers only read

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=10):
                keys = self.keys()
                yield keys
                content = _Kept(version=1, keys=list(keys.values())).model_dump_json(indent=1)
                write_durably(self.path, f"{content}\n", mode=0o600)
        except OSError as error:  # filelock's Timeout is one too
            told = "another program is changing it; try again" if isinstance(error, TimeoutError) else disk_cure(error)
            raise KeysError(f"{self.path} cannot be written: {told}") from error


class KeyRing:
    """The keys of a home as a running server sees them; a change is noticed at the next request.

    Noticed by one `stat`, about 2 microseconds: inode, times and size. Each change is a new file put in place of the
    old one, so it is seen whole.
    """

    def __init__(self, file: KeyFile):
        self._file = file
        self._read: tuple[tuple[int, ...] | None, dict[str, Key] | None] = ((), None)

    def find(self, text: str) -> Key | None:
        """Return the key that a caller presents, also when it has expired; None when it is not one of ours.

        A known and an unknown id cost the same: one SHA-256, one comparison in constant time.

        Raises:
            KeysError: the file is damaged, so that nobody's key can be checked.
        """
        keys = self._current()
        form = _FORM.fullmatch(text)
        key = keys.get(form[1]) if form else None
        is_same = hmac.compare_digest(_digest(text), key.sha256 if key else _NOBODY)
        return key if key is not None and is_same else None

    def opens(self, scope: Scope) -> bool:
        """Return whether any key is good for a scope now.

        Raises:
            KeysError: the file is damaged.
        """
        return any(key.is_good_for(scope) and not key.has_expired() for key in self._current().values())

    def _current(self) -> dict[str, Key]:
        stamp, read = self._stamp(), self._read
        if stamp != read[0]:
            try:
                read = (stamp, self._file.keys())
            except KeysError as error:
                logger.error("%s", error)
                read = (stamp, None)
            self._read = read
        if read[1] is None:  # the log says where; callers are told what to do, not where things lie
            raise KeysError(f"the file of API keys cannot be read, the server's log says why; {_WAY_OUT}")
        return read[1]

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            found = self._file.path.stat()
        except OSError:  # read anyway: that tells a missing file from one that is out of reach
            return None
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def is_whole(text: str) -> bool:
    """Return whether a text is a key as it was printed; False for one that is cut, mistyped or something else."""
    return bool(_FORM.fullmatch(text)) and text[-CHECK_CHARACTERS:] == _checksum(text[:-CHECK_CHARACTERS])


def without_keys(text: str) -> str:
    """Return a text with the secret part of every key in it taken out."""
    return ANYWHERE.sub(r"\1_(secret)", text) if PREFIX in text else text


def _new_id(keys: dict[str, Key]) -> str:
    while True:
        id = "".join(secrets.choice(string.digits + string.ascii_lowercase) for _ in range(ID_CHARACTERS))
        if id not in keys:
            return id


def _new_key(id: str) -> str:
    text = f"{PREFIX}_{id}_{_in_letters(int.from_bytes(secrets.token_bytes(32)), SECRET_CHARACTERS)}"
    return text + _checksum(text)


def _checksum(text: str) -> str:
    return _in_letters(zlib.crc32(text.encode()), CHECK_CHARACTERS)


def _in_letters(number: int, length: int) -> str:
    """Return a number in base 62, so that a double click selects a whole key."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_LETTERS[digit])
    return "".join(reversed(digits))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fault(error: Exception) -> str:
    """Return what is wrong, in one line, without quoting what the file holds."""
    if not isinstance(error, ValidationError):
        return error.strerror or str(error) if isinstance(error, OSError) else str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what


_WAY_OUT = (
    "until then no key is accepted and the admin routes are shut. "
    "Put back a copy of the file, or move it away and make new keys: python -m indexer keys create"
)
