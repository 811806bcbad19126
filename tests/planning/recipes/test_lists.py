"""Lists that are cut down: what is left, in which order, and what is refused."""

import hashlib
from pathlib import Path

import pytest

from tests.planning.test_labels import by_name
from transforms.errors import SubsetError
from transforms.planning.labels import LabelByContainer, Labeller
from transforms.planning.lists import SubsetList, parse_subset_list
from transforms.planning.recipes.draw import Draw
from transforms.planning.recipes.drawing import Drawing
from transforms.planning.recipes.lists import ListCuts, cut_list, keep_listed
from transforms.planning.selection import NOT_KEPT

CLASSES = ("n01", "n02", "n03")
NAMES = ("n03_1", "n01_1", "n03_2", "n02_1", "n01_2", "n01_3")


def cut(
    cuts: ListCuts,
    subset: SubsetList | None = None,
    labeller: Labeller | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> SubsetList:
    said: list[str] = []
    found = cut_list(
        subset or SubsetList(NAMES, "list.txt", 9),
        cuts,
        labeller or LabelByContainer(classes),
        classes,
        said.append,
    )
    assert not said
    return found


@pytest.mark.parametrize(
    ("cuts", "left"),
    [
        (ListCuts(), NAMES),
        (ListCuts(excluded=frozenset({"n03_1", "n09"})), NAMES[1:]),
        (ListCuts(kept_classes=(0, NOT_KEPT, 2)), (*NAMES[:3], *NAMES[4:])),
        # Class by class, as classes first occur.
        (ListCuts(first_per_class=1), ("n03_1", "n01_1", "n02_1")),
        (
            ListCuts(first_per_class=2),
            ("n03_1", "n03_2", "n01_1", "n01_2", "n02_1"),
        ),
        (
            ListCuts(
                excluded=frozenset({"n01_1"}),
                kept_classes=(0, NOT_KEPT, NOT_KEPT),
                first_per_class=1,
            ),
            ("n01_2",),
        ),
    ],
)
def test_what_is_left_is_in_order(cuts: ListCuts, left: tuple[str, ...]) -> None:
    assert cut(cuts) == SubsetList(left, "list.txt", 9)


def test_labels_go_with_their_images_and_are_renumbered() -> None:
    subset = SubsetList(NAMES, "list.txt", 9, (2, 0, None, 1, 0, None))
    found = cut(ListCuts(kept_classes=(NOT_KEPT, NOT_KEPT, 0)), subset)
    assert found == SubsetList(("n03_1", "n03_2"), "list.txt", 9, (0, None))


def test_a_draw_from_a_list_is_one_from_its_images() -> None:
    drawing = Drawing(split="train", draws=(Draw(per_class=1),), class_names=CLASSES)
    found = cut(ListCuts(drawing=drawing))

    def rank(name: str) -> str:
        return hashlib.sha256(f"0/{name}".encode()).hexdigest()

    wanted = {min((n for n in NAMES if n.startswith(c)), key=rank) for c in CLASSES}
    assert set(found.names) == wanted


def test_a_file_of_labels_tells_the_classes() -> None:
    subset = SubsetList(("a", "b", "c"), "list.txt", 9)
    labeller = by_name({"a": 0, "b": 1, "c": 1}, "labels.txt")
    assert cut(ListCuts(first_per_class=1), subset, labeller).names == ("a", "b")


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (
            ListCuts(first_per_class=1),
            "list.txt is cut down by class, and it does not tell the class of b: write "
            "it before the name, CLASS/b.",
        ),
        (
            ListCuts(excluded=frozenset({"n01_1", "b"})),
            "list.txt names 2 images, and the subset has none of them.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(cuts: ListCuts, message: str) -> None:
    with pytest.raises(SubsetError) as caught:
        cut(cuts, SubsetList(("n01_1", "b"), "list.txt", 9))
    assert str(caught.value) == message


def test_labels_of_other_classes_are_dropped() -> None:
    labeller = by_name({"a": 0, "b": 2, "c": -1}, "labels.txt")
    assert keep_listed(labeller, (NOT_KEPT, NOT_KEPT, 0)) == by_name(
        {"b": 0}, "labels.txt"
    )


# SHA-256 of imagenet_subsets1/{1,2,5}imgs_class.txt of facebookresearch/msn.
@pytest.mark.parametrize(
    ("number", "begins"), [(1, "ffa4f960"), (2, "9b0c2d19"), (5, "f8daf7e6")]
)
def test_msns_first_lists_follow_from_simclrs(
    number: int, begins: str, shared: Path
) -> None:
    text = (shared / "data" / "1percent.txt").read_text()
    lines = parse_subset_list(text, "1percent.txt")
    classes = tuple(sorted({name.partition("_")[0] for name in lines.names}))
    subset = SubsetList(lines.names, "1percent.txt", len(text))
    found = cut(ListCuts(first_per_class=number), subset, classes=classes)
    data = "".join(f"{name}\n" for name in found.names).encode()
    assert hashlib.sha256(data).hexdigest().startswith(begins)
