"""Subset lists: what a line may be, where a list comes from, and what it selects."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.archives.test_index import collect
from tests.helpers.plans import member_rows
from tests.planning.test_labels import by_name
from transforms.archives.containers import (
    Archive,
    Container,
    MemberBatch,
    MemberTable,
    member_table,
)
from transforms.errors import ConfigError, LabelError, SubsetError
from transforms.planning.labels import (
    LABEL_SCHEMA,
    LabelByContainer,
    LabelByIndex,
    LabelByName,
    Labeller,
    Unlabelled,
    labels_of_list,
)
from transforms.planning.lists import SubsetFile, SubsetList, read_subset_list
from transforms.planning.order import order_keys
from transforms.planning.selection import (
    NOT_KEPT,
    SELECTED_SCHEMA,
    SelectedContainer,
    SelectedTable,
    Selection,
    _of_no_class,
    select_members,
)
from transforms.planning.steps import SelectMembers
from transforms.storage.backend import FileInfo

LIST = b"n01_1.JPEG\nn01_2.JPEG\n"
SHA256 = hashlib.sha256(LIST).hexdigest()
NAMES = ("n01_1.JPEG", "n01_2.JPEG")


# --- Where a list comes from ----------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """The two directories a list is looked for in."""

    manual: Path
    cache: Path

    def read(self, subset: SubsetFile, **limits: int) -> SubsetList:
        return read_subset_list(subset, str(self.manual), str(self.cache), **limits)

    def refusal(self, subset: SubsetFile, **limits: int) -> str:
        with pytest.raises(SubsetError) as caught:
            self.read(subset, **limits)
        cause = caught.value.__cause__
        if isinstance(cause, HTTPError):
            cause.close()  # it is the server's answer, and open
        return str(caught.value)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "manual").mkdir()
    return Place(tmp_path / "manual", tmp_path / "data" / "cache")


@dataclass
class Server:
    """What a server on this machine answers, and what it was asked for."""

    port: int = 0
    body: bytes = LIST
    promised: int = len(LIST)
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def subset(self) -> SubsetFile:
        url = f"http://127.0.0.1:{self.port}/lists/list.txt"
        return SubsetFile("list.txt", url, len(LIST), SHA256)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    answers = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            self.send_response(answers.status)
            self.send_header("Content-Length", str(answers.promised))
            self.end_headers()
            self.wfile.write(answers.body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        answers.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield answers
        http.shutdown()
        thread.join()


def test_a_list_is_taken_from_manual_dir(place: Place) -> None:
    (place.manual / "list.txt").write_bytes(LIST)
    path = str(place.manual / "list.txt")
    found = place.read(SubsetFile("list.txt", None, len(LIST), SHA256))
    assert found == SubsetList(NAMES, path, len(LIST))


def test_manual_dir_wins_over_the_cache_and_the_server(
    place: Place, server: Server
) -> None:
    place.cache.mkdir(parents=True)
    (place.cache / "list.txt").write_bytes(b"cached\n")
    (place.manual / "list.txt").write_bytes(b"mine\n")
    found = place.read(replace(server.subset(), size=None, sha256=None))
    assert found == SubsetList(("mine",), str(place.manual / "list.txt"), 5)
    assert server.asked == []


def test_a_download_is_kept_and_not_repeated(place: Place, server: Server) -> None:
    expected = SubsetList(NAMES, str(place.cache / "list.txt"), len(LIST))
    assert place.read(server.subset()) == expected
    assert [path.name for path in place.cache.iterdir()] == ["list.txt"]
    assert (place.cache / "list.txt").read_bytes() == LIST
    assert place.read(server.subset()) == expected
    assert server.asked == ["/lists/list.txt"]


def test_a_download_of_other_content_is_not_kept(place: Place, server: Server) -> None:
    server.body, server.promised = b"<html>", 6
    subset = server.subset()
    digest = hashlib.sha256(b"<html>").hexdigest()
    assert place.refusal(subset).startswith(
        f"{subset.url} is not the list that was published: it has 6 bytes, sha256 "
        f"{digest}, expected {len(LIST)} bytes, sha256 {SHA256}."
    )
    assert not place.cache.exists()


def offline_message(place: Place, subset: SubsetFile, reason: str) -> str:
    return (
        "The subset list list.txt is not in the directory of manual downloads and "
        f"can't be downloaded: {reason}. Get it from {subset.url} ({len(LIST)} bytes, "
        f"sha256 {SHA256}). Put it at {place.manual / 'list.txt'}."
    )


def test_an_error_of_the_server_is_told(place: Place, server: Server) -> None:
    server.status = 404
    subset = server.subset()
    assert place.refusal(subset) == offline_message(place, subset, "Not Found")


def test_a_download_that_breaks_off_is_told(place: Place, server: Server) -> None:
    server.body = LIST[:5]
    message = place.refusal(server.subset())
    assert message.startswith(
        "The subset list list.txt is not in the directory of manual downloads and "
        "can't be downloaded: "
    )
    assert not place.cache.exists()


def test_without_a_network_all_that_helps_is_told(place: Place, server: Server) -> None:
    server.port = 1  # nothing listens there
    subset = server.subset()
    reason = "[Errno 111] Connection refused"
    assert place.refusal(subset) == offline_message(place, subset, reason)


def test_a_list_without_url_is_asked_for(place: Place) -> None:
    assert place.refusal(SubsetFile("mine.txt")) == (
        f"There is no subset list mine.txt. Put it at {place.manual / 'mine.txt'}."
    )


@pytest.mark.parametrize(
    ("size", "sha256", "expected"),
    [
        (23, None, "23 bytes, sha256 any"),
        (None, "0" * 64, f"any size, sha256 {'0' * 64}"),
        (22, "0" * 64, f"22 bytes, sha256 {'0' * 64}"),
    ],
    ids=["size", "sha256", "both"],
)
@pytest.mark.parametrize("where", ["manual", "cache"])
def test_another_list_than_the_published_is_refused(
    where: str, size: int | None, sha256: str | None, expected: str, place: Place
) -> None:
    path = getattr(place, where) / "list.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(LIST)
    assert place.refusal(SubsetFile("list.txt", None, size, sha256)) == (
        f"{path} is not the list that was published: it has 22 bytes, sha256 {SHA256}, "
        f"expected {expected}. Remove it to have it downloaded. For a list of your "
        "own, set url, size and sha256 of subset to null in a config file."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: it should name the split's images."),
        (b"\xef\xbb\xbf", "is empty: it should name the split's images."),
        (b"a\n\xff\n", "is not a text file: byte 2 is not UTF-8."),
        (b"\x89PNG\r\n\x1a\n", "is not a text file: byte 0 is not UTF-8."),
        (bytes(1000), "is not a text file: byte 0 is NUL."),
    ],
    ids=["empty", "mark-alone", "binary", "image", "zeros"],
)
def test_a_list_that_names_nothing_is_refused(
    content: bytes, message: str, place: Place
) -> None:
    path = place.manual / "list.txt"
    path.write_bytes(content)
    assert place.refusal(SubsetFile("list.txt")) == f"{path} {message}"


def test_a_byte_order_mark_is_no_part_of_the_first_name(place: Place) -> None:
    (place.manual / "list.txt").write_bytes(b"\xef\xbb\xbf" + LIST)
    found = place.read(SubsetFile("list.txt"))
    assert (found.names, found.size) == (NAMES, len(LIST) + 3)


def test_a_file_that_is_no_list_is_not_read(place: Place) -> None:
    path = place.manual / "list.txt"
    path.write_bytes(LIST)
    os.truncate(path, 10**12)
    assert place.refusal(SubsetFile("list.txt")) == (
        f"{path} has 1,000,000,000,000 bytes or more; a list of names is taken up to "
        "536,870,912. Is it the right file?"
    )


@pytest.mark.parametrize("file", ["", "../list.txt", "a/../../list.txt", "a\0b"])
def test_a_list_lies_beneath_its_directory(file: str) -> None:
    with pytest.raises(ConfigError, match="should be the name of a file beneath the"):
        SubsetFile(file)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://a/b", "data:,a", "a"])
def test_only_the_web_is_downloaded_from(url: str, place: Place) -> None:
    assert place.refusal(SubsetFile("list.txt", url)) == (
        f"The subset list list.txt can't be downloaded from {url}: only https:// and "
        f"http:// are followed. Put it at {place.manual / 'list.txt'}."
    )


def test_an_endless_download_is_given_up(place: Place, server: Server) -> None:
    subset = server.subset()
    assert place.refusal(subset, most_bytes=len(LIST) - 1) == (
        f"{subset.url} has {len(LIST)} bytes or more; a list of names is taken up to "
        f"{len(LIST) - 1}. Is it the right file?"
    )
    assert list(place.cache.rglob("*")) == []


def test_labels_of_a_list_are_numbers_or_classes(place: Place) -> None:
    (place.manual / "list.txt").write_bytes(b"a 1\nb\nc,n01\n")
    subset = SubsetFile("list.txt")
    found = read_subset_list(subset, str(place.manual), "", CLASSES)
    assert (found.names, found.labels) == (("a", "b", "c"), (1, None, 0))
    assert place.refusal(subset).endswith(
        "line 3: expected an image name and perhaps a label, found 'c,n01'. n01 is "
        "neither a number nor a known class."
    )


def test_messages_name_the_file_of_a_malformed_list(place: Place) -> None:
    path = place.manual / "list.txt"
    path.write_bytes(b"a\na\n")
    assert place.refusal(SubsetFile("list.txt")) == (
        f"{path} names a twice, on lines 1 and 2. Remove one."
    )


@pytest.mark.parametrize(
    ("config", "count"), [("1percent.txt", 12_811), ("10percent.txt", 128_116)]
)
def test_published_lists_are_read(config: str, count: int, shared: Path) -> None:
    path = shared / "data" / config
    found = read_subset_list(SubsetFile(config), str(path.parent), "", CLASSES)
    assert list(found.names) == path.read_text().split()
    assert (len(found.names), found.labels) == (count, None)


# --- What a list selects --------------------------------------------------------------

Rows = list[tuple[str, int, int]]
CLASSES = ("n01", "n02")
ROWS: Rows = [("n02_b", 512, 7), ("n02_a", 1024, 8), ("n02_c", 1536, 9)]


def table_of(split: str, container: str, rows: Rows) -> MemberBatch:
    archive = Archive(split, FileInfo(f"/data/{split}.tar", 1, "1"), "tar")
    members = member_rows(*(zip(*rows, strict=True) if rows else [(), (), ()]))
    table = MemberTable(archive, Container(container, 0, 1, 0, 1), members)
    return MemberBatch.of(archive, [table])


def selected(table: MemberBatch, rows: Rows, labels: list[int]) -> SelectedTable:
    names, offsets, sizes = zip(*rows, strict=True) if rows else ((), (), ())
    keys = order_keys(names, table.archive.split)
    empty = [""] * len(names)
    several = [()] * len(names)
    columns = [names, empty, offsets, sizes, empty, labels, several, keys]
    members = pa.table(columns, schema=SELECTED_SCHEMA)
    example = table.members["name"].to_pylist()[:1] or [""]
    (listed,) = table.containers
    chosen = SelectedContainer(listed.container, len(rows), listed.rows, *example)
    return SelectedTable(table.archive, (chosen,), members)


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (None, [0, 1, 2]),
        ({"n02_c", "n02_b", "elsewhere"}, [0, 2]),  # in archive order
        ({"elsewhere"}, []),
    ],
    ids=["all", "some", "none"],
)
def test_wanted_members_are_kept_with_label_and_key(
    wanted: set[str] | None, kept: list[int]
) -> None:
    table = table_of("train", "n02", ROWS)
    found = select_members(
        table,
        None if wanted is None else frozenset(wanted),
        Selection(LabelByContainer(CLASSES)),
    )
    assert found == selected(table, [ROWS[i] for i in kept], [1] * len(kept))
    assert found.members.schema == SELECTED_SCHEMA


def test_labels_stay_with_their_images() -> None:
    table = table_of("validation", "", ROWS)
    labeller = by_name({"n02_a": 5, "n02_b": 6, "n02_c": 7}, "labels.txt")
    found = select_members(table, frozenset({"n02_a", "n02_c"}), Selection(labeller))
    assert found == selected(table, ROWS[1:], [5, 7])


def test_an_empty_container_selects_nothing() -> None:
    labellers: list[Labeller] = [LabelByContainer(CLASSES), LabelByIndex(CLASSES)]
    for labeller in labellers:
        # The folder that class folders lie in has no name.
        for name in ("n02", "n99999999", ""):
            table = table_of("train", name, [])
            found = select_members(table, None, Selection(labeller))
            assert found == selected(table, [], [])


def test_a_container_of_no_class_is_refused_where_something_of_it_is_wanted() -> None:
    of_none = [("b", 512, 7), ("a", 1024, 8)]
    for wanted in (None, frozenset({"a"})):
        table = table_of("train", "n09", of_none)
        with pytest.raises(LabelError, match=r"n09, which is none of the 2 classes"):
            select_members(table, wanted, Selection(LabelByContainer(CLASSES)))
    found = select_members(
        table_of("train", "n09", of_none),
        frozenset({"x"}),
        Selection(LabelByContainer(CLASSES)),
    )
    assert found.members == SELECTED_SCHEMA.empty_table()
    assert found.containers[0].example == "b"


def test_names_give_the_class_where_the_container_gives_none() -> None:
    for container in ("", "train"):
        found = select_members(
            table_of("train", container, ROWS),
            None,
            Selection(LabelByContainer(CLASSES)),
        )
        assert found.members["label"].to_pylist() == [1, 1, 1]
    # A container that is called like a class of ImageNet's contradicts them.
    table = table_of("train", "n09999999", ROWS)
    with pytest.raises(LabelError, match="n09999999, which is none of the 2 classes"):
        select_members(table, None, Selection(LabelByContainer(CLASSES)))


def test_a_container_of_no_class_is_counted_where_it_has_images() -> None:
    for name, rows, counted in (("n09", ROWS, 1), ("n09", [], 0), ("n02", ROWS, 0)):
        labeller = LabelByContainer(CLASSES)
        found = select_members(
            table_of("train", name, rows), frozenset({"x"}), Selection(labeller)
        )
        assert _of_no_class(found, labeller) == counted
    found = select_members(table_of("train", "n02", ROWS), None, Selection(labeller))
    assert _of_no_class(found, labeller) == 0


def test_an_image_without_a_label_is_refused_where_it_is_wanted() -> None:
    table = table_of("validation", "", ROWS)
    labeller = by_name({"n02_a": 5}, "labels.txt")
    found = select_members(table, frozenset({"n02_a"}), Selection(labeller))
    assert found == selected(table, ROWS[1:2], [5])
    with pytest.raises(LabelError, match=r"holds 1 images that have no label"):
        select_members(table, frozenset({"n02_a", "n02_c"}), Selection(labeller))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "list.txt decides the labels, and a has none there."),
        ((1, None), "list.txt decides the labels, and b has none there."),
        (
            (0, 2),
            "list.txt decides the labels, and b has 2 there: there are 2 classes, "
            "counted from 0. class_names says which.",
        ),
        ((-1, 0), "list.txt decides the labels, and a has -1 there: there are 2 "),
    ],
)
def test_a_list_that_decides_has_a_label_of_each_image(
    labels: tuple[int | None, ...] | None, message: str
) -> None:
    with pytest.raises(LabelError) as caught:
        labels_of_list(SubsetList(("a", "b"), "list.txt", 1, labels), CLASSES)
    assert str(caught.value).startswith(message)


def test_a_list_decides_labels() -> None:
    subset = SubsetList(("n02_c", "n02_a"), "list.txt", 1, (0, 1))
    labeller = labels_of_list(subset, CLASSES)
    assert labeller == by_name({"n02_c": 0, "n02_a": 1}, "list.txt")
    # Whatever tar they lie in.
    table = table_of("train", "n09", ROWS)
    found = select_members(table, frozenset(subset.names), Selection(labeller))
    assert found == selected(table, ROWS[1:], [1, 0])


def test_select_members_goes_by_the_split() -> None:
    train = table_of("train", "n02", ROWS)
    test = table_of("test", "", ROWS)
    subset = SubsetList(("n02_a", "gone"), "list.txt", 1)
    found = collect(
        [train, test],
        SelectMembers(
            {
                "train": Selection(LabelByContainer(CLASSES), subset),
                "test": Selection(Unlabelled()),
            }
        ),
    )
    assert sorted(found, key=lambda table: table.archive.split) == [
        selected(test, ROWS, [-1, -1, -1]),
        selected(train, ROWS[1:2], [1]),
    ]


# --- Many containers at once ----------------------------------------------------------


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["n01", "n02", "", "n00000009", "other"]),
            st.lists(st.sampled_from(["n01_a", "n02_b", "x", "y"]), max_size=4),
            st.sampled_from(["", "", "n01", "n02"]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.none() | st.frozensets(st.sampled_from(["n01_a", "n02_b", "x"])),
    st.frozensets(st.sampled_from(["n02_b", "y"])),
    st.sampled_from([None, (1, 0), (NOT_KEPT, 0)]),
    st.sampled_from(
        [
            LabelByContainer(CLASSES),
            LabelByName(
                pa.table([["n01_a", "n02_b", "x"], [0, 1, 1]], schema=LABEL_SCHEMA),
                "list.txt",
                CLASSES,
            ),
            Unlabelled(),
        ]
    ),
)
def test_containers_together_are_as_each_by_itself(
    drawn: list[tuple[str, list[str], str]],
    wanted: frozenset[str] | None,
    excluded: frozenset[str],
    kept_classes: tuple[int, ...] | None,
    labeller: Labeller,
) -> None:
    archive = Archive("train", FileInfo("/data/train.tar", 1, "1"), "tar")
    tables = [
        MemberTable(
            archive,
            Container(folder, 0, 1, position, len(drawn)),
            member_table([(name, ending, "", 0, 1, "") for name in names]),
        )
        for position, (folder, names, ending) in enumerate(drawn)
    ]
    selection = Selection(labeller, kept_classes=kept_classes)
    alone: list[SelectedTable] = []
    message = ""
    for table in tables:
        one = MemberBatch.of(archive, [table])
        try:
            alone.append(select_members(one, wanted, selection, excluded))
        except LabelError as error:
            message = str(error)
            break
    together = MemberBatch.of(archive, tables)
    if message:
        with pytest.raises(LabelError) as caught:
            select_members(together, wanted, selection, excluded)
        assert str(caught.value) == message
        return
    found = select_members(together, wanted, selection, excluded)
    assert found.containers == tuple(c for each in alone for c in each.containers)
    assert sum(each.rows for each in found.containers) == found.members.num_rows
    assert found.members == pa.concat_tables(each.members for each in alone)
