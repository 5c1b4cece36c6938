"""`python -m alcove`: the command line."""

import sys

from alcove.cli import main

sys.exit(main())
