"""The demo's archives in every other form that a build takes: ``--form NAME``."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from beam_pipeline.config import load_config
from transforms.planning import LabelFile, read_class_names, read_label_file

_MODIFIED: Final = 1339522334  # the moment that all files are given
_PARTS: Final = 2  # Parquet files of the training split
_ROWS: Final = 100  # of a row group, as the hub has it
_ZIP_TIME: Final = (2012, 6, 12, 17, 32, 14)


@dataclass(frozen=True, slots=True)
class DemoImages:
    """The images of the demo.

    Attributes:
        train: Bytes by name, by class.
        validation: Bytes by name.
        classes: The class of each validation image.
        labels: The number of each class.
    """

    train: Mapping[str, Mapping[str, bytes]]
    validation: Mapping[str, bytes]
    classes: Mapping[str, str]
    labels: Mapping[str, int]

    def tree(self) -> dict[str, dict[str, bytes]]:
        """Returns the bytes of each split by the paths that unpacked images have."""
        train = {
            f"train/{wnid}/{name}": data
            for wnid, images in self.train.items()
            for name, data in images.items()
        }
        return {
            "train": train,
            "val": {f"val/{name}": data for name, data in self.validation.items()},
        }


def change_form(train: Path, validation: Path, form: str) -> None:
    """Writes the demo's archives in another form, beside the originals, which go.

    Args:
        train: The tar of class tars.
        validation: The flat tar.
        form: A key of ``OTHER_FORMS``.
    """
    config = load_config("demo", {}, {})
    class_names = read_class_names(config.class_names)
    label_file = config.splits["validation"].labels
    assert isinstance(label_file, LabelFile)
    listed = read_label_file(label_file, class_names).listed.to_pydict()
    inner = _members(train.read_bytes())
    images = DemoImages(
        train={
            name.removesuffix(".tar"): _members(data) for name, data in inner.items()
        },
        validation=_members(validation.read_bytes()),
        classes={
            name: class_names[label]
            for name, label in zip(listed["name"], listed["label"], strict=True)
        },
        labels={name: label for label, name in enumerate(class_names)},
    )
    train.unlink()
    validation.unlink()
    OTHER_FORMS[form](train.parent, images)


def _members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
        return found


def _write_trees(directory: Path, images: DemoImages) -> None:
    for split, files in images.tree().items():
        (directory / f"{split}.tar").write_bytes(_tar(files))


def _write_compressed(directory: Path, images: DemoImages) -> None:
    for split, files in images.tree().items():
        data = gzip.compress(_tar(files), compresslevel=1, mtime=_MODIFIED)
        (directory / f"{split}.tar.gz").write_bytes(data)


def _write_class_tars(directory: Path, images: DemoImages) -> None:
    _write_files(
        directory,
        {f"train/{wnid}.tar": _tar(files) for wnid, files in images.train.items()},
    )
    (directory / "val.tar").write_bytes(_tar(images.validation))


def _write_folders(directory: Path, images: DemoImages) -> None:
    for files in images.tree().values():
        _write_files(directory, files)


def _write_sorted(directory: Path, images: DemoImages) -> None:
    """Writes folders as people sort them, the validation images by class too."""
    _write_files(directory, images.tree()["train"])
    _write_files(
        directory,
        {
            f"val/{images.classes[name]}/{name}": data
            for name, data in images.validation.items()
        },
    )


def _write_zip(directory: Path, images: DemoImages) -> None:
    """Writes one zip of all splits, with annotations, as Kaggle has it."""
    path = directory / "imagenet-object-localization-challenge.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for files in images.tree().values():
            for name, data in files.items():
                stem = Path(name).with_suffix(".xml")
                for entry, content in (
                    (f"ILSVRC/Annotations/CLS-LOC/{stem}", b"<annotation/>\n"),
                    (f"ILSVRC/Data/CLS-LOC/{name}", data),
                ):
                    info = zipfile.ZipInfo(entry, _ZIP_TIME)
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, content)


def _write_parquet(directory: Path, images: DemoImages) -> None:
    """Writes Parquet files with the names that the Hugging Face hub has."""
    train = [
        (f"{Path(name).stem}_{wnid}.JPEG", data, images.labels[wnid])
        for wnid, files in images.train.items()
        for name, data in files.items()
    ]
    validation = [
        (f"{Path(name).stem}_{wnid}.JPEG", data, images.labels[wnid])
        for name, data in images.validation.items()
        for wnid in (images.classes[name],)
    ]
    folder = directory / "data"
    folder.mkdir()
    for part in range(_PARTS):
        path = folder / f"train-{part:05d}-of-{_PARTS:05d}.parquet"
        _write_rows(path, train[part::_PARTS])
    _write_rows(folder / "validation-00000-of-00001.parquet", validation)


def _write_rows(path: Path, rows: list[tuple[str, bytes, int]]) -> None:
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table(
        {
            "image": pa.array(
                [{"bytes": data, "path": name} for name, data, _ in rows], image
            ),
            "label": pa.array([label for *_, label in rows], pa.int64()),
        }
    )
    pq.write_table(table, path, row_group_size=_ROWS)


def _write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), _MODIFIED
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


# How the demo's images are written in each form but the original one.
OTHER_FORMS: Final[Mapping[str, Callable[[Path, DemoImages], None]]] = {
    "tree": _write_trees,
    "tar.gz": _write_compressed,
    "tars": _write_class_tars,
    "folders": _write_folders,
    "sorted": _write_sorted,
    "zip": _write_zip,
    "parquet": _write_parquet,
}
