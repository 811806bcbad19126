"""Draws: the rule, repeated by another program, and what it is good for."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archives.test_index import collect
from transforms.archives.containers import Archive, Container
from transforms.errors import BuildError, ConfigError, SubsetError
from transforms.planning.order import order_keys
from transforms.planning.recipes.draw import Draw
from transforms.planning.recipes.drawing import Drawing, draw_images
from transforms.planning.recipes.draws import share_out
from transforms.planning.recipes.steps import DrawImages, _allot, _Sizes
from transforms.planning.selection import (
    SELECTED_SCHEMA,
    SelectedContainer,
    SelectedTable,
)
from transforms.storage.backend import FileInfo

CLASSES = ("n01", "n02", "n03", "n04")


def in_rounds(images: Mapping[str, Sequence[str]], seed: int) -> list[str]:
    """Returns all images in the order that draws take them, as docs/subsets.md says."""

    def rank(name: str) -> str:
        return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()

    ranked = {name: sorted(of, key=rank) for name, of in images.items()}
    classes = sorted(ranked, key=rank)
    rounds = range(max(map(len, ranked.values()), default=0))
    return [ranked[c][r] for r in rounds for c in classes if r < len(ranked[c])]


def drawn(
    images: Mapping[str, Sequence[str]], *draws: Draw, rest: bool = False
) -> set[str]:
    """Returns what is drawn of images by class, few or many."""
    names = [name for of in images.values() for name in of]
    labels = [CLASSES.index(c) for c, of in images.items() for _ in of]
    drawing = Drawing(
        split="train", draws=draws, rest=rest, class_names=CLASSES, allow_missing=True
    )
    taken, _ = draw_images(drawing, names, np.array(labels, np.int64))
    return {name for name, is_one in zip(names, taken, strict=True) if is_one}


def of_sizes(*sizes: int) -> dict[str, list[str]]:
    return {
        name: [f"{name}_{i}.JPEG" for i in range(size)]
        for name, size in zip(CLASSES, sizes, strict=False)
    }


# --- The rule -------------------------------------------------------------------------


def test_known_answers() -> None:
    images = of_sizes(6, 6, 6, 6)
    one = {"n01_1.JPEG", "n02_5.JPEG", "n03_0.JPEG", "n04_4.JPEG"}
    assert drawn(images, Draw(per_class=1)) == one
    assert drawn(images, Draw(fraction=0.25)) == one | {"n01_2.JPEG", "n04_1.JPEG"}
    other = {"n01_3.JPEG", "n02_0.JPEG", "n03_0.JPEG", "n04_1.JPEG"}
    assert drawn(images, Draw(per_class=1, seed=7)) == other


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=4)
DRAWS = st.one_of(
    st.builds(lambda k, s: Draw(per_class=k, seed=s), st.integers(1, 10), st.just(3)),
    st.builds(
        lambda f, s: Draw(fraction=f / 100, seed=s), st.integers(25, 100), st.just(3)
    ),
)


@given(SIZES, DRAWS)
def test_a_draw_is_the_beginning_of_all_in_rounds(sizes: list[int], draw: Draw) -> None:
    images = of_sizes(*sizes)
    order = in_rounds(images, draw.seed)
    if draw.per_class is not None:
        number = sum(min(size, draw.per_class) for size in sizes)
    else:
        number = Fraction(str(draw.fraction)) * sum(sizes) // 1
    if number:
        assert drawn(images, draw) == set(order[:number])


@given(SIZES, DRAWS, DRAWS)
def test_of_two_draws_with_one_seed_one_is_within_the_other(
    sizes: list[int], one: Draw, other: Draw
) -> None:
    images = of_sizes(*(size + 3 for size in sizes))
    first, second = drawn(images, one), drawn(images, other)
    assert first <= second or second <= first


@given(SIZES, DRAWS)
def test_what_is_held_out_and_the_rest_make_the_whole(
    sizes: list[int], held: Draw
) -> None:
    images = of_sizes(*(size + 10 for size in sizes))
    every = {name for of in images.values() for name in of}
    taken, rest = drawn(images, held), every - drawn(images, held)
    if rest:
        assert drawn(images, held, rest=True) == rest
        # A second draw takes from the rest alone, whichever seed it has.
        left = {c: sorted({*of} & rest) for c, of in images.items()}
        for seed in (held.seed, held.seed + 1):
            second = Draw(per_class=1, seed=seed)
            found = drawn(images, held, second)
            assert found == drawn({c: of for c, of in left.items() if of}, second)
            assert not found & taken


def test_fractions_are_taken_as_they_are_written() -> None:
    sizes = np.array([100], np.int64)
    shares = share_out(Draw(fraction=0.29), ["n01"], sizes)
    assert shares.given.tolist() == [29]  # 0.29 * 100 is 28.999999999999996


def test_small_classes_give_all_and_the_others_the_rest() -> None:
    images = of_sizes(2, 20, 20, 20)
    found = Counter(name[:3] for name in drawn(images, Draw(fraction=0.5)))
    assert found == {"n01": 2, "n02": 9, "n03": 10, "n04": 10}
    found = Counter(name[:3] for name in drawn(images, Draw(per_class=5)))
    assert found == {"n01": 2, "n02": 5, "n03": 5, "n04": 5}


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            Draw(per_class=3),
            "The train split is to have 3 images of each class, drawn with seed 0, and "
            "1 classes have fewer: n01 has 2 of 3. Draw fewer, or pass --allow_missing "
            "to take what is there.",
        ),
        (
            Draw(fraction=0.8, seed=4),
            "The train split is to have the share 0.8 of the images, balanced by "
            "class, drawn with seed 4, and 1 classes have fewer: n01 has 2 of 3. The "
            "other classes would have to give more: draw less, or pass --allow_missing "
            "to take what is there.",
        ),
        (
            Draw(fraction=0.1),
            "The train split would be empty: the share 0.1 of the images, balanced by "
            "class, drawn with seed 0, of 8 images comes to none.",
        ),
    ],
)
def test_classes_with_too_few_images_are_named(draw: Draw, message: str) -> None:
    drawing = Drawing(split="train", draws=(draw,), class_names=CLASSES)
    labels = np.array([0] * 2 + [1] * 6, np.int64)
    names = [f"{i}.JPEG" for i in range(8)]
    with pytest.raises(SubsetError) as caught:
        draw_images(drawing, names, labels)
    assert str(caught.value) == message


def test_classes_that_are_named_have_images() -> None:
    drawing = Drawing(
        split="train", draws=(), rest=True, class_names=CLASSES, classes=(0, 2)
    )
    labels = np.array([0], np.int64)
    with pytest.raises(SubsetError) as caught:
        draw_images(drawing, ["a"], labels)
    assert str(caught.value) == (
        "The train split has no image of 1 classes that its subset names: n03. Leave "
        "these classes out, or pass --allow_missing to take what is there."
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({}, "either per_class or fraction"),
        ({"per_class": 1, "fraction": 0.5}, "either per_class or fraction"),
        ({"per_class": 0}, "per_class is 0: expected 1 or more"),
        ({"fraction": 0.0}, "fraction is 0.0: expected more than 0 and at most 1"),
        ({"fraction": 1.01}, "fraction is 1.01: expected more than 0 and at most 1"),
        ({"fraction": float("nan")}, "fraction is nan: expected more than 0"),
    ],
)
def test_draws_of_nothing_are_refused(number: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Draw(**number)  # type: ignore[arg-type]


# --- Lists that were published --------------------------------------------------------


def test_simclrs_lists_are_what_the_rule_could_have_made(shared: Path) -> None:
    def per_class(name: str) -> Counter[str]:
        lines = (shared / "data" / name).read_text().split()
        return Counter(line.partition("_")[0] for line in lines)

    one, ten = per_class("1percent.txt"), per_class("10percent.txt")
    sizes = np.full(1000, 1281, np.int64)
    sizes[:167] += 1  # 1,281,167 images
    for found, fraction in ((one, 0.01), (ten, 0.1)):
        shares = share_out(Draw(fraction=fraction), sorted(found), sizes)
        assert sorted(shares.given.tolist()) == sorted(found.values())
    # One ranking of the classes gave both lists their extra images.
    assert {c for c, n in ten.items() if n == 129} <= {
        c for c, n in one.items() if n == 13
    }


# --- The step -------------------------------------------------------------------------


def tables_of(images: Sequence[tuple[str, int]], cut: Sequence[int]) -> list[object]:
    """Returns tables with images and their labels, cut at places."""
    tables = []
    for start, end in zip([0, *cut], [*cut, len(images)], strict=True):
        names = [name for name, _ in images[start:end]]
        empty, zeros = [""] * len(names), [0] * len(names)
        labels = [label for _, label in images[start:end]]
        keys = order_keys(names, "train")
        several = [()] * len(names)
        columns = [names, empty, zeros, zeros, empty, labels, several, keys]
        archive = Archive("train", FileInfo("/data/train.tar", 1, "1"), "tar")
        container = Container("", start, 1, len(tables), len(cut) + 1)
        tables.append(
            SelectedTable(
                archive,
                (SelectedContainer(container, len(names), len(names)),),
                pa.table(columns, schema=SELECTED_SCHEMA),
            )
        )
    return tables


@pytest.mark.parametrize("cuts", [[], [5, 5, 30], [*range(1, 48)]])
def test_the_step_draws_the_same_however_images_are_spread(cuts: list[int]) -> None:
    images = of_sizes(6, 6, 6, 6)
    flat = [(name, CLASSES.index(c)) for c, of in images.items() for name in of]
    shuffled = random.Random(len(cuts)).sample(flat, len(flat))
    held, own = Draw(per_class=1), Draw(fraction=0.25, seed=7)
    drawing = Drawing(split="train", draws=(held, own), class_names=CLASSES)
    tables = tables_of([*shuffled, *flat], cuts)  # as an overlay of all has it
    found = collect(tables, DrawImages({"train": drawing}))
    names = [name for table in found for name in table.members["name"].to_pylist()]
    assert set(names) == drawn(images, held, own)


def test_an_engine_that_loses_ranks_is_found_out() -> None:
    drawing = Drawing(split="train", draws=(Draw(per_class=1),), class_names=CLASSES)
    one = np.array([1], np.int64)
    found = {"sizes": [_Sizes(one, one, 1)], "sent": [1, 1]}
    with pytest.raises(BuildError, match="1 of 2 images of the train split arrived"):
        _allot(("train", found), {"train": drawing})
