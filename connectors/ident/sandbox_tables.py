"""The stand-in's schema in PostgreSQL: few tables, and over them the three views that a clinic's script makes."""

from __future__ import annotations

SCHEMA = "ident_sandbox"
TABLES = ("patient", "reception", "payment")
CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.patient (
    id integer PRIMARY KEY, last_name text, first_name text, middle_name text, sex smallint, birth_date date,
    phone text, phone2 text, email text, card_number text, patient_number text, comment text,
    discount_percent numeric(5,2), sms_optout integer NOT NULL DEFAULT 0, archive_reason text, snils text, inn text,
    branch text, changed_at timestamp NOT NULL);
CREATE TABLE IF NOT EXISTS {SCHEMA}.reception (
    id serial PRIMARY KEY, patient_id integer NOT NULL, starts_at timestamp, ends_at timestamp, comment text,
    doctor text, status text NOT NULL, changed_at timestamp);
CREATE TABLE IF NOT EXISTS {SCHEMA}.payment (
    id serial PRIMARY KEY, patient_id integer NOT NULL, amount numeric(28,10) NOT NULL DEFAULT 0,
    debt numeric(28,10) NOT NULL DEFAULT 0, changed_at timestamp NOT NULL);
CREATE INDEX IF NOT EXISTS reception_patient ON {SCHEMA}.reception (patient_id);
CREATE INDEX IF NOT EXISTS payment_patient ON {SCHEMA}.payment (patient_id);
CREATE INDEX IF NOT EXISTS patient_changed ON {SCHEMA}.patient (changed_at);
CREATE INDEX IF NOT EXISTS reception_changed ON {SCHEMA}.reception (changed_at);
CREATE INDEX IF NOT EXISTS payment_changed ON {SCHEMA}.payment (changed_at);
CREATE OR REPLACE VIEW {SCHEMA}.crmsync_patients AS
SELECT p.id AS patient_id, p.last_name, p.first_name, p.middle_name, p.sex, p.birth_date, p.phone, p.phone2, p.email,
    p.card_number, p.patient_number, p.comment, p.discount_percent, p.sms_optout, p.archive_reason,
    CASE WHEN p.archive_reason IS NULL THEN 0 ELSE 1 END AS is_archived, p.snils, p.inn, p.branch,
    coalesce(v.visits_count, 0) AS visits_count, v.last_visit_at, v.next_visit_at,
    greatest(coalesce(m.paid, 0), 0) AS advance, coalesce(m.debt, 0) AS debt
FROM {SCHEMA}.patient p
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'done') AS visits_count,
        max(starts_at) FILTER (WHERE status = 'done') AS last_visit_at,
        min(starts_at) FILTER (WHERE status = 'scheduled' AND starts_at >= LOCALTIMESTAMP) AS next_visit_at
    FROM {SCHEMA}.reception r WHERE r.patient_id = p.id) v ON true
LEFT JOIN LATERAL (
    SELECT sum(amount) AS paid, sum(debt) AS debt FROM {SCHEMA}.payment y WHERE y.patient_id = p.id) m ON true;
CREATE OR REPLACE VIEW {SCHEMA}.crmsync_receptions AS
SELECT id AS reception_id, patient_id, starts_at, ends_at, comment, doctor, status, changed_at,
    NULL::bytea AS row_version
FROM {SCHEMA}.reception;
CREATE OR REPLACE VIEW {SCHEMA}.crmsync_changes AS
SELECT id AS patient_id, changed_at FROM {SCHEMA}.patient
UNION ALL SELECT patient_id, changed_at FROM {SCHEMA}.reception
UNION ALL SELECT patient_id, changed_at FROM {SCHEMA}.payment
"""
EMPTY = f"TRUNCATE {', '.join(f'{SCHEMA}.{table}' for table in TABLES)} RESTART IDENTITY"
