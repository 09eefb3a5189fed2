"""Reads the results of one experiment from a revision: captions, params and figures.

A revision is `workspace` (the files in the folder), anything that Git resolves (branch, tag,
commit) or the name of a DVC experiment. Nothing is checked out: DVC reads the files from Git, from
its cache or from the remote.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import SCM, RevError, SCMError, resolve_rev

from captioning.core.errors import InputError
from captioning.evaluation.predictions import Prediction, parse_predictions
from captioning.params.yaml_file import parse_mapping

WORKSPACE = "workspace"
PREDICTIONS = "data/predictions.jsonl"
PARAMS = "params.yaml"
FIGURES = "metrics/evaluate.json"
#: How a message goes on that begins with the place of a file.
NOWHERE = (
    "is not in Git, the DVC cache or a remote: get it with `dvc fetch` or `dvc exp pull`, or run "
    "the experiment again"
)


@dataclass(frozen=True)
class Revision:
    """A revision, whose files are read on first use.

    Attributes:
        name: name as given: `workspace`, a Git revision or an experiment.
        commit: full hash of the commit; None for `workspace`.
        root: root folder of the DVC repository, which may lie inside a Git repository.
    """

    name: str
    commit: str | None
    root: Path

    @cached_property
    def predictions(self) -> tuple[Prediction, ...]:
        """The captions of the test split.

        Raises:
            InputError: the file is found nowhere, or is not a file of predictions.
        """
        return tuple(parse_predictions(self.read(PREDICTIONS), self.place(PREDICTIONS)))

    @cached_property
    def params(self) -> dict[str, Any]:
        """Every param by its dotted key.

        Raises:
            InputError: params.yaml is missing or is not a YAML mapping.
        """
        return flatten(parse_mapping(self.read(PARAMS), self.place(PARAMS)))

    @cached_property
    def figures(self) -> dict[str, float]:
        """Every number of metrics/evaluate.json by its dotted key, also those that are not finite.

        Raises:
            InputError: the file is missing or is not a JSON object.
        """
        try:
            values = json.loads(self.read(FIGURES), parse_int=_int)
        except ValueError as error:
            raise InputError(f"{self.place(FIGURES)} is not valid JSON: {error}") from None
        if not isinstance(values, dict):
            raise InputError(f"{self.place(FIGURES)} must contain a JSON object")
        flat = flatten(values).items()
        return {key: value for key, value in flat if type(value) in (int, float)}

    def place(self, path: str) -> str:
        """A file of this revision, for messages."""
        return f"{path} of {self.name}"

    def read(self, path: str, stage: str = "evaluate") -> bytes:
        """Read a file.

        Args:
            path: path of the file in the repository.
            stage: name of the stage that writes it, for the error message.

        Raises:
            InputError: the file is found nowhere.
        """
        if self.commit is None:
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                raise InputError(
                    f"{self.place(path)} is missing: run `dvc checkout` or `dvc repro {stage}`"
                ) from None
        try:
            git, place = self.git_place(path)
            content = dvc.api.read(place, repo=git, rev=self.commit, mode="rb")
        except (DvcException, OSError) as error:
            raise InputError(f"{self.place(path)} {NOWHERE} ({error})") from None
        return bytes(content)

    def git_place(self, path: str) -> tuple[str, str]:
        """The root of the Git repository, and a path of the DVC repository relative to it.

        At a commit, DVC takes paths relative to Git's root, not to its own.
        """
        git = Path(SCM(str(self.root)).root_dir).resolve()
        return str(git), (self.root.resolve().relative_to(git) / path).as_posix()


def _int(digits: str) -> float:
    """An integer of JSON; infinity if it is too large for a float."""
    return int(digits) if math.isfinite(float(digits)) else float(digits)


def find_revision(name: str) -> Revision:
    """Find a revision in the repository that contains the current folder.

    Raises:
        InputError: there is no repository or no such revision.
    """
    try:
        root = Path(Repo.find_root())
        commit = None if name == WORKSPACE else resolve_rev(SCM(str(root)), name)
    except NotDvcRepoError:
        raise InputError(
            "this folder is not in a DVC repository: run the command in the project's folder"
        ) from None
    except RevError:
        raise InputError(
            f"there is no revision {name!r}: give {WORKSPACE}, a branch, tag or commit, or an "
            "experiment that `dvc exp list` shows"
        ) from None
    except SCMError as error:
        raise InputError(f"revision {name!r} can't be looked up: {error}") from None
    return Revision(name, commit, root)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one with dotted keys; lists and empty mappings stay values."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
