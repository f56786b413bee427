"""The table of the shared cache, and an index that keeps claiming tasks fast however long the queue is."""

from django.core.management import call_command
from django.db import migrations

INDEX = "crmsync_queue_order"


def create_cache_table(apps, schema_editor):
    call_command("createcachetable", verbosity=0, database=schema_editor.connection.alias)


class Migration(migrations.Migration):
    dependencies = [
        ("crmsync", "0001_tokens_and_heartbeats"),
        ("django_q", "0018_task_success_index"),
    ]

    operations = [
        migrations.RunPython(create_cache_table, migrations.RunPython.noop),
        migrations.RunSQL(
            f"CREATE INDEX {INDEX} ON django_q_ormq (key, id, lock)",
            f"DROP INDEX IF EXISTS {INDEX}",
        ),
    ]
