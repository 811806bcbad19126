"""Lists of images by class, as JSON: ``{"apple_pie": ["apple_pie/1005649", ...]}``.

So has Food-101 its splits. A class is said twice of an image: by the key, and by the
folder in its name.
"""

import json
from collections.abc import Sequence
from typing import Any

from transforms.errors import SubsetError, printable, sample
from transforms.planning.texts import SubsetLines


def parse_by_class(
    text: str, source: str, class_names: Sequence[str] = ()
) -> SubsetLines:
    """Returns the images, by their names ``CLASS/NAME``, and their labels.

    Args:
        text: The JSON.
        source: Its file, for messages.
        class_names: The name of class ``i`` at position ``i``.

    Raises:
        SubsetError: It is no JSON of that form, names a class that is not known, or an
            image twice or under another class than its folder's.
    """
    classes = _read_classes(text, source)
    numbers = {name: label for label, name in enumerate(class_names)}
    unknown = [name for name in classes if name not in numbers]
    if unknown:
        raise SubsetError(
            f"{source} has {len(unknown):,} classes that are none of the "
            f"{len(numbers):,} known ones: {sample(unknown)}."
        )
    labels: dict[str, int] = {}
    for name, images in classes.items():
        for image in images:
            # JSON may escape what is no text, such as half of a surrogate pair.
            if image.rpartition("/")[0] != name or not image.isprintable():
                raise SubsetError(
                    f"{source} has '{printable(image)}' under {name}: expected "
                    f"{name}/NAME."
                )
            if image in labels:
                raise SubsetError(f"{source} names {printable(image)} twice.")
            labels[image] = numbers[name]
    return SubsetLines(tuple(labels), tuple(labels.values()))


def _read_classes(text: str, source: str) -> dict[str, list[str]]:
    try:
        # Of a key that is there twice, Python would forget the first.
        found = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise SubsetError(f"{source} is no JSON: {error}.") from error
    if not isinstance(found, _Pairs):
        raise SubsetError(f"{source} should hold a list of images for each class.")
    classes: dict[str, list[str]] = {}
    for name, images in found:
        if name in classes:
            raise SubsetError(f"{source} has the class {printable(name)} twice.")
        if not isinstance(images, list) or not all(type(i) is str for i in images):
            raise SubsetError(
                f"{source} should hold a list of names of images for "
                f"{printable(name)}, and has {json.dumps(images)[:60]}."
            )
        classes[name] = images
    return classes


class _Pairs(list[tuple[str, Any]]):
    """Keys and values of a JSON object."""
