"""YAML as configs have it, and all that it can do besides."""

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.config import load_config, parse_assignment
from beam_pipeline.config.plain_yaml import _PlainLoader, read_mapping, read_yaml
from transforms.errors import ConfigError
from transforms.images.policy import ImagePolicy

LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "mine.yaml")
    return str(caught.value)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63) + 1, (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(PLAIN)
def test_plain_values_come_back(value: Any) -> None:
    text = yaml.dump(value, Dumper=_WithoutAliases)
    assert read_yaml(text, "mine.yaml") == value


class _WithoutAliases(yaml.SafeDumper):
    # What our own reading takes for more than text is put in quotes, and no more.
    yaml_implicit_resolvers = _PlainLoader.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True


# What words stand for in the core schema of YAML 1.2; as PyYAML reads them by YAML 1.1,
# those marked are something else.
WORDS = {
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
    "nUll": "nUll",
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "tRue": "tRue",
    "yes": "yes",  # true
    "No": "No",  # false
    "on": "on",  # true
    "OFF": "OFF",  # false
    "y": "y",
    "0": 0,
    "-0": 0,
    "224": 224,
    "0224": 224,  # 148
    "010": 10,  # 8
    "012": 12,  # 10
    "08": 8,  # text
    "-012": -12,  # -10
    "+12": 12,
    "1_000": "1_000",  # 1000
    "0o17": 15,  # text
    "0O17": "0O17",
    "0o18": "0o18",
    "-0o17": "-0o17",
    "0x1F": 31,
    "-0x1F": "-0x1F",  # -31
    "0x": "0x",
    "0b11": "0b11",  # 3
    "1:30": "1:30",  # 90
    "4:4:4": "4:4:4",  # 14644
    "1:30.5": "1:30.5",  # 90.5
    "12e3": 12000.0,  # text
    "1E+3": 1000.0,  # text
    "1.5e-3": 0.0015,
    "1.": 1.0,
    ".5": 0.5,
    "-.5": -0.5,
    "1_0.5": "1_0.5",  # 10.5
    "0.001": 0.001,
    "00.5": 0.5,
    ".": ".",
    "e3": "e3",
    "1e": "1e",
    ".inf": math.inf,
    "-.INF": -math.inf,
    ".iNf": ".iNf",
    "inf": "inf",
    "nan": "nan",
    "=": "=",  # an error
    "<<": "<<",  # an error
    "5.0.0": "5.0.0",
    "2012-09-10": "2012-09-10",
    "\u0663": "\u0663",  # a digit, in Arabic
}


@pytest.mark.parametrize(("word", "value"), WORDS.items(), ids=map(ascii, WORDS))
def test_words_are_read_by_yaml_1_2(word: str, value: object) -> None:
    items = [word, f"[{word}]", f"- {word}\n", f"{{a: {word}}}", f"a: {word} # b"]
    found = [read_yaml(text, "mine.yaml") for text in items]
    if word == "":  # an empty list has no item
        found[1] = [None]
    expected = [value, [value], [value], {"a": value}, {"a": value}]
    assert repr(found) == repr(expected)  # 1 is not 1.0 or True


def test_not_a_number_is_read_as_such() -> None:
    assert [repr(read_yaml(word, "x")) for word in (".nan", ".NaN")] == ["nan", "nan"]


def test_keys_are_text() -> None:
    text = "{on: 1, 010: 2, 5.10: 3, null: 4, true: 5, 1e3: 6, '7': 7}"
    assert read_yaml(text, "mine.yaml") == dict(
        zip(["on", "010", "5.10", "null", "true", "1e3", "7"], range(1, 8), strict=True)
    )


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("overwrite=yes", "overwrite should be true or false, not 'yes'."),
        ("dimensions=on", "dimensions should be true or false, not 'on'."),
        ("images.quality=1:30", "images.quality should be a whole number, not '1:30'."),
        (
            "images.shortest_side=1_000",
            "images.shortest_side should be a whole number, not '1_000'.",
        ),
        ("config=010", "config should be text, not 10. In quotes it is text."),
        (
            f"splits.train.subset.sha256={'1' * 9}e{'2' * 9}",
            "splits.train.subset.sha256 should be text, not inf. In quotes it is text.",
        ),
    ],
)
def test_words_of_another_kind_are_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("demo", dict([parse_assignment(assignment)]), {})
    assert str(caught.value) == f"--set {message}"


def test_numbers_are_as_they_are_written() -> None:
    given = ["images.policy=resize", "images.shortest_side=0224", "max_rejects=010"]
    given += ["images.quality=090", "images.subsampling=4:4:4"]
    config = load_config("demo", dict(map(parse_assignment, given)), {})
    assert config.images == ImagePolicy(
        policy="resize", shortest_side=224, quality=90, subsampling="4:4:4"
    )
    assert config.max_rejects == 10


@pytest.mark.parametrize("text", ["2012-09-10", "2012-99-99", "2012-09-10 12:00:00"])
def test_dates_are_text(text: str) -> None:
    assert read_yaml(text, "mine.yaml") == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(LAUGHS, "write out what *a stands for", id="billion-laughs"),
        pytest.param("a: &a [*a]", "write out what *a stands for", id="its-own-item"),
        pytest.param("a: &a {b: *a}", "write out what *a stands for", id="its-own-key"),
        pytest.param(
            "!!python/object/apply:os.mkdir [made]",
            "the tag tag:yaml.org,2002:python/object/apply:os.mkdir is not supported",
            id="object",
        ),
        *(
            pytest.param(
                f"a: !!{tag} {value}",
                f"the tag tag:yaml.org,2002:{tag} is not supported",
                id=f"{tag}-that-is-none",
            )
            for tag, value in {
                "int": "''",
                "bool": "x",
                "float": "x",
                "timestamp": "x",
                "binary": "é",
                "omap": "[a]",
            }.items()
        ),
        pytest.param("a: !own x", "the tag !own is not supported", id="own-tag"),
        pytest.param("[" * 30, "it is nested deeper than 20 times", id="deep"),
        pytest.param("[" * 100_000, "it is nested deeper than 20 times", id="deeper"),
        pytest.param("{a: " * 30, "it is nested deeper than 20 times", id="deep-keys"),
        pytest.param("? " * 30, "it is nested deeper than 20 times", id="deep-key"),
        pytest.param("9" * 5000, "Exceeds the limit (4300 digits)", id="digits"),
        pytest.param("0x" + "f" * 17, "a number has more than 64 bits", id="bits"),
        pytest.param("-" + "9" * 20, "a number has more than 64 bits", id="negative"),
        pytest.param(
            "version: 5.0.0\nname: a\nversion: 5.1.0",
            "the key version occurs twice",
            id="key-twice",
        ),
        pytest.param("a: {b: {1: 2, '1': 3}}", "the key 1 occurs twice", id="below"),
        pytest.param("? [a]\n: b", "while constructing a mapping", id="list-as-key"),
        pytest.param("a: b: c", "mapping values are not allowed here", id="malformed"),
        pytest.param("a: \0", "unacceptable character #x0000", id="nul"),
        pytest.param("a: \x1b[2J", "unacceptable character #x001b", id="escape"),
    ],
)
def test_more_than_plain_values_is_refused(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(text).startswith(f"mine.yaml is no YAML: {reason}")
    assert os.listdir(tmp_path) == []  # no object was loaded, nothing ran


def test_what_turns_text_around_is_escaped() -> None:
    message = refusal("a: {\u202eb: *c")
    assert message.endswith(r"a: {\u202eb: *c" + "\n            ^")


def test_a_text_of_megabytes_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: b\n")
    os.truncate(path, 10**11)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value) == f"{path} has more than 1,048,576 characters."


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: b\r\n")
    assert read_mapping(path) == {"a": "b"}


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from("ab:-? ,[]{}&*!|>'\"%@#\n0x1.e~<=\t"), max_size=30))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with suppress(ConfigError):
        read_yaml(text, "mine.yaml")


# --- What values a config can have ----------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "max_rejects: .nan", "max_rejects is nan: expected 0 or more.", id="nan"
        ),
        pytest.param(
            "max_rejects: .inf", "max_rejects is inf: expected 0 or more.", id="inf"
        ),
        pytest.param(
            "max_rejects: -.inf", "max_rejects is -inf: expected 0 or more.", id="-inf"
        ),
        pytest.param(
            r'version: "\e[2J"',
            r"Unknown version \x1b[2J. Known are: 5.0.0, 5.1.0.",
            id="escape-as-version",
        ),
        pytest.param(
            r'"\e[2J": 1', r"{path}: unknown key \x1b[2J. Known are: ", id="as-key"
        ),
        pytest.param(
            f"version: {'x' * 500_000}",
            f"Unknown version {'x' * 300}... (500,000 characters). Known are: ",
            id="long",
        ),
        pytest.param(
            f"formats: {{a: {'x' * 1000}}}",
            "{path}: formats should be a list, not {'a': '" + "x" * 293 + "... ",
            id="long-of-a-wrong-type",
        ),
        pytest.param(
            f"base: {'x' * 5000}",
            f"There is no configuration {'x' * 300}... (5,000 characters): it is ",
            id="base-that-no-file-can-have",
        ),
        pytest.param(
            r'base: "a\0b"', r"There is no configuration a\x00b: it is ", id="nul"
        ),
        *(
            pytest.param(text, f"{key} is '{name}': expected letters and ", id=name)
            for text, key, name in (
                ("config: ../../../x", "config", "../../../x"),
                ("name: /etc", "name", "/etc"),
                ("name: .hidden", "name", ".hidden"),
                ("name: ''", "name", ""),
                (r'config: "a\0b"', "config", r"a\x00b"),
                (r'name: "a\ud800"', "name", r"a\ud800"),
                ("version: ..\nversions: {..: [train]}", "version", ".."),
            )
        ),
        pytest.param(
            "splits: {a/b: {archives: [a], labels: none}}",
            "splits.a/b is 'a/b': expected letters and ",
            id="split",
        ),
        pytest.param(
            "splits: {train: {subset: {file: ../../x}}}",
            "The subset list '../../x' should be the name of a file beneath ",
            id="list",
        ),
    ],
)
def test_values_that_would_do_harm_are_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{'' if 'base:' in text else 'base: demo'}\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(str(path), {}, {})
    assert str(caught.value).startswith(message.replace("{path}", str(path)))
