-- report_builder: what a form with four steps keeps: drafts, submissions, and the trail of the steps.
--
-- The steps themselves are in report_builder_plan (from a document to a plan) and report_builder_submit (the plan
-- shown, and carried out).

CREATE TABLE execreport.report_drafts (
    tenant_id  integer NOT NULL DEFAULT execreport.current_tenant(),
    draft_id   uuid NOT NULL DEFAULT execreport._uuid7(),
    user_id    text NOT NULL DEFAULT execreport.current_user_id(),
    step       text NOT NULL CHECK (step IN ('parameters', 'schedule', 'review', 'submit')),
    steps      text[] NOT NULL,
    document   jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, draft_id)
);
CREATE INDEX report_drafts_user_idx ON execreport.report_drafts (tenant_id, user_id, updated_at);
COMMENT ON TABLE execreport.report_drafts IS
'Reports that are being configured. step: the last one that was saved; steps: all of them; document: what they say together.
Written by save_draft(), read by get_draft(), gone with submit_report().';

CREATE TABLE execreport.report_submissions (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    submission_id uuid NOT NULL DEFAULT execreport._uuid7(),
    user_id       text NOT NULL DEFAULT execreport.current_user_id(),
    request_key   text,
    request_hash  text NOT NULL,
    workflow_id   uuid NOT NULL,
    collection_id uuid,
    schedule_id   uuid,
    document      jsonb NOT NULL,
    answer        jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, submission_id),
    UNIQUE (tenant_id, user_id, request_key)
);
CREATE INDEX report_submissions_workflow_idx ON execreport.report_submissions (tenant_id, workflow_id, submission_id);
CREATE INDEX report_submissions_collection_idx ON execreport.report_submissions (tenant_id, collection_id);
CREATE INDEX report_submissions_schedule_idx ON execreport.report_submissions (tenant_id, schedule_id);
COMMENT ON TABLE execreport.report_submissions IS
'Reports that were submitted: the document as it counted, what was made of it, and the answer that a repeated request gets.';

CREATE TABLE execreport._submit_rates (
    tenant_id integer NOT NULL,
    user_id   text NOT NULL,
    recent    timestamptz[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, user_id)
);
COMMENT ON TABLE execreport._submit_rates IS
'When a user submitted within the last minute. Whoever submits holds the lock of its row, so limits hold exactly.';

CALL execreport._hold('execreport.report_drafts');
CALL execreport._hold('execreport.report_submissions');
CALL execreport._hold('execreport._submit_rates');

CREATE FUNCTION execreport._builder_keys() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT '{workflowId,parameters,lookbackConfig,segmentationConfig,scheduleType,scheduleConfig,backfillConfig,asOf}'::text[];
END;
COMMENT ON FUNCTION execreport._builder_keys() IS 'The members that a draft keeps; a request also has requestKey and draftId.';

CREATE FUNCTION execreport._builder_error(code text, path text, message text, details jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_build_object('code', _builder_error.code, 'message', _builder_error.message, 'path', _builder_error.path,
                              'details', coalesce(_builder_error.details, '{}'));
END;
COMMENT ON FUNCTION execreport._builder_error(text, text, text, jsonb) IS
'The one shape of an error: {"code", "message", "path", "details"}. path is the member of the document, "$" for all of it.';

CREATE FUNCTION execreport._camel_case(key text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN _camel_case.key ~ '^[a-z][a-z0-9]*(_[a-z0-9]+)+$'
        THEN (SELECT string_agg(CASE p.n WHEN 1 THEN p.part ELSE upper(left(p.part, 1)) || substr(p.part, 2) END, '' ORDER BY p.n)
                FROM regexp_split_to_table(_camel_case.key, '_') WITH ORDINALITY AS p(part, n))
        ELSE _camel_case.key END;
END;
COMMENT ON FUNCTION execreport._camel_case(text) IS 'look_back_days as lookBackDays; anything else as it is.';

CREATE FUNCTION execreport._builder_members(document jsonb, path text, known text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH given AS (
            SELECT e.key, execreport._camel_case(e.key) AS name, e.value
              FROM jsonb_each(CASE WHEN jsonb_typeof(_builder_members.document) = 'object' THEN _builder_members.document ELSE '{}' END) AS e
             WHERE e.value <> 'null'
        ), fault AS (
            SELECT min(g.key) AS key,
                   CASE WHEN bool_or(g.name <> ALL (_builder_members.known)) THEN format('unknown key "%s"', left(min(g.key), 64))
                        ELSE format('"%s" and "%s" differ', min(g.key), max(g.key)) END AS message,
                   CASE WHEN bool_or(g.name <> ALL (_builder_members.known))
                        THEN jsonb_build_object('allowed', to_jsonb(_builder_members.known))
                        ELSE jsonb_build_object('hint', 'Keep one of the two keys.') END AS details
              FROM given AS g
             GROUP BY g.name
            HAVING bool_or(g.name <> ALL (_builder_members.known)) OR count(DISTINCT g.value) > 1
             ORDER BY 1 LIMIT 20
        )
        SELECT jsonb_build_object(
            'members', (SELECT coalesce(jsonb_object_agg(g.name, g.value), '{}') FROM given AS g WHERE g.name = ANY (_builder_members.known)),
            'errors', CASE WHEN jsonb_typeof(_builder_members.document) = 'object'
                THEN (SELECT coalesce(jsonb_agg(execreport._builder_error('INVALID_DOCUMENT',
                                                    _builder_members.path || left(f.key, 64), f.message, f.details) ORDER BY f.key), '[]')
                        FROM fault AS f)
                ELSE jsonb_build_array(execreport._builder_error('INVALID_DOCUMENT', coalesce(nullif(rtrim(_builder_members.path, '.'), ''), '$'),
                    'must be a JSON object, not ' || coalesce(jsonb_typeof(_builder_members.document), 'null'))) END));
END
$$;
COMMENT ON FUNCTION execreport._builder_members(jsonb, text, text[]) IS
'Reads an object at the door: {"members": its members under camelCase keys, nulls left out, "errors": unknown keys and
keys that stand there in two spellings with different values}. path: put before the keys.';

CREATE FUNCTION execreport._builder_whole(members jsonb, key text, path text, code text, lowest integer, highest integer) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN v.value IS NULL THEN '[]'
                WHEN CASE WHEN jsonb_typeof(v.value) = 'number'
                          THEN v.value::numeric % 1 = 0 AND v.value::numeric BETWEEN _builder_whole.lowest AND _builder_whole.highest
                          ELSE false END THEN '[]'
                ELSE jsonb_build_array(execreport._builder_error(_builder_whole.code, _builder_whole.path || _builder_whole.key,
                    format('must be a whole number from %s to %s, not %s', _builder_whole.lowest, _builder_whole.highest, left(v.value::text, 64))))
           END
      FROM (SELECT _builder_whole.members -> _builder_whole.key) AS v(value);
END;
COMMENT ON FUNCTION execreport._builder_whole(jsonb, text, text, text, integer, integer) IS
'The errors ([] or one) of a member that must be a whole number within bounds; absent is right.';

CREATE FUNCTION execreport._builder_workflow(members jsonb, required boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH given AS (
            SELECT members -> 'workflowId' AS value,
                   CASE WHEN jsonb_typeof(members -> 'workflowId') = 'string'
                         AND members ->> 'workflowId' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                        THEN (members ->> 'workflowId')::uuid END AS id
        ), found AS (
            SELECT g.value, g.id, w.name
              FROM given AS g
              LEFT JOIN execreport.workflows AS w ON w.tenant_id = execreport.current_tenant() AND w.workflow_id = g.id
        )
        SELECT jsonb_build_object('id', f.id, 'name', f.name, 'errors',
            CASE WHEN f.name IS NOT NULL OR f.value IS NULL AND NOT required THEN '[]'
                 WHEN f.value IS NULL THEN jsonb_build_array(execreport._builder_error('INVALID_WORKFLOW', 'workflowId', 'is missing'))
                 WHEN f.id IS NULL THEN jsonb_build_array(execreport._builder_error('INVALID_WORKFLOW', 'workflowId',
                                            'must be a uuid, not ' || left(f.value::text, 64)))
                 ELSE jsonb_build_array(execreport._builder_error('UNKNOWN_WORKFLOW', 'workflowId',
                          'workflow ' || f.id || ' does not exist')) END)
          FROM found AS f);
END
$$;
COMMENT ON FUNCTION execreport._builder_workflow(jsonb, boolean) IS
'The workflow of a document: {"id", "name", "errors"}. Another tenant''s workflow does not exist.';

CREATE FUNCTION execreport._builder_refuse(state text, errors jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first jsonb := errors -> 0;
BEGIN
    RAISE EXCEPTION '%: %', first ->> 'path', first ->> 'message'
        USING ERRCODE = state,
              DETAIL = (first || CASE WHEN jsonb_array_length(errors) > 1 THEN jsonb_build_object('errors', errors) ELSE '{}' END)::text,
              HINT = CASE state WHEN 'PT429' THEN 'Try again later.' ELSE 'DETAIL has the error as JSON.' END;
END
$$;
COMMENT ON FUNCTION execreport._builder_refuse(text, jsonb) IS
'Raises the first of these errors: the SQLSTATE is PT and the HTTP status, DETAIL the error as JSON with all of them as
"errors" when there are several.';

CREATE FUNCTION execreport.save_draft(draft_id uuid, step text, document jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    door jsonb := execreport._builder_members(save_draft.document, '', execreport._builder_keys());
    absent text[];
    whole jsonb;
    result uuid;
BEGIN
    IF save_draft.step IS NULL OR save_draft.step NOT IN ('parameters', 'schedule', 'review', 'submit') THEN
        PERFORM execreport._builder_refuse('PT422', jsonb_build_array(execreport._builder_error('INVALID_STEP', 'step',
            'is unknown: ' || coalesce('"' || left(save_draft.step, 64) || '"', 'null'),
            '{"allowed": ["parameters", "schedule", "review", "submit"]}')));
    ELSIF door -> 'errors' <> '[]' THEN
        PERFORM execreport._builder_refuse('PT422', door -> 'errors');
    END IF;
    -- null takes a member back that an earlier step set
    SELECT coalesce(array_agg(execreport._camel_case(e.key)), '{}') INTO absent
      FROM jsonb_each(save_draft.document) AS e WHERE e.value = 'null';

    IF save_draft.draft_id IS NULL THEN
        INSERT INTO execreport.report_drafts AS d (tenant_id, step, steps, document)
        VALUES (tenant, save_draft.step, ARRAY[save_draft.step], door -> 'members')
        RETURNING d.draft_id, d.document INTO result, whole;
    ELSE
        UPDATE execreport.report_drafts AS d
           SET step = save_draft.step, updated_at = now(),
               steps = CASE WHEN save_draft.step = ANY (d.steps) THEN d.steps ELSE d.steps || save_draft.step END,
               document = (d.document - absent) || (door -> 'members')
         WHERE d.tenant_id = tenant AND d.user_id = execreport.current_user_id() AND d.draft_id = save_draft.draft_id
        RETURNING d.draft_id, d.document INTO result, whole;
        IF result IS NULL THEN
            PERFORM execreport._builder_refuse('PT404', jsonb_build_array(execreport._builder_error('UNKNOWN_DRAFT', 'draftId',
                'draft ' || save_draft.draft_id || ' does not exist')));
        END IF;
    END IF;
    -- the step submit is completed by submit_report() alone
    IF save_draft.step <> 'submit' THEN
        INSERT INTO execreport.report_builder_audit (tenant_id, workflow_id, step_completed, configuration)
        VALUES (tenant, (execreport._builder_workflow(whole, false) ->> 'id')::uuid, save_draft.step, door -> 'members');
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.save_draft(uuid, text, jsonb) IS
'Keeps what a step of the report builder says, over steps and sessions, and returns the draft''s id. Writes the step''s row of
report_builder_audit in the same transaction (the step submit gets its row from submit_report). For editors; a draft
belongs to its user.
draft_id: NULL begins a new draft. step: parameters, schedule, review or submit. document: members as for submit_report; each
takes the place of the same member of an earlier step, null takes it back. They are not checked yet, a draft may be wrong.
Errors: 42501 for others; PT422 an unknown step or key, a document that is no object; PT404 a draft that does not exist
(any more). DETAIL is the error as JSON.
Example: SELECT execreport.save_draft(NULL, ''parameters'', ''{"lookbackConfig": {"type": "relative", "value": 14, "unit": "days"}}'');';

CREATE FUNCTION execreport.get_draft(draft_id uuid) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT jsonb_build_object('draftId', d.draft_id, 'step', d.step, 'completedSteps', to_jsonb(d.steps), 'document', d.document,
                              'createdAt', d.created_at, 'updatedAt', d.updated_at)
      FROM execreport.report_drafts AS d
     WHERE d.tenant_id = (SELECT execreport.current_tenant()) AND d.user_id = (SELECT execreport.current_user_id())
       AND d.draft_id = get_draft.draft_id;
END;
COMMENT ON FUNCTION execreport.get_draft(uuid) IS
'A draft of the user: {"draftId", "step": the last one saved, "completedSteps", "document": what all steps say together,
"createdAt", "updatedAt"}. NULL when there is none: never begun, submitted, or another user''s.
Example: SELECT execreport.get_draft(draft_id) -> ''document'' FROM execreport.report_drafts;';

CREATE FUNCTION execreport.report_builder_history(filter jsonb DEFAULT '{}')
RETURNS TABLE (audit_id uuid, user_id text, workflow_id uuid, workflow_name text, step_completed text, configuration jsonb,
               created_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' AS $$
#variable_conflict use_column
DECLARE
    door jsonb := execreport._builder_members(filter, 'filter.', '{workflowId,userId,step,from,until,limit}');
    f jsonb := door -> 'members';
    errors jsonb := (door -> 'errors') || execreport._builder_whole(f, 'limit', 'filter.', 'INVALID_FILTER', 1, 10000);
    wrong text;
    state text := '22007';
    since timestamptz;
    before timestamptz;
BEGIN
    IF jsonb_typeof(f -> 'userId') <> 'string' THEN
        errors := errors || execreport._builder_error('INVALID_FILTER', 'filter.userId', 'must be a string, not ' || jsonb_typeof(f -> 'userId'));
    END IF;
    IF f ? 'step' AND (f -> 'step' IN ('"parameters"', '"schedule"', '"review"', '"submit"')) IS NOT TRUE THEN
        errors := errors || execreport._builder_error('INVALID_FILTER', 'filter.step', 'is unknown: ' || left(f ->> 'step', 64));
    END IF;
    IF f ? 'workflowId' AND f ->> 'workflowId' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        errors := errors || execreport._builder_error('INVALID_FILTER', 'filter.workflowId', 'must be a uuid, not ' || left(f ->> 'workflowId', 64));
    END IF;
    IF errors <> '[]' THEN
        RAISE EXCEPTION '% %', errors #>> '{0,path}', errors #>> '{0,message}'
            USING ERRCODE = '22023', DETAIL = 'A filter has the keys workflowId, userId, step, from, until and limit.';
    END IF;
    SELECT i.key INTO wrong FROM jsonb_each_text(f) AS i
     WHERE i.key IN ('from', 'until') AND i.value !~ E'^\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d(:?\\d\\d)?)?)?$' ORDER BY 1;
    IF wrong IS NULL THEN
        BEGIN
            wrong := 'from';
            since := f ->> wrong;
            wrong := 'until';
            before := f ->> wrong;
            wrong := NULL;
        EXCEPTION WHEN data_exception THEN
            state := SQLSTATE;
        END;
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'filter.% is not a date or an instant', wrong
            USING ERRCODE = state, DETAIL = format('It is "%s".', left(f ->> wrong, 64)), HINT = 'Write 2026-03-31 or 2026-03-31T12:00:00Z.';
    END IF;

    RETURN QUERY
    SELECT a.audit_id, a.user_id, a.workflow_id, a.workflow_name, a.step_completed, a.configuration, a.created_at
      FROM execreport.report_builder_activity AS a
     WHERE (NOT f ? 'workflowId' OR a.workflow_id = (f ->> 'workflowId')::uuid)
       AND (NOT f ? 'userId' OR a.user_id = f ->> 'userId')
       AND (NOT f ? 'step' OR a.step_completed = f ->> 'step')
       AND (since IS NULL OR a.created_at >= since)
       AND (before IS NULL OR a.created_at < before)
     ORDER BY a.created_at DESC, a.audit_id DESC
     LIMIT coalesce((f -> 'limit')::integer, 1000);
END
$$;
COMMENT ON FUNCTION execreport.report_builder_history(jsonb) IS
'The trail of the report builder, newest first: who completed which step of which workflow''s report, and how it was configured.
filter: any of {"workflowId", "userId", "step", "from": this instant and later, "until": before this instant, "limit": 1..10000,
1000 when left out}; keys in snake_case are read, too. Instants are ISO 8601, UTC when they name no zone; a date is its first moment.
Errors: 22023 not an object, an unknown key or step, a wrong value; 22007, 22008 a wrong instant.
Example: SELECT created_at, user_id, step_completed FROM execreport.report_builder_history(''{"step": "submit"}'');';
