"""`python -m captioning`: the `captioning` command."""

import sys

from captioning.cli.main import main

sys.exit(main())
