-- rollout: sets only grow, and are the union of team, percentage and size; over many tenants and random steps.
BEGIN;
SELECT plan(18);
SELECT setseed(0.5) \g /dev/null
CREATE TEMP TABLE asked AS
SELECT t.tenant_id, t.size
  FROM generate_series(520000, 520299) AS i,
       LATERAL execreport.create_tenant(i, NULL, (ARRAY['small', 'medium', 'large', NULL])[1 + floor(random() * 4)::integer]) AS t;
CREATE FUNCTION pg_temp.reached(flag text, user_id text DEFAULT NULL) RETURNS integer[] LANGUAGE sql AS
$$ SELECT coalesce(array_agg(tenant_id ORDER BY tenant_id), '{}') FROM asked WHERE execreport.is_flag_enabled(tenant_id, flag, user_id) $$;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;

-- 1. The buckets of the group "reports", from a program of another author (murmur3 in Python).
SELECT is((SELECT array_agg(execreport.flag_bucket('reports', i::text) ORDER BY i) FROM generate_series(520, 539) AS i),
          '{15,3,85,20,88,93,41,75,69,24,68,76,32,76,82,11,83,18,72,20}'::integer[], 'tenants are dealt as Unleash deals them');

-- 2. Every percentage there is: the set of each holds that of the one before.
CREATE TEMP TABLE seen (step integer, reached integer[], expected integer[], others boolean);
DO $$
BEGIN
    FOR p IN 0 .. 100 LOOP
        PERFORM execreport.enable_for_percentage(p);
        INSERT INTO seen
        SELECT p, pg_temp.reached('execReportsEnabled'),
               (SELECT coalesce(array_agg(tenant_id ORDER BY tenant_id), '{}') FROM asked
                 WHERE execreport.flag_bucket('reports', tenant_id::text) <= p),
               p % 10 = 0 AND (pg_temp.reached('masterReportsEnabled'), pg_temp.reached('reportsApiEnabled'))
                           IS DISTINCT FROM (pg_temp.reached('execReportsEnabled'), pg_temp.reached('execReportsEnabled'));
    END LOOP;
END
$$;
SELECT is_empty('SELECT step FROM seen WHERE reached <> expected', 'a percentage reaches whom the buckets say');
SELECT is_empty('SELECT b.step FROM seen AS a JOIN seen AS b ON b.step > a.step WHERE NOT b.reached @> a.reached',
                'for all 5050 pairs: the larger percentage reaches all that the smaller one does');
SELECT is_empty('SELECT step FROM seen WHERE others', 'the flags of the reports go together');
SELECT is((SELECT cardinality(reached) FROM seen WHERE step = 100), 300, '100 % is everybody');
SELECT is((SELECT cardinality(reached) FROM seen WHERE step = 0), 0, '0 % is nobody');

-- 3. Random steps of all three kinds, also those that are refused: never is anybody lost, and the set is the union.
CREATE TEMP TABLE walk (n integer, flag text, refused text, ana integer[], nobody integer[], expected integer[], team boolean);
DO $$
DECLARE
    statement text;
    key text;
    r execreport.flag_rollouts;
    state text;
BEGIN
    PERFORM execreport.abort();
    FOR n IN 1 .. 120 LOOP
        IF n % 40 = 0 THEN
            PERFORM execreport.create_tenant(530000 + n, NULL, 'medium');
            INSERT INTO asked VALUES (530000 + n, 'medium');
        END IF;
        key := (ARRAY['reportsUiEnabled', 'consolidationEnabled', 'execReportsEnabled'])[1 + floor(random() * 3)::integer];
        statement := CASE floor(random() * 3)::integer
            WHEN 0 THEN format('SELECT execreport.enable_for_team(ARRAY[%L], ARRAY[%L])', (ARRAY['ana', 'bob', 'carl'])[1 + floor(random() * 3)::integer], key)
            WHEN 1 THEN format('SELECT execreport.enable_for_percentage(%s, ARRAY[%L])', floor(1 + 60 * random() * n / 120), key)
            ELSE format('SELECT execreport.enable_by_tenant_size(%L, ARRAY[%L])', (ARRAY['small', 'medium', 'large'])[1 + floor(random() * (1 + n / 60.0))::integer], key) END;
        state := pg_temp.refusal(statement);
        SELECT * INTO r FROM execreport.flag_rollouts WHERE flag = key;
        INSERT INTO walk
        SELECT n, key, state, pg_temp.reached(key, 'ana'), pg_temp.reached(key, 'nobody'),
               (SELECT coalesce(array_agg(a.tenant_id ORDER BY a.tenant_id), '{}') FROM asked AS a
                 WHERE execreport.flag_bucket('reports', a.tenant_id::text) <= r.percentage
                    OR array_position('{small,medium,large}', a.size) <= array_position('{small,medium,large}', r.max_size)),
               'ana' = ANY (r.users);
    END LOOP;
END
$$;
SELECT is_empty('SELECT a.n, b.n FROM walk AS a JOIN walk AS b ON b.flag = a.flag AND b.n > a.n
                  WHERE NOT (b.nobody @> a.nobody AND b.ana @> a.ana) OR a.team AND NOT b.team', 'no step takes anything from anybody');
SELECT is_empty('SELECT n FROM walk WHERE nobody <> expected', 'the set is the union of percentage and size');
SELECT is_empty('SELECT n FROM walk WHERE ana <> CASE WHEN team THEN (SELECT array_agg(tenant_id ORDER BY tenant_id) FROM asked
                                                                     WHERE tenant_id < 530000 OR tenant_id - 530000 <= walk.n) ELSE expected END',
                'and of the team');
SELECT ok((SELECT count(*) FILTER (WHERE refused = '55000') > 5 AND count(*) FILTER (WHERE refused IS NULL) > 20
                  AND bool_and(refused IS NULL OR refused = '55000') FROM walk), 'steps down were tried and refused');

-- 4. The phases, in the order of the plan, over the same tenants.
CREATE TEMP TABLE phases (n integer, phase text, reached integer[]);
DO $$
DECLARE
    t timestamptz := '2026-01-01';
BEGIN
    PERFORM execreport.abort();
    PERFORM set_config('execreport.rollout_require_verdict', 'off', true);
    PERFORM execreport.start_rollout(users => '{ana}', now => t);
    FOR n IN 1 .. 6 LOOP
        INSERT INTO phases SELECT n, s.phase, pg_temp.reached('execReportsEnabled')
          FROM execreport.rollouts AS r JOIN execreport.rollout_stages AS s USING (rollout, stage) WHERE r.rollout = 'reports';
        t := t + (SELECT minimum_hold FROM execreport.rollout_stages WHERE rollout = 'reports' AND stage = n);
        PERFORM execreport.advance_rollout(now => t) WHERE n < 6;
    END LOOP;
    INSERT INTO phases VALUES (7, to_char(t - '2026-01-01', 'HH24:MI'), '{}');
END
$$;
SELECT is((SELECT array_agg(phase ORDER BY n) FROM phases), '{team,5percent,small,25percent,50percent,100percent,01:45}'::text[],
          'the phases, in an hour and three quarters at the least');
SELECT is_empty('SELECT b.n FROM phases AS a JOIN phases AS b ON b.n = a.n + 1 WHERE b.n < 7 AND NOT b.reached @> a.reached', 'each phase reaches all of the one before');
SELECT ok((SELECT reached @> (SELECT array_agg(tenant_id) FROM asked WHERE size = 'small') FROM phases WHERE phase = 'small')
      AND (SELECT reached = (SELECT array_agg(tenant_id ORDER BY tenant_id) FROM asked) FROM phases WHERE phase = '100percent'), 'small tenants, then everybody');

-- 5. Nothing that changes nothing is recorded.
CREATE TEMP TABLE record AS SELECT count(*) AS n FROM execreport.audit_logs;
SELECT count(*) FROM execreport.enable_for_percentage(100) \g /dev/null
SELECT count(*) FROM execreport.enable_for_team('{ana}') \g /dev/null
SELECT count(*) FROM execreport.enable_by_tenant_size('small') \g /dev/null
SELECT is((SELECT count(*) FROM execreport.audit_logs), (SELECT n FROM record), 'a repetition leaves no record');

-- 6. Sentences name instants to the second.
SELECT execreport.abort(), set_config('timezone', 'UTC', true) \g /dev/null
SELECT matches(execreport.start_rollout(users => '{ana}', now => '2026-02-01 10:00:00.123456Z'), 'next 5percent, not before 2026-02-01 10:00:01\+00$', 'up to the next one');
SELECT matches(execreport.advance_rollout(now => '2026-02-01 10:01:00.5Z'), 'not before 2026-02-01 10:16:01\+00$', 'of an end as well');
SELECT is((SELECT waits_for FROM execreport.rollout_status('2026-02-01 10:02:00.7Z') LIMIT 1), 'its stage lasts until 2026-02-01 10:16:01+00', 'what it waits for');
SELECT is((SELECT state || ' ' || message FROM execreport._refusal($$ SELECT execreport.advance_rollout(now => '2026-02-01 10:02:00.7Z') $$)) ~ '\.\d', false, 'in a refusal');

SELECT * FROM finish();
ROLLBACK;
