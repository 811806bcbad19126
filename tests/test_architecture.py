"""The shape of the code: five rules, each a short test. See docs/architecture.md."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from transforms.formats import FORMATS
from transforms.formats.kinds import KINDS
from transforms.images.policy import Policy
from transforms.storage.files import SCHEMES

ROOT = Path(__file__).parents[1]

# A room imports from those before it alone.
ROOMS = {
    "transforms": (
        *("storage", "images", "archives", "formats", "planning"),
        *("statistics", "shards", "documents", "verification"),
    ),
    "beam_pipeline": ("engines", "config", "inputs", "console"),
}
# Everybody may import these; they import nothing of ours but each other.
GROUND = (
    *("transforms.errors", "transforms.fields", "transforms.counters"),
    *("transforms.doors", "transforms.extras"),
    "transforms.cores",
)
# What the order alone would allow.
FORBIDDEN = {
    ("images", "storage"),
    ("statistics", "storage"),
    ("statistics", "archives"),
    ("statistics", "planning"),
    ("planning", "images"),
    ("documents", "planning"),
    ("config", "engines"),
    ("inputs", "engines"),
}
# Where names of a table's rows may be compared.
TABLES = {
    "formats": frozenset(FORMATS) | frozenset(KINDS),
    "images": frozenset(get_args(Policy)),
    # «file» is a scheme and a common word.
    "storage": frozenset(SCHEMES) - {"", "file"}
    | {f"{scheme}://" for scheme in SCHEMES if scheme},
}
LONGEST_MODULE = 360  # lines
LONGEST_FUNCTION = 60  # lines
MOST_MODULES = 12  # of a room


@dataclass(frozen=True, slots=True)
class Module:
    """One file of ours.

    Attributes:
        name: Its dotted name; of a door, the room's.
        text: Its source.
        is_door: Whether it is a package's ``__init__.py``.
    """

    name: str
    text: str
    is_door: bool = False

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def room(self) -> str:
        """The room; empty for what lies beside the rooms."""
        names = self.name.split(".")
        return names[1] if len(names) > 1 and names[1] in ROOMS[names[0]] else ""


Modules = dict[str, Module]


def _read_modules() -> Modules:
    found = {}
    for package in ROOMS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_door = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_door else parts)
            found[name] = Module(name, path.read_text(encoding="utf-8"), is_door)
    return found


MODULES = _read_modules()


@cache
def _imports(module: Module) -> tuple[str, ...]:
    """Returns what a module imports, wherever in it, as dotted names."""
    found = []
    for node in ast.walk(ast.parse(module.text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name} imports relatively"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


def _ours(module: Module, modules: Modules) -> Iterator[Module]:
    """Yields the modules of ours that a module imports, or imports names from."""
    for name in _imports(module):
        source = modules.get(name) or modules.get(name.rpartition(".")[0])
        if source is not None and source.name not in (module.name, module.package):
            yield source


def _may_import(module: Module, source: Module) -> bool:
    if module.name in GROUND:
        return source.name in GROUND
    if source.name in GROUND or not module.room:
        return module.package == "beam_pipeline" or source.package == "transforms"
    if module.package != source.package:
        return module.package == "beam_pipeline"
    rooms = ROOMS[module.package]
    return (
        source.room in rooms
        and rooms.index(source.room) <= rooms.index(module.room)
        and (module.room, source.room) not in FORBIDDEN
    )


def wrong_directions(modules: Modules) -> list[str]:
    """Rule 1: rooms import from those above them alone."""
    return [
        f"{module.name} imports {source.name}"
        for module in modules.values()
        for source in _ours(module, modules)
        if not _may_import(module, source)
    ]


def cycles(modules: Modules) -> list[str]:
    """Rule 1: nor do modules import each other."""
    graph = {
        module.name: {
            source.name for source in _ours(module, modules) if not source.is_door
        }
        for module in modules.values()
        if not module.is_door
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" > ".join(error.args[1])]
    return []


# Of a room, what the door does not hand on, for it loads Beam; and who takes it.
_SIDE_ENTRANCE = re.compile(
    r"transforms\.\w+\.steps|beam_pipeline\.engines\.(runners|dataflow)"
)
_RUNS_PIPELINES = {
    *("beam_pipeline.pipeline", "beam_pipeline.build", "beam_pipeline.dry_run"),
    *("beam_pipeline.reread", "beam_pipeline.console.command"),
}


def side_entrances(modules: Modules) -> list[str]:
    """Rule 2: other rooms are entered by their doors."""
    return [
        f"{module.name} imports {source.name}"
        for module in modules.values()
        for source in _ours(module, modules)
        if source.room
        and (source.package, source.room) != (module.package, module.room)
        and not source.is_door
        and not (
            module.name in _RUNS_PIPELINES and _SIDE_ENTRANCE.fullmatch(source.name)
        )
    ]


# One sentence, and names that are imported when they are first used.
_DOOR = r"""\"{3}[^\n]*\"{3}
(
from typing import TYPE_CHECKING

from transforms\.doors import lazy

if TYPE_CHECKING:
(    from %s\.[\w.]+ import (\w+(, \w+)*|\(
(        \w+,
)+    \))
)+else:
    __getattr__ = lazy\(__name__\)

__all__ = \[[^\]]*\]
)?"""


def cluttered_doors(modules: Modules) -> list[str]:
    """Rule 2: a door is a sentence and a list of names."""
    return [
        f"{module.name} holds more than a sentence and names"
        for module in modules.values()
        if module.is_door
        and module.room
        and not re.fullmatch(_DOOR % re.escape(module.name), module.text)
    ]


def beam_outside_steps(modules: Modules) -> list[str]:
    """Rule 3: of a step's room, ``steps.py`` alone knows Beam."""
    return [
        f"{module.name} imports {name}"
        for module in modules.values()
        for name in _imports(module)
        if module.package == "transforms"
        and not module.name.endswith(".steps")
        and name.partition(".")[0] == "apache_beam"
    ]


def _compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields texts that something is compared with, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("startswith", "endswith", "removeprefix")
        ):
            parts = list(node.args)
        else:
            continue
        for part in parts:
            among = part.elts if isinstance(part, ast.Tuple | ast.Set) else [part]
            for one in among:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.lineno, one.value


def names_outside_tables(modules: Modules) -> list[str]:
    """Rule 4: no other room asks which format, kind, policy or scheme it has."""
    return [
        f"{module.name}, line {line}, compares with {text!r} of {room}"
        for module in modules.values()
        for line, text in _compared(ast.parse(module.text))
        for room, names in TABLES.items()
        if text in names and (module.package, module.room) != ("transforms", room)
    ]


def too_large(modules: Modules) -> list[str]:
    """Rule 5: modules, functions and rooms are small."""
    found = []
    rooms: dict[str, int] = {}
    for module in modules.values():
        lines = len(module.text.splitlines())
        if lines > LONGEST_MODULE:
            found.append(f"{module.name} has {lines} lines")
        for node in ast.walk(ast.parse(module.text)):
            # A parser's function is a table of flags.
            if isinstance(node, ast.FunctionDef) and node.name != "make_parser":
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    found.append(f"{module.name}.{node.name} has {lines} lines")
        if module.room and not module.is_door:
            below = module.name.rpartition(".")[0]
            rooms[below] = rooms.get(below, 0) + 1
    found += [
        f"{room} has {number} modules"
        for room, number in rooms.items()
        if number > MOST_MODULES
    ]
    return found


RULES: tuple[Callable[[Modules], list[str]], ...] = (
    *(wrong_directions, cycles, side_entrances, cluttered_doors),
    *(beam_outside_steps, names_outside_tables, too_large),
)


_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def patched_constants(name: str, text: str) -> list[str]:
    """Returns where a test sets a constant of ours that it should pass."""
    tree = ast.parse(text)
    ours = {
        alias.asname or alias.name.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).partition(".")[0] in ROOMS
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in ("setattr", "object", "patch") or not node.args:
            continue
        target = ast.unparse(node.args[0]).strip("\"'")
        owner, _, constant = target.rpartition(".")
        if node.func.attr != "patch" and not isinstance(node.args[0], ast.Constant):
            owner, constant = target, ast.unparse(node.args[1]).strip("\"'")
        is_ours = owner.partition(".")[0] in {*ROOMS, *ours}
        if is_ours and _CONSTANT.fullmatch(constant):
            found.append(f"{name} sets {owner}.{constant}")
    return found


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ('patch.setattr(progress, "LINE_EVERY", 0)', "progress.LINE_EVERY"),
        ('patch.setattr(b.gcs, "_RETRY", 0)', "b.gcs._RETRY"),
        ('mock.patch.object(progress, "LINE_EVERY", 0)', "progress.LINE_EVERY"),
        ('patch.setattr("transforms.x.MOST_2", 0)', "transforms.x.MOST_2"),
        ('mock.patch("transforms.x.MOST", 0)', "transforms.x.MOST"),
        ('patch.setattr(progress, "add_up", 0)', ""),
        ('patch.setattr("ctypes.CDLL", 0)', ""),
        ('patch.setattr(os, "O_DIRECT", 0)', ""),
    ],
)
def test_a_patched_constant_is_seen(call: str, found: str) -> None:
    imports = "import os\nfrom beam_pipeline.console import progress\n"
    text = f"{imports}import transforms.storage as b\n{call}\n"
    assert patched_constants("t", text) == ([f"t sets {found}"] if found else [])


def test_no_test_sets_a_constant_that_it_could_pass() -> None:
    assert [
        each
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for each in patched_constants(path.name, path.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rules(rule: Callable[[Modules], list[str]]) -> None:
    assert rule(MODULES) == []


@pytest.mark.parametrize(
    ("rule", "planted", "found"),
    [
        pytest.param(
            wrong_directions,
            Module(
                "transforms.storage.planted", "from transforms.images import Header"
            ),
            "transforms.storage.planted imports transforms.images",
            id="upwards",
        ),
        pytest.param(
            wrong_directions,
            Module("transforms.images.planted", "from transforms import storage"),
            "transforms.images.planted imports transforms.storage",
            id="forbidden",
        ),
        pytest.param(
            wrong_directions,
            Module("transforms.shards.planted", "import beam_pipeline.run"),
            "transforms.shards.planted imports beam_pipeline.run",
            id="the-program",
        ),
        pytest.param(
            cycles,
            Module("transforms.fields", "from transforms.errors import printable"),
            "",
            id="no-cycle",
        ),
        pytest.param(
            cycles,
            Module("transforms.errors", "from transforms.fields import convert"),
            "transforms.errors > transforms.fields > transforms.errors",
            id="cycle",
        ),
        pytest.param(
            side_entrances,
            Module(
                "transforms.shards.planted",
                "from transforms.images.header import read_header",
            ),
            "transforms.shards.planted imports transforms.images.header",
            id="side-entrance",
        ),
        pytest.param(
            side_entrances,
            Module(
                "beam_pipeline.inputs.planted",
                "from transforms.shards.steps import BuildShards",
            ),
            "beam_pipeline.inputs.planted imports transforms.shards.steps",
            id="steps",
        ),
        pytest.param(
            cluttered_doors,
            Module("transforms.shards", '"""A sentence."""\nLIMIT = 3', is_door=True),
            "transforms.shards holds more than a sentence and names",
            id="door",
        ),
        pytest.param(
            beam_outside_steps,
            Module("transforms.shards.planted", "import apache_beam as beam"),
            "transforms.shards.planted imports apache_beam",
            id="beam",
        ),
        pytest.param(
            names_outside_tables,
            Module("transforms.shards.planted", 'x = name == "webdataset"'),
            "transforms.shards.planted, line 1, compares with 'webdataset' of formats",
            id="compared",
        ),
        pytest.param(
            names_outside_tables,
            Module(
                "transforms.shards.planted",
                'match x:\n    case "resize":\n        pass',
            ),
            "transforms.shards.planted, line 2, compares with 'resize' of images",
            id="matched",
        ),
        pytest.param(
            names_outside_tables,
            Module("transforms.shards.planted", 'x = uri.startswith("gs://")'),
            "transforms.shards.planted, line 1, compares with 'gs://' of storage",
            id="begins",
        ),
        pytest.param(
            too_large,
            Module("transforms.shards.planted", "pass\n" * (LONGEST_MODULE + 1)),
            f"transforms.shards.planted has {LONGEST_MODULE + 1} lines",
            id="module",
        ),
        pytest.param(
            too_large,
            Module(
                "transforms.shards.planted",
                "def long():\n" + "    pass\n" * LONGEST_FUNCTION,
            ),
            f"transforms.shards.planted.long has {LONGEST_FUNCTION + 1} lines",
            id="function",
        ),
    ],
)
def test_an_offence_is_found(
    rule: Callable[[Modules], list[str]], planted: Module, found: str
) -> None:
    assert rule(MODULES | {planted.name: planted}) == ([found] if found else [])


def test_a_crowded_room_is_found() -> None:
    names = [f"transforms.planted.m{i}" for i in range(MOST_MODULES + 1)]
    crowd = {name.replace("planted", "shards"): name for name in names}
    modules = {name: Module(name, "") for name in crowd}
    assert too_large(modules) == [f"transforms.shards has {MOST_MODULES + 1} modules"]


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for package in ("transforms", "beam_pipeline", "tests", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
    ),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_annotations_are_evaluated(path: Path) -> None:
    # Beam reads them to type its elements, so they may not be strings.
    assert "from __future__" not in path.read_text(encoding="utf-8").replace(
        '"from __future__"', ""
    )


def _loaded_by(module: str) -> set[str]:
    """Returns the modules that are there after one is imported, in a new process."""
    output = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(output.split())


def test_formats_load_neither_beam_nor_clients_nor_markdown() -> None:
    loaded = _loaded_by("transforms.formats.parquet, transforms.formats.webdataset")
    assert not loaded & {"apache_beam", "google.cloud.storage", "markdown_it"}
    assert {"pyarrow.parquet", "transforms.formats.format"} <= loaded


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended.

    Attributes:
        code: Its exit code.
        output: What it printed; the last lines of its standard error are its own.
        loaded: The modules that it imported.
    """

    code: int
    output: str
    loaded: set[str]


def _run(*arguments: str) -> Ended:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines()}
    assert "argparse" in loaded
    return Ended(found.returncode, found.stdout + found.stderr, loaded)


@pytest.mark.parametrize("command", ["run", "verify"])
@pytest.mark.parametrize(
    ("flag", "code", "message"),
    [
        ("--help", 0, "usage: python -m beam_pipeline."),
        ("--config", 2, "argument --config: expected one argument"),
    ],
)
def test_flags_are_checked_before_anything_large_is_loaded(
    command: str, flag: str, code: int, message: str
) -> None:
    ended = _run(f"beam_pipeline.{command}", flag)
    assert (ended.code, message in ended.output) == (code, True)
    assert not ended.loaded & {"numpy", "pyarrow", "PIL", "apache_beam"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--config", "no-such"], "There is no configuration no-such"),
        (["run", "--config", "1pct", "--format", "csv"], "Unknown format csv"),
        (
            ["run", "--config", "1pct", "--set", "images.policy=none"],
            "--set images.policy: Unknown images.policy none.",
        ),
        (
            ["run", "--config", "1pct", "--set", "subset.per_class=0"],
            "--set subset.per_class",
        ),
        (["verify", "/", "--set", "a"], "--set a: expected key=value."),
    ],
)
def test_a_configuration_is_checked_before_anything_large_is_loaded(
    arguments: list[str], message: str
) -> None:
    command, *others = arguments
    ended = _run(f"beam_pipeline.{command}", *others)
    assert (ended.code, f"error: {message}" in ended.output) == (2, True)
    assert not ended.loaded & {
        *("apache_beam", "PIL", "numpy", "pyarrow", "transforms.formats.parquet"),
    }


def test_a_door_has_the_names_it_lists_and_no_others() -> None:
    for name in [name for name, each in MODULES.items() if each.is_door and each.room]:
        door = import_module(name)
        for listed in getattr(door, "__all__", []):
            assert getattr(door, listed) is not None
        with pytest.raises(AttributeError, match=f"module '{name}' has no attribute"):
            _ = door.no_such_name
