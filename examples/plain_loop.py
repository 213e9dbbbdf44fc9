"""A plain PyTorch loop with the hook.

python examples/plain_loop.py && tensorboard --logdir runs
"""

import torch
from shared_digits import CLASS_NAMES, MEAN, STD, load, network
from torch.nn import functional
from torch.utils.data import DataLoader

from tb_gradascent import GradAscentHook

torch.manual_seed(0)
model = network()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(load("train"), batch_size=64, shuffle=True)

# The tab shows images as a person sees them if the hook knows how they were normalised.
hook = GradAscentHook(model, "runs/plain", every=20, class_names=CLASS_NAMES, mean=MEAN, std=STD)

# Five fixed test digits are recorded at every capture, so that you can follow them.
images, labels = load("test")[:5]
hook.probe(images, labels)

for inputs, targets in loader:
    logits = model(inputs)
    loss = functional.cross_entropy(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    # This call captures at every 20th step. Between captures it only counts.
    hook(inputs, logits, targets)

hook.close()
print(hook.stats)
