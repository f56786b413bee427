from django.db import migrations

# By the rule of syncjobs.mirror.names.table_of: deals → deal, companies → company.
SINGULAR = "regexp_replace(regexp_replace(nullif(r.entity, ''), 'ies$', 'ys'), 's$', '')"
SYNC_LOGS = """
CREATE OR REPLACE VIEW sync_logs AS
SELECT r.id, c.key AS connection, r.kind, {entity_type} AS entity_type, nullif(r.mode, '') AS sync_type, r.status,
    r.started_at, r.finished_at AS completed_at, r.created, r.updated, r.unchanged, r.deleted, r.failed,
    r.created + r.updated + r.unchanged + r.deleted + r.failed AS records_processed, r.requests,
    nullif(r.message, '') AS error_message
FROM syncjobs_run r JOIN connectors_connection c ON c.id = r.connection_id
WHERE NOT r.dry_run
"""


class Migration(migrations.Migration):

    dependencies = [
        ('syncjobs', '0010_alerts'),
    ]

    operations = [
        migrations.RunSQL(
            SYNC_LOGS.format(entity_type=SINGULAR), SYNC_LOGS.format(entity_type="nullif(r.entity, '')")
        ),
    ]
