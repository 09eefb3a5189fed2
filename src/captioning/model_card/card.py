"""The model card: what a trained captioner is, for people and for model hubs.

A card is a Markdown file `README.md` with a header in YAML, in the form that Hugging Face reads.
`train` writes one with the figures of the validation split; an export adds those of the test split.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from captioning.core.opening import opening, read_sealed_json, write_sealed_json
from captioning.model_card.texts import BACKBONES, DATASETS, LIMITS, LOADING_A_MODEL, USE

CARD_FILE, FACTS_FILE = "README.md", "card.json"


@dataclass(frozen=True)
class CardFacts:
    """What training knows of a model.

    Attributes:
        dataset: name of the data set, as in `params.yaml`.
        images: number of images in each split.
        extractor: name of the backbone.
        image_size: side of its square input, in pixels.
        weights_sha256: checksum of its weights.
        vocabulary_size: number of tokens.
        parameters: number of weights of the decoder.
        validation: figures of the validation split, by name.
        settings: the sections of `params.yaml` that training read.
    """

    dataset: str
    images: Mapping[str, int]
    extractor: str
    image_size: int
    weights_sha256: str
    vocabulary_size: int
    parameters: int
    validation: Mapping[str, float]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A figure in a card.

    Attributes:
        name: what people call it.
        kind: what Hugging Face calls it, such as `bleu`.
        value: the figure.
        interval: the ends of its 95% interval; None if it has none.
    """

    name: str
    kind: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class CardAdditions:
    """What an export adds to the card of a model.

    Attributes:
        loading: Markdown that says how to load the model.
        test: figures of the test split.
        signature: how these figures were computed.
        commit: the Git commit of the project; None if it is unknown.
    """

    loading: str = LOADING_A_MODEL
    test: Sequence[Metric] = field(default_factory=tuple)
    signature: str | None = None
    commit: str | None = None


def write_card(folder: Path | str, facts: CardFacts) -> None:
    """Write `README.md` for people and `card.json`, from which an export makes its own card."""
    write_sealed_json(Path(folder) / FACTS_FILE, asdict(facts))
    Path(folder, CARD_FILE).write_bytes(model_card(facts).encode())


def read_card_facts(folder: Path | str) -> CardFacts | None:
    """The facts that `write_card` wrote; None if an earlier version wrote the model without them.

    Raises:
        DamagedError: the file is not what was written.
    """
    path = Path(folder) / FACTS_FILE
    if not path.exists():
        return None
    with opening(path):
        return CardFacts(**read_sealed_json(path))


def model_card(facts: CardFacts, additions: CardAdditions | None = None) -> str:
    """The text of a model card."""
    more = additions or CardAdditions()
    dataset, backbone = DATASETS[facts.dataset], BACKBONES[facts.extractor]
    sections = [
        f"---\n{_yaml(_header(facts, more))}---",
        "# Image captioner",
        f"This model writes a caption for a picture. A frozen image network, `{facts.extractor}`, "
        f"turns the picture, resized to {facts.image_size}x{facts.image_size} pixels, into a grid "
        f"of features. A transformer decoder with {facts.parameters:,} weights and a vocabulary of "
        f"{facts.vocabulary_size:,} tokens turns them into text.",
        f"## How to load it\n\n{more.loading}",
        f"## Use and limits\n\n{USE}\n\n{dataset.limits}\n\n{LIMITS}",
        f"## Data\n\n{_data(facts)}",
        f"## Figures\n\n{_figures(facts, more)}",
        f"## Training\n\nThe settings, as sections of `params.yaml`:\n\n"
        f"```yaml\n{_yaml(facts.settings)}```",
        f"## Licenses\n\n- Code and decoder: Apache 2.0.\n- Backbone: {backbone.license}\n"
        f"- Data: {dataset.license}",
        _origin(facts, more),
    ]
    return "\n\n".join(sections) + "\n"


def _header(facts: CardFacts, more: CardAdditions) -> dict[str, Any]:
    """The header in YAML, by the keys of Hugging Face."""
    dataset = DATASETS[facts.dataset]
    header: dict[str, Any] = {}
    if dataset.language:
        header["language"] = dataset.language
    header |= {
        "license": dataset.hub_license,
        "library_name": "tensorflow",
        "pipeline_tag": "image-to-text",
        "tags": ["image-captioning", "transformer", "tensorflow", "keras"],
        "datasets": [facts.dataset],
        "metrics": sorted({metric.kind for metric in (*_validation(facts), *more.test)}),
    }
    results = [_result(facts.dataset, "validation", _validation(facts))]
    if more.test:
        results.append(_result(facts.dataset, "test", more.test))
    header["model-index"] = [{"name": "captioner", "results": results}]
    return header


def _result(dataset: str, split: str, metrics: Sequence[Metric]) -> dict[str, Any]:
    return {
        "task": {"type": "image-to-text", "name": "Image captioning"},
        "dataset": {"type": dataset, "name": dataset, "split": split},
        "metrics": [
            {"type": metric.kind, "name": _name(metric), "value": metric.value}
            for metric in metrics
        ],
    }


def _name(metric: Metric) -> str:
    if metric.interval is None:
        return metric.name
    low, high = metric.interval
    return f"{metric.name} (95% interval {low:.3f} to {high:.3f})"


def _validation(facts: CardFacts) -> list[Metric]:
    names = {
        "val_accuracy": ("Next-token accuracy", "accuracy"),
        "val_cross_entropy": ("Cross-entropy in nats per token", "cross_entropy"),
        "val_reward": ("Reward: CIDEr-D + weight × BLEU-4", "reward"),
    }
    return [
        Metric(name, kind, facts.validation[key])
        for key, (name, kind) in names.items()
        if key in facts.validation
    ]


def _figures(facts: CardFacts, more: CardAdditions) -> str:
    """A table of all figures."""
    rows = ["| split | figure | value | 95% interval |", "|---|---|---|---|"]
    for split, metrics in (("validation", _validation(facts)), ("test", more.test)):
        for metric in metrics:
            ends = metric.interval
            interval = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
            rows.append(f"| {split} | {metric.name} | {metric.value:.3f} | {interval} |")
    notes = [
        "The validation split chose the weights; the test split was used for the figures only."
    ]
    if not more.test:
        notes = [
            "The validation split chose the weights; this card has no figures of a test split."
        ]
    if more.signature:
        notes.append(f"Metrics of the test split: {more.signature}.")
    return "\n".join(rows) + "\n\n" + " ".join(notes)


def _data(facts: CardFacts) -> str:
    dataset = DATASETS[facts.dataset]
    sizes = ", ".join(f"{number:,} for {split}" for split, number in facts.images.items())
    return f"`{facts.dataset}`: {dataset.description} Images: {sizes}."


def _origin(facts: CardFacts, more: CardAdditions) -> str:
    lines = [f"- SHA-256 of the backbone's weights: `{facts.weights_sha256}`"]
    if more.commit:
        lines.append(f"- Git commit of the project: `{more.commit}`")
    return "## Origin\n\n" + "\n".join(lines)


def _yaml(value: Mapping[str, Any]) -> str:
    """A mapping as YAML, with its keys in their order."""
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump(dict(value), text)
    return text.getvalue()
