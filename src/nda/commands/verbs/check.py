"""`nda check IMAGES`: which negatives are valid and informative for one's own data?"""

from __future__ import annotations

import shlex

from nda.api.places import ready_outputs, refuse_missing
from nda.api.settings import MIN_IMAGES, CheckOptions
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least


def check(words: list[str]) -> int:
    """Probe, print the table, write the page and, if asked for, the figures."""
    options = parse(words, CheckOptions, command="check", positional="images")
    for name, smallest in (("count", MIN_IMAGES), ("steps", 1), ("seeds", 1), ("seed", 0)):
        at_least(options, name, smallest)
    for name, path, ending in (("out", options.out, ".html"), ("json", options.json, ".json")):
        if path is not None and not path.endswith(ending):
            raise ConfigError(f"--{name} {path} must end in {ending}.")
    refuse_missing(options, "images")
    ready_outputs(options, "out", "json")

    from pathlib import Path

    from nda.api.check import measure, show, write_figures
    from nda.report.pages.check import write_check_page

    checked = measure(options)
    command = shlex.join(["nda", "check", *words])
    show(checked)
    if options.json:
        print(f"figures: {write_figures(Path(options.json), checked, command)}")
    print(f"page: {write_check_page(Path(options.out), checked, command)}")
    return 0
