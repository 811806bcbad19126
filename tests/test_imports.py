"""The shape of the code: imports go one way, and modules stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in ("transforms", "beam_pipeline")
    for path in sorted((ROOT / package).rglob("*.py"))
}

# A module imports from those before it alone. Formats do not know each other.
LADDER = (
    "errors",
    "fields",
    "uris",
    "backend",
    "direct",
    "local",
    "remote",
    "gcs",
    "arrow_fs",
    "storage",
    "leases",
    "claims",
    "tar_header",
    "tar_end",
    "tar",
    "links",
    "archives",
    "index_proof",
    "saved_index",
    "index",
    "order",
    "lists",
    "labels",
    "label_files",
    "subset_lines",
    "subsets",
    "kinds",
    "examples",
    "facts",
    "pillow",
    "figure",
    "card",
    "croissant",
    "hub",
    "tfds",
    "image_metadata",
    "jpeg",
    "jpeg_metadata",
    "png",
    "png_metadata",
    "header",
    "formats.*",
    "formats",
    "histograms",
    "duplicates",
    "pixels",
    "statistics",
    "counted",
    "policy",
    "manifest",
    "resizing",
    "codecs",
    "inspection",
    "inspection",
    "images",
    "thumbnails",
    "plots",
    "page",
    "panels",
    "report",
    "output",
    "sharding",
    "partition_faults",
    "partition",
    "split_faults",
    "completeness",
    "layout",
    "plan",
    "members",
    "progress",
    "estimate",
    "reports",
    "shards",
    "tally",
    "quarantine",
    "review",
    "documents",
    "metadata",
    "findings",
    "holdings",
    "agreement",
    "inventory",
    "verification",
    "comparison",
    "archived",
    "conclusion",
)
PURE = {
    *(
        "errors",
        "fields",
        "uris",
        "backend",
        "direct",
        "local",
        "remote",
        "gcs",
        "arrow_fs",
        "storage",
        "leases",
        "claims",
        "tar_header",
        "tar_end",
        "tar",
        "links",
        "archives",
        "index_proof",
        "saved_index",
        "order",
        "lists",
        "labels",
        "label_files",
        "subset_lines",
        "examples",
    ),
    *("facts", "kinds", "figure", "card", "croissant", "hub", "tfds"),
    *("header", "histograms", "duplicates", "pixels", "statistics", "counted"),
    *(
        "thumbnails",
        "plots",
        "page",
        "panels",
        "report",
        "image_metadata",
        "jpeg",
        "jpeg_metadata",
        "png",
        "png_metadata",
        "policy",
        "manifest",
        "resizing",
        "codecs",
    ),
    *("inspection", "images", "formats.*", "formats", "output", "sharding", "progress"),
    *("partition_faults", "partition", "split_faults", "completeness", "layout"),
    *("findings", "holdings", "agreement", "inventory", "comparison"),
}
LONGEST = 360  # lines


def module_name(name: str) -> str:
    return name.removesuffix(".__init__")


def rung(name: str) -> str:
    """Returns a module's name on the ladder."""
    below = module_name(name).removeprefix("transforms.")
    return "formats.*" if below.startswith("formats.") else below


def imported(path: Path) -> set[str]:
    """Returns the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            # ``from transforms import storage`` names a module behind the import.
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {module_name(name) for name in MODULES}
            found |= (below & known) or {node.module}
    return found


TRANSFORMS = [name for name in MODULES if module_name(name).startswith("transforms.")]


def test_all_modules_are_found() -> None:
    assert {rung(name) for name in TRANSFORMS} == set(LADDER)
    assert imported(MODULES["transforms.index"]) >= {
        "apache_beam",
        "transforms.saved_index",
        "transforms.archives",
    }


@pytest.mark.parametrize("name", [name for name in MODULES if "transforms" in name])
def test_transforms_do_not_know_the_program(name: str) -> None:
    assert not {m for m in imported(MODULES[name]) if m.startswith("beam_pipeline")}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_modules_import_from_earlier_steps_alone(name: str) -> None:
    allowed = LADDER[: LADDER.index(rung(name))]
    ours = {m for m in imported(MODULES[name]) if m.startswith("transforms")}
    assert {rung(module) for module in ours} <= set(allowed)


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if rung(n) in PURE])
def test_pure_modules_know_no_beam(name: str) -> None:
    assert not {m for m in imported(MODULES[name]) if m.startswith("apache_beam")}


@pytest.mark.parametrize("name", MODULES)
def test_modules_are_short(name: str) -> None:
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize(
    "path",
    sorted(path for path in [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_annotations_are_evaluated(path: Path) -> None:
    # Beam reads them to type its elements, so they may not be strings.
    assert "__future__" not in imported(path)
