"""What a line of a subset list may be, and what others look like."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.errors import ConfigError, SubsetError
from transforms.planning.lists import (
    SubsetFile,
    SubsetList,
    parse_subset_list,
    read_subset_list,
)
from transforms.planning.texts import SubsetLines

CLASSES = ("n01", "n02", "n01440764")
NAMES = ("n01_1.JPEG", "n01_2.JPEG")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        pytest.param("n01_1.JPEG\nn01_2.JPEG\n", None, id="names"),
        pytest.param("n01/n01_1.JPEG\nn02/n01_2.JPEG\n", (0, 1), id="class-and-name"),
        pytest.param("train/n01/n01_1.JPEG\nx/n01/n01_2.JPEG\n", (0, 0), id="split"),
        pytest.param("n01_1.JPEG\ntrain/n01/n01_2.JPEG\n", (None, 0), id="mixed"),
        pytest.param("n01_1.JPEG 0\nn01_2.JPEG 17\n", (0, 17), id="label-by-space"),
        pytest.param("n01_1.JPEG\t0\nn01_2.JPEG\tn02\n", (0, 1), id="label-by-tab"),
        pytest.param("n01_1.JPEG,-1\nn01_2.JPEG, 1\n", (-1, 1), id="label-by-comma"),
        pytest.param("n01/n01_1.JPEG 0\nn01/n01_2.JPEG 7\n", (0, 7), id="all"),
        pytest.param("train/n01_1.JPEG\nval/n01_2.JPEG\n", None, id="no-class"),
        pytest.param("n01_1.JPEG\r\nn01_2.JPEG 3\r\n", (None, 3), id="one-label"),
        pytest.param("\n\nn01_1.JPEG\n  \nn01_2.JPEG\n\n", None, id="blank-lines"),
        pytest.param("  n01_1.JPEG\t\n n01_2.JPEG ", None, id="spaces-around"),
        pytest.param("n01_1.JPEG\nn01_2.JPEG", None, id="no-final-newline"),
        pytest.param("n01_1.JPEG 007\nn01_2.JPEG 1", (7, 1), id="zeros"),
    ],
)
def test_forms_of_a_line(text: str, labels: tuple[int | None, ...] | None) -> None:
    assert parse_subset_list(text, "list.txt", CLASSES) == SubsetLines(NAMES, labels)


def test_an_empty_list_has_no_names() -> None:
    assert parse_subset_list("\n \n", "list.txt") == SubsetLines(())


def test_names_stay_in_the_order_of_the_list() -> None:
    assert parse_subset_list("c\na\nb\n", "list.txt").names == ("c", "a", "b")


@pytest.mark.parametrize(
    ("text", "line", "found", "hint"),
    [
        pytest.param("a\nb 1 2\n", 2, "b 1 2", "", id="three-columns"),
        pytest.param("\nn01/ 1\n", 2, "n01/ 1", "", id="directory"),
        pytest.param("\x1b[2J\u202e x y\n", 1, r"\x1b[2J\u202e x y", "", id="control"),
        pytest.param(
            "a b " + "c" * 10_000_000,
            *(1, f"a b {'c' * 296}... (10,000,004 characters)", ""),
            id="endless-line",
        ),
        *(
            pytest.param(
                f"\n{header}\na.JPEG\n",
                *(2, header, " It looks like a header: take it out."),
                id=header,
            )
            for header in (
                "filename",
                "file_name,label",
                "Image Label",
                "#path wnid",
                "ImageId,PredictionString",
                "id,image,class",
            )
        ),
        *(
            pytest.param(
                f"a.JPEG\n{line}\n",
                *(
                    2,
                    line,
                    " It looks like a label before a name: the name comes first.",
                ),
                id=line,
            )
            for line in (
                "0 n01_1.JPEG",
                "0,n01/n01_1.JPEG",
                "n02 n02_1.JPEG",
                "n99999999 a.JPEG",
            )
        ),
        *(
            pytest.param(
                line,
                *(1, line, " It looks like a path with a space in it: write what "),
                id=line,
            )
            for line in (
                "my images/n01/n01_1.JPEG",
                "/data/my images/n01_1.JPEG 0",
                "a b.JPEG",
            )
        ),
        *(
            pytest.param(
                f"a.JPEG\n{line}",
                *(2, line, f" It looks like a class: a list names {expected}"),
                id=line,
            )
            for line, expected in (
                ("n01", "each of its images, as n01_1.JPEG."),
                ("n02119789", "each of its images, as n02119789_1.JPEG."),
            )
        ),
        pytest.param(
            '"a.JPEG","0"',
            *(1, '"a.JPEG","0"', " It has quotes, as spreadsheets write them: take "),
            id="quotes",
        ),
        *(
            pytest.param(
                f"a.JPEG {word}",
                *(1, f"a.JPEG {word}", f" {word} is neither a number nor a known "),
                id=word,
            )
            for word in ("tench", "1e3", "\u0663", "9" * 19, "--1")
        ),
    ],
)
def test_a_line_that_is_none_is_told_with_what_it_looks_like(
    text: str, line: int, found: str, hint: str
) -> None:
    with pytest.raises(SubsetError) as caught:
        parse_subset_list(text, "list.txt", CLASSES)
    told = (
        f"list.txt, line {line}: expected an image name and perhaps a label, found "
        f"'{found}'."
    )
    assert str(caught.value).startswith(told + hint)
    assert hint or str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "a\nb\n\nn01/a 7\n",
            "list.txt names a twice, on lines 1 and 4. Remove one.",
            id="twice",
        ),
        pytest.param(
            "\x9b2J\n\x9b2J\n",
            r"list.txt names \x9b2J twice, on lines 1 and 2. Remove one.",
            id="control-character-twice",
        ),
    ],
)
def test_a_name_that_occurs_twice_is_refused(text: str, message: str) -> None:
    with pytest.raises(SubsetError) as caught:
        parse_subset_list(text, "list.txt")
    assert str(caught.value) == message


def test_what_is_no_header_is_a_name() -> None:
    # Not in the first line, and not in a line with an image.
    assert parse_subset_list("a\nfile\nimage 0\n", "x").names == ("a", "file", "image")
    assert parse_subset_list("image 0\n", "x") == SubsetLines(("image",), (0,))


def test_a_folder_that_is_an_unknown_class_is_told() -> None:
    text = "n01_1.JPEG\ntrain/n09999999/n01_2.JPEG\n"
    with pytest.raises(SubsetError) as caught:
        parse_subset_list(text, "list.txt", CLASSES)
    assert str(caught.value) == (
        f"list.txt, line 2: n09999999 is not one of the {len(CLASSES)} known classes."
    )


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.text("abn_0123.é-", min_size=2, max_size=12).map(lambda s: f"{s}.JPEG"),
            st.none() | st.integers(-1, 2000) | st.sampled_from(CLASSES),
            st.sampled_from(["", "n01/", "train/n01/", "./", "/a/"]),
            st.sampled_from([" ", "\t", ",", ", ", "  "]),
        ),
        unique_by=lambda row: row[0],
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
def test_lists_of_any_form_say_the_same(
    rows: list[tuple[str, int | str | None, str, str]], ends: str
) -> None:
    lines = [
        f"{directory}{name}" + ("" if label is None else f"{separator}{label}")
        for name, label, directory, separator in rows
    ]
    labels = tuple(
        CLASSES.index(label)
        if isinstance(label, str)
        else 0
        if label is None and directory.endswith("n01/")
        else label
        for _, label, directory, _ in rows
    )
    expected = SubsetLines(
        tuple(name for name, _, _, _ in rows), labels if set(labels) > {None} else None
    )
    if labels and None not in labels:
        expected = SubsetLines(expected.names, labels)
    assert parse_subset_list(ends.join(lines), "list.txt", CLASSES) == expected


def test_a_list_is_read_from_where_its_path_says(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "mine.txt"
    subset = SubsetFile(str(path))
    with pytest.raises(SubsetError) as caught:
        read_subset_list(subset, str(tmp_path), str(tmp_path))
    assert str(caught.value) == f"There is no subset list {path}."
    path.parent.mkdir()
    path.write_text("a.JPEG\n")
    found = read_subset_list(subset, str(tmp_path), str(tmp_path))
    assert found == SubsetList(("a.JPEG",), str(path), 7)


@pytest.mark.parametrize("file", ["", "../mine.txt", "a/../../b", "a\0b"])
def test_a_list_that_lies_above_its_directory_is_refused(file: str) -> None:
    with pytest.raises(ConfigError, match="should be the name of a file beneath"):
        SubsetFile(file)


@pytest.mark.parametrize(
    "line",
    [
        "n01440764_36.JPEG 0",
        "train/n01440764/n01440764_36.jpg",
        "n01440764\\n01440764_36.JPEG",
        "n01440764/n01440764_36_n01440764.JPEG 0",
    ],
)
def test_a_list_names_images_as_any_source_spells_them(line: str) -> None:
    assert parse_subset_list(line, "list.txt", ("n01440764",)) == SubsetLines(
        ("n01440764_36.JPEG",), (0,)
    )
