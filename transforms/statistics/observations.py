"""What is seen of one image, and how many images have what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.formats import Source
from transforms.images import Header
from transforms.statistics.pixels import PixelSample


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen of one image.

    Attributes:
        source: Which image, and where its original bytes lie.
        digest: Hash of the original bytes.
        image_bytes: Length of the image as it was written.
        header: The header of the image as it was written.
        repaired: What it was repaired for, or empty.
        warnings: What was noticed of it, each a short, constant phrase.
        pixels: What its pixels come to where they were asked for.
        labels: Numbers of all its classes, where records have them.
    """

    source: Source
    digest: bytes
    image_bytes: int
    header: Header
    repaired: str = ""
    warnings: tuple[str, ...] = ()
    pixels: PixelSample | None = None
    labels: tuple[int, ...] = ()


def count_names(observations: Sequence[Observation]) -> dict[str, Mapping[str, int]]:
    """Returns the number of images by name, for each of ``COUNTED``."""
    headers = [observation.header for observation in observations]
    return {
        "encodings": Counter(h.encoding for h in headers),
        "modes": Counter(h.mode for h in headers),
        "subsamplings": Counter(h.subsampling or "none" for h in headers),
        "qualities": Counter(str(h.quality or "none") for h in headers),
        "orientations": Counter(str(h.orientation) for h in headers),
        "progressive": Counter(
            "progressive" if h.progressive else "sequential"
            for h in headers
            if h.encoding == "jpeg"
        ),
        "warnings": Counter(w for o in observations for w in o.warnings),
        "repaired": Counter(o.repaired for o in observations if o.repaired),
    }
