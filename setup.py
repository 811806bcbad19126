"""Packages both packages by name, with the configs inside, for pip and --setup_file."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["beam_pipeline*", "transforms*"]),
        "beam_pipeline.configs",
    ],
    package_dir={"beam_pipeline.configs": "configs"},
    package_data={"beam_pipeline.configs": ["*.yaml", "imagenet2012/*"]},
)
