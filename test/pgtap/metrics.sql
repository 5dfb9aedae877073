-- What lies in which slice, rates and quantiles: by hand, and by the rules of Prometheus' histogram_quantile(). Shared
-- memory is not rolled back: the series of tenants 540 to 559 are this file's.
BEGIN;
SELECT plan(66);
SET LOCAL client_min_messages = warning;
SELECT execreport._metrics_available() AS available \gset
\if :available
CREATE ROLE metrics_reader_540;
CREATE ROLE metrics_reader_545;
SELECT execreport.create_tenant(540), execreport.create_tenant(545) \g /dev/null
SELECT execreport.grant_access('metrics_reader_540', 540, 'viewer'), execreport.grant_access('metrics_reader_545', 545, 'viewer') \g /dev/null
SET LOCAL TIME ZONE 'UTC';

-- add(tenant, labels, amount, at), and what the counter rose by in [since, until)
CREATE FUNCTION pg_temp.add(tenant integer, labels jsonb, amount float8, at timestamptz) RETURNS void LANGUAGE sql AS
$$ SELECT execreport._metric_add(tenant, 'exec_reports_created_total', labels, amount, at) $$;
CREATE FUNCTION pg_temp.delta(tenant integer, labels jsonb, since timestamptz, until timestamptz) RETURNS float8 LANGUAGE sql AS
$$ SELECT execreport._metric_delta(tenant, 'exec_reports_created_total', labels, since, until) $$;
CREATE FUNCTION pg_temp.total(tenant integer, metric text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE result float8;
BEGIN
    EXECUTE format('SET LOCAL ROLE metrics_reader_%s', tenant);
    SELECT sum(value) INTO result FROM execreport.metrics_rows() WHERE name = metric AND le IS NULL;
    RESET ROLE;
    RETURN result;
END $$;
CREATE FUNCTION pg_temp.refused(why text) RETURNS float8 LANGUAGE sql AS
$$ SELECT value FROM execreport.metrics_rows()
    WHERE name = 'execreport_metric_records_refused_total' AND labels ->> 'reason' = why $$;

-- counters
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:00', '2021-03-05 13:00'), 0::float8, 'nothing recorded is 0');
SELECT pg_temp.add(540, '{"module_id": "a", "success": "true"}', 1, '2021-03-05 12:00:00'),
       pg_temp.add(540, '{"module_id": "a", "success": "true"}', 2, '2021-03-05 12:00:59.999999'),
       pg_temp.add(540, '{"module_id": "a", "success": false}', 4, '2021-03-05 12:01:00'),
       pg_temp.add(540, '{"module_id": "b", "success": "true"}', 8, '2021-03-05 12:02:30'),
       pg_temp.add(541, '{"module_id": "b", "success": "true"}', 16, '2021-03-05 12:02:30') \g /dev/null
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:00', '2021-03-05 12:01'), 3::float8, 'a minute holds its first and its last microsecond');
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:01', '2021-03-05 12:02'), 4::float8, 'and not the next minute''s');
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:00:00.000001', '2021-03-05 12:02'), 4::float8, 'a minute that began before since is left out');
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:00', '2021-03-05 12:02:00.000001'), 15::float8, 'one that begins before until is in');
SELECT is(pg_temp.delta(540, NULL, '2021-03-05 12:03', '2021-03-05 12:00'), 0::float8, 'a window that ends before it begins holds nothing');
SELECT is(pg_temp.delta(540, '{"module_id": "a"}', '2021-03-05 12:00', '2021-03-05 13:00'), 7::float8, 'labels that contain these');
SELECT is(pg_temp.delta(540, '{"success": true}', '2021-03-05 12:00', '2021-03-05 13:00'), 11::float8, 'true and "true" are one value');
SELECT is(pg_temp.delta(540, '{"module_id": "a", "success": "false"}', '2021-03-05 12:00', '2021-03-05 13:00'), 4::float8, 'both labels');
SELECT is(pg_temp.delta(540, '{"module_id": "x"}', '2021-03-05 12:00', '2021-03-05 13:00'), 0::float8, 'a module that never was');
SELECT is(pg_temp.delta(540, '{"module_id": null}', '2021-03-05 12:00', '2021-03-05 13:00'), 15::float8, 'null stands for any');
SELECT is(pg_temp.delta(NULL, NULL, '2021-03-05 12:00', '2021-03-05 13:00'), 31::float8, 'all tenants');
SELECT set_eq($$ SELECT execreport._metric_tenants('exec_reports_created_total', '2021-03-05 12:00', '2021-03-05 13:00') $$,
    ARRAY[540, 541], 'the tenants of a window');
SELECT set_eq($$ SELECT execreport._metric_tenants('exec_reports_created_total', '2021-03-05 12:00', '2021-03-05 12:02') $$,
    ARRAY[540], 'a tenant that was quiet is not among them');
SELECT is(pg_temp.delta(540, NULL, 'infinity', 'infinity'), NULL, 'no window is not known');
SELECT is(pg_temp.delta(540, NULL, NULL, now()), NULL, 'NULL is not known');

-- parts of 1 add up exactly
SELECT pg_temp.add(542, '{}', 0.1, '2021-03-05 12:00') FROM generate_series(1, 30) \g /dev/null
SELECT pg_temp.add(542, '{}', 2.75, '2021-03-05 12:00') \g /dev/null
SELECT is(pg_temp.delta(542, NULL, '2021-03-05 12:00', '2021-03-05 12:01'), 5.75::float8, 'thirty tenths and 2.75 are 5.75');
SELECT pg_temp.add(542, '{}', 3000000000, '2021-03-05 12:01') \g /dev/null
SELECT is(pg_temp.delta(542, NULL, '2021-03-05 12:01', '2021-03-05 12:02'), 3000000000::float8, 'three milliards in a minute');
SELECT pg_temp.add(542, '{}', 3000000000, '2021-03-05 12:01') \g /dev/null
SELECT is(pg_temp.delta(542, NULL, '2021-03-05 12:01', '2021-03-05 12:02'), NULL, 'more than a slice can hold is not known');

-- the ring
SELECT pg_temp.add(543, '{"module_id": "ring"}', 1, '2021-03-05 12:00'), pg_temp.add(543, '{"module_id": "ring"}', 2, '2021-03-05 12:05') \g /dev/null
SELECT pg_temp.add(543, '{"module_id": "ring"}', 10, timestamptz '2021-03-05 12:00' + current_setting('execreport.metric_slices')::interval) \g /dev/null
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 12:00', '2021-03-05 12:01'), NULL, 'what the ring has overwritten is not known');
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 12:01', '2021-03-05 12:10'), 2::float8, 'what it holds is');
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 11:00', '2021-03-05 12:00'), 0::float8, 'before its beginning there was nothing');
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 12:01', '2021-03-05 16:00'), 12::float8, 'a window longer than the ring, of which all is held');
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 12:00', '2021-03-05 16:00'), NULL, 'and one of which not');
SELECT pg_temp.add(543, '{"module_id": "ring"}', 100, '2021-03-05 12:00') \g /dev/null
SELECT is(pg_temp.delta(543, NULL, '2021-03-05 12:01', '2021-03-05 16:00'), 12::float8, 'what comes too late disturbs no window');
SELECT pg_temp.add(544, '{}', 1, '1987-06-05 04:03'), pg_temp.add(544, '{}', 2, '1999-12-31 23:59:59'),
       pg_temp.add(544, '{}', 4, '2000-01-01'), pg_temp.add(544, '{}', 8, '2345-06-07 08:09') \g /dev/null
SELECT is(pg_temp.delta(544, NULL, '1999-12-31 23:59', '2000-01-01 00:00'), 2::float8, 'a minute before 2000');
SELECT is(pg_temp.delta(544, NULL, '2000-01-01 00:00', '2000-01-01 00:01'), 4::float8, 'and the first after it');
SELECT is(pg_temp.delta(544, NULL, '2345-06-07 08:09', '2345-06-07 08:10'), 8::float8, 'and one far ahead');

-- what is refused
SELECT pg_temp.add(545, '{"module_id": "a"}', 5, '2021-03-05 12:00') \g /dev/null
SELECT pg_temp.refused('nan') AS nan, pg_temp.refused('infinite') AS infinite, pg_temp.refused('negative') AS negative,
       pg_temp.refused('time') AS time \gset
SELECT pg_temp.add(545, '{"module_id": "a"}', v, '2021-03-05 12:00')
  FROM unnest('{-1, NaN, Infinity, -Infinity, -1e-300, NULL}'::float8[]) AS v \g /dev/null
SELECT pg_temp.add(545, '{"module_id": "a"}', 1, 'infinity'), pg_temp.add(545, '{"module_id": "a"}', 1, '4713-01-01 BC'),
       execreport._metric_observe(545, 'consolidation_duration_seconds', NULL, 'NaN', '2021-03-05 12:00') \g /dev/null
SELECT is(pg_temp.delta(545, NULL, '2021-03-05 12:00', '2021-03-05 12:01'), 5::float8, 'no such value is in the window');
SELECT is(pg_temp.total(545, 'exec_reports_created_total'), 5::float8, 'nor in the total');
SELECT is(pg_temp.refused('nan') - :nan, 2::float8, 'NaN is counted');
SELECT is(pg_temp.refused('infinite') - :infinite, 2::float8, 'infinities are');
SELECT is(pg_temp.refused('negative') - :negative, 2::float8, 'negative values are');
SELECT is(pg_temp.refused('time') - :time, 2::float8, 'instants out of bounds are');
SELECT is(pg_temp.total(545, 'consolidation_duration_seconds_count'), 0::float8, 'a refused observation is none');
SELECT pg_temp.add(545, '{"module_id": "a"}', 0.25, '2021-03-05 12:00') FROM generate_series(1, 2) \g /dev/null
SELECT is(pg_temp.total(545, 'exec_reports_created_total'), 5.5::float8, 'a total goes on');

-- rates: 60 in 12:00, 30 in 12:05
SELECT execreport._metric_observe(540, 'report_generation_duration_seconds', '{"type": "exec"}', 1, '2021-03-05 12:00:10') FROM generate_series(1, 60) \g /dev/null
SELECT execreport._metric_observe(540, 'report_generation_duration_seconds', '{"type": "exec"}', 1, '2021-03-05 12:05:10') FROM generate_series(1, 30) \g /dev/null
SET LOCAL ROLE metrics_reader_540;
SELECT is(execreport.metric_rate('report_generation_duration_seconds', NULL, '5 minutes', '2021-03-05 12:05'), 60 / 300::float8, 'whole minutes: [12:00, 12:05)');
SELECT is(execreport.metric_rate('report_generation_duration_seconds', NULL, '5 minutes', '2021-03-05 12:06'), 30 / 300::float8, '[12:01, 12:06)');
SELECT is(execreport.metric_rate('report_generation_duration_seconds', NULL, '5 minutes', '2021-03-05 12:05:30'), (30 + 30) / 300::float8,
    'half of the minute the window begins in, and the running one');
SELECT is(execreport.metric_rate('report_generation_duration_seconds', '{}', '1 minute', '2021-03-05 12:00:45'), 60 / 60::float8, 'a window of one minute');
SELECT ok(execreport.metric_rate('report_generation_duration_seconds', NULL, w, t) IS NULL AND execreport.metric_quantile('report_generation_duration_seconds', 0.5, w, '{}', t) IS NULL, format('over %s up to %s: not kept', w, t))
  FROM (VALUES (interval '300000 years', timestamptz '2021-03-05 12:05'), ('5 minutes', '4713-01-01 BC')) AS v (w, t);
SELECT throws_matching($$ SELECT execreport.metric_rate('report_generation_duration_seconds', NULL, '-178000000 years') $$, 'is shorter than a minute', 'a window back to front');
SELECT is(execreport.metric_rate('report_generation_duration_seconds', '{"type": "master"}', '5 minutes', '2021-03-05 12:05'), 0::float8, 'nothing there');
SELECT is(execreport.metric_rate('exec_reports_created_total', '{"success": "true"}', '4 minutes', '2021-03-05 12:04'), 11 / 240::float8,
    'a member sees the own tenant''s share');
SELECT throws_like($$ SELECT execreport.metric_rate('exec_reports_created_total', '{}', '59 seconds') $$, '%shorter than a minute', 'less than a slice');
SELECT throws_like($$ SELECT execreport.metric_rate('exec_reports_created_total', '{}', '-5 minutes') $$, '%shorter than a minute', 'backwards');
SELECT is(execreport.metric_rate('exec_reports_created_total', '{}', '5 minutes', NULL), NULL, 'no time, no rate');
SELECT is(execreport.metric_rate('exec_reports_created_total', '{}', NULL), NULL, 'no window, no rate');

-- quantiles: bounds 0.1 0.5 1 2 5 10 15 30 60 300
RESET ROLE;
SELECT execreport._metric_observe(545, 'report_generation_duration_seconds', jsonb_build_object('type', d.type), d.value, '2021-03-05 12:00')
  FROM (VALUES ('one', 7::float8, 10), ('edge', 0.5, 4), ('edge', 1, 4), ('beyond', 1000, 3), ('low', 0, 100)) AS d (type, value, n), generate_series(1, d.n) \g /dev/null
SELECT execreport._metric_observe(545, 'consolidation_duration_seconds', NULL, 6, '2021-03-05 12:00') FROM generate_series(1, 10) \g /dev/null
SET LOCAL ROLE metrics_reader_545;
CREATE FUNCTION pg_temp.quantile(type text, q float8) RETURNS float8 LANGUAGE sql AS
$$ SELECT execreport.metric_quantile('report_generation_duration_seconds', q, '5 minutes', jsonb_build_object('type', type), '2021-03-05 12:01') $$;
SELECT is(pg_temp.quantile('one', 0.95), 9.75::float8, 'ten between 5 and 10: 5 + 5 * 0.95');
SELECT is(pg_temp.quantile('one', 1), 10::float8, 'at most the bound');
SELECT is(pg_temp.quantile('one', 0), 'NaN'::float8, 'the lowest of an empty first bucket, as Prometheus has it');
SELECT is(pg_temp.quantile('edge', 0.25), 0.1::float8 + (0.5::float8 - 0.1::float8) * (2 / 4::float8), 'a value on a bound is below it: 0.1 + 0.4 * 2 / 4');
SELECT is(pg_temp.quantile('edge', 0.5), 0.5::float8, 'the edge itself');
SELECT is(pg_temp.quantile('edge', 0.75), 0.75::float8, '0.5 + 0.5 * 2 / 4');
SELECT is(pg_temp.quantile('beyond', 0.5), 300::float8, 'beyond all bounds: the last finite one');
SELECT is(pg_temp.quantile('low', 0.5), 0.05::float8, 'the first bucket begins at 0');
SELECT is(pg_temp.quantile('one', -0.1), '-Infinity'::float8, 'q below 0');
SELECT is(pg_temp.quantile('one', 1.1), 'Infinity'::float8, 'q above 1');
SELECT is(pg_temp.quantile('one', 'NaN'), 'NaN'::float8, 'q is no number');
SELECT is(pg_temp.quantile('none', 0.5), NULL, 'no observation, no quantile');
SELECT ok(execreport.metric_quantile('consolidation_duration_seconds', 0.95, '5 minutes', '{}', '2021-03-05 12:01') > 5,
    'a slow consolidation exceeds the threshold of its alert');
RESET ROLE;
SELECT results_eq($$ SELECT le, count FROM execreport._metric_buckets(545, 'report_generation_duration_seconds', '{"type": "edge"}', '2021-03-05 12:00', '2021-03-05 12:01') $$,
    $$ VALUES (0.1::float8, 0::bigint), (0.5, 4), (1, 8), (2, 8), (5, 8), (10, 8), (15, 8), (30, 8), (60, 8), (300, 8), ('Infinity', 8) $$, 'cumulative buckets');
SELECT ok(execreport._metric_bounds('report_generation_duration_seconds') @> '{0.1,0.5,1,2,5,10,15,30}'
    AND execreport._metric_bounds('consolidation_duration_seconds') @> '{0.1,0.5,1,2,5,10}', 'a bound at every threshold, and above');

-- attempts: an open one fails with its subtransaction
DO $$
BEGIN
    PERFORM set_config('execreport.tenant_id', '545', true);
    FOR n IN 1..3 LOOP
        BEGIN
            PERFORM execreport._attempt_begin('exec', 'attempt');
            PERFORM 1 / (n - n);
            PERFORM execreport._attempt_end();
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
    BEGIN
        PERFORM execreport._attempt_begin('exec', 'attempt');
        PERFORM execreport._attempt_end();
        RAISE EXCEPTION 'undone';
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
END $$;
SELECT is((SELECT value FROM execreport.metrics_rows() WHERE name = 'exec_reports_created_total' AND labels @> '{"module_id": "attempt", "success": "false"}'),
    3::float8, 'three failures at once, and a report that was rolled back is none');
SELECT is((SELECT value FROM execreport.metrics_rows() WHERE name = 'exec_reports_created_total' AND labels @> '{"module_id": "attempt", "success": "true"}'),
    0::float8, 'no success before the commit');
\else
SELECT is(execreport._metric_delta(1, 'exec_reports_created_total', NULL, now() - interval '1 hour', now()), NULL, 'without shared memory nothing is known');
SELECT skip('execreport is not preloaded', 62);
\endif
SELECT * FROM finish();
ROLLBACK;
