"""One command for all of them."""

import sys

import pytest

from beam_pipeline import __main__, demo


def test_a_command_gets_the_arguments_and_gives_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = []

    def command(arguments: list[str]) -> int:
        given.append(arguments)
        return 7

    monkeypatch.setattr(demo, "main", command)
    monkeypatch.setattr(sys, "argv", ["imagenet2012-subset", "demo", "here", "--x"])
    assert __main__.main() == 7
    assert given == [["here", "--x"]]


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_without_a_command_all_are_listed(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["imagenet2012-subset", *arguments])
    assert __main__.main() == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == "usage: imagenet2012-subset COMMAND ..."
    assert [line.split()[0] for line in listed[2:5]] == ["run", "verify", "demo"]


def test_a_typing_error_is_a_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["imagenet2012-subset", "verfy"])
    assert __main__.main() == 2
    assert capsys.readouterr() == (
        "",
        "error: Unknown command verfy. Did you mean verify?\n",
    )
