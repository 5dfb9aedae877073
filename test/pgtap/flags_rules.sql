-- flags_rules: buckets against unleash-client, rules against Unleash's client specification, and what must hold for any
-- flag: sets that only grow, flags that do not know of each other, no error whatever the context.
BEGIN;
SELECT plan(89);

-- 1. Buckets: test/data/flags_buckets.mjs asked npm's unleash-client for those of 100,000 ids, in four groups.
CREATE TEMP TABLE dealt (kind text, group_id text, total integer, ids integer, digest text);
\copy dealt FROM 'test/data/flags_buckets.csv' (FORMAT csv)
SELECT is(sum(ids) FILTER (WHERE group_id = 'reports' AND total = 0 AND kind <> 'accented'), 100000::bigint, 'unleash-client was asked for 100,000 ids') FROM dealt;
CREATE FUNCTION pg_temp.id_of(kind text, n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind WHEN 'number' THEN n::text WHEN 'email' THEN format('user-%s@example.com', n)
                     WHEN 'hex' THEN md5(n::text) WHEN 'accented' THEN format('Zoë %s €𝄞', n) ELSE repeat('x', n % 9) || ' ' || n % 7 || ':' || n END
$$;
SELECT is_empty($$
    SELECT d.kind, d.group_id FROM dealt AS d, LATERAL (
               SELECT md5(string_agg(execreport.flag_bucket(d.group_id, pg_temp.id_of(d.kind, n))::text, ',' ORDER BY n)) AS digest
                 FROM generate_series(1, d.ids) AS n) AS ours
     WHERE d.kind <> 'accented' AND d.total = 0 AND ours.digest <> d.digest $$, 'flag_bucket() agrees with unleash-client');
SELECT is_empty($$
    SELECT d.kind, d.group_id, d.total FROM dealt AS d, LATERAL (
               SELECT md5(string_agg(execreport.flag_variant_bucket(d.group_id, pg_temp.id_of(d.kind, n), d.total)::text, ',' ORDER BY n)) AS digest
                 FROM generate_series(1, d.ids) AS n) AS ours
     WHERE d.kind <> 'accented' AND d.total > 0 AND ours.digest <> d.digest $$, 'flag_variant_bucket() agrees with unleash-client');
-- published vectors of MurmurHash3 x86 32 (Wikipedia; the reference implementation's users)
SELECT is_empty($$
    SELECT v.* FROM (VALUES ('', 0::bigint, 'x00000000'), ('', 1, 'x514e28b7'), ('', 4294967295, 'x81f16f39'),
                            ('test', 0, 'xba6bd213'), ('test', 2538058380, 'x704b81dc'), ('Hello, world!', 0, 'xc0363e43'),
                            ('Hello, world!', 2538058380, 'x24884cba'), ('The quick brown fox jumps over the lazy dog', 0, 'x2e4ff723'),
                            ('The quick brown fox jumps over the lazy dog', 2538058380, 'x2fa826cd'), ('aaaa', 2538058380, 'x5a97808a'),
                            ('aaa', 2538058380, 'x283e0130'), ('aa', 2538058380, 'x5d211726'), ('a', 2538058380, 'x7fa09ea6')) AS v (data, seed, hash)
     WHERE execreport._murmur3(convert_to(v.data, 'UTF8'), v.seed) <> (v.hash::bit(32))::bigint & 4294967295 $$,
    'published vectors of MurmurHash3');
-- UTF-8, as Unleash's SDKs in Rust and Go: https://en.wikipedia.org/wiki/MurmurHash has no such vector, so by the bytes
SELECT is(execreport.flag_bucket('g', 'José'), (execreport._murmur3('\x673a4a6f73c3a9', 0) % 100 + 1)::integer, 'ids are hashed as UTF-8');
SELECT is(ARRAY[execreport.flag_bucket('gr1', '123'), execreport.flag_bucket('groupX', '999'),
                execreport.flag_variant_bucket('gr1', '123', 100), execreport.flag_variant_bucket('groupX', '999', 100)],
          ARRAY[73, 25, 96, 60], 'the examples in the tests of Unleash''s SDKs');

-- 2. Unleash's client specification: test/data/flags_unleash.py wrote its features as definitions and its questions. The
-- rows are written into the tables as a restore would, for the specification has faulty definitions, too.
CREATE TEMP TABLE spec (spec text, kind text, name text, document jsonb, enabled boolean, variant text);
\copy spec FROM 'test/data/flags_unleash.csv' (FORMAT csv)
CREATE TEMP TABLE answered (spec text, name text, context jsonb, enabled boolean, variant text, by_lookup boolean, answer jsonb);
DO $$
DECLARE
    s text;
BEGIN
    FOR s IN SELECT DISTINCT spec.spec FROM spec ORDER BY 1 LOOP
        INSERT INTO execreport.flags (key, refusal, description) SELECT name, 'off', s FROM spec WHERE spec = s AND kind = 'flag';
        INSERT INTO execreport.flag_definitions (key, document) SELECT name, document FROM spec WHERE spec = s AND kind = 'flag';
        INSERT INTO execreport.flag_segments (key, document) SELECT name, document FROM spec WHERE spec = s AND kind = 'segment';
        INSERT INTO execreport.kill_switches (tenant_id, flag) SELECT 0, name FROM spec WHERE spec = s AND kind = 'flag' AND NOT enabled;
        PERFORM execreport._announce_change('execreport.flags');
        INSERT INTO answered
        SELECT c.spec, c.name, c.document, c.enabled, c.variant,
               CASE WHEN c.document - '{userId,properties}'::text[] = '{}' AND c.document -> 'properties' IS NULL
                    THEN execreport.is_flag_enabled(1, c.name, c.document ->> 'userId') END, to_jsonb(e)
          FROM spec AS c, execreport.evaluate_flag(c.name, NULL, c.document) AS e
         WHERE c.spec = s AND c.kind = 'case' AND EXISTS (SELECT FROM spec AS f WHERE f.spec = s AND f.kind = 'flag' AND f.name = c.name);
        DELETE FROM execreport.flag_definitions;
        DELETE FROM execreport.flag_segments;
        DELETE FROM execreport.kill_switches;
        DELETE FROM execreport.flags WHERE description = s;
    END LOOP;
    PERFORM execreport._announce_change('execreport.flags');
END
$$;
SELECT cmp_ok(count(*), '>', 250::bigint, 'so many questions of the specification are asked') FROM answered;
SELECT is_empty($$ SELECT spec, name, context, enabled, answer FROM answered
                    WHERE answer ->> 'error_code' IS NOT NULL $$, 'without an error');
SELECT is_empty($$ SELECT spec, name, context, enabled, answer FROM answered
                    WHERE variant IS NULL AND (answer ->> 'variant' IS NOT DISTINCT FROM 'off' OR answer ->> 'reason' IN ('DEFAULT', 'DISABLED')) = enabled $$,
                'each flag is on where Unleash says so');
SELECT is_empty($$ SELECT spec, name, context, variant, answer FROM answered
                    WHERE variant <> '-' AND answer ->> 'variant' IS DISTINCT FROM variant $$, 'and gives the variant that Unleash gives');
SELECT is_empty($$ SELECT spec, name, context, variant, answer FROM answered
                    WHERE variant = '-' AND coalesce(answer ->> 'variant', 'off') NOT IN ('on', 'off') $$, 'or none');
SELECT is_empty($$ SELECT spec, name, context, enabled, by_lookup FROM answered
                    WHERE by_lookup <> enabled AND (variant IS NULL OR variant <> '-') $$, 'is_flag_enabled() agrees');


-- 3. The order of answers, in every combination: kill switch, prerequisite, user, tenant, rule, setting, default
INSERT INTO execreport.flags (key, refusal, description) VALUES ('parent', 'off', ''), ('child', 'off', '');
CREATE TEMP TABLE truth AS
SELECT kill, parent, by_user, by_tenant, rule, setting, by_default,
       NOT kill AND parent AND coalesce(by_user, by_tenant, rule OR coalesce(setting, by_default)) AS user_expected,
       NOT kill AND parent AND coalesce(by_tenant, rule OR coalesce(setting, by_default)) AS tenant_expected,
       CASE WHEN kill OR NOT parent THEN 'DISABLED' WHEN by_user IS NOT NULL OR by_tenant IS NOT NULL THEN 'TARGETING_MATCH'
            WHEN rule THEN 'TARGETING_MATCH' WHEN setting IS NOT NULL THEN 'STATIC' ELSE 'DEFAULT' END AS reason_expected,
       NULL::boolean AS by_lookup, NULL::boolean AS other_lookup, NULL::boolean AS tenant_lookup, NULL::jsonb AS answer, NULL::jsonb AS all_flags
  FROM unnest(ARRAY[false, true]) AS kill, unnest(ARRAY[false, true]) AS parent, unnest(ARRAY[NULL, false, true]) AS by_user,
       unnest(ARRAY[NULL, false, true]) AS by_tenant, unnest(ARRAY[false, true]) AS rule, unnest(ARRAY[NULL, false, true]) AS setting,
       unnest(ARRAY[false, true]) AS by_default;
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT ctid, * FROM truth LOOP
        DELETE FROM execreport.flag_definitions;
        DELETE FROM execreport.flag_overrides WHERE tenant_id = 501;
        DELETE FROM execreport.kill_switches;
        INSERT INTO execreport.flag_definitions (key, document) VALUES
            ('parent', jsonb_build_object('default', c.parent)),
            ('child', jsonb_build_object('default', c.by_default, 'prerequisites', '[{"flag": "parent"}]'::jsonb, 'rules',
                jsonb_build_array(jsonb_build_object('constraints', jsonb_build_array(jsonb_build_object(
                    'contextName', 'tenantId', 'operator', 'IN', 'values', jsonb_build_array(CASE WHEN c.rule THEN 501 ELSE 502 END)))))));
        INSERT INTO execreport.kill_switches (tenant_id, flag) SELECT 501, 'child' WHERE c.kill;
        INSERT INTO execreport.flag_overrides (tenant_id, user_id, flag, enabled)
        SELECT 501, 'ana', 'child', c.by_user WHERE c.by_user IS NOT NULL
        UNION ALL SELECT 501, '', 'child', c.by_tenant WHERE c.by_tenant IS NOT NULL;
        PERFORM set_config('execreport.feature_flags', coalesce('child=' || c.setting::text, ''), true);
        PERFORM execreport._announce_change('execreport.flags');
        UPDATE truth SET by_lookup = execreport.is_flag_enabled(501, 'child', 'ana'), other_lookup = execreport.is_flag_enabled(501, 'child', 'bob'),
               tenant_lookup = execreport.is_flag_enabled(501, 'child'), all_flags = execreport.get_flags(501),
               answer = (SELECT to_jsonb(e) FROM execreport.evaluate_flag('child', 'false', '{"tenantId": 501, "targetingKey": "ana"}') AS e)
         WHERE ctid = c.ctid;
    END LOOP;
    DELETE FROM execreport.flag_definitions;
    DELETE FROM execreport.flag_overrides WHERE tenant_id = 501;
    DELETE FROM execreport.kill_switches;
    PERFORM set_config('execreport.feature_flags', '', true);
    PERFORM execreport._announce_change('execreport.flags');
END
$$;
SELECT is(count(*)::integer, 432, 'every combination is tried') FROM truth;
SELECT is_empty('SELECT * FROM truth WHERE by_lookup IS DISTINCT FROM user_expected', 'for a user with an override');
SELECT is_empty('SELECT * FROM truth WHERE other_lookup IS DISTINCT FROM tenant_expected OR tenant_lookup IS DISTINCT FROM tenant_expected', 'for others');
SELECT is_empty($$SELECT * FROM truth WHERE (all_flags ->> 'child')::boolean IS DISTINCT FROM tenant_expected$$, 'get_flags agrees');
SELECT is_empty($$SELECT * FROM truth WHERE (answer ->> 'value')::boolean IS DISTINCT FROM user_expected$$, 'evaluate_flag agrees');
SELECT is_empty($$SELECT * FROM truth WHERE answer ->> 'reason' IS DISTINCT FROM reason_expected$$, 'and gives the reason');
-- a user's override of the prerequisite blocks that user alone
INSERT INTO execreport.flag_definitions (key, document) VALUES ('parent', '{"default": true}'),
    ('child', '{"default": true, "prerequisites": [{"flag": "parent"}]}');
INSERT INTO execreport.flag_overrides (tenant_id, user_id, flag, enabled) VALUES (501, 'ana', 'parent', false);
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(ARRAY[execreport.is_flag_enabled(501, 'child'), execreport.is_flag_enabled(501, 'child', 'bob'), execreport.is_flag_enabled(501, 'child', 'ana'),
                execreport.is_flag_enabled(502, 'child', 'ana')], ARRAY[true, true, false, true], 'a prerequisite is asked for the same user');
DELETE FROM execreport.flag_overrides WHERE tenant_id = 501;
-- rows that no function would have written: a cycle, a chain without end, documents of any kind
INSERT INTO execreport.flags (key, refusal, description) SELECT 'chain' || n, 'off', '' FROM generate_series(1, 100) AS n;
INSERT INTO execreport.flag_definitions (key, document)
SELECT 'chain' || n, jsonb_build_object('default', true, 'prerequisites', jsonb_build_array(jsonb_build_object('flag', 'chain' || n % 100 + 1)))
  FROM generate_series(1, 100) AS n;
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(execreport.is_flag_enabled(501, 'chain1'), false, 'a cycle in the table is off');
-- a net of 12 layers of 4, each needing all of the next: 4^12 ways
INSERT INTO execreport.flag_definitions (key, document)
SELECT 'chain' || n, jsonb_build_object('default', true, 'prerequisites',
           (SELECT coalesce(jsonb_agg(jsonb_build_object('flag', 'chain' || m)), '[]') FROM generate_series(n - n % 4 + 4, n - n % 4 + 7) AS m WHERE n < 44))
  FROM generate_series(1, 47) AS n
    ON CONFLICT (key) DO UPDATE SET document = excluded.document;
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(ARRAY[execreport.is_flag_enabled(501, 'chain44'), execreport.is_flag_enabled(501, 'chain36'), execreport.is_flag_enabled(501, 'chain1')],
    ARRAY[true, true, false], 'a net of prerequisites is followed as far as is sensible');
SELECT throws_like($$ SELECT execreport.define_flag('chain0', '{"prerequisites": [{"flag": "chain1"}, {"flag": "chain5"}]}') $$, '%is too much%',
    'and refused when it is written');
DELETE FROM execreport.flag_definitions;

-- 4. Sets only grow, and grow to everybody; other flags deal others
CREATE FUNCTION pg_temp.store(flag text, document jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO execreport.flags (key, refusal, description) VALUES (flag, 'off', '') ON CONFLICT DO NOTHING;
    INSERT INTO execreport.flag_definitions (key, document) VALUES (flag, document) ON CONFLICT (key) DO UPDATE SET document = excluded.document;
    PERFORM execreport._announce_change('execreport.flags');
END
$$;
CREATE TEMP TABLE members (percentage numeric, algorithm text, members integer[]);
DO $$
DECLARE
    a text; p numeric;
BEGIN
    FOREACH a IN ARRAY ARRAY['unleash', 'flagd'] LOOP
        FOR p IN SELECT n FROM generate_series(0, 100, CASE a WHEN 'unleash' THEN 1 ELSE 1.25 END) AS n LOOP
            PERFORM pg_temp.store('grows', jsonb_build_object('algorithm', a, 'rules', jsonb_build_array(jsonb_build_object('percentage', p, 'stickiness', 'tenantId'))));
            INSERT INTO members SELECT p, a, ARRAY(SELECT n FROM generate_series(1, 500) AS n WHERE execreport.is_flag_enabled(n, 'grows'));
        END LOOP;
    END LOOP;
END
$$;
SELECT is_empty('SELECT a.percentage, b.percentage FROM members AS a JOIN members AS b USING (algorithm) WHERE a.percentage < b.percentage AND NOT a.members <@ b.members',
    'a larger percentage has all of a smaller one');
SELECT is(array_agg(cardinality(members) ORDER BY algorithm, percentage), ARRAY[0, 500, 0, 500], 'from nobody to everybody') FROM members WHERE percentage IN (0, 100);
SELECT is_empty('SELECT percentage, cardinality(members) FROM members WHERE abs(cardinality(members) - percentage * 5) > 5 * sqrt(5 * percentage * (1 - percentage / 100)) + 1',
    'as many as it says');
SELECT is_empty($$ SELECT m.percentage FROM members AS m WHERE algorithm = 'flagd' AND m.members <> ARRAY(
    SELECT n FROM generate_series(1, 500) AS n
     WHERE (execreport._murmur3(convert_to('grows' || n, 'UTF8'), 0) * 100000) >> 32 < m.percentage * 1000) $$, 'flagd''s as its fractional says');
SELECT cmp_ok(sum((n - 1000) ^ 2 / 1000.0), '<', 149::numeric, 'buckets are even: chi-square of 99 degrees of freedom, one in a thousand above')
  FROM (SELECT count(*)::numeric AS n FROM generate_series(1, 100000) AS i GROUP BY execreport.flag_bucket('even', 'u' || i)) AS b;
SELECT cmp_ok(abs(count(*) - 250), '<', 80::bigint, 'of 100,000, 5 % each, two flags share as many as chance has it')
  FROM generate_series(1, 100000) AS i WHERE execreport.flag_bucket('one', 'u' || i) <= 5 AND execreport.flag_bucket('two', 'u' || i) <= 5;
-- variants: every bucket of Node's SDK for ids that are not ASCII
SELECT pg_temp.store(g.group_id, jsonb_build_object('algorithm', 'unleash_node', 'default', true, 'variants',
           (SELECT jsonb_agg(jsonb_build_object('name', n::text, 'weight', 1) ORDER BY n) FROM generate_series(1, 100) AS n)))
  FROM (VALUES ('reports'), ('newCharts')) AS g (group_id) \g /dev/null
SELECT is_empty($$
    SELECT d.group_id FROM dealt AS d, LATERAL (
               SELECT md5(string_agg(e.variant, ',' ORDER BY n)) AS digest
                 FROM generate_series(1, d.ids) AS n, execreport.evaluate_flag(d.group_id, NULL, jsonb_build_object('targetingKey', pg_temp.id_of(d.kind, n))) AS e) AS ours
     WHERE d.kind = 'accented' AND d.total = 100 AND d.group_id IN ('reports', 'newCharts') AND ours.digest <> d.digest $$,
    'unleash_node deals as the SDK for Node does');

-- 5. Rollouts: these users, that many tenants, tenants up to a size
INSERT INTO execreport._tenants (tenant_id, size) VALUES (503, 'small'), (504, 'medium'), (505, 'large'), (506, NULL);
INSERT INTO execreport.flags (key, refusal, description) VALUES ('rolled', 'off', '');
INSERT INTO execreport.flag_rollouts (flag, users, percentage, max_size) VALUES ('rolled', '{zoe,ana}', 0, 'medium');
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(array_agg(execreport.is_flag_enabled(t, 'rolled') ORDER BY t), ARRAY[true, true, false, false, false], 'sizes up to medium; an unknown one is none')
  FROM unnest(ARRAY[503, 504, 505, 506, 599]) AS t;
SELECT is(ARRAY[execreport.is_flag_enabled(505, 'rolled', 'ana'), execreport.is_flag_enabled(505, 'rolled', 'zoe'), execreport.is_flag_enabled(505, 'rolled', 'bob')],
    ARRAY[true, true, false], 'users in any tenant');
SELECT is((SELECT array_agg(e.metadata ->> 'rollout' ORDER BY c) FROM unnest(ARRAY['{"tenantId": 503}', '{"tenantId": 505, "targetingKey": "ana"}', '{"tenantId": 505}']::jsonb[])
           WITH ORDINALITY AS q (context, c), execreport.evaluate_flag('rolled', 'false', context) AS e), ARRAY['size', 'users', NULL], 'metadata says which part held');
UPDATE execreport.flag_rollouts SET percentage = 12.5, max_size = NULL;
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is_empty($$ SELECT n FROM generate_series(1, 5000) AS n WHERE execreport.is_flag_enabled(n, 'rolled') <> (execreport.flag_bucket('reports', n::text) <= 12) $$,
    'percentages by tenant, in the group "reports"');
SELECT is_empty($$ SELECT n FROM generate_series(1, 5000) AS n WHERE execreport._tenant_flag(n, 'rolled') IS NOT NULL AND NOT execreport._tenant_flag(n, 'rolled') $$,
    'with users among the rules no tenant is wholly off');
UPDATE execreport.flag_rollouts SET percentage = 0, max_size = 'small', users = '{}';
SELECT execreport._announce_change('execreport.flags') \g /dev/null
SELECT is(execreport.is_flag_enabled(505, 'rolled'), false, 'a large tenant is not in');
SELECT execreport.create_tenant(505, size => 'small') \g /dev/null
SELECT is(ARRAY[execreport.is_flag_enabled(505, 'rolled'), execreport._tenant_flag(504, 'rolled')], ARRAY[true, false], 'a tenant''s new size counts');
DELETE FROM execreport.flag_rollouts;

-- networks as Python's ipaddress has them, the order of versions as semver.org's item 11 lists it, times of a day
CREATE FUNCTION pg_temp.holds(operator text, argument jsonb, given text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.store('probe', jsonb_build_object('rules', jsonb_build_array(jsonb_build_object('constraints', jsonb_build_array(
        jsonb_build_object('contextName', 'x', 'operator', operator, CASE jsonb_typeof(argument) WHEN 'array' THEN 'values' ELSE 'value' END, argument))))));
    RETURN (SELECT e.value FROM execreport.evaluate_flag('probe', 'false', jsonb_build_object('x', given)) AS e)::boolean;
END
$$;
SELECT is((SELECT array_agg(ip ORDER BY n) FROM unnest('{10.1.2.3,10.1.3.255,10.1.4.0,10.1.2.127,10.1.2.128,172.31.255.255,172.32.0.0,2001:db8:7fff::1,2001:db8:8000::1,::1,::2}'::text[])
                    WITH ORDINALITY AS i (ip, n) WHERE pg_temp.holds('CIDR', jsonb_build_array(net), ip)), members, 'who is in ' || net)
  FROM (VALUES ('10.1.2.0/23', '{10.1.2.3,10.1.3.255,10.1.2.127,10.1.2.128}'::text[]), ('10.1.2.128/25', '{10.1.2.128}'), ('10.1.2.3', '{10.1.2.3}'),
               ('0.0.0.0/0', '{10.1.2.3,10.1.3.255,10.1.4.0,10.1.2.127,10.1.2.128,172.31.255.255,172.32.0.0}'), ('172.16.0.0/12', '{172.31.255.255}'),
               ('2001:db8::/33', '{2001:db8:7fff::1}'), ('2001:db8:8000::/33', '{2001:db8:8000::1}'), ('::1', '{::1}')) AS t (net, members);
CREATE TEMP TABLE versions AS
SELECT v, n FROM unnest('{1.0.0-alpha,1.0.0-alpha.1,1.0.0-alpha.beta,1.0.0-beta,1.0.0-beta.2,1.0.0-beta.11,1.0.0-rc.1,1.0.0,2.0.0,2.1.0,2.1.1}'::text[]) WITH ORDINALITY AS u (v, n);
SELECT is_empty($$ SELECT a.v, b.v FROM versions AS a, versions AS b
                    WHERE (pg_temp.holds('SEMVER_LT', to_jsonb(b.v), a.v), pg_temp.holds('SEMVER_EQ', to_jsonb(b.v), a.v), pg_temp.holds('SEMVER_GT', to_jsonb(b.v), a.v))
                       IS DISTINCT FROM (a.n < b.n, a.n = b.n, a.n > b.n) $$, 'versions in their order');
SELECT is(pg_temp.holds('SEMVER_EQ', '"1.0.0+build"', v), expected, v || ' equals 1.0.0+build')
  FROM (VALUES ('1.0.0+b', true), ('1.0.0+azAZ09-', true), ('1.0.0', true), ('1.0.0+', false), ('1.0.0+a..b', false), ('1.0.0+_', false), ('1.0.0-01', false), ('1.0.0-', false), ('01.0.0', false), ('1.0', false)) AS t (v, expected);
SELECT is(pg_temp.holds('SEMVER_LT', '"2.0.0"', v), expected, v || ' is a version before 2.0.0')
  FROM (VALUES ('1.9.0', true), ('01.9.0', false), ('1.09.0', false), ('0.0.0', true), ('1.9', false)) AS t (v, expected);
SELECT is(pg_temp.holds('DATE_AFTER', '"2026-01-01T00:00:00Z"', v), expected, v || ' is an instant after the first of January')
  FROM (VALUES ('2026-01-02T23:59:00Z', true), ('2026-01-02T24:00:00Z', false), ('2026-01-02T23:60:00Z', false), ('2026-01-01T00:30:00+01:00', false)) AS t (v, expected);

SELECT is((SELECT e.error_code FROM execreport.evaluate_flag('probe', 'false', c) AS e), code, format('who asks: %s', c))
  FROM (VALUES ('{"userId": 5}'::jsonb, NULL), ('{"userId": "5"}', NULL), ('{"targetingKey": 5}', 'INVALID_CONTEXT'), ('{"userId": true}', 'INVALID_CONTEXT')) AS t (c, code);

-- 6. Nothing raises: 100,000 contexts of every kind against a flag with every operator
SELECT pg_temp.store('all', jsonb_build_object('rules', (
    SELECT jsonb_agg(jsonb_build_object('percentage', CASE WHEN i % 5 > 0 THEN i ELSE 90 END, 'stickiness', (ARRAY['default', 'random', 'userId', 'x', 'sessionId', 'tenantId'])[1 + i / 3 % 6],
                     'constraints', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('contextName', f, 'operator', o, 'inverted', i % 3 = 0, 'caseInsensitive', i % 2 = 0,
               'values', CASE WHEN o ~ 'IN|STR|CIDR' THEN '["a", "7", "10.0.0.0/8", "::1/64"]'::jsonb END,
               'value', CASE WHEN o ~ 'NUM' THEN '"5"' WHEN o ~ 'DATE' THEN '"2026-01-01T00:00:00Z"' WHEN o ~ 'SEMVER' THEN '"1.2.3-b.1"' WHEN o = 'REGEX' THEN '"^[a-z]+(a|b)*$"' END::jsonb)),
               CASE WHEN i % 5 > 0 THEN '{"contextName": "never", "operator": "IN", "values": ["x"]}' ELSE '{"contextName": "x", "operator": "NOT_IN", "values": ["y"]}' END::jsonb)))
      FROM unnest(ARRAY['IN', 'NOT_IN', 'STR_CONTAINS', 'STR_STARTS_WITH', 'STR_ENDS_WITH', 'NUM_EQ', 'NUM_GT', 'NUM_GTE', 'NUM_LT', 'NUM_LTE', 'DATE_AFTER', 'DATE_BEFORE',
                        'SEMVER_EQ', 'SEMVER_GT', 'SEMVER_GTE', 'SEMVER_LT', 'SEMVER_LTE', 'REGEX', 'CIDR']) WITH ORDINALITY AS q (o, i),
           unnest(ARRAY['x', 'userId', 'currentTime', 'configurationId']) AS f),
    'variants', '[{"name": "a", "weight": 1}, {"name": "b", "weight": 2, "value": [1]}]'::jsonb)) \g /dev/null
SELECT setseed(0.42) \g /dev/null
CREATE TEMP TABLE chaos AS
SELECT CASE WHEN n % 50 = 0 THEN (ARRAY['null', '[]', '7', '"x"', 'true', '{}']::jsonb[])[1 + n / 50 % 6] ELSE
       (SELECT jsonb_object_agg(k, (ARRAY['null', '""', '"a"', '"7"', '-1', '1e400', '0.5', 'true', '[]', '{}', '"10.1.2.3"', '"::1"', '"1.2.3-b.2"', '"2026-02-30T00:00:00Z"',
                                          '"2026-01-31T00:00:00Z"', '"é𝄞"', '{"x": "a"}', '{"x": [1]}', '"99999999999999999999"', '"1e5"', '12', '1']::jsonb[]
                                    || to_jsonb(repeat('ab', 3000)))[1 + floor(random() * 23)::integer])
          FROM unnest(ARRAY['targetingKey', 'userId', 'tenantId', 'tenantSize', 'configurationId', 'sessionId', 'currentTime', 'x', 'properties', '']) AS k
         WHERE random() < 0.3 AND n > 0 AND (k NOT IN ('tenantId', 'configurationId', 'tenantSize') OR random() < 0.2)) END AS context
  FROM generate_series(1, 100000) AS n;
SELECT lives_ok($$ CREATE TEMP TABLE survived AS SELECT c.context, e.* FROM chaos AS c, execreport.evaluate_flag('all', '"d"', c.context) AS e $$,
    'evaluate_flag never raises');
SELECT is(count(*)::integer, 100000, 'and answers every time') FROM survived;
SELECT is_empty($$ SELECT * FROM survived WHERE value IS NULL OR reason IS NULL OR metadata IS NULL
                    OR (reason = 'ERROR') <> (error_code IS NOT NULL) OR (error_code IS NULL) <> (error_message IS NULL)
                    OR (error_code IS NOT NULL AND (variant IS NOT NULL OR value <> '"d"'))
                    OR error_code NOT IN ('INVALID_CONTEXT', 'TYPE_MISMATCH') $$, 'with a value, a reason and metadata; after an error the default');
SELECT cmp_ok(count(DISTINCT reason || coalesce(error_code, '')), '>=', 3::bigint, 'of different kinds') FROM survived;
SELECT lives_ok($$ SELECT count(execreport.ofrep(CASE WHEN n % 2 = 0 THEN 'all' END, context)) FROM (SELECT context, row_number() OVER () AS n FROM chaos LIMIT 2000) AS c $$,
    'ofrep never raises');
SELECT is_empty($$ SELECT q.* FROM (VALUES (NULL, NULL, NULL), ('all', NULL, NULL), (NULL, '1', '{}'), ('', '1', '{}'), (repeat('x', 100000), '1', '{}'), ('all', 'null', '{"tenantId": 0}'))
                   AS q (key, default_value, context), execreport.evaluate_flag(q.key, q.default_value::jsonb, q.context::jsonb) AS e
                   WHERE e.metadata IS NULL OR e.reason IS NULL OR (e.error_code IS NOT NULL AND e.value IS DISTINCT FROM q.default_value::jsonb) $$, 'nor with arguments that are NULL or no flag');
-- documents that no function would have stored
CREATE FUNCTION pg_temp.evaluated_with(document jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.store('odd', document);
    PERFORM execreport.is_flag_enabled(1, 'odd'), execreport.is_flag_enabled(1, 'odd', 'ana'), execreport.get_flags(1), execreport.ofrep();
    RETURN (SELECT e.error_code FROM execreport.evaluate_flag('odd', NULL, '{"x": "a"}') AS e);
END
$$;
SELECT is_empty($$ SELECT d FROM unnest(ARRAY['null', '[]', '"x"', '{"rules": 1}', '{"rules": [1, null, {"constraints": 7}]}', '{"rules": [{"percentage": "x"}]}',
        '{"rules": [{"constraints": [1, {"operator": "IN"}, {"contextName": 5, "operator": 6}]}]}', '{"variants": [1, {"name": "a", "weight": -5}]}',
        '{"default": true, "variants": [{"name": "a", "weight": 1e300}, {"name": "b", "weight": 2147483647}, {"name": "c", "weight": 2147483647}]}',
        '{"variants": {"a": 1}, "offVariant": 9, "stickiness": [], "groupId": {}, "algorithm": 3, "default": "x", "prerequisites": [1, {}, {"flag": null}]}',
        '{"rules": [{"segments": ["none"], "percentage": 1e500}, {"segments": 5, "variants": "x", "percentage": -1}]}',
        '{"rules": [{"constraints": [{"contextName": "x", "operator": "REGEX", "value": "("}, {"contextName": "x", "operator": "SEMVER_EQ", "value": "v"}]}]}',
        '{"rules": [{"constraints": [{"contextName": "x", "operator": "CIDR", "values": [null, {}, "1.2.3.4/99"]}], "percentage": null}]}']::jsonb[]) AS d
    WHERE pg_temp.evaluated_with(d) IS NOT NULL $$, 'no document of a flag raises');
SELECT is((SELECT count(*)::integer FROM execreport.flag_definitions WHERE key = 'odd'), 1, 'they were stored');
DELETE FROM execreport.flag_definitions WHERE key = 'odd';

-- 7. Who may ask, and the setting execreport.context
CREATE ROLE er_flags_member; CREATE ROLE er_flags_stranger;
SELECT execreport.create_tenant(500), execreport.grant_access('er_flags_member', 500, 'viewer') \g /dev/null
GRANT USAGE ON SCHEMA execreport TO er_flags_stranger;
GRANT EXECUTE ON FUNCTION execreport.evaluate_flag(text, jsonb, jsonb), execreport.ofrep(text, jsonb, text) TO er_flags_stranger;
SELECT pg_temp.store('by_plan', '{"rules": [{"constraints": [{"contextName": "plan", "operator": "IN", "values": ["premium"]}, {"contextName": "tenantId", "operator": "IN", "values": [500]}]}]}') \g /dev/null
GRANT ALL ON SCHEMA public TO er_flags_member, er_flags_stranger;
CREATE TEMP TABLE heard (who text, n integer, value jsonb, reason text, error_code text);
GRANT ALL ON heard TO er_flags_member, er_flags_stranger;
SET LOCAL ROLE er_flags_member;
INSERT INTO heard SELECT 'member', 1, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', '{"plan": "premium"}') AS e;
INSERT INTO heard SELECT 'member', 2, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', '{"plan": "premium", "tenantId": 501}') AS e;
SET LOCAL execreport.context = '{"plan": "premium"}';
INSERT INTO heard SELECT 'member', 3, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', NULL) AS e;
INSERT INTO heard SELECT 'member', 4, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', '{"plan": "basic"}') AS e;
INSERT INTO heard SELECT 'member', 5, to_jsonb(execreport.is_flag_enabled(500, 'by_plan')), 'lookup', NULL;
INSERT INTO heard SELECT 'member', 6, to_jsonb(count(*)), 'rows', NULL FROM execreport.flag_definitions;
SET LOCAL execreport.context = '';
SET LOCAL ROLE er_flags_stranger;
INSERT INTO heard SELECT 'stranger', 1, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', '{}') AS e;
INSERT INTO heard SELECT 'stranger', 2, e.value, e.reason, e.error_code FROM execreport.evaluate_flag('by_plan', 'false', '{"tenantId": 500}') AS e;
INSERT INTO heard SELECT 'stranger', 3, execreport.ofrep() -> 'errorCode', 'ofrep', NULL;
RESET ROLE;
SELECT results_eq('SELECT who, n, value::text, reason, error_code FROM heard ORDER BY 1, 2', $$VALUES
    ('member', 1, 'true', 'TARGETING_MATCH', NULL), ('member', 2, 'false', 'ERROR', 'GENERAL'), ('member', 3, 'true', 'TARGETING_MATCH', NULL),
    ('member', 4, 'false', 'DEFAULT', NULL), ('member', 5, 'true', 'lookup', NULL), ('member', 6, '0', 'rows', NULL),
    ('stranger', 1, 'false', 'ERROR', 'GENERAL'), ('stranger', 2, 'false', 'ERROR', 'GENERAL'), ('stranger', 3, '"GENERAL"', 'ofrep', NULL)$$,
    'members, strangers, and the setting beneath the argument');
SELECT throws_ok(format('SET LOCAL execreport.context = %L', t), '22023', NULL, 'the setting takes an object alone: ' || left(t, 20))
  FROM unnest(ARRAY['[]', '{"a"', 'x', repeat('[', 60000)]) AS t;

-- 8. The remote protocol's shape, as its OpenAPI document has it
CREATE TEMP TABLE shape AS SELECT $json${"$defs": {
      "metadata": {"type": "object", "additionalProperties": {"type": ["boolean", "string", "number"]}},
      "success": {"type": "object", "required": ["key", "reason"], "additionalProperties": false, "properties": {"key": {"type": "string"}, "value": true,
          "variant": {"type": "string"}, "reason": {"enum": ["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"]}, "metadata": {"$ref": "#/$defs/metadata"}}},
      "failure": {"type": "object", "required": ["key", "errorCode"], "additionalProperties": false, "properties": {"key": {"type": "string"}, "errorDetails": {"type": "string"},
          "errorCode": {"enum": ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]}, "metadata": {"$ref": "#/$defs/metadata"}}}},
    "oneOf": [{"$ref": "#/$defs/success"}, {"$ref": "#/$defs/failure"},
              {"type": "object", "required": ["key", "errorCode"], "additionalProperties": false, "properties": {"key": {"type": "string"}, "errorCode": {"const": "FLAG_NOT_FOUND"}, "errorDetails": {"type": "string"}}},
              {"type": "object", "required": ["flags"], "additionalProperties": false, "properties": {"metadata": {"$ref": "#/$defs/metadata"},
                  "flags": {"type": "array", "items": {"oneOf": [{"$ref": "#/$defs/success"}, {"$ref": "#/$defs/failure"}]}}}},
              {"type": "object", "required": ["errorCode"], "additionalProperties": false, "properties": {"errorCode": {"type": "string"}, "errorDetails": {"type": "string"}}}]}$json$::jsonb AS schema;
SELECT pg_temp.store('keyed', '{"algorithm": "flagd", "rules": [{"percentage": 99.999}]}') \g /dev/null
SELECT is_empty($$ SELECT q, execreport.ofrep(q.key, q.context) FROM shape, (VALUES ('all', '{"targetingKey": "a"}'::jsonb), ('keyed', '{}'), ('keyed', '{"targetingKey": "a"}'), ('nope', '{}'), ('all', '[]'), (NULL, '{}'),
                      (NULL, '{"targetingKey": "a"}'), (NULL, '[]'), ('execReportsEnabled', NULL)) AS q (key, context)
                   WHERE NOT execreport.json_matches_schema(schema, execreport.ofrep(q.key, q.context)) $$, 'answers have its shape');
SELECT is(execreport.ofrep('keyed', '{}') ->> 'errorCode', 'TARGETING_KEY_MISSING', 'flagd wants a targeting key');
SELECT pg_temp.store('all', '{"rules": [{"percentage": 50, "stickiness": "userId"}]}') \g /dev/null
SELECT is(execreport.ofrep(NULL, '{"targetingKey": "a"}', tag), jsonb_build_object('status', 304, 'etag', trim(tag, 'W/"')), 'the same entity tag: not modified')
  FROM (SELECT execreport.ofrep(NULL, '{"targetingKey": "a"}') #>> '{metadata,etag}') AS q (etag), LATERAL unnest(ARRAY[etag, '"' || etag || '"', 'W/"' || etag || '"']) AS tag;
CREATE TEMP TABLE tag AS SELECT execreport.ofrep(NULL, '{"targetingKey": "a"}') #>> '{metadata,etag}' AS before;
SELECT pg_temp.store('all', '{"default": true}') \g /dev/null
SELECT ok(execreport.ofrep(NULL, '{"targetingKey": "a"}', before) ? 'flags', 'another one after a change') FROM tag;

-- 9. The hour in which a flag was last asked for is known to every session, when the library is preloaded
SELECT pg_temp.store('asked', '{}'), pg_temp.store('unasked', '{}') \g /dev/null
SELECT execreport.is_flag_enabled(1, 'asked') \g /dev/null
SELECT ok(CASE WHEN current_setting('shared_preload_libraries') ~ 'execreport'
               THEN execreport._flags_asked_since() < now() AND execreport._flag_asked('unasked') IS NULL
                    AND execreport._flag_asked('asked') = date_trunc('hour', execreport._flag_asked('asked'))
                    AND clock_timestamp() - execreport._flag_asked('asked') BETWEEN interval '0' AND interval '2 hours'
               ELSE execreport._flags_asked_since() IS NULL AND execreport._flag_asked('asked') IS NULL END, 'last asked for');
SELECT results_eq($$ SELECT key, reasons FROM execreport.stale_flags(0, now() + interval '1 day') WHERE key IN ('asked', 'unasked') ORDER BY 1 $$,
    $$ SELECT k, CASE WHEN current_setting('shared_preload_libraries') ~ 'execreport' THEN '{not evaluated,not changed}' ELSE '{not changed}' END::text[] FROM unnest(ARRAY['asked', 'unasked']) AS k $$,
    'stale flags');

SELECT * FROM finish();
ROLLBACK;
