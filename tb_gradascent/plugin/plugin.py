"""The plugin that TensorBoard loads: its tab, its routes and the files of its page."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from tb_gradascent.format.metadata import PLUGIN_NAME
from tb_gradascent.plugin.assets import ENTRY, Assets
from tb_gradascent.plugin.responses import Route, app, cache_forever, respond_json

if TYPE_CHECKING:
    from tb_gradascent.plugin.routes import DataRoutes

DATA_ROUTES = ("runs", "opening", "newest", "index", "records", "payloads", "report")
"""The names of the methods of :class:`DataRoutes`."""


class GradAscentPlugin(base_plugin.TBPlugin):
    """The tab in TensorBoard: the recorded samples and the page that shows them.

    Modules that read data are imported at the first request. So the plugin does not slow down
    TensorBoard's start.
    """

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._data_provider = context.data_provider
        self._assets = Assets()
        self._data_routes: DataRoutes | None = None
        self._lock = threading.Lock()

    def get_plugin_apps(self) -> dict[str, Any]:
        """Return the WSGI application of each route."""
        return {
            **{f"/{name}": app(self._data_route(name)) for name in DATA_ROUTES},
            self._entry_path(): app(self._serve_static),
            "/static/*": app(self._serve_static),
        }

    def is_active(self) -> bool:
        """Return false: TensorBoard asks only if it found no data of this plugin."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Return the tab's name and the page's entry module."""
        return base_plugin.FrontendMetadata(
            es_module_path=self._entry_path(), tab_name="Gradient Ascent"
        )

    def _data_route(self, name: str) -> Route:
        def answer(request: Request) -> Response:
            route: Route = getattr(self._data, name)
            return route(request)

        return answer

    @property
    def _data(self) -> DataRoutes:
        with self._lock:
            if self._data_routes is None:
                from tb_gradascent.plugin.routes import DataRoutes

                self._data_routes = DataRoutes(self._data_provider)
            return self._data_routes

    def _entry_path(self) -> str:
        return f"/static/{self._assets.version}/{ENTRY}"

    def _serve_static(self, request: Request) -> Response:
        _, _, path = request.path.partition("/static/")
        asset = self._assets.find(path)
        if asset is None:
            return respond_json(request, {"error": "no such file; reload the page"}, 404)
        response: Response = http_util.Respond(request, asset.content, asset.mime_type)
        return cache_forever(response)
