"""The public surface: every name is there, and importing nda alone costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import nda


def test_every_public_name_can_be_used() -> None:
    for name in nda.__all__:
        assert getattr(nda, name).__name__ == name
    assert dir(nda) == nda.__all__


def test_unknown_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'jigsaw_puzzle'"):
        nda.jigsaw_puzzle  # noqa: B018


def test_importing_nda_does_not_import_torch() -> None:
    code = (
        "import sys, nda; assert 'torch' not in sys.modules; "
        "nda.Jigsaw; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
