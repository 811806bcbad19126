"""Recipes of subsets, as a configuration states them."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from beam_pipeline.config.checks import require_names, require_paths, require_positive
from transforms.errors import ConfigError
from transforms.planning import Draw, SubsetFile, SubsetFormat

HELD_FROM: Final = "train"  # the split that val_from_train draws from

# The keys by which less is left; numbers that were stated before do not fit then.
CUTS: Final = ("exclude", "classes", "first_per_class", "per_class", "fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetConfig:
    """What a split is cut down to: what a list names, less and less in this order.

    Attributes:
        file: A list of images; see ``SubsetFile``, also for url, size and sha256. None
            to begin with all images.
        url: Where to get it.
        size: Its length in bytes.
        sha256: Its hash in hexadecimal digits.
        within: The archive that has it, where it does not lie beside it.
        format: How it names images; None for one on each line.
        exclude: A list of images that are left out.
        classes: The classes to keep: the name of a list that is shipped, a file with
            one on each line, or the classes themselves. None for all.
        labels: Whether images keep the labels that they have among all classes, or
            the dataset has these classes alone, in sorted order.
        first_per_class: How many images of each class are kept, the first ones in the
            order of the list.
        per_class: How many images of each class are drawn.
        fraction: Which share of the images is drawn.
        seed: The draw's.
    """

    file: str | None = None
    url: str | None = None
    size: int | None = None
    sha256: str | None = None
    within: str | None = None
    format: SubsetFormat | None = None
    exclude: str | None = None
    classes: str | tuple[str, ...] | None = None
    labels: Literal["keep", "renumber"] = "keep"
    first_per_class: int | None = None
    per_class: int | None = None
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what makes no sense together.

        Raises:
            ConfigError: Two keys contradict each other, or one needs another.
        """
        for key, path in (("file", self.file), ("exclude", self.exclude)):
            if path is not None:
                require_paths(f"subset.{key}", path)
        if self.classes is not None:
            require_paths("subset.classes", *self.classes)
            if not self.classes:
                raise ConfigError("subset.classes is empty: name a class, or null.")
        require_positive("subset.first_per_class", self.first_per_class)
        if self.file is None:
            for key in ("url", "size", "sha256", "within", "format", "first_per_class"):
                if getattr(self, key) is not None:
                    raise ConfigError(f"subset.{key} is of a list: name it with file.")
        else:
            _ = self.list_file
        if self.renumbers and self.classes is None:
            raise ConfigError("subset.labels is renumber: name classes to number.")
        if self.draw is None and self.seed:
            raise ConfigError("subset.seed is of a draw: per_class or fraction.")
        if self.first_per_class is not None and self.draw is not None:
            raise ConfigError(
                "subset.first_per_class takes the first images in the order of the "
                "list, and per_class and fraction draw them: take one of the two."
            )

    @property
    def renumbers(self) -> bool:
        """Whether the dataset has the classes of the subset alone."""
        return self.labels == "renumber"

    @property
    def list_file(self) -> SubsetFile | None:
        """The list that it begins with."""
        if self.file is None:
            return None
        found = SubsetFile(self.file, self.url, self.size, self.sha256, self.within)
        return found if self.format is None else replace(found, format=self.format)

    @property
    def draw(self) -> Draw | None:
        """What is drawn."""
        if self.per_class is None and self.fraction is None:
            return None
        return Draw(per_class=self.per_class, fraction=self.fraction, seed=self.seed)

    @property
    def cuts(self) -> bool:
        """Whether less is left than the list names, or than there is."""
        return any(getattr(self, key) is not None for key in CUTS)

    def in_words(self) -> str:
        """Returns what is left of a split, ``5 images of each class, drawn …``."""
        said = []
        if self.classes is not None:
            said.append(_classes_in_words(self.classes))
        if self.first_per_class is not None:
            number = f"{self.first_per_class:,}"
            said.append(f"the first {number} images of each class in its list")
        if self.draw is not None:
            said.append(self.draw.in_words())
        if self.exclude is not None:
            said.append("without excluded images")
        return "; ".join(said)


def _classes_in_words(classes: str | tuple[str, ...]) -> str:
    if isinstance(classes, str):
        return f"the classes of {classes.rpartition('/')[2].removesuffix('.txt')}"
    if len(classes) == 1:
        return f"the class {classes[0]}"
    return f"{len(classes):,} classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutConfig:
    """A further split that is drawn from the training images, which then lack it.

    Attributes:
        name: The split's name.
        per_class: How many images of each class are drawn.
        fraction: Which share of the images is drawn.
        seed: The draw's.
    """

    name: str = "tune"
    per_class: int | None = None
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses a name that leads elsewhere, and a draw of nothing.

        Raises:
            ConfigError: It is one.
        """
        require_names({"val_from_train.name": self.name})
        _ = self.draw

    @property
    def draw(self) -> Draw:
        """What is drawn."""
        return Draw(per_class=self.per_class, fraction=self.fraction, seed=self.seed)
