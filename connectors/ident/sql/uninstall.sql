/*
  crmsync: отмена install.sql. Удаляет представления, пользователя и логин; таблицы и данные IDENT не затрагиваются.
  Замените IDENT в строке USE на имя вашей базы. Если crmsync сейчас читает базу, сначала остановите его.
*/
USE IDENT;
GO

IF OBJECT_ID(N'dbo.crmsync_patients', N'V') IS NOT NULL DROP VIEW dbo.crmsync_patients;
IF OBJECT_ID(N'dbo.crmsync_receptions', N'V') IS NOT NULL DROP VIEW dbo.crmsync_receptions;
IF OBJECT_ID(N'dbo.crmsync_changes', N'V') IS NOT NULL DROP VIEW dbo.crmsync_changes;
IF OBJECT_ID(N'dbo.crmsync_patient_rules', N'V') IS NOT NULL DROP VIEW dbo.crmsync_patient_rules;
IF OBJECT_ID(N'dbo.crmsync_visit_rules', N'V') IS NOT NULL DROP VIEW dbo.crmsync_visit_rules;
GO
IF EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'crmsync_ro') DROP USER crmsync_ro;
GO
IF EXISTS (SELECT 1 FROM sys.server_principals WHERE name = N'crmsync_ro') DROP LOGIN crmsync_ro;
GO
