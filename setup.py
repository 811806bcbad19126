"""Packages the code and the configs by name, for pip and --setup_file."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["beam_pipeline*", "transforms*"]),
        "beam_pipeline.configs",
        "beam_pipeline.configs.imagenet2012",
        "beam_pipeline.configs.imagenet2012.classes",
    ],
    package_dir={"beam_pipeline.configs": "configs"},
    package_data={
        "beam_pipeline.configs": ["*.bib", "*.yaml"],
        "beam_pipeline.configs.imagenet2012": ["*"],
        "beam_pipeline.configs.imagenet2012.classes": ["*"],
    },
)
