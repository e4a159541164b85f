"""`nda probe MODEL IMAGES`: how sensitive is a model to global structure? Of videos as well."""

from __future__ import annotations

import shlex
from dataclasses import replace

from nda.api.refusals import refuse_probe
from nda.api.settings import ProbeOptions
from nda.commands.parser import parse, typed_names


def probe(words: list[str]) -> int:
    """Measure, print the table, write the page and, if asked for, the figures."""
    options = parse(words, ProbeOptions, command="probe", positional=("model", "images"))
    if options.json and "out" not in typed_names(words):
        options = replace(options, out="")  # the figures alone
    refuse_probe(options)

    from pathlib import Path

    from nda.api.probe.runs import measure
    from nda.commands.tables.probe import show
    from nda.report.pages.probe import write_probe_figures, write_probe_page

    probed = measure(options)
    command = shlex.join(["nda", "probe", *words])
    show(probed)
    if options.json:
        print(f"figures: {write_probe_figures(Path(options.json), probed, command)}")
    if options.out:
        print(f"page: {write_probe_page(Path(options.out), probed, command)}")
    return 0
