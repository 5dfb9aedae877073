-- workflows: what can be run over a window of days, and the trail of who configured it.
--
-- A workflow may name an executor: a SQL function that fills one segment of days. It is kept by name and signature, so
-- it survives dump and restore, and it is looked up again for every run.

CREATE TABLE execreport.workflows (
    tenant_id   integer NOT NULL DEFAULT execreport.current_tenant(),
    workflow_id uuid NOT NULL DEFAULT execreport._uuid7(),
    name        text NOT NULL CHECK (name <> ''),
    executor    text,
    parameters  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    user_id     text NOT NULL DEFAULT execreport.current_user_id(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, workflow_id)
);
COMMENT ON TABLE execreport.workflows IS
'What can be run over a window of days. executor: the function that fills one segment, by name and argument types; NULL
when workers outside the database do it. parameters: handed to the executor. Written by create_workflow().';

-- Configuring a report, step by step. Append-only, and no foreign key: the trail outlives the workflow.
CREATE TABLE execreport.report_builder_audit (
    tenant_id      integer NOT NULL DEFAULT execreport.current_tenant(),
    audit_id       uuid NOT NULL DEFAULT execreport._uuid7(),
    user_id        text NOT NULL DEFAULT execreport.current_user_id(),
    workflow_id    uuid,
    step_completed text NOT NULL CHECK (step_completed IN ('parameters', 'schedule', 'review', 'submit')),
    configuration  jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX report_builder_audit_user_idx ON execreport.report_builder_audit (tenant_id, user_id, created_at);
CREATE INDEX report_builder_audit_workflow_idx ON execreport.report_builder_audit (tenant_id, workflow_id, created_at);
COMMENT ON TABLE execreport.report_builder_audit IS
'Append-only trail of the report builder: one row per completed step (parameters, schedule, review, submit) with the
configuration as it was, written in the transaction of the step.';

CREATE VIEW execreport.report_builder_activity WITH (security_barrier) AS
SELECT a.tenant_id, a.audit_id, a.user_id, a.workflow_id, w.name AS workflow_name, a.step_completed, a.configuration,
       CASE WHEN a.step_completed = 'parameters'
            THEN coalesce(a.configuration -> 'lookbackConfig', a.configuration -> 'lookback_config') END AS lookback_config,
       CASE WHEN a.step_completed = 'schedule'
            THEN coalesce(a.configuration ->> 'scheduleType', a.configuration ->> 'schedule_type') END AS schedule_type,
       CASE WHEN a.step_completed = 'schedule'
            THEN coalesce(a.configuration -> 'backfillConfig', a.configuration -> 'backfill_config') END AS backfill_config,
       a.created_at
  FROM execreport.report_builder_audit AS a
  LEFT JOIN execreport.workflows AS w ON w.tenant_id = a.tenant_id AND w.workflow_id = a.workflow_id
 WHERE a.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.report_builder_activity IS
'The trail of the report builder with the workflow''s name and what the step was about: lookback_config of the step
parameters, schedule_type and backfill_config of the step schedule.';

CALL execreport._hold('execreport.workflows');
CALL execreport._hold('execreport.report_builder_audit');

CREATE FUNCTION execreport.create_workflow(name text, executor regprocedure DEFAULT NULL, parameters jsonb DEFAULT '{}')
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant integer := execreport._require_persona('editor');
    signature text := create_workflow.executor::text;
    result uuid;
BEGIN
    IF create_workflow.name IS NULL OR btrim(create_workflow.name) = '' THEN
        RAISE EXCEPTION 'name is %', CASE WHEN create_workflow.name IS NULL THEN 'null' ELSE 'empty' END
            USING ERRCODE = CASE WHEN create_workflow.name IS NULL THEN '22004' ELSE '22023' END,
                  HINT = 'Give the workflow a name that people will recognise.';
    END IF;
    IF jsonb_typeof(create_workflow.parameters) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'parameters is %', coalesce(jsonb_typeof(create_workflow.parameters), 'null')
            USING ERRCODE = CASE WHEN create_workflow.parameters IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'Parameters are a JSON object, {} when there are none.';
    END IF;
    PERFORM execreport._executor_call(signature);

    INSERT INTO execreport.workflows (tenant_id, name, executor, parameters)
    VALUES (tenant, create_workflow.name, signature, create_workflow.parameters)
    RETURNING workflow_id INTO result;
    PERFORM execreport._audit(tenant, 'create', 'workflow', result::text, NULL,
        jsonb_build_object('name', create_workflow.name, 'executor', signature, 'parameters', create_workflow.parameters));
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.create_workflow(text, regprocedure, jsonb) IS
'Creates a workflow and returns its id.
executor: the function that fills one segment, f(segment_start date, segment_end date, parameters jsonb) or f(date, date),
which returns the number of rows (bigint or integer) or void; both dates are inclusive. It deletes what it wrote for these
days before and inserts it anew. It runs with the rights of whoever calls run_backfill(). NULL: workers outside the
database fill the segments. parameters: a JSON object, handed to the executor. For editors.
Errors: 42501 for others, and for a superuser with an executor whose owner is none; 22004 a NULL name or parameters; 22023 an
empty name, parameters that are no object; 42883 an executor that is not there or has other arguments or another result.
Example: SELECT execreport.create_workflow(''Daily sales'', ''public.fill_sales(date, date, jsonb)'', ''{"market": "DE"}'');';

CREATE FUNCTION execreport._executor_call(executor text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record;
BEGIN
    IF executor IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT p.prokind, p.proretset, p.pronargs, p.proargtypes, p.prorettype::regtype::text AS result,
           format('%I.%I', n.nspname, p.proname) AS name,
           o.rolname AS owner, o.rolsuper AS trusted
      INTO f
      FROM pg_proc AS p
      JOIN pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_roles AS o ON o.oid = p.proowner
     WHERE p.oid = CASE WHEN executor LIKE '%(%' THEN to_regprocedure(executor) END;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'executor % does not exist', left(executor, 200)
            USING ERRCODE = '42883', HINT = 'Create the function again, or create a workflow with another one.';
    END IF;
    IF f.prokind <> 'f' OR f.proretset OR f.result NOT IN ('bigint', 'integer', 'void')
       OR f.proargtypes NOT IN ('1082 1082', '1082 1082 3802') THEN  -- date, date, jsonb
        RAISE EXCEPTION 'executor % does not have the form of an executor', left(executor, 200)
            USING ERRCODE = '42883', DETAIL = format('It is a %s that returns %s%s.',
                      CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
                      CASE WHEN f.proretset THEN 'a set of ' ELSE '' END, f.result),
                  HINT = 'An executor is a function (date, date, jsonb) or (date, date) that returns bigint, integer or void.';
    END IF;
    IF execreport._caller_is_superuser() AND NOT f.trusted THEN
        RAISE EXCEPTION 'a superuser does not run executor % of role "%"', left(executor, 200), f.owner
            USING ERRCODE = '42501', DETAIL = 'It would run with the rights of a superuser.',
                  HINT = format('SET ROLE %I, or another role that works for the tenant.', f.owner);
    END IF;
    -- the arguments are named by number so that both forms are called with the same values
    RETURN format('SELECT %s%s($1, $2%s)', CASE f.result WHEN 'void' THEN 'NULL::pg_catalog.int8 FROM ' ELSE '' END,
                  f.name, CASE f.pronargs WHEN 3 THEN ', $3' ELSE '' END);
END
$$;
COMMENT ON FUNCTION execreport._executor_call(text) IS
'The statement that calls an executor with a segment''s dates ($1, $2) and the parameters ($3), after a look at whether
it is there and may be called; NULL for NULL.';
