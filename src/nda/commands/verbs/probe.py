"""`nda probe MODEL IMAGES`: how sensitive is a model to global structure? Of videos as well."""

from __future__ import annotations

import shlex

from nda.api.places import ready_outputs, refuse_absent, refuse_no_model
from nda.api.settings import ProbeOptions
from nda.bit_depths import check_bit_depth
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least


def probe(words: list[str]) -> int:
    """Measure, print the table, write the page and, if asked for, the figures."""
    options = parse(words, ProbeOptions, command="probe", positional=("model", "images"))
    at_least(options, "count", 4)
    at_least(options, "seed", 0)
    check_bit_depth(options.bit_depth)
    for name, path, ending in (("out", options.out, ".html"), ("json", options.json, ".json")):
        if path is not None and not path.endswith(ending):
            raise ConfigError(f"--{name} {path} must end in {ending}.")
    refuse_no_model(options.model)
    refuse_absent(options.images)
    ready_outputs(options, "out", "json")

    from pathlib import Path

    from nda.api.probe.runs import measure, show, write_figures
    from nda.report.pages.probe import write_probe_page

    probed = measure(options)
    command = shlex.join(["nda", "probe", *words])
    show(probed)
    if options.json:
        print(f"figures: {write_figures(Path(options.json), probed, command)}")
    print(f"page: {write_probe_page(Path(options.out), probed, command)}")
    return 0
