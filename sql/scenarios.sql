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

-- The catalogue: _capabilities, _competencies, _skills and _roles. status inactive: rejected, but other rows still speak of it.
DO $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY '{capabilities,competencies,skills,roles}'::text[] LOOP
        EXECUTE format($table$
            CREATE TABLE execreport.%I (
                tenant_id     integer NOT NULL DEFAULT execreport.current_tenant(),
                id            uuid NOT NULL DEFAULT execreport._uuid7(),
                name_key      text COLLATE "C" NOT NULL CHECK (name_key <> ''),
                name          text NOT NULL,
                description   text,
                %s
                status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'in_incubation', 'inactive')),
                discovered_in uuid,
                created_at    timestamptz NOT NULL DEFAULT now(),
                updated_at    timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (tenant_id, id),
                UNIQUE (tenant_id, name_key)
            )$table$, '_' || kind,
            CASE kind WHEN 'skills' THEN $column$category text CHECK (category IN ('technical', 'soft', 'business', 'language')),$column$ END);
        EXECUTE format('COMMENT ON TABLE execreport.%I IS %L', '_' || kind, format(
'The tenant''s %s, each once: name_key is the normalised name, discovered_in the scenario that brought it.', kind));
    END LOOP;
END
$$;

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

CALL execreport._hold('execreport._scenario_generations', large => '{content}');
CALL execreport._hold('execreport._generation_chunks');
CALL execreport._hold('execreport._scenarios');
CALL execreport._hold('execreport._capabilities');
CALL execreport._hold('execreport._competencies');
CALL execreport._hold('execreport._skills');
CALL execreport._hold('execreport._roles');
CALL execreport._hold('execreport.scenario_capabilities');
CALL execreport._hold('execreport.capability_competencies');
CALL execreport._hold('execreport.competency_skills');
CALL execreport._hold('execreport.scenario_roles');
CALL execreport._hold('execreport.role_competencies');
CALL execreport._hold('execreport.import_audit');

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

CREATE FUNCTION execreport._redact(content text, growing boolean DEFAULT false) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'er_redact';
COMMENT ON FUNCTION execreport._redact(text, boolean) IS
'The text with [email], [phone], [ssn], [card] (13 to 19 digits with a right check digit, or 4 groups of 4), [token] and [key] in
place of such; a random word becomes [token-1f3a9c], the same everywhere. growing: more of the text may come, so what stands
behind its last comma, semicolon, ], } or line break is left out, for it may be half of such.';

CREATE FUNCTION execreport._redact_document(document jsonb) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'er_redact_document';
COMMENT ON FUNCTION execreport._redact_document(jsonb) IS
'The document with its strings redacted. Keys, numbers, ids and key_competencies stay.';
