"""The normal form of names, and what is no image."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.archives.names import (
    folder_of,
    has_image_extension,
    image_name,
    is_image,
)

VALIDATION = "ILSVRC2012_val_00000001"


@pytest.mark.parametrize(
    ("path", "name", "class_name"),
    [
        ("n01440764_1.JPEG", "n01440764_1.JPEG", ""),
        ("./n01440764_1.JPEG", "n01440764_1.JPEG", ""),
        ("n01440764/n01440764_1.JPEG", "n01440764_1.JPEG", ""),
        ("./train/n01440764/n01440764_1.JPEG", "n01440764_1.JPEG", ""),
        ("ILSVRC/Data/CLS-LOC/train/n01/n01440764_1.jpg", "n01440764_1.JPEG", ""),
        ("train\\n01440764\\n01440764_1.JPEG", "n01440764_1.JPEG", ""),
        ("n01440764_1_n01440764.JPEG", "n01440764_1.JPEG", "n01440764"),
        ("n01440764_1_n01443537.jpeg", "n01440764_1.JPEG", "n01443537"),
        (f"{VALIDATION}.JPG", f"{VALIDATION}.JPEG", ""),
        (f"val/n01751748/{VALIDATION}.JPEG", f"{VALIDATION}.JPEG", ""),
        (f"{VALIDATION}_n01751748.JPEG", f"{VALIDATION}.JPEG", "n01751748"),
        ("ILSVRC2012_test_00000009.jpeg", "ILSVRC2012_test_00000009.JPEG", ""),
        ("N01440764_1.jpg", "N01440764_1.jpg", ""),  # not as any source spells it
        ("n01440764_1.png", "n01440764_1.png", ""),
        ("n01440764_1_2.jpg", "n01440764_1_2.jpg", ""),
        (
            "n0144076\u0664_1.jpg",
            "n0144076\u0664_1.jpg",
            "",
        ),  # a digit of another script
        ("sea/boat.jpg", "boat.jpg", ""),
        ("sea\\not-utf-8-\\xff.jpg", "not-utf-8-\\xff.jpg", ""),
        ("a//b/./c.JPEG", "c.JPEG", ""),
        ("train", "train", ""),
        ("a b.JPEG", "a b.JPEG", ""),
        ("\u00fc.JPEG", "\u00fc.JPEG", ""),
    ],
)
def test_image_name(path: str, name: str, class_name: str) -> None:
    assert image_name(path) == (name, class_name)


@pytest.mark.parametrize(
    "path",
    [
        *("._n01_1.JPEG", "./._n01_1.JPEG", "n01/._n01_1.JPEG", ".DS_Store"),
        *("val/.DS_Store", ".hidden/a.JPEG", "a.JPEG~", "val/a.JPEG~"),
        *("__MACOSX/a.JPEG", "./__MACOSX/val/._a.JPEG", "x/__MACOSX/a.JPEG"),
        *("/val/a.JPEG", "\\val\\a.JPEG", "../a.JPEG", "val/../a.JPEG"),
        *("val\\..\\a.JPEG", "./", "/", ""),
    ],
)
def test_leftovers_have_no_name(path: str) -> None:
    assert image_name(path) is None


@given(st.lists(st.text("ab.~\\/", max_size=4), min_size=1, max_size=4))
def test_a_name_is_the_last_part_of_its_path_and_its_own_normal_form(
    parts: list[str],
) -> None:
    path = "/".join(parts)
    found = image_name(path)
    if found is not None:
        plain = posixpath.normpath(path.replace("\\", "/"))
        assert found.name == posixpath.basename(plain)
        assert image_name(found.name) == found
        assert folder_of(path) == posixpath.dirname(plain)


def test_images_are_known_by_their_extension() -> None:
    names = ["a.JPEG", "a.jpg", "a.PNG", "a.webp", "a.xml", "a.txt", "a.tar", "a", "a."]
    assert [is_image(name) for name in names] == [True] * 4 + [False] * 3 + [
        True,
        False,
    ]
    assert not has_image_extension("README")
