"""Which builds go live and which do not, the way back, and which releases are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SHOP
from markupsafe import escape
from shop_fixtures import Shop

from indexer import pipeline
from search import Engine
from search.errors import AisleError, BuildRefused, ReleaseMissing
from search.release import open_release
from search.releases import rollback


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_catalog_that_shrank_by_more_than_half_does_not_go_live(shop: Shop) -> None:
    live = shop.build().layout
    shop.rows = shop.rows[:3]
    with pytest.raises(BuildRefused, match="shrank from 8 to 3"):
        shop.build()
    assert shop.home.live() == live
    assert len(shop.home.all_releases()) == 2
    assert shop.build(force=True).is_live


def test_judgments_are_measured_and_a_worse_release_does_not_go_live(shop: Shop, tmp_path: Path, monkeypatch) -> None:
    queries, judgments = tmp_path / "q.csv", tmp_path / "j.csv"
    queries.write_text("query_id,query\n" + "".join(f"q{n},{p.title}\n" for n, p in enumerate(SHOP)))
    judgments.write_text("query_id,product_id,grade\n" + "".join(f"q{n},{p.id},3\n" for n, p in enumerate(SHOP)))
    monkeypatch.setattr(
        Engine, "open", lambda folder, home: Engine(open_release(pipeline.Layout(folder)), lambda: shop.encoder)
    )
    live = shop.build(queries_path=queries, judgments_path=judgments)
    assert live.manifest["metrics"]["metrics"]["nDCG@10"]["mean"] > 0.8
    page = live.layout.query_report.read_text("utf-8")
    assert page.count("<tr><td>") == len(SHOP) and all(str(escape(product.title)) in page for product in SHOP)
    for row in shop.rows:
        row[1], row[2], row[5] = "Untitled", "", ""  # every title is lost: nothing can be told from anything
    with pytest.raises(BuildRefused, match=r"nDCG@10 on the judged queries fell"):
        shop.build(queries_path=queries, judgments_path=judgments)
    assert shop.home.live() == live.layout


def test_judgments_without_their_queries_are_an_error(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(AisleError, match="belong together"):
        shop.build(judgments_path=tmp_path / "j.csv")


def test_no_publish_leaves_the_live_release(shop: Shop) -> None:
    live = shop.build().layout
    assert not shop.build(publish=False).is_live
    assert shop.home.live() == live


def test_out_writes_a_whole_release_elsewhere_and_replaces_only_releases(shop: Shop, tmp_path: Path) -> None:
    shop.build(out=tmp_path / "elsewhere")
    shop.build(out=tmp_path / "elsewhere")
    assert open_release(pipeline.Layout(tmp_path / "elsewhere")).rows == 8
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(AisleError, match="not a release"):
        shop.build(out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_rollback_goes_one_back_or_to_a_name(shop: Shop) -> None:
    first = shop.build().layout.name
    shop.rows[0][4] = "1.00"
    second = shop.build().layout.name
    assert rollback(shop.home) == first
    assert shop.engine().product("0001").price == 20.0
    with pytest.raises(ReleaseMissing, match="oldest"):
        rollback(shop.home)
    assert rollback(shop.home, second) == second


def test_only_the_newest_releases_are_kept_but_never_the_live_one_removed(shop: Shop) -> None:
    for number in range(7):
        shop.rows[0][4] = f"{number + 1}.00"
        shop.build()
    names = [layout.name for layout in shop.home.all_releases()]
    assert len(names) <= 5
    assert shop.home.live().name in names
