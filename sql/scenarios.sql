-- scenarios: what a language model was asked and answered, the scenarios made of it, and the catalogue they feed.
--
-- The catalogue keeps each capability, competency, skill and role once per tenant: two names are the same when they are
-- equal after NFC, trimming, collapsing of spaces and case folding (name_key). What a scenario says about an entity stands
-- in its link. The ids that a model gives ("CAP-01") mean something within their own generation only, so they stand in
-- links, too. An entity comes in_incubation from the scenario that discovered it; promoting makes it active.
--
-- What was written by people in the clear, prompts and the pieces of an answer as they came, is for its creator and the
-- tenant's admins. Everybody else reads the redacted form.

CREATE TABLE execreport._scenario_generations (
    tenant_id       integer NOT NULL DEFAULT execreport.current_tenant(),
    id              uuid NOT NULL DEFAULT execreport._uuid7(),
    status          text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'processing', 'complete', 'failed')),
    prompt          text,
    redacted_prompt text,
    response        jsonb,
    model           text,
    confidence      numeric,
    metadata        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    error           jsonb,
    attempts        integer NOT NULL DEFAULT 0,
    retry_at        timestamptz,
    created_by      text NOT NULL DEFAULT execreport.current_user_id(),
    created_role    name NOT NULL DEFAULT execreport._caller_role(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    completed_at    timestamptz,
    chunk_count     integer,
    checksum        text,
    content         text,
    compacted_at    timestamptz,
    accepted_at     timestamptz,
    accepted_by     text,
    scenario_id     uuid,
    imported_at     timestamptz,
    import_report   jsonb,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX scenario_generations_open_idx ON execreport._scenario_generations (tenant_id, id) WHERE status IN ('queued', 'processing');
CREATE INDEX scenario_generations_compact_idx ON execreport._scenario_generations (completed_at)
    WHERE status = 'complete' AND compacted_at IS NULL;
COMMENT ON TABLE execreport._scenario_generations IS
'Generations with their prompts in the clear; read the view scenario_generations. created_by and created_role together are
the creator. checksum: SHA-256 of the text that the chunks make; content: that text, once the chunks are compacted.';

CREATE TABLE execreport._generation_chunks (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    generation_id uuid NOT NULL,
    sequence      integer NOT NULL CHECK (sequence >= 1),
    chunk         text NOT NULL,
    received_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, generation_id, sequence)
);
COMMENT ON TABLE execreport._generation_chunks IS
'The pieces of an answer as they came, numbered from 1; read the view generation_chunks.';

CREATE TABLE execreport._scenarios (
    tenant_id                integer NOT NULL DEFAULT execreport.current_tenant(),
    id                       uuid NOT NULL DEFAULT execreport._uuid7(),
    name                     text NOT NULL CHECK (name <> ''),
    description              text,
    status                   text NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'in_review', 'incubating', 'incubated', 'approved', 'active', 'completed', 'archived')),
    scenario_type            text NOT NULL DEFAULT 'transformation',
    horizon_months           integer NOT NULL DEFAULT 12 CHECK (horizon_months BETWEEN 1 AND 1200),
    fiscal_year              integer,
    start_date               date,
    end_date                 date,
    confidence               numeric,
    impact_analysis          jsonb,
    assumptions              jsonb,
    source_generation_id     uuid,
    accepted_prompt          text,
    accepted_prompt_redacted text,
    accepted_prompt_metadata jsonb,
    created_by               text NOT NULL DEFAULT execreport.current_user_id(),
    created_role             name NOT NULL DEFAULT execreport._caller_role(),
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    approved_at              timestamptz,
    approved_by              text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, source_generation_id)
);
COMMENT ON TABLE execreport._scenarios IS
'Scenarios with their accepted prompts in the clear; read the view scenarios. created_by and created_role are those of the
generation, whose creator may read the prompt.';

-- The catalogue. status inactive: rejected, but other rows still speak of it.
CREATE TABLE execreport._capabilities (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    id            uuid NOT NULL DEFAULT execreport._uuid7(),
    name_key      text COLLATE "C" NOT NULL CHECK (name_key <> ''),
    name          text NOT NULL,
    description   text,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'in_incubation', 'inactive')),
    discovered_in uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
COMMENT ON TABLE execreport._capabilities IS
'The tenant''s capabilities, each once: name_key is the normalised name, discovered_in the scenario that brought it.';

CREATE TABLE execreport._competencies (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    id            uuid NOT NULL DEFAULT execreport._uuid7(),
    name_key      text COLLATE "C" NOT NULL CHECK (name_key <> ''),
    name          text NOT NULL,
    description   text,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'in_incubation', 'inactive')),
    discovered_in uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
COMMENT ON TABLE execreport._competencies IS
'The tenant''s competencies, each once: name_key is the normalised name, discovered_in the scenario that brought it.';

CREATE TABLE execreport._skills (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    id            uuid NOT NULL DEFAULT execreport._uuid7(),
    name_key      text COLLATE "C" NOT NULL CHECK (name_key <> ''),
    name          text NOT NULL,
    description   text,
    category      text CHECK (category IN ('technical', 'soft', 'business', 'language')),
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'in_incubation', 'inactive')),
    discovered_in uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
COMMENT ON TABLE execreport._skills IS
'The tenant''s skills, each once: name_key is the normalised name, discovered_in the scenario that brought it.';

CREATE TABLE execreport._roles (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    id            uuid NOT NULL DEFAULT execreport._uuid7(),
    name_key      text COLLATE "C" NOT NULL CHECK (name_key <> ''),
    name          text NOT NULL,
    description   text,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'in_incubation', 'inactive')),
    discovered_in uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name_key)
);
COMMENT ON TABLE execreport._roles IS
'The tenant''s roles, each once: name_key is the normalised name, discovered_in the scenario that brought it.';

-- The links. external_id: how the model called the entity in this scenario's generation.
CREATE TABLE execreport.scenario_capabilities (
    tenant_id        integer NOT NULL DEFAULT execreport.current_tenant(),
    scenario_id      uuid NOT NULL,
    capability_id    uuid NOT NULL,
    external_id      text,
    strategic_role   text NOT NULL DEFAULT 'target' CHECK (strategic_role IN ('target', 'watch', 'sunset')),
    strategic_weight integer NOT NULL DEFAULT 10 CHECK (strategic_weight BETWEEN 1 AND 100),
    priority         integer NOT NULL DEFAULT 1 CHECK (priority BETWEEN 1 AND 5),
    required_level   integer NOT NULL DEFAULT 3 CHECK (required_level BETWEEN 1 AND 5),
    is_critical      boolean NOT NULL DEFAULT false,
    maturity         text CHECK (maturity <> ''),
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scenario_id, capability_id)
);
CREATE INDEX scenario_capabilities_capability_idx ON execreport.scenario_capabilities (tenant_id, capability_id);
COMMENT ON TABLE execreport.scenario_capabilities IS 'The capabilities of a scenario, and what it asks of them.';

CREATE TABLE execreport.capability_competencies (
    tenant_id      integer NOT NULL DEFAULT execreport.current_tenant(),
    scenario_id    uuid NOT NULL,
    capability_id  uuid NOT NULL,
    competency_id  uuid NOT NULL,
    external_id    text,
    required_level integer NOT NULL DEFAULT 3 CHECK (required_level BETWEEN 1 AND 5),
    weight         integer NOT NULL DEFAULT 10 CHECK (weight BETWEEN 1 AND 100),
    priority       integer NOT NULL DEFAULT 1 CHECK (priority BETWEEN 1 AND 5),
    rationale      text,
    is_required    boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scenario_id, capability_id, competency_id)
);
CREATE INDEX capability_competencies_competency_idx ON execreport.capability_competencies (tenant_id, competency_id);
COMMENT ON TABLE execreport.capability_competencies IS 'The competencies that a scenario sees in a capability.';

CREATE TABLE execreport.competency_skills (
    tenant_id      integer NOT NULL DEFAULT execreport.current_tenant(),
    scenario_id    uuid NOT NULL,
    competency_id  uuid NOT NULL,
    skill_id       uuid NOT NULL,
    external_id    text,
    required_level integer NOT NULL DEFAULT 3 CHECK (required_level BETWEEN 1 AND 5),
    weight         integer NOT NULL DEFAULT 10 CHECK (weight BETWEEN 1 AND 100),
    maturity       text CHECK (maturity <> ''),
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scenario_id, competency_id, skill_id)
);
CREATE INDEX competency_skills_skill_idx ON execreport.competency_skills (tenant_id, skill_id);
COMMENT ON TABLE execreport.competency_skills IS 'The skills that a scenario sees in a competency.';

CREATE TABLE execreport.scenario_roles (
    tenant_id            integer NOT NULL DEFAULT execreport.current_tenant(),
    scenario_id          uuid NOT NULL,
    role_id              uuid NOT NULL,
    external_id          text,
    estimated_fte        numeric CHECK (estimated_fte >= 0),
    human_percentage     numeric CHECK (human_percentage BETWEEN 0 AND 100),
    synthetic_percentage numeric CHECK (synthetic_percentage BETWEEN 0 AND 100),
    strategy             text CHECK (strategy IN ('Buy', 'Build', 'Borrow', 'Synthetic', 'Hybrid')),
    justification        text,
    archetype            text CHECK (archetype IN ('E', 'T', 'O')),
    created_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scenario_id, role_id)
);
CREATE INDEX scenario_roles_role_idx ON execreport.scenario_roles (tenant_id, role_id);
COMMENT ON TABLE execreport.scenario_roles IS
'The roles of a scenario: full-time equivalents, the parts of people and machines in per cent, and where the talent comes
from. archetype, by the part of people: E above 70, T above 40, else O; NULL while it is not known.';

CREATE TABLE execreport.role_competencies (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    scenario_id   uuid NOT NULL,
    role_id       uuid NOT NULL,
    competency_id uuid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, scenario_id, role_id, competency_id)
);
CREATE INDEX role_competencies_competency_idx ON execreport.role_competencies (tenant_id, competency_id);
COMMENT ON TABLE execreport.role_competencies IS 'The key competencies of a role in a scenario.';

CREATE TABLE execreport.import_audit (
    tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
    id            uuid NOT NULL DEFAULT execreport._uuid7(),
    generation_id uuid NOT NULL,
    scenario_id   uuid,
    import        boolean NOT NULL,
    result        text NOT NULL CHECK (result IN ('skipped_feature_flag', 'not_complete', 'validation_failed', 'validation_error',
                                                  'failed', 'accepted', 'success')),
    attempted_by  text NOT NULL DEFAULT execreport.current_user_id(),
    attempted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    errors        jsonb,
    report        jsonb,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX import_audit_generation_idx ON execreport.import_audit (tenant_id, generation_id, attempted_at);
COMMENT ON TABLE execreport.import_audit IS
'Append-only: every attempt to accept a generation. import: was the catalogue to be fed, too? result: skipped_feature_flag,
not_complete, validation_failed (errors: what was wrong, by path), validation_error (the validator itself failed), failed
(errors: why nothing of it stayed), accepted (a scenario without import) or success (with it; report: what was done).';

DO $$
DECLARE
    held text;
BEGIN
    FOREACH held IN ARRAY ARRAY['_scenario_generations', '_generation_chunks', '_scenarios', '_capabilities', '_competencies', '_skills', '_roles',
        'scenario_capabilities', 'capability_competencies', 'competency_skills', 'scenario_roles', 'role_competencies', 'import_audit']
    LOOP
        EXECUTE format('ALTER TABLE execreport.%I ENABLE ROW LEVEL SECURITY', held);
        EXECUTE format('CREATE POLICY own_tenant ON execreport.%I USING (tenant_id = (SELECT execreport.current_tenant()))', held);
        PERFORM pg_catalog.pg_extension_config_dump(format('execreport.%I', held)::regclass, '');
    END LOOP;
    IF (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') THEN
        ALTER TABLE execreport._scenario_generations
            ALTER COLUMN response SET COMPRESSION lz4, ALTER COLUMN content SET COMPRESSION lz4;
        ALTER TABLE execreport.import_audit ALTER COLUMN errors SET COMPRESSION lz4;
    END IF;
END
$$;

CREATE VIEW execreport.scenario_generations WITH (security_barrier) AS
SELECT g.tenant_id, g.id, g.status,
       CASE WHEN (SELECT execreport._has_persona('admin'))
                 OR (g.created_by = (SELECT execreport.current_user_id()) AND g.created_role = (SELECT execreport._caller_role()))
            THEN g.prompt END AS prompt,
       g.redacted_prompt, g.response, g.model, g.confidence, g.error, g.attempts, g.retry_at,
       g.created_by, g.created_at, g.started_at, g.completed_at, g.chunk_count, g.checksum, g.compacted_at,
       g.accepted_at, g.accepted_by, g.scenario_id, g.imported_at, g.import_report,
       g.metadata || jsonb_build_object('importAudit', coalesce((
           SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('attemptedBy', a.attempted_by, 'attemptedAt', a.attempted_at,
                      'import', a.import, 'result', a.result, 'scenarioId', a.scenario_id))
                      || CASE WHEN a.errors IS NULL THEN '{}' ELSE jsonb_build_object('errors', a.errors) END
                      || CASE WHEN a.report IS NULL THEN '{}' ELSE jsonb_build_object('report', a.report) END
                      ORDER BY a.attempted_at, a.id)
             FROM execreport.import_audit AS a
            WHERE a.tenant_id = g.tenant_id AND a.generation_id = g.id), '[]')) AS metadata
  FROM execreport._scenario_generations AS g
 WHERE g.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.scenario_generations IS
'What a language model was asked and answered. status: queued, processing, complete or failed (error: code and message).
prompt is for the creator and the tenant''s admins, others read NULL and have redacted_prompt. response is redacted.
accepted_at, scenario_id: the scenario made of it; imported_at, import_report: what came of it into the catalogue.
metadata.importAudit lists the attempts to accept it, the oldest first.';

CREATE VIEW execreport.generation_chunks WITH (security_barrier) AS
SELECT c.tenant_id, c.generation_id, c.sequence,
       CASE WHEN (SELECT execreport._has_persona('admin'))
                 OR (g.created_by = (SELECT execreport.current_user_id()) AND g.created_role = (SELECT execreport._caller_role()))
            THEN c.chunk END AS chunk,
       octet_length(c.chunk) AS bytes, c.received_at
  FROM execreport._generation_chunks AS c
  JOIN execreport._scenario_generations AS g ON g.tenant_id = c.tenant_id AND g.id = c.generation_id
 WHERE c.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.generation_chunks IS
'The pieces of an answer as they came, numbered from 1. chunk is for the generation''s creator and the tenant''s admins.';

CREATE VIEW execreport.scenarios WITH (security_barrier) AS
SELECT s.tenant_id, s.id, s.name, s.description, s.status, s.scenario_type, s.horizon_months, s.fiscal_year, s.start_date, s.end_date,
       s.confidence, s.impact_analysis, s.assumptions, s.source_generation_id,
       CASE WHEN (SELECT execreport._has_persona('admin'))
                 OR (s.created_by = (SELECT execreport.current_user_id()) AND s.created_role = (SELECT execreport._caller_role()))
            THEN s.accepted_prompt END AS accepted_prompt,
       s.accepted_prompt_redacted,
       CASE WHEN (SELECT execreport._has_persona('admin'))
                 OR (s.created_by = (SELECT execreport.current_user_id()) AND s.created_role = (SELECT execreport._caller_role()))
            THEN s.accepted_prompt_metadata END AS accepted_prompt_metadata,
       s.created_by, s.created_at, s.updated_at, s.approved_at, s.approved_by
  FROM execreport._scenarios AS s
 WHERE s.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.scenarios IS
'Scenarios. status: draft, incubating (entities wait for promotion), incubated (none waits any more), approved and later
states. source_generation_id: the generation it was made of, at most one scenario each. accepted_prompt and
accepted_prompt_metadata are for the generation''s creator and the tenant''s admins, others read NULL.';

CREATE VIEW execreport.capabilities WITH (security_barrier) AS
SELECT e.tenant_id, e.id, l.scenario_id, e.name, e.description, e.status, e.discovered_in AS discovered_in_scenario_id, l.external_id,
       l.strategic_role, l.strategic_weight, l.priority, l.required_level, l.is_critical, l.maturity, e.created_at, e.updated_at
  FROM execreport._capabilities AS e
  LEFT JOIN execreport.scenario_capabilities AS l ON l.tenant_id = e.tenant_id AND l.capability_id = e.id
 WHERE e.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.capabilities IS
'The capabilities: one row for each scenario that has it, and one with scenario_id NULL for those that none has. status:
active, in_incubation (discovered_in_scenario_id brought it, promote() makes it active) or inactive.';

CREATE VIEW execreport.competencies WITH (security_barrier) AS
SELECT e.tenant_id, e.id, l.scenario_id, l.capability_id, e.name, e.description, e.status,
       e.discovered_in AS discovered_in_scenario_id, l.external_id, l.required_level, l.weight, l.priority, l.rationale,
       l.is_required, e.created_at, e.updated_at
  FROM execreport._competencies AS e
  LEFT JOIN execreport.capability_competencies AS l ON l.tenant_id = e.tenant_id AND l.competency_id = e.id
 WHERE e.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.competencies IS
'The competencies: one row for each scenario and capability that has it, and one with both NULL for those that none has.';

CREATE VIEW execreport.skills WITH (security_barrier) AS
SELECT e.tenant_id, e.id, l.scenario_id, l.competency_id, e.name, e.description, e.category, e.status,
       e.discovered_in AS discovered_in_scenario_id, l.external_id, l.required_level, l.weight, l.maturity, e.created_at, e.updated_at
  FROM execreport._skills AS e
  LEFT JOIN execreport.competency_skills AS l ON l.tenant_id = e.tenant_id AND l.skill_id = e.id
 WHERE e.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.skills IS
'The skills: one row for each scenario and competency that has it, and one with both NULL for those that none has.';

CREATE VIEW execreport.roles WITH (security_barrier) AS
SELECT e.tenant_id, e.id, l.scenario_id, e.name, e.description, e.status, e.discovered_in AS discovered_in_scenario_id,
       l.external_id, l.estimated_fte, l.human_percentage, l.synthetic_percentage, l.strategy, l.justification, l.archetype,
       e.created_at, e.updated_at
  FROM execreport._roles AS e
  LEFT JOIN execreport.scenario_roles AS l ON l.tenant_id = e.tenant_id AND l.role_id = e.id
 WHERE e.tenant_id = (SELECT execreport.current_tenant());
COMMENT ON VIEW execreport.roles IS
'The roles: one row for each scenario that has it, and one with scenario_id NULL for those that none has.';

INSERT INTO execreport.flags (key, default_enabled, refusal, description, builtin) VALUES
    ('import_generation', false, 'Import of generations not available',
     'accept_generation() feeds the catalogue when it is asked to.', true),
    ('validate_llm_response', true, 'Validation of generations not available',
     'accept_generation() takes valid answers only.', true);

-- Machines ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._name_key(name text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_name_key';
COMMENT ON FUNCTION execreport._name_key(text) IS
'What names are compared by: NFC, spaces trimmed and collapsed, characters nobody sees dropped, case folded. NULL when
nothing is left, or for more than 255 characters.';

CREATE FUNCTION execreport._name_text(name text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_name_text';
COMMENT ON FUNCTION execreport._name_text(text) IS
'The name as it is stored: the same without folding case.';

CREATE FUNCTION execreport._scenario_spelling(document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_scenario_spelling';
COMMENT ON FUNCTION execreport._scenario_spelling(jsonb) IS
'A generated scenario with English keys in snake_case: escenario, nombre, capacidades, requiredLevel and the like are
renamed at every level but inside of impact_analysis and assumptions. Where both are there, the other one stays.';

CREATE FUNCTION execreport._redact(content text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'er_redact';
COMMENT ON FUNCTION execreport._redact(text) IS
'The text with [email], [phone], [ssn], [card] (13 to 19 digits with a right check digit, or 4 groups of 4), [token] and [key] in place of such.';

CREATE FUNCTION execreport._redact_document(document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_redact_document';
COMMENT ON FUNCTION execreport._redact_document(jsonb) IS
'The document with its strings redacted. Keys and numbers stay.';

-- Generations ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._is_creator(created_by text, created_role name) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN _is_creator.created_by = execreport.current_user_id() AND _is_creator.created_role = execreport._caller_role();
COMMENT ON FUNCTION execreport._is_creator(text, name) IS
'Is this the caller: the same user, who comes with the same role. The name of a user is what an application says; so a
role of its own cannot pass for a user of the application.';

CREATE FUNCTION execreport._lock_generation(tenant integer, generation uuid)
RETURNS execreport._scenario_generations
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result execreport._scenario_generations;
BEGIN
    IF generation IS NULL THEN
        RAISE EXCEPTION 'generation_id is null' USING ERRCODE = '22004', HINT = 'request_generation() returns it.';
    END IF;
    SELECT * INTO result FROM execreport._scenario_generations AS g WHERE g.tenant_id = tenant AND g.id = generation FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'generation_id % does not exist', generation
            USING ERRCODE = 'P0002', HINT = 'SELECT id, status FROM execreport.scenario_generations lists them.';
    ELSIF NOT execreport._is_creator(result.created_by, result.created_role) AND NOT execreport._has_persona('operator') THEN
        RAISE EXCEPTION 'user "%" may not do this with a generation of somebody else', left(execreport.current_user_id(), 64)
            USING ERRCODE = '42501', DETAIL = 'It takes its creator, or persona operator.';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._lock_generation(integer, uuid) IS
'A generation, locked, for a caller who made it or is an operator of its tenant. Errors: 22004, P0002, 42501.';

CREATE FUNCTION execreport._refuse_generation_status(generation execreport._scenario_generations, wanted text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'generation % is %', generation.id, generation.status
        USING ERRCODE = '55000', DETAIL = format('It has to be %s.', wanted);
END
$$;
COMMENT ON FUNCTION execreport._refuse_generation_status(execreport._scenario_generations, text) IS
'Error 55000.';

CREATE FUNCTION execreport.request_generation(prompt text, metadata jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant integer := execreport._require_persona('editor');
    result uuid;
BEGIN
    IF request_generation.prompt IS NULL THEN
        RAISE EXCEPTION 'prompt is null' USING ERRCODE = '22004', HINT = 'Say what the model is asked.';
    ELSIF request_generation.prompt !~ '\S' OR length(request_generation.prompt) > 100000 THEN
        RAISE EXCEPTION 'prompt has % characters', CASE WHEN request_generation.prompt ~ '\S' THEN length(request_generation.prompt) ELSE 0 END
            USING ERRCODE = '22023', DETAIL = 'It may have 1 to 100,000, not all of them blank.';
    ELSIF jsonb_typeof(request_generation.metadata) <> 'object' THEN
        RAISE EXCEPTION 'metadata is %', execreport._a(jsonb_typeof(request_generation.metadata))
            USING ERRCODE = '22023', DETAIL = 'It has to be an object.';
    ELSIF octet_length(request_generation.metadata::text) > 65536 THEN
        RAISE EXCEPTION 'metadata has % bytes', octet_length(request_generation.metadata::text)
            USING ERRCODE = '22023', DETAIL = 'It may have 65,536.';
    END IF;
    INSERT INTO execreport._scenario_generations AS g (tenant_id, prompt, redacted_prompt, model, metadata)
    VALUES (tenant, request_generation.prompt, execreport._redact(request_generation.prompt),
            left(request_generation.metadata ->> 'model', 200),
            execreport._redact_document(coalesce(request_generation.metadata, '{}') - 'importAudit'))
    RETURNING g.id INTO result;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.request_generation(text, jsonb) IS
'Notes that a language model is to be asked, and returns the id of the generation, which is queued. The prompt is kept as it
is for its creator and the tenant''s admins, and redacted for everybody else. metadata: an object of yours, redacted;
model is taken over. Needs persona editor.
Errors: 22004 for a NULL prompt; 22023 for a blank one, more than 100,000 characters, metadata that is no object or has more
than 65,536 bytes; 42501.
Example: SELECT execreport.request_generation(''Plan for a data team of 12'', ''{"provider": "acme", "model": "m-1"}'');';

CREATE FUNCTION execreport._a(type text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN type IN ('array', 'object') THEN 'an ' WHEN type = 'null' THEN '' ELSE 'a ' END || type;
COMMENT ON FUNCTION execreport._a(text) IS 'A type of JSON with its article.';

CREATE FUNCTION execreport.append_generation_chunk(generation_id uuid, sequence integer, chunk text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('editor');
    generation execreport._scenario_generations := execreport._lock_generation(tenant, append_generation_chunk.generation_id);
BEGIN
    IF num_nulls(append_generation_chunk.sequence, append_generation_chunk.chunk) > 0 THEN
        RAISE EXCEPTION '% is null', CASE WHEN append_generation_chunk.sequence IS NULL THEN 'sequence' ELSE 'chunk' END
            USING ERRCODE = '22004';
    ELSIF append_generation_chunk.sequence NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION 'sequence is %', append_generation_chunk.sequence
            USING ERRCODE = '22023', DETAIL = 'Chunks are numbered from 1 to 1,000,000.';
    ELSIF octet_length(append_generation_chunk.chunk) > 1048576 THEN
        RAISE EXCEPTION 'chunk has % bytes', octet_length(append_generation_chunk.chunk)
            USING ERRCODE = '22023', DETAIL = 'It may have 1,048,576.';
    END IF;
    IF generation.status = 'queued' THEN
        UPDATE execreport._scenario_generations AS g SET status = 'processing', started_at = clock_timestamp(), retry_at = NULL
         WHERE g.tenant_id = tenant AND g.id = generation.id;
    ELSIF generation.status <> 'processing' THEN
        PERFORM execreport._refuse_generation_status(generation, 'queued or processing');
    END IF;

    INSERT INTO execreport._generation_chunks (tenant_id, generation_id, sequence, chunk)
    VALUES (tenant, generation.id, append_generation_chunk.sequence, append_generation_chunk.chunk)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND AND append_generation_chunk.chunk IS DISTINCT FROM (
        SELECT c.chunk FROM execreport._generation_chunks AS c
         WHERE c.tenant_id = tenant AND c.generation_id = generation.id AND c.sequence = append_generation_chunk.sequence) THEN
        RAISE EXCEPTION 'chunk % of generation % is there with other content', append_generation_chunk.sequence, generation.id
            USING ERRCODE = '23505', HINT = 'fail_generation() throws the chunks away when the model is asked again.';
    END IF;
END
$$;
COMMENT ON FUNCTION execreport.append_generation_chunk(uuid, integer, text) IS
'Stores one piece of an answer while it comes. sequence: from 1 on; the order of arrival does not matter. The first piece
makes a queued generation processing. The same piece once more changes nothing. For the generation''s creator (persona
editor) and operators.
Errors: 22004 for NULL; 22023 for a sequence outside 1 to 1,000,000 or more than 1,048,576 bytes; 23505 for a sequence that
is there with other content; 55000 when the generation is complete or failed; P0002 for an unknown one; 42501.
Example: SELECT execreport.append_generation_chunk(id, 1, ''{"scenario_'') FROM execreport.scenario_generations WHERE status = ''queued'';';

CREATE FUNCTION execreport._assemble(tenant integer, generation uuid,
    OUT content text, OUT chunks integer, OUT bytes bigint, OUT missing integer[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last integer;
BEGIN
    SELECT count(*), coalesce(sum(octet_length(c.chunk)), 0), max(c.sequence) INTO chunks, bytes, last
      FROM execreport._generation_chunks AS c
     WHERE c.tenant_id = tenant AND c.generation_id = generation;
    IF bytes > 268435456 THEN
        RAISE EXCEPTION 'the chunks of generation % have % bytes', generation, bytes
            USING ERRCODE = '54000', DETAIL = 'They may have 268,435,456.';
    ELSIF last > chunks THEN
        missing := ARRAY(SELECT n FROM generate_series(1, last) AS n
                          WHERE NOT EXISTS (SELECT FROM execreport._generation_chunks AS c
                                             WHERE c.tenant_id = tenant AND c.generation_id = generation AND c.sequence = n)
                          ORDER BY n LIMIT 100);
    ELSE
        SELECT string_agg(c.chunk, '' ORDER BY c.sequence) INTO content
          FROM execreport._generation_chunks AS c
         WHERE c.tenant_id = tenant AND c.generation_id = generation;
    END IF;
END
$$;
COMMENT ON FUNCTION execreport._assemble(integer, uuid) IS
'What the chunks make. content is NULL when there are none or some are missing: then the first 100 of those. The primary key
bars duplicates.';

CREATE FUNCTION execreport._checksum(content text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(sha256(convert_to(content, 'UTF8')), 'hex');
COMMENT ON FUNCTION execreport._checksum(text) IS 'SHA-256 in hex over the text in UTF-8.';

CREATE FUNCTION execreport.assemble_generation(generation_id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('viewer');
    generation execreport._scenario_generations := execreport._generation(tenant, assemble_generation.generation_id);
    assembled  record;
    content    text := generation.content;
    clear      boolean := execreport._is_creator(generation.created_by, generation.created_role) OR execreport._has_persona('admin');
BEGIN
    IF generation.compacted_at IS NULL THEN
        assembled := execreport._assemble(tenant, generation.id);
        IF assembled.missing IS NOT NULL THEN
            RAISE EXCEPTION 'chunk % of generation % is missing', assembled.missing[1], generation.id
                USING ERRCODE = '22000', DETAIL = format('There are %s; missing are %s%s.', assembled.chunks,
                    array_to_string(assembled.missing[:20], ', '), CASE WHEN cardinality(assembled.missing) > 20 THEN ' and more' ELSE '' END),
                    HINT = 'Append what is missing; chunks may come in any order.';
        ELSIF assembled.content IS NULL THEN
            RAISE EXCEPTION 'generation % has no chunks', generation.id USING ERRCODE = '22000';
        END IF;
        content := assembled.content;
    END IF;
    RETURN jsonb_build_object(
        'generationId', generation.id, 'status', generation.status,
        'chunks', CASE WHEN generation.compacted_at IS NULL THEN assembled.chunks ELSE generation.chunk_count END,
        'bytes', octet_length(content), 'checksum', execreport._checksum(content),
        'compacted', generation.compacted_at IS NOT NULL,
        'content', CASE WHEN clear THEN content ELSE execreport._redact(content) END);
END
$$;
COMMENT ON FUNCTION execreport.assemble_generation(uuid) IS
'The answer put together from its chunks: {generationId, status, chunks, bytes, checksum (SHA-256 of the text), compacted,
content}. content is as it came for the creator and the tenant''s admins, redacted for other members. After compaction the
stored text is given. Needs persona viewer.
Errors: 22000 when a chunk is missing (DETAIL lists which) or there is none; P0002 for an unknown generation; 42501.
Example: SELECT execreport.assemble_generation(id) ->> ''checksum'' FROM execreport.scenario_generations WHERE chunk_count > 0;';

CREATE FUNCTION execreport._generation(tenant integer, generation uuid) RETURNS execreport._scenario_generations
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result execreport._scenario_generations;
BEGIN
    SELECT * INTO result FROM execreport._scenario_generations AS g WHERE g.tenant_id = tenant AND g.id = generation;
    IF generation IS NULL THEN
        RAISE EXCEPTION 'generation_id is null' USING ERRCODE = '22004', HINT = 'request_generation() returns it.';
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION 'generation_id % does not exist', generation
            USING ERRCODE = 'P0002', HINT = 'SELECT id, status FROM execreport.scenario_generations lists them.';
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._generation(integer, uuid) IS 'A generation to read. Errors: 22004, P0002.';

CREATE FUNCTION execreport.generation_progress(generation_id uuid, last integer DEFAULT 5, assemble boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('viewer');
    generation execreport._scenario_generations := execreport._generation(tenant, generation_progress.generation_id);
    clear      boolean := execreport._is_creator(generation.created_by, generation.created_role) OR execreport._has_persona('admin');
    result     jsonb;
BEGIN
    IF generation_progress.last NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION 'last is %', generation_progress.last USING ERRCODE = '22023', DETAIL = 'It may be 0 to 1000.';
    END IF;
    SELECT jsonb_build_object('generationId', generation.id, 'status', generation.status, 'attempts', generation.attempts,
               'retryAt', generation.retry_at, 'error', generation.error,
               'progress', jsonb_build_object('receivedChunks', coalesce(nullif(count(*), 0), generation.chunk_count, 0),
                   'receivedBytes', coalesce(sum(octet_length(c.chunk)), octet_length(generation.content), 0),
                   'firstChunkAt', min(c.received_at), 'lastChunkAt', max(c.received_at)))
      INTO result
      FROM execreport._generation_chunks AS c
     WHERE c.tenant_id = tenant AND c.generation_id = generation.id;
    result := result || jsonb_build_object('chunks', coalesce((
        SELECT jsonb_agg(jsonb_build_object('sequence', l.sequence, 'chunk', CASE WHEN clear THEN l.chunk END) ORDER BY l.sequence)
          FROM (SELECT c.sequence, c.chunk FROM execreport._generation_chunks AS c
                 WHERE c.tenant_id = tenant AND c.generation_id = generation.id
                 ORDER BY c.sequence DESC LIMIT coalesce(generation_progress.last, 5)) AS l), '[]'));
    IF generation_progress.assemble THEN
        -- as far as it goes without a gap
        result := result || jsonb_build_object('text', (
            SELECT CASE WHEN clear THEN string_agg(c.chunk, '' ORDER BY c.sequence)
                        ELSE execreport._redact(string_agg(c.chunk, '' ORDER BY c.sequence)) END
              FROM (SELECT p.sequence, p.chunk, row_number() OVER (ORDER BY p.sequence) AS n
                      FROM execreport._generation_chunks AS p
                     WHERE p.tenant_id = tenant AND p.generation_id = generation.id) AS c
             WHERE c.sequence = c.n));
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.generation_progress(uuid, integer, boolean) IS
'How far an answer is: {generationId, status, attempts, retryAt, error, progress: {receivedChunks, receivedBytes, firstChunkAt,
lastChunkAt}, chunks: the last of them, the oldest first} and, with assemble, text: what is there up to the first gap. Chunks
are for the creator and the tenant''s admins, others get null and a redacted text. Needs persona viewer.
Errors: 22023 for a last outside 0 to 1000; P0002 for an unknown generation; 42501.
Example: SELECT execreport.generation_progress(id, 3, true) FROM execreport.scenario_generations WHERE status = ''processing'';';

CREATE FUNCTION execreport.complete_generation(generation_id uuid, response jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('editor');
    generation execreport._scenario_generations := execreport._lock_generation(tenant, complete_generation.generation_id);
    assembled  record := execreport._assemble(tenant, generation.id);
    answer     jsonb := complete_generation.response;
    share      jsonb;
BEGIN
    IF answer IS NULL THEN
        IF assembled.content IS NULL AND generation.content IS NULL THEN
            RAISE EXCEPTION 'response is null'
                USING ERRCODE = '22004', DETAIL = 'There are no chunks, or not all of them, to make it of.';
        END IF;
        BEGIN
            answer := coalesce(assembled.content, generation.content)::jsonb;
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            answer := jsonb_build_object('content', coalesce(assembled.content, generation.content));
        END;
    END IF;
    answer := execreport._redact_document(answer);
    IF generation.status = 'complete' AND generation.response = answer THEN
        RETURN;
    ELSIF generation.status NOT IN ('queued', 'processing') THEN
        PERFORM execreport._refuse_generation_status(generation, 'queued or processing');
    END IF;
    share := CASE WHEN jsonb_typeof(answer) = 'object' THEN coalesce(answer -> 'confidence_score', answer #> '{scenario_metadata,confidence_score}') END;
    UPDATE execreport._scenario_generations AS g
       SET status = 'complete', response = answer, completed_at = clock_timestamp(),
           started_at = coalesce(g.started_at, clock_timestamp()), error = NULL, retry_at = NULL,
           chunk_count = nullif(assembled.chunks, 0), checksum = execreport._checksum(assembled.content),
           confidence = CASE WHEN jsonb_typeof(share) = 'number' AND (share #>> '{}')::numeric BETWEEN 0 AND 1
                             THEN (share #>> '{}')::numeric END,
           model = coalesce(g.model, CASE WHEN jsonb_typeof(answer) = 'object' THEN left(answer ->> 'model', 200) END)
     WHERE g.tenant_id = tenant AND g.id = generation.id;
END
$$;
COMMENT ON FUNCTION execreport.complete_generation(uuid, jsonb) IS
'Stores the answer, redacted, whatever JSON it is, and makes the generation complete; whether it is of any use is for
validate_generation(). response NULL: what the chunks make; when that is no JSON, it is kept as {"content": text}. The same
answer once more changes nothing. For the generation''s creator (persona editor) and operators.
Errors: 55000 when it is failed, or complete with another answer; 22004 for a NULL response without chunks; P0002; 42501.
Example: SELECT execreport.complete_generation(execreport.request_generation(''Plan A''), ''{"scenario_metadata": {"name": "Plan A"}}'');';

CREATE FUNCTION execreport.fail_generation(generation_id uuid, error text, code text DEFAULT 'exception', retry_after interval DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('editor');
    generation execreport._scenario_generations := execreport._lock_generation(tenant, fail_generation.generation_id);
    problem    jsonb := jsonb_build_object('code', fail_generation.code,
                                           'message', execreport._redact(left(fail_generation.error, 10000)));
    again      boolean := fail_generation.code = 'rate_limit_exceeded' AND generation.attempts < 4;
BEGIN
    IF fail_generation.code IS NULL OR fail_generation.code NOT IN ('invalid_llm_response', 'rate_limit_exceeded', 'server_error', 'exception') THEN
        RAISE EXCEPTION 'unknown code %', coalesce('"' || left(fail_generation.code, 64) || '"', 'null')
            USING ERRCODE = '22023', DETAIL = 'A code is invalid_llm_response, rate_limit_exceeded, server_error or exception.';
    ELSIF fail_generation.retry_after NOT BETWEEN '0' AND '7 days'::interval THEN
        RAISE EXCEPTION 'retry_after is %', fail_generation.retry_after
            USING ERRCODE = '22023', DETAIL = 'It may be 0 to 7 days.';
    ELSIF generation.status = 'failed' THEN
        RETURN 'failed';
    ELSIF generation.status = 'complete' THEN
        PERFORM execreport._refuse_generation_status(generation, 'queued or processing');
    END IF;
    -- the next attempt begins from nothing
    DELETE FROM execreport._generation_chunks AS c WHERE again AND c.tenant_id = tenant AND c.generation_id = generation.id;
    UPDATE execreport._scenario_generations AS g
       SET status = CASE WHEN again THEN 'queued' ELSE 'failed' END, error = problem, attempts = g.attempts + 1,
           retry_at = CASE WHEN again THEN clock_timestamp() + coalesce(fail_generation.retry_after, interval '1 second' * 2 ^ (g.attempts + 1)) END,
           completed_at = CASE WHEN NOT again THEN clock_timestamp() END
     WHERE g.tenant_id = tenant AND g.id = generation.id;
    RETURN CASE WHEN again THEN 'queued' ELSE 'failed' END;
END
$$;
COMMENT ON FUNCTION execreport.fail_generation(uuid, text, text, interval) IS
'Notes that an attempt failed, and returns the status. code: invalid_llm_response, rate_limit_exceeded, server_error or
exception. After rate_limit_exceeded the generation is queued again, without the chunks that had come, until five attempts
have failed: retry_at is retry_after from now, else 2, 4, 8, 16 seconds. Anything else makes it failed. A failed one
stays as it is. error is redacted. For the generation''s creator (persona editor) and operators.
Errors: 22023 for another code or a retry_after outside 0 to 7 days; 55000 when it is complete; P0002; 42501.
Example: SELECT execreport.fail_generation(id, ''HTTP 429'', ''rate_limit_exceeded'', ''30 s'') FROM execreport.scenario_generations WHERE status = ''processing'';';

CREATE FUNCTION execreport.retry_generation(generation_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant     integer := execreport._require_persona('editor');
    generation execreport._scenario_generations := execreport._lock_generation(tenant, retry_generation.generation_id);
BEGIN
    IF generation.status = 'queued' THEN
        RETURN;
    ELSIF generation.status <> 'failed' THEN
        PERFORM execreport._refuse_generation_status(generation, 'failed');
    END IF;
    DELETE FROM execreport._generation_chunks AS c WHERE c.tenant_id = tenant AND c.generation_id = generation.id;
    UPDATE execreport._scenario_generations AS g
       SET status = 'queued', attempts = 0, retry_at = NULL, started_at = NULL, completed_at = NULL
     WHERE g.tenant_id = tenant AND g.id = generation.id;
END
$$;
COMMENT ON FUNCTION execreport.retry_generation(uuid) IS
'Queues a failed generation again, with five new attempts and no chunks; error stays until it is complete. A queued one
stays as it is. For the generation''s creator (persona editor) and operators.
Errors: 55000 when it is processing or complete; P0002; 42501.
Example: SELECT execreport.retry_generation(id) FROM execreport.scenario_generations WHERE status = ''failed'';';

CREATE FUNCTION execreport._compact_generations(now timestamptz DEFAULT now(), dry_run boolean DEFAULT false) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before     timestamptz := _compact_generations.now - make_interval(days => current_setting('execreport.chunk_retention_days')::integer);
    generation record;
    assembled  record;
    compacted  integer := 0;
BEGIN
    FOR generation IN
        SELECT g.tenant_id, g.id, g.chunk_count, g.checksum
          FROM execreport._scenario_generations AS g
         WHERE g.status = 'complete' AND g.compacted_at IS NULL AND g.completed_at < before AND g.checksum IS NOT NULL
         ORDER BY g.completed_at, g.tenant_id, g.id
           FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        assembled := execreport._assemble(generation.tenant_id, generation.id);
        IF assembled.chunks IS DISTINCT FROM generation.chunk_count
           OR execreport._checksum(assembled.content) IS DISTINCT FROM generation.checksum THEN
            RAISE WARNING 'the chunks of generation % are not what came', generation.id
                USING DETAIL = format('Tenant %s; there were %s chunks with the checksum %s. They stay as they are.',
                                      generation.tenant_id, generation.chunk_count, generation.checksum);
            CONTINUE;
        END IF;
        compacted := compacted + 1;
        CONTINUE WHEN dry_run;
        UPDATE execreport._scenario_generations AS g SET content = assembled.content, compacted_at = _compact_generations.now
         WHERE g.tenant_id = generation.tenant_id AND g.id = generation.id;
        DELETE FROM execreport._generation_chunks AS c
         WHERE c.tenant_id = generation.tenant_id AND c.generation_id = generation.id;
    END LOOP;
    RETURN compacted;
END
$$;
COMMENT ON FUNCTION execreport._compact_generations(timestamptz, boolean) IS
'Puts the chunks of generations that were complete for execreport.chunk_retention_days into one text each, in all tenants, and
deletes them, after their number and checksum have been found right; returns how many. dry_run: how many there would be.
A generation whose chunks are not what came is left alone, with a WARNING.';
