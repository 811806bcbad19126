"""A dataset of one's own: the README's configuration, from a folder of classes."""

import re
from pathlib import Path

from beam_pipeline import verify
from tests.helpers.archives import image, run
from transforms.formats import FORMATS, Places
from transforms.formats.records import Example

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_s_configuration_is_built_in_every_format(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    (tmp_path / "pets.yaml").write_text(text)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    expected = []
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            photo = image(3 * label + number)
            (tmp_path / "photos" / name / f"{number}.jpg").write_bytes(photo)
            expected.append(Example(f"{name}/{number}.jpg", photo, label))
    outcome = run(
        *("--config", tmp_path / "pets.yaml", "--manual_dir", tmp_path),
        *("--data_dir", tmp_path / "data", "--format", ",".join(FORMATS)),
        *("--direct_num_workers=1", "--quiet"),
    )
    assert outcome.code == 0, outcome.err
    places = Places(str(tmp_path / "data"), "pets", "", "1.0.0")
    for name, kind in FORMATS.items():
        directory = Path(places.directory(name))
        uri = directory / kind.codec.file_name("pets", "train", 0, 1)
        records = list(kind.codec.read(str(uri)))
        assert sorted(records, key=lambda r: r.file_name) == expected
        assert verify.main([str(directory)]) == 0
