"""What there is to sweep: the app, once the hook of a conftest.py has seen it, and its routes."""

from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.checks.app_import import NotAnApp, resolved
from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.errors import told, words
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.plugin import options, sweep_options
from pytest_noblock.plugin.selected import NODE
from pytest_noblock.sweep import routes as app_routes
from pytest_noblock.sweep.openapi import Unreadable, parse
from pytest_noblock.sweep.outcome import RouteResult, teachers

if TYPE_CHECKING:
    from pytest_noblock.checks.running_apps import RunningApps
    from pytest_noblock.engine.exchange import ASGIApp
    from pytest_noblock.plugin.session import Session
    from pytest_noblock.sweep.openapi import Document
    from pytest_noblock.sweep.route import Route
    from pytest_noblock.sweep.routes import Routes

_NO_ROUTES = (
    "it is neither FastAPI's nor Starlette's, or nothing is added to it; "
    "--noblock-openapi=FILE names the OpenAPI document of any other app"
)


class SweptApp:
    """The app of `--noblock-sweep`. It is imported, and started, on first use."""

    def __init__(self, config: pytest.Config, session: "Session") -> None:
        """Raises UsageError."""
        self._config = config
        self._session = session
        self.given = sweep_options.read(config)
        self._root = str(config.rootpath)

    @cached_property
    def app(self) -> "ASGIApp":
        """Raises NotAnApp."""
        app = resolved(self.given.app, self._root, self._named)
        problem = ""
        try:
            other = self._config.hook.pytest_noblock_app(app=app)
        except Exception as error:  # noqa: BLE001  # the user's code
            problem = f"the hook pytest_noblock_app raised {self.told(error)}"
        if problem:
            raise NotAnApp(problem)
        return app if other is None else resolved(other, self._root, "what the hook pytest_noblock_app returned")

    @cached_property
    def apps(self) -> "RunningApps":
        return self._session.fixtures.running_apps()

    @cached_property
    def routes(self) -> "Routes":
        """Raises NotAnApp and UsageError."""
        folder = self._config.invocation_params.dir
        path = sweep_options.path_of_document(self.given.openapi, folder)
        given = sweep_options.document(self.given.openapi, folder) if path is None else self._answered_document(path)
        found = app_routes.routes_of(self.app, given)
        if not found.routes:
            raise NotAnApp(f"{self._named} has no routes that the sweep can see: {_NO_ROUTES}")
        return found

    def _answered_document(self, path: str) -> "Document":
        """The OpenAPI document that the app itself answers at this path. Raises NotAnApp."""
        option = f"--noblock-openapi={path}"
        problem = ""
        try:
            checker = self.apps.checker(self.app)
            plan = options.of_run(self._config).plan._replace(expect="any", warmup=False, confirm=False)
            check = checker.check(NODE, Sent("GET", path), plan)
            if check.response is not None and check.response.status_code < 400:
                return parse(check.response.content, f"{option}: the answer of the app")
            status = check.response.status_code if check.response is not None else None
            problem = f"{option}: {check.reason or f'the app answered {status}'}"
        except (LifespanFailed, Unreadable) as error:
            problem = str(error)
        raise NotAnApp(problem)

    @property
    def routes_are_known(self) -> bool:
        """Whether the routes have been read; not where nothing could be collected."""
        return "routes" in vars(self)

    @cached_property
    def _named(self) -> str:
        return f"{self.given.app!r}" if isinstance(self.given.app, str) else "the app of the sweep"

    def told(self, error: Exception) -> str:
        """What the user's code raised, with its line."""
        return words(told(error), UserCode(self._root))

    def result_of(self, route: "Route") -> RouteResult:
        """The route's result, which is empty; of some routes it is known that they are not sent."""
        result = RouteResult(route)
        if route.kind == "websocket":
            result.leave_out("websocket")
        elif not app_routes.selected((route,), self.given.include, self.given.exclude):
            result.leave_out("excluded")
        elif route.method not in self.given.methods:
            result.leave_out("unsafe-method")
        return result

    def teachers(self, selected: "list[Route]") -> list[RouteResult]:
        """List routes that were not selected, and that know the ids of those that were."""
        names = {each.name for each in selected}
        others = [each for each in self.routes.routes if each.name not in names]
        results = [self.result_of(each) for each in teachers(selected, others)]
        for each in results:
            each.to_learn = True
        return [each for each in results if not each.ran]

    def stop(self) -> list[str]:
        """Sentences on an app that could not be stopped."""
        return self.apps.stop() if "apps" in vars(self) else []
