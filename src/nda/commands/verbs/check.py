"""`nda check IMAGES`: which negatives are valid and informative for one's own data?"""

from __future__ import annotations

import shlex
from dataclasses import replace

from nda.api.refusals import refuse_check
from nda.api.settings import CheckOptions
from nda.commands.parser import parse, typed_names


def check(words: list[str]) -> int:
    """Probe, print the table, write the page and, if asked for, the figures."""
    options = parse(words, CheckOptions, command="check", positional="images")
    if options.json and "out" not in typed_names(words):
        options = replace(options, out="")  # the figures alone
    refuse_check(options)

    from pathlib import Path

    from nda.api.check import measure
    from nda.commands.tables.check import show
    from nda.report.check_table import write_check_figures
    from nda.report.pages.check import write_check_page

    checked = measure(options)
    command = shlex.join(["nda", "check", *words])
    show(checked)
    if options.json:
        print(f"figures: {write_check_figures(Path(options.json), checked, command)}")
    if options.out:
        print(f"page: {write_check_page(Path(options.out), checked, command)}")
    return 0
