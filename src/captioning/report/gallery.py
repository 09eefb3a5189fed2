"""What the gallery of a report shows of every image: picture, references, captions and scores.

The items become JSON in the report; assets/*.js show, filter and sort them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from captioning.evaluation.predictions import Prediction, Scene
from captioning.evaluation.scene_attention import object_words
from captioning.evaluation.scene_truth import judge
from captioning.evaluation.scoring import rounded
from captioning.experiments.significance import Run
from captioning.report.attention import Attention
from captioning.report.pictures import Thumbnail
from captioning.scenes.claims import parse_caption

#: Scores of single captions by their key in the items.
SCORES = {
    "cider_d": "CIDEr-D",
    "rouge_l": "ROUGE-L",
    "log_probability": "log-probability per word",
    "words": "number of words",
}
CHANGE = {"change": "change in CIDEr-D"}
#: Kinds of claims about a drawn scene that can be wrong, by their key in the items.
CLAIMS = {
    "unnamed": "no color and shape",
    "colour_shape": "no such object",
    "colour": "color not there",
    "shape": "shape not there",
    "size": "wrong size",
    "count": "wrong number",
    "relation": "wrong relation",
    "attention": "attention beside the object",
}
_JUDGED = {
    "colour_shape": "pairs_all_true",
    "colour": "colour_true",
    "shape": "shape_true",
    "size": "size_true",
    "count": "count_true",
    "relation": "relation_true",
}


def wrong_claims(caption: str, scene: Scene) -> list[str]:
    """The keys of `CLAIMS` that are wrong for a caption, judged as by the figures of grounding."""
    objects = [item.model_dump() for item in scene.objects]
    judgement = judge(caption, objects)
    wrong = [key for key, claim in _JUDGED.items() if getattr(judgement, claim) is False]
    if all(mention.colour is None for mention in parse_caption(caption).mentions):
        # Grounding counts such captions as wrong: saying nothing must not raise its figures.
        wrong[0] = "unnamed"
    # Grounding does not count the attention at words that name no object.
    for peak, (_, boxes) in zip(scene.peaks, object_words(caption, objects), strict=False):
        x, y = peak.smooth
        if not any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes):
            return [*wrong, "attention"]
    return wrong


def captioned_items(
    predictions: Sequence[Sequence[Prediction]],
    runs: Sequence[Run],
    attention: Sequence[Attention | None],
    pictures: Mapping[str, Thumbnail],
    chosen: Sequence[int],
) -> list[dict[str, Any]]:
    """The items of some images.

    Args:
        predictions: for every revision its predictions, in the order of the first one.
        runs: for every revision its scores, in the same order.
        attention: for every revision its maps, if they are known.
        pictures: thumbnails by image; empty for a report without pictures.
        chosen: which images, as positions in the predictions.
    """
    items = []
    for place in chosen:
        first = predictions[0][place]
        captions = [
            _caption(rows[place], run, place, maps)
            for rows, run, maps in zip(predictions, runs, attention, strict=True)
        ]
        for caption in captions[1:]:
            before, after = captions[0]["cider_d"], caption["cider_d"]
            if before is not None and after is not None:
                caption["change"] = round(after - before, 6)
        item = {
            "number": place,
            "id": first.image_id,
            "references": list(first.references),
            "captions": captions,
        }
        if first.file is not None:
            item["file"] = first.file
        if first.scene is not None and first.scene.held_out:
            item["held_out"] = True
        items.append(with_picture(item, pictures.get(first.image_id)))
    return items


def with_picture(item: dict[str, Any], picture: Thumbnail | None) -> dict[str, Any]:
    """An item with its picture, if there is one."""
    return item if picture is None else {**item, "picture": list(picture)}


def _caption(row: Prediction, run: Run, place: int, attention: Attention | None) -> dict[str, Any]:
    words = len(row.caption.split())
    caption: dict[str, Any] = {
        "text": row.caption,
        "cider_d": rounded(run.statistics.cider_d[place]),
        "rouge_l": rounded(run.statistics.rouge_l[place]),
        "log_probability": round(row.log_probability / max(words, 1), 6),
        "words": words,
    }
    if row.scene is not None and (wrong := wrong_claims(row.caption, row.scene)):
        caption["wrong"] = wrong
    if attention is not None and row.image_id in attention.maps:
        caption["attention"] = attention.maps[row.image_id]
    return caption


def choose(scores: Sequence[float], changes: Sequence[float], number: int) -> list[int]:
    """Choose which images a report shows, as positions in ascending order.

    Half of the places go to the largest changes, if there are any. The others are spread evenly
    over the images by their score, from the worst to the best.

    Args:
        scores: CIDEr-D of every image; NaN where it is not defined.
        changes: largest change of every image between revisions; 0 where nothing changed.
        number: largest number of images.
    """
    images = range(len(scores))
    if number >= len(images):
        return list(images)
    by_change = sorted((i for i in images if changes[i]), key=lambda i: (-abs(changes[i]), i))
    chosen = by_change[: number // 2]
    rest = sorted(set(images).difference(chosen), key=lambda i: (_finite(scores[i]), i))
    places = number - len(chosen)
    if places == 1:
        return sorted([*chosen, rest[0]])
    step = (len(rest) - 1) / max(places - 1, 1)
    return sorted([*chosen, *(rest[round(k * step)] for k in range(places))])


def _finite(score: float) -> float:
    return 0.0 if math.isnan(score) else score
