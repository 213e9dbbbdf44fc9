"""How TensorBoard finds the plugin, and the two flags without which it would hide samples."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorboard.plugins import base_plugin

from tb_gradascent.format.metadata import PLUGIN_NAME

if TYPE_CHECKING:
    from tb_gradascent.plugin.plugin import GradAscentPlugin


class GradAscentLoader(base_plugin.TBLoader):
    """Sets the flags while there is time, then loads the plugin."""

    def fix_flags(self, flags: Any) -> None:
        """Keeps every capture, and follows every event file of a directory.

        By default TensorBoard keeps 10 captures of a series without saying so. It has read its
        flags for good when it loads the plugins, hence here. What the user chose stays.

        An exception would keep TensorBoard from starting, and a notebook may have set a flag to
        anything: then it is left alone.
        """
        with contextlib.suppress(Exception):
            samples = getattr(flags, "samples_per_plugin", None) or {}
            if isinstance(samples, Mapping) and PLUGIN_NAME not in samples:
                flags.samples_per_plugin = {**samples, PLUGIN_NAME: 0}
        with contextlib.suppress(Exception):
            if getattr(flags, "reload_multifile", None) is None:
                flags.reload_multifile = True

    def load(self, context: base_plugin.TBContext) -> GradAscentPlugin | None:
        """The plugin; ``None`` where TensorBoard has no data provider.

        TensorBoard logs what this raises and goes on without the plugin.
        """
        if context.data_provider is None:
            return None
        from tb_gradascent.plugin.plugin import GradAscentPlugin

        return GradAscentPlugin(context)
