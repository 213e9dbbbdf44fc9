"""``GradAscentHook``: one line in a training loop.

How a capture comes about, from top to bottom:

1. ``__call__`` or an attached optimizer step gives a batch. The ``Pacer`` says if a capture is due.
2. ``Capturer.capture`` opens passes through the model (``ModelRunner``). The ``Recorder`` selects
   rows and records them.
3. The capturer hands a ``PendingCapture`` to the ``SampleWriter``, whose thread encodes the samples
   and appends them to the event file.

``FaultPolicy`` keeps every fault on the way from the training, unless the hook is ``strict``.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, SupportsIndex

import torch
from torch import Tensor, nn

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.status import Notice
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS, Ascent
from tb_gradascent.functional.capture import Recipe
from tb_gradascent.functional.criteria import Criterion, ProbabilityMargin, check_criterion
from tb_gradascent.functional.gradients import Score, check_score
from tb_gradascent.functional.labels import Labels
from tb_gradascent.functional.targets import Targets, check_targets
from tb_gradascent.model.forward_args import AdditionalForwardArgs
from tb_gradascent.model.forward_recorder import RecordedPass
from tb_gradascent.model.isolation import is_graph_captured, uncompiled
from tb_gradascent.model.runner import ModelRunner
from tb_gradascent.training import arguments
from tb_gradascent.training.attach import AttachedHandle
from tb_gradascent.training.batch import Given, Ids, InputKind, MissingPass
from tb_gradascent.training.budget import Budget
from tb_gradascent.training.capturer import Capturer, status_of
from tb_gradascent.training.distributed import find_process_rank
from tb_gradascent.training.evaluation import Evaluation
from tb_gradascent.training.facts import Facts
from tb_gradascent.training.fault_policy import FaultPolicy
from tb_gradascent.training.health import Health
from tb_gradascent.training.health_check import HealthCheck
from tb_gradascent.training.known import know, know_model
from tb_gradascent.training.overhead import Overhead
from tb_gradascent.training.pacer import Pacer
from tb_gradascent.training.probes import ProbeList
from tb_gradascent.training.recorder import Recorder
from tb_gradascent.training.search import Unpack
from tb_gradascent.training.stats import Stats
from tb_gradascent.training.writer import CopiedWriter, NullWriter, SampleWriter

__all__ = ["GradAscentHook", "Stats"]

_IN_GRAPH = (
    "hook must not be called while a CUDA graph is captured, because a replay would not call it "
    "again: call it after graph.replay(), with the graph's own inputs and logits"
)


class GradAscentHook:
    """Records which samples confuse a classifier, and what would change its mind, while it trains.

    ::

        hook = GradAscentHook(model, "runs/mnist", class_names=list("0123456789"))
        for inputs, labels in loader:
            logits = model(inputs)
            ...                                  # loss, backward, optimizer.step(): untouched
            hook(inputs, logits, labels)

    The hook leaves the model's weights, buffers, gradients and modes and the random states as they
    were. It logs each kind of fault during training once and never raises it, unless ``strict``.
    If captures fail ten times in a row, it tries less often until one succeeds. You may keep the
    hook in the model: the model can still be copied and saved. The hook of a copy records nothing.

    Args:
        model: The classifier as it stands in the loop. Data parallel wrappers, DeepSpeed's engine
            and compiled models are unwrapped.
        log: The run's directory, or a ``SummaryWriter`` (torch's or tensorboardX's): the hook then
            writes its own event file in the writer's directory. A URL that ``fsspec`` knows, such
            as ``s3://…``, is a directory, too.
        every: Steps between captures, at least 1. The first call captures, then each call at which
            the step has passed another multiple of ``every``.
        top_k: Samples in a capture at most, at least 1.
        criterion: Maps ``(logits, labels)`` to one score for each sample. Higher is more confused,
            and ``-inf`` is never recorded. See :class:`ProbabilityMargin`, :class:`LogitMargin`,
            :class:`Entropy`, :class:`Loss` and :class:`Misclassified`; ``&`` combines two.
        targets: The classes towards which each sample is changed: ``"top2"`` (the two most
            probable), ``"label"`` (the true one), ``"all"``, a list of class indices, or a callable
            ``(logits, labels) -> targets`` of shape (N, T).
        score: What the gradient differentiates: ``"logit"``, ``"probability"``,
            ``"log_probability"``, or a callable ``(logits, targets) -> scores`` of shape (N,).
        ascent: How morphs are made: an :class:`Ascent`, or several by name. By default each target
            has two morphs, ``"smallest"`` and ``"visible"``. ``None`` records the gradient alone.
        judges: Other networks by name, which are asked about each morph, for example an average of
            the weights. They are called like ``model`` and answer in the same classes. Their
            answers do not influence the morphs.
        class_names: The name of class 0, 1, …: a list, or a mapping from indices to names, such as
            the ``id2label`` of Transformers.
        mean, std: Those of the loop's ``Normalize``, one number or one for each channel.
            ``inputs * std + mean`` is what a person should see.
        bounds: The legal input values ``(low, high)`` in model space, each one number or one for
            each channel. Morphs stay within them, and the page paints them as black and white. By
            default they are the values that ``mean`` and ``std`` map to 0 and 1. Without ``mean``
            and ``std`` they are the values that the network was given so far in captures, channel
            by channel; for bytes 0 and 255.
        images: Whether to store images, gradients and deltas. ``False`` stores none of them: the
            tab then shows numbers alone. A callable maps the selected inputs (N, …) to inputs of
            the same shape, for example blurred ones. The hook records these in their place, and the
            model is asked about these. Names and ids are stored in any case.
        forward: ``(model, inputs, *additional_forward_args) -> logits``, for a model that is not
            called as ``model(inputs)``. Other modules that it runs must be submodules of
            ``model``; otherwise they are not put into eval mode and not restored.
        kind: What the inputs are: ``"image"`` for shape (N, channels, height, width), ``"signal"``
            for (N, channels, length). ``"auto"`` decides by the shape, and warns if a signal looks
            like images without a channel.
        data: The loop's data loader or data set, its transform or its image processor, or a tuple
            of them. The hook looks there, and in the model, for class names, mean and std that you
            do not give. A notice says where it found them.
        tag: The name under which the tab shows the samples.
        budget_mb: Megabytes that the hook writes at most. As they are used up, captures hold fewer
            samples and become rarer, so that they cover a training of any length. Ranks that
            record share them evenly.
        max_overhead: The part of the training's time that captures may take, above 0 and below 1.
            Captures take at most this part, or 5 seconds if that is more: beyond it, they become
            rarer. ``None`` sets no limit.
        ranks: In a job of several processes, ``"all"`` records samples of each rank's own batches,
            each rank in a session of its own; ``"zero"`` records on rank 0 alone. Make the hook
            after ``init_process_group``, or start the job with ``torchrun``.
        strict: Raise faults instead of logging them.

    Raises:
        ValueError: An argument breaks its rule. The message names the rule and the remedy.
        OSError: The hook cannot write to the run's directory.
    """

    _is_copy = False

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
        ascent: Ascent | Mapping[str, Ascent] | None = DEFAULT_ASCENTS,
        judges: Mapping[str, nn.Module] | None = None,
        class_names: Sequence[str] | Mapping[int, str] | Mapping[str, str] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        bounds: Sequence[float] | Sequence[Sequence[float]] | None = None,
        images: bool | Callable[[Tensor], Tensor] = True,
        forward: Callable[..., Tensor] | None = None,
        kind: InputKind = "auto",
        data: object = None,
        tag: str = "confused",
        budget_mb: float = 256,
        max_overhead: float | None = 0.01,
        ranks: Literal["all", "zero"] = "all",
        strict: bool = False,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        check_criterion(criterion)
        check_score(score)
        ascents = arguments.ascents(ascent)
        asked = arguments.judges(judges)
        if forward is not None and not callable(forward):
            raise ValueError(
                f"forward must be a callable (model, inputs) -> logits, got {forward!r}"
            )
        check_targets(targets)
        stored = arguments.images(images)
        arguments.choice(
            "ranks",
            ranks,
            ("all", "zero"),
            "whether every process of a job records its samples, or the first one alone",
        )
        arguments.choice(
            "kind",
            kind,
            ("auto", "image", "signal"),
            "what the inputs are; auto decides by their shape",
        )
        every = arguments.count("every", every)
        top_k = arguments.count("top_k", top_k)
        budget_mb = arguments.positive("budget_mb", budget_mb)
        means, stds = arguments.normalization(mean, std)
        recipe = Recipe(targets, score, ascents, arguments.legal_bounds(bounds, means, stds))
        tag = arguments.tag_name(tag)
        process_rank = find_process_rank()
        # The rank in a job whose processes all record. None if this process records by itself.
        job = process_rank if ranks == "all" else None
        info = SessionInfo(
            started=time.time(),
            class_names=arguments.names(class_names),
            mean=means,
            std=stds,
            bounds=recipe.bounds,
            ascents=tuple(ascents),
            judges=tuple(asked),
            rank=process_rank and process_rank.rank,
            world_size=process_rank and process_rank.world_size,
        )
        self._health = health = Health(strict=bool(strict))
        faults = FaultPolicy(strict=bool(strict), health=health)
        classes = None if info.class_names is None else len(info.class_names)
        runner = ModelRunner(model, forward, asked, classes)
        facts = Facts(info, health)
        facts.add(know_model(model))
        facts.add(know(data))
        disguise = stored if callable(stored) else None
        check = HealthCheck(health)
        budget = Budget(int(min(budget_mb * 1e6, sys.maxsize)) // (job.world_size if job else 1))
        overhead = Overhead(arguments.fraction("max_overhead", max_overhead))
        pacer = Pacer(every, top_k, budget, overhead, health)
        directory = arguments.log_directory(log)
        writer: SampleWriter | NullWriter
        if self._is_copy:
            writer = CopiedWriter(health)
        elif process_rank is None or process_rank.rank == 0 or ranks == "all":
            writer = SampleWriter(
                directory,
                info,
                budget.total,
                tag=tag,
                arrays=stored is not False,
                health=health,
                status=functools.partial(status_of, health, faults, pacer),
            )
            budget.watch(writer.progress)
            health.on_change = writer.refresh
        else:
            writer = NullWriter()
        self._capturer = Capturer(
            model=model,
            calls_forward=forward is not None,
            kind=kind,
            tag=tag,
            job=job,
            runner=runner,
            facts=facts,
            recorder=Recorder(
                criterion, recipe, info, health, kind, runner.reader, check, disguise
            ),
            probes=ProbeList(info, targets, kind),
            pacer=pacer,
            faults=faults,
            writer=writer,
        )

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
        """Capture the most confused samples of the loop's batch if a capture is due.

        In a step that ``torch.compile`` compiles, the hook runs uncompiled between two graphs. With
        ``fullgraph=True`` call it after the step. With a CUDA graph of your own, call it after each
        ``graph.replay()``.

        Args:
            inputs: The model's input, floating point or bytes: images, shape (N, channels, height,
                width) with 1 to 4 channels, or signals, shape (N, channels, length). The hook gives
                the model bytes as floating point numbers of the same value, from 0 to 255.
            logits: The model's output, shape (N, C), or log-probabilities. One column is a
                binary model's. A mapping or an object with ``logits`` may be given whole, and so
                may a tuple, if one of its elements alone can be the logits or has as many columns
                as there are ``class_names``. They only choose candidates: the hook asks the model
                again about what it records. ``None`` asks the model about the whole batch.
            labels: True classes, if known: shape (N,), or one-hot rows. A negative label is
                unknown. Soft labels, such as those of mixup, name a class if it has at least 0.99.
                Rows that may name several classes name none.
            step: The training step. By default calls are counted from 0.
            ids: A name or number for each sample, by which you recognise it later.
            additional_forward_args: The model's arguments after the inputs: a tuple, or a
                dictionary of keyword arguments. A tensor of N rows holds one row for each sample;
                the samples of a capture then run one after another.

        Returns:
            How many samples this call captured, probes included; 0 when no capture is due.
        """
        if torch.compiler.is_compiling():
            named = {"step": step, "ids": ids, "additional_forward_args": additional_forward_args}
            return uncompiled(self, inputs, logits, labels, **named)
        capturer = self._capturer
        if is_graph_captured():
            capturer.faults.handle(RuntimeError(_IN_GRAPH), "A capture")
            return 0
        if self.capturing:  # a forward hook of the user sees the passes of a capture
            return 0
        given = Given(inputs, logits, labels, ids, additional_forward_args)
        if capturer.evaluation is not None:
            capturer.see(capturer.evaluation, given)
            return 0
        pacer = capturer.pacer
        try:
            now = pacer.next_step if step is None else arguments.training_step(step)
        except ValueError as error:
            capturer.faults.handle(error, "A capture")
            return 0
        pacer.count_step()
        if not self.is_due(now):
            return 0
        return capturer.capture(now, given)

    @property
    def capturing(self) -> bool:
        """Whether the hook is running the model: your own forward hooks may look at this."""
        return self._capturer.runner.running

    def is_due(self, step: SupportsIndex | None = None) -> bool:
        """Whether a call with this step would capture; by default the next call's.

        Use it in a loop that has to prepare the arguments of the call.
        """
        if self.capturing or is_graph_captured():
            return False
        capturer = self._capturer
        if capturer.evaluation is not None:
            return capturer.evaluation.is_active
        now = capturer.pacer.next_step if step is None else arguments.training_step(step)
        if not capturer.pacer.is_due(now):
            return False
        return capturer.records() or capturer.runner.is_sharded

    def attach(self, optimizer: torch.optim.Optimizer) -> AttachedHandle:
        """Capture after each optimizer step, without a call in the loop.

        The inputs and logits are those of the model's last forward pass in training mode. The
        labels are known only if the model is given them as ``labels=…``. If the model is given more
        than the image, captures give it the same, unless ``forward`` is set, which gets the image
        alone. ``optimizer`` must be the one that the loop steps. A step that a ``GradScaler`` skips
        does not count.

        An attached model may be copied and saved; the copy is not attached. Before
        ``torch.jit.script``, call ``remove()`` on the handle.

        Returns:
            A handle whose ``remove()`` detaches the hook.

        Raises:
            ValueError: ``optimizer`` is not a ``torch.optim.Optimizer``.
        """
        inner = arguments.unwrapped_optimizer(optimizer)
        return AttachedHandle(
            self._capturer.model,
            inner,
            is_due=self.is_due,
            capture=self._capture_pass,
            skip=self._capturer.pacer.count_step,
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
        """Add fixed samples, which are recorded from the first step on through all of training.

        Args:
            inputs: As the model is given them, shape (N, channels, height, width), or
                (N, channels, length).
            labels: True classes, if known, as in a call.
            ids: A name or number for each sample; by default "probe 0", "probe 1", …
            every: Steps between their captures; by default they are part of every capture.
            additional_forward_args: As in a call.

        Raises:
            ValueError: An argument breaks its rule.
        """
        pacer = self._capturer.pacer
        schedule = pacer.main
        if every is not None:
            schedule = pacer.add_schedule(arguments.count("every", every))
        self._capturer.probes.add(inputs, labels, ids, schedule, additional_forward_args)
        if schedule is pacer.main:
            pacer.probes += len(inputs)

    def learn(self, data: object) -> None:
        """Take what a data loader, a data set or an image processor knows, as ``data`` does.

        Samples that are recorded later under another tag have it, and the others as well if none
        was recorded yet.
        """
        self._capturer.facts.add(know(data))

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
        """Capture the most confused samples of a whole data set, under a tag of their own.

        Only the best samples so far are held in memory. If Ctrl-C interrupts the scan, or the
        loader or the model fails, the samples found so far are captured.

        With ``ranks="all"`` every process of a job calls this with its own part of the data set.
        The ranks tell each other what they found, and rank 0 records the most confused samples of
        the whole. An interrupt or a fault then leaves nothing. With ``ranks="zero"`` rank 0 alone
        scans, its own loader.

        Args:
            loader: Gives ``inputs`` or ``(inputs, labels, …)`` batch by batch, or anything that
                ``unpack`` takes.
            step: The training step; by default that of the hook's last call.
            ids: A name or number for each sample of the loader, in its order. By default it is the
                sample's index in the data set, if one process scans or a ``DistributedSampler``
                deals the samples out; otherwise ``"<rank>/<index in its part>"``.
            unpack: Maps an item of the loader to the arguments of a call, by name: ``inputs``, and
                optionally ``labels``, ``ids`` and ``additional_forward_args``. For a model of two
                inputs: ``lambda item: {"inputs": item["image"], "labels": item["label"],
                "additional_forward_args": (item["age"],)}``.
            top_k: Samples at most, at least 1.
            tag: The name under which the tab shows them.

        Returns:
            How many samples this process captured.

        Raises:
            ValueError: ``unpack``, ``step``, ``top_k`` or ``tag`` breaks its rule.
        """
        if unpack is not None and not callable(unpack):
            raise ValueError(
                "unpack must be a callable that maps an item of the loader to a mapping, got "
                f"{unpack!r}"
            )
        now = self._this_step(step)
        top_k = arguments.count("top_k", top_k)
        return self._capturer.scan(loader, now, ids, unpack, top_k, arguments.tag_name(tag))

    @contextlib.contextmanager
    def evaluation(
        self,
        *,
        step: SupportsIndex | None = None,
        top_k: int | None = None,
        tag: str = "validation",
    ) -> Iterator[None]:
        """Capture the worst samples of an evaluation, which is the block of a ``with`` statement.

        ::

            with hook.evaluation():
                for inputs, labels in validation_loader:
                    logits = model(inputs)
                    hook(inputs, logits, labels)

        At the block's end the most confused samples are captured, and as many errors: the wrong
        predictions with the largest loss. Among these are samples with wrong labels. Only the worst
        samples so far are held in memory. Calls of the hook in the block count no steps and capture
        nothing at once.

        Without a call in the block, the hook looks at the model's own forward passes. It then knows
        the labels only if the model is given them as ``labels=…``.

        If the time of captures is used up, see ``max_overhead``, the block captures nothing. In a
        job of several processes each rank captures the worst samples of its own part. If the block
        raises an error, nothing is captured.

        Args:
            step: The training step; by default that of the hook's last call.
            top_k: The most confused samples at most, and errors at most; by default the hook's.
            tag: The name under which the tab shows them.

        Raises:
            ValueError: ``step``, ``top_k`` or ``tag`` breaks its rule.
        """
        capturer = self._capturer
        now = self._this_step(step)
        top_k = capturer.pacer.top_k if top_k is None else arguments.count("top_k", top_k)
        evaluation = Evaluation(now, arguments.tag_name(tag), top_k)
        if capturer.evaluation is not None:  # the outer block sees all
            yield
            return
        with capturer.evaluate(evaluation):
            yield

    @property
    def health(self) -> tuple[Notice, ...]:
        """The notices about the training and about the recorded samples, the first found first.

        Each notice is logged once, and shown at the top of the tab.
        """
        return self._health.notices

    @property
    def stats(self) -> Stats:
        """What became of everything so far."""
        capturer = self._capturer
        return Stats(
            captured=capturer.captured,
            written=capturer.writer.written,
            dropped=capturer.writer.dropped,
            failed=capturer.faults.failed,
            waited=capturer.writer.waited,
            bytes=capturer.writer.size,
            every=capturer.pacer.every,
            overhead=capturer.pacer.overhead.seconds,
        )

    def close(self) -> None:
        """Write the queued captures and close the event file. A second call does nothing.

        If the directory takes no data, it waits 30 seconds at most. The time that it takes to
        encode samples does not count.

        Raises:
            Exception: ``strict``, and something could not be written that was not raised before.
        """
        writer = self._capturer.writer
        writer.close()
        self._capturer.faults.raise_write_failure(writer.failure, again=False)

    def __enter__(self) -> GradAscentHook:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # otherwise the training's own exception is the one to be seen
                raise

    def __reduce__(self) -> tuple[Any, ...]:
        # A model may be copied, for an average of its weights, or saved whole, together with the
        # hook that its loop keeps in it.
        return _CopiedHook, ()

    def _this_step(self, step: SupportsIndex | None) -> int:
        """The step as given, or that of the last call."""
        if step is None:
            return max(self._capturer.pacer.next_step - 1, 0)
        return arguments.training_step(step)

    def _capture_pass(self, recorded: RecordedPass | MissingPass) -> int:
        if isinstance(recorded, MissingPass):
            return self(recorded, None)  # type: ignore[arg-type]  # it is reported as a fault
        return self(**self._capturer.given_by(recorded)._asdict())


class _CopiedHook(GradAscentHook):
    """A copy of a hook, or a saved one that was loaded. It records nothing."""

    _is_copy = True

    def __init__(self) -> None:
        super().__init__(nn.Identity(), os.curdir)
