-- Exec reports: malformed documents at every path, and that nothing of a refused one is stored.
BEGIN;
SELECT plan(27);

SELECT execreport.update_flags(1, '{"execReportsEnabled": true, "masterReportsEnabled": true, "consolidationEnabled": true, "councilSynthesisEnabled": true}') IS NULL AS nothing \gset
SELECT configuration_id FROM execreport.save_configuration(1, '{"brand": {"name": "Acme"}}') \gset

-- What each member may be: from the documents that modules produce and the contract of the API.
CREATE TEMP TABLE member (document text, path text[], shown text, allowed text);
INSERT INTO member VALUES
    ('output', '{}', 'output', 'object'),
    ('output', '{moduleId}', 'output.moduleId', 'string'),
    ('output', '{hasData}', 'output.hasData', 'boolean'),
    ('output', '{confidence}', 'output.confidence', 'number'),
    ('output', '{dataSources}', 'output.dataSources', 'array'),
    ('output', '{dataTimestamp}', 'output.dataTimestamp', 'string'),
    ('output', '{errors}', 'output.errors', 'array'),
    ('output', '{chartsData}', 'output.chartsData', 'array'),
    ('output', '{chartsData,0}', 'output.chartsData[0]', 'object'),
    ('output', '{councilContext}', 'output.councilContext', 'object'),
    ('output', '{councilContext,keyFindings}', 'output.councilContext.keyFindings', 'array'),
    ('output', '{councilContext,keyFindings,1}', 'output.councilContext.keyFindings[1]', 'string'),
    ('output', '{councilContext,dataQuality}', 'output.councilContext.dataQuality', 'string'),
    ('output', '{freshnessStatus}', 'output.freshnessStatus', 'object'),
    ('output', '{freshnessStatus,status}', 'output.freshnessStatus.status', 'string'),
    ('output', '{freshnessStatus,ageDays}', 'output.freshnessStatus.ageDays', 'number'),
    ('output', '{insights}', 'output.insights', 'array'),
    ('output', '{insights,1}', 'output.insights[1]', 'object'),
    ('output', '{recommendations}', 'output.recommendations', 'array'),
    ('output', '{recommendations,1}', 'output.recommendations[1]', 'object'),
    ('playbookResult', '{}', 'playbookResult', 'object'),
    ('playbookResult', '{insights}', 'playbookResult.insights', 'array'),
    ('playbookResult', '{insights,0}', 'playbookResult.insights[0]', 'object'),
    ('playbookResult', '{recommendations}', 'playbookResult.recommendations', 'array'),
    ('playbookResult', '{recommendations,0}', 'playbookResult.recommendations[0]', 'object'),
    ('playbookResult', '{deprioritized}', 'playbookResult.deprioritized', 'array'),
    ('playbookResult', '{deprioritized,1}', 'playbookResult.deprioritized[1]', 'string'),
    ('playbookResult', '{councilPrompt}', 'playbookResult.councilPrompt', 'string');
INSERT INTO member
SELECT d, ARRAY[list, '1', name], format('%s.%s[1].%s', d, list, name), allowed
  FROM (VALUES ('output'), ('playbookResult')) AS document (d),
       (VALUES ('insights', 'title', 'string'), ('insights', 'message', 'string'), ('insights', 'content', 'string'),
               ('insights', 'description', 'string'), ('insights', 'severity', 'string'), ('insights', 'priority', 'string'),
               ('insights', 'category', 'string'), ('insights', 'type', 'string'), ('insights', 'confidence', 'number'),
               ('insights', 'keywords', 'array'), ('insights', 'relatedKeywords', 'array'), ('insights', 'evidence', 'array'),
               ('recommendations', 'action', 'string'), ('recommendations', 'title', 'string'),
               ('recommendations', 'impact', 'string'), ('recommendations', 'estimatedImpact', 'string'),
               ('recommendations', 'effort', 'string'), ('recommendations', 'priority', 'string'), ('insights', 'related_keywords', 'array'), ('recommendations', 'dependencies', 'array')) AS m (list, name, allowed);

-- a document with that one value in it
CREATE FUNCTION pg_temp.with_value(path text[], value jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    document jsonb := '{"insights": [{"title": "a"}, {"title": "b"}], "recommendations": [{"action": "a"}, {"action": "b"}],
        "chartsData": [{}], "councilContext": {"keyFindings": ["a", "b"]}, "freshnessStatus": {}, "deprioritized": ["a", "b"]}';
BEGIN
    RETURN CASE WHEN path = '{}' THEN value ELSE jsonb_set(document, path, value) END;
END $$;
-- the error of a call: its state and message; 'stored' when there is none
CREATE FUNCTION pg_temp.outcome(output jsonb, playbook_result jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    PERFORM execreport.create_exec_report(1, 'keyword-gap', output, playbook_result);
    RETURN 'stored';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = MESSAGE_TEXT;
    RETURN SQLSTATE || ' ' || told;
END $$;

CREATE TEMP TABLE value (type text, value jsonb);
INSERT INTO value VALUES
    ('string', '"text"'), ('string', '""'), ('string', to_jsonb(repeat('long ', 20000))),
    ('string', to_jsonb(E'\x01\x02\x1f\u007f\u2028 " \\ '::text)),
    ('number', '5'), ('number', '0'), ('number', '0.000000000000000000000000000000000001'),
    ('boolean', 'true'), ('boolean', 'false'),
    ('object', '{}'), ('object', '{"a": {"b": [1, null, "x"]}}'),
    ('array', '[]'), ('array', (repeat('[', 2000) || repeat(']', 2000))::jsonb);

CREATE TEMP TABLE trial AS
SELECT m.*, v.type, v.value,
       CASE WHEN m.document = 'output' THEN pg_temp.outcome(pg_temp.with_value(m.path, v.value), NULL)
            ELSE pg_temp.outcome('{}', pg_temp.with_value(m.path, v.value)) END AS outcome
  FROM member AS m CROSS JOIN value AS v;

SELECT cmp_ok((SELECT count(*) FROM trial WHERE type <> allowed), '>=', 200::bigint, 'at least 200 malformed documents were tried');
SELECT is_empty($$ SELECT shown, type, left(value::text, 40), outcome FROM trial
     WHERE type <> allowed AND outcome NOT LIKE '22023 ' || replace(replace(shown, '\', '\\'), '_', '\_') || ': value is of type %' $$,
    'a value of a wrong type is refused by its path');
SELECT is_empty($$ SELECT shown, left(value::text, 40), outcome FROM trial WHERE type = allowed AND outcome <> 'stored'
        AND NOT (outcome LIKE '22023 ' || shown || '[%]: value is of type %') $$,
    'a value of the right type is stored, or an element of it is refused by its path');
SELECT is((SELECT count(*) FROM execreport.exec_reports WHERE tenant_id = 1), (SELECT count(*) FROM trial WHERE outcome = 'stored'),
    'refused documents leave no row');
SELECT lives_ok($$ SELECT count(execreport.consolidate_exec_reports(jsonb_build_array(jsonb_build_object('id', id, 'moduleId', module_id,
        'executedAt', '2026-03-01T00:00:00Z', 'output', output, 'playbookResult', playbook_result)), NULL, now()))
     FROM execreport.exec_reports WHERE tenant_id = 1 $$, 'whatever is stored can be consolidated');

-- numbers
SELECT is(pg_temp.outcome(jsonb_build_object('confidence', c), NULL) LIKE '22023 output.confidence: value % must be at %', refused, 'confidence ' || left(c::text, 20))
  FROM (VALUES (-0.01, true), (0, false), (1, false), (100, false), (100.0001, true), (1e300::numeric, true), (-1e300::numeric, true)) AS n (c, refused);

-- nulls stand for absent members
SELECT is(pg_temp.outcome('{"hasData": null, "confidence": null, "errors": null, "insights": null, "councilContext": null}',
    '{"insights": null, "recommendations": null, "deprioritized": null, "councilPrompt": null}'), 'stored', 'null members are absent members');
SELECT is((SELECT count(*) FROM execreport._latest_exec_reports(1, 1, 1, now()) WHERE ids IS NOT NULL), 1::bigint, 'and such a run counts as successful');

-- size
SELECT is(pg_temp.outcome(jsonb_build_object('hasData', true, 'rawData', repeat('x', 100 * 1024 * 1024)), NULL), 'stored', '100 MB of text are stored');

SELECT throws_ok($$ SELECT execreport.create_exec_report(1, 'm', '{"insights": [null]}') $$, '22023', 'output.insights[0]: value is of type null, must be object', 'null is no element');

-- The everyday case is stored by a way of its own. With an id it goes the long way: both must store the same.
CREATE TEMP TABLE pair AS
SELECT n, (execreport.create_exec_report(:configuration_id, 'm' || n, output, playbook, version, at)).id AS short,
       (execreport.create_exec_report(:configuration_id, 'm' || n, output, playbook, version, at, 'long-' || n)).id AS long
  FROM (VALUES (1, '{"hasData": true}'::jsonb, NULL::jsonb, NULL::integer, timestamptz '2026-03-01 12:00Z'),
               (2, '{}', 'null', 1, '0001-01-01 00:00Z'), (3, jsonb_build_object('insights', '[]'::jsonb, 'text', repeat('x', 5000)), '{"deprioritized": ["a"]}', NULL, NULL),
               (4, '{"errors": []}', '{}', 1, '9999-12-31 23:59:59Z')) AS v (n, output, playbook, version, at);
SELECT is((to_jsonb(a) - 'id'), (to_jsonb(b) - 'id'), 'the same row, case ' || n)
  FROM pair JOIN execreport.exec_reports AS a ON a.id = short JOIN execreport.exec_reports AS b ON b.id = long
 WHERE a.tenant_id = 1 AND b.tenant_id = 1 ORDER BY n;
SELECT ok(bool_and(short ~ ('^exec-m' || n || '-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')), 'ids of our own end in a UUIDv7') FROM pair;
SELECT execreport.delete_exec_report('long-1', 'test') AS gone \gset
SELECT is((SELECT array_agg(id) FROM execreport._latest_exec_reports(1, :configuration_id, 1, 'infinity') AS l, unnest(l.ids) AS id WHERE id LIKE 'exec-m1-%'),
          (SELECT array_agg(short) FROM pair WHERE n = 1), 'the index of successful runs holds it');

-- what one statement does is seen by its own later calls
SELECT is((SELECT (execreport.create_exec_report(saved.configuration_id, 'm', '{}')).context_version
             FROM execreport.save_configuration(:configuration_id + 1, '{"name": "new"}') AS saved), 1, 'a configuration made by the same statement');

-- the executor is what refuses to write in a read-only transaction, and what knows that a column must not be null
CREATE FUNCTION pg_temp.state_of(statements text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statements;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.state_of(format('SET LOCAL transaction_read_only = on; SELECT execreport.create_exec_report(%s, %L, %L)', :configuration_id, 'm', '{}')),
          '25006', 'nothing is written in a read-only transaction');
SELECT is(pg_temp.state_of(format('ALTER TABLE execreport.configurations ALTER context_hash DROP NOT NULL; UPDATE execreport.configurations SET context_hash = NULL; SELECT execreport.create_exec_report(%s, %L, %L)', :configuration_id, 'm', '{}')),
          '23502', 'a configuration without a hash is an error');

-- a table with triggers is left to SQL
CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pair (short) VALUES ('triggered ' || NEW.module_id); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON execreport.exec_reports FOR EACH ROW EXECUTE FUNCTION pg_temp.note();
SELECT lives_ok(format($$ SELECT execreport.create_exec_report(%s, 'watched', '{}') $$, :configuration_id), 'with a trigger');
SELECT is((SELECT count(*) FROM pair WHERE short = 'triggered watched'), 1::bigint, 'the trigger fires');
SELECT * FROM finish();
ROLLBACK;
