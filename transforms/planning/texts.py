"""Files of text as people write them or download them: read whole, and decoded."""

from dataclasses import dataclass
from typing import Final

from transforms import storage
from transforms.errors import BuildError

MOST_BYTES: Final = 1 << 29  # some 20 million names


@dataclass(frozen=True, slots=True)
class SubsetLines:
    """What the lines of a list say.

    Attributes:
        names: Names of images as they are joined, in the list's order.
        labels: Each one's label, None where its line has none; None if none has one.
    """

    names: tuple[str, ...]
    labels: tuple[int | None, ...] | None = None


def read_list(uri: str, error: type[BuildError], most: int = MOST_BYTES) -> bytes:
    """Returns a list as it is stored.

    Args:
        uri: The file.
        error: What to raise where it is far too long for a list.
        most: Bytes that a list may have.

    Raises:
        StorageError: It can't be read.
    """
    check_size(storage.file_info(uri).size, uri, error, most)
    return storage.read_bytes(uri)


def check_size(size: int, source: str, error: type[BuildError], most: int) -> None:
    """Raises an error of a kind where so many bytes are no list.

    Args:
        size: In bytes.
        source: Where they come from, for the message.
        error: What to raise.
        most: Bytes that a list may have.
    """
    if size > most:
        raise error(
            f"{source} has {size:,} bytes or more; a list of names is taken up to "
            f"{most:,}. Is it the right file?"
        )


def decode_list(data: bytes, source: str, error: type[BuildError]) -> str:
    """Returns the text of a list, without the byte order mark it may begin with.

    Args:
        data: The list as it is stored.
        source: Where it comes from, for the message.
        error: What to raise where it is no UTF-8 text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise error(
            f"{source} is not a text file: byte {wrong.start:,} is not UTF-8."
        ) from wrong
    if "\0" in text:
        raise error(f"{source} is not a text file: byte {data.index(0):,} is NUL.")
    return text
