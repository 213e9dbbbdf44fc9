"""What becomes of a batch, from the loop's tensors to the queue of the writer."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tb_gradascent.format.status import Status
from tb_gradascent.functional.capture import PendingSamples
from tb_gradascent.model.forward_recorder import ForwardRecorder, RecordedPass
from tb_gradascent.model.isolation import is_graph_captured, uncompiled
from tb_gradascent.model.runner import ModelRunner, Passes
from tb_gradascent.training.batch import Batch, Given, InputKind
from tb_gradascent.training.distributed import ProcessRank
from tb_gradascent.training.evaluation import Evaluation
from tb_gradascent.training.facts import Facts
from tb_gradascent.training.fault_policy import FaultPolicy
from tb_gradascent.training.health import Health
from tb_gradascent.training.known import know
from tb_gradascent.training.pacer import Pacer
from tb_gradascent.training.pending import BatchScalars, PendingCapture
from tb_gradascent.training.probes import ProbeList
from tb_gradascent.training.recorder import Recorder
from tb_gradascent.training.search import ScanResult, ScoreBatch, Unpack, search
from tb_gradascent.training.writer import NullWriter, SampleWriter


@dataclasses.dataclass
class Capturer:
    """Makes captures of batches, evaluations and scans.

    No fault of it reaches the training, unless the hook is ``strict``.

    Attributes:
        model: The classifier as it stands in the loop.
        calls_forward: Whether the user's ``forward`` calls it.
        kind: What the inputs are.
        tag: The tag of captures of the loop's batches.
        job: The rank in a job of several processes that all record, else ``None``.
        runner: Asks the model.
        facts: The session's constants.
        recorder: Selects samples and records them.
        probes: The fixed samples.
        pacer: Says when captures are made.
        faults: Keeps faults from the training.
        writer: Takes the captures.
        evaluation: The one that is going on, or ``None``.
        captured: Samples so far.
    """

    model: nn.Module
    calls_forward: bool
    kind: InputKind
    tag: str
    job: ProcessRank | None
    runner: ModelRunner
    facts: Facts
    recorder: Recorder
    probes: ProbeList
    pacer: Pacer
    faults: FaultPolicy
    writer: SampleWriter | NullWriter
    evaluation: Evaluation | None = None
    captured: int = 0

    def records(self) -> bool:
        """Whether this process records anything."""
        return self.writer.records()

    def capture(self, step: int, given: Given) -> int:
        """Make the captures that are due at a step. Return how many samples they have."""
        captured = 0
        start = time.perf_counter()
        with self.faults.contain("A capture", step):
            captured = self._capture_due(step, given)
            self.faults.raise_write_failure(self.writer.failure)
        if not self.faults.resting:
            self._account(time.perf_counter() - start)
        return captured

    def given_by(self, recorded: RecordedPass) -> Given:
        """Return what the loop would give the hook for a pass of the model."""
        return Given(**recorded.hook_arguments(with_forward_args=not self.calls_forward))

    @contextlib.contextmanager
    def evaluate(self, evaluation: Evaluation) -> Iterator[None]:
        """Let an evaluation see the loop's batches, then capture its worst samples.

        It sees the model's own passes if the loop does not give its batches.
        """
        # Ranks that need each other all record at the end.
        evaluation.is_active = self.runner.is_sharded or (
            self.records() and self.pacer.overhead.allows_another()
        )
        forward_recorder: ForwardRecorder | None = None

        def see_passes(_: nn.Module) -> bool:
            if is_graph_captured():
                return False
            # A pass is looked at when the next one ends: the loop may give it to the hook itself.
            if torch.compiler.is_compiling():
                uncompiled(self._see_pass, evaluation, forward_recorder)
            else:
                self._see_pass(evaluation, forward_recorder)
            return evaluation.is_active and not (evaluation.is_explicit or self.runner.running)

        forward_recorder = ForwardRecorder([self.model], see_passes)
        self.evaluation = evaluation
        try:
            yield
            self._see_pass(evaluation, forward_recorder)
        finally:
            self.evaluation = None
            forward_recorder.remove()
        if evaluation.is_active:
            self._report_unseen(evaluation, forward_recorder.unreadable)
            self._capture_evaluation(evaluation)

    def see(self, evaluation: Evaluation, given: Given, *, is_explicit: bool = True) -> None:
        """Offer a batch to an evaluation.

        Args:
            evaluation: It keeps the worst samples.
            given: The batch.
            is_explicit: Whether the loop gave it itself.
        """
        if not (evaluation.is_active and self.records()):
            return
        if is_explicit and not evaluation.is_explicit:
            evaluation.is_explicit = True
            evaluation.reset()
        start = time.perf_counter()
        with self.faults.contain("An evaluation", evaluation.step, counts=False):
            batch = given.batch(self.kind)
            if not len(batch.inputs):
                return
            self._fill_in(batch, evaluation.step)
            found = self.recorder.logits_outside_capture(self._open_passes, batch, given.logits)
            if found is not None:
                self.recorder.offer(evaluation, batch, found)
            if not batch.inputs.is_cuda:  # there it waits for the loop's own pass
                evaluation.seconds += time.perf_counter() - start

    def scan(
        self,
        loader: Iterable[Any],
        step: int,
        ids: Iterable[object] | None,
        unpack: Unpack | None,
        top_k: int,
        tag: str,
    ) -> int:
        """Capture the most confused samples of a loader. Return how many this process captured.

        The arguments are those of ``GradAscentHook.scan``.
        """
        before = self.captured
        with self.faults.contain("A scan", step):
            self.facts.add(know(loader))
            found = search(
                loader,
                top_k,
                self._open_scoring,
                ids=ids,
                unpack=unpack,
                kind=self.kind,
                process_rank=self.job,
                title=tag,
            )
            self._capture_found(found, step, tag)
            self.faults.raise_write_failure(self.writer.failure)
        return self.captured - before

    @contextlib.contextmanager
    def _open_passes(self, *, rest: bool = False) -> Iterator[Passes | None]:
        """Passes through the model; ``None`` if this process records nothing, or has to rest.

        A rank of a sharded model has to enter all the same, since the others need it.
        """
        records = self.records() and not rest
        if not (records or self.runner.is_sharded):
            yield None
            return
        try:
            with self.runner.passes(self.pacer.own_stretch) as passes:
                if self.writer.closed:
                    raise RuntimeError("the hook was used after close(): make a new one")
                yield passes if records else None
        finally:
            if self.runner.agreed_stretch is not None:
                self.pacer.agree(self.runner.agreed_stretch)

    def _capture_due(self, step: int, given: Given) -> int:
        every = self.pacer.stretched_every
        due = self.pacer.take_due(step)
        with self._open_passes(rest=self.faults.take_rest()) as passes:
            if passes is None:
                return 0
            batch = given.batch(self.kind)
            if not len(batch.inputs):
                return 0
            self._fill_in(batch, step)
            parts, scalars = self.recorder.record_batch(
                passes,
                batch,
                given.logits,
                step,
                top_k=self.pacer.top_k if self.pacer.main in due else 0,
                probes=self.probes.due(due),
            )
        return self._enqueue(self.tag, step, parts, scalars, every)

    def _see_pass(self, evaluation: Evaluation, forward_recorder: ForwardRecorder | None) -> None:
        """Offer the last pass of the model to an evaluation, unless the loop gave it."""
        recorded = forward_recorder and forward_recorder.take()
        if recorded and not evaluation.is_explicit:
            self.see(evaluation, self.given_by(recorded), is_explicit=False)

    def _report_unseen(self, evaluation: Evaluation, unreadable: str | None) -> None:
        """Report passes that an evaluation left out, unless the loop gave its batches."""
        seen = evaluation.is_explicit or not (unreadable or evaluation.is_empty)
        if seen or not self.records():
            return
        said = f"The last one {unreadable}." if unreadable else "There was none in its block."
        self.recorder.health.report(
            "evaluation-unseen",
            "warning",
            f"An evaluation did not see passes of the model. {said}",
            "Call hook(inputs, logits, labels) in the block.",
            evaluation.step,
        )

    def _capture_evaluation(self, evaluation: Evaluation) -> None:
        start = time.perf_counter()
        with self.faults.contain("An evaluation", evaluation.step, counts=False):
            with self._open_passes() as passes:
                if passes is None:
                    return
                parts = self.recorder.record_worst(passes, evaluation)
            self._enqueue(evaluation.tag, evaluation.step, parts)
            self.faults.raise_write_failure(self.writer.failure)
        self._account(evaluation.seconds + time.perf_counter() - start)

    def _capture_found(self, found: ScanResult, step: int, tag: str) -> None:
        """Capture what a search found.

        Raises:
            Exception: The search failed. The samples found until then are captured.
        """
        parts: list[PendingSamples] = []
        with self._open_passes() as passes:
            if passes is None:
                return
            if found.last_batch is not None:
                passes.pad_like(found.last_batch.forward_args)
            for batch in found.batches:
                rows = list(range(len(batch.inputs)))
                parts += self.recorder.record(passes, batch, rows, batch, step)
        self._enqueue(tag, step, parts)
        if found.fault is not None:
            raise found.fault

    @contextlib.contextmanager
    def _open_scoring(self) -> Iterator[ScoreBatch | None]:
        """A function that scores a batch; ``None`` if this process records nothing."""
        with self._open_passes() as passes:
            yield None if passes is None else functools.partial(self._score, passes)

    def _score(self, passes: Passes, batch: Batch) -> Tensor:
        self._fill_in(batch)
        return self.recorder.score_batch(passes, batch)

    def _fill_in(self, batch: Batch | None, step: int | None = None) -> None:
        """Fill in constants of the session that only images, or only logits, can confirm."""
        changed = self.facts.look_at_classes(self.runner.reader.classes, step)
        if batch is not None:
            changed |= self.facts.look_at_images(batch, step)
        if changed:
            info = self.facts.info
            self.recorder = self.recorder.with_info(info)
            self.probes.info = info

    def _enqueue(
        self,
        tag: str,
        step: int,
        parts: Sequence[PendingSamples],
        batch: BatchScalars | None = None,
        every: int | None = None,
    ) -> int:
        """Queue a capture for writing, and return how many samples it has."""
        self._fill_in(None, step)
        capture = PendingCapture(tag, step, parts, batch, every, self.facts.info)
        self.writer.put(capture)
        self.captured += capture.size
        return capture.size

    def _account(self, seconds: float) -> None:
        """Count the time that the loop waited for captures."""
        self.pacer.account(seconds, self.writer.processor_seconds)
        self.writer.refresh()


def status_of(health: Health, faults: FaultPolicy, pacer: Pacer) -> Status:
    """Return a session's status."""
    return Status(
        notices=health.notices,
        steps=pacer.steps,
        failed=faults.failed,
        overhead=pacer.overhead.seconds,
        elapsed=pacer.overhead.elapsed,
        unlimited=pacer.overhead.is_unlimited,
        every=pacer.every,
    )
