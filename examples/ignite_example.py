"""The handler on Ignite's engines: one for the training, one for the validation.

python examples/ignite_example.py && tensorboard --logdir runs
"""

import torch
from digits import CLASS_NAMES, MEAN, STD, load, network
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import global_step_from_engine
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


training = GradAscentHandler(
    model, "runs/ignite", every=20, class_names=CLASS_NAMES, mean=MEAN, std=STD
)
training.attach(trainer)

# An evaluator counts its own iterations. Its samples should carry the trainer's steps.
validation = GradAscentHandler(
    model,
    "runs/ignite",
    tag="validation",
    class_names=CLASS_NAMES,
    mean=MEAN,
    std=STD,
    global_step_transform=global_step_from_engine(trainer),
)
validation.attach(evaluator)

trainer.run(loader, max_epochs=1)
training.close()
validation.close()
