"""The whole captioner as functions of TensorFlow's graph: pictures in, captions out.

Legend: `B` pictures, `h`, `w` height and width of a picture or of an attention map, `S` side of the
model's square input, `T` tokens (`max_length`), `W` words of the longest caption of a batch.
"""

from __future__ import annotations

import tensorflow as tf

from captioning.captioner import Captioner
from captioning.decoding.search import DecodingSettings
from captioning.export.pictures import PictureLoader
from captioning.export.words import TokenTexts

#: Log-probability of a picture that cannot be used: the lowest number. JSON has no infinity.
NO_CAPTION = tf.float32.min

Outputs = dict[str, tf.Tensor]


class CaptioningGraph:
    """A trained captioner with a fixed way of decoding.

    Both functions return, for each picture:

    - `caption`: string `[B]`;
    - `log_probability`: float32 `[B]`, the sum over all tokens after `[START]`;
    - `tokens`: int32 `[B, T]`, from `[START]` to `[END]`, padded with 0;
    - `words`: words or subword pieces, string `[B, W]`, padded with empty strings;
    - `attention`: float32 `[B, W, h, w]`, a map for each word, which sums to 1; 0 for padding;
    - `error`: string `[B]`, why a picture could not be used; empty if it could.

    A picture that cannot be used has an empty caption, no words, tokens 0, and the lowest number
    as its log-probability. The other pictures of the batch are captioned: a server may have put
    pictures of several users into one batch.

    Args:
        captioner: trained model.
        settings: how captions are searched for.

    Raises:
        InputError: the weights of the backbone are not those used in training.
    """

    def __init__(self, captioner: Captioner, settings: DecodingSettings) -> None:
        self._decoder = captioner.decoder
        self._settings = settings
        self._search = captioner.search(settings)
        self._extractor = captioner.extractor
        self._texts = TokenTexts(captioner.vocabulary)
        size = captioner.source["image_size"]
        self._loader = PictureLoader(size)
        signature = [tf.TensorSpec((None, size, size, 3), tf.uint8)]
        self._captions = tf.function(self._captions_of, signature, autograph=False)
        self.from_files = tf.function(
            self._from_files, [tf.TensorSpec((None,), tf.string, "image_bytes")], autograph=False
        )
        self.from_pixels = tf.function(
            self._from_pixels,
            [tf.TensorSpec((None, None, None, 3), tf.uint8, "pixels")],
            autograph=False,
        )

    def _from_files(self, image_bytes: tf.Tensor) -> Outputs:
        """Caption picture files, string `[B]`."""
        pictures = self._loader.load(image_bytes)
        found = self._captions(pictures.pixels)
        is_good = pictures.error == ""
        kept = {name: _where(is_good, value) for name, value in found.items()}
        log_probability = tf.where(is_good, found["log_probability"], NO_CAPTION)
        return {**kept, "log_probability": log_probability, "error": pictures.error}

    def _from_pixels(self, pixels: tf.Tensor) -> Outputs:
        """Caption pictures, uint8 `[B, h, w, 3]` in the order red, green, blue."""
        found = self._captions(self._loader.resize(pixels))
        return {**found, "error": tf.zeros_like(found["caption"])}

    def _captions_of(self, pixels: tf.Tensor) -> Outputs:
        """Caption pictures that have the size of the model's input, uint8 `[B, S, S, 3]`."""
        features = self._extractor.feature_maps(pixels)
        images = tf.shape(features)[0]
        numbers = {
            name: tf.fill((images,), tf.constant(getattr(self._settings, name), tf.float32))
            for name in self._search.numbers
        }
        found = self._search({"features": features, **numbers}, training=False)
        tokens = tf.cast(found["tokens"][:, 0], tf.int32)
        texts = self._texts(tokens)
        attention = self._attention(features, tokens[:, : tf.shape(texts.words)[1]])
        return {
            "caption": texts.captions,
            "log_probability": found["log_probability"][:, 0],
            "tokens": tokens,
            "words": texts.words,
            "attention": _where(texts.is_word, attention),
        }

    def _attention(self, features: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        """Where the decoder looks for the token after each of the given ones.

        As `decoding.batches.attention_maps`: the mean over layers and heads.

        Args:
            features: feature maps `[B, h, w, C]`.
            tokens: int32 `[B, W]`.

        Returns:
            float32 `[B, W, h, w]`.
        """
        inputs = {"features": features, "tokens": tokens}
        _, scores = self._decoder(inputs, training=False, return_scores=True)
        mean = tf.reduce_mean(tf.cast(scores, tf.float32), axis=(1, 2))
        height, width, _ = self._decoder.feature_shape
        return tf.reshape(mean, (-1, tf.shape(tokens)[1], height, width))


def _where(condition: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Values whose first axes are those of a condition; 0 or empty where it does not hold."""
    axes = values.shape.rank - condition.shape.rank
    shape = tf.concat([tf.shape(condition), [1] * axes], axis=0)
    return tf.where(tf.reshape(condition, shape), values, tf.zeros_like(values))
