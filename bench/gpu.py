"""What the hook costs on a GPU: ``bash bench/gpu.sh``. It takes less than six minutes.

Large networks are trained on batches of 256 photographs, in bfloat16, plain and compiled. Then the
profiler shows that a call that is not due waits for nothing, and that copies go to pinned memory.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from bench import report
from bench.measure import synchronize
from bench.training import DEFAULT_EVERY, Case, measure, percent
from bench.workloads import photographs
from tb_gradascent import GradAscentHook

CLASSES = 1000
CALLS = 50
WAITS = ("Synchronize", "Memcpy DtoH", "aten::item", "aten::_local_scalar_dense")
"""Names of events that make, or may make, the computer wait for the GPU."""


class Bottleneck(nn.Module):
    """Convolutions of 1×1, 3×3 and 1×1 beside a shortcut (He et al., arXiv:1512.03385)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            *(nn.BatchNorm2d(width), nn.ReLU(True)),
            *(nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.last = nn.ReLU(True)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, shape (N, 4 · width, H / stride, W / stride)."""
        out: Tensor = self.last(self.body(x) + self.shortcut(x))
        return out


def resnet50(depths: Sequence[int] = (3, 4, 6, 3)) -> nn.Module:
    """ResNet-50: 26 M parameters.

    Args:
        depths: Blocks of each width.
    """
    layers: list[nn.Module] = [
        *(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True)),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for width, blocks in zip((64, 128, 256, 512), depths, strict=True):
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            layers.append(Bottleneck(channels, width, stride))
            channels = 4 * width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)
    )


class LargeTransformer(nn.Module):
    """ViT-B with patches of 16×16 (Dosovitskiy et al., arXiv:2010.11929): 86 M parameters."""

    def __init__(self, side: int, width: int = 768, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, stride=16)
        self.position = nn.Parameter(torch.randn((side // 16) ** 2, width) / 50)
        layer = nn.TransformerEncoderLayer(
            width, 12, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, 1000)."""
        tokens = self.patches(x).flatten(2).mT + self.position
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits


class Plan(NamedTuple):
    """What is measured, and how long.

    Attributes:
        device: Where the networks are trained.
        batch: Photographs at once.
        side: Their height and width.
        every: Steps in a block, with one capture.
        pairs: Pairs of blocks.
        seconds: No network is begun after so many.
        resnet: Blocks of each width.
        width, depth: Of the transformer.
        backend: What compiles the networks.
    """

    device: str = "cuda"
    batch: int = 256
    side: int = 224
    every: int = 10
    pairs: int = 4
    seconds: float = 200
    resnet: Sequence[int] = (3, 4, 6, 3)
    width: int = 768
    depth: int = 12
    backend: str = "inductor"


DRY_RUN = Plan(
    "cpu",
    batch=2,
    side=32,
    every=1,
    pairs=2,
    resnet=(1, 0, 0, 0),
    width=48,
    depth=1,
    backend="eager",
)
"""Runs all of this file without a GPU, on small parts of the networks. Its figures mean nothing."""


def batches(plan: Plan) -> list[tuple[Tensor, Tensor]]:
    """One batch of made-up photographs, with labels drawn at random."""
    labels = torch.randint(CLASSES, (plan.batch,), generator=torch.Generator().manual_seed(0))
    return [(photographs(plan.batch, (3, plan.side, plan.side)), labels)]


def cases(plan: Plan) -> list[Case]:
    """The networks, plain and compiled."""
    networks: dict[str, Callable[[], nn.Module]] = {
        "ResNet-50": lambda: resnet50(plan.resnet),
        "ViT-B/16": lambda: LargeTransformer(plan.side, plan.width, plan.depth),
    }
    made = functools.cache(lambda: batches(plan))
    return [
        Case(
            f"{name}, {plan.device}, batch {plan.batch}, bfloat16" + ", compiled" * compiled,
            model,
            made,
            every=plan.every,
            pairs=plan.pairs,
            device=plan.device,
            autocast=True,
            compiled=compiled,
            backend=plan.backend,
        )
        for compiled in (False, True)
        for name, model in networks.items()
    ]


def events_of(work: Callable[[], object]) -> list[str]:
    """The names of everything that the computer and the GPU do in the meantime."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    synchronize()
    with profile(activities=activities) as profiler:
        work()
    return [event.name for event in profiler.events() or ()]


def waiting(plan: Plan) -> tuple[list[str], list[str]]:
    """Events in which calls that are not due may wait, and the copies of a call that is due."""
    model = resnet50(plan.resnet).to(plan.device)
    inputs = torch.randn(16, 3, plan.side, plan.side, device=plan.device)
    labels = torch.zeros(16, dtype=torch.int64, device=plan.device)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Without morphs, because the profiler takes minutes to list the events of their passes.
        GradAscentHook(model, folder, every=DEFAULT_EVERY, ascent=None, strict=True) as hook,
    ):
        logits = model(inputs)
        copies = events_of(lambda: hook(inputs, logits, labels, step=0))

        def not_due() -> None:
            for step in range(1, 1 + CALLS):
                hook(inputs, logits, labels, step=step)

        waits = [name for name in events_of(not_due) if any(wait in name for wait in WAITS)]
    # The profiler itself waits once for the GPU, at its end.
    return waits, [name for name in copies if "Memcpy DtoH" in name]


def cost(case: Case) -> tuple[str, str]:
    """A step's milliseconds, and what captures cost; or why this could not be measured."""
    try:
        step, longer = measure(case)
    except torch.OutOfMemoryError:
        return "", "not enough memory"
    finally:
        torch.cuda.empty_cache()
    return f"{1e3 * step:.3g}", percent(step, longer)


def run(plan: Plan) -> report.Section:
    """Look for waits, then measure the cases. Each result is printed as it comes."""
    start = time.monotonic()
    waits, copies = waiting(plan)
    pinned = sum("Pinned" in name for name in copies)
    figures = [
        report.Figure(
            f"waits for the GPU in {CALLS} calls that are not due", f"{len(waits)}", "at most 1"
        ),
        report.Figure(
            "copies of a capture to pinned memory", f"{pinned} of {len(copies)}", "all large ones"
        ),
    ]
    rows = []
    for case in cases(plan):
        late = time.monotonic() - start > plan.seconds
        step, percentage = ("", "left out, for lack of time") if late else cost(case)
        figures.append(
            report.Figure(f"a capture every {DEFAULT_EVERY} steps: {case.name}", percentage)
        )
        rows.append((case.name, step, percentage))
        # Should the time run out, this much is known.
        print(f"{case.name}: {step} ms a step; {percentage}", flush=True)
    name = torch.cuda.get_device_name() if plan.device == "cuda" else "the CPU, for a dry run"
    return report.Section(
        "Cost to a training on a GPU",
        figures,
        ("network", "a step, ms", f"of the training, if captures are {DEFAULT_EVERY} steps apart"),
        rows,
        f"On {name}. The one wait that the profiler shows is its own.",
    )


def main() -> int:
    """Measure and print, or say that there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU; measures nothing")
    options = parser.parse_args()
    if not (options.dry_run or torch.cuda.is_available()):
        print("bench.gpu needs a CUDA device, and torch finds none.", file=sys.stderr)
        return 1
    report.show(run(DRY_RUN if options.dry_run else Plan()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
