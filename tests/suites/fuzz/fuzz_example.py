"""Any bytes: an Example that protobuf reads alike and writes alike, or refused."""

from collections.abc import Iterator

import atheris

from tests.suites.fuzz.harness import fuzz

with atheris.instrument_imports(include=["transforms", "tests.helpers.oracles"]):
    from tests.helpers.oracles import check_example
    from transforms.formats.records import Example
    from transforms.formats.tf_example import encode_example


def check(data: bytes) -> None:
    """Decodes the bytes with both."""
    check_example(data)


def _seeds() -> Iterator[bytes]:
    for label in (-1, 0, 999, (1 << 63) - 1):
        for image in (b"", b"x" * 200):
            yield b"".join(encode_example(Example("n01440764_36.JPEG", image, label)))


if __name__ == "__main__":
    fuzz("example", check, _seeds())
