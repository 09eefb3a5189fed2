"""Write a captioner as a SavedModel, with the same bytes every time."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

from captioning.captioner import Captioner
from captioning.decoding.search import DecodingSettings
from captioning.export.graph import CaptioningGraph

_FINGERPRINT_FILE = "fingerprint.pb"


def write_saved_model(folder: Path | str, captioner: Captioner, settings: DecodingSettings) -> None:
    """Write a SavedModel with the signatures `serving_default` and `pixels`.

    Both take pictures, as files or as pixels; see `CaptioningGraph`. TensorFlow numbers all
    functions that a process defines, and the numbers are in the file: the bytes are the same if the
    process has used TensorFlow in the same way before, such as not at all.

    Args:
        folder: where the model is written; existing files are replaced.
        captioner: trained model.
        settings: how captions are searched for.

    Raises:
        InputError: the weights of the backbone are not those used in training.
    """
    graph = CaptioningGraph(captioner, settings)
    signatures = {
        "serving_default": graph.from_files.get_concrete_function(),
        "pixels": graph.from_pixels.get_concrete_function(),
    }
    # Of the model, only the variables that the functions read: no optimizer, no Keras objects.
    stored = tf.Module()
    stored.variables_read = list(
        {id(one): one for function in signatures.values() for one in _variables(function)}.values()
    )
    tf.saved_model.save(stored, str(folder), signatures=signatures)
    _make_reproducible(Path(folder) / _FINGERPRINT_FILE)


def _variables(function: tf.types.experimental.ConcreteFunction) -> list[tf.Variable]:
    """The variables that a function reads, in the order in which it was traced.

    `function.variables` has them in the order of a set, which is another in every process.
    """
    order = {id(captured): place for place, captured in enumerate(function.captured_inputs)}
    return sorted(function.variables, key=lambda one: order[id(one.handle)])


def _make_reproducible(path: Path) -> None:
    """Remove the random identifier from a model's fingerprint; its checksums stay."""
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
    fingerprint.uuid = ""
    path.write_bytes(fingerprint.SerializeToString(deterministic=True))
