-- exec_reports: what the modules found. One row per execution, written once and never changed.

CREATE FUNCTION execreport._exec_report_succeeded(output jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_exec_report_succeeded';
COMMENT ON FUNCTION execreport._exec_report_succeeded(jsonb) IS
'Was the run a success: hasData is not false, and there are no errors. Dear, for the output must be read for it: the index
of successful runs knows the answer.';

CREATE TABLE execreport.exec_reports (
    tenant_id        integer NOT NULL DEFAULT execreport.current_tenant(),
    id               text NOT NULL,
    configuration_id integer NOT NULL,
    module_id        text NOT NULL,
    context_version  integer NOT NULL,
    context_hash     text NOT NULL,
    executed_at      timestamptz NOT NULL DEFAULT now(),
    output           jsonb NOT NULL,
    playbook_result  jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    created_by       text NOT NULL DEFAULT execreport.current_user_id(),
    PRIMARY KEY (tenant_id, id)
) WITH (toast_tuple_target = 4080); -- two rows to a page: most outputs, compressed, stay in their row and are read with it
CREATE INDEX idx_exec_reports_config ON execreport.exec_reports (tenant_id, configuration_id);
-- the successful runs alone: what master reports are made of
CREATE INDEX idx_exec_reports_context
    ON execreport.exec_reports (tenant_id, configuration_id, context_version, module_id, executed_at DESC, id DESC)
 WHERE execreport._exec_report_succeeded(output);
COMMENT ON TABLE execreport.exec_reports IS
'Results of module executions: output and playbook_result as the module gave them, context_version and context_hash of the
configuration they were made under. Rows are inserted by create_exec_report() and record_module_execution(), deleted by
delete_exec_report(), never updated: id, created_at and created_by are the trace of their creation.';

CALL execreport._hold('execreport.exec_reports');

CREATE FUNCTION execreport._exec_report_fits(output jsonb, playbook_result jsonb) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN execreport.json_matches_schema(execreport._exec_report_output_contract(), output)
       AND (execreport.json_matches_schema(execreport._playbook_result_contract(), nullif(playbook_result, 'null')) IS NOT FALSE);
COMMENT ON FUNCTION execreport._exec_report_fits(jsonb, jsonb) IS
'Are both documents valid against the contracts exec-report-output and playbook-result? NULL without an output.';

CREATE FUNCTION execreport._refuse_exec_documents(output jsonb, playbook_result jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF output IS NULL THEN
        RAISE EXCEPTION 'output is null' USING ERRCODE = '22004', HINT = 'Give the object that the module returned.';
    END IF;
    PERFORM execreport._require_contract('exec-report-output', output, 'output', NULL),
            execreport._require_contract('playbook-result', playbook_result, 'playbookResult', NULL);
END
$$;
COMMENT ON FUNCTION execreport._refuse_exec_documents(jsonb, jsonb) IS
'Says what is wrong with the documents of an exec report.';

CREATE FUNCTION execreport._held_to(contract text, output jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM execreport._require_contract(contract, output, 'output', NULL);
    RETURN output;
END
$$;
COMMENT ON FUNCTION execreport._held_to(text, jsonb) IS
'The output, when it is valid against the contract of its module; else error 22023.';

CREATE FUNCTION execreport._create_exec_report(configuration_id integer, module_id text, output jsonb,
    playbook_result jsonb, context_version integer, executed_at timestamptz, id text)
RETURNS execreport.exec_reports
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    new_id text := coalesce(_create_exec_report.id, 'exec-' || _create_exec_report.module_id || '-' || execreport._uuid7());
    moment timestamptz := coalesce(_create_exec_report.executed_at, now());
    result execreport.exec_reports;
BEGIN
    PERFORM execreport._require_flag(tenant, 'execReportsEnabled', execreport.current_user_id(), _create_exec_report.configuration_id);
    IF execreport._exec_report_fits(_create_exec_report.output, _create_exec_report.playbook_result) IS NOT TRUE THEN
        PERFORM execreport._refuse_exec_documents(_create_exec_report.output, _create_exec_report.playbook_result);
    END IF;
    IF (length(_create_exec_report.module_id) BETWEEN 1 AND 100 AND length(new_id) BETWEEN 1 AND 200
        AND moment >= '0001-01-01 00:00Z' AND moment < '10000-01-01 00:00Z') IS NOT TRUE THEN
        PERFORM execreport._refuse_exec_report(_create_exec_report.module_id, new_id, moment);
    END IF;

    -- KEY SHARE keeps the configuration from being deleted until we commit
    INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash,
        executed_at, output, playbook_result)
    SELECT tenant, new_id, c.configuration_id, _create_exec_report.module_id, c.context_version, c.context_hash, moment,
           CASE WHEN m.output_contract IS NULL THEN _create_exec_report.output
                ELSE execreport._held_to(m.output_contract, _create_exec_report.output) END,
           nullif(_create_exec_report.playbook_result, 'null')
      FROM execreport.configurations AS c
      LEFT JOIN execreport.modules AS m ON m.tenant_id = tenant AND m.module_id = _create_exec_report.module_id
     WHERE c.tenant_id = tenant AND c.configuration_id = _create_exec_report.configuration_id
       AND (_create_exec_report.context_version IS NULL OR c.context_version = _create_exec_report.context_version)
       FOR KEY SHARE OF c
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING * INTO result;
    IF FOUND THEN
        RETURN result;
    END IF;

    -- the same id once more, an earlier version, or nothing to make a report for
    SELECT * INTO result FROM execreport.exec_reports AS r WHERE r.tenant_id = tenant AND r.id = new_id;
    IF FOUND THEN
        IF (result.configuration_id, result.module_id, result.output) IS NOT DISTINCT FROM
               (_create_exec_report.configuration_id, _create_exec_report.module_id, _create_exec_report.output)
           AND result.playbook_result IS NOT DISTINCT FROM nullif(_create_exec_report.playbook_result, 'null')
           AND result.context_version = coalesce(_create_exec_report.context_version, result.context_version)
           AND moment IN (result.executed_at, now()) THEN
            RETURN result;
        END IF;
        RAISE EXCEPTION 'exec report "%" exists with other content', new_id
            USING ERRCODE = '23505', HINT = 'The same id stands for the same execution: leave id out, or choose another.';
    END IF;

    INSERT INTO execreport.exec_reports (tenant_id, id, configuration_id, module_id, context_version, context_hash,
        executed_at, output, playbook_result)
    SELECT tenant, new_id, c.configuration_id, _create_exec_report.module_id, v.context_version, v.context_hash, moment,
           CASE WHEN m.output_contract IS NULL THEN _create_exec_report.output
                ELSE execreport._held_to(m.output_contract, _create_exec_report.output) END,
           nullif(_create_exec_report.playbook_result, 'null')
      FROM execreport.configurations AS c
      JOIN execreport.configuration_versions AS v USING (tenant_id, configuration_id)
      LEFT JOIN execreport.modules AS m ON m.tenant_id = tenant AND m.module_id = _create_exec_report.module_id
     WHERE c.tenant_id = tenant AND c.configuration_id = _create_exec_report.configuration_id
       AND v.context_version = _create_exec_report.context_version
       FOR KEY SHARE OF c
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING * INTO result;
    IF NOT FOUND THEN
        PERFORM execreport._require_configuration(tenant, _create_exec_report.configuration_id, _create_exec_report.context_version);
        -- somebody stored the same id meanwhile
        result := execreport._create_exec_report(_create_exec_report.configuration_id, _create_exec_report.module_id,
                      _create_exec_report.output, _create_exec_report.playbook_result, _create_exec_report.context_version,
                      _create_exec_report.executed_at, new_id);
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._create_exec_report(integer, text, jsonb, jsonb, integer, timestamptz, text) IS
'create_exec_report() for all cases: the public function does the everyday one itself, and hands every other over.';

CREATE FUNCTION execreport.create_exec_report(configuration_id integer, module_id text, output jsonb,
    playbook_result jsonb DEFAULT NULL, context_version integer DEFAULT NULL, executed_at timestamptz DEFAULT now(),
    id text DEFAULT NULL)
RETURNS execreport.exec_reports
LANGUAGE c VOLATILE SECURITY DEFINER AS 'MODULE_PATHNAME', 'er_create_exec_report';
COMMENT ON FUNCTION execreport.create_exec_report(integer, text, jsonb, jsonb, integer, timestamptz, text) IS
'Stores what a module found, and returns the row.
output: the module''s output, an object; playbook_result: an object, or NULL when the module has no playbook. They are held
to the contracts exec-report-output and playbook-result, and to the contract that register_module() named for the
module. Known members must have their types: insights and recommendations are arrays of objects, confidence is a number from 0 to 100, hasData a
boolean, errors an array, deprioritized an array of strings, councilPrompt a string; other members are kept as they are.
context_version: NULL = the current one; context_hash is the hash of that version. executed_at: NULL = now.
id: NULL = exec-<module_id>-<UUIDv7>. The same id with the same content returns the stored row and changes nothing; an
executed_at left at its default then counts as the same.
Needs persona editor and the flag execReportsEnabled.
Errors: PT503, DETAIL FEATURE_DISABLED; 22004 for a NULL output or module_id; 22023 by path for what has a wrong shape; 22008
for an executed_at outside the years 1 to 9999; P0002 for an unknown configuration or version; 23505 for a used id; 42501.
Example: SELECT id FROM execreport.create_exec_report(1, ''keyword-gap'', ''{"hasData": true, "insights": []}'');';

CREATE FUNCTION execreport._refuse_exec_report(module_id text, id text, executed_at timestamptz) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF module_id IS NULL THEN
        RAISE EXCEPTION 'module_id is null' USING ERRCODE = '22004', HINT = 'Name the module, such as keyword-gap.';
    ELSIF length(module_id) NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'module_id has % characters', length(module_id)
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 100.';
    ELSIF length(id) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'id has % characters', length(id) USING ERRCODE = '22023', DETAIL = 'It may have 1 to 200.';
    END IF;
    RAISE EXCEPTION 'executed_at is out of range'
        USING ERRCODE = '22008', DETAIL = format('It is %s; it may be in the years 1 to 9999.', executed_at);
END
$$;
COMMENT ON FUNCTION execreport._refuse_exec_report(text, text, timestamptz) IS
'Says which of the scalar arguments of an exec report is wrong.';

CREATE FUNCTION execreport._require_configuration(tenant_id integer, configuration_id integer, context_version integer)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    newest integer := (SELECT c.context_version FROM execreport.configurations AS c
                        WHERE c.tenant_id = _require_configuration.tenant_id
                          AND c.configuration_id = _require_configuration.configuration_id);
BEGIN
    IF newest IS NULL THEN
        RAISE EXCEPTION 'configuration % does not exist', coalesce(_require_configuration.configuration_id::text, 'null')
            USING ERRCODE = 'P0002', HINT = 'Make it with execreport.save_configuration().';
    ELSIF _require_configuration.context_version IS DISTINCT FROM newest AND NOT EXISTS (
        SELECT FROM execreport.configuration_versions AS v
         WHERE v.tenant_id = _require_configuration.tenant_id AND v.configuration_id = _require_configuration.configuration_id
           AND v.context_version = _require_configuration.context_version) THEN
        RAISE EXCEPTION 'configuration % has no version %', _require_configuration.configuration_id,
              coalesce(_require_configuration.context_version::text, 'null')
            USING ERRCODE = 'P0002', DETAIL = format('Its versions are 1 to %s.', newest);
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._require_configuration(integer, integer, integer) IS
'Error P0002 when the configuration or this version of it does not exist.';

CREATE FUNCTION execreport.get_exec_reports_by_configuration(configuration_id integer, context_version integer DEFAULT NULL)
RETURNS SETOF execreport.exec_reports
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
BEGIN ATOMIC
    SELECT r.*
      FROM execreport.exec_reports AS r
     WHERE r.tenant_id = (SELECT execreport.current_tenant())
       AND r.configuration_id = get_exec_reports_by_configuration.configuration_id
       AND (get_exec_reports_by_configuration.context_version IS NULL
            OR r.context_version = get_exec_reports_by_configuration.context_version)
     ORDER BY r.executed_at DESC, r.id DESC;
END;
COMMENT ON FUNCTION execreport.get_exec_reports_by_configuration(integer, integer) IS
'The exec reports of a configuration, the newest first, all versions or one; no rows when there are none.
Example: SELECT id, module_id, executed_at FROM execreport.get_exec_reports_by_configuration(1);';

CREATE FUNCTION execreport.get_exec_report_by_id(id text) RETURNS SETOF execreport.exec_reports
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT r.*
      FROM execreport.exec_reports AS r
     WHERE r.tenant_id = (SELECT execreport.current_tenant()) AND r.id = get_exec_report_by_id.id;
END;
COMMENT ON FUNCTION execreport.get_exec_report_by_id(text) IS
'One exec report of the current tenant, or no row.
Example: SELECT module_id, output FROM execreport.get_exec_report_by_id(''exec-keyword-gap-1'');';

CREATE FUNCTION execreport._whole_playbook_result(playbook_result jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN playbook_result IS NULL THEN NULL
            WHEN pg_catalog.jsonb_typeof(playbook_result -> 'insights') = 'array'
             AND pg_catalog.jsonb_typeof(playbook_result -> 'recommendations') = 'array'
             AND pg_catalog.jsonb_typeof(playbook_result -> 'deprioritized') = 'array'
             AND pg_catalog.jsonb_typeof(playbook_result -> 'councilPrompt') = 'string'
    THEN playbook_result
    ELSE playbook_result || pg_catalog.jsonb_build_object(
             'insights', coalesce(nullif(playbook_result -> 'insights', 'null'), '[]'),
             'recommendations', coalesce(nullif(playbook_result -> 'recommendations', 'null'), '[]'),
             'deprioritized', coalesce(nullif(playbook_result -> 'deprioritized', 'null'), '[]'),
             'councilPrompt', coalesce(nullif(playbook_result -> 'councilPrompt', 'null'), nullif(playbook_result -> 'council_prompt', 'null'), '""')) END;
COMMENT ON FUNCTION execreport._whole_playbook_result(jsonb) IS
'A playbook result with all four members that readers of the document expect: what the module left out is empty.';

CREATE FUNCTION execreport._exec_report_document(id text, module_id text, configuration_id integer, context_version integer,
    context_hash text, executed_at text, output jsonb, playbook_result jsonb)
RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_exec_report_document';
COMMENT ON FUNCTION execreport._exec_report_document(text, text, integer, integer, text, text, jsonb, jsonb) IS
'The API''s object of an exec report; without a playbook_result when that is NULL.';

CREATE FUNCTION execreport._jsonb_array(elements jsonb[]) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_jsonb_array';
COMMENT ON FUNCTION execreport._jsonb_array(jsonb[]) IS
'The documents as one array; they are copied as they are.';

CREATE FUNCTION execreport.exec_report_document(id text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._require_flag(execreport.current_tenant(), 'reportsApiEnabled', execreport.current_user_id(),
        (SELECT r.configuration_id FROM execreport.exec_reports AS r
          WHERE r.tenant_id = (SELECT execreport.current_tenant()) AND r.id = exec_report_document.id));
    SELECT execreport._exec_report_document(r.id, r.module_id, r.configuration_id, r.context_version, r.context_hash,
               execreport._instant_text(r.executed_at), r.output, execreport._whole_playbook_result(r.playbook_result))
      FROM execreport.exec_reports AS r
     WHERE r.tenant_id = (SELECT execreport.current_tenant()) AND r.id = exec_report_document.id;
END;
COMMENT ON FUNCTION execreport.exec_report_document(text) IS
'An exec report as the API gives it: {id, moduleId, configurationId, contextVersion, contextHash, executedAt, output,
playbookResult {insights, recommendations, deprioritized, councilPrompt}}; playbookResult is left out when the module has no
playbook; executedAt is ISO 8601 in UTC. NULL when there is no such report. Needs the flag reportsApiEnabled (error PT503).
Example: SELECT execreport.exec_report_document(''exec-keyword-gap-1'');';

CREATE FUNCTION execreport.exec_reports_response(configuration_id integer, context_version integer DEFAULT NULL) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT execreport._require_flag(execreport.current_tenant(), 'reportsApiEnabled', execreport.current_user_id(),
        exec_reports_response.configuration_id);
    SELECT pg_catalog.jsonb_build_object('execReports', coalesce(execreport._jsonb_array(pg_catalog.array_agg(
               execreport._exec_report_document(r.id, r.module_id, r.configuration_id, r.context_version, r.context_hash,
                   execreport._instant_text(r.executed_at), r.output, execreport._whole_playbook_result(r.playbook_result))
               ORDER BY r.executed_at DESC, r.id DESC)), '[]'))
      FROM execreport.get_exec_reports_by_configuration(exec_reports_response.configuration_id,
               exec_reports_response.context_version) AS r;
END;
COMMENT ON FUNCTION execreport.exec_reports_response(integer, integer) IS
'The answer to GET /reports/exec/:configurationId: {execReports: [...]}, the newest first, all versions or one.
Needs the flag reportsApiEnabled (error PT503).
Example: SELECT execreport.exec_reports_response(1);';

CREATE FUNCTION execreport._module_answer(output jsonb, playbook jsonb, added jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_module_answer';
COMMENT ON FUNCTION execreport._module_answer(jsonb, jsonb, jsonb) IS
'The answer to a module execution, from three objects: {result: {...output, insights, recommendations,
deprioritizedActions, ...added}}, with the lists of the playbook where it has them.';

CREATE FUNCTION execreport.record_module_execution(configuration_id integer, module_id text, output jsonb,
    playbook_result jsonb DEFAULT NULL)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant   integer := execreport._require_persona('editor');
    enabled  boolean := execreport._flag_enabled(tenant, 'execReportsEnabled', execreport.current_user_id(),
                                                 record_module_execution.configuration_id);
    playbook jsonb := coalesce(record_module_execution.playbook_result, '{}');
    hash     text;
    report   text;
BEGIN
    IF record_module_execution.output IS NULL THEN
        RAISE EXCEPTION 'output is null' USING ERRCODE = '22004', HINT = 'Give the object that the module returned.';
    END IF;
    IF jsonb_typeof(record_module_execution.output) <> 'object' THEN
        PERFORM execreport._require_contract('exec-report-output', record_module_execution.output, 'output', NULL);
    END IF;
    IF jsonb_typeof(playbook) <> 'object' THEN
        playbook := '{}';
    END IF;
    SELECT c.context_hash INTO hash FROM execreport.configurations AS c
     WHERE c.tenant_id = tenant AND c.configuration_id = record_module_execution.configuration_id;
    IF NOT FOUND THEN
        PERFORM execreport._require_configuration(tenant, record_module_execution.configuration_id, NULL);
    END IF;
    IF enabled THEN
        SELECT r.id, r.context_hash INTO report, hash
          FROM execreport.create_exec_report(record_module_execution.configuration_id, record_module_execution.module_id,
                   record_module_execution.output, record_module_execution.playbook_result) AS r;
    END IF;
    RETURN execreport._module_answer(record_module_execution.output, playbook, jsonb_build_object('ucrSnapshot',
            jsonb_build_object('hash', hash, 'validatedAt', execreport._instant_text(now()),
                'isCMOSafe', execreport.check_context(record_module_execution.configuration_id) -> 'cmoSafe'))
        || CASE WHEN report IS NULL THEN '{}' ELSE jsonb_build_object('execReportId', report) END);
END
$$;
COMMENT ON FUNCTION execreport.record_module_execution(integer, text, jsonb, jsonb) IS
'What an application calls after a module has run: stores the exec report under the current version and returns the answer to
the module''s caller: {result: {...output, insights, recommendations, deprioritizedActions, ucrSnapshot {hash, validatedAt,
isCMOSafe}, execReportId}}; insights and recommendations are the playbook''s, or the output''s when it has none.
With the flag execReportsEnabled off nothing is stored and execReportId is left out: the module goes on working. Whether the
context is valid is asked before a module runs, with require_valid_context().
Needs persona editor. Errors: as create_exec_report() without PT503.
Example: SELECT execreport.record_module_execution(1, ''keyword-gap'', ''{"hasData": true}'') #>> ''{result,execReportId}'';';

CREATE FUNCTION execreport.delete_exec_report(id text, reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('operator');
    gone   execreport.exec_reports;
BEGIN
    PERFORM execreport._check_reason(delete_exec_report.reason, 'A deletion is audited: say why.');
    DELETE FROM execreport.exec_reports AS r WHERE r.tenant_id = tenant AND r.id = delete_exec_report.id
    RETURNING r.* INTO gone;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM execreport._audit(tenant, 'delete', 'exec_report', gone.id,
        jsonb_build_object('configurationId', gone.configuration_id, 'moduleId', gone.module_id,
            'contextVersion', gone.context_version, 'contextHash', gone.context_hash,
            'executedAt', execreport._instant_text(gone.executed_at), 'createdBy', gone.created_by,
            'outputHash', execreport._canonical_hash(gone.output)),
        NULL, delete_exec_report.reason);
    RETURN true;
END
$$;
COMMENT ON FUNCTION execreport.delete_exec_report(text, text) IS
'Deletes an exec report of the current tenant: true when there was one. Master reports that were made from it keep their
copy. The audit row keeps what it was and the hash of its output. Needs persona operator and a reason.
Errors: 22004 or 22023 without a reason; 42501.
Example: SELECT execreport.delete_exec_report(''exec-keyword-gap-1'', ''made from wrong data'');';
