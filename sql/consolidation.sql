-- consolidation: many exec reports into one set of insights, recommendations and synthesis. Aggregates over rows and
-- plain functions over one array; the machine is C and knows no table.

CREATE FUNCTION execreport._consolidate_insights_step(state internal, exec_report_id text, module_id text,
    executed_at timestamptz, output jsonb, playbook_result jsonb) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'er_consolidate_insights_step';
CREATE FUNCTION execreport._consolidate_step(state internal, exec_report_id text, module_id text,
    executed_at timestamptz, output jsonb, playbook_result jsonb) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'er_consolidate_step';
CREATE FUNCTION execreport._consolidate_step(state internal, exec_report_id text, module_id text,
    executed_at timestamptz, output jsonb, playbook_result jsonb, negative_scope jsonb, as_of timestamptz)
RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'er_consolidate_step';
CREATE FUNCTION execreport._consolidate_combine(state internal, other internal) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_combine';
CREATE FUNCTION execreport._consolidate_serialize(state internal) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_serialize';
CREATE FUNCTION execreport._consolidate_deserialize(bytes bytea, dummy internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_deserialize';
CREATE FUNCTION execreport._consolidate_insights_final(state internal) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_insights_final';
CREATE FUNCTION execreport._consolidate_recommendations_final(state internal) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_recommendations_final';
CREATE FUNCTION execreport._consolidate_final(state internal) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_consolidate_final';

CREATE AGGREGATE execreport.consolidate_insights(exec_report_id text, module_id text, executed_at timestamptz,
    output jsonb, playbook_result jsonb) (
    STYPE = internal, SSPACE = 65536,
    SFUNC = execreport._consolidate_insights_step,
    COMBINEFUNC = execreport._consolidate_combine,
    SERIALFUNC = execreport._consolidate_serialize,
    DESERIALFUNC = execreport._consolidate_deserialize,
    FINALFUNC = execreport._consolidate_insights_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE execreport.consolidate_insights(text, text, timestamptz, jsonb, jsonb) IS
'The insights of many exec reports, each once, strongest first. One row is one report: its id (may be NULL), its module,
when it ran, its module output and its playbook result (either document may be NULL).
Returns an array of {position, groupPosition, fingerprint, type, category, title, description, severity, confidence,
occurrences, moduleIds, relatedKeywords, evidence, sources[{execReportId, moduleId}]}; [] without rows. Confidence is
0 to 100; unknown is null. Insights are the same when type and normalised title are; order: severity, number of
modules, confidence, occurrences, title, fingerprint. It does not depend on the order of the rows.
Errors: 22023 names the report and the path of a value of a wrong type.
Example: SELECT execreport.consolidate_insights(''exec-1'', ''market-demand'', now(),
''{"insights": [{"title": "Demand grows", "category": "opportunity", "severity": "high", "confidence": 0.9}]}'', NULL);';

CREATE AGGREGATE execreport.consolidate_recommendations(exec_report_id text, module_id text, executed_at timestamptz,
    output jsonb, playbook_result jsonb) (
    STYPE = internal, SSPACE = 65536,
    SFUNC = execreport._consolidate_step,
    COMBINEFUNC = execreport._consolidate_combine,
    SERIALFUNC = execreport._consolidate_serialize,
    DESERIALFUNC = execreport._consolidate_deserialize,
    FINALFUNC = execreport._consolidate_recommendations_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE execreport.consolidate_recommendations(text, text, timestamptz, jsonb, jsonb) IS
'The recommendations of many exec reports, each once, best first, without those their own report deprioritized. One row
is one report, as for consolidate_insights.
Returns an array of {position, fingerprint, action, rationale, impact, effort, quadrant, theme, timeline, dependencies,
occurrences, moduleIds, conflicts[{kind, with, reason}], sources[{execReportId, moduleId}]}; [] without rows. quadrant is
quick_win, major_project, fill_in, avoid, or null when impact or effort is unknown; kind is opposite, deprioritized or
dependency. Order: impact high first, effort low first, number of modules, text.
Errors: 22023 names the report and the path of a value of a wrong type.
Example: SELECT execreport.consolidate_recommendations(''exec-1'', ''market-demand'', now(),
''{"recommendations": [{"action": "Increase the search budget", "impact": "high", "effort": "low"}]}'', NULL);';

CREATE AGGREGATE execreport.consolidate_exec_reports(exec_report_id text, module_id text, executed_at timestamptz,
    output jsonb, playbook_result jsonb, negative_scope jsonb, as_of timestamptz) (
    STYPE = internal, SSPACE = 65536,
    SFUNC = execreport._consolidate_step,
    COMBINEFUNC = execreport._consolidate_combine,
    SERIALFUNC = execreport._consolidate_serialize,
    DESERIALFUNC = execreport._consolidate_deserialize,
    FINALFUNC = execreport._consolidate_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE execreport.consolidate_exec_reports(text, text, timestamptz, jsonb, jsonb, jsonb, timestamptz) IS
'Everything that many exec reports say together, in one pass over their documents. One row is one report, as for
consolidate_insights; negative_scope (the configuration''s exclusions, may be NULL) and as_of (the instant for expiry and
freshness) must be the same in every row.
Returns {insights, recommendations, deprioritized, councilSynthesis{keyThemes, crossModulePatterns, prioritizedActions},
overallConfidence, confidenceBasis, dataFreshness, modulesIncluded}. overallConfidence is the rounded mean over modules,
0 to 100, confidenceBasis the number of modules it rests on: 0 on basis 0 means nobody said. dataFreshness is fresh
(under 24 hours), moderate (under 168) or stale, from the oldest of the modules'' newest reports; null when no time is
known. Recommendations also have conflicts of kind exclusion. Without rows: empty lists, confidence 0 on basis 0, null.
Errors: 22023 names the report, or negative_scope, and the path of a value of a wrong type.
Example: SELECT execreport.consolidate_exec_reports(''exec-1'', ''market-demand'', now(),
''{"confidence": 0.8, "insights": [{"title": "Demand grows"}]}'', NULL, ''{"excluded_keywords": ["casino"]}'', now());';

CREATE FUNCTION execreport.consolidate_insights(reports jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS 'MODULE_PATHNAME', 'er_consolidate_insights_of';
COMMENT ON FUNCTION execreport.consolidate_insights(jsonb) IS
'The aggregate of the same name over one array of exec reports {id, moduleId, executedAt, output, playbookResult}
(snake_case keys are read too). NULL for NULL.
Errors: 22023 names the path, for example reports[2].output.insights[0].title.
Example: SELECT execreport.consolidate_insights(''[{"id": "exec-1", "moduleId": "market-demand",
"output": {"insights": [{"title": "Demand grows"}]}}]'');';

CREATE FUNCTION execreport.consolidate_recommendations(reports jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS 'MODULE_PATHNAME', 'er_consolidate_recommendations_of';
COMMENT ON FUNCTION execreport.consolidate_recommendations(jsonb) IS
'The aggregate of the same name over one array of exec reports {id, moduleId, executedAt, output, playbookResult}
(snake_case keys are read too). NULL for NULL.
Errors: 22023 names the path, for example reports[2].output.recommendations[0].action.
Example: SELECT execreport.consolidate_recommendations(''[{"id": "exec-1", "moduleId": "market-demand",
"output": {"recommendations": [{"action": "Increase the search budget", "impact": "high", "effort": "low"}]}}]'');';

CREATE FUNCTION execreport.consolidate_exec_reports(reports jsonb, negative_scope jsonb DEFAULT NULL,
    as_of timestamptz DEFAULT now()) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 2000 AS 'MODULE_PATHNAME', 'er_consolidate_exec_reports_of';
COMMENT ON FUNCTION execreport.consolidate_exec_reports(jsonb, jsonb, timestamptz) IS
'The aggregate of the same name over one array of exec reports {id, moduleId, executedAt, output, playbookResult}
(snake_case keys are read too; executedAt is an ISO 8601 text, UTC when it names no zone). NULL for NULL reports.
Errors: 22023 names the path, for example reports[2].output.insights[0].title or negative_scope.keyword_exclusions[0].
Example: SELECT execreport.consolidate_exec_reports(''[{"id": "exec-1", "moduleId": "market-demand",
"executedAt": "2026-01-05T09:00:00Z", "output": {"confidence": 0.8}}]'', NULL, ''2026-01-05 12:00+00'');';
