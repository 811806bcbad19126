"""Draws: balanced subsets that follow from names and a seed alone.

The images of a split have one order for each seed; a draw takes the first of them:

1.  The rank of an image is the SHA-256 of ``<seed>/<name>``, with its name in the
    normal form of ``archives.names``; the rank of a class is that of ``<seed>/<class
    name>``. Ranks compare as big-endian numbers, and texts are UTF-8.
2.  Round ``r`` goes through the classes by rank, and takes of each that has so many
    its ``r``-th image by rank. Round 1 is followed by round 2, and so on.

``per_class: k`` takes the first ``k`` rounds, ``fraction: f`` the first ``⌊f · N⌋`` of
``N`` images. So where all classes have enough, each of ``K`` classes gives ``⌊n / K⌋``
of ``n`` images, and the first ``n mod K`` of them one more, as in SimCLR's lists. And
of two draws with one seed one is within the other.

Of a rank the first 16 bytes are used: for two images to have the same is as likely as
for MD5, by which records are ordered.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from transforms.planning.recipes.draw import Draw

Labels = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.uint64]  # (..., 2), the more significant half first
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shares:
    """How many images each class gives to a draw.

    Attributes:
        given: The number of each class, shape (K,).
        wanted: The number that it would give if all classes had enough, likewise.
    """

    given: Labels
    wanted: Labels


def image_ranks(names: Sequence[str], seed: int) -> Ranks:
    """Returns the ranks of images or classes, shape (n, 2).

    Args:
        names: Names of images in the normal form, or of classes.
        seed: The draw's.
    """
    salted = hashlib.sha256(f"{seed}/".encode())
    digests = bytearray()
    for name in names:
        digest = salted.copy()
        digest.update(name.encode())
        digests += digest.digest()[:16]
    return np.frombuffer(bytes(digests), ">u8").reshape(-1, 2).astype(np.uint64)


def share_out(draw: Draw, names: Sequence[str], sizes: Labels) -> Shares:
    """Returns how many images each class gives.

    Args:
        draw: The draw.
        names: The classes' names.
        sizes: The numbers of their images, shape (K,).
    """
    if draw.per_class is not None:
        wanted = np.full(len(sizes), draw.per_class, np.int64)
        return Shares(np.minimum(wanted, sizes), wanted)
    # Exactly as it is written: the float of 0.29 times 100 is less than 29.
    number = int(Fraction(str(draw.fraction)) * int(sizes.sum()))
    ranks = image_ranks(names, draw.seed)
    order = np.lexsort((ranks[:, 1], ranks[:, 0]))
    every = np.full(len(sizes), number, np.int64)  # more than a class can be asked for
    return Shares(_fill(sizes, order, number), _fill(every, order, number))


def _fill(sizes: Labels, order: npt.NDArray[np.intp], number: int) -> Labels:
    """Returns how many of the first so many images in rounds each class gives."""
    full, too_many = 0, number + 1  # rounds
    while too_many - full > 1:
        rounds = (full + too_many) // 2
        if int(np.minimum(sizes, rounds).sum()) <= number:
            full = rounds
        else:
            too_many = rounds
    given = np.minimum(sizes, full)
    next_round = order[sizes[order] > full][: number - int(given.sum())]
    given[next_round] += 1
    return given


@dataclass(frozen=True, slots=True)
class RankedImages:
    """Images of some classes of a split, as far as draws look at them.

    Attributes:
        labels: Their labels, shape (n,).
        ranks: Their rank in each draw, shape (n, draws, 2).
    """

    labels: Labels
    ranks: Ranks

    def distinct(self) -> "RankedImages":
        """Returns them by label and rank, each image once: overlays repeat some."""
        if not self.ranks.shape[1]:
            return RankedImages(np.sort(self.labels), self.ranks)
        order = _by_rank(self.labels, self.ranks[:, 0])
        labels, ranks = self.labels[order], self.ranks[order]
        again = (labels[1:] == labels[:-1]) & (ranks[1:, 0] == ranks[:-1, 0]).all(1)
        first = np.concatenate([[True], ~again])[: len(labels)]
        return RankedImages(labels[first], ranks[first])


@dataclass(frozen=True, slots=True)
class DrawLimits:
    """Where draws end in each class: all that has to be known of other images.

    Attributes:
        labels: The classes' labels in ascending order, shape (K,).
        given: How many images each gives to each draw, shape (K, draws).
        last: The rank of the last one of them, 0 where there is none, shape
            (K, draws, 2).
    """

    labels: Labels
    given: Labels
    last: Ranks


def rank_images(names: Sequence[str], labels: Labels, draws: Sequence[Draw]) -> Ranks:
    """Returns the rank of images in each draw, shape (n, draws, 2)."""
    ranks = [image_ranks(names, draw.seed) for draw in draws]
    return np.stack(ranks, 1) if ranks else np.empty((len(labels), 0, 2), np.uint64)


def find_limits(images: RankedImages, labels: Labels, given: Labels) -> DrawLimits:
    """Returns where draws end in some classes, each draw taking what others left.

    Args:
        images: All images of these classes, each once.
        labels: The classes' labels in ascending order, shape (K,).
        given: How many images each gives to each draw, shape (K, draws).
    """
    last = np.zeros((*given.shape, 2), np.uint64)
    left = images
    for number in range(given.shape[1]):
        order = _by_rank(left.labels, left.ranks[:, number])
        left = RankedImages(left.labels[order], left.ranks[order])
        starts = np.searchsorted(left.labels, labels)
        some = given[:, number] > 0
        ends = starts[some] + given[some, number] - 1
        last[some, number] = left.ranks[ends, number]
        rows = np.searchsorted(labels, left.labels)
        after = np.arange(len(left.labels)) - starts[rows] >= given[rows, number]
        left = RankedImages(left.labels[after], left.ranks[after])
    return DrawLimits(labels, given, last)


def is_taken(limits: DrawLimits, images: RankedImages, *, rest: bool) -> Mask:
    """Returns whether each image is taken by the last draw, shape (n,).

    Args:
        limits: Where draws end in the images' classes.
        images: Images in any order.
        rest: Whether what no draw takes is meant instead.
    """
    left = np.ones(len(images.labels), np.bool_)
    taken = left
    rows = np.searchsorted(limits.labels, images.labels)
    for number in range(limits.given.shape[1]):
        rank, last = images.ranks[:, number], limits.last[rows, number]
        up_to = (rank[:, 0] < last[:, 0]) | (
            (rank[:, 0] == last[:, 0]) & (rank[:, 1] <= last[:, 1])
        )
        taken = left & up_to & (limits.given[rows, number] > 0)
        left = left & ~taken
    return left if rest else taken


def _by_rank(labels: Labels, ranks: Ranks) -> npt.NDArray[np.intp]:
    return np.lexsort((ranks[:, 1], ranks[:, 0], labels))
