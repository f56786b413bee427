"""The API's default permission: who may call a view, by role."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from crmsync.roles import OPERATOR, VIEWER, has_role


class RolePermission(BasePermission):
    """Reading needs a viewer, everything else an operator.

    A view may ask for more (or less): `required_role = "administrator"` for all methods, or
    `required_roles = {"POST": "administrator"}` for some.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        required = required_role(view, str(request.method))
        self.message = f"This needs the role “{required}” or a more powerful one."
        return has_role(request.user, required)


def required_role(view: Any, method: str) -> str:
    by_method: dict[str, str] = getattr(view, "required_roles", {})
    if method in by_method:
        return by_method[method]
    default = VIEWER if method in SAFE_METHODS else OPERATOR
    return getattr(view, "required_role", None) or default
