"""A session's constants that the user did not give, from what the model and the data know."""

from __future__ import annotations

import dataclasses

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.training.arguments import legal_bounds
from tb_gradascent.training.batch import Batch
from tb_gradascent.training.health import Health
from tb_gradascent.training.known import ClassNames, Known, Normalization

_SHOWN_NAMES = 3


class Facts:
    """Fill in a session's constants. The user's own values stay.

    Args:
        info: The constants as the user gave them.
        health: It gets a notice of what is filled in.

    Attributes:
        info: The constants as they are known now.
    """

    def __init__(self, info: SessionInfo, health: Health) -> None:
        self.info = info
        self._health = health
        self._known = Known()
        self._seen: tuple[ClassNames | None, Normalization | None] = (None, None)
        # Bounds alone say that the inputs are in units of their own.
        self._wants_normalization = info.mean is None and info.bounds is None

    def add(self, known: Known) -> None:
        """Take what was found. It counts more than what was found before."""
        self._known = known.or_else(self._known)

    def look_at_images(self, batch: Batch, step: int | None) -> bool:
        """Take mean and std if images look normalised so. Return whether the constants changed."""
        found = self._known.normalization
        if found is None or not self._wants_normalization or found == self._seen[1]:
            return False
        self._seen = (self._seen[0], found)
        if batch.inputs.dim() != 4 or batch.value_range is not None:
            return False
        told = f"mean={_told(found.mean)} and std={_told(found.std)} of {found.source}"
        if not found.fits(batch.inputs):
            self._health.report(
                "unused-normalization",
                "info",
                f"The images do not look normalised with {told}, so these are not used.",
                "Give mean and std.",
                step,
            )
            return False
        self._wants_normalization = False
        bounds = legal_bounds(None, found.mean, found.std)
        self.info = dataclasses.replace(self.info, mean=found.mean, std=found.std, bounds=bounds)
        self._health.report(
            "found-normalization",
            "info",
            f"Images are shown with {told}.",
            "To change this, give mean and std.",
            step,
        )
        return True

    def look_at_classes(self, classes: int | None, step: int | None) -> bool:
        """Take class names if there are as many. Return whether the constants changed."""
        found = self._known.class_names
        if found is None or classes is None or self.info.class_names is not None:
            return False
        if found == self._seen[0]:
            return False
        self._seen = (found, self._seen[1])
        if len(found.names) != classes:
            self._health.report(
                "unused-class-names",
                "info",
                f"{found.source} has {len(found.names)} names and the logits have {classes} "
                "classes, so the names are not used.",
                "Give class_names.",
                step,
            )
            return False
        self.info = dataclasses.replace(self.info, class_names=found.names)
        more = ", …" if len(found.names) > _SHOWN_NAMES else ""
        self._health.report(
            "found-class-names",
            "info",
            f"The classes have the names of {found.source}: "
            f"{', '.join(found.names[:_SHOWN_NAMES])}{more}.",
            "To change this, give class_names.",
            step,
        )
        return True


def _told(numbers: tuple[float, ...]) -> str:
    several = ", ".join(f"{number:g}" for number in numbers)
    return several if len(numbers) == 1 else f"({several})"
