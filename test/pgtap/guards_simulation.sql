-- Days of 200 tenants at once, each a run of its own: with 5 % errors nobody is rolled back, 30 % are found soon, and so is
-- an outage. The clock is the argument: two simulated days take seconds. They lie in 2041, away from what other tests
-- record.
BEGIN;
SELECT plan(11);
SELECT execreport.reset_metrics() IS NOT NULL AS reset;    -- what others recorded, in other years, is out of the way
SELECT setseed(0.20261121);

SELECT execreport.define_guard('error_rate', '{"escalateTenants": null}', 'each tenant is a run of its own') IS NOT NULL AS defined,
       execreport.define_guard('health_check', '{"enabled": false}') IS NOT NULL AS off,
       execreport.define_guard('performance', '{"enabled": false}') IS NOT NULL AS off_too;
SELECT count((execreport.create_tenant(t)).tenant_id) AS tenants FROM generate_series(58000, 58199) AS t;

-- of n requests so many fail with probability at most ...: what a random number between 0 and 1 is looked up in
CREATE FUNCTION pg_temp.binomial(n integer, share double precision) RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
    term double precision := (1 - share) ^ n;
    total double precision := 0;
    result double precision[] := '{}';
BEGIN
    FOR k IN 0 .. n - 1 LOOP
        total := total + term;
        result := result || total;
        term := term * (n - k) / (k + 1) * share / (1 - share);
    END LOOP;
    RETURN result;
END
$$;
-- minutes of traffic, in which a share of the requests fails; the guards look when a window is over
CREATE FUNCTION pg_temp.live(start timestamptz, minutes integer, per_minute integer, share double precision) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    chances CONSTANT double precision[] := pg_temp.binomial(per_minute, share);
    minute timestamptz;
BEGIN
    FOR i IN 0 .. minutes - 1 LOOP
        minute := start + i * interval '1 minute';
        PERFORM execreport._metric_add(s.tenant, 'exec_reports_created_total', '{"module_id": "sim", "success": "false"}', s.failed, minute),
                execreport._metric_add(s.tenant, 'exec_reports_created_total', '{"module_id": "sim", "success": "true"}', per_minute - s.failed, minute)
           FROM (SELECT t.tenant, width_bucket(random(), chances) AS failed FROM generate_series(58000, 58199) AS t (tenant) OFFSET 0) AS s;
        IF (i + 1) % 5 = 0 THEN
            PERFORM count(*) FROM execreport.run_guards(minute + interval '62 s');
        END IF;
    END LOOP;
END
$$;
CREATE VIEW rolled_back AS
SELECT v.tenant_id, v.window_start + interval '5 minutes' AS at FROM execreport.guard_verdicts AS v WHERE v.outcome = 'rollback' AND v.tenant_id BETWEEN 58000 AND 58199;
CREATE FUNCTION pg_temp.mean_delay(since timestamptz) RETURNS numeric LANGUAGE sql RETURN (SELECT round(avg(extract(epoch FROM r.at - since)) / 60, 1) FROM rolled_back AS r);

-- a healthy day at 6 requests a minute, then 30 % fail
SELECT pg_temp.live('2041-03-01', 1440, 6, 0.05);
SELECT cmp_ok((SELECT count(*) FROM rolled_back)::integer, '<=', 1, '6 requests a minute, 5 % errors: at most 1 of 200 days sees a rollback');
SELECT is((SELECT count(*) FROM execreport.guard_verdicts WHERE guard = 'error_rate' AND tenant_id BETWEEN 58000 AND 58199), 200 * 288::bigint,
    'each tenant has one verdict for each of the 288 windows');
SELECT diag(format('6/min: %s rollbacks, %s breaches in 57600 windows', (SELECT count(*) FROM rolled_back),
    (SELECT count(*) FROM execreport.guard_verdicts WHERE verdict = 'breach' AND tenant_id > 0)));
SELECT pg_temp.live('2041-03-02', 60, 6, 0.3);
SELECT cmp_ok((SELECT count(*) FROM rolled_back)::integer, '>=', 199, '30 % errors are found');
SELECT cmp_ok(pg_temp.mean_delay('2041-03-02'), '<=', 15.0, 'within 15 minutes in the mean');
SELECT diag(format('6/min: 30 %% found in %s of 200, after %s minutes in the mean', (SELECT count(*) FROM rolled_back), pg_temp.mean_delay('2041-03-02')));
SELECT is((SELECT count(*) FROM execreport.audit_logs WHERE action = 'rollback' AND tenant_id BETWEEN 58000 AND 58199), (SELECT count(*) FROM rolled_back), 'one audit row for each decision');
SELECT is((SELECT count(*) FROM execreport.notifications WHERE channel = '#alerts' AND tenant_id BETWEEN 58000 AND 58199), (SELECT count(*) FROM rolled_back), 'one notification for each decision');

-- the same at 30 requests a minute
SELECT count(execreport.resume('execReportsEnabled', 'repaired', r.tenant_id, '2041-03-03')) > 0 AS resumed FROM rolled_back AS r;
DELETE FROM execreport.guard_verdicts WHERE tenant_id BETWEEN 58000 AND 58199;
SELECT pg_temp.live('2041-03-04', 1440, 30, 0.05);
SELECT cmp_ok((SELECT count(*) FROM rolled_back)::integer, '<=', 1, '30 requests a minute, 5 % errors: at most 1 of 200 days sees a rollback');
SELECT pg_temp.live('2041-03-05', 30, 30, 0.3);
SELECT is((SELECT count(*) FROM rolled_back), 200::bigint, '30 % errors are found in every tenant');
SELECT cmp_ok(pg_temp.mean_delay('2041-03-05'), '<=', 15.0, 'within 15 minutes in the mean');
SELECT diag(format('30/min: 30 %% found after %s minutes in the mean', pg_temp.mean_delay('2041-03-05')));

-- a total outage at 6 requests a minute
SELECT count(execreport.resume('execReportsEnabled', 'repaired', r.tenant_id, '2041-03-06')) > 0 AS resumed FROM rolled_back AS r;
DELETE FROM execreport.guard_verdicts WHERE tenant_id BETWEEN 58000 AND 58199;
SELECT pg_temp.live('2041-03-07', 15, 6, 1 - 1e-9);
SELECT is((SELECT count(*) FROM rolled_back), 200::bigint, 'a total outage is found in every tenant');
SELECT is(pg_temp.mean_delay('2041-03-07'), 10.0, 'with the second window');

SELECT * FROM finish();
ROLLBACK;
