"""What the hook costs on a GPU: ``bash bench/gpu.sh``. It takes less than six minutes.

Large networks are trained on batches of 256 photographs, in bfloat16, plain and compiled. Then the
profiler shows that a call that is not due waits for nothing, and that copies go to pinned memory.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from bench import report
from bench.training import DEFAULT_EVERY, Case, measure, percent
from bench.workloads import photographs
from tb_gradascent import GradAscentHook

BATCH = 256
CLASSES = 1000
SHAPE = (3, 224, 224)
EVERY = 20
PAIRS = 5
CALLS = 50
WAITS = ("Synchronize", "Memcpy DtoH", "aten::item", "aten::_local_scalar_dense")
"""Names of events in which the computer waits for the GPU, or may wait for it."""


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


def resnet50() -> nn.Module:
    """ResNet-50: 26 M parameters."""
    layers: list[nn.Module] = [
        *(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True)),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            layers.append(Bottleneck(channels, width, stride))
            channels = 4 * width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)
    )


class LargeTransformer(nn.Module):
    """ViT-B with patches of 16×16 (Dosovitskiy et al., arXiv:2010.11929): 86 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        width = 768
        self.patches = nn.Conv2d(3, width, 16, stride=16)
        self.position = nn.Parameter(torch.randn(14 * 14, width) / 50)
        layer = nn.TransformerEncoderLayer(
            width, 12, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (N, 1000)."""
        tokens = self.patches(x).flatten(2).mT + self.position
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits


def batches() -> list[tuple[Tensor, Tensor]]:
    """One batch of made-up photographs, with labels drawn at random."""
    labels = torch.randint(CLASSES, (BATCH,), generator=torch.Generator().manual_seed(0))
    return [(photographs(BATCH, SHAPE), labels)]


def cases() -> list[Case]:
    """The networks, plain and compiled."""
    networks: dict[str, Callable[[], nn.Module]] = {
        "ResNet-50": resnet50,
        "ViT-B/16": LargeTransformer,
    }
    return [
        Case(
            f"{name}, CUDA, batch {BATCH}, bfloat16" + ", compiled" * compiled,
            model,
            batches,
            every=EVERY,
            pairs=PAIRS,
            device="cuda",
            autocast=True,
            compiled=compiled,
        )
        for name, model in networks.items()
        for compiled in (False, True)
    ]


def events_of(work: Callable[[], object]) -> list[str]:
    """The names of everything that the computer and the GPU do in the meantime."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
    return [event.name for event in profiler.events() or ()]


def waiting() -> tuple[list[str], list[str]]:
    """Events in which calls that are not due may wait, and the copies of a call that is due."""
    model = resnet50().cuda()
    inputs = torch.randn(16, *SHAPE, device="cuda")
    labels = torch.zeros(16, dtype=torch.int64, device="cuda")
    with (
        tempfile.TemporaryDirectory() as folder,
        GradAscentHook(model, folder, every=DEFAULT_EVERY, strict=True) as hook,
    ):
        logits = model(inputs)
        copies = events_of(lambda: hook(inputs, logits, labels, step=0))

        def not_due() -> None:
            for step in range(1, 1 + CALLS):
                hook(inputs, logits, labels, step=step)

        waits = [name for name in events_of(not_due) if any(wait in name for wait in WAITS)]
    # The profiler itself waits once for the GPU, at its end.
    return waits, [name for name in copies if "Memcpy DtoH" in name]


def run() -> report.Section:
    """Measures all cases, and looks for waits."""
    figures, rows = [], []
    for case in cases():
        step, longer = measure(case)
        cost = percent(step, longer)
        figures.append(report.Figure(f"a capture every {DEFAULT_EVERY} steps: {case.name}", cost))
        rows.append((case.name, f"{1e3 * step:.3g}", cost))
    waits, copies = waiting()
    pinned = sum("Pinned" in name for name in copies)
    figures += [
        report.Figure(
            f"waits for the GPU in {CALLS} calls that are not due", f"{len(waits)}", "at most 1"
        ),
        report.Figure(
            "copies of a capture to pinned memory", f"{pinned} of {len(copies)}", "all large ones"
        ),
    ]
    return report.Section(
        "Cost to a training on a GPU",
        figures,
        ("network", "a step, ms", f"of the training, if captures are {DEFAULT_EVERY} steps apart"),
        rows,
        f"On {torch.cuda.get_device_name()}. The one wait that the profiler shows is its own.",
    )


def main() -> int:
    """Measure and print, or say that there is no GPU."""
    if not torch.cuda.is_available():
        print("bench.gpu needs a CUDA device, and torch finds none.", file=sys.stderr)
        return 1
    report.show(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
