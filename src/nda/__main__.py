"""`python -m nda` is `nda`."""

import sys

from nda.cli import main

sys.exit(main())
