"""Every named choice of params.yaml, listed once."""

from __future__ import annotations

from typing import Literal

DatasetName = Literal[
    "scenes", "flickr8k", "coco_captions", "karpathy", "conceptual_captions", "folder"
]
ExtractorName = Literal["efficientnet_lite0", "mobilenet_v3_small"]
FeatureDtype = Literal["float16", "float32"]
VocabularyKind = Literal["word", "subword"]
Normalization = Literal["nfc", "nfkc"]
Punctuation = Literal["delete", "keep"]
Activation = Literal["relu", "gelu"]
Norm = Literal["pre", "post"]
Monitor = Literal["loss", "accuracy"]
Schedule = Literal["constant", "cosine"]
Precision = Literal["float32", "bfloat16"]
Decoder = Literal["greedy", "sample", "beam"]
Tokenizer = Literal["none", "ptb", "char", "zh", "ja-mecab", "ko-mecab"]
