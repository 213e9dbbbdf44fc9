"""The callback in Transformers' Trainer, with a small vision transformer.

python examples/transformers_example.py && tensorboard --logdir vit
"""

from shared_digits import CLASS_NAMES, MEAN, STD, load
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

from tb_gradascent.transformers import GradAscentCallback

config = ViTConfig(
    image_size=28,
    patch_size=7,
    num_channels=1,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
)
config.num_labels = len(CLASS_NAMES)
model = ViTForImageClassification(config)

# The Trainer takes a list of dictionaries with the names of the model's arguments.
images, labels = load("train")[:]
dataset = [{"pixel_values": x, "labels": y} for x, y in zip(images, labels, strict=True)]

arguments = TrainingArguments(
    "vit",
    max_steps=100,
    per_device_train_batch_size=32,
    learning_rate=1e-3,
    report_to="none",
    use_cpu=True,
    save_strategy="no",
)
callback = GradAscentCallback("vit/runs", every=20, class_names=CLASS_NAMES, mean=MEAN, std=STD)
Trainer(model, arguments, train_dataset=dataset, callbacks=[callback]).train()
