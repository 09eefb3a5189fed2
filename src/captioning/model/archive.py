"""Save a model as a Keras archive with reproducible bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from captioning.core.files import atomic_path

# The earliest date that a zip archive can hold.
_DATE = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, path: Path | str) -> None:
    """Write `model` as a `.keras` archive that `keras.saving.load_model` reads.

    Keras stores the date of saving in the archive and with each of its members; here both dates
    are constant. Optimizer and loss are left out: they are not needed for captioning, and the
    optimizer's moments and averages are three times as large as the weights.
    """
    # Keras would save the optimizer. A model that was never compiled has no such attribute.
    optimizer, model.optimizer = getattr(model, "optimizer", None), None
    with atomic_path(path) as temporary:
        dated = temporary.with_name(f".dated{temporary.suffix}")
        try:
            keras.saving.save_model(model, dated)
            _rewrite(dated, temporary)
        finally:
            model.optimizer = optimizer
            dated.unlink(missing_ok=True)


def _rewrite(source: Path, target: Path) -> None:
    """Copy the archive without the dates and the arguments of `compile`."""
    with zipfile.ZipFile(source) as dated, zipfile.ZipFile(target, "w") as undated:
        for name in sorted(dated.namelist()):
            data = dated.read(name)
            if name.endswith(".json"):
                values = json.loads(data)
                values.pop("compile_config", None)
                if "date_saved" in values:
                    values["date_saved"] = "1980-01-01@00:00:00"
                data = json.dumps(values, sort_keys=True).encode()
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            undated.writestr(member, data)
