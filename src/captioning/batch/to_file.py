"""A whole run that writes a file: load the model, list the pictures, caption them, resume.

With `RAY_ADDRESS` in the environment, the pictures are captioned on that cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from captioning.batch.file_run import (
    CaptionParts,
    Outcome,
    PartsHere,
    caption_to_file,
    part_pictures,
)
from captioning.batch.model_files import model_files
from captioning.batch.parts import Parts, partial_folder
from captioning.batch.pictures import Listed, PictureList
from captioning.cluster.ray import cluster_address
from captioning.core.errors import InputError
from captioning.decoding.settings import DecodingSettings
from captioning.runtime.quick_imports import quick_imports
from captioning.runtime.scratch import fingerprint


@dataclass(frozen=True)
class Run:
    """What to write, and how.

    Attributes:
        output: the file; its suffix chooses the format, see `formats`.
        model: folder of the trained model.
        settings: how captions are searched for.
        number: captions for each picture.
        private_addresses: whether URLs may lead to addresses that are not public.
    """

    output: Path
    model: str
    settings: DecodingSettings
    number: int = 1
    private_addresses: bool = False


def write_captions(run: Run, listed: Iterable[Listed]) -> Outcome:
    """Caption all pictures into a file. The model is checked before the first one is read.

    Args:
        run: what to write.
        listed: the pictures.

    Raises:
        InputError: the model cannot be used, nothing is listed, or the file cannot be written.
    """
    files = model_files(run.model)
    with quick_imports():
        from captioning.batch.running import PictureCaptioner, Reading
        from captioning.captioner import Captioner

    captioner = Captioner.load(run.model)
    PictureCaptioner(captioner, run.settings, run.number)  # Checks settings and backbone.
    with partial_folder(run.output) as folder:
        pictures = PictureList(listed, folder)
        if not pictures.number:
            raise InputError("the list names no picture: write a path or URL on each line")
        reading = Reading(run.private_addresses, any_url=pictures.any_url)
        running = PictureCaptioner(captioner, run.settings, run.number, reading)
        size = part_pictures(running)
        determining = {
            "settings": asdict(run.settings),
            "number": run.number,
            "private_addresses": run.private_addresses,
            "part_pictures": size,
            "pictures": pictures.sha256,
        }
        name = fingerprint(determining, files)[:16]
        parts = Parts(folder, name, size, pictures.number)
        here = PartsHere(running, run.number)
        caption_parts = here if cluster_address() is None else _on_cluster(run)
        return caption_to_file(run.output, pictures, parts, run.number, caption_parts)


def _on_cluster(run: Run) -> CaptionParts:
    from captioning.batch.remote import PartsOnCluster, PartTask

    settings = asdict(run.settings)
    return PartsOnCluster(PartTask.pattern(run.model, settings, run.number, run.private_addresses))
