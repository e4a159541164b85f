"""What OpenMP's threads do between two pieces of work."""

from __future__ import annotations

import os
import sys


def sleep_when_idle() -> None:
    """Let them sleep rather than wait busily; call it before torch is loaded, which reads it then.

    Where pictures are decoded beside a network, and others want the cores as well, threads that
    wait busily take them from those that work (`benchmarks/idle_threads.py`). A choice of the
    user's own (`OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`, `KMP_BLOCKTIME`) stands.
    """
    own = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & set(os.environ)
    if "torch" not in sys.modules and not own:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
