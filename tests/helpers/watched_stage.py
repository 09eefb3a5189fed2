"""Run one stage and print which params it read, as JSON: `python watched_stage.py STAGE`.

Params are listed by their full names. Dumping a section reads all of its params.
"""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any

from captioning.params.schema import Section
from captioning.params.stages import load_params
from captioning.stage import main as stage

READ: set[str] = set()


class Watched:
    """Stands for a section and records which of its params are read."""

    def __init__(self, section: Section, name: str = "") -> None:
        self._section, self._name = section, name

    def __getattr__(self, key: str) -> Any:
        value = getattr(self._section, key)
        name = f"{self._name}.{key}".removeprefix(".")
        if isinstance(value, Section):
            return Watched(value, name)
        if key in type(self._section).model_fields:
            READ.add(name)
        return value

    def model_dump(self, include: set[str] | None = None) -> dict[str, Any]:
        for key in include or type(self._section).model_fields:
            value = getattr(self, key)
            if isinstance(value, Watched):
                value.model_dump()
        return self._section.model_dump(include=include)


if __name__ == "__main__":
    script = f"stages/{sys.argv[1]}.py"
    stage.load_params = lambda: Watched(load_params())  # type: ignore[assignment, return-value]
    sys.path.insert(0, "stages")
    runpy.run_path(script, run_name="__main__")
    print(json.dumps(sorted(READ)))
