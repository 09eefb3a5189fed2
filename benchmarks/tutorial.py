"""The reference: decoder, loss and greedy decoding as in TensorFlow's tutorial.

The tutorial is "Image captioning with visual attention". It uses stock Keras layers in post-norm
order, attends to the raw feature map separately for each caption, and runs the whole prefix again
for every token. This is a new implementation of it, for comparison with this project.

Legend: `B` captions, `T` tokens, `S` cells of the image grid, `C` feature channels, `D` units,
`V` vocabulary size.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from captioning.model import CaptionDecoder
from captioning.text import END, PAD, START

UNITS, LAYERS, HEADS, DROPOUT, LEARNING_RATE = 256, 2, 2, 0.5, 1e-4
BATCH_CAPTIONS, MAX_LENGTH = 32, 50
# Losses from this value on belong to banned tokens, in the tutorial's `masked_loss`.
_IMPOSSIBLE = 1e8


class TokenEmbedding(keras.layers.Layer):
    """Sum of token and position embeddings; padding is masked for the following layers."""

    def __init__(self, vocabulary_size: int, max_length: int, units: int) -> None:
        super().__init__()
        self.supports_masking = True
        self.tokens = keras.layers.Embedding(vocabulary_size, units, mask_zero=True)
        self.positions = keras.layers.Embedding(max_length, units)

    def call(self, tokens: Any) -> Any:
        """Map token ids `[B, T]` to embeddings `[B, T, D]`."""
        places = tf.range(tf.shape(tokens)[1])[None, :]
        return self.tokens(tokens) + self.positions(places)

    def compute_mask(self, tokens: Any, mask: Any = None) -> Any:
        """Mask `[B, T]` that is True at tokens and False at padding."""
        return self.tokens.compute_mask(tokens)


class Layer(keras.layers.Layer):
    """Causal self-attention, cross-attention and feed-forward block, each in post-norm order."""

    def __init__(self, units: int, heads: int, dropout: float, epsilon: float) -> None:
        super().__init__()
        self.supports_masking = True
        attention = {"num_heads": heads, "key_dim": units, "dropout": dropout}
        self.self_attention = keras.layers.MultiHeadAttention(**attention)
        self.cross_attention = keras.layers.MultiHeadAttention(**attention)
        self.expand = keras.layers.Dense(2 * units, activation="relu")
        self.contract = keras.layers.Dense(units)
        self.dropout = keras.layers.Dropout(dropout)
        self.add = keras.layers.Add()
        self.norms = [keras.layers.LayerNormalization(epsilon=epsilon) for _ in range(3)]

    def call(self, x: Any, image: Any, training: bool | None = None) -> Any:
        """Map `[B, T, D]` and the cells of the image `[B, S, C]` to `[B, T, D]`."""
        attended = self.self_attention(x, x, use_causal_mask=True, training=training)
        x = self.norms[0](self.add([x, attended]))
        attended, scores = self.cross_attention(
            x, image, return_attention_scores=True, training=training
        )
        # Kept for attention plots, so they are always computed.
        self.last_scores = scores
        x = self.norms[1](self.add([x, attended]))
        hidden = self.dropout(self.contract(self.expand(x)), training=training)
        return self.norms[2](self.add([x, hidden]))


class TutorialCaptioner(keras.Model):
    """The tutorial's `Captioner`, from feature maps and token ids to logits.

    Args:
        vocabulary_size: number of token ids `V`.
        output_bias: plain array float32 `[V]`, added to the logits.
        units: width of the residual stream and of each head.
        layers: number of decoder layers.
        heads: number of attention heads.
        dropout: dropout rate of attention weights and feed-forward blocks.
        max_length: number of position embeddings.
        epsilon: epsilon of the layer normalizations; 1e-3 is Keras' default.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_bias: NDArray[np.float32],
        units: int = UNITS,
        layers: int = LAYERS,
        heads: int = HEADS,
        dropout: float = DROPOUT,
        max_length: int = MAX_LENGTH,
        epsilon: float = 1e-3,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, max_length, units)
        self.blocks = [Layer(units, heads, dropout, epsilon) for _ in range(layers)]
        self.dense = keras.layers.Dense(vocabulary_size)
        self.output_bias = output_bias
        self.max_length = max_length

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: the layers are built when they are first called."""
        self.built = True

    def call(self, inputs: tuple[Any, Any], training: bool | None = None) -> Any:
        """Map features `[B, height, width, C]` and token ids `[B, T]` to logits `[B, T, V]`."""
        features, tokens = inputs
        shape = tf.shape(features)
        image = tf.reshape(features, (shape[0], shape[1] * shape[2], features.shape[3]))
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, image=image, training=training)
        return self.dense(x) + self.output_bias

    def simple_gen(self, features: NDArray[Any]) -> list[int]:
        """Decode one feature map `[height, width, C]` greedily; return token ids from `[START]`.

        Every token runs the whole prefix again, layer by layer, outside of any `tf.function`.
        """
        image = tf.constant(features, tf.float32)[None]
        tokens = tf.constant([[START]], tf.int64)
        for _ in range(self.max_length - 1):
            logits = self((image, tokens)).numpy()[:, -1, :]
            following = tf.argmax(logits, axis=-1)[:, None]
            tokens = tf.concat([tokens, following], axis=1)
            if following[0, 0] == END:
                break
        return [int(token) for token in tokens[0]]


def masked_loss(targets: Any, logits: Any) -> Any:
    """Mean cross-entropy over the targets `[B, T]` that are neither padding nor banned."""
    labels = tf.cast(targets, tf.int64)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    mask = tf.cast((labels != PAD) & (losses < _IMPOSSIBLE), losses.dtype)
    return tf.reduce_sum(losses * mask) / tf.reduce_sum(mask)


def masked_accuracy(targets: Any, logits: Any) -> Any:
    """Share of the targets `[B, T]`, without padding, that have the largest logit."""
    mask = tf.cast(targets != PAD, tf.float32)
    hits = tf.cast(tf.argmax(logits, axis=-1) == tf.cast(targets, tf.int64), tf.float32)
    return tf.reduce_sum(hits * mask) / tf.reduce_sum(mask)


def compiled(model: TutorialCaptioner) -> TutorialCaptioner:
    """Compile the model with the tutorial's optimizer, loss and metric; return it."""
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss=masked_loss, metrics=[masked_accuracy])
    return model


def same_size(
    vocabulary_size: int, feature_shape: tuple[int, int, int], **changes: Any
) -> CaptionDecoder:
    """This project's decoder in the tutorial's architecture: equal weights give equal logits."""
    arguments = {
        "layers": LAYERS,
        "units": UNITS,
        "heads": HEADS,
        "key_size": changes.get("units", UNITS),
        "feed_forward_units": 2 * changes.get("units", UNITS),
        "activation": "relu",
        "dropout": DROPOUT,
        "residual_dropout": 0.0,
        "norm": "post",
        "max_length": MAX_LENGTH,
        "tie_embeddings": False,
        "image_projection": False,
        "image_positions": False,
    }
    return CaptionDecoder(vocabulary_size, feature_shape, **{**arguments, **changes})


def copy_weights(source: CaptionDecoder, target: TutorialCaptioner) -> None:
    """Copy the weights of a decoder made by `same_size` to a built reference."""
    target.embedding.tokens.embeddings.assign(source.embedding.tokens)
    target.embedding.positions.embeddings.assign(source.embedding.positions)
    for ours, theirs in zip(source.decoder_layers, target.blocks, strict=True):
        for name in ("self_attention", "cross_attention"):
            _copy_attention(getattr(ours, name), getattr(theirs, name))
        for name in ("expand", "contract"):
            getattr(theirs, name).set_weights(getattr(ours, name).get_weights())
        for norm, reference_norm in zip(ours.norms, theirs.norms, strict=True):
            reference_norm.set_weights(norm.get_weights())
    kernel, bias = source.token_logits.kernel.numpy(), source.token_logits.bias.numpy()
    target.dense.set_weights([kernel.T, np.zeros_like(bias)])
    target.output_bias = bias


def _copy_attention(source: Any, target: keras.layers.MultiHeadAttention) -> None:
    """Copy attention weights; Keras splits heads: `[*, H*K]` becomes `[*, H, K]`."""
    weights = []
    for dense in (source.query_dense, source.key_dense, source.value_dense):
        kernel, bias = dense.get_weights()
        weights += [
            kernel.reshape(len(kernel), source.heads, source.key_size),
            bias.reshape(source.heads, source.key_size),
        ]
    kernel, bias = source.output_dense.get_weights()
    weights += [kernel.reshape(source.heads, source.key_size, -1), bias]
    target.set_weights(weights)
