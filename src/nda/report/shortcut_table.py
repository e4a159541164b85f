"""The audit of a score as a sentence and a table, the same on the terminal and on the page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nda.evaluation.shortcuts.audit import Audit, Compared
from nda.report.probe_table import ProbeTable, Row, percent, plus_minus

MOSTLY = 0.5  # structure share from which on structure is what was learned
_READING = (
    "Blurred: within 3 pixels of 32 of the cuts. A quadrant moved has a seam and its structure; "
    "rolled, upside-down and rotated images have no seam in the middle, except those rolled by "
    "half. Gaps are D(x) - D(what was made of x), in units of this output. ± and brackets are 95% "
    "intervals over images."
)


@dataclass(frozen=True)
class Audited:
    """What the audit of one output says."""

    name: str  # of the output
    sentence: str
    audit: Audit
    table: ProbeTable

    @property
    def title(self) -> str:
        return f"Structure or seams: the {self.name}"

    def as_dict(self) -> dict[str, Any]:
        """For the file of figures."""
        return {"output": self.name, "sentence": self.sentence, **asdict(self.audit)}


def audited(name: str, audit: Audit) -> Audited:
    """The audit of the output that is called `name`, such as discriminator."""
    table = ProbeTable(
        header=("images against", "gap", "gap > 0"),
        rows=[Row(what, _cells(found)) for what, found in audit.compared.items()],
        reading=_READING,
    )
    return Audited(name, verdict(name, audit), audit, table)


def verdict(name: str, audit: Audit) -> str:
    """What was learned, in one sentence."""
    pairs = f"it scores {percent(audit.nulls_above, audit.nulls_interval)} of images"
    alike = "above their jigsaws when both have the same blurred seams"
    if audit.structure_share is None or audit.structure_interval is None:
        return f"The {name} does not score images above their jigsaws; {pairs} {alike}."
    share = f"structure share {percent(audit.structure_share, audit.structure_interval)}"
    low, high = audit.structure_interval
    learned = "structure as well as seams"
    if low >= MOSTLY:
        learned = "mostly structure"
    elif high < MOSTLY:
        learned = "mostly seams"
    return f"What the {name} sees of a jigsaw is {learned}: {share}; {pairs} {alike}."


def _cells(found: Compared) -> list[str]:
    reach = found.gap_interval[1] - found.gap
    return [plus_minus(found.gap, reach), percent(found.above, found.above_interval)]
