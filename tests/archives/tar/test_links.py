"""What links lead to: the bytes that ``tarfile`` and GNU tar give, or a reason."""

import io
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.oracles import check_links, walk
from transforms.archives.tar.links import HARD, SYMBOLIC, Lead, follow_links
from transforms.archives.tar.members import TarMember

REGULAR, LINK, SYMLINK = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
Entry = tuple[str, bytes, str]  # name, kind and target


def pack(entries: list[Entry]) -> bytes:
    """Returns a tar in which each file holds its own position."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for position, (name, kind, target) in enumerate(entries):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            content = b"%d" % position if kind == REGULAR else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def follow(*entries: Entry) -> dict[int, Lead]:
    return follow_links(walk(pack(list(entries))))


@pytest.mark.parametrize(
    ("entries", "ends"),
    [
        pytest.param([("a", REGULAR, ""), ("b", LINK, "a")], {1: 0}, id="hard"),
        pytest.param([("a", REGULAR, ""), ("b", SYMLINK, "a")], {1: 0}, id="symbolic"),
        pytest.param([("b", SYMLINK, "a"), ("a", REGULAR, "")], {0: 1}, id="forward"),
        pytest.param(
            [
                ("a", REGULAR, ""),
                ("b", LINK, "a"),
                ("c", LINK, "b"),
                ("d", SYMLINK, "c"),
            ],
            {1: 0, 2: 0, 3: 0},
            id="chain",
        ),
        pytest.param(
            [("./d/a", REGULAR, ""), ("b", LINK, "d//a"), ("d/c", SYMLINK, "./a")],
            {1: 0, 2: 0},
            id="other-spellings",
        ),
        pytest.param(
            [("pool/a", REGULAR, ""), ("n01/a", SYMLINK, "../pool/a")],
            {1: 0},
            id="another-directory",
        ),
        pytest.param(
            [
                ("a", REGULAR, ""),
                ("b", LINK, "a"),
                ("a", REGULAR, ""),
                ("c", LINK, "a"),
            ],
            {1: 0, 3: 2},
            id="hard-to-the-one-before",
        ),
        pytest.param(
            [("a", REGULAR, ""), ("b", SYMLINK, "a"), ("a", REGULAR, "")],
            {1: 2},
            id="symbolic-to-the-last",
        ),
        pytest.param(
            [("a", REGULAR, ""), ("s", SYMLINK, "a"), ("h", LINK, "s")],
            {1: 0, 2: 0},
            id="hard-to-symbolic",
        ),
        pytest.param(
            [("d", tarfile.DIRTYPE, ""), ("b", SYMLINK, "d")], {1: 0}, id="directory"
        ),
        pytest.param(
            [("p", tarfile.FIFOTYPE, ""), ("b", LINK, "p")], {1: 0}, id="fifo"
        ),
        pytest.param(
            [("a", REGULAR, ""), ("a", LINK, "a")], {1: 0}, id="hard-to-its-own-name"
        ),
    ],
)
def test_a_link_stands_for_what_it_leads_to(
    entries: list[Entry], ends: dict[int, int]
) -> None:
    members = walk(pack(entries))
    assert follow_links(members) == {
        position: Lead(members[end]) for position, end in ends.items()
    }


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        pytest.param(
            [("a", LINK, "b"), ("b", REGULAR, "")],
            "which does not come before it in the tar",
            id="hard-forward",
        ),
        pytest.param(
            [("a", LINK, "c"), ("b", REGULAR, "")],
            "which does not come before it in the tar",
            id="hard-nowhere",
        ),
        pytest.param([("a", SYMLINK, "c")], "which is not in the tar", id="symbolic"),
        pytest.param(
            [("d/a", SYMLINK, "d/b"), ("d/b", REGULAR, "")],
            "which is not in the tar",
            id="symbolic-from-its-directory",
        ),
        pytest.param([("a", SYMLINK, "")], "which is not in the tar", id="empty"),
        *(
            pytest.param(
                [("b", REGULAR, ""), ("d/a", kind, target)],
                "which lies outside of the tar",
                id=f"{target}-{kind.decode()}",
            )
            for kind in (LINK, SYMLINK)
            for target in ("/b", "../../b", "x/../../../b", "../..")
        ),
        pytest.param([("a", SYMLINK, "a")], "which leads back to it", id="itself"),
        pytest.param(
            [("a", SYMLINK, "b"), ("b", SYMLINK, "c"), ("c", SYMLINK, "b")],
            "which leads back to it",
            id="circle",
        ),
        pytest.param(
            [("d/a", REGULAR, ""), ("d/s", SYMLINK, "a"), ("h", LINK, "d/s")],
            "which is a symbolic link of another directory",
            id="hard-to-symbolic-elsewhere",
        ),
    ],
)
def test_a_link_that_leads_nowhere_has_a_reason(
    entries: list[Entry], fault: str
) -> None:
    found = follow(*entries)
    links = [i for i, (_, kind, _) in enumerate(entries) if kind != REGULAR]
    assert sorted(found) == links
    faults = [lead.fault for lead in found.values() if lead.member is None]
    assert set(faults) == {fault}


def test_a_directory_without_a_header_of_its_own_is_one() -> None:
    leads = follow(("d/e/a", REGULAR, ""), ("s", SYMLINK, "d"), ("d/t", SYMLINK, ".."))
    assert leads == {
        1: Lead(TarMember("d", 0, 0, "directory")),
        2: Lead(TarMember(".", 0, 0, "directory")),
    }


def test_a_chain_of_any_length_is_followed_once() -> None:
    count = 50_000
    members = [
        TarMember("0", 512, 1, "file"),
        *(TarMember(f"{i}", 0, 0, HARD, f"{i - 1}") for i in range(1, count)),
        *(
            TarMember(f"{i}", 0, 0, SYMBOLIC, f"{i + 1}")
            for i in range(count, 2 * count)
        ),
    ]
    leads = follow_links(members)
    assert leads[count - 1] == Lead(members[0])
    assert leads[count] == Lead(None, "which is not in the tar")


# --- The same as others ---------------------------------------------------------------

NAMES = ["a", "b", "d/a", "d/b", "e/a", "./b", "d/../a"]
TARGETS = [*NAMES, "../a", "../e/a", "/a", "../../a", "d", "nothing", ".", "./d//a"]
ENTRIES = st.tuples(
    st.sampled_from(NAMES),
    st.sampled_from([REGULAR, REGULAR, LINK, SYMLINK, tarfile.FIFOTYPE]),
    st.sampled_from(TARGETS),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(ENTRIES, max_size=8))
def test_links_have_the_bytes_that_tarfile_gives(entries: list[Entry]) -> None:
    check_links(pack(entries))


# A target with ".." after a name that is no directory is found by its letters alone, as
# tarfile does; a folder has no way through it.
@settings(deadline=None, max_examples=40)
@given(
    st.lists(ENTRIES, max_size=8, unique_by=lambda e: e[0]).map(
        lambda entries: [e for e in entries if "." not in e[0] and "d/.." not in e[2]]
    )
)
def test_links_have_the_bytes_that_gnu_tar_unpacks(entries: list[Entry]) -> None:
    data = pack(entries)
    members = walk(data)
    with TemporaryDirectory() as directory:
        subprocess.run(  # which fails at links that lead nowhere, and goes on
            ["tar", "-xf", "-", "-C", directory],
            input=data,
            check=False,
            stderr=subprocess.DEVNULL,
        )
        for position, lead in follow_links(members).items():
            path = Path(directory, members[position].name)
            if lead.member is not None and lead.member.kind == "file":
                start = lead.member.offset
                expected = data[start : start + lead.member.size]
                assert path.read_bytes() == expected
            elif path.is_file():
                assert lead.fault in (
                    "which lies outside of the tar",
                    "which is a symbolic link of another directory",
                )
