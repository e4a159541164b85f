from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the cache of the person who runs it."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NDA_CACHE", str(folder))
    return folder
