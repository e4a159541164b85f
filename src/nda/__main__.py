"""`python -m nda` is `nda`."""

from __future__ import annotations

import signal
import sys


def entry() -> int:
    """Run the command line; until it is there to say a sentence, Ctrl-C ends without a trace."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from nda.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(entry())
