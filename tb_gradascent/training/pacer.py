"""When captures are made: schedules, and how the budget stretches the time between captures."""

from __future__ import annotations

from tb_gradascent.training.budget import Budget
from tb_gradascent.training.health import Health
from tb_gradascent.training.overhead import FREE_SECONDS, Overhead


class Schedule:
    """Due at the first step, and at each step that has passed another multiple of the interval.

    Args:
        every: The interval in steps, at least 1.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._last: int | None = None

    def is_due(self, step: int, stretch: int = 1) -> bool:
        """Whether a capture is due at a step, if ``stretch`` multiples have to be passed.

        A step that goes backwards is due: the loop went back to a checkpoint.
        """
        last = self._last
        if last is None or step < last:
            return True
        return step // self.every - last // self.every >= stretch

    def mark(self, step: int) -> None:
        """Remember that a capture was due at a step."""
        self._last = step


class Pacer:
    """Count the loop's steps and decide at which of them captures are made.

    Args:
        every: Steps between captures, at least 1.
        top_k: Samples of a batch that a capture holds at most.
        budget: The bytes that may be written.
        overhead: The time of captures, and its limit.
        health: It gets the notice that captures become rarer.

    Attributes:
        main: The schedule of the hook's own captures. Probes may have schedules of their own.
        overhead: As given.
        probes: Fixed samples in each of the main captures.
        steps: Steps of the loop so far.
    """

    def __init__(
        self, every: int, top_k: int, budget: Budget, overhead: Overhead, health: Health
    ) -> None:
        self.main = Schedule(every)
        self.overhead = overhead
        self.probes = 0
        self._top_k = top_k
        self._budget = budget
        self._schedules = [self.main]
        self._health = health
        self.steps = 0
        self._first: int | None = None
        self._latest = 0
        self._agreed_stretch: int | None = None

    def agree(self, stretch: int) -> None:
        """Stretch by the same number as all other ranks from here on."""
        self._agreed_stretch = stretch

    def add_schedule(self, every: int) -> Schedule:
        """Add a schedule beside the main one."""
        schedule = Schedule(every)
        self._schedules.append(schedule)
        return schedule

    @property
    def next_step(self) -> int:
        """The step of the next call, if the loop does not say it: calls are counted from 0."""
        return self.steps

    def count_step(self) -> None:
        """Count one step of the loop."""
        if not self.steps:
            self.overhead.start()
        self.steps += 1

    @property
    def top_k(self) -> int:
        """Samples of a batch that a capture holds at most, as things stand."""
        return self._budget.samples_at_once(self._top_k)

    @property
    def stretch(self) -> int:
        """By how much all intervals are longer than they were asked to be."""
        return self.own_stretch if self._agreed_stretch is None else self._agreed_stretch

    @property
    def own_stretch(self) -> int:
        """What :attr:`stretch` would be if this process had to agree with no other."""
        # By the time so far: at the first capture hardly any of the training's time has passed.
        return max(self._budget_stretch(), self.overhead.stretch(self.main.every, self.steps))

    def _budget_stretch(self) -> int:
        steps = self._latest - (self._first or 0)
        return self._budget.stretch(self.main.every, steps, self.top_k + self.probes)

    @property
    def every(self) -> int:
        """Steps between the main captures as things stand."""
        return self.main.every * self.stretch

    @property
    def stretched_every(self) -> int | None:
        """:attr:`every` if it is longer than it was asked to be, else ``None``."""
        return self.every if self.stretch > 1 else None

    def is_due(self, step: int) -> bool:
        """Whether any capture is due at a step."""
        if not any(schedule.is_due(step) for schedule in self._schedules):
            return False
        stretched = self.stretch
        if not any(schedule.is_due(step, stretched) for schedule in self._schedules):
            return False
        # Ranks that need each other decide by what they agreed on alone.
        return self._agreed_stretch is not None or self.overhead.allows_another()

    def account(self, loop_seconds: float, writer_seconds: float) -> None:
        """Account for the time of a capture, see :meth:`Overhead.add`."""
        self.overhead.add(loop_seconds, writer_seconds)
        is_rarer = self.overhead.stretch(self.main.every, self.steps) > 1
        if is_rarer or not self.overhead.allows_another():
            self._health.note(
                "overhead",
                "info",
                f"A capture takes {self.overhead.mean_cost:.2g} seconds. So captures become rarer, "
                "and some evaluations are left out, until all captures together take at most "
                f"{FREE_SECONDS:g} seconds or max_overhead of the training's time.",
                "Raise max_overhead to have more of them. Or make them cheaper: "
                "ascent=Ascent.smallest(), or a smaller top_k.",
                self._latest,
            )

    def take_due(self, step: int) -> list[Schedule]:
        """Return the schedules that are due at a step, and mark them.

        They are marked before the capture can fail, so that a failed one is not repeated at once.
        """
        stretched = self.stretch
        due = [schedule for schedule in self._schedules if schedule.is_due(step, stretched)]
        for schedule in due:
            schedule.mark(step)
        if self._first is None or step < self._first:
            self._first = step
        self._latest = step
        if self._budget_stretch() > 1 or self.top_k < self._top_k:
            self._health.report(
                "budget",
                "warning",
                f"budget_mb={self._budget.total / 1e6:g} has to last for the whole training: "
                f"captures are now {self.every} steps apart and hold at most {self.top_k} samples "
                "of a batch. They become rarer as the training goes on.",
                "Raise budget_mb to have more of them.",
                step,
            )
        return due
