"""``GradAscentHook``: the one object with state, a line in a training loop."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex

import torch
from torch import Tensor, nn

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.remote import RemotePath
from tb_gradascent.format.samples import Sample, mean_flip_distance
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.capture import Recipe, capture
from tb_gradascent.functional.criteria import (
    Criterion,
    ProbabilityMargin,
    check_criterion,
    most_confused,
    scores_of,
    valid_labels,
)
from tb_gradascent.functional.gradients import Score, check_score
from tb_gradascent.functional.host_copy import fetch
from tb_gradascent.functional.margins import probability_margin
from tb_gradascent.functional.targets import Targets, check_targets
from tb_gradascent.functional.validation import describe
from tb_gradascent.model.forward_args import AdditionalForwardArgs, ForwardArgs
from tb_gradascent.model.forward_recorder import RecordedPass
from tb_gradascent.model.fsdp import Lockstep, check_sharding, is_sharded
from tb_gradascent.model.isolation import uncompiled, unwrap
from tb_gradascent.model.model_io import find_logits
from tb_gradascent.model.runner import Passes, open_passes
from tb_gradascent.training import arguments
from tb_gradascent.training.attach import AttachedHandle
from tb_gradascent.training.batch import Batch, Ids, Labels, id_text
from tb_gradascent.training.distributed import find_process_rank
from tb_gradascent.training.scan import ScoreBatch, Unpack, search
from tb_gradascent.training.schedule import Schedule, stretch
from tb_gradascent.training.writer import Capture, NullWriter, SampleWriter

logger = logging.getLogger("tb_gradascent")

#: Captures that may fail in a row before the hook gives up.
_PATIENCE = 10


@dataclasses.dataclass(frozen=True)
class Stats:
    """What became of everything so far.

    Attributes:
        captured: Samples captured.
        written: Of these, samples in the event file.
        dropped: Of these, samples that could not be written; the rest are queued.
        failed: Captures that failed, of which there are no samples, and scans that did.
        waited: Seconds that the loop waited because the writing did not keep up.
        bytes: The event file's size.
        every: Steps between captures as things stand; it doubles as the budget is used up.
    """

    captured: int
    written: int
    dropped: int
    failed: int
    waited: float
    bytes: int
    every: int


class _Probes(NamedTuple):
    """Fixed samples, and when they are captured."""

    batch: Batch
    schedule: Schedule


#: Gives numbers for the Scalars tab, once they are there.
_Numbers = Callable[[], dict[str, float]]


class _Part(NamedTuple):
    """Samples that were captured together, to be had when they are there."""

    size: int
    samples: Callable[[], list[Sample]]


class GradAscentHook:
    """Records which samples confuse a classifier, and what would change its mind, while it trains.

    ::

        hook = GradAscentHook(model, "runs/mnist", class_names=list("0123456789"))
        for inputs, labels in loader:
            logits = model(inputs)
            ...                                  # loss, backward, optimizer.step(): untouched
            hook(inputs, logits, labels)

    The model's weights, buffers, gradients, modes and the random states are left as they were. A
    fault during training is logged once and never raised, unless ``strict``. The model itself may
    keep the hook: it can still be copied and saved, and the hook of a copy records nothing.

    Args:
        model: The classifier, as it stands in the loop (data parallel wrappers and compiled models
            are looked into).
        log: The run's directory, or a ``SummaryWriter`` (torch's or tensorboardX's), beside whose
            event file the hook's own is then written. ``s3://…`` and whatever else ``fsspec`` knows
            serves, too.
        every: Steps between captures: the first call captures, then each one at which the step
            has passed another multiple of ``every``.
        top_k: Samples in a capture at the most.
        criterion: Maps ``(logits, labels)`` to a score a sample, higher is more confused, ``-inf``
            is never taken. See :class:`ProbabilityMargin`, :class:`LogitMargin`, :class:`Entropy`,
            :class:`Loss` and :class:`Misclassified`, which ``&`` joins.
        targets: Towards which classes: ``"top2"`` (the two most probable), ``"label"`` (the true
            one), ``"all"``, a list of class indices, or a callable ``(logits, labels) -> targets``
            of shape (N, T).
        score: What the gradient differentiates: ``"logit"``, ``"probability"``,
            ``"log_probability"``, or a callable ``(logits, targets) -> scores`` of shape (N,).
        ascent: How morphs are made, see :class:`Ascent`; ``None`` records the gradient alone.
        class_names: The name of class 0, 1, …
        mean, std: Those of the loop's ``Normalize``, a number or a number a channel:
            ``inputs * std + mean`` is what a person should be shown.
        bounds: Legal input values ``(low, high)`` in model space, numbers or numbers a channel.
            Morphs stay within them, and they are shown as black and white. By default what becomes
            [0, 1] by ``mean`` and ``std``, if these are given, and else none.
        forward: ``(model, inputs, *additional_forward_args) -> logits``, where the model is called
            otherwise. What else it runs has to be a part of ``model``, or it is neither set to eval
            mode nor left as it was.
        tag: Under which the samples appear.
        budget_mb: Megabytes that the hook writes at the most. As they are used up, captures come
            at intervals that double, so that they cover a training of any length. Ranks that record
            share them evenly.
        ranks: Of a job of several processes, whether ``"all"`` record samples of their own batches,
            each in a session of its own, or rank ``"zero"`` alone. Make the hook once the process
            group is there, or start the job by ``torchrun``.
        strict: Raise what would be logged.

    Raises:
        ValueError: An argument breaks its rule; the message says which, and what to give instead.
        OSError: The run's directory cannot be written.
    """

    def __init__(
        self,
        model: nn.Module,
        log: str | os.PathLike[str] | Any,
        *,
        every: int = 100,
        top_k: int = 4,
        criterion: Criterion | Callable[[Tensor, Tensor | None], Tensor] = ProbabilityMargin(),
        targets: Targets = "top2",
        score: Score = "logit",
        ascent: Ascent | None = Ascent(),
        class_names: Sequence[str] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        bounds: Sequence[float] | Sequence[Sequence[float]] | None = None,
        forward: Callable[..., Tensor] | None = None,
        tag: str = "confused",
        budget_mb: float = 256,
        ranks: Literal["all", "zero"] = "all",
        strict: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"model must be a torch.nn.Module, and is {type(model).__name__}")
        check_criterion(criterion)
        check_score(score)
        if ascent is not None and not isinstance(ascent, Ascent):
            raise ValueError(f"ascent must be an Ascent(…) or None, and is {ascent!r}")
        if forward is not None and not callable(forward):
            raise ValueError(
                f"forward must be a callable (model, inputs) -> logits, and is {forward!r}"
            )
        check_targets(targets)
        arguments.choice(
            "ranks",
            ranks,
            ("all", "zero"),
            "whether every process of a job records its samples, or the first one alone",
        )
        check_sharding(model)
        means, stds = arguments.normalization(mean, std)
        self._place = find_process_rank()
        self._ranks = ranks
        self._model = model
        self._forward = forward
        self._schedule = Schedule(arguments.whole_number("every", every, 1))
        # With those that probes have of their own.
        self._schedules = [self._schedule]
        self._top_k = arguments.whole_number("top_k", top_k, 1)
        self._criterion = criterion
        self._recipe = Recipe(targets, score, ascent, arguments.legal_bounds(bounds, means, stds))
        self._tag = arguments.tag_name(tag)
        self._strict = bool(strict)
        self._info = SessionInfo(
            started=time.time(),
            class_names=arguments.names(class_names),
            mean=means,
            std=stds,
            bounds=self._recipe.bounds,
            rank=self._place and self._place.rank,
            world_size=self._place and self._place.world_size,
        )
        sharing = self._place.world_size if self._place and ranks == "all" else 1
        budget = min(arguments.positive("budget_mb", budget_mb) * 1e6, sys.maxsize)
        self._budget = int(budget) // sharing
        self._probes: list[_Probes] = []
        self._calls = 0
        self._captured = 0
        self._failed = 0
        self._failed_in_a_row = 0
        self._gave_up = False
        self._raised = False
        self._most_used: int | None = None
        self._sharded: bool | None = None
        self._warned: set[str] = set()
        self.capturing = False
        """Whether the model is being run by the hook: forward hooks of your own may look."""
        self._writer = self._open(arguments.log_directory(log))

    def __call__(
        self,
        inputs: Tensor,
        logits: object,
        labels: Labels | None = None,
        *,
        step: SupportsIndex | None = None,
        ids: Ids | None = None,
        additional_forward_args: AdditionalForwardArgs | None = None,
    ) -> int:
        """Looks at the loop's batch, and captures its most confused samples when a capture is due.

        In a step that ``torch.compile`` compiles it runs as it was written, between two graphs;
        with ``fullgraph=True`` call it after the step.

        Args:
            inputs: What the model was given, floating point: images, shape (N, channels, height,
                width) with 1 to 4 channels, or signals, shape (N, channels, length).
            logits: What it answered, shape (N, C); log-probabilities serve as well, and one column
                is a binary model's. A tuple that they begin, and a mapping or an object that has
                them as ``logits``, may be given whole. They only choose the samples: what is
                recorded is asked anew.
                ``None`` asks the model, which is one more forward pass when a capture is due.
            labels: True classes, if known, shape (N,), or one-hot; a negative one is unknown.
            step: The training step; by default calls are counted from 0.
            ids: A name or number a sample, to recognise it later.
            additional_forward_args: What the model is given after the inputs, if there is more: a
                tuple, or a dictionary of what it is given by keyword. A tensor of N rows has one a
                sample; the samples of a capture then run one after another.

        Returns:
            Samples captured at this call, probes included: 0 when none is due.
        """
        if torch.compiler.is_compiling():
            named = {"step": step, "ids": ids, "additional_forward_args": additional_forward_args}
            return uncompiled(self, inputs, logits, labels, **named)
        try:
            now = self._calls if step is None else arguments.training_step(step)
        except ValueError as error:
            return self._fault(error)
        self._calls += 1
        if not self.is_due(now):
            return 0

        def batch() -> Batch:
            return Batch.of(inputs, labels, ids, additional_forward_args)

        return self._guarded(lambda: self._look(batch, logits, now))

    def is_due(self, step: int | None = None) -> bool:
        """Whether a call with this step, by default the next one's, would capture.

        For a loop in which what the call is to be given has to be made first.
        """
        step = self._calls if step is None else step
        if self.capturing:
            return False
        stretched = self._stretch()
        if not any(schedule.is_due(step, stretched) for schedule in self._schedules):
            return False
        return self._records() or self._is_sharded()

    def attach(self, optimizer: torch.optim.Optimizer) -> AttachedHandle:
        """Needs no line in the loop: captures follow the optimizer's steps.

        The model's inputs and outputs are those of its own last forward pass in training mode. The
        labels are seen there only where the model is given them, as ``labels=…``; else captions
        cannot name the truth. What else the model is given after the image, or by keyword, it is
        given in captures, too, unless ``forward`` is set, which gets the image alone.
        ``optimizer.step`` must be that of the loop: a step that a ``GradScaler`` skips is none.
        A model that is attached may be copied and saved: the copy is not watched. To
        ``torch.jit.script`` it, ``remove()`` the handle first.

        Returns:
            A handle whose ``remove()`` undoes it.

        Raises:
            ValueError: It is no optimizer.
        """
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise ValueError(
                f"optimizer must be a torch.optim.Optimizer, and is {describe(optimizer)}"
            )
        # Accelerate and Fabric wrap the one that steps.
        while isinstance(inner := getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
            optimizer = inner
        return AttachedHandle(
            self._model,
            optimizer,
            is_due=self.is_due,
            capture=self._look_at_pass,
            skip=self._skip,
        )

    def probe(
        self,
        inputs: Tensor,
        labels: Labels | None = None,
        ids: Ids | None = None,
        *,
        every: int | None = None,
        additional_forward_args: AdditionalForwardArgs | None = None,
    ) -> None:
        """Adds fixed samples, recorded from the first step on, to be followed through training.

        Args:
            inputs: As the model is given them, shape (N, channels, height, width), or
                (N, channels, length).
            labels: True classes, if known, as in a call.
            ids: A name or number a sample; by default "probe 0", "probe 1", …
            every: Steps between their captures; by default they are part of every capture.
            additional_forward_args: As in a call.

        Raises:
            ValueError: An argument breaks its rule.
        """
        batch = Batch.of(inputs, labels, ids, additional_forward_args)
        batch.check_channels(self._info)
        known = batch.label_list(range(len(inputs)))
        if self._recipe.targets == "label" and (known is None or None in known):
            raise ValueError(
                'labels must be known of every probe where targets="label", and are '
                f"{known!r}: give them"
            )
        first = sum(len(probes.batch.inputs) for probes in self._probes)
        names = [None] * len(inputs) if ids is None else ids
        texts = [id_text(name) or f"probe {place}" for place, name in enumerate(names, first)]
        batch = Batch(inputs.detach().clone(), known, texts, batch.forward_args.copied())
        schedule = self._schedule
        if every is not None:
            schedule = Schedule(arguments.whole_number("every", every, 1))
            self._schedules.append(schedule)
        self._probes.append(_Probes(batch, schedule))

    def scan(
        self,
        loader: Iterable[Any],
        *,
        step: SupportsIndex | None = None,
        ids: Iterable[object] | None = None,
        unpack: Unpack | None = None,
        top_k: int = 32,
        tag: str = "scan",
    ) -> int:
        """Captures the most confused samples of a whole data set, under a tag of their own.

        Only the best so far are held. Interrupted by Ctrl-C, it keeps what it has found and raises
        the interrupt on; a fault of the loader's or of the model's ends it likewise.

        With ``ranks="all"`` every process of a job calls it, with its own part of the data set.
        They tell each other what they found, and rank 0 records the most confused of the whole; an
        interrupt or a fault then leaves nothing. With ``ranks="zero"`` rank 0 scans what it is
        given.

        Args:
            loader: Gives ``inputs`` or ``(inputs, labels, …)``, batch by batch, or whatever else
                ``unpack`` takes.
            step: The training step; by default that of the hook's last call.
            ids: A name or number for each sample of the loader, in its order; by default its place
                there. In one of several ranks' parts that is its place in the data set, if a
                ``DistributedSampler`` deals them out, and else ``"<rank>/<place in its part>"``.
            unpack: Maps what the loader gives to what a call takes, by name: ``inputs``, and if
                there are any, ``labels``, ``ids`` and ``additional_forward_args``. For a model of
                two inputs, say, ``lambda item: {"inputs": item["image"], "labels": item["label"],
                "additional_forward_args": (item["age"],)}``.
            top_k: Samples at the most.
            tag: Under which they appear.

        Returns:
            Samples that this process captured.

        Raises:
            ValueError: ``unpack``, ``step``, ``top_k`` or ``tag`` breaks its rule.
        """
        if unpack is not None and not callable(unpack):
            raise ValueError(
                "unpack must be a callable that maps an item of the loader to a mapping, and is "
                f"{unpack!r}"
            )
        now = max(self._calls - 1, 0) if step is None else arguments.training_step(step)
        top_k = arguments.whole_number("top_k", top_k, 1)
        tag = arguments.tag_name(tag)
        before = self._captured
        self._guarded(lambda: self._scan(loader, now, ids, unpack, top_k, tag), "A scan")
        return self._captured - before

    @property
    def stats(self) -> Stats:
        """What became of everything so far."""
        writer = self._writer
        return Stats(
            captured=self._captured,
            written=writer.written,
            dropped=writer.dropped,
            failed=self._failed,
            waited=writer.waited,
            bytes=writer.size,
            every=self._schedule.every * self._stretch(),
        )

    def close(self) -> None:
        """Writes what is still queued and closes the event file; more than once is harmless.

        Raises:
            Exception: ``strict``, and something could not be written, which nothing has raised yet.
        """
        self._writer.close()
        if not self._raised:
            self._raise_failure()

    def __enter__(self) -> GradAscentHook:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # or else that of the training is the one to be seen
                raise

    def __reduce__(self) -> tuple[Any, ...]:
        # A model is copied, for an average of its weights, say, or saved whole, and with it the
        # hook that its loop may keep in it.
        return _Copy, ()

    def _open(self, directory: Path | RemotePath) -> SampleWriter | NullWriter:
        if self._place is None or self._place.rank == 0 or self._ranks == "all":
            return SampleWriter(directory, self._info, self._budget)
        return NullWriter()

    def _look_at_pass(self, seen: RecordedPass | None) -> int:
        if seen is None:
            return self(None, None)  # type: ignore[arg-type]  # the fault that this is
        return self(**seen.hook_arguments(with_forward_args=self._forward is None))

    def _skip(self) -> None:
        """Counts a step of which there is nothing to look at."""
        self._calls += 1

    def _stretch(self) -> int:
        # The ranks of a sharded model go by the largest of their files, so that they agree.
        used = self._writer.size if self._most_used is None else self._most_used
        return stretch(used, self._budget)

    def _records(self) -> bool:
        """Whether there is anything for this process to record."""
        return not (self._gave_up or isinstance(self._writer, NullWriter))

    def _is_sharded(self) -> bool:
        """Whether the other ranks need this one for their captures."""
        if self._sharded is None:  # not before the loop, when the model is what it will be
            self._sharded = is_sharded(self._model)
        return self._sharded

    def _guarded(self, capture: Callable[[], int], what: str = "A capture") -> int:
        """Runs a capture so that no fault of it reaches the training, unless ``strict``."""
        try:
            captured = capture()
            self._raise_failure()
        except Exception as error:
            return self._fault(error, what)
        if not self._gave_up:
            self._failed_in_a_row = 0
        self._captured += captured
        return captured

    def _raise_failure(self) -> None:
        """Raises what the writing thread met, if ``strict``."""
        if self._strict and self._writer.failure:
            self._raised = True
            raise self._writer.failure

    def _look(self, given: Callable[[], Batch], answer: object, step: int) -> int:
        stretched = self._stretch()
        if stretched > 1:
            self._warn(
                "budget",
                "A part of budget_mb=%g is used up: captures are now %d steps apart, and the "
                "interval will double again as more is used",
                self._budget / 1e6,
                self._schedule.every * stretched,
            )
        due = [schedule for schedule in self._schedules if schedule.is_due(step, stretched)]
        # Marked before anything can fail: a capture that fails is not tried again at once.
        for schedule in due:
            schedule.mark(step)
        with self._passes() as passes:
            if passes is None:
                return 0
            batch = given()
            if not len(batch.inputs):
                return 0
            passes.pad_like(batch.forward_args)
            batch.check_channels(self._info)
            logits = None
            if answer is not None:
                logits = self._checked(answer, len(batch.inputs), "logits must be")
            numbers: _Numbers = dict
            recorded: list[_Part] = []
            if self._schedule in due:
                if logits is None:
                    logits = passes.ask(batch.inputs, batch.forward_args)
                rows, numbers = self._choose(logits.detach(), batch.labels)
                recorded += self._record(passes, batch, rows, batch, step)
            for fixed, schedule in self._probes:
                if schedule in due:
                    rows = range(len(fixed.inputs))
                    recorded += self._record(passes, fixed, rows, batch, step, probe=True)
        every = self._schedule.every * stretched if stretched > 1 else None
        return self._put(self._tag, step, recorded, numbers, every)

    def _scan(
        self,
        loader: Iterable[Any],
        step: int,
        ids: Iterable[object] | None,
        unpack: Unpack | None,
        top_k: int,
        tag: str,
    ) -> int:
        place = self._place if self._ranks == "all" else None
        found = search(
            loader, top_k, self._looking, ids=ids, unpack=unpack, process_rank=place, title=tag
        )
        recorded: list[_Part] = []
        with self._passes() as passes:
            if passes is None:
                return 0
            if found.last_batch is not None:
                passes.pad_like(found.last_batch.forward_args)
            for batch in found.batches:
                recorded += self._record(passes, batch, range(len(batch.inputs)), batch, step)
        captured = self._put(tag, step, recorded, dict)
        if found.fault is not None:
            self._captured += captured
            raise found.fault
        return captured

    @contextlib.contextmanager
    def _looking(self) -> Iterator[ScoreBatch | None]:
        """Scores batches; ``None`` as :meth:`_passes` is."""
        with self._passes() as passes:
            yield None if passes is None else functools.partial(self._look_over, passes)

    def _look_over(self, passes: Passes, batch: Batch) -> Tensor:
        batch.check_channels(self._info)
        passes.pad_like(batch.forward_args)
        logits = passes.ask(batch.inputs, batch.forward_args)
        return self._scores(logits, batch.labels)

    @contextlib.contextmanager
    def _passes(self) -> Iterator[Passes | None]:
        """Runs the user's own module without a trace; ``None`` where nothing is to be recorded.

        A rank of a sharded model has to enter all the same, since the others need it.
        """
        if not (self._records() or self._is_sharded()):
            yield None
            return
        # Anew each time: what a wrapper holds may have been replaced.
        module = unwrap(self._model)
        if self._sharded is None:
            check_sharding(module)
        lockstep = Lockstep(module, self._writer.size) if self._is_sharded() else None
        self.capturing = True
        try:
            with open_passes(module, self._run, lockstep) as opened:
                if self._writer.closed:
                    raise RuntimeError("the hook was used after close(): make a new one")
                yield opened if self._records() else None
        finally:
            self.capturing = False
            if lockstep:
                self._most_used = lockstep.most_used

    def _run(self, module: nn.Module, inputs: Tensor, beside: ForwardArgs) -> Tensor:
        call = functools.partial(self._forward, module) if self._forward else module
        output = call(inputs, *beside.args, **beside.kwargs)
        return self._checked(output, inputs.shape[0], "the model (or forward=…) must return")

    def _put(
        self,
        tag: str,
        step: int,
        recorded: Sequence[_Part],
        numbers: _Numbers,
        every: int | None = None,
    ) -> int:
        size = sum(part.size for part in recorded)
        group = "gradascent" if tag == "confused" else f"gradascent/{tag}"

        def scalars(samples: Sequence[Sample]) -> dict[str, float]:
            found = numbers() | mean_flip_distance(samples)
            return {f"{group}/{name}": value for name, value in found.items()}

        self._writer.put(
            Capture(
                tag,
                step,
                size,
                lambda: [sample for part in recorded for sample in part.samples()],
                scalars,
                every,
            )
        )
        return size

    def _choose(self, logits: Tensor, labels: Labels | None) -> tuple[Sequence[int], _Numbers]:
        """The rows to capture, and what says how confused the batch is as a whole."""
        scores = self._scores(logits, labels)
        # Copies, since the loop may go on to write where these are.
        fetched = fetch((scores.float().clone(), logits.float().clone()))

        def numbers() -> dict[str, float]:
            scores, logits = map(torch.from_numpy, fetched())
            return {
                "confused_fraction": (scores > -torch.inf).float().mean().item(),
                "margin": probability_margin(logits).mean().item(),
            }

        return most_confused(scores, self._top_k), numbers

    def _scores(self, logits: Tensor, labels: Labels | None) -> Tensor:
        if labels is not None:
            labels = torch.as_tensor(labels, device=logits.device)
        scores = scores_of(self._criterion, logits, labels)
        if self._recipe.targets == "label" and labels is not None:
            scores = scores.where(valid_labels(logits, labels), -torch.inf)
        return scores

    def _record(
        self,
        passes: Passes,
        chosen: Batch,
        rows: Sequence[int],
        batch: Batch,
        step: int,
        *,
        probe: bool = False,
    ) -> list[_Part]:
        if chosen.forward_args.differ and len(rows) > 1:
            parts = (self._record(passes, chosen, [r], batch, step, probe=probe) for r in rows)
            return [part for each in parts for part in each]
        if not rows:
            return []
        places = torch.tensor(rows, device=chosen.inputs.device)
        samples = capture(
            passes.forward(batch.inputs.dtype, chosen.forward_args, rows[0]),
            chosen.inputs.index_select(0, places).to(passes.device or batch.inputs.device),
            self._recipe,
            max_rows=len(batch.inputs),
            step=step,
            tag=self._tag,
            labels=chosen.label_list(rows),
            ids=None if chosen.ids is None else [id_text(chosen.ids[row]) for row in rows],
            probe=probe,
        )
        return [_Part(len(rows), samples)]

    def _checked(self, output: object, samples: int, who: str) -> Tensor:
        """The logits in a model's output, at least two columns."""
        logits = find_logits(output)
        if logits is None or logits.dim() != 2 or logits.shape[0] != samples:
            raise ValueError(
                f"{who} logits of shape ({samples}, classes), a row a sample, and got "
                f"{describe(output)}: give forward=lambda model, inputs: …, where the model does "
                "not map one tensor to logits"
            )
        classes = logits.shape[1]
        names = self._info.class_names
        if names is not None and len(names) != classes:
            self._warn(
                "class_names",
                "class_names has %d names, and the logits have %d classes: classes without a name "
                "are shown by number",
                len(names),
                classes,
            )
        return logits

    def _fault(self, error: Exception, what: str = "A capture") -> int:
        """Logs a fault and gives 0, the samples captured; raises it if ``strict``."""
        self._failed += 1
        self._failed_in_a_row += 1
        if self._strict:
            raise error
        self._warn(
            what,
            "%s failed; training is not affected, and this is not repeated (strict=True raises it, "
            "hook.stats counts them): %s: %s",
            what,
            type(error).__name__,
            error,
        )
        if self._failed_in_a_row == _PATIENCE:
            self._gave_up = True
            logger.warning("%d captures in a row failed: the hook is off from here on", _PATIENCE)
        return 0

    def _warn(self, subject: str, message: str, *values: object) -> None:
        """Logs once what is said of a subject."""
        if subject not in self._warned:
            self._warned.add(subject)
            logger.warning(message, *values)


class _Copy(GradAscentHook):
    """What a copy of a hook is, and a saved one that is loaded: it records nothing."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), os.curdir)

    def _open(self, directory: Path | RemotePath) -> NullWriter:
        return NullWriter()

    def _records(self) -> bool:
        self._warn(
            "copy",
            "This hook is a copy, made with its model or handed to another process, and records "
            "nothing: make the hook in the process that trains",
        )
        return False
