-- flags: the order of precedence in every combination, malformed input, parallel workers, many tenants and users.
BEGIN;
SELECT plan(33);

CREATE FUNCTION pg_temp.refusal(statement text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END
$$;
SELECT tenant_id FROM execreport.create_tenant(131) \g /dev/null
SELECT tenant_id FROM execreport.create_tenant(132) \g /dev/null
SET LOCAL execreport.tenant_id = 131;

-- 1. Kill switch, user, tenant, setting, default: 4 x 3 x 3 x 3 combinations of each flag. Expected is what the order says.
CREATE TEMP TABLE truth AS
SELECT flag, kill, by_user, by_tenant, setting,
       kill = 'none' AND coalesce(by_user, by_tenant, setting, false) AS user_expected,
       kill = 'none' AND coalesce(by_tenant, setting, false) AS tenant_expected,
       NULL::boolean AS user_answer, NULL::boolean AS other_answer, NULL::boolean AS tenant_answer, NULL::boolean AS in_object,
       NULL::boolean AS guard
  FROM unnest(ARRAY['execReportsEnabled', 'masterReportsEnabled', 'reportsApiEnabled', 'reportsUiEnabled', 'consolidationEnabled',
                    'councilSynthesisEnabled']) AS flag,
       unnest(ARRAY['none', 'tenant', 'everywhere', 'both']) AS kill,
       unnest(ARRAY[NULL, false, true]) AS by_user, unnest(ARRAY[NULL, false, true]) AS by_tenant, unnest(ARRAY[NULL, false, true]) AS setting;
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT ctid, * FROM truth LOOP
        PERFORM execreport.set_kill_switch(c.flag, c.kill IN ('tenant', 'both'), 'test', 131);
        PERFORM execreport.set_kill_switch(c.flag, c.kill IN ('everywhere', 'both'), 'test');
        PERFORM execreport.update_user_flags('ana', jsonb_build_object(c.flag, c.by_user));
        PERFORM execreport.update_flags(131, jsonb_build_object(c.flag, c.by_tenant));
        PERFORM set_config('execreport.feature_flags', coalesce(c.flag || '=' || c.setting::text, ''), true);
        UPDATE truth SET user_answer = execreport.is_flag_enabled(131, c.flag, 'ana'),
               other_answer = execreport.is_flag_enabled(131, c.flag, 'bob'),
               tenant_answer = execreport.is_flag_enabled(131, c.flag),
               in_object = (execreport.get_flags(131) ->> c.flag)::boolean,
               guard = (pg_temp.refusal(format('SELECT execreport.require_flag(131, %L)', c.flag))).state IS NOT DISTINCT FROM NULL
         WHERE ctid = c.ctid;
    END LOOP;
    DELETE FROM execreport.kill_switches;
    DELETE FROM execreport.flag_overrides WHERE tenant_id = 131;
    PERFORM execreport._announce_change('execreport.flags');
    PERFORM set_config('execreport.feature_flags', '', true);
END
$$;
SELECT is(count(*)::integer, 648, 'every combination is tried') FROM truth;
SELECT is_empty('SELECT * FROM truth WHERE user_answer IS DISTINCT FROM user_expected', 'for a user with an override');
SELECT is_empty('SELECT * FROM truth WHERE other_answer IS DISTINCT FROM tenant_expected', 'for a user without one');
SELECT is_empty('SELECT * FROM truth WHERE tenant_answer IS DISTINCT FROM tenant_expected', 'for the tenant');
SELECT is_empty('SELECT * FROM truth WHERE in_object IS DISTINCT FROM tenant_expected', 'get_flags agrees');
SELECT is_empty('SELECT * FROM truth WHERE guard IS DISTINCT FROM tenant_expected', 'require_flag agrees');
SELECT is(execreport.get_flags(131), (SELECT jsonb_object_agg(key, default_enabled) FROM execreport.flags), 'all as by default again');

-- 2. Malformed documents
CREATE TEMP TABLE malformed (document jsonb, state text, path text);
INSERT INTO malformed
SELECT jsonb_build_object(flag, value), '22023', 'flags.' || flag || ' is'
  FROM unnest(ARRAY['execReportsEnabled', 'masterReportsEnabled', 'reportsApiEnabled', 'reportsUiEnabled', 'consolidationEnabled',
                    'councilSynthesisEnabled']) AS flag,
       unnest(ARRAY['0', '1', '-1', '0.5', '1e308', '123456789012345678901234567890', '""', '"true"', '"false"', '"on"', '"null"', '"1"', '" "',
                    '"\u0001\u001f"', '"\n"', '"ü\ud83d\ude00"', '[]', '[true]', '[null]', '[[[]]]', '{}', '{"enabled": true}',
                    '{"execReportsEnabled": true}', '"\\"', '"\""', '"{}"', '"%s%n"']::jsonb[]
             || (repeat('[', 1000) || repeat(']', 1000))::jsonb || (repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb
             || to_jsonb(repeat('x', 100000)) || ('1' || repeat('0', 10000))::jsonb) AS value;
INSERT INTO malformed
SELECT jsonb_build_object(key, value), '42704', 'unknown flag'
  FROM unnest(ARRAY['', ' ', 'execReportEnabled', 'execreportsenabled', 'exec_reports_enabled', 'execReportsEnabled ', 'all', '*', '0', 'null', 'true',
                    '__proto__', 'a.b', E'a\nb', E'\x01', 'ü', '"', '\', '''; DROP TABLE execreport.flags; --', '%s', '$1', repeat('x', 100000)]) AS key,
       unnest(ARRAY['true', 'false', 'null', '{}']::jsonb[]) AS value;
INSERT INTO malformed
SELECT jsonb_build_object('execReportsEnabled', true, 'zzz' || n, true), '42704', 'unknown flag "zzz' || n FROM generate_series(1, 20) AS n;
INSERT INTO malformed
SELECT value, '22023', 'flags is not an object'
  FROM unnest(ARRAY['null', 'true', 'false', '0', '-1.5', '1e300', '""', '"execReportsEnabled"', '"execReportsEnabled=true"', '[]', '[null]', '[{}]',
                    '[{"execReportsEnabled": true}]', '["execReportsEnabled", true]', '[[]]']::jsonb[] || to_jsonb(repeat('x', 1000000))) AS value;
INSERT INTO malformed VALUES (NULL, '22004', 'flags is null'),
    (jsonb_build_object('execReportsEnabled', repeat('x', 100000000)), '22023', 'flags.execReportsEnabled is'),
    ((SELECT jsonb_object_agg('key' || n, true) FROM generate_series(1, 100000) AS n), '42704', 'unknown flag');
SELECT cmp_ok(count(*)::integer, '>=', 200, 'there are enough malformed documents') FROM malformed;
CREATE TEMP TABLE audited AS SELECT count(*) AS rows FROM execreport.audit_logs;
CREATE FUNCTION pg_temp.tried(call text) RETURNS TABLE (path text, expected text, state text, message text) LANGUAGE plpgsql AS $$
DECLARE
    m record;
BEGIN
    FOR m IN SELECT * FROM malformed LOOP
        path := m.path; expected := m.state; state := NULL; message := NULL;
        BEGIN
            EXECUTE call USING m.document;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
CREATE TEMP TABLE tenant_try AS SELECT * FROM pg_temp.tried('SELECT execreport.update_flags(131, $1)');
CREATE TEMP TABLE user_try AS SELECT * FROM pg_temp.tried('SELECT execreport.update_user_flags(''ana'', $1)');
SELECT is_empty('SELECT * FROM tenant_try WHERE state IS DISTINCT FROM expected', 'update_flags refuses each with its SQLSTATE');
SELECT is_empty('SELECT * FROM tenant_try WHERE strpos(message, path) = 0', 'and names the path');
SELECT is_empty('SELECT * FROM tenant_try WHERE length(message) > 300', 'in a message of decent length');
SELECT is_empty('SELECT * FROM user_try WHERE state IS DISTINCT FROM expected', 'update_user_flags refuses each with its SQLSTATE');
SELECT is_empty('SELECT * FROM user_try WHERE strpos(message, path) = 0', 'and names the path');
SELECT is_empty('SELECT * FROM execreport.flag_overrides WHERE tenant_id = 131', 'a refused call has changed nothing');
SELECT is(count(*), (SELECT rows FROM audited), 'nor audited anything') FROM execreport.audit_logs;

-- 3. Names are compared as a whole
SELECT is((pg_temp.refusal(format('SELECT execreport.is_flag_enabled(131, %L)', name))).state, '42704', format('no flag %s', left(name, 30)))
  FROM unnest(ARRAY['execReportsEnable', 'execReportsEnabledd', 'xxecReportsEnabled', 'execReportsEnabled' || repeat('x', 10000)]) AS name;
-- users whose hashes are equal (on little-endian machines): in one tenant, and the same user in two
INSERT INTO execreport.flag_overrides (tenant_id, user_id, flag, enabled)
VALUES (131, 'a461eee1-user-d88a8737', 'reportsUiEnabled', true), (126, 'user-with-no-937154', 'reportsUiEnabled', true);
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(ARRAY[execreport.is_flag_enabled(131, 'reportsUiEnabled', 'a461eee1-user-d88a8737'),
                execreport.is_flag_enabled(131, 'reportsUiEnabled', 'e25bf385-user-7a9855f3')], ARRAY[true, false], 'two users, one hash');
SELECT is(ARRAY[execreport.is_flag_enabled(126, 'reportsUiEnabled', 'user-with-no-937154'),
                execreport.is_flag_enabled(135, 'reportsUiEnabled', 'user-with-no-937154')], ARRAY[true, false], 'one user in two tenants');

-- 4. Compressed and stored outside the row: the arguments may come from any column
CREATE TABLE public.er_flags_args (tenant integer, flag text, user_id text);
ALTER TABLE public.er_flags_args ALTER COLUMN user_id SET STORAGE EXTERNAL;
INSERT INTO public.er_flags_args SELECT 131 + n % 2, 'reportsUiEnabled', CASE n % 4 WHEN 0 THEN 'ana' WHEN 1 THEN NULL WHEN 2 THEN repeat('x', 5000) ELSE 'u' || n END
  FROM generate_series(1, 20000) AS n;
SELECT is(execreport.update_user_flags('ana', '{"reportsUiEnabled": true}') ->> 'reportsUiEnabled', 'true', 'switched on for ana');
SELECT is(count(*)::integer, 5000, 'for ana alone') FROM public.er_flags_args WHERE execreport.is_flag_enabled(tenant, flag, user_id) AND tenant = 131;
ANALYZE public.er_flags_args;

-- 5. Parallel workers see the same, also what this transaction has not committed
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_leader_participation = off;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query;
END
$$;
-- read through a cursor, as results_eq() does, or beside is(), a query would never be given workers
CREATE FUNCTION pg_temp.counted_in_workers() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    query constant text := 'SELECT count(*)::integer FROM public.er_flags_args WHERE execreport.is_flag_enabled(tenant, flag, user_id)';
    result integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_temp.plan_of(query) AS line WHERE line ~ 'Workers Launched: [12]') THEN RAISE 'no workers'; END IF;
    EXECUTE query INTO result;
    RETURN result;
END
$$;
SELECT is(pg_temp.counted_in_workers(), 5000, 'workers see the uncommitted override');
SELECT ok(execreport.update_flags(132, '{"reportsUiEnabled": true}') IS NOT NULL, 'on for tenant 132');
SELECT is(pg_temp.counted_in_workers(), 15000, 'workers see it');
SAVEPOINT s;
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'test') \g /dev/null
SELECT is(pg_temp.counted_in_workers(), 0, 'workers see the kill switch');
ROLLBACK TO s;
SELECT is(pg_temp.counted_in_workers(), 15000, 'and its rollback');
SET LOCAL execreport.feature_flags = 'reportsUiEnabled=true';
SELECT is(pg_temp.counted_in_workers(), 20000, 'and the setting');
SET LOCAL execreport.feature_flags = '';
SET LOCAL max_parallel_workers_per_gather = 0;

-- 6. Many users of one tenant, many tenants: more than is read or kept at once
INSERT INTO execreport.flag_overrides (tenant_id, user_id, flag, enabled)
SELECT 132, 'u' || n, 'consolidationEnabled', n % 3 = 0 FROM generate_series(1, 3000) AS n;
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is_empty($$SELECT n FROM generate_series(1, 4000) AS n
                   WHERE execreport.is_flag_enabled(132, 'consolidationEnabled', 'u' || n) <> (n % 3 = 0 AND n <= 3000)$$, 'many users');
SELECT is_empty($$SELECT n FROM generate_series(4000, 1, -1) AS n
                   WHERE execreport.is_flag_enabled(132, 'consolidationEnabled', 'u' || n) <> (n % 3 = 0 AND n <= 3000)$$, 'and once more');
SELECT is_empty($$SELECT n FROM generate_series(1, 100000) AS n
                   WHERE execreport.is_flag_enabled(132, 'reportsUiEnabled', 'v' || n || repeat('x', 480)) IS DISTINCT FROM true
                      OR execreport.is_flag_enabled(1000 + n, 'reportsUiEnabled')$$, 'more than the cache keeps');
SELECT cmp_ok(max(used_bytes), '<', 40000000::bigint, 'which stays small')
  FROM pg_backend_memory_contexts WHERE name = 'execreport flags';

SELECT * FROM finish();
ROLLBACK;
