"""Holds the documents beside the shards against the archives and their readers' rules.

These need no loader: a card, a figure, and indexes of which the readers need PyTorch.
"""

import base64
import io
import json
import tarfile
from collections import Counter
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from tests.suites.loaders.expected import CONFIGS, NAME, SHARDS, VERSION, Built
from transforms.documents.figure import CAPTION, CELL, GAP

every_config = pytest.mark.parametrize("config", CONFIGS)
every_split = pytest.mark.parametrize(
    ("config", "split"), list(product(CONFIGS, SHARDS))
)


@every_split
def test_info_json_is_as_timm_reads_it(built: Built, config: str, split: str) -> None:
    """Goes by the rules of timm's ``reader_wds.py``; timm itself needs PyTorch.

    A split's entry has the four keys that timm reads; the names are relative to where
    ``_info.json`` lies; counts are those of the tars; of a sample timm takes ``jpg``
    and the integer in ``cls``, and the file's name is the key and ``.JPEG``.
    """
    root = built.folder("webdataset") / config
    info = json.loads((root / "_info.json").read_bytes())
    assert list(info) == ["splits", "classes"]  # timm reads the first alone
    assert len(info["classes"]) == 1000
    assert info["classes"][0] == "tench (n01440764)"
    assert list(info["splits"]) == list(SHARDS)
    entry = info["splits"][split]
    assert entry.keys() == {"name", "filenames", "shard_lengths", "num_samples"}
    assert entry["name"] == split
    samples = [_samples(root / name) for name in entry["filenames"]]
    assert list(map(len, samples)) == entry["shard_lengths"]
    assert sum(entry["shard_lengths"]) == entry["num_samples"]
    assert [
        [f"{key}.JPEG", int(members["cls"]), members["jpg"]]
        for shard in samples
        for key, members in shard.items()
    ] == [[r.file_name, r.label, r.image] for r in built.expected[config][split]]


@every_split
def test_index_json_is_as_wids_reads_it(built: Built, config: str, split: str) -> None:
    """Goes by the rules of the ``wids`` package; it needs PyTorch."""
    root = built.folder("webdataset") / config
    index = json.loads((root / f"{split}-index.json").read_bytes())
    assert (index["__kind__"], index["wids_version"]) == ("wids-shard-index-v1", 1)
    paths = sorted(root.glob(f"{split}-*.tar"))
    assert len(paths) == SHARDS[split]
    assert index["shardlist"] == [
        {
            "url": path.name,
            "nsamples": len(_samples(path)),
            "filesize": path.stat().st_size,
        }
        for path in paths
    ]


@every_config
@pytest.mark.parametrize("format_name", ["parquet", "webdataset"])
def test_the_figure_shows_the_first_nine_images(
    built: Built, config: str, format_name: str
) -> None:
    data = (built.folder(format_name) / config / "figure.png").read_bytes()
    figure = Image.open(io.BytesIO(data))
    assert (figure.format, figure.mode) == ("PNG", "RGB")
    assert figure.size == (3 * (GAP + CELL) + GAP, 3 * (CELL + CAPTION) + GAP)
    edge = CELL // 8  # images are three quarters as high as wide
    for number, record in enumerate(built.expected[config]["train"][:9]):
        row, column = divmod(number, 3)
        left, top = GAP + column * (CELL + GAP), GAP + row * (CELL + CAPTION)
        # The middle of a cell is the middle of its image, of either orientation.
        middle = (left + edge, top + edge, left + CELL - edge, top + CELL - edge)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(record.image)))
        square = ImageOps.fit(image.convert("RGB"), (CELL - 2 * edge,) * 2)
        shown = np.asarray(figure.crop(middle), dtype=np.int16)
        apart = np.abs(shown - np.asarray(square))
        assert apart.mean() < 6


@every_config
def test_the_card_is_a_page_with_schema_org_and_the_figure(
    built: Built, config: str
) -> None:
    page = _Page()
    page.feed((built.tfds(config) / "card.html").read_text())
    page.close()
    assert page.open == []
    (description,) = page.descriptions
    document = json.loads(description)
    assert document["@context"] == "https://schema.org/"
    assert document["@type"] == "Dataset"
    assert (document["name"], document["version"]) == (NAME, VERSION)
    (source,) = page.images
    figure = built.folder("parquet") / config / "figure.png"
    kind, _, data = source.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == figure.read_bytes()


@pytest.mark.parametrize(
    ("format_name", "extension"), [("parquet", "parquet"), ("webdataset", "tar")]
)
def test_the_readmes_head_names_every_file(
    built: Built, format_name: str, extension: str
) -> None:
    folder = built.folder(format_name)
    start, head, _ = (folder / "README.md").read_text().split("---\n", 2)
    assert start == ""
    configs = yaml.safe_load(head)["configs"]
    named = {
        path.relative_to(folder).as_posix(): [config["config_name"], files["split"]]
        for config in configs
        for files in config["data_files"]
        for path in folder.glob(files["path"])
    }
    assert sorted(named) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob(f"*.{extension}")
    )
    assert Counter(map(tuple, named.values())) == {
        (config, split): number
        for config in CONFIGS
        for split, number in SHARDS.items()
    }


class _Page(HTMLParser):
    """Keeps which elements are open; fails where one closes out of turn."""

    _EMPTY: Final = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.descriptions: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values["src"] or "")
        if values.get("type") == "application/ld+json":
            self.descriptions.append("")
        if tag not in self._EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.descriptions[-1] += data


def _samples(path: Path) -> dict[str, dict[str, bytes]]:
    """Returns the members of each sample of a tar, by key and by extension."""
    samples: dict[str, dict[str, bytes]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            key, _, extension = member.name.partition(".")
            file = archive.extractfile(member)
            assert file is not None
            samples.setdefault(key, {})[extension] = file.read()
    return samples
