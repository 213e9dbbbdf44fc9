"""The worst samples of an evaluation."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, Misclassified, ProbabilityMargin, Sample, read_samples
from testing.brief import BRIEF
from testing.networks import convolutional, digits
from testing.traces import differences, untouched

BATCH, BATCHES, TOP_K = 16, 12, 3


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    """The data of each evaluation, sorted by class, as many data sets are."""
    images, truth = digits("test")
    rows = truth[: BATCH * BATCHES].argsort()
    yield from zip(images[rows].split(BATCH), truth[rows].split(BATCH), strict=True)


@functools.cache
def weights(steps: int) -> nn.Module:
    """A network that knows a little."""
    network = convolutional()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    images, labels = digits()
    for x, y in list(zip(images.split(BATCH), labels.split(BATCH), strict=True))[:steps]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network.eval()


def trained(steps: int = 30) -> nn.Module:
    """A copy of such a network."""
    return copy.deepcopy(weights(steps))


def explicitly(hook: GradAscentHook, network: nn.Module, x: Tensor, y: Tensor) -> None:
    hook(x, network(x), y)


def by_the_pass_alone(hook: GradAscentHook, network: nn.Module, x: Tensor, y: Tensor) -> None:
    network(x)


def with_an_augmented_pass(hook: GradAscentHook, network: nn.Module, x: Tensor, y: Tensor) -> None:
    network(x.flip(3))
    logits = network(x)
    network(x.flip(2))
    hook(x, logits, y)


def asking(hook: GradAscentHook, network: nn.Module, x: Tensor, y: Tensor) -> None:
    hook(x, None, y)


Look = Callable[[GradAscentHook, nn.Module, Tensor, Tensor], None]


def evaluate(hook: GradAscentHook, network: nn.Module, look: Look, **options: Any) -> None:
    with hook.evaluation(**options), torch.no_grad():
        for x, y in batches():
            look(hook, network, x, y)


def worst(network: nn.Module) -> tuple[list[int], list[int]]:
    """The rows of the most confused samples and of the surest errors, found by torch alone."""
    images, labels = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    with torch.no_grad():
        logits = network(images)
    first, second = logits.softmax(1).topk(2).values.unbind(1)
    margins = first - second
    confused = [row for row in margins.argsort().tolist() if margins[row] <= 0.5][:TOP_K]
    loss = nn.functional.cross_entropy(logits, labels, reduction="none")
    wrong = [row for row in (-loss).argsort().tolist() if logits[row].argmax() != labels[row]]
    return confused, [row for row in wrong if row not in confused][:TOP_K]


def rows_of(samples: list[Sample]) -> list[int]:
    images = torch.cat([x for x, _ in batches()]).numpy()
    return [
        next(row for row, image in enumerate(images) if np.array_equal(image, sample.image))
        for sample in samples
    ]


@pytest.mark.parametrize("look", [explicitly, with_an_augmented_pass, asking])
def test_the_worst_of_the_whole_evaluation_are_captured(tmp_path: Path, look: Look) -> None:
    network = trained()
    with GradAscentHook(network, tmp_path, top_k=TOP_K, ascent=None, strict=True) as hook:
        evaluate(hook, network, look, step=7)
        assert hook.stats.captured == 2 * TOP_K
    samples = list(read_samples(tmp_path, tag="validation"))
    confused, errors = worst(network)
    assert rows_of(samples) == confused + errors
    labels = torch.cat([y for _, y in batches()])
    assert [sample.label for sample in samples] == labels[confused + errors].tolist()
    assert [sample.id for sample in samples] == [str(row) for row in confused + errors]
    assert {sample.step for sample in samples} == {7}
    assert len({sample.label for sample in samples}) > 1, "not of the first batch's class alone"
    for sample in samples:
        image = torch.from_numpy(sample.image)[None].requires_grad_()
        logits = network(image)[0]
        chances = logits.softmax(0).detach()[list(sample.classes)]
        np.testing.assert_allclose(sample.probabilities, chances, atol=1e-6)
        for target in sample.targets:
            (gradient,) = torch.autograd.grad(logits[target.index], image, retain_graph=True)
            largest = gradient.abs().max().item()
            np.testing.assert_allclose(target.gradient, gradient[0].numpy(), atol=largest / 1000)


def test_without_a_call_the_models_own_passes_are_looked_at(tmp_path: Path) -> None:
    network = trained()
    with GradAscentHook(network, tmp_path, top_k=TOP_K, ascent=None, strict=True) as hook:
        evaluate(hook, network, by_the_pass_alone)
    samples = list(read_samples(tmp_path, tag="validation"))
    assert rows_of(samples) == worst(network)[0]
    assert {sample.label for sample in samples} == {None}
    assert not network._forward_hooks


def test_labels_that_the_model_is_given_are_seen(tmp_path: Path) -> None:
    class Scored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = trained()

        def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            return {"logits": self.net(x)}

    network = Scored()
    with GradAscentHook(network, tmp_path, top_k=TOP_K, ascent=None, strict=True) as hook:
        with hook.evaluation(), torch.no_grad():
            for x, y in batches():
                network(x, labels=y)
    confused, errors = worst(network.net)
    assert rows_of(list(read_samples(tmp_path))) == confused + errors


def test_an_evaluation_leaves_no_trace_and_counts_no_step(tmp_path: Path) -> None:
    network = trained()
    with GradAscentHook(network, tmp_path, every=1, strict=True, ascent=BRIEF) as hook:
        before = untouched(network)
        evaluate(hook, network, explicitly)
        evaluate(hook, network, by_the_pass_alone)
        assert differences(before, untouched(network)) == []
        x, y = next(batches())
        hook(x, network(x), y)
    assert {sample.step for sample in read_samples(tmp_path, tag="confused")} == {0}


def test_answers_of_other_weights_choose_candidates_only(tmp_path: Path) -> None:
    """An average of the weights is evaluated; the record is the model's own."""
    network, other = trained(), trained(2)
    with GradAscentHook(network, tmp_path, top_k=TOP_K, ascent=None, strict=True) as hook:
        evaluate(hook, other, explicitly)
    for sample in read_samples(tmp_path):
        wrong = sample.classes[0] != sample.label
        assert wrong or sample.margin <= 0.5


def test_the_time_of_captures_limits_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_gradascent.training.overhead.FREE_SECONDS", 0.0)
    network = trained()
    with GradAscentHook(network, tmp_path, strict=True, ascent=BRIEF) as hook:
        evaluate(hook, network, explicitly)
        captured = hook.stats.captured
        assert captured > 0
        assert hook.stats.overhead > 0
        evaluate(hook, network, explicitly)
        assert hook.stats.captured == captured


def test_a_block_that_fails_captures_nothing(tmp_path: Path) -> None:
    network = trained()
    with GradAscentHook(network, tmp_path, strict=True, ascent=BRIEF) as hook:
        with pytest.raises(KeyError), hook.evaluation():
            x, y = next(batches())
            hook(x, network(x), y)
            raise KeyError
        assert hook.stats.captured == 0
        assert not network._forward_hooks
        x, y = next(batches())
        assert hook(x, network(x), y) > 0


def test_faults_do_not_reach_the_evaluation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = trained()
    with caplog.at_level(logging.WARNING, "tb_gradascent"):
        with GradAscentHook(network, tmp_path, criterion=Misclassified(), ascent=BRIEF) as hook:
            evaluate(hook, network, lambda h, n, x, y: h(x, n(x)[:, :3], y))  # type: ignore[arg-type]
            evaluate(hook, network, by_the_pass_alone)
    assert {notice.code for notice in hook.health} >= {"evaluation-failed-ValueError"}
    assert list(read_samples(tmp_path)) == []


def test_an_evaluation_inside_another_one_is_part_of_it(tmp_path: Path) -> None:
    network = trained()
    with GradAscentHook(network, tmp_path, top_k=TOP_K, ascent=None, strict=True) as hook:
        with hook.evaluation(tag="outer"):
            evaluate(hook, network, explicitly)
    samples = list(read_samples(tmp_path))
    assert {sample.tag for sample in samples} == {"outer"}
    assert len(samples) == 2 * TOP_K


def test_memory_does_not_grow_with_the_evaluation(tmp_path: Path) -> None:
    network = trained()
    criterion = ProbabilityMargin(1)
    with GradAscentHook(
        network, tmp_path, top_k=1, criterion=criterion, ascent=None, strict=True
    ) as hook:
        with hook.evaluation(), torch.no_grad():
            for x, y in batches():
                hook(x, network(x), y)
                held = hook._capturer.evaluation
                assert held is not None
                assert len(held.confused.candidates()) <= 3
                assert len(held.errors.candidates()) <= 3


def test_a_batch_whose_inputs_were_overwritten_is_left_out_and_said(tmp_path: Path) -> None:
    """The loop's next batch is in the same memory when the evaluation looks at the last one."""
    network = trained()
    memory = torch.empty(BATCH, 1, 28, 28)
    with GradAscentHook(network, tmp_path, ascent=None, strict=True) as hook:
        with hook.evaluation(top_k=50), torch.no_grad():
            for x, _ in batches():
                memory.copy_(x)
                network(memory)
        (notice,) = hook.health
    assert notice.code == "evaluation-unseen"
    assert "The last one has inputs that the loop has written to since." in notice.message
    *_, (last, _) = batches()
    images = [sample.image for sample in read_samples(tmp_path)]
    assert images
    assert all(any(np.array_equal(image, row) for row in last.numpy()) for image in images)


def test_an_evaluation_that_saw_no_pass_says_so(tmp_path: Path) -> None:
    network, other = trained(), trained()
    with GradAscentHook(network, tmp_path, ascent=None, strict=True) as hook:
        evaluate(hook, other, by_the_pass_alone)
        (notice,) = hook.health
    assert notice.code == "evaluation-unseen"
    assert "There was none in its block" in notice.message


def test_ids_may_be_in_memory_that_the_loop_uses_again(tmp_path: Path) -> None:
    network = trained()
    for kind in (list(range(BATCH)), torch.arange(BATCH), np.arange(BATCH)):
        folder = tmp_path / type(kind).__name__
        with GradAscentHook(network, folder, top_k=50, ascent=None, strict=True) as hook:
            with hook.evaluation(), torch.no_grad():
                for number, (x, y) in enumerate(batches()):
                    for row in range(BATCH):
                        kind[row] = BATCH * number + row
                    hook(x, network(x), y, ids=kind)
        samples = list(read_samples(folder))
        assert [int(sample.id or -1) for sample in samples] == rows_of(samples)


def test_a_criterion_that_draws_numbers_leaves_the_random_states(tmp_path: Path) -> None:
    network = trained()

    def drawn(logits: Tensor, _: Tensor | None) -> Tensor:
        return torch.rand(len(logits))

    with GradAscentHook(network, tmp_path, criterion=drawn, ascent=None, strict=True) as hook:
        before = torch.get_rng_state()
        evaluate(hook, network, explicitly)
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_an_evaluation_that_sees_passes_compiles_nothing_more(tmp_path: Path) -> None:
    """The hook's own code is not part of a compiled model's graphs."""
    compiled: list[object] = []

    def backend(module: Any, _: object) -> Any:
        compiled.append(module)
        return module

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(784, 10)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(x.flatten(1))
            return logits

    torch.compiler.reset()
    network = Flat()
    network.compile(backend=backend)
    with GradAscentHook(network, tmp_path, ascent=None, strict=True, max_overhead=None) as hook:
        for _ in range(4):
            network.train()
            for x, _labels in batches():
                network(x)
            network.eval()
            evaluate(hook, network, by_the_pass_alone)
        assert hook.health == ()
    assert len(compiled) == 2, "one graph for each mode"
    assert list(read_samples(tmp_path))
