"""What every stage script does around its work."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from captioning.core.errors import InputError
from captioning.params.stages import Params, load_params

_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
}
_GOES_ON = "`dvc repro` goes on from what was finished"


def stage_main(stage: Callable[[Params], None]) -> None:
    """Run `stage` with the params of the current folder; tell in one line what stopped it.

    An `InputError`, a full disk, a folder that can't be written and Ctrl-C need no traceback.
    """
    try:
        stage(load_params())
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print(f"interrupted: {_GOES_ON}", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {place}{error.strerror}: {_ADVICE[error.errno]}; then {_GOES_ON}")
