-- Reasons: every public function that takes one holds it to the same limit. A new one is found in the catalogue, and missed here.
BEGIN;
SELECT plan(6);
SET LOCAL client_min_messages = warning;
SET LOCAL execreport.tenant_id = 590;
SELECT tenant_id FROM execreport.create_tenant(590);
SELECT execreport.create_workflow('reasons') AS workflow \gset
SELECT execreport.create_schedule(:'workflow', '{"frequency": "daily", "time": "09:00", "timezone": "UTC"}') AS schedule \gset
SELECT execreport.create_collection(:'workflow', '{"type": "relative", "value": 14, "unit": "days"}', '{"type": "daily"}', '2025-03-20') AS collection \gset
SELECT execreport.define_flag('reasons', '{}');
SELECT execreport.request_flag_change('reasons', '{"percentage": 5}') AS change \gset
SELECT execreport.start_rollout('reasons', '{ana}', '{reasons}');

-- what each function is called with, %s being the reason; hold() before continue_rollout(), and what ends something last
CREATE TEMP TABLE calls (n integer GENERATED ALWAYS AS IDENTITY, function name, arguments text);
INSERT INTO calls (function, arguments) VALUES
    ('update_flags', '590, ''{"reasons": true}'', %s'), ('update_user_flags', '''ana'', ''{"reasons": true}'', %s'), ('set_kill_switch', '''reasons'', false, %s'),
    ('schedule_flag_change', '''reasons'', ''{"percentage": 6}'', ''2041-01-01'', %s'), ('request_flag_change', '''reasons'', ''{"percentage": 7}'', %s'),
    ('approve_flag_change', format('%L, %%s', :'change')), ('cancel_flag_change', format('%L, %%s', :'change')), ('reject_flag_change', format('%L, %%s', :'change')),
    ('save_configuration', 'NULL, ''{}'', %s'), ('delete_configuration', '1, %s'), ('delete_exec_report', '''none'', %s'), ('delete_tenant', '599, %s'),
    ('pause_backfill', format('%L, %%s', :'collection')), ('cancel_backfill', format('%L, %%s', :'collection')),
    ('pause_schedule', format('%L, %%s', :'schedule')), ('end_schedule', format('%L, %%s', :'schedule')),
    ('define_guard', '''error_rate'', ''{"dryRun": true}'', %s'), ('drop_guard', '''error_rate'', %s'),
    ('emergency_rollback', '''reports-ui'', ''{590}'', %s'), ('resume', '''reportsUiEnabled'', %s, 590'),
    ('start_rollout', '''more reasons'', ''{ana}'', ''{reportsUiEnabled}'', reason => %s'), ('hold', '''reasons'', %s'), ('continue_rollout', '''reasons'', %s'),
    ('advance_rollout', '''reasons'', %s'), ('abort', '''reasons'', %s'), ('archive_flag', '''reasons'', %s'), ('restore_flag', '''reasons'', %s');

SELECT set_eq($$ SELECT function FROM calls $$, $$
    SELECT p.proname FROM pg_proc AS p, unnest(p.proargnames, coalesce(p.proargmodes, array_fill('i'::"char", ARRAY[p.pronargs::integer]))) AS a (name, mode)
     WHERE p.pronamespace = 'execreport'::regnamespace AND p.proname !~ '^_' AND a.name ~ 'reason$' AND a.mode IN ('i', 'b', 'v') $$,
    'every function that takes a reason is tried');
CREATE FUNCTION pg_temp.refused(length integer) RETURNS TABLE (function name, state text, message text) LANGUAGE sql AS $$
    SELECT c.function, r.state, r.message
      FROM calls AS c, LATERAL execreport._refusal(format('SELECT execreport.%I(%s)', c.function, format(c.arguments, quote_literal(repeat('é', length))))) AS r
     WHERE r.message IS NOT NULL ORDER BY c.n $$;
SELECT bag_eq($$ SELECT * FROM pg_temp.refused(2001) $$,
    $$ SELECT function, '22023' AS state, CASE function WHEN 'save_configuration' THEN 'edit_' ELSE '' END || 'reason has 2001 characters' AS message FROM calls $$, 'each refuses one that is too long, by name');
SELECT is_empty($$ SELECT * FROM pg_temp.refused(2000) WHERE message ~ 'reason (is|has)' $$, '2000 characters are not too long for any');

SELECT lives_ok($$ SELECT execreport.update_flags(590, '{"reasons": true}', NULL) $$, 'it may be left out');
SELECT throws_ok($$ SELECT execreport.emergency_rollback('all', '{590}', ' ') $$, '22023', 'reason is empty', 'but where it is asked for');
SELECT throws_ok($$ SELECT execreport.delete_exec_report('none', NULL) $$, '22004', 'reason is null');
SELECT * FROM finish();
ROLLBACK;
