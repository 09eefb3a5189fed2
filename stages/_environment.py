"""Imported first by every stage script: a wrong interpreter is told how to start the right one."""

import importlib.util
import sys

if sys.version_info < (3, 10) or importlib.util.find_spec("captioning") is None:
    sys.exit(
        "error: the package `captioning` is not installed for {} (Python {}.{}): run "
        "`source .venv/bin/activate` and try again, or use `make repro`, which sets "
        ".venv up".format(sys.executable, *sys.version_info[:2])
    )
