"""The one exception that is the user's to mend."""

from __future__ import annotations


class InputError(Exception):
    """Bad input: the message names the file, record or parameter and says what to do.

    Stage scripts and the command line print it without a traceback.
    """
