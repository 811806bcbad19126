"""The pictures of a report: which images are read for them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.helpers.archives import image
from transforms.documents.report.pictures import _Artist, _duplicates_gallery
from transforms.documents.report.thumbnails import draw_thumbnail
from transforms.formats.records import Source


def placed(name: str, label: int) -> dict[str, Any]:
    place = {"archive": "a.tar", "offset": 512 * label, "size": 3}
    return {"split": "train", "name": name, "label": label} | place


def test_of_equal_images_one_is_read() -> None:
    images = {"a": image(1), "c": image(2)}
    read: list[str] = []

    def read_image(source: Source) -> bytes:
        read.append(source.name)
        return images[source.name]

    groups = [
        {"images": [placed(*item) for item in items]}
        | {"splits_differ": False, "labels_differ": True}
        for items in ([("a", 0), ("b", 1)], [("c", 1), ("d", 0)])
    ]
    with ThreadPoolExecutor(1) as pool:
        artist = _Artist(read_image, ("x", "y"), pool)
        gallery = _duplicates_gallery({"duplicates": groups}, artist)
    assert read == ["a", "c"]
    shown = [
        [(picture.name, picture.caption, picture.thumbnail) for picture in group]
        for group in gallery.groups
    ]
    one, two = (draw_thumbnail(data) for data in images.values())
    assert one != two
    assert shown == [
        [("a", "x", one), ("b", "y", one)],
        [("c", "y", two), ("d", "x", two)],
    ]
