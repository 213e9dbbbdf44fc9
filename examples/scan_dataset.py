"""Train without captures, then scan the test set for the mistakes that the network is surest of.

python examples/scan_dataset.py && tensorboard --logdir runs
"""

import torch
from shared_digits import CLASS_NAMES, MEAN, STD, load, network
from torch.nn import functional
from torch.utils.data import DataLoader

from tb_gradascent import GradAscentHook, Misclassified, read_samples

torch.manual_seed(0)
model = network()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for inputs, labels in DataLoader(load("train"), batch_size=64, shuffle=True):
    optimizer.zero_grad()
    functional.cross_entropy(model(inputs), labels).backward()
    optimizer.step()

with GradAscentHook(
    model,
    "runs/scan",
    criterion=Misclassified(),
    class_names=CLASS_NAMES,
    mean=MEAN,
    std=STD,
) as hook:
    found = hook.scan(DataLoader(load("test"), batch_size=256), top_k=16, tag="mistakes")
print(f"{found} mistakes are recorded; these are the first of them:")

# The same samples, read back as numpy arrays.
for sample in list(read_samples("runs/scan", tag="mistakes"))[:5]:
    prediction, probability = sample.classes[0], sample.probabilities[0]
    print(f"test digit {sample.id}: labelled {sample.label}, predicted {prediction}", end=" ")
    print(f"with probability {probability:.2f}")
