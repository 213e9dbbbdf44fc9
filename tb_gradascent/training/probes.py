"""Fixed samples that are followed through training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.functional.labels import Labels
from tb_gradascent.functional.targets import Targets
from tb_gradascent.model.forward_args import AdditionalForwardArgs
from tb_gradascent.training.batch import Batch, Ids, InputKind, id_text
from tb_gradascent.training.pacer import Schedule


class Probes(NamedTuple):
    """Samples of one call of ``hook.probe``, and when they are captured."""

    batch: Batch
    schedule: Schedule


class ProbeList:
    """All probes of a hook.

    Args:
        info: The session's constants, which the probes must fit.
        targets, kind: See ``GradAscentHook(targets=…, kind=…)``.
    """

    def __init__(self, info: SessionInfo, targets: Targets, kind: InputKind) -> None:
        self.info = info
        self._kind: InputKind = kind
        self._targets = targets
        self._all: list[Probes] = []

    def add(
        self,
        inputs: Tensor,
        labels: Labels | None,
        ids: Ids | None,
        schedule: Schedule,
        additional_forward_args: AdditionalForwardArgs | None,
    ) -> None:
        """Add copies of samples; see ``GradAscentHook.probe``.

        Raises:
            ValueError: An argument breaks its rule.
        """
        given = Batch.of(inputs, labels, ids, additional_forward_args, self._kind)
        given.check_channels(self.info)
        known = given.label_list(range(len(inputs)))
        if self._targets == "label" and (known is None or None in known):
            raise ValueError(
                f'labels must be known for every probe if targets="label", got {known!r}: give '
                "labels"
            )
        first = sum(len(probes.batch.inputs) for probes in self._all)
        names = [None] * len(inputs) if ids is None else ids
        texts = [id_text(name) or f"probe {number}" for number, name in enumerate(names, first)]
        batch = Batch(
            given.inputs.detach().clone(),
            known,
            texts,
            given.forward_args.copied(),
            given.label_kind,
            given.value_range,
        )
        self._all.append(Probes(batch, schedule))

    def due(self, schedules: list[Schedule]) -> Iterator[Batch]:
        """The probes that follow one of these schedules."""
        return (probes.batch for probes in self._all if probes.schedule in schedules)
