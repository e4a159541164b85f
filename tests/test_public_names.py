"""The public surface: every name is there, and importing nda alone costs nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import nda


def test_every_public_name_can_be_used() -> None:
    for name in nda.__all__:
        assert getattr(nda, name).__name__ == name
    rooms = {"data", "negatives", "objectives"}
    assert set(dir(nda)) == {*nda.__all__, *rooms, "__version__"}


def test_rooms_and_version_are_there_without_being_imported_first() -> None:
    code = "import nda; nda.negatives.Jigsaw(), nda.objectives.hinge_d, nda.data.load_images"
    subprocess.run([sys.executable, "-c", code], check=True)
    light = "import sys, nda; assert nda.__version__; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", light], check=True)
    assert nda.__version__ == version("nda-torch")


def test_functions_show_the_settings_of_their_commands() -> None:
    shown = inspect.signature(nda.check).parameters
    assert shown["negatives"].default.startswith("jigsaw,")
    assert shown["out"].default is None
    assert "skip unreadable images" in str(nda.check.__doc__)
    assert "settings" not in shown


def test_unknown_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'jigsaw_puzzle'"):
        nda.jigsaw_puzzle  # noqa: B018


def test_importing_nda_does_not_import_torch() -> None:
    code = (
        "import sys, nda; assert 'torch' not in sys.modules; "
        "nda.Jigsaw; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
