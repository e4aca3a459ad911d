"""API keys: made once, kept hashed, checked in constant time, revoked at once; a damaged file opens nothing."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import threading
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner, Result
from key_fixtures import expired_key

from indexer.__main__ import main
from search.errors import KeysError, NotFound
from search.state import keys as module
from search.state.keys import KeyFile, KeyRing, is_whole, without_keys
from search.state.rates import Rate, rate_of


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "state" / "keys.json")


def test_a_key_is_found_by_its_whole_text_only(file: KeyFile) -> None:
    key, text = file.create("shop", ["search"])
    ring = KeyRing(file)
    assert ring.find(text) == key
    for wrong in (
        text[:-1],
        text + "0",
        text.upper(),
        f" {text}",
        text.replace(key.id, "00000000"),
        key.sha256,
        "",
        "é",
    ):
        assert ring.find(wrong) is None


def test_what_is_kept_is_a_hash_from_which_no_key_can_be_told(file: KeyFile) -> None:
    key, text = file.create("shop", ["search"])
    kept = file.path.read_text()
    assert text.split("_")[2] not in kept
    assert json.loads(kept)["keys"][0]["sha256"] == hashlib.sha256(text.encode()).hexdigest() == key.sha256
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert text not in repr(key)
    assert key.sha256 not in repr(key) + str(key.told())


def test_a_key_says_what_it_is_and_holds_256_random_bits_and_a_checksum(file: KeyFile) -> None:
    key, text = file.create("shop", ["search"])
    assert re.fullmatch(rf"aisle_{key.id}_[0-9A-Za-z]{{49}}", text)
    assert 62**43 > 2**256
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for letter in text[-6:]:
        number = number * 62 + letters.index(letter)
    assert number == zlib.crc32(text[:-6].encode())
    assert is_whole(text)
    assert not is_whole(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert len({file.create("shop", ["search"])[1][15:] for _ in range(20)}) == 20


def test_a_known_and_an_unknown_id_cost_one_hash_and_one_comparison(file: KeyFile) -> None:
    _, text = file.create("shop", ["search"])
    ring = KeyRing(file)
    ring.find(text)
    for presented in (text, text[:-1], text[:6] + "zzzzzzzz" + text[14:], "nonsense"):
        with (
            mock.patch.object(module.hmac, "compare_digest", wraps=module.hmac.compare_digest) as compared,
            mock.patch.object(module.hashlib, "sha256", wraps=hashlib.sha256) as hashed,
        ):
            ring.find(presented)
        assert (compared.call_count, hashed.call_count) == (1, 1)
        assert {len(side) for side in compared.call_args.args} == {64}


def test_a_running_server_notices_new_revoked_and_expired_keys_at_once(file: KeyFile) -> None:
    ring = KeyRing(file)
    assert not ring.opens("admin")
    key, text = file.create("admin", ["admin"])
    assert ring.find(text) is not None
    assert (ring.opens("admin"), ring.opens("search")) == (True, False)
    file.revoke(key.id)
    assert ring.find(text) is None
    assert not ring.opens("admin")
    late = expired_key(file, ["admin"])
    found = ring.find(late)
    assert found is not None
    assert found.has_expired()
    assert not ring.opens("admin")


def test_an_unchanged_file_is_not_read_again(file: KeyFile) -> None:
    _, text = file.create("shop", ["search"])
    ring = KeyRing(file)
    ring.find(text)
    with mock.patch.object(KeyFile, "keys", side_effect=AssertionError):
        assert ring.find(text) is not None


def test_admin_implies_no_other_scope(file: KeyFile) -> None:
    key, _ = file.create("admin", ["admin"])
    assert [key.is_good_for(scope) for scope in ("admin", "search", "events")] == [True, False, False]


@pytest.mark.parametrize(
    "content",
    ["", "{", "null", '{"version": 2, "keys": []}', '{"version": 1}', '{"version": 1, "keys": [], "more": 1}',
     '{"version": 1, "keys": [{"id": "x"}]}', "\x00\xff"],
)  # fmt: skip
def test_a_damaged_file_opens_nothing_and_is_never_written_over(file: KeyFile, content: str) -> None:
    _, text = file.create("admin", ["admin"])
    ring = KeyRing(file)
    assert ring.find(text) is not None
    file.path.write_text(content, "latin-1")
    for ask in (lambda: ring.find(text), lambda: ring.opens("admin"), file.keys, lambda: file.create("x", ["search"])):
        with pytest.raises(KeysError, match="python -m indexer keys create"):
            ask()
    assert file.path.read_text("latin-1") == content


def test_a_scope_or_a_hash_that_was_tampered_with_damages_the_file(file: KeyFile) -> None:
    file.create("shop", ["search"])
    whole = json.loads(file.path.read_text())
    for change in ({"scopes": ["everything"]}, {"scopes": []}, {"sha256": ""}, {"sha256": None}, {"id": "../../etc"},
                   {"rate": "lots"}, {"expires_at": "soon"}, {"name": "a\nb"}):  # fmt: skip
        file.path.write_text(json.dumps({**whole, "keys": [{**whole["keys"][0], **change}]}))
        with pytest.raises(KeysError):
            file.keys()
    file.path.write_text(json.dumps({**whole, "keys": whole["keys"] * 2}))
    with pytest.raises(KeysError, match="twice"):
        file.keys()


def test_a_file_that_is_out_of_reach_is_damaged_not_missing(file: KeyFile) -> None:
    file.path.mkdir(parents=True)  # a folder in its place; root reads all files, so permissions cannot be the test
    with pytest.raises(KeysError):
        KeyRing(file).opens("admin")


@pytest.mark.parametrize("name", ["", "a\nb", "a\r\nSet-Cookie: x", "\x1b[2J", "a" * 81, "\u2028"])
def test_a_name_that_could_forge_a_line_is_refused(file: KeyFile, name: str) -> None:
    with pytest.raises(KeysError, match="name"):
        file.create(name, ["search"])
    assert not file.path.exists()


def test_keys_made_at_the_same_time_are_all_kept(file: KeyFile) -> None:
    threads = [threading.Thread(target=file.create, args=(f"key {number}", ["search"])) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.keys()) == 12


def test_a_write_that_fails_leaves_the_old_keys_and_nothing_beside_them(file: KeyFile) -> None:
    key, _ = file.create("shop", ["search"])
    with mock.patch.object(os, "fsync", side_effect=OSError("disk full")), pytest.raises(KeysError, match="disk full"):
        file.create("more", ["search"])
    assert list(file.keys()) == [key.id]
    assert {path.name for path in file.path.parent.iterdir()} <= {"keys.json", "keys.lock"}


def test_no_text_keeps_the_secret_of_a_key(file: KeyFile) -> None:
    key, text = file.create("shop", ["search"])
    for said in (text, f"GET /{text}/x", f'{{"key":"{text}"}}', text[:-7], f"{text}{text}"):
        assert text[15:30] not in without_keys(said)
        assert key.id in without_keys(said)
    assert without_keys("aisle_instance and aisle.requests") == "aisle_instance and aisle.requests"


# -- commands --


def keys(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments], env={"AISLE_HOME": str(home)})


def test_the_commands_make_list_and_revoke(tmp_path: Path) -> None:
    made = json.loads(
        keys(tmp_path, "create", "Shop app", "--scope", "events", "--scope", "search", "--expires", "90d", "--rate",
             "10 per second", "--note", "blue", "--json").stdout
    )  # fmt: skip
    assert made["scopes"] == ["search", "events"]
    assert made["rate"] == "10/second"
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    listed = keys(tmp_path, "list", "--json").stdout
    assert json.loads(listed) == [{name: value for name, value in made.items() if name != "key"}]
    for said in (listed, keys(tmp_path, "list").stdout):
        assert made["key"][15:] not in said
    assert KeyRing(KeyFile(tmp_path / "state" / "keys.json")).find(made["key"]) is not None
    assert json.loads(keys(tmp_path, "revoke", made["id"], "--json").stdout)["revoked"]["id"] == made["id"]
    assert json.loads(keys(tmp_path, "list", "--json").stdout) == []


def test_a_key_is_printed_alone_so_that_a_script_can_keep_it(tmp_path: Path) -> None:
    made = keys(tmp_path, "create", "deploy", "--scope", "admin")
    assert is_whole(made.stdout.strip())
    assert "not shown again" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x"), "--scope"),
        (("create", "x", "--scope", "root"), "root"),
        (("create", "x", "--scope", "search", "--expires", "soon"), "12h, 90d or 52w"),
        (("create", "x", "--scope", "search", "--rate", "often"), "600/minute"),
        (("revoke", "nobody"), "keys list"),
    ],
)
def test_wrong_use_is_2_and_says_what_is_right(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = keys(tmp_path, *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_revoking_what_is_not_there_is_an_error(file: KeyFile) -> None:
    with pytest.raises(NotFound):
        file.revoke("nobody")


def test_rates_are_read_and_written_alike() -> None:
    assert rate_of("600/minute") == rate_of(" 600 per Minute ") == Rate(600, 60)
    assert [str(rate_of(text)) for text in ("1/second", "5/hour", "9/day")] == ["1/second", "5/hour", "9/day"]
    for wrong in ("", "0/minute", "-1/minute", "1.5/minute", "10", "10/week", "1/minute; 2/hour", "9999999999/day"):
        with pytest.raises(ValueError, match="600/minute"):
            rate_of(wrong)
