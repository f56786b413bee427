from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CrmsyncConfig(AppConfig):
    name = "crmsync"

    def ready(self) -> None:
        from crmsync import checks, heartbeat, openapi, roles  # noqa: F401 - they register themselves

        post_migrate.connect(roles.grant_permissions_after_migrate, dispatch_uid="crmsync.roles")
        heartbeat.connect()
