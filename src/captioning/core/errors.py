"""The exception for wrong input, which the user can correct."""

from __future__ import annotations


class InputError(Exception):
    """Wrong input. The message names the file, record or parameter and says what to do.

    Stage scripts and the command line print the message without a traceback.
    """
