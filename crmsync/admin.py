"""Users, groups, API tokens and background tasks in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django_q import admin as queue_admin
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from crmsync.audit import pages
from crmsync.models import ApiToken

__all__ = ["pages"]

for model in (User, Group, Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


# It runs functions, and comes open to whoever may look at the list.
queue_admin.resubmit_task.allowed_permissions = ("change",)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff")


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Django's group page in the admin's own look."""


@admin.register(Schedule)
class ScheduleAdmin(queue_admin.ScheduleAdmin, ModelAdmin):
    """django-q2's schedules in the admin's own look: when, but not what.

    A schedule calls any function of any module, so whoever could write one would rule the machine.
    """

    readonly_fields = ("name", "func", "hook", "args", "kwargs", "cluster", "intended_date_kwarg", "task")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Success)
class SuccessAdmin(queue_admin.TaskAdmin, ModelAdmin):
    """Finished tasks in the admin's own look."""


@admin.register(Failure)
class FailureAdmin(queue_admin.FailAdmin, ModelAdmin):
    """Failed tasks in the admin's own look."""


@admin.register(OrmQ)
class QueueAdmin(queue_admin.QueueAdmin, ModelAdmin):
    """Waiting tasks in the admin's own look."""


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Tokens are made for oneself and shown once; an administrator sees and revokes everybody's."""

    list_display = ("name", "user", "prefix", "expires_at", "last_used_at", "created_at")
    fields = ("name", "expires_at", "prefix", "user", "last_used_at", "created_at")
    readonly_fields = ("prefix", "user", "last_used_at", "created_at")
    list_select_related = ("user",)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ("name", "expires_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        every = super().get_queryset(request)
        return every if request.user.has_perm("auth.view_user") else every.filter(user_id=request.user.pk)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        token, plain = ApiToken.objects.issue(request.user, obj.name, obj.expires_at)  # type: ignore[arg-type]
        obj.pk, obj.user_id, obj.prefix = token.pk, token.user_id, token.prefix
        messages.warning(request, _("Copy the token now, it is never shown again: %(token)s") % {"token": plain})
