"""TensorBoard's own server in this process. It starts at once and reads data only when told to."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from types import TracebackType

import google_crc32c
from tensorboard import assets, default, program
from tensorboard.backend import application
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow
from tensorboard.plugins.core import core_plugin

from tb_gradascent.plugin.loader import GradAscentLoader

POLL = 0.02
"""Seconds until the server notices that it should stop."""

# Without TensorFlow, TensorBoard computes the checksum of each event in Python, byte by byte.
pywrap_tensorflow.crc32c = google_crc32c.value
# Each TensorBoard compresses the files of its shell, which takes half a second.
core_plugin._gzip = functools.cache(core_plugin._gzip)


class Board:
    """TensorBoard on one log directory: its whole shell, its real server, its Python loader.

    A test needs no process, does not wait for TensorBoard's reload interval, and knows what was
    read. Use ``testing.tensorboard_process`` where the program or its fast loader is the subject.

    Attributes:
        address: The URL, with a slash at the end.
    """

    def __init__(self, logdir: Path, *options: str) -> None:
        """Read the log directory and serve it on a free port.

        Args:
            logdir: The log directory.
            options: More of TensorBoard's command line.
        """
        tensorboard = program.TensorBoard(
            [*default.get_static_plugins(), GradAscentLoader()],
            assets.get_default_assets_zip_provider(),
        )
        read_once = ["--reload_interval", "0", "--reload_task", "blocking"]
        tensorboard.configure(
            ["tensorboard", "--logdir", str(logdir), "--port", "0", *read_once, *options]
        )
        self._ingester = LocalDataIngester(tensorboard.flags)
        self.read()
        app = application.TensorBoardWSGIApp(
            tensorboard.flags,
            tensorboard.plugin_loaders,
            self._ingester.data_provider,
            tensorboard.assets_zip_provider,
            self._ingester.deprecated_multiplexer,
        )
        self._server = program.WerkzeugServer(app, tensorboard.flags)
        self.address: str = self._server.get_url()
        self._thread = threading.Thread(target=self._server.serve_forever, args=[POLL], daemon=True)
        self._thread.start()

    def read(self) -> None:
        """Read what was written to the log directory since the last call."""
        self._ingester.start()

    def close(self) -> None:
        """Stop to serve and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
