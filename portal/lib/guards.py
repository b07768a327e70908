"""Every blueprint is registered with a guard; a view says what it needs with `@requires` or `@opens`."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app, request
from flask.typing import ResponseReturnValue

Guard = Callable[[], ResponseReturnValue | None]
View = TypeVar("View", bound=Callable[..., Any])


def register(app: Flask, blueprint: Blueprint, guard: Guard) -> None:
    """Register the blueprint; the guard runs before each of its views and answers in their place when it says no."""
    app.register_blueprint(blueprint)
    app.before_request_funcs.setdefault(blueprint.name, []).append(guard)
    app.extensions.setdefault("guards", {})[blueprint.name] = guard


def anyone() -> None:
    """The guard of pages that are open to the world, and of hooks, which verify a signature themselves."""


def requires(permission: str) -> Callable[[View], View]:
    """Mark a desk view with the permission that a person needs for it."""
    return _marked("permission", permission)


def fresh(view: View) -> View:
    """Mark a desk view for which the person must have shown who they are a few minutes ago: money, keys, factors."""
    view.fresh = True  # type: ignore[attr-defined]
    return view


def opens(purpose: str, tier: int = 0, brings: Callable[[], Any] | None = None) -> Callable[[View], View]:
    """Mark a customer's view with the purpose that the link in the browser must have, and how much it must show.

    A page that is looked at often lets the guard's statement bring what it shows.
    """

    def mark(view: View) -> View:
        return _marked("brings", brings)(_marked("tier", tier)(_marked("purpose", purpose)(view)))

    return mark


def needed(mark: str) -> Any:
    """What the view of this request is marked with: its "permission", its "purpose", its "tier", …"""
    return getattr(current_app.view_functions[str(request.endpoint)], mark)


def needs_freshness() -> bool:
    """Whether the view of this request is marked with `@fresh`."""
    return bool(getattr(current_app.view_functions[str(request.endpoint)], "fresh", False))


def _marked(name: str, value: object) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, name, value)
        return view

    return mark
