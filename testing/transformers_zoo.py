"""Classifiers of Transformers without weights, as small as their configurations allow.

Images are (N, 3, 32, 32). Audio is a signal. There are ``CLASSES`` classes.
"""

from __future__ import annotations

from typing import Any

from testing.zoo import CLASSES

#: A transformer of one small layer.
_SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
_VIT = {**_SMALL, "image_size": 32, "patch_size": 8}
_STAGES: dict[str, Any] = {"hidden_sizes": [8, 16], "depths": [1, 1]}
_SWIN: dict[str, Any] = {
    "image_size": 32,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1],
    "num_heads": [1, 2],
    "window_size": 4,
}
_WAVES: dict[str, Any] = {
    **_SMALL,
    "conv_dim": (8, 8),
    "conv_stride": (4, 4),
    "conv_kernel": (8, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
    "apply_spec_augment": False,
    "vocab_size": 8,
}

IMAGES: dict[str, dict[str, Any]] = {
    "ViT": _VIT,
    "DeiT": _VIT,
    "Dinov2": {**_VIT, "mlp_ratio": 2},
    "Beit": _VIT,
    "Swin": _SWIN,
    "Swinv2": _SWIN,
    "ConvNext": {**_STAGES, "num_stages": 2},
    "ConvNextV2": {**_STAGES, "num_stages": 2},
    "ResNet": {**_STAGES, "embedding_size": 8, "layer_type": "basic"},
    "RegNet": {**_STAGES, "embedding_size": 8, "groups_width": 4},
    "Bit": {**_STAGES, "embedding_size": 8, "num_groups": 4},
    "PoolFormer": {
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "num_encoder_blocks": 2,
        "patch_sizes": [3, 3],
        "strides": [4, 2],
        "padding": [1, 1],
    },
    "MobileNetV2": {"depth_multiplier": 0.25, "image_size": 32, "initializer_range": 0.08},
    "MobileViT": {
        "image_size": 32,
        "patch_size": 1,
        "hidden_sizes": [8, 8, 8],
        "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16],
        "num_attention_heads": 2,
        "expand_ratio": 2.0,
    },
    "Levit": {
        "image_size": 32,
        "hidden_sizes": [16, 16, 16],
        "num_attention_heads": [2, 2, 2],
        "depths": [1, 1, 1],
        "key_dim": [4, 4, 4],
        "mlp_ratio": [1, 1, 1],
        "attention_ratio": [1, 1, 1],
    },
    "Cvt": {"embed_dim": [8, 8, 16], "num_heads": [1, 1, 2], "depth": [1, 2, 3]},
    "EfficientNet": {
        "width_coefficient": 0.25,
        "depth_coefficient": 0.1,
        "hidden_dim": 320,
        "image_size": 32,
    },
    "FocalNet": {
        "image_size": 32,
        "embed_dim": 8,
        "depths": [1, 1],
        "focal_levels": [1, 1],
        "focal_windows": [3, 3],
    },
    "PvtV2": {
        "image_size": 32,
        "hidden_sizes": [8, 8, 16, 16],
        "num_attention_heads": [1, 1, 2, 2],
        "depths": [1, 1, 1, 1],
        "mlp_ratios": [2, 2, 2, 2],
    },
}

#: Audio by the waveform, (N, samples).
WAVES: dict[str, dict[str, Any]] = {
    "Wav2Vec2": _WAVES,
    "Hubert": _WAVES,
    "WavLM": _WAVES,
}


def build(name: str) -> Any:
    """Return a classifier by its name in Transformers, for example ``"ViT"``."""
    import transformers

    options = {**IMAGES, **WAVES}[name]
    # With smaller weights, some gradients vanish.
    config = getattr(transformers, f"{name}Config")(**{"initializer_range": 0.2, **options})
    config.num_labels = CLASSES
    kind = "SequenceClassification" if name in WAVES else "ImageClassification"
    return getattr(transformers, f"{name}For{kind}")(config)
