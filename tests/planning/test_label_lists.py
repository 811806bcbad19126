"""All labels of images, by a JSON file in the order of images."""

import json
from pathlib import Path

import pytest

from tests.helpers.plans import member_rows
from transforms.errors import ConfigError, LabelError
from transforms.planning.label_lists.description import LabelListFile
from transforms.planning.label_lists.lists import LabelLists, read_label_lists

FILE = LabelListFile(file="real.json", names="v_{:03d}.JPEG", images=3)


def read(tmp_path: Path, content: object, file: LabelListFile = FILE) -> LabelLists:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "real.json").write_text(text)
    return read_label_lists(file, str(tmp_path), str(tmp_path / "cache"), 10)


def test_each_image_gets_the_list_of_its_number(tmp_path: Path) -> None:
    lists = read(tmp_path, [[1, 9], [], [0]])
    rows = member_rows(["v_003.JPEG", "v_001.JPEG", "v_002.JPEG"], [0, 1, 2], [5] * 3)
    assert lists.labels(rows).to_pylist() == [[0], [1, 9], []]


def test_images_that_the_file_has_no_labels_of_are_told(tmp_path: Path) -> None:
    lists = read(tmp_path, [[1], [2], [3]])
    with pytest.raises(LabelError) as caught:
        lists.labels(member_rows(["v_001.JPEG", "v_004.JPEG"], [0, 1], [5, 5]))
    assert str(caught.value) == (
        f"{tmp_path}/real.json has no labels of 1 images of the archives: v_004.JPEG. "
        "Is it the list of these archives?"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[1], ", " is no JSON: "),
        ({"a": [1]}, " should hold a list with a list for each image."),
        (
            [[1], [2, 10], []],
            ": image 2 should have a list of class numbers, 0 to 9, and has [2, 10].",
        ),
        ([[1], 7, []], ": image 2 should have a list of class numbers, 0 to 9, and"),
        (
            [[1], [2]],
            " has labels of 2 images, expected 3. Get it again, or say with "
            "label_lists.images how many it should have.",
        ),
    ],
)
def test_files_of_another_shape_are_refused(
    content: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(LabelError) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path}/real.json{message}")


def test_names_have_to_have_a_number() -> None:
    with pytest.raises(ConfigError, match="expected a name with"):
        LabelListFile(file="real.json", names="v.JPEG")
