"""`captioning doctor`: removes what interruptions left behind, and checks the params."""

from __future__ import annotations

import argparse


def add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand `doctor`."""
    doctor = commands.add_parser(
        "doctor",
        help="repair what a killed `dvc repro` left behind, and check params.yaml",
        description="Remove damaged entries of DVC's run cache, with which every later `dvc repro` "
        "fails, and unfinished work of stages that are done; then check params.yaml, before DVC "
        "deletes any outputs. `make repro` does this first.",
    )
    doctor.add_argument("--quiet", action="store_true", help="print only what was done")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Repair and check the project in the current folder; return the exit status."""
    from captioning.params.stages import load_params
    from captioning.runtime.run_cache import clear_run_cache
    from captioning.stage.finished_work import remove_recorded_work

    removed = clear_run_cache()
    for path, reason in removed:
        print(f"removed from DVC's run cache: {path} ({reason})")
    recorded = remove_recorded_work()
    for folder in recorded:
        print(f"removed unfinished work of a stage that is done: {folder}")
    load_params()
    if not (options.quiet or removed or recorded):
        print("nothing to repair; params.yaml has no problem")
    return 0
