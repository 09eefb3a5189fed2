"""Projects with results, as the stages leave them, for the tests of reports.

- `write_scenes_project`: drawn scenes, with a small model that is not trained. Half of the captions
  are references of their image, the others those of the next image.
- `write_hostile_project`: pictures whose names and captions try to break out of a page.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from experiments import git, run_dvc
from imports import ROOT
from PIL import Image
from raw_table import SCHEMA, write_scenes

from captioning.core.files import write_json
from captioning.core.splits import SPLITS, shard_name
from captioning.data.raw_table import raw_shards, read_raw, read_raw_shard
from captioning.data.record_writer import write_index, write_shards
from captioning.evaluation.grounding import observed_scene
from captioning.evaluation.predictions import Prediction, write_predictions
from captioning.evaluation.run import score_captions
from captioning.evaluation.words import ScoringTokenizer
from captioning.features.write_features import feature_spec
from captioning.model import CaptionDecoder
from captioning.model.bundle import Bundle, save_bundle
from captioning.text import WordVocabulary, output_bias

MAP = (3, 4, 4)
SHARDS = 2
SOURCE = {"extractor": "none", "image_size": 64, "weights_sha256": "0" * 64}
CURVES = """\
report,step,epoch,cross_entropy,accuracy,val_cross_entropy,val_accuracy,learning_rate
1,10,1.0,2.25,0.4,2.3,0.41,0.001
2,20,2.0,1.25,0.6,1.3,0.61,0.0005
"""
HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<img src=x onerror=\"document.title='broken'\"> a dog",
    "\"><svg/onload=document.title='broken'> & &lt;b&gt; {{ 7 * 7 }} {% raw %}",
    "<!--<script> \u2028 \u2029 ]]> a cat",
    "javascript:document.title='broken' \u202e tac",
    "a very-long" + "word" * 60,
)


def write_scenes_project(folder: Path, test_images: int = 30) -> Path:
    """A DVC repository with data/, metrics/ and params.yaml; nothing is committed."""
    start_repository(folder)
    counts = {"train_images": 8, "validation_images": 4, "test_images": test_images}
    raw = write_scenes(folder / "data/raw", SHARDS, 64, **counts)
    captions = [c for split in SPLITS for row in read_raw(raw, split) for c in row["captions"]]
    vocabulary = WordVocabulary.fit(captions, 100)
    (folder / "data/vocabulary").mkdir()
    vocabulary.save(folder / "data/vocabulary")
    keras.utils.set_random_seed(4)
    decoder = CaptionDecoder(len(vocabulary), MAP, units=16, heads=2, max_length=30)
    decoder.set_output_bias(output_bias(vocabulary.count(captions)))
    save_bundle(folder / "data/model", Bundle(decoder, vocabulary, SOURCE))
    _write_features(raw, folder / "data/features")
    write_json(
        folder / "metrics/download.json",
        {
            "rejected": {"corrupt <image>": 2, "empty caption": 1},
            "rejected_names": {
                "corrupt <image>": ["one.jpg", "two.jpg"],
                "empty caption": ["three"],
            },
        },
    )
    (folder / "metrics/training.csv").write_text(CURVES)
    write_json(folder / "metrics/train.json", {"best": {"step": 20, "val_cross_entropy": 1.3}})
    write_results(folder, scene_predictions(raw, 2))
    return folder


def start_repository(folder: Path) -> None:
    """A new Git and DVC repository with the project's params."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "t")
    git(folder, "config", "user.email", "t@example.org")
    run_dvc(folder, "init")
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())


def scene_predictions(raw: Path, period: int) -> Iterator[Prediction]:
    """Right captions for the first of every `period` images, those of the next image for others."""
    rows = list(read_raw(raw, "test"))
    random = np.random.default_rng(5)
    for number, row in enumerate(rows):
        other = row if number % period == 0 else rows[(number + 1) % len(rows)]
        caption = other["captions"][0]
        maps = random.dirichlet(np.ones(12), len(caption.split())).reshape(-1, 3, 4)
        yield Prediction(
            image_id=row["image_id"],
            caption=caption,
            references=tuple(row["captions"]),
            log_probability=-float(number),
            scene=observed_scene(row, caption, maps.astype(np.float32)),
        )


def write_results(folder: Path, predictions: Iterator[Prediction]) -> None:
    """Write predictions and their scores, as the stage `evaluate` does."""
    path = folder / "data/predictions.jsonl"
    write_predictions(path, predictions)
    scores, _ = score_captions(path, folder / "data/raw", ScoringTokenizer(), 100, 1)
    write_json(folder / "data/scores.json", scores.intervals)
    write_json(folder / "metrics/evaluate.json", scores.figures)


def _write_features(raw: Path, folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    spec = feature_spec(MAP, "float32")
    splits = {}
    for split in SPLITS:
        shards = [
            [
                {"image_id": row["image_id"], "features": random.normal(size=MAP)}
                for row in read_raw_shard(path)
            ]
            for path in raw_shards(raw, split)
        ]
        splits[split] = write_shards(folder, split, spec, shards)
    write_index(folder, spec, splits, SOURCE)


def commit_project(root: Path, tag: str) -> None:
    """Put the data under DVC's control, and commit everything under a tag."""
    data = sorted(path.name for path in (root / "data").iterdir() if path.suffix != ".dvc")
    run_dvc(root, "add", *(f"data/{name}" for name in data if name != ".gitignore"))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", tag)
    git(root, "tag", tag)


def write_hostile_project(folder: Path) -> Path:
    """A DVC repository without a model, whose names and captions are `HOSTILE`."""
    start_repository(folder)
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(
        params.replace("\ndataset: scenes\n", "\ndataset: <i>folder</i>\n")
    )
    write_pictures(folder / "data/raw", HOSTILE)
    rows = [
        Prediction(
            image_id=f"test{text}",
            caption=HOSTILE[number - 1],
            references=(text, f"{text} again"),
            log_probability=-1.0,
            file=f"file{text}",
        )
        for number, text in enumerate(HOSTILE)
    ]
    write_results(folder, iter(rows))
    return folder


def write_pictures(raw: Path, names: Sequence[str]) -> None:
    """A raw table of small pictures; every name is in the id and in the captions of its image."""
    raw.mkdir(parents=True)
    for split in SPLITS:
        rows = []
        for number, name in enumerate(names):
            file = io.BytesIO()
            Image.new("RGB", (40 + number, 30), (40 * number, 90, 120)).save(file, "PNG")
            rows.append(
                {
                    "image_id": f"{split}{name}",
                    "image": file.getvalue(),
                    "width": 40 + number,
                    "height": 30,
                    "captions": [name, f"{name} again"],
                }
            )
        table = pa.Table.from_pylist(rows, SCHEMA)
        pq.write_table(table, raw / shard_name(split, 0, 1, "parquet"))
