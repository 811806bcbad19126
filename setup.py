"""Packages both packages by name, with the configs inside, for pip and --setup_file."""

from setuptools import setup

setup(
    packages=[
        "beam_pipeline",
        "beam_pipeline.configs",
        "transforms",
        "transforms.formats",
    ],
    package_dir={"beam_pipeline.configs": "configs"},
    package_data={"beam_pipeline.configs": ["*.yaml", "imagenet2012/*"]},
)
