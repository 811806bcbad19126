"""The catalogue: what is listed, and that the page is what the configurations say."""

from pathlib import Path

from beam_pipeline.catalogue import CatalogueEntry, datasets_page, read_catalogue
from beam_pipeline.config import load_config, shipped_configs
from tests.helpers.archives import run

PAGE = Path(__file__).parents[1] / "docs" / "datasets.md"


def test_the_page_is_written_from_the_configurations() -> None:
    assert PAGE.read_text() == datasets_page(), "Run make docs."


def test_all_configurations_are_listed_with_what_they_take() -> None:
    outcome = run("--list")
    assert outcome.code == 0
    lines = [line.split() for line in outcome.out.splitlines()]
    assert {entry.name for entry in read_catalogue()} == {*shipped_configs()}
    for name in shipped_configs():
        assert [name] in [line[:1] for line in lines]
    (row,) = [line for line in lines if line[:1] == ["1pct"]]
    assert row[1:] == [
        *("imagenet2012_subset/1pct:5.0.0", "train", "12,811", "154.6", "GB"),
        "imagenet",
    ]
    assert ["validation", "50,000"] in lines
    assert "get ILSVRC2012_img_train.tar (147,897,477,120 bytes" in outcome.out


def test_archives_are_those_that_have_to_be_got() -> None:
    entry = CatalogueEntry("1pct", load_config("1pct", {}, {}))
    assert entry.archives == [
        ("ILSVRC2012_img_train.tar", 147897477120),
        ("ILSVRC2012_img_val.tar", 6744924160),
        ("ILSVRC2012_img_test_v10102019.tar", None),
    ]
    demo = CatalogueEntry("demo", load_config("demo", {}, {}))
    assert (demo.archives, demo.size) == ([], "none")
    assert demo.splits == [("train", "300"), ("validation", "200")]
