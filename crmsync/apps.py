from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CrmsyncConfig(AppConfig):
    name = "crmsync"
    verbose_name = _("Access")

    def ready(self) -> None:
        from crmsync import checks, checks_of_host, heartbeat, openapi, roles  # noqa: F401 - they register themselves

        post_migrate.connect(roles.grant_permissions_after_migrate, dispatch_uid="crmsync.roles")
        heartbeat.connect()
