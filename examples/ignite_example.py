"""The handler on Ignite's engines: the training, and the worst of its validation.

python examples/ignite_example.py && tensorboard --logdir runs
"""

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from shared_digits import CLASS_NAMES, MEAN, STD, load, network
from torch.nn import functional
from torch.utils.data import DataLoader

from tb_gradascent.ignite import GradAscentHandler

torch.manual_seed(0)
model = network()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(load("train"), batch_size=64, shuffle=True)
validation_loader = DataLoader(load("test"), batch_size=256)

trainer = create_supervised_trainer(model, optimizer, functional.cross_entropy)
evaluator = create_supervised_evaluator(model)


@trainer.on(Events.EPOCH_COMPLETED)
def validate() -> None:
    """Run the evaluator after each epoch."""
    evaluator.run(validation_loader)


handler = GradAscentHandler(
    model, "runs/ignite", every=20, class_names=CLASS_NAMES, mean=MEAN, std=STD
)
handler.attach(trainer)
handler.attach_evaluator(evaluator)

trainer.run(loader, max_epochs=1)
handler.close()
