-- The built-in contracts beside those who read the documents, documents that are given out, hostile input.
BEGIN;
SELECT no_plan();
SET LOCAL statement_timeout = '60s';
SELECT count(execreport.update_flags(1, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true}', 'test'));

CREATE FUNCTION pg_temp.accepts(name text, document jsonb) RETURNS boolean LANGUAGE sql AS
$$ SELECT NOT EXISTS (SELECT FROM execreport.check_contract(name, document)) $$;
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

-- every built-in contract is a schema that its meta-schema accepts, and compiles with what it refers to
SELECT lives_ok(format('SELECT execreport.json_schema_check(%L)', coalesce(bundle, schema)), name || ' is a schema')
  FROM execreport.contracts WHERE builtin ORDER BY name;
SELECT is(coalesce(bundle, schema) ->> '$schema', 'https://json-schema.org/draft/2020-12/schema', name || ' is 2020-12')
  FROM execreport.contracts WHERE builtin ORDER BY name;
SELECT is(execreport._exec_report_output_contract(), (SELECT schema FROM execreport.contracts WHERE name = 'exec-report-output'), 'the constant is the registered output contract');
SELECT is(execreport._playbook_result_contract(), (SELECT bundle FROM execreport.contracts WHERE name = 'playbook-result'), 'and that of playbooks');

-- lookback and segmentation: contract and reader agree about every shape
CREATE TEMP TABLE value (value jsonb);
INSERT INTO value VALUES ('null'), ('true'), ('5'), ('5.0'), ('5.5'), ('0'), ('-1'), ('1'), ('10'), ('11'), ('4000000'), ('4000001'), ('1e300'), ('"5"'), ('""'), ('"days"'), ('"Days"'), ('"months"'),
    ('"relative"'), ('"custom"'), ('"Custom"'), ('"weekly"'), ('"yearly"'), ('"anchor"'), ('"calendar"'), ('"2025-01-31"'), ('"2025-1-31"'), ('"2025-13-01"'), ('"2025-01-32"'),
    ('"2025-01-31T00:00:00Z"'), ('"03/04/2025"'), ('"infinity"'), ('" 2025-01-31"'), ('"2025-01-31\n"'), ('"٢٠٢٥-٠١-٠١"'), ('[]'), ('{}'), ('[5]'), ('{"a": 5}');
CREATE TEMP TABLE lookback AS
SELECT DISTINCT b.base || jsonb_build_object(m.member, v.value) AS document
  FROM (VALUES ('{}'::jsonb), ('{"type": "relative", "value": 7, "unit": "days"}'), ('{"type": "custom", "startDate": "2025-01-31", "endDate": "2025-01-31"}'),
               ('{"type": "custom", "start_date": "2025-01-31", "end_date": "2025-01-31"}'), ('{"type": "relative", "value": 7, "unit": "weeks", "lag_days": 2}')) AS b (base),
       unnest('{type,value,unit,lagDays,lag_days,startDate,start_date,endDate,end_date,color}'::text[]) AS m (member), value AS v
UNION SELECT b.base - m.member FROM (VALUES ('{"type": "relative", "value": 7, "unit": "days"}'::jsonb), ('{"type": "custom", "startDate": "2025-01-31", "endDate": "2025-01-31"}')) AS b (base),
       unnest('{type,value,unit,startDate,endDate,none}'::text[]) AS m (member)
UNION SELECT v.value FROM value AS v;
SELECT cmp_ok((SELECT count(*) FROM lookback), '>=', 1500::bigint, 'many lookbacks');
SELECT is_empty($$ SELECT document, pg_temp.accepts('lookback-config', document), execreport.check_lookback(document, '2025-06-15') -> 'errors' FROM lookback
    WHERE pg_temp.accepts('lookback-config', document) <> NOT EXISTS (
              SELECT FROM jsonb_array_elements(execreport.check_lookback(document, '2025-06-15') -> 'errors') AS e
               WHERE e ->> 'code' = 'INVALID_LOOKBACK_RANGE'
                 AND e ->> 'message' !~ 'lookback has both|does not exist|would begin before|is after') $$, 'the contract accepts what the machine reads');
SELECT cmp_ok((SELECT count(*) FROM lookback WHERE pg_temp.accepts('lookback-config', document)), '>=', 30::bigint, 'of which some are good');
CREATE TEMP TABLE segmentation AS
SELECT jsonb_build_object(m.member, v.value) AS document
  FROM unnest('{type,align,parallel_limit,parallelLimit,retry_failed,retryFailed,color}'::text[]) AS m (member), value AS v
UNION SELECT v.value FROM value AS v;
SELECT is_empty($$ SELECT document FROM segmentation
    WHERE pg_temp.accepts('segmentation-config', document)
          <> (pg_temp.outcome(format('SELECT count(*) FROM execreport.lookback_segments(''{}'', %L, ''2025-06-15'')', document)) = 'done') $$, 'segmentation: the same');
SELECT is_empty($$ SELECT document FROM segmentation
    WHERE pg_temp.accepts('flags', document) <> (jsonb_typeof(document) = 'object' AND NOT EXISTS (
              SELECT FROM jsonb_each(CASE jsonb_typeof(document) WHEN 'object' THEN document END) AS e WHERE jsonb_typeof(e.value) NOT IN ('boolean', 'null'))) $$, 'flags: booleans and nulls');
SELECT is(pg_temp.accepts('flags', jsonb_build_object('execReportsEnabled', value)), pg_temp.outcome(format('SELECT execreport.update_flags(1, %L)', jsonb_build_object('execReportsEnabled', value))) = 'done',
    'update_flags with ' || value::text) FROM value WHERE value IN ('true', 'null', '5', '"5"', '[]', '{}');

-- configurations: one contract for both spellings, and it accepts what save_configuration() stores, but for words and dates
CREATE TEMP TABLE configuration (document jsonb);
INSERT INTO configuration
SELECT b.base || jsonb_build_object(b.section, jsonb_build_object(m.member, v.value))
  FROM (VALUES ('{"brand": {}}'::jsonb, 'governance'), ('{"name": "x"}', 'negativeScope'), ('{}', 'negative_scope')) AS b (base, section),
       unnest('{cmo_safe,cmoSafe,humanVerified,blocked_reasons,blockedReasons,quality_score,qualityScore,reviewedBy,reviewed_by,excludedKeywords,excluded_keywords,excludedCategories,
                excludedUseCases,excluded_competitors,categoryExclusions,keyword_exclusions,useCaseExclusions,competitor_exclusions,enforcementRules,enforcement_rules,auditLog,audit_log,other}'::text[]) AS m (member),
       (SELECT value FROM value UNION SELECT jsonb_array_elements('[[1], ["a"], [null], [{}], [{"value": "a"}], [{"value": ""}], [{"value": 5}], [{"value": null}], [{"value": "a", "reason": 5}], {"grade": 5},
                {"grade": "high", "overall": 101}, {"overall": 100}, {"hardExclusion": true}, {"hardExclusion": "yes"}, {"hard_exclusion": null}, [{"value": "a", "matchType": 5}], [{"value": "a", "match_type": null}]]')) AS v
UNION ALL SELECT jsonb_build_object(m.member, v.value)
  FROM unnest('{name,brand,competitors,categoryDefinition,category_definition,demandDefinition,strategicIntent,channelContext,channel_context,negativeScope,governance,brands,color}'::text[]) AS m (member), value AS v
UNION ALL SELECT value FROM value;
SELECT cmp_ok((SELECT count(*) FROM configuration), '>=', 3000::bigint, 'many configurations');
CREATE TEMP TABLE judged AS
SELECT document, pg_temp.accepts('ucr-configuration', document) AS accepted,
       pg_temp.outcome(format('SELECT execreport._configuration_content(%L)', document)) AS outcome FROM configuration;
SELECT is_empty($$ SELECT * FROM judged WHERE accepted <> (outcome = 'done') $$, 'the contract accepts what is stored, in either spelling');
SELECT cmp_ok((SELECT count(*) FROM judged WHERE accepted), '>=', 300::bigint, 'of which some are good');

-- exec reports: a table of members and the types that readers take, written down a second time
CREATE TEMP TABLE member (contract text, base jsonb, path text[], types text[], nullable boolean);
INSERT INTO member
SELECT 'exec-report-output', '{}'::jsonb, ARRAY[m.name], m.types, true
  FROM (VALUES ('moduleId', '{string}'::text[]), ('module_id', '{string}'), ('hasData', '{boolean}'), ('errors', '{array}'), ('dataSources', '{array}'), ('dataTimestamp', '{string}'),
               ('chartsData', '{array}'), ('insights', '{array}'), ('recommendations', '{array}'), ('councilContext', '{object}'), ('freshnessStatus', '{object}'), ('rawData', '{any}'), ('confidence', '{number}')) AS m (name, types)
UNION ALL SELECT 'exec-report-output', '{"chartsData": [{}], "insights": [{}], "recommendations": [{}]}', ARRAY[m, '0'], '{object}', false FROM unnest('{chartsData,insights,recommendations}'::text[]) AS m
UNION ALL SELECT c.contract, '{"insights": [{}]}', ARRAY['insights', '0', m], '{string}', true FROM (VALUES ('exec-report-output'), ('playbook-result')) AS c (contract),
    unnest('{type,title,source,content,details,message,category,priority,severity,description,whyItMatters}'::text[]) AS m
UNION ALL SELECT c.contract, '{"insights": [{}]}', ARRAY['insights', '0', m.name], m.types, true FROM (VALUES ('exec-report-output'), ('playbook-result')) AS c (contract),
    (VALUES ('id', '{string,number}'::text[]), ('evidence', '{array}'), ('keywords', '{array}'), ('relatedKeywords', '{array}'), ('related_keywords', '{array}'), ('confidence', '{number}'), ('extra', '{any}')) AS m (name, types)
UNION ALL SELECT c.contract, '{"insights": [{"keywords": ["a"], "relatedKeywords": ["a"]}]}', ARRAY['insights', '0', m, '0'], '{string}', false FROM (VALUES ('exec-report-output'), ('playbook-result')) AS c (contract),
    unnest('{keywords,relatedKeywords}'::text[]) AS m
UNION ALL SELECT c.contract, '{"recommendations": [{}]}', ARRAY['recommendations', '0', m], '{string}', true FROM (VALUES ('exec-report-output'), ('playbook-result')) AS c (contract),
    unnest('{theme,title,action,effort,impact,reason,category,priority,timeline,rationale,estimatedImpact,estimated_impact}'::text[]) AS m
UNION ALL SELECT 'exec-report-output', '{"recommendations": [{"dependencies": [1]}]}', '{recommendations,0,dependencies,0}', '{string,number}', false
UNION ALL SELECT 'exec-report-output', '{"councilContext": {"keyFindings": ["a"]}, "freshnessStatus": {}}', m.path, m.types, m.nullable
  FROM (VALUES ('{councilContext,keyFindings}'::text[], '{array}'::text[], true), ('{councilContext,keyFindings,0}', '{string}', false), ('{councilContext,dataQuality}', '{string}', true),
               ('{councilContext,analysisDepth}', '{string}', true), ('{freshnessStatus,status}', '{string}', true), ('{freshnessStatus,ageDays}', '{number}', true), ('{freshnessStatus,warning}', '{string}', true)) AS m (path, types, nullable)
UNION ALL SELECT 'playbook-result', '{"deprioritized": ["a"]}', m.path, m.types, m.nullable
  FROM (VALUES ('{insights}'::text[], '{array}'::text[], true), ('{recommendations}', '{array}', true), ('{deprioritized}', '{array}', true), ('{deprioritized,0}', '{string}', false), ('{councilPrompt}', '{string}', true), ('{council_prompt}', '{string}', true)) AS m (path, types, nullable);
CREATE TEMP TABLE typed (type text, value jsonb);
INSERT INTO typed VALUES ('null', 'null'), ('string', '"x"'), ('string', '""'), ('number', '0'), ('number', '100'), ('number', '0.5'), ('boolean', 'true'), ('boolean', 'false'), ('object', '{}'), ('object', '{"a": 1}'), ('array', '[]');
SELECT is_empty($$ SELECT contract, path, value FROM member, typed
    WHERE pg_temp.accepts(contract, jsonb_set(base, path, value)) <> (types = '{any}' OR type = ANY (types) OR type = 'null' AND nullable) $$, 'each member takes its types and no others');
SELECT is_empty($$ SELECT contract, path, value FROM member, typed
    WHERE pg_temp.accepts(contract, jsonb_set(base, path, value)) <> CASE contract
              WHEN 'playbook-result' THEN execreport._exec_report_fits('{}', jsonb_set(base, path, value))
              ELSE execreport._exec_report_fits(jsonb_set(base, path, value), NULL) END $$, 'and create_exec_report() judges alike');
SELECT is(pg_temp.accepts('exec-report-output', jsonb_build_object('confidence', c)), good, 'confidence ' || c)
  FROM (VALUES (-0.0001, false), (0, true), (100, true), (100.0001, false), (1e300, false)) AS n (c, good);
SELECT is(pg_temp.accepts('exec-report-output', v), v = '{}', 'an output is an object: ' || v::text) FROM jsonb_array_elements('[null, 1, "x", true, [], {}]') AS v;

-- what is given out keeps its contract
SELECT count(execreport.save_configuration(1, '{"brand": {"name": "Acme"}, "negativeScope": {"excludedKeywords": ["x"], "keywordExclusions": [{"value": "y", "matchType": "exact"}]}}'));
SELECT count(execreport.create_exec_report(1, m, '{"hasData": true, "confidence": 61.5, "insights": [{"title": "A", "severity": "high", "confidence": 50}], "recommendations": [{"action": "Do it", "dependencies": [1]}]}',
    '{"deprioritized": ["r9"]}', id => 'er-' || m)) FROM unnest('{a,b}'::text[]) AS m;
SELECT count(*) FROM execreport.generate_master_report(1);
SELECT lives_ok($$ SELECT execreport.require_contract('exec-report', execreport.exec_report_document('er-a')) $$, 'exec report');
SELECT lives_ok($$ SELECT execreport.require_contract('exec-report', d) FROM jsonb_array_elements(execreport.exec_reports_response(1) -> 'execReports') AS d $$, 'list of exec reports');
SELECT lives_ok($$ SELECT execreport.require_contract('master-report', execreport.master_report_document(id)) FROM execreport.get_latest_master_report(1) $$, 'master report');
SELECT lives_ok($$ SELECT execreport.require_contract('flags', execreport.get_flags(1)) $$, 'flags');

SELECT is(pg_temp.accepts('exec-report', execreport.exec_report_document('er-a') #- ARRAY['playbookResult', m]) OR
          pg_temp.accepts('exec-report', jsonb_set(execreport.exec_report_document('er-a'), ARRAY['playbookResult', m], 'null')), false,
          'an exec report with a playbook result has its ' || m) FROM unnest('{insights,recommendations,deprioritized,councilPrompt}'::text[]) AS m;

-- documents of later capabilities
SELECT is(pg_temp.accepts(name, document), good, name || ' ' || left(document::text, 80)) FROM (VALUES
    ('schedule-config', '{"frequency": "weekly", "time": "09:00", "timezone": "America/New_York", "daysOfWeek": [1, 3, 5], "dayOfMonth": 15}'::jsonb, true),
    ('schedule-config', '{"frequency": "monthly", "time": "23:59:59", "timezone": "UTC", "day_of_month": -1, "month_end": "skip"}', true),
    ('schedule-config', '{"frequency": "once", "time": "09:00", "timezone": "UTC", "start_date": "2026-01-01"}', true),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "Europe/Paris", "interval": 2, "startDate": "2026-01-01", "endsAt": "2026-02-01T00:00:00Z"}', true),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "Etc/GMT+5", "ends_at": "2026-02-01 00:00:00Z"}', true),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "America/Argentina/Buenos_Aires"}', true),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "EST"}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC+3"}', false),
    ('schedule-config', '{"frequency": "daily", "time": "25:00", "timezone": "UTC"}', false),
    ('schedule-config', '{"frequency": "daily", "time": "9:00", "timezone": "UTC"}', false),
    ('schedule-config', '{"frequency": "hourly", "time": "09:00", "timezone": "UTC"}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00"}', false),
    ('schedule-config', '{"frequency": "weekly", "time": "09:00", "timezone": "UTC"}', false),
    ('schedule-config', '{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": [8]}', false),
    ('schedule-config', '{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": []}', false),
    ('schedule-config', '{"frequency": "monthly", "time": "09:00", "timezone": "UTC", "dayOfMonth": 0}', false),
    ('schedule-config', '{"frequency": "monthly", "time": "09:00", "timezone": "UTC", "dayOfMonth": 32}', false),
    ('schedule-config', '{"frequency": "once", "time": "09:00", "timezone": "UTC"}', false),
    ('schedule-config', '{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2026-01-01", "maxRuns": 2}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC", "maxRuns": 2}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC", "jitter": 3600}', true),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC", "jitter": 3601}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC+3:00:00 x"}', false),
    ('schedule-config', '{"frequency": "daily", "time": "09:00", "timezone": "UTC", "color": 1}', false),
    ('backfill-config', '{}', true), ('backfill-config', '{"days": 365, "segmentType": "weekly", "parallel_limit": 5, "includeCurrent": true}', true),
    ('backfill-config', '{"periods": 52, "segmentation": "weekly", "days": null}', true),
    ('backfill-config', '{"periods": 52, "days": 365}', false), ('backfill-config', '{"days": 0}', false), ('backfill-config', '{"parallelLimit": 11}', false),
    ('report-builder', '{}', true),
    ('report-builder', '{"workflowId": "0190a0a0-0000-7000-8000-000000000000", "parameters": {"a": 1}, "lookbackConfig": {"type": "relative", "value": 14, "unit": "days"},
        "segmentation_config": {"type": "daily"}, "scheduleType": "backfill_with_schedule", "scheduleConfig": {"frequency": "daily", "time": "09:00", "timezone": "UTC"}, "backfillConfig": null}', true),
    ('report-builder', '{"lookbackConfig": {"type": "relative"}}', false), ('report-builder', '{"workflowId": "x"}', false), ('report-builder', '{"scheduleType": "never"}', false),
    ('report-builder', '{"scheduleConfig": {}}', false), ('report-builder', '{"parameters": []}', false), ('report-builder', '{"steps": 1}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "Plan A", "description": "d", "scenario_type": "transformation", "horizon_months": 12, "generated_at": "2026-01-01", "confidence_score": 0.8},
        "capabilities": [{"id": "CAP-01", "name": "Data", "competencies": [{"id": "CAP-01-C1", "name": "Modelling", "required_level": 3, "skills": ["SQL", {"id": "S-1", "name": "ETL"}]}]}],
        "suggested_roles": [{"name": "Lead", "estimated_fte": 1.5, "key_competencies": ["CAP-01-C1"], "talent_composition": {"human_percentage": 60, "synthetic_percentage": 40,
        "strategy_suggestion": "Hybrid", "logic_justification": "j"}}], "impact_analysis": [], "confidence_score": 0.8, "assumptions": []}', true),
    ('generated-scenario', '{"scenario_metadata": {"name": "0"}}', true), ('generated-scenario', '{}', false), ('generated-scenario', '{"scenario_metadata": {}}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "  "}}', false), ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "capabilities": {}}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "capabilities": [{"name": ""}]}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "capabilities": [{"name": "b", "competencies": [{"name": "c", "skills": [" "]}]}]}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "capabilities": [{"name": "b", "competencies": [{"name": "c", "required_level": 6}]}]}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "suggested_roles": [{"estimated_fte": 1}]}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "roles": [{"name": "r", "estimated_fte": 1}]}', true),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "roles": [{"estimated_fte": 1}]}', false),
    ('generated-scenario', '{"scenario_metadata": {"name": "a"}, "suggested_roles": [{"name": "r", "talent_composition": {"strategy_suggestion": "Rent"}}]}', false),
    ('generated-scenario', jsonb_build_object('scenario_metadata', '{"name": "a"}'::jsonb, 'capabilities', (SELECT jsonb_agg('{"name": "b"}'::jsonb) FROM generate_series(1, 10))), true),
    ('generated-scenario', jsonb_build_object('scenario_metadata', '{"name": "a"}'::jsonb, 'capabilities', (SELECT jsonb_agg('{"name": "b"}'::jsonb) FROM generate_series(1, 11))), false)
) AS d (name, document, good);

-- hostile input ends in an error that says what is wrong, or in an answer
CREATE TEMP TABLE hostile (what text, schema text, state text);
INSERT INTO hostile VALUES
    ('no JSON', '{', '22P02'), ('a number', '5', '22023'), ('null', 'null', '22023'), ('a string', '"object"', '22023'),
    ('a reference that is no string', '{"$ref": 5}', '22023'), ('to nowhere', '{"$ref": "#/$defs/x"}', '42704'), ('to another database', '{"$ref": "file:///etc/passwd"}', '42704'),
    ('to the net', '{"$ref": "http://169.254.169.254/"}', '42704'), ('with a quote', jsonb_build_object('$ref', 'x''"; DROP TABLE contracts; --')::text, '42704'),
    ('to %s', '{"$ref": "%s%n"}', '42704'), ('to an empty name', '{"$ref": "contract:"}', '42704'),
    ('a name with an own name', '{"$id": 5}', '22023'), ('an unknown dialect', '{"$schema": "https://example.com/mine"}', '0A000'),
    ('depth 10,000', repeat('{"not":', 10000) || '{}' || repeat('}', 10000), '54001'), ('depth 5,000 in an enum', '{"enum": [' || repeat('[', 5000) || repeat(']', 5000) || ']}', 'done'),
    ('a pattern without end', '{"pattern": "(((("}', '2201B'), ('a catastrophic pattern', '{"pattern": "^(a+)+$"}', 'done'), ('a property of letters', '{"pattern": "\\p{Script=Greek}"}', '0A000'),
    ('10,000 branches', '{"anyOf": [' || rtrim(repeat('{"type": "string"},', 10000), ',') || ']}', 'done'),
    ('2,000 references', '{"allOf": [' || rtrim(repeat('{"$ref": "flags"},', 2000), ',') || ']}', 'done'),
    ('2,000 references to nowhere', '{"allOf": [' || (SELECT string_agg('{"$ref": "none-' || i || '"}', ',') FROM generate_series(1, 2000) AS i) || ']}', '42704'),
    ('a reference in data', '{"const": {"$ref": "none"}, "enum": [{"$ref": "none"}], "default": {"$ref": 5}}', 'done'),
    ('a reference in data to a contract', '{"const": {"$ref": "flags"}}', 'done'),
    ('itself', '{"$ref": "hostile"}', 'done'), ('NUL', '{"title": "\u0000"}', '22P05'), ('a million of text', '{"title": "' || repeat('x', 1000000) || '"}', 'done');
SELECT is(pg_temp.outcome(format('SELECT execreport.register_contract(''hostile'', %L, %L)', what, schema)), state, 'a schema with ' || what) FROM hostile;
SELECT is(pg_temp.outcome(format('SELECT execreport.register_contract(%L, %L, ''{}'')', name, version)), state, 'name ' || left(coalesce(name, 'NULL'), 20) || ', version ' || left(coalesce(version, 'NULL'), 20))
  FROM (VALUES ('', '1', '22023'), ('A', '1', '22023'), ('a b', '1', '22023'), ('a/b', '1', '22023'), ('a#b', '1', '22023'), ('-a', '1', '22023'), ('é', '1', '22023'), (E'a\n', '1', '22023'),
               (repeat('a', 101), '1', '22023'), (repeat('a', 100), '1', 'done'), ('a', repeat('1', 101), '22023'), ('a', '', '22023'), ('a', NULL, '22004'), (NULL, '1', '22004'),
               ('a', '''; DROP TABLE x', 'done'), ('0', '1.0.0-rc.1+x', 'done')) AS n (name, version, state);
SELECT is(pg_temp.outcome(format('SELECT execreport.check_contract(%L, %L::jsonb)', name, document)), state, what)
  FROM (VALUES ('unknown contract', 'no', '{}', '42704'), ('a NULL document', 'flags', NULL, '22004'), ('a NULL name', NULL, '{}', '22004'), ('a name with a quote', '''', '{}', '42704'), ('a long name', repeat('x', 100000), '{}', '42704'),
               ('a document 10,000 deep', 'exec-report-output', repeat('[', 10000) || repeat(']', 10000), 'done'), ('a recursive contract on one instance', 'hostile', '5', 'done')) AS h (what, name, document, state);
SELECT is(pg_temp.outcome($$ SELECT execreport.require_contract('hostile', '5', 'itself') $$), '54001', 'a contract that refers to itself without end is an error');
SELECT is((SELECT count(*) FROM execreport.check_contract('flags', (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 100000) AS i))), 100::bigint, 'of 100,000 problems 100 are told');
SELECT is(length((SELECT max(message) FROM execreport.check_contract('flags', jsonb_build_object('a', repeat('x', 10000000))))) < 500, true, 'a long value is clipped');
SELECT throws_like($$ SELECT execreport.require_contract('exec-report-output', jsonb_build_object('insights', jsonb_build_array(jsonb_build_object('title', 5)))) $$, 'document.insights[0].title: value is of type integer, must be %', 'the message names the path');
SELECT throws_like(format('SELECT execreport.require_contract(''flags'', %L)', jsonb_build_object('a/b~c', 5)), 'document.a/b~c: %', 'as the document spells it');
SELECT * FROM finish();
ROLLBACK;
