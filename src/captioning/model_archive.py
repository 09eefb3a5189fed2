"""Keras' model archive with the same bytes every time."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from captioning.files import atomic_path

# The earliest date that a zip archive can hold.
_DATE = (1980, 1, 1, 0, 0, 0)


def save_model(model: keras.Model, path: Path | str) -> None:
    """Write `model` as a `.keras` archive that `keras.saving.load_model` reads.

    Keras notes the date of saving inside the archive and for each of its members; here both are
    constant. The optimizer, three times as large as the weights, is left out: what is saved serves
    for captioning.
    """
    # Keras saves whatever optimizer the model has; one never compiled has no such attribute.
    optimizer, model.optimizer = getattr(model, "optimizer", None), None
    with atomic_path(path) as temporary:
        dated = temporary.with_name(f".dated{temporary.suffix}")
        try:
            keras.saving.save_model(model, dated)
            _without_dates(dated, temporary)
        finally:
            model.optimizer = optimizer
            dated.unlink(missing_ok=True)


def _without_dates(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as dated, zipfile.ZipFile(target, "w") as undated:
        for name in sorted(dated.namelist()):
            data = dated.read(name)
            if name == "metadata.json":
                metadata = json.loads(data)
                metadata["date_saved"] = "1980-01-01@00:00:00"
                data = json.dumps(metadata, sort_keys=True).encode()
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            undated.writestr(member, data)
