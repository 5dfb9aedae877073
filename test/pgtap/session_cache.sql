-- session cache: what is left when reading stops half-way; an extension dropped and created anew in one session has other tables under
-- the same names.
BEGIN;
SELECT plan(6);

SAVEPOINT halfway;
INSERT INTO execreport.flags (key, refusal, description) SELECT 'f' || n, 'off', 'one of many' FROM generate_series(1, 2000) AS n;
SELECT execreport.get_flags(1) ? 'f2000' AS read;
ALTER TABLE execreport.flags RENAME TO flags_away;
SELECT throws_ok('SELECT execreport.get_flags(1)', '42P01', 'table execreport.flags does not exist', 'flags cannot be read');
ALTER TABLE execreport.flags_away RENAME TO flags;
SELECT is((SELECT value FROM execreport.evaluate_flag('f1', 'true', '{}')), 'false', 'then they can: nothing of the first time is asked');
ROLLBACK TO halfway;

SELECT execreport.current_tenant(), execreport.is_flag_enabled(1, 'reportsUiEnabled', 'ana');
DROP EXTENSION execreport;
SAVEPOINT gone;
SELECT throws_ok('SELECT execreport.current_tenant()', '3F000', NULL, 'the extension is gone');
ROLLBACK TO gone;
CREATE EXTENSION execreport;
SELECT is(execreport.current_tenant(), 1, 'tenants are read from the new tables');
SELECT is(execreport.is_flag_enabled(1, 'reportsUiEnabled', 'ana'), false, 'and so are flags');
SELECT execreport.update_flags(1, '{"reportsUiEnabled": true}');
SELECT is(execreport.is_flag_enabled(1, 'reportsUiEnabled', 'ana'), true, 'and changes of theirs are noticed');

SELECT * FROM finish();
ROLLBACK;
