"""What a split takes of its images by draws, and whether its classes have enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from transforms.errors import SubsetError, sample
from transforms.planning.recipes.draw import Draw
from transforms.planning.recipes.draws import (
    Labels,
    Mask,
    RankedImages,
    find_limits,
    is_taken,
    rank_images,
    share_out,
)

_SHOWN: Final = 5  # classes in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Draws that a split is the outcome of, each from what those before it left.

    Attributes:
        split: The split, for messages.
        draws: The draws; none where classes are looked at alone.
        rest: Whether the split is what they leave, and not what the last one takes.
        class_names: The name of class ``i`` at position ``i``.
        classes: The labels of which there must be images; None for any.
        allow_missing: Whether a class may have too few; then all of its are taken.
    """

    split: str
    draws: tuple[Draw, ...]
    rest: bool = False
    class_names: tuple[str, ...] = ()
    classes: tuple[int, ...] | None = None
    allow_missing: bool = False


@dataclass(frozen=True, slots=True)
class Allotment:
    """How many images each class of a split gives to each draw.

    Attributes:
        labels: The classes' labels in ascending order, shape (K,).
        given: Their numbers, shape (K, draws).
        short: What classes lack, in sentences.
        lacking: How many images they lack; a class that has none lacks one at least.
    """

    labels: Labels
    given: Labels
    short: tuple[str, ...]
    lacking: int


def allot(drawing: Drawing, labels: Labels, sizes: Labels) -> Allotment:
    """Returns how many images each class gives.

    Args:
        drawing: What is drawn.
        labels: The labels of classes that have images, each once.
        sizes: The numbers of their images.

    Raises:
        SubsetError: A class has too few, or no image at all would be drawn.
    """
    counted = dict(zip(labels.tolist(), sizes.tolist(), strict=True))
    every = sorted({*counted, *(drawing.classes or ())})
    left = np.array([counted.get(label, 0) for label in every], np.int64)
    names = [_class_name(drawing, label) for label in every]
    short = _missing_classes(drawing, names, left)
    lacking = (left == 0).astype(np.int64)
    given = np.zeros((len(every), len(drawing.draws)), np.int64)
    for number, draw in enumerate(drawing.draws):
        shares = share_out(draw, names, left)
        if not shares.given.any():
            raise SubsetError(
                f"The {drawing.split} split would be empty: {draw.in_words()}, of "
                f"{int(left.sum()):,} images comes to none."
            )
        few = np.flatnonzero((shares.wanted > left) & (left > 0))
        if len(few):
            shown = [
                f"{names[row]} has {left[row]:,} of {shares.wanted[row]:,}"
                for row in few[:_SHOWN].tolist()
            ]
            short.append(
                f"The {drawing.split} split is to have {draw.in_words()}, and "
                f"{len(few):,} classes have fewer: {sample(shown, _SHOWN, len(few))}."
            )
        lacking = np.maximum(lacking, shares.wanted - left)
        given[:, number] = shares.given
        left = left - shares.given
    if short and not drawing.allow_missing:
        raise SubsetError(
            f"{' '.join(short)} {_advice(drawing)} or pass --allow_missing to take "
            "what is there."
        )
    if drawing.rest and not left.any():
        raise SubsetError(
            f"The {drawing.split} split would be empty: all of its images are drawn "
            "for another split."
        )
    said = tuple(f"{each} What they have is taken." for each in short)
    return Allotment(np.array(every, np.int64), given, said, int(lacking.sum()))


def draw_images(
    drawing: Drawing, names: Sequence[str], labels: Labels
) -> tuple[Mask, Allotment]:
    """Draws from images that are all known.

    Args:
        drawing: What is drawn.
        names: Their names in the normal form, each once.
        labels: Their labels, shape (n,).

    Returns:
        Whether each is taken, shape (n,), and what classes give and lack.

    Raises:
        SubsetError: A class has too few, or no image at all would be drawn.
    """
    allotment = allot(drawing, *np.unique(labels, return_counts=True))
    images = RankedImages(labels, rank_images(names, labels, drawing.draws))
    limits = find_limits(images, allotment.labels, allotment.given)
    return is_taken(limits, images, rest=drawing.rest), allotment


def _advice(drawing: Drawing) -> str:
    if any(draw.fraction is not None for draw in drawing.draws):
        return "The other classes would have to give more: draw less,"
    return "Draw fewer," if drawing.draws else "Leave these classes out,"


def _class_name(drawing: Drawing, label: int) -> str:
    """Returns a class's name; empty for no class."""
    return drawing.class_names[label] if label >= 0 else ""


def _missing_classes(
    drawing: Drawing, names: Sequence[str], sizes: Labels
) -> list[str]:
    missing = [name for name, size in zip(names, sizes, strict=True) if not size]
    if not missing:
        return []
    return [
        f"The {drawing.split} split has no image of {len(missing):,} classes that its "
        f"subset names: {sample(missing)}."
    ]
