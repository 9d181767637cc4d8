"""`python -m skymask`: see `skymask.cli.main`."""

import sys

from skymask.cli.main import main

sys.exit(main())
