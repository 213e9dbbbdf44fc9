"""TensorBoard's own WSGI application with the plugin in it, in process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard import program
from tensorboard.backend import application
from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
from tensorboard.plugins.core import core_plugin
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.test import Client

from tb_gradascent.plugin.loader import GradAscentLoader

PREFIX = "/data/plugin/gradascent/"


def make_app(logdir: Path, *options: str) -> Any:
    """Return TensorBoard's application on a log directory. It reads the directory once."""
    tensorboard = program.TensorBoard([core_plugin.CorePluginLoader(), GradAscentLoader()])
    once = ["--reload_interval", "0", "--reload_task", "blocking"]
    tensorboard.configure(["tensorboard", "--logdir", str(logdir), *once, *options])
    ingester = LocalDataIngester(tensorboard.flags)
    ingester.start()
    plugins = tensorboard.plugin_loaders
    return application.TensorBoardWSGIApp(tensorboard.flags, plugins, ingester.data_provider)


def serve(logdir: Path, *options: str) -> Client:
    """Return a client of that application. Werkzeug's own checks run on every request."""
    return Client(LintMiddleware(make_app(logdir, *options)))
