"""Text files with a name on each line, as people write them or download them.

Lists of images, of classes and of labels come from editors, spreadsheets and other
systems: with a byte order mark, with either kind of line ends, or by mistake as
something else altogether.
"""

from typing import Final

from transforms import storage
from transforms.errors import BuildError

MOST_BYTES: Final = 1 << 29  # some 20 million names


def read_list(uri: str, error: type[BuildError]) -> bytes:
    """Returns a list as it is stored.

    Args:
        uri: The file.
        error: What to raise where it is far too long for a list.

    Raises:
        StorageError: It can't be read.
    """
    check_size(storage.file_info(uri).size, uri, error)
    return storage.read_bytes(uri)


def check_size(size: int, source: str, error: type[BuildError]) -> None:
    """Raises an error of a kind where so many bytes are no list.

    Args:
        size: In bytes.
        source: Where they come from, for the message.
        error: What to raise.
    """
    if size > MOST_BYTES:
        raise error(
            f"{source} has {size:,} bytes or more; a list of names is taken up to "
            f"{MOST_BYTES:,}. Is it the right file?"
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
