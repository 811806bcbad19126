"""Digests: known answers, and what is none."""

import pytest

from transforms.storage.hashes import bytes_digest, checksum_of

EMPTY = {
    "blake3": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


def test_the_digest_of_nothing_is_the_published_one() -> None:
    assert bytes_digest(b"") == f"blake3:{EMPTY['blake3']}"
    assert bytes_digest(b"", "sha256") == f"sha256:{EMPTY['sha256']}"
    for kind, digits in EMPTY.items():
        assert checksum_of(f"{kind}:{digits}") == kind


@pytest.mark.parametrize(
    "digest", ["", EMPTY["sha256"], "md5:" + "0" * 64, "blake3:" + "0" * 63, "sha256:x"]
)
def test_what_is_no_digest_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match=r"^a digest should be blake3 or sha256, a "):
        checksum_of(digest)
