-- master_reports: one report out of what all modules found for a configuration, as it stood at one moment.

CREATE TABLE execreport.master_reports (
    tenant_id                    integer NOT NULL DEFAULT execreport.current_tenant(),
    id                           text NOT NULL,
    configuration_id             integer NOT NULL,
    context_version              integer NOT NULL,
    context_hash                 text NOT NULL,
    generated_at                 timestamptz NOT NULL DEFAULT now(),
    ucr_snapshot                 jsonb NOT NULL,
    exec_reports                 jsonb NOT NULL,
    consolidated_insights        jsonb NOT NULL,
    consolidated_recommendations jsonb NOT NULL,
    council_synthesis            jsonb NOT NULL,
    modules_included             jsonb NOT NULL,
    overall_confidence           integer NOT NULL CHECK (overall_confidence BETWEEN 0 AND 100),
    data_freshness               text NOT NULL CHECK (data_freshness IN ('fresh', 'moderate', 'stale')),
    created_at                   timestamptz NOT NULL DEFAULT now(),
    created_by                   text NOT NULL DEFAULT execreport.current_user_id(),
    confidence_basis             integer,
    deprioritized                jsonb NOT NULL DEFAULT '[]',
    features                     jsonb,
    input_digest                 text,
    follows                      text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, configuration_id, context_version, input_digest, follows)
);
CREATE INDEX idx_master_reports_config
    ON execreport.master_reports (tenant_id, configuration_id, generated_at DESC, context_version DESC, id DESC);
COMMENT ON TABLE execreport.master_reports IS
'Master reports, written once and never changed. exec_reports holds the documents they were made from, so a report stays whole
when an exec report is deleted. confidence_basis: how many modules overall_confidence rests on; deprioritized: what the
modules dropped; features: which optional features were on (NULL for reports made elsewhere). input_digest: what went
into it; follows: the report before it. No two reports with one input follow the same one.';

CALL execreport._hold('execreport.master_reports');

CREATE FUNCTION execreport._data_freshness(oldest timestamptz, as_of timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN as_of - oldest < interval '24 hours' THEN 'fresh'
            WHEN as_of - oldest < interval '168 hours' THEN 'moderate'
            WHEN as_of >= oldest THEN 'stale' END;
COMMENT ON FUNCTION execreport._data_freshness(timestamptz, timestamptz) IS
'How fresh a report is whose oldest part is of that age: below 24 hours fresh, below 168 hours moderate, else stale.';

CREATE FUNCTION execreport._latest_exec_reports(tenant_id integer, configuration_id integer, context_version integer,
    as_of timestamptz)
RETURNS TABLE (ids text[], oldest timestamptz)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(latest.id ORDER BY latest.module_id COLLATE "C"), pg_catalog.min(latest.executed_at)
      FROM (SELECT DISTINCT ON (r.module_id) r.module_id, r.id, r.executed_at
              FROM execreport.exec_reports AS r
             WHERE r.tenant_id = _latest_exec_reports.tenant_id
               AND r.configuration_id = _latest_exec_reports.configuration_id
               AND r.context_version = _latest_exec_reports.context_version
               AND r.executed_at <= _latest_exec_reports.as_of
               AND execreport._exec_report_succeeded(r.output)
             ORDER BY r.module_id, r.executed_at DESC, r.id DESC) AS latest;
END;
COMMENT ON FUNCTION execreport._latest_exec_reports(integer, integer, integer, timestamptz) IS
'Of each module the newest successful exec report of that version, executed by as_of: their ids in the order of modules,
and the time of the oldest. The condition is that of idx_exec_reports_context. NULL when there are none.';

CREATE FUNCTION execreport._generate_master_report(configuration_id integer, context_version integer, as_of timestamptz)
RETURNS SETOF execreport.master_reports
LANGUAGE plpgsql VOLATILE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant      integer := execreport._require_persona('editor');
    caller      text := execreport.current_user_id();
    moment      timestamptz := coalesce(_generate_master_report.as_of, now());
    features    jsonb;
    context     execreport.configurations;
    report_ids  text[];
    oldest      timestamptz;
    epoch       bigint;
    freshness   text;
    digest      text;
    before      execreport.master_reports;
    result      execreport.master_reports;
    documents   jsonb;
    report      jsonb;
BEGIN
    IF NOT execreport._flag_enabled(tenant, 'masterReportsEnabled', caller, _generate_master_report.configuration_id) THEN
        PERFORM execreport._require_flag(tenant, 'masterReportsEnabled', caller, _generate_master_report.configuration_id);
    END IF;
    features := jsonb_build_object(
        'consolidationEnabled',
        execreport._flag_enabled(tenant, 'consolidationEnabled', caller, _generate_master_report.configuration_id),
        'councilSynthesisEnabled',
        execreport._flag_enabled(tenant, 'councilSynthesisEnabled', caller, _generate_master_report.configuration_id));
    PERFORM execreport._attempt_begin('master', '');
    IF (moment >= '0001-01-01 00:00Z' AND moment < '10000-01-01 00:00Z') IS NOT TRUE THEN
        RAISE EXCEPTION 'as_of is out of range'
            USING ERRCODE = '22008', DETAIL = format('It is %s; it may be in the years 1 to 9999.', moment);
    END IF;

    -- KEY SHARE keeps the configuration from being deleted until we commit
    SELECT * INTO context FROM execreport.configurations AS c
     WHERE c.tenant_id = tenant AND c.configuration_id = _generate_master_report.configuration_id FOR KEY SHARE;
    IF context.context_version IS DISTINCT FROM coalesce(_generate_master_report.context_version, context.context_version)
       OR NOT FOUND THEN
        SELECT * INTO context FROM execreport.configuration_versions AS v
         WHERE v.tenant_id = tenant AND v.configuration_id = _generate_master_report.configuration_id
           AND v.context_version = _generate_master_report.context_version;
        IF NOT FOUND THEN
            PERFORM execreport._require_configuration(tenant, _generate_master_report.configuration_id,
                                                      _generate_master_report.context_version);
        END IF;
    END IF;

    SELECT r.ids, r.oldest,
           (SELECT coalesce(sum(e.epoch), 0) FROM execreport.report_epochs AS e WHERE e.tenant_id IN (0, tenant))
      INTO report_ids, oldest, epoch
      FROM execreport._latest_exec_reports(tenant, context.configuration_id, context.context_version, moment) AS r;
    IF report_ids IS NULL THEN
        RAISE EXCEPTION 'no execution reports found for configuration %, version %', context.configuration_id, context.context_version
            USING ERRCODE = 'P0002',
                  DETAIL = format('%s are stored for this version; none of them succeeded and was executed by %s.',
                      (SELECT count(*) FROM execreport.exec_reports AS r
                        WHERE r.tenant_id = tenant AND r.configuration_id = context.configuration_id
                          AND r.context_version = context.context_version), execreport._instant_text(moment)),
                  HINT = 'Store some with execreport.create_exec_report().';
    END IF;

    -- the stored reports next in time; the same input gives the same report
    freshness := execreport._data_freshness(oldest, moment);
    digest := execreport._canonical_hash(features || jsonb_build_object('execReports', report_ids,
                  'contextHash', context.context_hash, 'dataFreshness', freshness, 'epoch', epoch));
    SELECT * INTO before FROM execreport.master_reports AS m
     WHERE m.tenant_id = tenant AND m.configuration_id = context.configuration_id
       AND m.context_version = context.context_version AND m.generated_at <= moment
     ORDER BY m.generated_at DESC, m.id DESC LIMIT 1;
    IF before.input_digest = digest THEN
        PERFORM execreport._attempt_end(false);
        RETURN NEXT before;
        RETURN;
    END IF;
    SELECT * INTO result FROM execreport.master_reports AS m
     WHERE m.tenant_id = tenant AND m.configuration_id = context.configuration_id
       AND m.context_version = context.context_version AND m.generated_at > moment
     ORDER BY m.generated_at, m.id LIMIT 1;
    IF result.input_digest = digest THEN
        PERFORM execreport._attempt_end(false);
        RETURN NEXT result;
        RETURN;
    END IF;

    PERFORM execreport._attempt_begin('consolidation', '');
    SELECT execreport._jsonb_array(array_agg(execreport._exec_report_document(r.id, r.module_id, r.configuration_id,
               r.context_version, r.context_hash, execreport._instant_text(r.executed_at), r.output,
               execreport._whole_playbook_result(r.playbook_result)) ORDER BY r.module_id COLLATE "C")),
           execreport.consolidate_exec_reports(r.id, r.module_id, r.executed_at, r.output, r.playbook_result,
               context.negative_scope, moment)
      INTO documents, report
      FROM execreport.exec_reports AS r
     WHERE r.tenant_id = tenant AND r.id = ANY (report_ids);
    PERFORM execreport._attempt_end();
    IF NOT (features -> 'consolidationEnabled')::boolean THEN
        report := report || '{"insights": [], "recommendations": [], "deprioritized": []}';
    END IF;
    IF NOT (features -> 'councilSynthesisEnabled')::boolean THEN
        report := report || '{"councilSynthesis": {"keyThemes": [], "crossModulePatterns": [], "prioritizedActions": []}}';
    END IF;

    -- Sessions that generate at once compute the same row; one stores it, the others find it.
    INSERT INTO execreport.master_reports (tenant_id, id, configuration_id, context_version, context_hash, generated_at,
        ucr_snapshot, exec_reports, consolidated_insights, consolidated_recommendations, council_synthesis, modules_included,
        overall_confidence, data_freshness, confidence_basis, deprioritized, features, input_digest, follows)
    VALUES (tenant, format('master-%s-%s-%s', context.configuration_id, context.context_version, execreport._uuid7()),
        context.configuration_id, context.context_version, context.context_hash, moment,
        jsonb_build_object('brand', context.brand, 'strategicIntent', context.strategic_intent,
                           'negativeScope', context.negative_scope),
        documents, report -> 'insights', report -> 'recommendations', report -> 'councilSynthesis',
        report -> 'modulesIncluded', (report ->> 'overallConfidence')::integer, freshness,
        (report ->> 'confidenceBasis')::integer, report -> 'deprioritized', features, digest, coalesce(before.id, ''))
    ON CONFLICT (tenant_id, configuration_id, context_version, input_digest, follows) DO NOTHING
    RETURNING * INTO result;
    IF NOT FOUND THEN
        SELECT * INTO result FROM execreport.master_reports AS m
         WHERE m.tenant_id = tenant AND m.configuration_id = context.configuration_id
           AND m.context_version = context.context_version AND m.input_digest = digest AND m.follows = coalesce(before.id, '');
        PERFORM execreport._attempt_end(false);
    ELSE
        PERFORM execreport._attempt_end();
    END IF;
    RETURN NEXT result;
END
$$;
COMMENT ON FUNCTION execreport._generate_master_report(integer, integer, timestamptz) IS
'generate_master_report() for all cases: the public function does the everyday one itself, and hands every other over.';

CREATE FUNCTION execreport.generate_master_report(configuration_id integer, context_version integer DEFAULT NULL,
    as_of timestamptz DEFAULT now())
RETURNS SETOF execreport.master_reports
LANGUAGE c VOLATILE SECURITY DEFINER ROWS 1 AS 'MODULE_PATHNAME', 'er_generate_master_report';
COMMENT ON FUNCTION execreport.generate_master_report(integer, integer, timestamptz) IS
'Makes the master report of a configuration and returns its row: of each module the newest successful exec report (hasData not
false, no errors) of that version, executed by as_of, consolidated in one pass.
context_version: NULL = the current one. as_of: the moment the report stands for, its generated_at; NULL = now.
Unchanged inputs (exec reports, version, flags, freshness) return the stored report instead of a copy, also when several
sessions generate at once; a rollback makes what was stored before it stale for that. Freshness: the oldest part is below 24 hours old (fresh), below 168 (moderate), or stale.
With the flag consolidationEnabled off the lists of insights and recommendations are empty, with councilSynthesisEnabled off
those of the synthesis; the column features says which were on. Needs persona editor and the flag masterReportsEnabled.
Errors: PT503, DETAIL FEATURE_DISABLED; P0002 for an unknown configuration or version, and when there are no reports; 22008;
54000 when the exec reports are too large for one document (268,435,455 bytes as jsonb); 42501.
Example: SELECT id, overall_confidence, data_freshness FROM execreport.generate_master_report(1);';

CREATE FUNCTION execreport.generate_master_reports(configuration_ids integer[] DEFAULT NULL)
RETURNS SETOF execreport.master_reports
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    caller text := execreport.current_user_id();
    wanted integer;
    newest integer;
BEGIN
    IF NOT EXISTS (SELECT FROM execreport.configurations AS c
                    WHERE c.tenant_id = tenant AND execreport._flag_enabled(tenant, 'masterReportsEnabled', caller, c.configuration_id)) THEN
        PERFORM execreport._require_flag(tenant, 'masterReportsEnabled', caller);
    END IF;
    FOR wanted, newest IN
        SELECT DISTINCT w.id, c.context_version
          FROM unnest(coalesce(generate_master_reports.configuration_ids,
                               ARRAY(SELECT own.configuration_id FROM execreport.configurations AS own
                                      WHERE own.tenant_id = tenant
                                        AND execreport._flag_enabled(tenant, 'masterReportsEnabled', caller, own.configuration_id)))) AS w (id)
          LEFT JOIN execreport.configurations AS c ON c.tenant_id = tenant AND c.configuration_id = w.id
         ORDER BY 1
    LOOP
        IF newest IS NULL THEN
            PERFORM execreport._require_configuration(tenant, wanted, NULL);
        ELSIF EXISTS (SELECT FROM execreport._latest_exec_reports(tenant, wanted, newest, now()) AS r WHERE r.ids IS NOT NULL) THEN
            RETURN QUERY SELECT * FROM execreport.generate_master_report(wanted, newest);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION execreport.generate_master_reports(integer[]) IS
'generate_master_report() for several configurations, or all of the tenant (NULL), in their current versions: one row each, in
the order of their numbers. Those without successful exec reports are skipped; of all, also those that masterReportsEnabled is
off for.
Errors: P0002 for an unknown configuration; else as generate_master_report().
Example: SELECT configuration_id, id FROM execreport.generate_master_reports();';

CREATE FUNCTION execreport.create_master_report(document jsonb) RETURNS execreport.master_reports
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant    integer := execreport._require_persona('editor');
    given     jsonb := create_master_report.document;
    configuration integer;
    version   integer;
    hash      text;
    moment    timestamptz;
    new_id    text;
    stored    execreport.master_reports;
    result    execreport.master_reports;
BEGIN
    PERFORM execreport._require_flag(tenant, 'masterReportsEnabled', execreport.current_user_id(),
                CASE WHEN given ->> 'configurationId' ~ '^[1-9][0-9]{0,8}$' THEN (given ->> 'configurationId')::integer END),
            execreport._attempt_begin('master', '');
    PERFORM execreport.require_contract('master-report', given);
    configuration := (given ->> 'configurationId')::numeric;
    moment := CASE WHEN given ->> 'generatedAt' ~ E'^\\d{4}-\\d\\d-\\d\\d$'
                   THEN (execreport._instant(given ->> 'generatedAt', 'document.generatedAt') - interval '1 day')
                   ELSE execreport._instant(given ->> 'generatedAt', 'document.generatedAt') END;

    -- KEY SHARE keeps the configuration from being deleted until we commit
    PERFORM FROM execreport.configurations AS c
     WHERE c.tenant_id = tenant AND c.configuration_id = configuration FOR KEY SHARE;
    SELECT v.context_version, v.context_hash INTO version, hash
      FROM (SELECT c.context_version, c.context_hash FROM execreport.configurations AS c
             WHERE c.tenant_id = tenant AND c.configuration_id = configuration
            UNION ALL
            SELECT v.context_version, v.context_hash FROM execreport.configuration_versions AS v
             WHERE v.tenant_id = tenant AND v.configuration_id = configuration) AS v
     WHERE v.context_version = coalesce((given ->> 'contextVersion')::numeric, v.context_version)
     ORDER BY v.context_version DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM execreport._require_configuration(tenant, configuration, (given ->> 'contextVersion')::numeric::integer);
    END IF;

    new_id := coalesce(given ->> 'id', format('master-%s-%s-%s', configuration, version, execreport._uuid7()));
    INSERT INTO execreport.master_reports (tenant_id, id, configuration_id, context_version, context_hash, generated_at,
        ucr_snapshot, exec_reports, consolidated_insights, consolidated_recommendations, council_synthesis, modules_included,
        overall_confidence, data_freshness, confidence_basis)
    VALUES (tenant, new_id, configuration, version, coalesce(given ->> 'contextHash', hash), coalesce(moment, now()),
        given -> 'ucrSnapshot', given -> 'execReports', given -> 'consolidatedInsights', given -> 'consolidatedRecommendations',
        given -> 'councilSynthesis', given -> 'modulesIncluded', round((given ->> 'overallConfidence')::numeric),
        given ->> 'dataFreshness', (given ->> 'confidenceBasis')::numeric)
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING * INTO result;
    IF FOUND THEN
        PERFORM execreport._attempt_end();
        RETURN result;
    END IF;

    SELECT * INTO stored FROM execreport.master_reports AS m WHERE m.tenant_id = tenant AND m.id = new_id;
    IF (stored.configuration_id, stored.context_version, stored.context_hash, stored.ucr_snapshot, stored.exec_reports,
        stored.consolidated_insights, stored.consolidated_recommendations, stored.council_synthesis, stored.modules_included,
        stored.overall_confidence, stored.data_freshness) IS DISTINCT FROM
       (configuration, version, coalesce(given ->> 'contextHash', hash), given -> 'ucrSnapshot', given -> 'execReports',
        given -> 'consolidatedInsights', given -> 'consolidatedRecommendations', given -> 'councilSynthesis',
        given -> 'modulesIncluded', round((given ->> 'overallConfidence')::numeric)::integer, given ->> 'dataFreshness')
       OR stored.generated_at <> coalesce(moment, stored.generated_at) THEN
        RAISE EXCEPTION 'master report "%" exists with other content', new_id
            USING ERRCODE = '23505', HINT = 'Leave id out, or choose another.';
    END IF;
    PERFORM execreport._attempt_end(false);
    RETURN stored;
END
$$;
COMMENT ON FUNCTION execreport.create_master_report(jsonb) IS
'Stores a master report that was made elsewhere, and returns its row. document: the object of master_report_document():
configurationId, ucrSnapshot, execReports, consolidatedInsights, consolidatedRecommendations, councilSynthesis {keyThemes,
crossModulePatterns, prioritizedActions}, modulesIncluded, overallConfidence (0..100, rounded), dataFreshness (fresh, moderate,
stale) are needed; id (default master-<configuration>-<version>-<UUIDv7>), contextVersion (default the current one),
contextHash (default that version''s), generatedAt (ISO 8601, default now), confidenceBasis may be left out.
The same id with the same content returns the stored row. Needs persona editor and the flag masterReportsEnabled.
Errors: PT503; 22004 for NULL; 22023 by path; P0002 for an unknown configuration or version; 23505 for a used id; 42501.
Example: SELECT id FROM execreport.create_master_report(''{"configurationId": 1, "ucrSnapshot": {}, "execReports": [],
"consolidatedInsights": [], "consolidatedRecommendations": [], "councilSynthesis": {"keyThemes": [],
"crossModulePatterns": [], "prioritizedActions": []}, "modulesIncluded": [], "overallConfidence": 0,
"dataFreshness": "stale"}'');';

CREATE FUNCTION execreport.get_master_reports_by_configuration(configuration_id integer)
RETURNS SETOF execreport.master_reports
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
BEGIN ATOMIC
    SELECT m.*
      FROM execreport.master_reports AS m
     WHERE m.tenant_id = (SELECT execreport.current_tenant())
       AND m.configuration_id = get_master_reports_by_configuration.configuration_id
     ORDER BY m.generated_at DESC, m.context_version DESC, m.id DESC;
END;
COMMENT ON FUNCTION execreport.get_master_reports_by_configuration(integer) IS
'The master reports of a configuration, the newest first; no rows when there are none.
Example: SELECT id, generated_at, overall_confidence FROM execreport.get_master_reports_by_configuration(1);';

CREATE FUNCTION execreport.get_latest_master_report(configuration_id integer) RETURNS SETOF execreport.master_reports
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT m.*
      FROM execreport.master_reports AS m
     WHERE m.tenant_id = (SELECT execreport.current_tenant())
       AND m.configuration_id = get_latest_master_report.configuration_id
     ORDER BY m.generated_at DESC, m.context_version DESC, m.id DESC
     LIMIT 1;
END;
COMMENT ON FUNCTION execreport.get_latest_master_report(integer) IS
'The newest master report of a configuration (by generated_at, then version, then id), or no row.
Example: SELECT id, data_freshness FROM execreport.get_latest_master_report(1);';

CREATE FUNCTION execreport._master_report_document(m execreport.master_reports) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.jsonb_build_object(
    'id', m.id, 'configurationId', m.configuration_id, 'contextVersion', m.context_version, 'contextHash', m.context_hash,
    'generatedAt', execreport._instant_text(m.generated_at), 'ucrSnapshot', m.ucr_snapshot, 'execReports', m.exec_reports,
    'consolidatedInsights', m.consolidated_insights, 'consolidatedRecommendations', m.consolidated_recommendations,
    'councilSynthesis', m.council_synthesis, 'modulesIncluded', m.modules_included,
    'overallConfidence', m.overall_confidence, 'dataFreshness', m.data_freshness);

CREATE FUNCTION execreport.master_report_document(id text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._require_flag(execreport.current_tenant(), 'reportsApiEnabled', execreport.current_user_id(),
        (SELECT m.configuration_id FROM execreport.master_reports AS m
          WHERE m.tenant_id = (SELECT execreport.current_tenant()) AND m.id = master_report_document.id));
    SELECT execreport._master_report_document(m)
      FROM execreport.master_reports AS m
     WHERE m.tenant_id = (SELECT execreport.current_tenant()) AND m.id = master_report_document.id;
END;
COMMENT ON FUNCTION execreport.master_report_document(text) IS
'A master report as the API gives it: {id, configurationId, contextVersion, contextHash, generatedAt, ucrSnapshot {brand,
strategicIntent, negativeScope}, execReports[], consolidatedInsights[], consolidatedRecommendations[], councilSynthesis
{keyThemes[], crossModulePatterns[], prioritizedActions[]}, modulesIncluded[], overallConfidence (0..100), dataFreshness}.
NULL when there is no such report. Needs the flag reportsApiEnabled (error PT503).
Example: SELECT execreport.master_report_document(id) FROM execreport.get_latest_master_report(1);';

CREATE FUNCTION execreport.master_reports_response(configuration_id integer) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._require_flag(execreport.current_tenant(), 'reportsApiEnabled', execreport.current_user_id(),
        master_reports_response.configuration_id);
    SELECT pg_catalog.jsonb_build_object(
               'masterReports', coalesce(pg_catalog.jsonb_agg(r.document ORDER BY r.n), '[]'),
               'latest', (pg_catalog.array_agg(r.document ORDER BY r.n))[1])
      FROM (SELECT execreport._master_report_document(m) AS document,
                   pg_catalog.row_number() OVER (ORDER BY m.generated_at DESC, m.context_version DESC, m.id DESC) AS n
              FROM execreport.master_reports AS m
             WHERE m.tenant_id = (SELECT execreport.current_tenant())
               AND m.configuration_id = master_reports_response.configuration_id) AS r;
END;
COMMENT ON FUNCTION execreport.master_reports_response(integer) IS
'The answer to GET /reports/master/:configurationId: {masterReports: [...] (the newest first), latest: object or null}.
Needs the flag reportsApiEnabled (error PT503).
Example: SELECT execreport.master_reports_response(1) -> ''latest'' ->> ''id'';';

CREATE FUNCTION execreport.generate_master_report_response(configuration_id integer, context_version integer DEFAULT NULL,
    as_of timestamptz DEFAULT now())
RETURNS jsonb
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT execreport._require_flag(execreport.current_tenant(), 'reportsApiEnabled', execreport.current_user_id(),
        generate_master_report_response.configuration_id);
    SELECT pg_catalog.jsonb_build_object('masterReport', execreport._master_report_document(m))
      FROM execreport.generate_master_report(generate_master_report_response.configuration_id,
               generate_master_report_response.context_version, generate_master_report_response.as_of) AS m;
END;
COMMENT ON FUNCTION execreport.generate_master_report_response(integer, integer, timestamptz) IS
'The answer to POST /reports/master/:configurationId/generate: {masterReport: object}; see generate_master_report().
Needs the flags reportsApiEnabled and masterReportsEnabled (error PT503).
Example: SELECT execreport.generate_master_report_response(1) -> ''masterReport'' ->> ''overallConfidence'';';

CREATE FUNCTION execreport._text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE pg_catalog.jsonb_typeof(value) WHEN 'string' THEN nullif(value #>> '{}', '') WHEN 'number' THEN value #>> '{}' END;

CREATE FUNCTION execreport._texts(list jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.array_agg(e.value #>> '{}' ORDER BY e.n)
      FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(list) WHEN 'array' THEN list END)
           WITH ORDINALITY AS e (value, n);
END;

CREATE FUNCTION execreport.master_report_items(id text)
RETURNS TABLE (section text, "position" integer, "group" text, title text, severity text, score numeric, modules text[],
    detail text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
BEGIN ATOMIC
    SELECT s.name, i.n::integer,
           CASE s.name WHEN 'insight' THEN coalesce(execreport._text(i.item -> 'category'), execreport._text(i.item -> 'type'))
                       WHEN 'recommendation' THEN coalesce(execreport._text(i.item -> 'theme'), execreport._text(i.item -> 'quadrant')) END,
           coalesce(execreport._text(i.item), execreport._text(i.item -> 'title'), execreport._text(i.item -> 'action'),
                    execreport._text(i.item -> 'message'), execreport._text(i.item -> 'id')),
           CASE s.name WHEN 'insight' THEN coalesce(execreport._text(i.item -> 'severity'), execreport._text(i.item -> 'priority'))
                       WHEN 'recommendation' THEN execreport._text(i.item -> 'impact') END,
           CASE WHEN s.name = 'insight' AND pg_catalog.jsonb_typeof(i.item -> 'confidence') = 'number'
                THEN (i.item ->> 'confidence')::numeric END,
           coalesce(execreport._texts(i.item -> 'moduleIds'), nullif(ARRAY[execreport._text(i.item -> 'moduleId')], '{NULL}')),
           CASE s.name
               WHEN 'insight' THEN coalesce(execreport._text(i.item -> 'description'), execreport._text(i.item -> 'content'))
               WHEN 'recommendation' THEN nullif(pg_catalog.concat_ws('; ',
                   pg_catalog.replace(execreport._text(i.item -> 'quadrant'), '_', ' '),
                   'effort ' || execreport._text(i.item -> 'effort'),
                   execreport._text(i.item -> 'timeline'),
                   execreport._text(i.item -> 'rationale'),
                   (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', 'conflict:', execreport._text(c.value -> 'kind'),
                               'with', execreport._text(c.value -> 'with')), '; ' ORDER BY c.n)
                      FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(i.item -> 'conflicts')
                               WHEN 'array' THEN i.item -> 'conflicts' END) WITH ORDINALITY AS c (value, n))), '')
               ELSE coalesce(execreport._text(i.item -> 'reason'), execreport._text(i.item -> 'rationale')) END
      FROM execreport.master_reports AS m,
           LATERAL (VALUES (1, 'insight', m.consolidated_insights), (2, 'recommendation', m.consolidated_recommendations),
                           (3, 'deprioritized', m.deprioritized), (4, 'theme', m.council_synthesis -> 'keyThemes'),
                           (5, 'pattern', m.council_synthesis -> 'crossModulePatterns'),
                           (6, 'action', m.council_synthesis -> 'prioritizedActions')) AS s (rank, name, list),
           LATERAL pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(s.list) WHEN 'array' THEN s.list END)
               WITH ORDINALITY AS i (item, n)
     WHERE m.tenant_id = (SELECT execreport.current_tenant()) AND m.id = master_report_items.id
     ORDER BY s.rank, i.n;
END;
COMMENT ON FUNCTION execreport.master_report_items(text) IS
'A master report as rows to read, in its order. section: insight, recommendation, deprioritized, theme, pattern, action.
position: place in the section, from 1. group: category of an insight, theme of a recommendation. severity: of an insight;
impact of a recommendation. score: confidence of an insight, 0..100. modules: who says so. detail: description, or quadrant,
effort, rationale and conflicts. What does not apply is NULL. No rows when there is no such report.
Example: SELECT section, title, severity FROM execreport.master_report_items(''master-1-1-x'');';
