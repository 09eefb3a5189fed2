"""Export a trained model, with its card, to a folder."""

from __future__ import annotations

from pathlib import Path

from captioning.captioner import Captioner
from captioning.core.opening import restoring
from captioning.decoding.settings import DecodingSettings
from captioning.export.card_text import loading_text
from captioning.export.figures import evaluated_figures, git_commit, pipeline_of
from captioning.export.saved_model import write_saved_model
from captioning.export.target import check_target, new_folder
from captioning.model_card.card import CARD_FILE, CardAdditions, model_card, read_card_facts


def export_model(
    model: Path | str, out: Path | str, settings: DecodingSettings, *, replace: bool = False
) -> list[str]:
    """Write a model as a SavedModel with a model card.

    Args:
        model: folder of the trained model, such as `data/model`.
        out: folder that is created.
        settings: how captions are searched for.
        replace: whether an exported model in `out` is replaced.

    Returns:
        Lines that say what the card lacks.

    Raises:
        InputError: `out` exists or cannot be created, or the model cannot be loaded. Then nothing
            is written.
    """
    target = Path(out)
    check_target(target, Path(model), replace)
    text, notes = _card(Path(model), settings)
    captioner = Captioner.load(model)
    with new_folder(target) as folder:
        write_saved_model(folder, captioner, settings)
        if text is not None:
            (folder / CARD_FILE).write_bytes(text.encode())
    return notes


def _card(model: Path, settings: DecodingSettings) -> tuple[str | None, list[str]]:
    """The text of the card, None if there are no facts for it, and what it lacks."""
    facts = read_card_facts(model)
    if facts is None:
        advice = f"train again, or {restoring(model)}"
        return None, [f"no model card: {model} does not say how it was trained ({advice})"]
    root = pipeline_of(model)
    figures = None if root is None else evaluated_figures(root)
    additions = CardAdditions(
        loading=loading_text(settings),
        test=figures.metrics if figures else (),
        signature=figures.signature if figures else None,
        commit=None if root is None else git_commit(root),
    )
    notes = []
    if figures is None:
        notes.append(
            "the model card has no figures of the test split: "
            f"no evaluation belongs to {model} as it is now (run `dvc repro`)"
        )
    return model_card(facts, additions), notes
