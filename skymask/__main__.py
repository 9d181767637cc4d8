"""`python -m skymask`: see `skymask.cli`."""

import sys

from skymask.cli import main

sys.exit(main())
