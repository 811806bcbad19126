"""Whether the documents of a dataset can be read and agree with the manifest."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from transforms import storage
from transforms.documents import (
    SHARED,
    Manifest,
    config_sizes,
    data_files,
    decode_manifest,
)
from transforms.errors import StorageError
from transforms.formats import (
    FEATURES,
    MANIFEST,
    ConfigFacts,
    Schema,
    features_of_tfds,
    tfds_feature,
)
from transforms.verification.directory import README, Documents

LABELS: Final = ".labels.txt"  # how the names of lists of classes end

_CROISSANT: Final = "croissant.json"
_FEATURES: Final = "features.json"
_FENCE: Final = "---\n"


def check_hashes(here: Documents, manifest: Manifest) -> None:
    """Compares the documents of a manifest's directory with their hashes."""
    for name, expected in manifest.documents.items():
        if not name.startswith(SHARED):
            here.check_hash(name, [expected])


def check_shared_hashes(root: Documents, manifests: Sequence[Manifest]) -> None:
    """Compares the documents of a folder with the hashes of its configurations.

    Each configuration wrote them when it was built, the last one as they are now. Where
    an earlier version wrote a manifest, that may have been the last one.

    Args:
        root: The folder.
        manifests: Those of all its configurations.
    """
    if not all(manifest.documents for manifest in manifests):
        return
    names = {name for manifest in manifests for name in manifest.documents}
    for name in sorted(name for name in names if name.startswith(SHARED)):
        known = [m.documents[name] for m in manifests if name in m.documents]
        root.check_hash(name.removeprefix(SHARED), list(dict.fromkeys(known)))


def read_neighbours(root: Documents, seen: set[str]) -> list[Manifest | None]:
    """Returns the manifests of a folder's other configurations."""
    found: list[Manifest | None] = []
    for name in sorted(root.names):
        directory = storage.join(root.directory, name)
        uri = storage.join(directory, MANIFEST)
        if directory not in seen and storage.exists(uri):
            try:
                found.append(decode_manifest(storage.read_bytes(uri), uri))
            except StorageError:  # a verification of that configuration reports it
                found.append(None)
    return found


def check_features(here: Documents, schema: Schema) -> None:
    """Compares TFDS's ``features.json`` with what records have."""
    if (found := here.read_json(_FEATURES)) is not None:
        features = {
            each.name: tfds_feature(each, each.kind, schema.class_names)
            for each in schema.features
        }
        here.compare(_FEATURES, {"featuresDict": {"features": features}}, found)


def read_schema(here: Documents) -> Schema:
    """Returns what the records of a directory have that TFDS built.

    What is not told by its documents is taken to be as it is of ImageNet.
    """
    found = (here.read_json(_FEATURES) or {}).get("featuresDict")
    try:
        features = features_of_tfds(dict((found or {})["features"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        features = FEATURES
    names: tuple[str, ...] = ()
    for feature in Schema((), features=features).labelled:
        if (labels := here.read_text(f"{feature.name}{LABELS}")) is not None:
            names = tuple(labels.splitlines())
    schema = Schema(names, features=features)
    if names:
        check_features(here, schema)
    return schema


def check_hub_folder(
    root: Documents,
    configs: Mapping[str, ConfigFacts],
    class_names: Sequence[str],
    pattern: str,
    typed: bool,
) -> None:
    """Compares what a hub folder says of its configurations with their manifests.

    Args:
        root: The folder.
        configs: Its configurations.
        class_names: The classes of all of them.
        pattern: The glob of the data files.
        typed: Whether the README lists columns and sizes, and Croissant is there.
    """
    head = _read_head(root)
    if head is not None:
        listed = _by_key("config_name", head.get("configs"))
        for name in sorted(listed.keys() - configs.keys()):
            root.add(README, f"It lists {name}, which has no manifest in its folder.")
        sizes = _by_key("config_name", head.get("dataset_info"))
        for name, config in configs.items():
            files = data_files(config, pattern)
            root.compare(README, {name: {"data_files": files}}, listed)
            if typed:
                root.compare(README, {name: config_sizes(config)}, sizes)
    if typed and (found := root.read_json(_CROISSANT)) is not None:
        sets = _by_key("@id", found.get("recordSet"))
        classes = [
            {"classes/label": label, "classes/name": name}
            for label, name in enumerate(class_names)
        ]
        expected = {"classes": {"data": classes}} | {
            name: {"name": name} for name in configs
        }
        root.compare(_CROISSANT, expected, sets)


def _read_head(root: Documents) -> dict[str, Any] | None:
    """Returns what the YAML at the beginning of the README holds, or None."""
    if (text := root.read_text(README)) is None:
        return None
    parts = text.split(_FENCE, 2)
    try:
        head = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError as error:
        root.add(README, f"The YAML at its beginning can't be read: {error}.")
        return None
    if not isinstance(head, dict):
        root.add(README, "It does not begin with the YAML that loaders read.")
        return None
    return head


def _by_key(key: str, entries: Any) -> dict[str, Any]:
    """Returns the objects of a list by what they have under a key."""
    if not isinstance(entries, list):
        return {}
    return {str(entry.get(key)): entry for entry in entries if isinstance(entry, dict)}
