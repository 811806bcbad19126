"""The names that images go by, whoever packed them."""

from typing import Final

_PREFIXES: Final = frozenset({".", "train", "val", "test"})


def image_name(path: str, container: str) -> str | None:
    """Returns the name an image goes by, or None for what an editor or OS left behind.

    Leading ``./``, ``train/``, ``val/``, ``test/`` and the container's own name are
    cut off, so that an archive packed anew selects as the original does. Names that
    begin with a dot or end with ``~``, and absolute ones, are leftovers, as they are
    to TFDS (``core/download/extractor.py``).

    Args:
        path: A member's path as the archive has it.
        container: The name of the inner tar it lies in, or an empty string.

    Example:
        >>> image_name("./train/n01440764_36.JPEG", "n01440764")
        'n01440764_36.JPEG'
    """
    if "/" not in path:
        leftover = not path or path.startswith(".") or path.endswith("~")
        return None if leftover else path
    parts = [part for part in path.split("/") if part]
    while len(parts) > 1 and (parts[0] in _PREFIXES or parts[0] == container):
        del parts[0]
    leftover = (
        path.startswith("/")
        or path.endswith("~")
        or not parts
        or ".." in parts
        or parts[0].startswith(".")
        or parts[0] == "__MACOSX"
        or parts[-1].startswith(".")
    )
    return None if leftover else "/".join(part for part in parts if part != ".")
