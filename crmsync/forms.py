"""The login form."""

import math
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.forms import AuthenticationForm

from crmsync.throttles import LoginAtThePage, LoginByAddress


class LoginForm(AuthenticationForm):
    """Says that an e-mail will do, and slows guessing down, in the same words whether or not there is such a user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail or username")

    def clean(self) -> dict[str, Any]:
        request: Any = self.request
        view: Any = None
        for brake in (LoginByAddress(), LoginAtThePage()):
            if not brake.allow_request(request, view):
                seconds = math.ceil(brake.wait() or 1)
                request.login_braked_for = seconds
                text = ngettext(
                    "Too many attempts: try again in %(n)d second.",
                    "Too many attempts: try again in %(n)d seconds.",
                    seconds,
                )
                raise ValidationError(text % {"n": seconds})
        return super().clean()
