"""Entry of `python -m inference`."""

import sys

from inference.cli.main import main

sys.exit(main())
