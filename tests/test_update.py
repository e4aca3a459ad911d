"""`update`: a changed catalog as a new release like the live one, or prices and stock alone, on top of it."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import SHOP, FakeEncoder
from shop_fixtures import Shop

from indexer import pipeline
from indexer.__main__ import main
from indexer.catalog import Rejection
from indexer.catalog.price_list import open_price_list
from indexer.updating import Difference, difference
from search import Engine
from search.home import Home
from search.release import read_manifest, verify
from search.releases import rollback
from search.state.batches import Change
from search.state.changes import ChangeLog


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of eight products, live; the commands find its home and its encoder."""
    shop = Shop(tmp_path)
    monkeypatch.setenv("AISLE_HOME", str(shop.home.root))
    monkeypatch.setattr(pipeline, "build", partial(pipeline.build, open_base=lambda model: shop.encoder))
    monkeypatch.setattr("search.engine.find_encoder", lambda record, home: FakeEncoder())
    shop.build(max_rejected=0.4, dim=8, recall=0.95)
    return shop


def aisle(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def answer(*arguments: object) -> Any:
    done = aisle(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def price(home: Home, product_id: str) -> float | None:
    return Engine.open(home.root).product(product_id).price


# -- a changed catalog --


def test_a_changed_catalog_becomes_a_release_built_like_the_live_one(shop: Shop) -> None:
    before = read_manifest(shop.home.live())
    shop.rows[0][4] = "18.5"
    shop.rows[3][1] = "Crimson Gown"
    shop.rows[7:] = [["0009", "Garden Lamp", "For late evenings.", "", "30", "Home > Lamps"]]
    shop.write()
    shop.encoder.encoded.clear()
    told = answer("update", shop.catalog)
    assert (told["before"], told["live"]) == (before["release"], True)
    assert told["difference"] == {"added": 1, "changed": 1, "removed": 1, "repriced": 1, "restocked": 0}
    assert told["encoded"] == 2
    after = read_manifest(shop.home.live())
    assert after["vectors"]["dim"] == 8
    assert after["settings"] == {**before["settings"], "catalog": after["settings"]["catalog"]}
    assert (price(shop.home, "0001"), verify(shop.home.live())) == (18.5, [])
    text = aisle("update", shop.catalog, "--dim", "6")
    assert "0 added, 0 changed, 0 removed, 0 with another price" in text.output
    assert read_manifest(shop.home.live())["vectors"]["dim"] == 6


def test_files_that_stay_the_same_are_shared_with_the_release_before(shop: Shop) -> None:
    old = shop.home.live()
    shop.rows[0][4] = "18.5"  # prices are in neither words nor vectors
    shop.write()
    told = answer("update", shop.catalog)
    new = shop.home.live()
    assert told["shared_bytes"] > 0
    assert new.dense_index.samefile(old.dense_index)
    assert not new.products.samefile(old.products)
    assert (verify(old), verify(new)) == ([], [])


def test_where_the_disk_has_no_hard_links_nothing_is_shared_and_nothing_is_left_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*paths: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    shop.rows[0][4] = "18.5"
    shop.write()
    assert answer("update", shop.catalog)["shared_bytes"] == 0
    assert verify(shop.home.live()) == []
    assert [one.name for one in shop.home.index.iterdir() if one.name.startswith(".")] == []


def test_a_file_of_the_live_release_that_is_damaged_is_not_shared(shop: Shop) -> None:
    old = shop.home.live()
    content = bytearray(old.groups.read_bytes())
    content[-1] ^= 1
    old.groups.write_bytes(content)
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog)
    assert verify(shop.home.live()) == []
    assert not shop.home.live().groups.samefile(old.groups)


def test_the_very_file_that_is_live_is_not_built_again(shop: Shop) -> None:
    live = shop.home.live().name
    ChangeLog(shop.home.changes).write({"0001": Change(5.0)})
    assert answer("update", shop.catalog) == {"release": live, "live": True, "is_new": False}
    assert "nothing to update" in aisle("update", shop.catalog).output
    assert (shop.home.live().name, price(shop.home, "0001")) == (live, 5.0)


def test_an_update_is_refused_like_a_build(shop: Shop) -> None:
    live = shop.home.live().name
    shop.rows = shop.rows[:2]
    shop.write()
    done = aisle("update", shop.catalog)
    assert (done.exit_code, shop.home.live().name) == (1, live)
    assert "shrank" in done.output
    assert answer("update", shop.catalog, "--force")["live"] is True
    assert aisle("update", shop.catalog.with_name("none.csv")).exit_code == 2


def test_without_a_live_release_an_update_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_HOME", str(tmp_path / "empty"))
    (tmp_path / "prices.csv").write_text("id,price\n1,2\n")
    for arguments in (["x.csv"], ["--prices", tmp_path / "prices.csv"]):
        done = aisle("update", *arguments)
        assert (done.exit_code, "indexer build" in done.output) == (2, True)
    for arguments in (
        [],
        ["x.csv", "--prices", tmp_path / "prices.csv"],
        ["--prices", tmp_path / "prices.csv", "--force"],
    ):
        assert aisle("update", *arguments).exit_code == 2


def test_differences_are_counted_by_kind() -> None:
    from dataclasses import replace

    new = [
        replace(SHOP[0], price=1.0), replace(SHOP[1], availability="in_stock"),
        replace(SHOP[2], title="Cup", price=None),
        *SHOP[3:7], replace(SHOP[7], id="0009"),
    ]  # fmt: skip
    assert difference(SHOP, new) == Difference(added=1, changed=1, removed=1, repriced=2, restocked=1)
    assert difference(SHOP, SHOP) == Difference()


# -- which of two wins --


def test_a_catalog_read_after_a_change_decides_and_a_later_change_stays(shop: Shop) -> None:
    log = ChangeLog(shop.home.changes)
    log.write({"0001": Change(5.0), "0003": Change(6.0)})
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog)
    assert read_manifest(shop.home.live())["sequence"] == 1
    assert (price(shop.home, "0001"), price(shop.home, "0003")) == (18.5, 9.0)
    log.write({"0003": Change(7.0)})
    assert (price(shop.home, "0001"), price(shop.home, "0003")) == (18.5, 7.0)
    assert Engine.open(shop.home.root).search().sequence == 2


def test_changes_made_while_a_catalog_is_built_stay_on_top_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = pipeline.read_products

    def slow(*arguments: Any) -> Any:
        ChangeLog(shop.home.changes).write({"0001": Change(5.0)})
        return reading(*arguments)

    monkeypatch.setattr(pipeline, "read_products", slow)
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog)
    assert read_manifest(shop.home.live())["sequence"] == 0
    assert price(shop.home, "0001") == 5.0


def test_changes_are_kept_on_top_of_an_older_file_when_asked_to(shop: Shop) -> None:
    ChangeLog(shop.home.changes).write({"0001": Change(5.0)})
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog, "--keep-changes")
    assert price(shop.home, "0001") == 5.0


def test_going_back_to_a_release_brings_back_the_changes_that_came_after_its_catalog(shop: Shop) -> None:
    log = ChangeLog(shop.home.changes)
    log.write({"0001": Change(5.0)})
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog)
    log.write({"0002": Change(6.0)})
    assert (price(shop.home, "0001"), price(shop.home, "0002")) == (18.5, 6.0)
    rollback(shop.home)
    assert (price(shop.home, "0001"), price(shop.home, "0002")) == (5.0, 6.0)


def test_changes_that_all_kept_releases_know_are_forgotten_and_the_number_grows_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ChangeLog(shop.home.changes)
    log.write({"0001": Change(5.0), "0008": Change(6.0)})
    monkeypatch.setattr("indexer.releases.prune.__defaults__", (1,))
    shop.rows.pop()  # the product 0008 is gone
    shop.write()
    answer("update", shop.catalog)
    assert ChangeLog(shop.home.changes).read().changes == {}
    assert log.write({"0001": Change(7.0)}) == 2


# -- prices and stock alone --


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", "sku,price,stock\n0001,12.50,3\n0003,,0\n0005,$1,\n"),
        ("p.tsv", "ID\tPrice\tAvailability\n0001\t12.50\tin stock\n0003\t\tsold out\n0005\t1.00\t\n"),
        (
            "p.jsonl",
            '{"id": "0001", "price": 12.5, "stock": 3}\n{"id": "0003", "stock": 0}\n{"id": "0005", "price": "1"}\n',
        ),
        ("p.csv.gz", "id;price;in_stock\n0001;12,50;yes\n0003;;no\n0005;1,00;\n"),
    ],
)
def test_a_list_of_prices_and_stock_goes_on_top_of_the_live_release(shop: Shop, name: str, content: str) -> None:
    path = shop.catalog.with_name(name)
    path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    live = shop.home.live().name
    told = answer("update", "--prices", path)
    assert (told["release"], told["sequence"], told["rows"], told["accepted"]) == (live, 1, 3, 3)
    assert (told["rejected"], told["unknown"]) == (0, 0)
    assert ChangeLog(shop.home.changes).read().changes == {
        "0001": Change(12.5, "in_stock"), "0003": Change(None, "out_of_stock"), "0005": Change(1.0),
    }  # fmt: skip
    assert Engine.open(shop.home.root).search(price_max=12.5, in_stock=True).total == 2
    assert shop.home.live().name == live


def test_every_bad_row_is_told_with_its_line_its_reason_and_what_to_do(shop: Shop) -> None:
    path = shop.catalog.with_name("prices.csv")
    path.write_text(
        "id,price,availability\n0001,12,\n,5,\n0002,cheap,\n0003,,maybe\n0004,,\n0001,13,\n0005,5,\nnew,1,\n"
    )
    done = aisle("update", "--prices", path, "--json")
    assert (done.exit_code, ChangeLog(shop.home.changes).sequence) == (1, 0)
    assert "5 of 8 rows" in done.output
    told = answer("update", "--prices", path, "--max-rejected", "90%", "--rejected", path.with_name("bad.csv"))
    assert (told["accepted"], told["rejected"], told["unknown_ids"]) == (2, 5, ["new"])
    assert [(one["line"], one["column"], bool(one["fix"])) for one in told["rejections"]] == [
        (3, "id", True), (4, "price", True), (5, "availability", True), (6, "", True), (7, "id", True),
    ]  # fmt: skip
    reasons = " | ".join(one["reason"] for one in told["rejections"])
    for part in ("no id", "no number", "not understood", "nothing is to change", "already used on line 2"):
        assert part in reasons
    assert len(path.with_name("bad.csv").read_text().splitlines()) == 6
    text = aisle("update", "--prices", path, "--max-rejected", "90%").output
    assert "1 ids are not in the release: new" in text
    assert "line 4, price: " in text
    assert price(shop.home, "0001") == 12.0


def test_a_price_in_another_currency_is_no_price_of_this_shop(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("id,price\n1,EUR 5\n2,$5\n3,5 USD\n4,7\n")
    found = list(open_price_list(tmp_path / "prices.csv", {}, "USD").read())
    assert isinstance(found[0], Rejection)
    assert "EUR" in found[0].reason
    assert found[1:] == [("2", Change(5.0)), ("3", Change(5.0)), ("4", Change(7.0))]


def test_a_list_of_another_shop_or_without_the_columns_is_refused(shop: Shop) -> None:
    path = shop.catalog.with_name("prices.csv")
    for content, said in (
        ("id,price\nx,1\ny,2\n", "is it of this shop"),
        ("id,colour\n0001,red\n", "no column of prices"),
        ("what,price\n0001,1\n", "no column of ids"),
        ("id,price\n", "not one row"),
    ):
        path.write_text(content)
        done = aisle("update", "--prices", path)
        assert (done.exit_code, said in done.output) == (2, True), done.output
    assert ChangeLog(shop.home.changes).sequence == 0
    path.write_text("what,cost\n0001,1\n")
    assert answer("update", "--prices", path, "--map", "id=what,price=cost")["accepted"] == 1


# -- verify and releases --


def test_verify_checks_release_and_changes_and_names_products_it_does_not_know(shop: Shop) -> None:
    log = ChangeLog(shop.home.changes)
    assert answer("verify") == {
        "release": shop.home.live().name, "problems": [], "sequence": 0, "changed": 0, "unknown": [],
    }  # fmt: skip
    log.write({"0001": Change(5.0), "gone": Change(6.0)})
    told = answer("verify")
    assert (told["problems"], told["sequence"], told["changed"], told["unknown"]) == ([], 1, 2, ["gone"])
    assert "2 products changed since, sequence 1" in aisle("verify").output
    log.write({"0001": Change(7.0)})
    shop.home.changes.write_bytes(shop.home.changes.read_bytes().replace(b"5.0", b"5.1"))
    done = aisle("verify")
    assert done.exit_code == 1
    assert "send the prices and stock of that time again" in done.output
    log.mark.write_text("9\n")
    assert "9 were acknowledged" in aisle("verify").output


def test_releases_are_listed_with_the_changes_their_catalogs_know(shop: Shop) -> None:
    ChangeLog(shop.home.changes).write({"0001": Change(5.0)})
    shop.rows[0][4] = "18.5"
    shop.write()
    answer("update", shop.catalog)
    assert [one["sequence"] for one in answer("releases")] == [0, 1]
