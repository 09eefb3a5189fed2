"""The frame around every stage script: params, output, and errors in one line."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterable

from captioning.core.errors import InputError
from captioning.core.opening import is_out_of_memory
from captioning.params.stages import Params, load_params
from captioning.stage.finished_work import remove_recorded_work
from captioning.stage.quiet import quiet_tensorflow

_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.ENAMETOOLONG: "use a shorter path",
}
# DVC deletes the outputs of a stage before it runs the stage.
_GOING_BACK = (
    "\nnote: DVC deleted this stage's former results before it started it; to get them back, give "
    "params.yaml its former values (`git restore params.yaml`) and run `dvc repro`, which takes "
    "them from DVC's cache"
)
_RESUME = "run `dvc repro` again to resume"


def stage_main(stage: Callable[[Params], Iterable[str] | None], *results: str) -> None:
    """Run `stage` with the params of the current folder, then print where its results are.

    An `InputError`, a full disk, a folder that cannot be written to, too little memory and Ctrl-C
    end the process with one line instead of a traceback.

    Args:
        stage: does the stage's work; may return lines to print at the very end.
        results: the files and folders that the stage writes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A log file shows each line at once, and in order with standard error.
        sys.stdout.reconfigure(line_buffering=True)
    try:
        params = load_params()
        remove_recorded_work()
        with quiet_tensorflow():
            closing_lines = stage(params)
    except InputError as error:
        sys.exit(f"error: {error}{_lost_results()}")
    except KeyboardInterrupt:
        print(f"interrupted: {_RESUME}", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {place}{error.strerror}: {_ADVICE[error.errno]}, then {_RESUME}")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(
            "error: not enough memory: lower the numbers in params.yaml that say how much is held "
            f"at once, such as batch_images or model.layers, then {_RESUME}"
        )
    if results:
        print(f"{stage.__name__}: {', '.join(results)}")
    for line in closing_lines or ():
        print(line)


def _lost_results() -> str:
    """How to get back what DVC deleted; empty where it deleted nothing of use."""
    return _GOING_BACK if os.environ.get("DVC_STAGE", "check") != "check" else ""
