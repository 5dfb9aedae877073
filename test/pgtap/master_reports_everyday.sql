-- generate_master_report() does the everyday case itself and hands the others to _generate_master_report(). Both must be one function:
-- the same choice of exec reports, the same digest, the same row.
BEGIN;
SELECT plan(37);
SET LOCAL TimeZone = 'UTC';
CREATE TEMP TABLE quiet AS SELECT execreport.create_tenant(143, 'Everyday');
SET LOCAL execreport.tenant_id = 143;
INSERT INTO quiet SELECT NULL FROM execreport.update_flags(143, '{"execReportsEnabled": true, "masterReportsEnabled": true, "consolidationEnabled": true, "councilSynthesisEnabled": true}');

-- What both make of the same input. The epoch makes the second one anew.
CREATE FUNCTION pg_temp.contents(m execreport.master_reports) RETURNS jsonb LANGUAGE sql AS
$$ SELECT to_jsonb(m) - '{id,created_at,input_digest,follows}'::text[] $$;
CREATE FUNCTION pg_temp.differences(configuration integer, as_of timestamptz) RETURNS TABLE (what text) LANGUAGE plpgsql AS $$
DECLARE
    here  execreport.master_reports;
    there execreport.master_reports;
    known execreport.master_reports;
BEGIN
    PERFORM execreport._invalidate_reports(143, now());
    SELECT * INTO here FROM execreport.generate_master_report(configuration, as_of => differences.as_of);
    SELECT * INTO known FROM execreport._generate_master_report(configuration, NULL, differences.as_of);
    IF known IS DISTINCT FROM here THEN
        RETURN QUERY SELECT 'the SQL function does not find what C has stored';
    END IF;
    PERFORM execreport._invalidate_reports(143, now());
    SELECT * INTO there FROM execreport._generate_master_report(configuration, NULL, differences.as_of);
    SELECT * INTO known FROM execreport.generate_master_report(configuration, as_of => differences.as_of);
    IF known IS DISTINCT FROM there THEN
        RETURN QUERY SELECT 'C does not find what the SQL function has stored';
    END IF;
    IF here.id = there.id THEN
        RETURN QUERY SELECT 'nothing was made';
    END IF;
    RETURN QUERY SELECT h.key || ': ' || left(h.value::text, 60) || ' and ' || left(t.value::text, 60)
                   FROM jsonb_each(pg_temp.contents(here)) AS h FULL JOIN jsonb_each(pg_temp.contents(there)) AS t USING (key)
                  WHERE h.value IS DISTINCT FROM t.value;
END $$;

-- many runs of each module, in an order of their own; some at the same moment, some unsuccessful; odd names
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(1, '{"brand": {"name": "Acme \"x\" é"}, "strategicIntent": {"primaryGoal": "grow"},
    "negativeScope": {"excludedKeywords": ["casino"]}}');
INSERT INTO quiet
SELECT NULL FROM (VALUES ('a', 1), ('A', 40), ('b-2', 7), ('b_1', 8), ('b 1', 9), ('é', 25), ('zz', 60), ('only-failed', 20)) AS m (module, runs),
       generate_series(1, m.runs) AS n,
       LATERAL execreport.create_exec_report(1, m.module, jsonb_build_object('confidence', 0.5, 'hasData', m.module <> 'only-failed' AND n % 5 <> 3,
           'insights', jsonb_build_array(jsonb_build_object('title', 'Run ' || n, 'severity', 'high', 'category', 'risk', 'relatedKeywords', jsonb_build_array('casino', m.module)))),
           executed_at => '2026-03-01 00:00Z'::timestamptz + interval '1 hour' * ((n * 7) % 48), id => format('%s "\%s" %s', m.module, E'\t', n));
CREATE TEMP TABLE moment AS SELECT '2026-02-28 23:00Z'::timestamptz + interval '3 hours' * n AS as_of FROM generate_series(0, 18) AS n;
SELECT is((SELECT count(*) FROM moment AS t, execreport._latest_exec_reports(143, 1, 1, t.as_of) AS l WHERE l.ids IS NOT NULL), 18::bigint, 'there is something to report at all moments but the first');
SELECT is((SELECT array_agg(d ->> 'id' ORDER BY n) FROM execreport.generate_master_report(1, as_of => t.as_of) AS m, jsonb_array_elements(m.exec_reports) WITH ORDINALITY AS e (d, n)),
          (SELECT l.ids FROM execreport._latest_exec_reports(143, 1, 1, t.as_of) AS l), 'the newest successful runs at ' || t.as_of)
  FROM (SELECT as_of FROM moment ORDER BY as_of OFFSET 1) AS t;
SELECT is_empty($$ SELECT pg_temp.differences(1, '2026-03-02 12:00Z') $$, 'both make the same of many runs');

-- playbooks with some of their members; no negative scope; a blank id
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(2, '{}');
INSERT INTO quiet SELECT NULL FROM execreport.create_exec_report(2, 'p1', '{"confidence": 61, "hasData": true}', '{"insights": [{"title": "Whole", "priority": "low"}], "recommendations": [], "deprioritized": ["x"], "councilPrompt": "We suggest a guide."}', executed_at => '2026-03-01 10:00Z', id => 'p1');
INSERT INTO quiet SELECT NULL FROM execreport.create_exec_report(2, 'p2', '{"errors": []}', '{"insights": [{"title": "whole!", "priority": "high"}]}', executed_at => '2026-03-01 10:00:00.000001Z', id => 'p2');
INSERT INTO quiet SELECT NULL FROM execreport.create_exec_report(2, 'p3', '{"insights": []}', '{}', executed_at => '2026-02-01 00:00Z', id => 'p3');
INSERT INTO quiet SELECT NULL FROM execreport.create_exec_report(2, 'p4', '{"insights": []}', executed_at => '0001-01-01 00:00Z', id => 'p4');
INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash, executed_at, output, playbook_result)
VALUES (143, 'p5', 2, 'p5', 1, 'x', '2026-03-01 10:00Z', '{}', 'null'), (143, ' ', 2, 'p6', 1, 'x', '2026-03-01 10:00Z', '{"a": 1.50}', NULL);
SELECT is_empty($$ SELECT pg_temp.differences(2, '2026-03-02 12:00Z') $$, 'and of playbooks');
SELECT is((SELECT array_agg(d ->> 'executedAt' ORDER BY n) FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z') AS m, jsonb_array_elements(m.exec_reports) WITH ORDINALITY AS e (d, n)),
    '{2026-03-01T10:00:00.000000Z,2026-03-01T10:00:00.000001Z,2026-02-01T00:00:00.000000Z,0001-01-01T00:00:00.000000Z,2026-03-01T10:00:00.000000Z,2026-03-01T10:00:00.000000Z}', 'instants as documents hold them');
INSERT INTO quiet SELECT NULL FROM execreport.update_flags(143, '{"consolidationEnabled": false}');
SELECT is_empty($$ SELECT pg_temp.differences(2, '2026-03-02 12:00Z') $$, 'and without consolidation');
INSERT INTO quiet SELECT NULL FROM execreport.update_flags(143, '{"consolidationEnabled": true, "councilSynthesisEnabled": false}');
SELECT is_empty($$ SELECT pg_temp.differences(2, '2026-03-02 12:00Z') $$, 'and without synthesis');

-- a table that somebody else has plans with goes by the SQL function
CREATE TEMP TABLE seen (id text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER see BEFORE INSERT ON execreport.master_reports FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT execreport._invalidate_reports(143, now());
SELECT id AS report FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z') \gset
SELECT is((SELECT array_agg(id) FROM seen), ARRAY[:'report'], 'a trigger fires');
DROP TRIGGER see ON execreport.master_reports;

-- in the select list, and as an editor
SELECT is((SELECT (execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z')).id), :'report', 'in a select list');
CREATE ROLE er_everyday_editor;
SELECT execreport.grant_access('er_everyday_editor', 143, 'editor');
SET LOCAL ROLE er_everyday_editor;
SELECT is((SELECT id FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z')), :'report', 'an editor finds it');
RESET ROLE;
SELECT execreport._invalidate_reports(143, now());
SET LOCAL ROLE er_everyday_editor;
SELECT is((SELECT created_by FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z')), 'er_everyday_editor', 'and makes one');
RESET ROLE;
SAVEPOINT writing;
SET LOCAL transaction_read_only = on;
SELECT throws_ok($$ SELECT execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z') $$, '25006', NULL, 'not in a transaction that may only read');
ROLLBACK TO SAVEPOINT writing;

-- more than a document holds is refused before it is read
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(3, '{}');
INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash, executed_at, output)
SELECT 143, 'large-' || n, 3, 'm' || n, 1, 'x', '2026-03-01 10:00Z', large.output
  FROM (SELECT jsonb_build_object('extra', repeat('x', 55000000))) AS large (output), generate_series(1, 5) AS n;
SELECT throws_matching($$ SELECT execreport.generate_master_report(3, as_of => '2026-03-02 12:00Z') $$, '^the exec reports of configuration 3 are too large for one master report$', 'exec reports of 275 MB are refused');
SELECT is((SELECT count(*) FROM execreport.master_reports WHERE tenant_id = 143 AND configuration_id = 3), 0::bigint, 'with nothing stored');

-- one large module before thousands of small ones
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(4, '{}');
INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash, executed_at, output)
SELECT 143, 'uneven-' || n, 4, lpad(n::text, 5, '0'), 1, 'x', '2026-03-01 10:00Z', CASE n WHEN 1 THEN jsonb_build_object('extra', repeat('x', 60000000)) ELSE '{}' END
  FROM generate_series(1, 10000) AS n;
SELECT is((SELECT jsonb_array_length(modules_included) FROM execreport.generate_master_report(4, as_of => '2026-03-02 12:00Z')), 10000, 'memory is asked for by what the reports hold together');

-- a table that keeps all on one page: the reports are not to blame, in the everyday case as in others
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(5, '{}');
INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash, executed_at, output)
SELECT 143, 'page', 5, 'm', 1, 'x', '2026-03-01 10:00Z', jsonb_build_object('extra', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) AS i));
SAVEPOINT kept_out;
ALTER TABLE execreport.master_reports ALTER exec_reports SET STORAGE PLAIN;
SELECT throws_matching($$ SELECT execreport.generate_master_report(5, as_of => '2026-03-02 12:00Z') $$,
    '^the master report of configuration 5 does not fit into a row of "execreport.master_reports"$', 'the current version');
INSERT INTO quiet SELECT NULL FROM execreport.save_configuration(5, '{"brand": {"name": "next"}}');
SELECT throws_matching($$ SELECT execreport.generate_master_report(5, 1, '2026-03-02 12:00Z') $$, '^the master report of configuration 5 does not fit', 'an earlier version');
ROLLBACK TO kept_out;

-- a column that somebody added and dropped again makes no other case of it
ALTER TABLE execreport.configurations ADD extra text; ALTER TABLE execreport.configurations DROP extra;
ALTER TABLE execreport.exec_reports ADD extra text DEFAULT 'x'; ALTER TABLE execreport.exec_reports DROP extra;
ALTER TABLE execreport.master_reports ADD extra text; ALTER TABLE execreport.master_reports DROP extra;
ALTER FUNCTION execreport._create_exec_report(integer, text, jsonb, jsonb, integer, timestamptz, text) RENAME TO gone_create;
ALTER FUNCTION execreport._generate_master_report(integer, integer, timestamptz) RENAME TO gone_generate;
SELECT is((SELECT output FROM execreport.create_exec_report(2, 'late', '{"confidence": 7}', executed_at => '2026-03-01 11:00Z')), '{"confidence": 7}', 'an exec report is stored');
SELECT id AS made, modules_included AS modules FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z') \gset
SELECT is(:'modules'::jsonb -> 0, '"late"', 'a master report made of it');
SELECT is((SELECT m FROM execreport.generate_master_report(2, as_of => '2026-03-02 12:00Z') AS m), (SELECT m FROM execreport.master_reports AS m WHERE m.tenant_id = 143 AND m.id = :'made'), 'and found');
SELECT * FROM finish();
ROLLBACK;
