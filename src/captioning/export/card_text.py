"""What the card of an exported model says about loading it."""

from __future__ import annotations

from captioning.decoding.settings import DecodingSettings

_TEXT = """TensorFlow alone suffices; the model was exported with {method}. In this folder:

```python
import tensorflow as tf

model = tf.saved_model.load(".")
pictures = tf.stack([tf.io.read_file("picture.jpg")])
caption_files = model.signatures["serving_default"]
answer = caption_files(image_bytes=pictures)
print(answer["caption"][0].numpy().decode(), answer["log_probability"][0].numpy())
```

| signature | input | what it is |
|---|---|---|
| `serving_default` | `image_bytes`, string [B] | files: JPEG, PNG, GIF (first frame) or BMP |
| `pixels` | `pixels`, uint8 [B, h, w, 3] | pictures of one size, red, green, blue |

Both answer with `caption` string [B], `log_probability` float32 [B], `tokens` int32 [B, T], `words`
string [B, W], `attention` float32 [B, W, h, w] (where the model looked for each word) and `error`
string [B]. A file that is no usable picture has an empty caption, a log-probability of -3.4e38 and
a reason in `error`; the other pictures of the batch are captioned all the same.

The EXIF orientation of JPEG files is applied, that of PNG files is not. Transparent pixels of PNG
files are put on white, those of GIF files become black. WebP, AVIF, HEIC and TIFF are refused."""


def loading_text(settings: DecodingSettings) -> str:
    """How to load a model that was exported with these settings, in Markdown."""
    if settings.decoder == "greedy":
        return _TEXT.format(method="greedy decoding")
    method = f"a beam search of width {settings.beam_width}"
    return _TEXT.format(method=f"{method} and a length penalty of {settings.length_penalty:g}")
