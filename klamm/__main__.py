"""`python -m klamm`: the same as the `klamm` command."""

import sys

from klamm.cli.main import main

sys.exit(main())
