"""What a configuration says of a draw; ``draws`` says how images are drawn."""

from dataclasses import dataclass

from transforms.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """How many images are drawn; one of ``per_class`` and ``fraction`` is set.

    Attributes:
        per_class: This many of each class.
        fraction: This share of all, the same number of each class but for one.
        seed: Another one gives other images.
    """

    per_class: int | None = None
    fraction: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what draws nothing, or more than there is.

        Raises:
            ConfigError: It does, or not one of the two is set.
        """
        if (self.per_class is None) == (self.fraction is None):
            raise ConfigError("A draw takes either per_class or fraction, not both.")
        if self.per_class is not None and self.per_class < 1:
            raise ConfigError(f"per_class is {self.per_class:,}: expected 1 or more.")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ConfigError(
                f"fraction is {self.fraction}: expected more than 0 and at most 1; "
                "1 % is 0.01."
            )

    def in_words(self) -> str:
        """Returns what is drawn, ``5 images of each class, drawn with seed 0``."""
        if self.per_class is not None:
            images = "image" if self.per_class == 1 else "images"
            number = f"{self.per_class:,} {images} of each class"
        else:
            number = f"the share {self.fraction} of the images, balanced by class"
        return f"{number}, drawn with seed {self.seed}"
