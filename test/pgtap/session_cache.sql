-- session cache: an extension dropped and created anew in one session has other tables under the same names.
BEGIN;
SELECT plan(4);

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
