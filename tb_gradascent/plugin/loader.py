"""How TensorBoard finds the plugin. Sets two flags, so that TensorBoard drops no samples."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorboard.plugins import base_plugin

from tb_gradascent.format.metadata import PLUGIN_NAME

if TYPE_CHECKING:
    from tb_gradascent.plugin.plugin import GradAscentPlugin


class GradAscentLoader(base_plugin.TBLoader):
    """Sets TensorBoard's flags, then loads the plugin."""

    def fix_flags(self, flags: Any) -> None:
        """Make TensorBoard keep every capture and follow every event file of a directory.

        By default TensorBoard silently keeps only 10 captures of a series. The flags must be set
        here, because TensorBoard no longer reads them when it calls :meth:`load`. Values that the
        user chose stay.

        This method never raises, because an exception would keep TensorBoard from starting. A
        notebook may set a flag to a value of any type; such a flag is left alone.
        """
        with contextlib.suppress(Exception):
            samples = getattr(flags, "samples_per_plugin", None) or {}
            if isinstance(samples, Mapping) and PLUGIN_NAME not in samples:
                flags.samples_per_plugin = {**samples, PLUGIN_NAME: 0}
        with contextlib.suppress(Exception):
            if getattr(flags, "reload_multifile", None) is None:
                flags.reload_multifile = True

    def load(self, context: base_plugin.TBContext) -> GradAscentPlugin | None:
        """Return the plugin, or ``None`` if TensorBoard has no data provider.

        If this raises, TensorBoard logs the error and runs without the plugin.
        """
        if context.data_provider is None:
            return None
        from tb_gradascent.plugin.plugin import GradAscentPlugin

        return GradAscentPlugin(context)
