/*
  crmsync: чтение пациентов из базы IDENT. Скрипт для администратора SQL Server клиники (2012 и новее).

  Что делает: создаёт представления и логин, которому разрешено читать три из них. Таблицы и данные IDENT не меняются.
  Скрипт можно выполнять повторно: представления создаются заново, логин остаётся. Отменяет всё uninstall.sql.

  Перед запуском:
    1. Замените IDENT в строке USE на имя вашей базы.
    2. Замените пароль логина crmsync_ro в разделе 4.
    3. Просмотрите раздел 1: в нём собраны правила, которые у каждой клиники свои.
    4. Столбцы с пометкой «сверьте» в разных версиях IDENT называются по-разному или отсутствуют. Если столбца нет,
       напишите вместо него NULL с тем же псевдонимом, например: CAST(NULL AS nvarchar(14)) AS snils.
  После запуска: manage.py ident_inspect перечислит, чего не хватает. Данные пациентов эта команда не показывает.

  Если чтение медленное, посмотрите, есть ли индексы Receptions(ID_Patients), PaymentsIn(ID_Patients),
  OrderPaymentsJournal(ID_Patients), и решите сами, создавать ли их: скрипт индексов не создаёт.
*/
USE IDENT;
GO

IF OBJECT_ID(N'dbo.crmsync_patients', N'V') IS NOT NULL DROP VIEW dbo.crmsync_patients;
IF OBJECT_ID(N'dbo.crmsync_receptions', N'V') IS NOT NULL DROP VIEW dbo.crmsync_receptions;
IF OBJECT_ID(N'dbo.crmsync_changes', N'V') IS NOT NULL DROP VIEW dbo.crmsync_changes;
IF OBJECT_ID(N'dbo.crmsync_patient_rules', N'V') IS NOT NULL DROP VIEW dbo.crmsync_patient_rules;
IF OBJECT_ID(N'dbo.crmsync_visit_rules', N'V') IS NOT NULL DROP VIEW dbo.crmsync_visit_rules;
GO

/* ==================================================================================================================
   1. ПРАВИЛА КЛИНИКИ. Менять их нужно только здесь: остальные разделы лишь переименовывают столбцы.
   ================================================================================================================== */

-- 1.1. Приёмы: что считать отменённым, завершённым, начатым и что входит в «Всего визитов».
CREATE VIEW dbo.crmsync_visit_rules AS
SELECT
    r.ID AS reception_id,
    r.ID_Patients AS patient_id,
    r.ID_Staffs AS staff_id,
    r.PlanStart AS starts_at,
    r.PlanEnd AS ends_at,
    r.Comment AS comment,
    COALESCE(r.DateTimeChanged, r.DateTimeAdded) AS changed_at,
    CAST(r.RowVersion AS binary(8)) AS row_version,
    -- Отменён: указана дата отмены или её причина.
    CASE WHEN r.ReceptionCanceled IS NOT NULL OR r.ID_ReceptionCancelReasons IS NOT NULL THEN 1 ELSE 0 END AS is_cancelled,
    -- Завершён: приём окончен или выдан чек.
    CASE WHEN r.ReceptionEnded IS NOT NULL OR r.CheckIssued IS NOT NULL THEN 1 ELSE 0 END AS is_done,
    -- Пациент пришёл.
    CASE WHEN r.ReceptionStarted IS NOT NULL OR r.PatientAppeared IS NOT NULL THEN 1 ELSE 0 END AS is_arrived,
    -- Входит в «Всего визитов»: приём окончен, причины отмены нет.
    CASE WHEN r.ReceptionEnded IS NOT NULL AND r.ID_ReceptionCancelReasons IS NULL THEN 1 ELSE 0 END AS is_counted
FROM dbo.Receptions AS r;
GO

-- 1.2. Пациенты: архив, скидка, аванс и долг.
CREATE VIEW dbo.crmsync_patient_rules AS
SELECT
    p.ID_Persons AS patient_id,
    -- Архивный: указана причина архивации. Столбец Status для этого не годится: его значения у клиник различаются.
    CASE WHEN p.ID_ArchivingReasons IS NOT NULL THEN 1 ELSE 0 END AS is_archived,
    -- Скидка в процентах (сверьте столбец).
    p.DiscountPercent AS discount_percent,
    -- Долг: сумма долгов по счетам.
    COALESCE(bills.debt, 0) AS debt,
    -- Аванс: начальный остаток и платежи без стоимости оплаченных работ; не меньше нуля.
    CASE
        WHEN COALESCE(p.InitialBalance, 0) + COALESCE(paid.amount, 0) - COALESCE(bills.cost, 0) + COALESCE(bills.debt, 0) > 0
        THEN COALESCE(p.InitialBalance, 0) + COALESCE(paid.amount, 0) - COALESCE(bills.cost, 0) + COALESCE(bills.debt, 0)
        ELSE 0
    END AS advance
FROM dbo.Patients AS p
OUTER APPLY (
    SELECT SUM(i.Payment) AS amount FROM dbo.PaymentsIn AS i WHERE i.ID_Patients = p.ID_Persons
) AS paid
OUTER APPLY (
    SELECT SUM(j.AmountWithDiscount) AS cost, SUM(j.Debt) AS debt
    FROM dbo.OrderPaymentsJournal AS j WHERE j.ID_Patients = p.ID_Persons
) AS bills;
GO

/* ==================================================================================================================
   2. То, что читает crmsync: одна строка на пациента, одна на приём.
   ================================================================================================================== */
CREATE VIEW dbo.crmsync_patients AS
SELECT
    p.ID_Persons AS patient_id,
    h.Surname AS last_name,
    h.Name AS first_name,
    h.Patronymic AS middle_name,
    h.Sex AS sex,                           -- сверьте: 0 не указан, 1 мужской, 2 женский
    h.Birthday AS birth_date,
    h.MobilePhone AS phone,                 -- сверьте: мобильный, он становится основным
    h.Phone AS phone2,                      -- сверьте: второй телефон
    h.Email AS email,                       -- сверьте
    p.CardNumber AS card_number,
    p.PatientNumber AS patient_number,
    p.Comment AS comment,
    CAST(rules.discount_percent AS numeric(5, 2)) AS discount_percent,
    p.SMSRejection AS sms_optout,
    reasons.Name AS archive_reason,         -- сверьте таблицу ArchivingReasons
    rules.is_archived,
    h.SNILS AS snils,                       -- сверьте
    h.INN AS inn,                           -- сверьте
    branches.Name AS branch,                -- сверьте; если база одна на филиал, задайте филиал в настройках crmsync
    COALESCE(visits.visits_count, 0) AS visits_count,
    visits.last_visit_at,
    visits.next_visit_at,
    CAST(rules.advance AS numeric(18, 2)) AS advance,
    CAST(rules.debt AS numeric(18, 2)) AS debt
FROM dbo.Patients AS p
JOIN dbo.crmsync_patient_rules AS rules ON rules.patient_id = p.ID_Persons
LEFT JOIN dbo.Persons AS h ON h.ID = p.ID_Persons
LEFT JOIN dbo.ArchivingReasons AS reasons ON reasons.ID = p.ID_ArchivingReasons
LEFT JOIN dbo.Branches AS branches ON branches.ID = p.ID_Branches
OUTER APPLY (
    SELECT
        SUM(v.is_counted) AS visits_count,
        MAX(CASE WHEN v.is_counted = 1 THEN v.starts_at END) AS last_visit_at,
        MIN(CASE WHEN v.is_cancelled = 0 AND v.is_done = 0 AND v.starts_at >= GETDATE() THEN v.starts_at END) AS next_visit_at
    FROM dbo.crmsync_visit_rules AS v
    WHERE v.patient_id = p.ID_Persons
) AS visits;
GO

CREATE VIEW dbo.crmsync_receptions AS
SELECT
    v.reception_id,
    v.patient_id,
    v.starts_at,
    v.ends_at,
    v.comment,
    LTRIM(RTRIM(COALESCE(h.Surname, N'') + N' ' + COALESCE(h.Name, N'') + N' ' + COALESCE(h.Patronymic, N''))) AS doctor,
    CASE
        WHEN v.is_cancelled = 1 THEN 'cancelled'
        WHEN v.is_done = 1 THEN 'done'
        WHEN v.is_arrived = 1 THEN 'arrived'
        ELSE 'scheduled'
    END AS status,
    v.changed_at,
    v.row_version
FROM dbo.crmsync_visit_rules AS v
LEFT JOIN dbo.Persons AS h ON h.ID = v.staff_id;
GO

/* ==================================================================================================================
   3. Список изменений: строка на каждую строку исходных таблиц. Только столбцы, без функций и группировки: тогда
      условие «изменено после …» доходит до каждой таблицы и её индекса. Приём и платёж карточку пациента не меняют,
      поэтому они здесь отдельно; у строк, которые никто не правил, заполнено только время добавления.
   ================================================================================================================== */
CREATE VIEW dbo.crmsync_changes AS
SELECT ID_Persons AS patient_id, DateTimeChanged AS changed_at FROM dbo.Patients
UNION ALL SELECT ID, DateTimeChanged FROM dbo.Persons               -- сверьте столбец DateTimeChanged
UNION ALL SELECT ID_Patients, DateTimeChanged FROM dbo.Receptions
UNION ALL SELECT ID_Patients, DateTimeAdded FROM dbo.Receptions
UNION ALL SELECT ID_Patients, DateTimeChanged FROM dbo.PaymentsIn
UNION ALL SELECT ID_Patients, DateTimeAdded FROM dbo.PaymentsIn
UNION ALL SELECT ID_Patients, DateTimeBill FROM dbo.OrderPaymentsJournal;
GO

/* ==================================================================================================================
   4. Логин только для чтения. Права на сами таблицы ему не нужны: у представлений и таблиц один владелец.
      Не добавляйте его в db_datareader: эта роль открывает все таблицы.
   ================================================================================================================== */
IF NOT EXISTS (SELECT 1 FROM sys.server_principals WHERE name = N'crmsync_ro')
    CREATE LOGIN crmsync_ro WITH PASSWORD = N'Change-this-passw0rd';
GO
IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'crmsync_ro')
    CREATE USER crmsync_ro FOR LOGIN crmsync_ro;
GO
GRANT SELECT ON dbo.crmsync_patients TO crmsync_ro;
GRANT SELECT ON dbo.crmsync_receptions TO crmsync_ro;
GRANT SELECT ON dbo.crmsync_changes TO crmsync_ro;
GO
