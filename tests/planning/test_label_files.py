"""Files of labels: what each format says, and files that are another than is said."""

import hashlib
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.config.loading import load_config
from tests.helpers.archives import tar
from tests.planning.test_labels import CLASSES, by_name, write
from transforms.errors import ConfigError, LabelError, StorageError, SubsetError
from transforms.planning.label_files.description import LabelFile, LabelFormat
from transforms.planning.label_files.reading import read_label_file
from transforms.planning.labels import read_class_names

PATTERN = "ILSVRC2012_val_{:08d}.JPEG"
NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 7)]
LABELS = dict(zip(NAMES[:4], [2, 0, 2, 1], strict=True))
# The development kit's numbers are in no order of names.
MAP = "n05 1 kit_fox\nn01 2 English setter\nn02 3\n"

TEXTS: dict[LabelFormat, str] = {
    "classes": "n05\nn01\nn05\nn02\n",
    "devkit": "1\n2\n1\n3\n",
    "caffe": "".join(f"{name} {label}\n" for name, label in LABELS.items()),
    "kaggle": "ImageId,PredictionString\n"
    "ILSVRC2012_val_00000001,n05 85 1 499 272 \n"
    "ILSVRC2012_val_00000002,n01 0 0 9 9 \n"
    "ILSVRC2012_val_00000003,n05 1 1 2 2 n05 3 3 4 4 \n"
    "ILSVRC2012_val_00000004,n02 1 1 2 2\n",
}
SHAPES: dict[LabelFormat, str] = {
    "kaggle": "NAME,CLASS BOX beneath the header ImageId,PredictionString",
    "caffe": "NAME NUMBER, classes counted from 0",
    "devkit": "NUMBER, which labels.map turns into a class",
    "classes": "CLASS",
}


def label_file(
    tmp_path: Path, format_name: LabelFormat, text: str | None = None
) -> LabelFile:
    (tmp_path / "map.txt").write_text(MAP)
    content = TEXTS[format_name] if text is None else text
    return LabelFile(
        file=write(tmp_path, content.encode()),
        format=format_name,
        names=PATTERN,
        map=str(tmp_path / "map.txt"),
    )


def refusal(labels: LabelFile, images: int | None = None) -> str:
    with pytest.raises(LabelError) as caught:
        read_label_file(labels, CLASSES, images)
    message = str(caught.value)
    assert message.startswith(labels.file)
    return message.removeprefix(labels.file)


@pytest.mark.parametrize("format_name", TEXTS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("images", [None, 4])
def test_each_format_tells_the_class_of_each_image(
    format_name: LabelFormat, ends: str, mark: str, images: int | None, tmp_path: Path
) -> None:
    text = mark + TEXTS[format_name].replace("\n", ends)
    labels = label_file(tmp_path, format_name, text)
    assert read_label_file(labels, CLASSES, images) == replace(
        by_name(LABELS, labels.file), class_names=CLASSES
    )


@pytest.mark.parametrize("said", TEXTS)
@pytest.mark.parametrize("given", TEXTS)
def test_a_file_of_another_format_is_refused_with_its_name(
    said: LabelFormat, given: LabelFormat, tmp_path: Path
) -> None:
    if said == given:
        return
    message = refusal(label_file(tmp_path, said, TEXTS[given]))
    assert message.endswith(
        f" It looks like labels.format={given}, {SHAPES[given]}, and {said} was said."
    )


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=20),
    st.sampled_from(list(TEXTS)),
    st.permutations([1, 2, 3]),
    st.integers(0, 1 << 32),
)
def test_formats_say_the_same_of_the_same_labels(
    tmp_path_factory: pytest.TempPathFactory,
    labels: list[int],
    format_name: LabelFormat,
    numbers: list[int],
    seed: int,
) -> None:
    directory = tmp_path_factory.getbasetemp()
    names = [f"ILSVRC2012_val_{number:08d}" for number in range(1, len(labels) + 1)]
    rows = list(zip(names, labels, strict=True))
    match format_name:
        case "classes":
            lines = [CLASSES[label] for label in labels]
        case "devkit":
            lines = [str(numbers[label]) for label in labels]
        case "caffe":
            random.Random(seed).shuffle(rows)
            lines = [f"{name}.JPEG {label}" for name, label in rows]
        case "kaggle":
            random.Random(seed).shuffle(rows)
            lines = [f"{name},{CLASSES[label]} 1 2 3 4 " for name, label in rows]
            lines.insert(0, "ImageId,PredictionString")
    file = label_file(directory, format_name, "\n".join(lines))
    (directory / "map.txt").write_text(
        "".join(f"{CLASSES[i]} {number} x\n" for i, number in enumerate(numbers))
    )
    expected = {f"{name}.JPEG": label for name, label in rows}
    assert read_label_file(file, CLASSES, len(labels)) == replace(
        by_name(expected, file.file), class_names=CLASSES
    )


@pytest.mark.parametrize("format_name", TEXTS)
@pytest.mark.parametrize("line", [1, 2, 3, 4])
def test_a_lost_line_is_told(
    format_name: LabelFormat, line: int, tmp_path: Path
) -> None:
    lines = TEXTS[format_name].splitlines(keepends=True)
    del lines[line - 1 + (format_name == "kaggle")]
    labels = label_file(tmp_path, format_name, "".join(lines))
    expected = (
        " tells the class of 3 images, and there should be 4. A line that is lost "
        "shifts the labels after it: get the file again, or say with labels.images "
        "how many it should have."
    )
    assert refusal(labels, 4) == expected
    assert refusal(replace(labels, images=4), 3) == expected
    assert read_label_file(replace(labels, images=3), CLASSES, 4).listed.num_rows == 3


@pytest.mark.parametrize(
    ("format_name", "text", "reason"),
    [
        pytest.param("classes", "n01\nn03\n", "line 2, 'n03', is no known", id="class"),
        # An empty line would shift the rest.
        pytest.param("classes", "n01\n\nn02\n", "line 2, '', is no known", id="blank"),
        pytest.param("classes", "n01\nn02 n05", "line 2, 'n02 n05', is no", id="two"),
        pytest.param(
            "devkit", "1\n\n2", "line 2, '', is no number.", id="blank-devkit"
        ),
        pytest.param("devkit", "1\n-1", "line 2, '-1', is no number.", id="negative"),
        pytest.param(
            "devkit",
            "1\n0\n",
            "line 2 has the number 0, which {map} does not have: its go from 1 to 3.",
            id="counted-from-0",
        ),
        pytest.param(
            "caffe",
            "a.JPEG 0\nb.JPEG 3\n",
            "line 2 has the number 3: classes are counted from 0, and the last one is ",
            id="counted-from-1",
        ),
        pytest.param(
            "caffe", "a.JPEG 0\nb c 1", "line 2, 'b c 1', is no name with", id="space"
        ),
        pytest.param(
            "caffe", "a.JPEG 0\nval/a.JPEG 1", "it names a.JPEG twice.", id="twice"
        ),
        pytest.param(
            "kaggle",
            "ImageId,PredictionString\na,n01 1 2 3 4 n02 1 2 3 4",
            "line 2, 'a,n01 1 2 3 4 n02 1 2 3 4', is no name with boxes of one class.",
            id="two-classes",
        ),
        pytest.param(
            "kaggle",
            "ImageId,PredictionString\na,n01 1 2 3",
            "line 2, 'a,n01 1 2 3', is no name with boxes of one class.",
            id="half-a-box",
        ),
        pytest.param(
            "kaggle", "", "its first line should be ImageId,PredictionS", id="empty"
        ),
        pytest.param(
            "classes",
            "n01\n\x1b[2J" + "x" * 1_000_000,
            rf"line 2, '\x1b[2J{'x' * 293}... (1,000,004 characters)', is no known ",
            id="megabyte",
        ),
    ],
)
def test_a_line_that_is_not_of_the_format_is_refused(
    format_name: LabelFormat, text: str, reason: str, tmp_path: Path
) -> None:
    labels = label_file(tmp_path, format_name, text)
    message = refusal(labels)
    assert message.startswith(f": {reason.replace('{map}', str(labels.map))}")
    expected = f" A line of labels.format={format_name} is {SHAPES[format_name]}."
    assert message.endswith(expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its map {map} is empty."),
        ("n01\n", "line 1 of its map {map}, 'n01', is no class with a number behind."),
        ("1 n01\n", "line 1 of its map {map}, '1 n01', is no class with a number"),
        ("n01 1\nn02 1\n", "its map {map} has the number 1 twice."),
        ("n77 1\n", "line 1, 'n77', is no known class."),
        ("n01 2\n", "line 1 has the number 1, which {map} does not have: its go from "),
    ],
)
def test_a_map_that_is_none_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    labels = label_file(tmp_path, "devkit")
    Path(str(labels.map)).write_text(text)
    message = refusal(labels)
    assert message.startswith(f": {reason.replace('{map}', str(labels.map))}")


def test_files_that_are_no_text_or_not_there_are_told(tmp_path: Path) -> None:
    labels = label_file(tmp_path, "classes")
    Path(labels.file).write_bytes(b"n01\n\xff\xfe\n")
    assert refusal(labels) == " is not a text file: byte 4 is not UTF-8."
    Path(labels.file).unlink()
    with pytest.raises(StorageError, match=r"Can't find .*lines\.txt"):
        read_label_file(labels, CLASSES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": None}, "labels.format is classes, whose lines have no names: "),
        (
            {"format": "devkit", "map": None},
            "labels.format is devkit, whose numbers are in an order of their own: ",
        ),
        *(
            ({"names": names}, f"labels.names is '{names}': expected a name with ")
            for names in (
                "val.JPEG",
                "{}",
                "{:999d}",
                "{.x:08d}",
                "{:08d}{:08d}",
                "{0}",
            )
        ),
    ],
)
def test_a_format_that_lacks_what_it_needs_is_refused(
    changes: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(label_file(tmp_path, "classes"), **changes)
    assert str(caught.value).startswith(message)


def test_names_have_the_pattern_that_is_said(tmp_path: Path) -> None:
    labels = replace(label_file(tmp_path, "classes", "n01\n" * 10), names="a{:d}.png")
    listed = read_label_file(labels, CLASSES).listed
    assert listed["name"].to_pylist() == [f"a{number}.png" for number in range(1, 11)]


def test_a_file_in_a_config_has_a_format(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("demo", {"splits.validation.labels": "val.txt"}, {})
    assert str(caught.value) == (
        "--set splits.validation.labels: labels is 'val.txt': expected container, "
        "index, list, none, or a file with its format, {file: PATH, format: FORMAT}. "
        "Formats are classes, devkit, caffe, kaggle, paths."
    )
    with pytest.raises(ConfigError) as caught:
        load_config("demo", {"splits.validation.labels": {"file": "val.txt"}}, {})
    assert "splits.validation.labels.format is missing." in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_config("demo", {"splits.validation.labels.format": "kagle"}, {})
    assert "Did you mean kaggle?" in str(caught.value)


def test_shipped_files_are_those_of_tfds() -> None:
    config = load_config("1pct", {}, {})
    names_file = config.class_names
    labels = config.splits["validation"].labels
    assert isinstance(labels, LabelFile)
    digests = [
        hashlib.sha256(Path(path).read_bytes()).hexdigest()
        for path in (names_file, labels.file)
    ]
    assert digests == [
        "70002b0ff5de60a3a17a82dbfcff291931f96225ddf941ad2e182fc39e183d15",
        "313fc3f23c864dde9183c9a368809065765dd1b657a6904fded44e3e46d34604",
    ]
    names = read_class_names(names_file)
    assert (len(names), names[0], names[-1]) == (1000, "n01440764", "n15075141")
    assert list(names) == sorted(names)
    listed = read_label_file(labels, names).listed
    assert listed["name"].to_pylist() == [
        f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)
    ]
    assert Counter(listed["label"].to_pylist()) == dict.fromkeys(range(1000), 50)


PATHS = "/a/airfield/1.jpg 0\n/b/bar/outdoor/1.jpg 2\n"


def test_lists_of_paths_join_by_all_of_the_path(tmp_path: Path) -> None:
    text = PATHS + "plain.jpg 1\n"  # some lists lead with a slash, and some do not
    file = write(tmp_path, text.encode())
    labels = LabelFile(file=file, format="paths", names="data_256/{path}")
    assert read_label_file(labels, CLASSES).listed.to_pydict() == {
        "name": [
            "data_256/a/airfield/1.jpg",
            "data_256/b/bar/outdoor/1.jpg",
            "data_256/plain.jpg",
        ],
        "label": [0, 2, 1],
    }
    bare = read_label_file(replace(labels, names=None), CLASSES).listed
    assert bare["name"][0].as_py() == "a/airfield/1.jpg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PATHS, " tells the class of 2 images, and there should be 3."),
        ("/a/1.jpg\n", ": line 1, '/a/1.jpg', is no name with a number behind. It"),
        ("/a/1.jpg 3\n", ": line 1 has the number 3: classes are counted from 0"),
        (PATHS + PATHS, ": it names a/airfield/1.jpg twice. A line of labels.format="),
    ],
)
def test_lists_of_paths_that_cannot_be_are_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    labels = LabelFile(file=write(tmp_path, text.encode()), format="paths")
    assert refusal(labels, 3).startswith(message)


def test_the_name_of_a_path_has_the_path() -> None:
    with pytest.raises(ConfigError, match=r"labels\.names is 'val_256': expected a"):
        LabelFile(file="list.txt", format="paths", names="val_256")


def test_a_list_within_an_archive_is_read_there_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "lists.tar").write_bytes(tar([("l/paths.txt", PATHS.encode())]))
    labels = LabelFile(file="l/paths.txt", format="paths", within="lists.tar")
    places = (str(tmp_path), str(tmp_path / "cache"))
    found = read_label_file(labels, CLASSES, 2, *places)
    assert found.listed["label"].to_pylist() == [0, 2]
    assert found.source == f"l/paths.txt in {tmp_path}/lists.tar"
    (tmp_path / "l").mkdir()
    (tmp_path / "l" / "paths.txt").write_text("/a/airfield/1.jpg 1\n")
    found = read_label_file(labels, CLASSES, 1, *places)
    assert found.listed["label"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("within", "reason"),
    [("lists.tar", "which does not have it"), ("none.tar", "which is not there")],
)
def test_a_list_that_no_archive_has_is_told(
    within: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "lists.tar").write_bytes(tar([("other.txt", PATHS.encode())]))
    labels = LabelFile(file="paths.txt", format="paths", within=within)
    with pytest.raises(SubsetError) as caught:
        read_label_file(labels, CLASSES, 2, str(tmp_path), str(tmp_path / "cache"))
    assert str(caught.value) == (
        f"There is no list paths.txt in {tmp_path}. It is a part of {tmp_path}/{within}"
        f", {reason}. Get that archive, put the list there by itself, or name with "
        "within another archive that has it."
    )
