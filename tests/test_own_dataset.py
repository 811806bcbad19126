"""A dataset of one's own: the README's configuration, from a folder of classes."""

from pathlib import Path

from beam_pipeline import verify
from tests.helpers.own_dataset import build_own_dataset, write_own_photos
from transforms.formats import FORMATS, Places


def test_the_readme_s_configuration_is_built_in_every_format(tmp_path: Path) -> None:
    expected = write_own_photos(tmp_path)
    outcome = build_own_dataset(tmp_path)
    assert outcome.code == 0, outcome.err
    places = Places(str(tmp_path / "data"), "pets", "", "1.0.0")
    for name, kind in FORMATS.items():
        directory = Path(places.directory(name))
        uri = directory / kind.codec.file_name("pets", "train", 0, 1)
        records = list(kind.codec.read(str(uri)))
        assert sorted(records, key=lambda r: r.file_name) == expected
        assert verify.main([str(directory)]) == 0
