"""Packages the code and the configs by name, for pip and --setup_file."""

from pathlib import Path

from setuptools import find_packages, setup

_CONFIGS = Path(__file__).parent / "configs"
_FOLDERS = sorted(
    ".".join(path.relative_to(_CONFIGS).parts)
    for path in _CONFIGS.rglob("*")
    if path.is_dir()
)

setup(
    packages=[
        *find_packages(include=["beam_pipeline*", "transforms*"]),
        "beam_pipeline.configs",
        *(f"beam_pipeline.configs.{name}" for name in _FOLDERS),
    ],
    package_dir={"beam_pipeline.configs": "configs"},
    package_data={
        "beam_pipeline.configs": ["*.bib", "*.yaml"],
        **{f"beam_pipeline.configs.{name}": ["*"] for name in _FOLDERS},
    },
)
