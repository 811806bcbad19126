"""The dataset of one's own that the README describes: a folder of classes."""

import re
from pathlib import Path

from tests.helpers.archives import Outcome, image, run
from transforms.formats import FORMATS
from transforms.formats.records import Example

README = Path(__file__).parents[2] / "README.md"


def write_own_photos(directory: Path) -> list[Example]:
    """Writes the README's configuration and photos for it; returns their records."""
    (text,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    (directory / "pets.yaml").write_text(text)
    (directory / "classes.txt").write_text("cat\ndog\n")
    expected = []
    for label, name in enumerate(("cat", "dog")):
        (directory / "photos" / name).mkdir(parents=True)
        for number in range(2):
            photo = image(3 * label + number)
            (directory / "photos" / name / f"{number}.jpg").write_bytes(photo)
            expected.append(Example(f"{name}/{number}.jpg", photo, label))
    return expected


def build_own_dataset(directory: Path) -> Outcome:
    """Builds it below ``data``, in every format."""
    return run(
        *("--config", directory / "pets.yaml", "--manual_dir", directory),
        *("--data_dir", directory / "data", "--format", ",".join(FORMATS)),
        "--direct_num_workers=1",
    )
