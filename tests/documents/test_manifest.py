"""The manifest: readable, and nothing of it lost or taken on trust."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.documents.manifest import Manifest, decode_manifest, encode_manifest
from transforms.errors import StorageError
from transforms.formats.listing import (
    ConfigFacts,
    DocumentFacts,
    FileFacts,
    SplitCounts,
    SplitFacts,
)
from transforms.images.policy import ImagePolicy

DIGEST = f"blake3:{'ab' * 32}"
FILE = FileFacts("train-0.parquet", 100, 2, DIGEST)
ONE = Manifest(
    dataset="imagenet2012_subset",
    config="1pct",
    version="5.0.0",
    description="Täxt.",
    download_size=7,
    images={"train": ImagePolicy(policy="resize", exact=(224, 224))},
    class_names=("n01440764", "n01443537"),
    formats={"parquet": (SplitFacts("train", 2, 90, (FILE,)),)},
    counts={"train": SplitCounts(5, missing=1, limit=3, rejected=1)},
    settings={"splits.train.subset": "00ff"},
    documents={"../README.md": DocumentFacts(10, DIGEST)},
)


def test_a_manifest_is_readable() -> None:
    text = encode_manifest(ONE).decode()
    assert "Täxt." in text
    document = json.loads(text)
    policy = document.pop("images")["train"]
    assert (policy["policy"], policy["exact"]) == ("resize", [224, 224])
    assert document == {
        "dataset": "imagenet2012_subset",
        "config": "1pct",
        "version": "5.0.0",
        "description": "Täxt.",
        "download_size": 7,
        "class_names": ["n01440764", "n01443537"],
        "counts": {
            "train": {
                "members": 5,
                "missing_members": 0,
                "missing": 1,
                "limit": 3,
                "rejected": 1,
            }
        },
        "settings": {"splits.train.subset": "00ff"},
        "documents": {"../README.md": {"size": 10, "digest": DIGEST}},
        "formats": {
            "parquet": [
                {
                    "name": "train",
                    "examples": 2,
                    "example_bytes": 90,
                    "files": [
                        {
                            "name": "train-0.parquet",
                            "size": 100,
                            "examples": 2,
                            "digest": DIGEST,
                        }
                    ],
                }
            ]
        },
    }


def test_a_manifest_knows_its_configuration_in_each_format() -> None:
    assert ONE.config_facts("parquet") == ConfigFacts(
        "1pct", "Täxt.", 7, ONE.formats["parquet"]
    )


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(0, 1 << 60)
digests = st.from_regex(r"(blake3|sha256):[0-9a-f]{64}", fullmatch=True)
files = st.builds(FileFacts, name=texts, size=numbers, examples=numbers, digest=digests)
splits = st.builds(
    SplitFacts,
    name=texts,
    examples=numbers,
    example_bytes=numbers,
    files=st.lists(files, max_size=3).map(tuple),
)
policies = st.sampled_from(
    [
        ImagePolicy(),
        ImagePolicy(policy="keep", exif="strip"),
        ImagePolicy(policy="reencode", encoding="webp", quality=3),
        ImagePolicy(policy="resize", shortest_side=256, enlarge=True),
    ]
)
manifests = st.builds(
    Manifest,
    dataset=texts,
    config=texts,
    version=texts,
    description=texts,
    download_size=numbers,
    images=st.dictionaries(texts, policies, max_size=3),
    class_names=st.lists(texts, max_size=3).map(tuple),
    formats=st.dictionaries(texts, st.lists(splits, max_size=3).map(tuple), max_size=3),
    counts=st.dictionaries(
        texts,
        st.builds(SplitCounts, numbers, numbers, numbers, st.none() | numbers, numbers),
        max_size=3,
    ),
    settings=st.dictionaries(texts, texts, max_size=3),
    documents=st.dictionaries(
        texts, st.builds(DocumentFacts, numbers, digests), max_size=3
    ),
)


@given(manifest=manifests)
def test_a_manifest_gives_back_what_it_was_given(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest), "m.json") == manifest


def test_a_manifest_of_an_earlier_version_is_read() -> None:
    document = json.loads(encode_manifest(ONE))
    for name in ("counts", "settings", "documents"):
        del document[name]
    found = decode_manifest(json.dumps(document).encode(), "m.json")
    assert found == replace(ONE, counts={}, settings={}, documents={})


def test_a_manifest_that_has_sha256_alone_is_read() -> None:
    digits = "cd" * 32
    text = encode_manifest(ONE).decode()
    older = text.replace(f'"digest": "{DIGEST}"', f'"sha256": "{digits}"')
    assert older.count(digits) == 2
    found = decode_manifest(older.encode(), "m.json")
    assert found == decode_manifest(
        text.replace(DIGEST, f"sha256:{digits}").encode(), "m.json"
    )
    assert [*found.digests()] == [f"sha256:{digits}"] * 2


DOCUMENT: dict[str, Any] = json.loads(encode_manifest(ONE))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"null",
        b"{}",
        encode_manifest(ONE)[:-10],
        json.dumps(DOCUMENT | {"config": 1}).encode(),
        json.dumps(DOCUMENT | {"download_size": "7"}).encode(),
        json.dumps(DOCUMENT | {"formats": None}).encode(),
        json.dumps(DOCUMENT | {"formats": {"parquet": {}}}).encode(),
        json.dumps(DOCUMENT | {"formats": {"parquet": ["train"]}}).encode(),
        json.dumps(DOCUMENT | {"images": {"train": {"policy": "x"}}}).encode(),
        json.dumps(DOCUMENT | {"more": 1}).encode(),
        encode_manifest(ONE).replace(b"blake3:", b"sha512:"),
        encode_manifest(ONE).replace(b"blake3:", b""),
        encode_manifest(ONE).replace(b"abab", b"ABAB"),
    ],
)
def test_bytes_that_are_no_manifest_are_an_error(data: bytes) -> None:
    with pytest.raises(StorageError) as caught:
        decode_manifest(data, "/data/1pct/manifest.json")
    assert str(caught.value) == (
        "/data/1pct/manifest.json is not a manifest of a configuration. Remove its "
        "folder, or build the configuration again with --overwrite."
    )
