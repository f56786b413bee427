"""Triggers that keep LinkCount in step with the links, whoever writes them."""

from django.db import migrations

CREATE = """
CREATE FUNCTION syncjobs_link_slot(status text, synced timestamptz, failed timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
    SELECT date_bin('5 minutes', CASE status WHEN 'Complete' THEN synced WHEN 'Error' THEN failed END,
                    timestamptz '2000-01-01 00:00:00+00')
$$;

CREATE FUNCTION syncjobs_count_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO syncjobs_linkcount (connection_id, sync_status, slot, n)
        SELECT connection_id, sync_status, syncjobs_link_slot(sync_status, synced_at, last_retry_at), count(*)
        FROM added GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO syncjobs_linkcount (connection_id, sync_status, slot, n)
        SELECT connection_id, sync_status, syncjobs_link_slot(sync_status, synced_at, last_retry_at), -count(*)
        FROM removed GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO syncjobs_linkcount (connection_id, sync_status, slot, n)
        SELECT connection_id, sync_status, slot, sum(n) FROM (
            SELECT connection_id, sync_status, syncjobs_link_slot(sync_status, synced_at, last_retry_at) AS slot, 1 AS n
            FROM added
            UNION ALL
            SELECT connection_id, sync_status, syncjobs_link_slot(sync_status, synced_at, last_retry_at), -1
            FROM removed
        ) AS changes GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_added AFTER INSERT ON syncjobs_contactsync
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION syncjobs_count_links();
CREATE TRIGGER count_changed AFTER UPDATE ON syncjobs_contactsync
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION syncjobs_count_links();
CREATE TRIGGER count_removed AFTER DELETE ON syncjobs_contactsync
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION syncjobs_count_links();
ALTER TABLE syncjobs_contactsync SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE connectors_rateslot SET (fillfactor = 50);
"""

DROP = """
DROP TRIGGER count_added ON syncjobs_contactsync;
DROP TRIGGER count_changed ON syncjobs_contactsync;
DROP TRIGGER count_removed ON syncjobs_contactsync;
DROP FUNCTION syncjobs_count_links();
DROP FUNCTION syncjobs_link_slot(text, timestamptz, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("syncjobs", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
