"""What a folder on the Hugging Face hub has besides its data files.

``README.md`` is the card with a head in YAML by which ``datasets.load_dataset`` finds
configurations, splits and features (the hub's ``datasets-cards`` and ``datasets``'
``DatasetCardData``). A folder holds several configurations, built one at a time; the
README covers all whose manifests are there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from transforms.documents.card import card_markdown
from transforms.documents.facts import DatasetFacts, Description
from transforms.formats import KINDS, ConfigFacts

# The hub's names for numbers of examples, by what the number stays below.
_SIZE_CATEGORIES: Final = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M",
}


def hub_readme(
    facts: DatasetFacts,
    configs: Sequence[ConfigFacts],
    pattern: str,
    loaders: Mapping[str, Sequence[str]],
    figures: Mapping[str, str],
    typed: bool,
) -> str:
    """Returns the folder's ``README.md``.

    Args:
        facts: What is said of the dataset.
        configs: Its finished configurations, one at least, each in the subfolder of
            its name.
        pattern: The glob of the data files, such as ``*.parquet``.
        loaders: By configuration, the lines of Python that load it.
        figures: By configuration, the address of its figure; it may lack some.
        typed: Whether the files have columns, whose types the head then lists.
    """
    largest = max(sum(split.examples for split in c.splits) for c in configs)
    default = default_config(facts, configs)
    head: dict[str, Any] = {
        "pretty_name": facts.about.title,
        "license": "other",
        "license_name": _slug(facts.about.license.name),
        **({"license_link": url} if (url := facts.about.license.url) else {}),
        **_gate(facts.about),
        "task_categories": ["image-classification"],
        "tags": [_slug(word) for word in (facts.name, *facts.about.keywords)],
        "size_categories": [
            next(
                (name for n, name in _SIZE_CATEGORIES.items() if largest < n),
                "100M<n<1B",
            )
        ],
    }
    if typed:
        head["dataset_info"] = [_dataset_info(facts, config) for config in configs]
    head["configs"] = [
        {
            "config_name": config.name,
            **({"default": True} if config.name == default else {}),
            "data_files": data_files(config, pattern),
        }
        for config in configs
    ]
    written = yaml.safe_dump(
        head, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    card = card_markdown(facts, configs, loaders, figures, for_hub=True)
    return f"---\n{written}---\n\n{card}"


def default_config(facts: DatasetFacts, configs: Sequence[ConfigFacts]) -> str:
    """Returns the configuration to load where none is named."""
    names = [config.name for config in configs]
    return facts.default_config if facts.default_config in names else names[0]


def data_files(config: ConfigFacts, pattern: str) -> list[dict[str, str]]:
    """Returns where the README says that each split lies, beneath the folder."""
    return [
        {"split": split.name, "path": f"{config.name}/{split.name}-{pattern}"}
        for split in config.splits
    ]


def config_sizes(config: ConfigFacts) -> dict[str, Any]:
    """Returns the numbers that the README has of a configuration."""
    return {
        "splits": [
            {
                "name": split.name,
                "num_bytes": split.example_bytes,
                "num_examples": split.examples,
            }
            for split in config.splits
        ],
        "download_size": sum(f.size for split in config.splits for f in split.files),
        "dataset_size": sum(split.example_bytes for split in config.splits),
    }


def _dataset_info(facts: DatasetFacts, config: ConfigFacts) -> dict[str, Any]:
    """Returns what ``datasets`` calls the DatasetInfo of a configuration."""
    return {
        "config_name": config.name,
        "features": [
            {
                "name": feature.name,
                **KINDS[feature.kind].hub(facts.schema.class_names),
            }
            for feature in facts.schema.columns
        ],
        **config_sizes(config),
    }


def _gate(about: Description) -> dict[str, Any]:
    """Returns what the hub asks of people before it lets them in, once that is on."""
    if not about.license.terms:
        return {}
    return {
        "extra_gated_heading": f"{about.title}: accept the terms to get access",
        "extra_gated_prompt": " ".join(about.license.terms.split()),
        "extra_gated_fields": {
            f"I have read and accepted the terms at {about.license.url}": "checkbox",
            "I use the images as these terms allow": "checkbox",
        },
        "extra_gated_button_content": "Accept and ask for access",
    }


def _slug(name: str) -> str:
    """Returns a licence's name with the characters that the hub allows in it."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
