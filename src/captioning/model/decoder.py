"""The caption decoder: computes logits from image features and tokens.

Legend: `B` images, `N` captions or beams per image, `T` tokens, `S` cells of the image grid, `C`
feature channels, `D` units, `H` heads, `K` width of one head, `L` layers, `V` vocabulary.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from captioning.model.decoder_layer import DecoderLayer
from captioning.model.embedding import TokenAndPositionEmbedding
from captioning.model.image_encoder import ImageEncoder
from captioning.model.output import TokenLogits
from captioning.text import START

#: Keys and values of every layer.
Cache = tuple[tuple[Any, Any], ...]


def caption_structure(tokens: Any) -> tuple[Any, Any]:
    """Compute the self-attention mask and the positions of packed captions.

    A token attends to itself and to earlier tokens of the same caption. Each `[START]` begins a new
    caption. Padding on the right becomes part of the last caption, but since attention is causal,
    no other token attends to it.

    Args:
        tokens: packed captions, one after the other, int `[B, T]`.

    Returns:
        The mask, bool `[B, 1, T, T]`, and the positions, int32 `[B, T]`, from 0 in every caption.
    """
    caption = ops.cumsum(ops.cast(ops.equal(tokens, START), "int32"), axis=1)
    places = ops.arange(ops.shape(tokens)[1])
    earlier = places[:, None] >= places[None, :]
    mask = ops.logical_and(ops.equal(caption[:, :, None], caption[:, None, :]), earlier)
    positions = ops.sum(ops.cast(mask, "int32"), axis=-1) - 1
    return mask[:, None], positions


@keras.saving.register_keras_serializable(package="captioning")
class CaptionDecoder(keras.Model):
    """Transformer decoder over frozen image features (the tutorial's `Captioner`).

    All captions of an image are packed into one sequence. So the image side of cross-attention is
    computed only once for them, and there is little padding.

    Args:
        vocabulary_size: number of token ids `V`.
        feature_shape: `(height, width, C)` of a feature map.
        layers, units, heads, key_size, feed_forward_units, activation, dropout, residual_dropout,
            norm: see `DecoderLayer`.
        max_length: maximum number of tokens in a caption, including `[START]` and `[END]`.
        tie_embeddings: whether the token embedding is also the kernel of the output layer.
        image_projection, image_positions: see `ImageEncoder`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        feature_shape: tuple[int, int, int],
        layers: int = 2,
        units: int = 256,
        heads: int = 4,
        key_size: int | None = None,
        feed_forward_units: int = 1024,
        activation: str = "gelu",
        dropout: float = 0.2,
        residual_dropout: float = 0.2,
        norm: str = "pre",
        max_length: int = 50,
        tie_embeddings: bool = True,
        image_projection: bool = True,
        image_positions: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = {
            "vocabulary_size": vocabulary_size,
            "feature_shape": list(feature_shape),
            "layers": layers,
            "units": units,
            "heads": heads,
            "key_size": key_size,
            "feed_forward_units": feed_forward_units,
            "activation": activation,
            "dropout": dropout,
            "residual_dropout": residual_dropout,
            "norm": norm,
            "max_length": max_length,
            "tie_embeddings": tie_embeddings,
            "image_projection": image_projection,
            "image_positions": image_positions,
        }
        self.vocabulary_size = vocabulary_size
        self.feature_shape = (feature_shape[0], feature_shape[1], feature_shape[2])
        self.units = units
        self.heads = heads
        self.max_length = max_length
        self.tie_embeddings = tie_embeddings
        policy = self.dtype_policy
        self.embedding = TokenAndPositionEmbedding(
            vocabulary_size, max_length, units, scale=tie_embeddings, dtype=policy
        )
        self.image_encoder = ImageEncoder(
            units, image_projection, image_positions, residual_dropout, dtype=policy
        )
        self.decoder_layers = [
            DecoderLayer(
                units,
                heads,
                key_size,
                feed_forward_units,
                activation,
                dropout,
                residual_dropout,
                norm,
                dtype=policy,
                name=f"decoder_layer_{index}",
            )
            for index in range(layers)
        ]
        self.final_norm = (
            keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy) if norm == "pre" else None
        )
        self.embedding_dropout = keras.layers.Dropout(residual_dropout, dtype=policy)
        self.token_logits = TokenLogits(vocabulary_size, tie_embeddings, dtype=policy)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Create all weights; the constructor's arguments determine their shapes."""
        tokens = (None, None, self.units)
        self.image_encoder.build((None, *self.feature_shape))
        channels = self.units if self.image_encoder.project else self.feature_shape[-1]
        self.embedding.build()
        for layer in self.decoder_layers:
            layer.build(tokens, (None, None, channels))
        if self.final_norm is not None:
            self.final_norm.build(tokens)
        self.token_logits.build(tokens)
        self.built = True

    def set_output_bias(self, bias: Any) -> None:
        """Set the bias of the output layer, float32 `[V]`; see `text.bias.output_bias`."""
        self.token_logits.bias.assign(bias)

    def call(
        self, inputs: dict[str, Any], training: bool | None = None, return_scores: bool = False
    ) -> Any:
        """Compute the logits of all next tokens in one pass (teacher forcing).

        Args:
            inputs: `features` float `[B, height, width, C]` and `tokens` int32 `[B, T]`: one or
                more packed captions of the image, each beginning with `[START]`, padded with 0 on
                the right; see `caption_structure`.
            training: whether dropout is on.
            return_scores: whether to return the cross-attention weights too.

        Returns:
            Logits float32 `[B, T, V]`; with `return_scores`, also cross-attention weights float32
            `[B, L, H, T, S]`.
        """
        mask, positions = caption_structure(inputs["tokens"])
        image = self.encode_image(inputs["features"], training)
        positions = ops.minimum(positions, self.max_length - 1)
        x = self.embedding(inputs["tokens"], positions)
        x = self.embedding_dropout(x, training=training)
        scores = []
        for layer, memory in zip(self.decoder_layers, image, strict=True):
            x, layer_scores = layer(x, image=memory, attention_mask=mask, training=training)
            scores.append(layer_scores)
        logits = self._logits(x)
        return (logits, ops.stack(scores, axis=1)) if return_scores else logits

    def encode_image(self, features: Any, training: bool | None = None) -> Cache:
        """Compute the keys and values of every layer's cross-attention, each `[B, H, S, K]`."""
        cells = self.image_encoder(features, training=training)
        return tuple(layer.cross_attention.project_memory(cells) for layer in self.decoder_layers)

    def empty_cache(self, rows: Any, length: int) -> Cache:
        """Keys and values of every layer's self-attention, zeros `[rows, H, length, K]`."""
        attention = self.decoder_layers[0].self_attention
        shape = (rows, attention.heads, length, attention.key_size)
        dtype = self.compute_dtype
        return tuple(
            (ops.zeros(shape, dtype), ops.zeros(shape, dtype)) for _ in self.decoder_layers
        )

    def step(self, tokens: Any, position: Any, image: Cache, cache: Cache) -> tuple[Any, Cache]:
        """Compute the logits of the next token, given one more token of each caption.

        Args:
            tokens: tokens at `position`, int32 `[B, N]`.
            position: int scalar, counted from 0.
            image: keys and values of the images, from `encode_image`.
            cache: keys and values of earlier tokens, `[B*N, H, length, K]`, where `length` is
                greater than `position`.

        Returns:
            Logits float32 `[B, N, V]`, and the cache with the keys and values of `tokens` added.
        """
        beams = ops.shape(tokens)[1]
        x = self.embedding(ops.reshape(tokens, (-1, 1)), ops.reshape(position, (1,)))
        updated = []
        for layer, memory, layer_cache in zip(self.decoder_layers, image, cache, strict=True):
            x, layer_cache = layer.step(x, layer_cache, position, memory, beams)
            updated.append(layer_cache)
        logits = ops.reshape(self._logits(x), (-1, beams, self.vocabulary_size))
        return logits, tuple(updated)

    def _logits(self, x: Any) -> Any:
        """Compute logits `[B, T, V]` from the output `[B, T, D]` of the last layer."""
        if self.final_norm is not None:
            x = self.final_norm(x)
        return self.token_logits(x, kernel=self.embedding.tokens if self.tie_embeddings else None)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, for saving."""
        return {**super().get_config(), **self.arguments}
