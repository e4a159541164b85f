"""YAML files of settings: the one reader of `--config` and of a run's config.yaml.

What is read may come from a stranger, so nothing in it is run, and no file, however made, takes
more than a moment or a few megabytes. Free of torch.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from nda.runtime.files import StrPath

MOST_BYTES = 1 << 16  # a file of ours has two thousand
FOREIGN = (yaml.YAMLError, ValueError, RecursionError)  # what the reading of a bad file raises


class _Loader(yaml.SafeLoader):
    """YAML of plain values; names that stand for other parts, and names given twice, are errors."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            alias: yaml.AliasEvent = self.get_event()  # type: ignore[no-untyped-call]
            said = f"*{alias.anchor} stands for another part; write it out,"
            raise yaml.constructor.ConstructorError(None, None, f"{said}{alias.start_mark}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name.value!r} is given twice", name.start_mark
                )
            seen.add(name.value if isinstance(name, yaml.ScalarNode) else id(name))
        return super().construct_mapping(node, deep)


def read_settings(path: StrPath) -> Any:
    """The plain values in a YAML file.

    Raises one of `FOREIGN` for what is no YAML, too long, or ambiguous, and `OSError`.
    """
    if Path(path).is_fifo() and not str(path).startswith("/dev/"):  # a shell's <(...) is there
        raise ValueError("it is a pipe, which may never end; give a file")
    with Path(path).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes, as no file of settings has")
    return yaml.load(content.decode("utf-8"), _Loader)  # a SafeLoader
