"""Lists of images by class, and what is wrong with them."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import SubsetError
from transforms.planning.label_files.by_class import parse_by_class
from transforms.planning.texts import SubsetLines

CLASSES = ("apple_pie", "churros", "waffles")

numbers = st.lists(st.integers(0, 99), unique=True, max_size=5)


@given(st.dictionaries(st.sampled_from(CLASSES), numbers))
def test_each_image_has_the_label_of_its_class(listed: dict[str, list[int]]) -> None:
    text = json.dumps({food: [f"{food}/{n}" for n in listed[food]] for food in listed})
    expected = [(f"{food}/{n}", food) for food in listed for n in listed[food]]
    assert parse_by_class(text, "train.json", CLASSES) == SubsetLines(
        tuple(name for name, _ in expected),
        tuple(CLASSES.index(food) for _, food in expected),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("churros/1\n", " is no JSON: Expecting value: line 1 column 1 (char 0)."),
        ('["churros/1"]', " should hold a list of images for each class."),
        (
            '{"churros": "churros/1"}',
            ' should hold a list of names of images for churros, and has "churros/1".',
        ),
        (
            '{"churros": [1]}',
            " should hold a list of names of images for churros, and has [1].",
        ),
        (
            '{"churros": [], "pizza": [], "soup": []}',
            " has 2 classes that are none of the 3 known ones: pizza, soup.",
        ),
        (
            '{"churros": ["waffles/1"]}',
            " has 'waffles/1' under churros: expected churros/NAME.",
        ),
        (
            r'{"churros": ["churros/\ud800"]}',
            r" has 'churros/\ud800' under churros: expected churros/NAME.",
        ),
        ('{"churros": ["1"]}', " has '1' under churros: expected churros/NAME."),
        (
            '{"churros": ["churros/1", "churros/1"]}',
            " names churros/1 twice.",
        ),
        ('{"churros": [], "churros": []}', " has the class churros twice."),
    ],
)
def test_what_is_no_such_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(SubsetError, match=f"^{re.escape(f'train.json{message}')}$"):
        parse_by_class(text, "train.json", CLASSES)
