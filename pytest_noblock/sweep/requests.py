"""Which request a route is sent: of what the user gives, the OpenAPI document says, and the app has answered."""

from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import quote

from pytest_noblock.sweep.given import Values as Values
from pytest_noblock.sweep.given import WrongValue as WrongValue
from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.reasons import Reason
from pytest_noblock.sweep.request import Request
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.routes import variables


@dataclass(frozen=True, slots=True)
class Missing:
    """A request that lacks a value which nobody gives and no schema yields."""

    reason: Reason
    """`no-value`."""
    words: str
    """Which value is missing and why, one sentence."""
    request: Request = field(compare=False)
    """All that could be made: the hook may fill in the rest. The url still has the variables without a value."""
    made: Request = field(compare=False, repr=False)
    """The same, untouched."""

    def mended(self, route: Route) -> bool:
        """Whether the hook changed the request, and its url has no variable left."""
        left = any(f"{{{name}}}" in self.request.url for name in variables(route.path))
        return not left and self.request != self.made


def request_for(route: Route, values: Values, harvested: Harvest | None = None) -> Request | Missing:
    """The request that the route is sent, or what it lacks."""
    url = route.path
    for name in variables(route.path):
        value = values.params.get(name) or (harvested and harvested.value_for(route, name)) or 1
        url = url.replace(f"{{{name}}}", quote(str(value), safe=""))
    return Request(url, headers=dict(values.headers))


def missing(words: str, request: Request) -> Missing:
    return Missing("no-value", words, request, deepcopy(request))
