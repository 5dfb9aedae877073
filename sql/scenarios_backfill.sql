-- scenarios_backfill: what scenarios lack of the generation they came from is filled in, counted before and after, and can
-- be taken back; and the checks before and after an import.
--
-- Only what is NULL is filled. A run notes, row by row, what it filled and a digest of it; so taking it back finds out what
-- somebody has changed since, and leaves that alone. A run that was cut off stays open, and the next call goes on with it.
-- Steps of a run come one after the other, for each locks the run's row.

CREATE TABLE execreport.prompt_backfills (
    tenant_id   integer NOT NULL DEFAULT execreport.current_tenant(),
    run_id      uuid NOT NULL DEFAULT execreport._uuid7(),
    status      text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'complete', 'reverted')),
    last_id     uuid,       -- scenarios up to this one are done
    before      jsonb NOT NULL,
    after       jsonb,
    started_by  text NOT NULL DEFAULT execreport.current_user_id(),
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    reverted_by text,
    reverted_at timestamptz,
    PRIMARY KEY (tenant_id, run_id)
);
CREATE UNIQUE INDEX prompt_backfills_running_idx ON execreport.prompt_backfills (tenant_id) WHERE status = 'running';
COMMENT ON TABLE execreport.prompt_backfills IS
'The runs of backfill_accepted_prompts(): status running (cut off, or at work), complete or reverted, and the numbers before
and after, as the function reports them.';

CREATE TABLE execreport._prompt_backfill_rows (
    tenant_id         integer NOT NULL DEFAULT execreport.current_tenant(),
    run_id            uuid NOT NULL,
    scenario_id       uuid NOT NULL,
    filled            jsonb NOT NULL,
    updated_at_before timestamptz,
    updated_at_after  timestamptz,
    PRIMARY KEY (tenant_id, run_id, scenario_id)
);
COMMENT ON TABLE execreport._prompt_backfill_rows IS
'What a run filled in: filled is {column: SHA-256 of the value}, generation_link with the generation''s id for its scenario_id.
updated_at_before and updated_at_after: that of the scenario, which the run changed, too.';

CALL execreport._hold('execreport.prompt_backfills');
CALL execreport._hold('execreport._prompt_backfill_rows');

CREATE FUNCTION execreport._digest(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(value, 'UTF8')), 'hex');

CREATE FUNCTION execreport._prompt_gaps(tenant integer, after uuid, most integer)
RETURNS TABLE (scenario_id uuid, generation_id uuid, prompt boolean, redacted boolean, metadata boolean, link boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.id, g.id, s.accepted_prompt IS NULL AND g.prompt IS NOT NULL,
           s.accepted_prompt_redacted IS NULL AND g.redacted_prompt IS NOT NULL,
           s.accepted_prompt_metadata IS NULL, g.scenario_id IS NULL
      FROM execreport._scenarios AS s
      JOIN execreport._scenario_generations AS g ON g.tenant_id = s.tenant_id AND g.id = s.source_generation_id
     WHERE s.tenant_id = _prompt_gaps.tenant AND (_prompt_gaps.after IS NULL OR s.id > _prompt_gaps.after)
       AND (s.accepted_prompt IS NULL AND g.prompt IS NOT NULL OR s.accepted_prompt_redacted IS NULL AND g.redacted_prompt IS NOT NULL
            OR s.accepted_prompt_metadata IS NULL OR g.scenario_id IS NULL)
     ORDER BY s.id
     LIMIT _prompt_gaps.most;
END;
COMMENT ON FUNCTION execreport._prompt_gaps(integer, uuid, integer) IS
'Scenarios with something to fill in, in the order of their ids: which of the accepted prompt, its redacted form, its metadata
and the generation''s link to the scenario is NULL and known.';

CREATE FUNCTION execreport._prompt_counts(tenant integer) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object(
        'scenarios', (SELECT pg_catalog.count(*) FROM execreport._scenarios AS s WHERE s.tenant_id = _prompt_counts.tenant),
        'fromGenerations', f.n, 'withAcceptedPrompt', f.prompt, 'withAcceptedPromptRedacted', f.redacted,
        'withAcceptedPromptMetadata', f.metadata,
        'generationsLinked', (SELECT pg_catalog.count(*) FROM execreport._scenario_generations AS g
                               WHERE g.tenant_id = _prompt_counts.tenant AND g.scenario_id IS NOT NULL),
        'toFill', pg_catalog.jsonb_build_object('acceptedPrompt', t.prompt, 'acceptedPromptRedacted', t.redacted,
                      'acceptedPromptMetadata', t.metadata, 'generationLink', t.link, 'scenarios', t.n))
      FROM (SELECT pg_catalog.count(*) AS n, pg_catalog.count(s.accepted_prompt) AS prompt,
                   pg_catalog.count(s.accepted_prompt_redacted) AS redacted, pg_catalog.count(s.accepted_prompt_metadata) AS metadata
              FROM execreport._scenarios AS s
             WHERE s.tenant_id = _prompt_counts.tenant AND s.source_generation_id IS NOT NULL) AS f,
           (SELECT pg_catalog.count(*) AS n, pg_catalog.count(*) FILTER (WHERE g.prompt) AS prompt,
                   pg_catalog.count(*) FILTER (WHERE g.redacted) AS redacted, pg_catalog.count(*) FILTER (WHERE g.metadata) AS metadata,
                   pg_catalog.count(*) FILTER (WHERE g.link) AS link
              FROM execreport._prompt_gaps(_prompt_counts.tenant, NULL, NULL) AS g) AS t;
END;
COMMENT ON FUNCTION execreport._prompt_counts(integer) IS
'What there is and what is missing, as backfill_accepted_prompts() reports it.';

CREATE FUNCTION execreport.fill_accepted_prompts(batch integer DEFAULT 1000, OUT run_id uuid, OUT filled integer, OUT done boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(execreport.current_tenant(), 'operator');
    run execreport.prompt_backfills;
    picked uuid[];
    last uuid;
    finished jsonb;
BEGIN
    IF batch IS NULL OR batch NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'batch is %', coalesce(batch::text, 'null')
            USING ERRCODE = CASE WHEN batch IS NULL THEN '22004' ELSE '22023' END, DETAIL = 'A batch has 1 to 100000 scenarios.';
    END IF;
    LOOP
        SELECT b.* INTO run FROM execreport.prompt_backfills AS b WHERE b.tenant_id = tenant AND b.status = 'running' FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO execreport.prompt_backfills AS b (tenant_id, before) VALUES (tenant, execreport._prompt_counts(tenant))
        ON CONFLICT (tenant_id) WHERE status = 'running' DO NOTHING
        RETURNING b.* INTO run;
        EXIT WHEN FOUND;    -- else somebody has just begun one
    END LOOP;
    run_id := run.run_id;

    SELECT coalesce(array_agg(p.scenario_id), '{}'), max(p.scenario_id::text)::uuid INTO picked, last
      FROM execreport._prompt_gaps(tenant, run.last_id, batch) AS p;
    -- whoever accepts locks the generation first, then writes the scenario
    PERFORM FROM execreport._scenario_generations AS g
      WHERE g.tenant_id = tenant
        AND g.id IN (SELECT s.source_generation_id FROM execreport._scenarios AS s WHERE s.tenant_id = tenant AND s.id = ANY (picked))
      ORDER BY g.id FOR NO KEY UPDATE;
    PERFORM FROM execreport._scenarios AS s WHERE s.tenant_id = tenant AND s.id = ANY (picked) ORDER BY s.id FOR NO KEY UPDATE;
    WITH source AS MATERIALIZED (   -- what is missing now that nobody else can fill it in
        SELECT s.id, g.id AS generation_id, s.updated_at,
               CASE WHEN s.accepted_prompt IS NULL THEN g.prompt END AS prompt,
               CASE WHEN s.accepted_prompt_redacted IS NULL THEN g.redacted_prompt END AS redacted,
               CASE WHEN s.accepted_prompt_metadata IS NULL THEN execreport._accepted_prompt_metadata(g, g.accepted_by) END AS metadata,
               CASE WHEN g.scenario_id IS NULL THEN s.id END AS link
          FROM execreport._scenarios AS s
          JOIN execreport._scenario_generations AS g ON g.tenant_id = s.tenant_id AND g.id = s.source_generation_id
         WHERE s.tenant_id = tenant AND s.id = ANY (picked)),
    scenarios AS (
        UPDATE execreport._scenarios AS s
           SET accepted_prompt = coalesce(s.accepted_prompt, f.prompt),
               accepted_prompt_redacted = coalesce(s.accepted_prompt_redacted, f.redacted),
               accepted_prompt_metadata = coalesce(s.accepted_prompt_metadata, f.metadata),
               updated_at = clock_timestamp()
          FROM source AS f
         WHERE s.tenant_id = tenant AND s.id = f.id AND coalesce(f.prompt, f.redacted, f.metadata::text) IS NOT NULL
        RETURNING s.id, s.updated_at),
    generations AS (
        UPDATE execreport._scenario_generations AS g SET scenario_id = f.link
          FROM source AS f
         WHERE g.tenant_id = tenant AND g.id = f.generation_id AND f.link IS NOT NULL),
    noted AS (
        INSERT INTO execreport._prompt_backfill_rows AS r (tenant_id, run_id, scenario_id, filled, updated_at_before, updated_at_after)
        SELECT tenant, run.run_id, f.id,
               jsonb_strip_nulls(jsonb_build_object('accepted_prompt', execreport._digest(f.prompt),
                   'accepted_prompt_redacted', execreport._digest(f.redacted),
                   'accepted_prompt_metadata', execreport._digest(f.metadata::text),
                   'generation_link', CASE WHEN f.link IS NOT NULL THEN f.generation_id END)),
               CASE WHEN u.id IS NOT NULL THEN f.updated_at END, u.updated_at
          FROM source AS f LEFT JOIN scenarios AS u ON u.id = f.id
         WHERE coalesce(f.prompt, f.redacted, f.metadata::text, f.link::text) IS NOT NULL
        RETURNING 1)
    SELECT count(*) INTO filled FROM noted;

    done := cardinality(picked) < batch;
    UPDATE execreport.prompt_backfills AS b
       SET last_id = coalesce(last, b.last_id), status = CASE WHEN done THEN 'complete' ELSE 'running' END,
           finished_at = CASE WHEN done THEN clock_timestamp() END
     WHERE b.tenant_id = tenant AND b.run_id = run.run_id;
    IF done THEN
        UPDATE execreport.prompt_backfills AS b SET after = execreport._prompt_counts(tenant)
         WHERE b.tenant_id = tenant AND b.run_id = run.run_id;
        PERFORM execreport._audit(tenant, 'backfill', 'prompt_backfill', run.run_id::text, NULL,
            execreport._filled_counts(tenant, run.run_id));
    END IF;
END
$$;
COMMENT ON FUNCTION execreport.fill_accepted_prompts(integer) IS
'One step of backfill_accepted_prompts(true): goes on with the tenant''s open run, or begins one, and fills in at most that many
scenarios (1 to 100000). done: there is nothing left, and the run is complete. filled: the number of scenarios that got
something. For operators; also during maintenance. Errors: 42501; 22004, 22023 a batch out of bounds.
Example: SELECT * FROM execreport.fill_accepted_prompts(100);';

CREATE FUNCTION execreport._filled_counts(tenant integer, run uuid) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT pg_catalog.jsonb_build_object('acceptedPrompt', pg_catalog.count(*) FILTER (WHERE r.filled ? 'accepted_prompt'),
        'acceptedPromptRedacted', pg_catalog.count(*) FILTER (WHERE r.filled ? 'accepted_prompt_redacted'),
        'acceptedPromptMetadata', pg_catalog.count(*) FILTER (WHERE r.filled ? 'accepted_prompt_metadata'),
        'generationLink', pg_catalog.count(*) FILTER (WHERE r.filled ? 'generation_link'), 'scenarios', pg_catalog.count(*))
      FROM execreport._prompt_backfill_rows AS r
     WHERE r.tenant_id = _filled_counts.tenant AND r.run_id = _filled_counts.run;
END;

CREATE FUNCTION execreport.backfill_accepted_prompts(apply boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant constant integer := execreport._require_tenant(execreport.current_tenant(), 'operator');
    step record;
BEGIN
    IF apply IS NULL THEN
        RAISE EXCEPTION 'apply is null' USING ERRCODE = '22004', HINT = 'true fills in, false counts.';
    ELSIF NOT apply THEN
        RETURN (SELECT jsonb_build_object('applied', false, 'runId', NULL, 'toFill', c -> 'toFill', 'before', c, 'after', NULL)
                  FROM execreport._prompt_counts(tenant) AS c);
    END IF;
    LOOP
        step := execreport.fill_accepted_prompts();
        EXIT WHEN step.done;
    END LOOP;
    RETURN (SELECT jsonb_build_object('applied', true, 'runId', b.run_id, 'filled', execreport._filled_counts(tenant, b.run_id),
                       'toFill', b.before -> 'toFill', 'before', b.before, 'after', b.after)
              FROM execreport.prompt_backfills AS b WHERE b.tenant_id = tenant AND b.run_id = step.run_id);
END
$$;
COMMENT ON FUNCTION execreport.backfill_accepted_prompts(boolean) IS
'Fills in what the tenant''s scenarios lack of the generation they came from (source_generation_id): accepted_prompt,
accepted_prompt_redacted, accepted_prompt_metadata, and scenario_id of the generation. Only what is NULL is filled, and only
with what is known. false: counts alone, nothing changes. true: fills in 1000 scenarios at a time, in one transaction; CALL
run_prompt_backfill() does the same with a commit after each batch.
Returns {applied, runId, toFill, filled, before, after}; toFill (what is missing at the beginning) and filled: {acceptedPrompt,
acceptedPromptRedacted, acceptedPromptMetadata, generationLink, scenarios}; before and after: {scenarios, fromGenerations,
withAcceptedPrompt, withAcceptedPromptRedacted, withAcceptedPromptMetadata, generationsLinked, toFill}. A second call finds
nothing left. revert_backfill(runId) takes it back. For operators; also during maintenance. Audited.
Errors: 42501; 22004 for NULL.
Example: SELECT jsonb_pretty(execreport.backfill_accepted_prompts());';

-- It commits, so it cannot pin the search path: every name in it is qualified.
CREATE PROCEDURE execreport.run_prompt_backfill(batch integer DEFAULT 1000)
LANGUAGE plpgsql AS $$
DECLARE
    step pg_catalog.record;
    filled pg_catalog.int8 := 0;
BEGIN
    LOOP
        SELECT s.run_id, s.filled, s.done INTO step FROM execreport.fill_accepted_prompts(batch) AS s;
        COMMIT;
        filled := filled OPERATOR(pg_catalog.+) step.filled;
        RAISE INFO 'run %: % scenarios', step.run_id, filled;
        EXIT WHEN step.done;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE execreport.run_prompt_backfill(integer) IS
'backfill_accepted_prompts(true) with a commit after each batch of scenarios (1 to 100000), reported as INFO. When it dies on the
way, what is committed stays, the run stays open, and the next call goes on with it: one run, one revert_backfill(). Not
inside a transaction block. For operators; also during maintenance.
Errors: 42501; 22004, 22023 a batch out of bounds; 2D000 inside a transaction block.
Example: CALL execreport.run_prompt_backfill();';

CREATE FUNCTION execreport.revert_backfill(run_id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(execreport.current_tenant(), 'operator');
    run execreport.prompt_backfills;
    reverted jsonb;
    linked bigint;
    counts jsonb;
BEGIN
    SELECT b.* INTO run FROM execreport.prompt_backfills AS b
     WHERE b.tenant_id = tenant AND b.run_id = revert_backfill.run_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run_id % does not exist', coalesce(revert_backfill.run_id::text, 'null')
            USING ERRCODE = CASE WHEN revert_backfill.run_id IS NULL THEN '22004' ELSE 'P0002' END,
                  HINT = 'SELECT run_id, status FROM execreport.prompt_backfills lists them.';
    END IF;
    PERFORM FROM execreport._scenario_generations AS g
      WHERE g.tenant_id = tenant
        AND g.id IN (SELECT s.source_generation_id FROM execreport._scenarios AS s
                       JOIN execreport._prompt_backfill_rows AS r ON r.tenant_id = s.tenant_id AND r.scenario_id = s.id
                      WHERE r.tenant_id = tenant AND r.run_id = run.run_id)
      ORDER BY g.id FOR NO KEY UPDATE;
    PERFORM FROM execreport._scenarios AS s JOIN execreport._prompt_backfill_rows AS r ON r.tenant_id = s.tenant_id AND r.scenario_id = s.id
      WHERE r.tenant_id = tenant AND r.run_id = run.run_id ORDER BY s.id FOR NO KEY UPDATE OF s;

    WITH unlinked AS (
        UPDATE execreport._scenario_generations AS g SET scenario_id = NULL
          FROM execreport._prompt_backfill_rows AS r
         WHERE r.tenant_id = tenant AND r.run_id = run.run_id AND g.tenant_id = tenant
           AND g.id = (r.filled ->> 'generation_link')::uuid AND g.scenario_id = r.scenario_id
           -- an import since then stands on the link
           AND (g.imported_at < run.started_at) IS NOT FALSE AND (g.accepted_at < run.started_at) IS NOT FALSE
        RETURNING 1)
    SELECT count(*) INTO linked FROM unlinked;
    WITH same AS MATERIALIZED (     -- what is still as the run left it
        SELECT r.scenario_id, execreport._digest(s.accepted_prompt) = r.filled ->> 'accepted_prompt' AS prompt,
               execreport._digest(s.accepted_prompt_redacted) = r.filled ->> 'accepted_prompt_redacted' AS redacted,
               execreport._digest(s.accepted_prompt_metadata::text) = r.filled ->> 'accepted_prompt_metadata' AS metadata,
               r.updated_at_before, r.updated_at_after
          FROM execreport._prompt_backfill_rows AS r
          JOIN execreport._scenarios AS s ON s.tenant_id = r.tenant_id AND s.id = r.scenario_id
         WHERE r.tenant_id = tenant AND r.run_id = run.run_id),
    emptied AS (
        UPDATE execreport._scenarios AS s
           SET accepted_prompt = CASE WHEN f.prompt THEN NULL ELSE s.accepted_prompt END,
               accepted_prompt_redacted = CASE WHEN f.redacted THEN NULL ELSE s.accepted_prompt_redacted END,
               accepted_prompt_metadata = CASE WHEN f.metadata THEN NULL ELSE s.accepted_prompt_metadata END,
               updated_at = CASE WHEN s.updated_at = f.updated_at_after THEN f.updated_at_before ELSE clock_timestamp() END
          FROM same AS f
         WHERE s.tenant_id = tenant AND s.id = f.scenario_id AND (f.prompt OR f.redacted OR f.metadata)
        RETURNING f.prompt, f.redacted, f.metadata)
    SELECT jsonb_build_object('acceptedPrompt', count(*) FILTER (WHERE e.prompt), 'acceptedPromptRedacted', count(*) FILTER (WHERE e.redacted),
               'acceptedPromptMetadata', count(*) FILTER (WHERE e.metadata), 'generationLink', linked) INTO reverted
      FROM emptied AS e;
    counts := execreport._filled_counts(tenant, run.run_id) - 'scenarios';
    UPDATE execreport.prompt_backfills AS b
       SET status = 'reverted', reverted_by = coalesce(b.reverted_by, execreport.current_user_id()),
           reverted_at = coalesce(b.reverted_at, clock_timestamp()), finished_at = coalesce(b.finished_at, clock_timestamp())
     WHERE b.tenant_id = tenant AND b.run_id = run.run_id;
    DELETE FROM execreport._prompt_backfill_rows AS r WHERE r.tenant_id = tenant AND r.run_id = run.run_id;
    IF run.status <> 'reverted' THEN
        PERFORM execreport._audit(tenant, 'revert', 'prompt_backfill', run.run_id::text, counts, reverted);
    END IF;
    RETURN jsonb_build_object('runId', run.run_id, 'reverted', reverted, 'unchanged', run.status = 'reverted', 'kept',
               (SELECT jsonb_object_agg(c.key, c.value::bigint - (reverted ->> c.key)::bigint) FROM jsonb_each_text(counts) AS c),
               'now', execreport._prompt_counts(tenant));
END
$$;
COMMENT ON FUNCTION execreport.revert_backfill(uuid) IS
'Takes a run of backfill_accepted_prompts() back, also one that was cut off: what it filled in is NULL again, and the
scenarios'' updated_at is what it was. What somebody has changed since stays, and is counted in kept.
Returns {runId, reverted, kept, unchanged, now}; reverted and kept: {acceptedPrompt, acceptedPromptRedacted,
acceptedPromptMetadata, generationLink}; unchanged: it was reverted before; now: the numbers, as backfill_accepted_prompts() reports
them. For operators; also during maintenance. Audited.
Errors: 42501; 22004 for NULL; P0002 an unknown run.
Example: SELECT execreport.revert_backfill(run_id) FROM execreport.prompt_backfills WHERE status = ''complete'';';

-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION execreport._check(name text, failures bigint, fine text, failed text)
RETURNS TABLE (check_name text, passed boolean, details text)
LANGUAGE sql IMMUTABLE ROWS 1
BEGIN ATOMIC
    SELECT _check.name, _check.failures = 0,
           CASE WHEN _check.failures = 0 THEN _check.fine ELSE pg_catalog.format(_check.failed, _check.failures) END;
END;

CREATE FUNCTION execreport._link_faults(tenant integer) RETURNS TABLE (dangling bigint, unlinked bigint, disagreeing bigint)
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT (SELECT pg_catalog.count(*) FROM execreport._scenarios AS s
             WHERE s.tenant_id = _link_faults.tenant AND s.source_generation_id IS NOT NULL
               AND NOT EXISTS (SELECT FROM execreport._scenario_generations AS g
                                WHERE g.tenant_id = s.tenant_id AND g.id = s.source_generation_id)),
           (SELECT pg_catalog.count(*) FROM execreport._scenarios AS s
              JOIN execreport._scenario_generations AS g ON g.tenant_id = s.tenant_id AND g.id = s.source_generation_id
             WHERE s.tenant_id = _link_faults.tenant AND g.scenario_id IS NULL),
           (SELECT pg_catalog.count(*) FROM execreport._scenario_generations AS g
              LEFT JOIN execreport._scenarios AS s ON s.tenant_id = g.tenant_id AND s.id = g.scenario_id
             WHERE g.tenant_id = _link_faults.tenant AND g.scenario_id IS NOT NULL AND s.source_generation_id IS DISTINCT FROM g.id);
END;
COMMENT ON FUNCTION execreport._link_faults(integer) IS
'Scenarios whose generation is not there; those whose generation does not know them; generations whose scenario is not there
or names another.';

CREATE FUNCTION execreport.pre_import_checks() RETURNS TABLE (name text, passed boolean, details text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 7 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(execreport.current_tenant(), 'operator');
    counts constant jsonb := execreport._prompt_counts(tenant);
    faults record;
BEGIN
    RETURN QUERY
        SELECT c.name, c.fault IS NULL, coalesce(c.fault, c.fine)
          FROM execreport._installed_version() AS v,
               LATERAL (VALUES
                   ('schema_up_to_date', v.fault, format('version %s is installed', v.installed)),
                   ('database_writable', execreport._read_only_because(), 'not a standby, not read only'),
                   ('import_generation_off', CASE WHEN execreport.is_flag_enabled(tenant, 'import_generation') THEN
                        format('the flag import_generation is on: update_flags(%s, ''{"import_generation": null}'')', tenant) END,
                        'the flag import_generation is off'),
                   ('validate_llm_response_on', CASE WHEN NOT execreport.is_flag_enabled(tenant, 'validate_llm_response') THEN
                        'answers are not judged before they are imported' END,
                        'the flag validate_llm_response is on')) AS c (name, fault, fine);
    SELECT f.* INTO faults FROM execreport._link_faults(tenant) AS f;
    RETURN QUERY SELECT c.* FROM execreport._check('sources_exist', faults.dangling, 'every source_generation_id is there',
        '%s scenarios name a generation that is not there') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('links_agree', faults.disagreeing, 'generations and scenarios name each other',
        '%s generations name a scenario that does not name them') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('no_open_backfill',
        (SELECT count(*) FROM execreport.prompt_backfills AS b WHERE b.tenant_id = tenant AND b.status = 'running'),
        format('%s scenarios come from generations, %s lack something', counts ->> 'fromGenerations', counts #>> '{toFill,scenarios}'),
        '%s run was cut off or is at work: backfill_accepted_prompts(true) goes on with it') AS c;
END
$$;
COMMENT ON FUNCTION execreport.pre_import_checks() IS
'What has to hold for the current tenant before scenarios are filled in and imports are allowed: schema_up_to_date,
database_writable, import_generation_off, validate_llm_response_on, sources_exist, links_agree, no_open_backfill (an open run can be
gone on with). One row each: name, passed, details. It changes nothing. The backup no query can see: pg_restore it.
For operators. Errors: 42501.
Example: SELECT * FROM execreport.pre_import_checks() WHERE NOT passed;';

CREATE FUNCTION execreport.post_import_checks() RETURNS TABLE (name text, passed boolean, details text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(execreport.current_tenant(), 'operator');
    counts constant jsonb := execreport._prompt_counts(tenant);
    faults record;
    accepted bigint;
    from_generations bigint := (counts -> 'fromGenerations')::bigint;
BEGIN
    RETURN QUERY SELECT c.* FROM execreport._check('accepted_prompts_filled', (counts #> '{toFill,scenarios}')::bigint,
        format('%s of %s scenarios from generations have their prompt', counts ->> 'withAcceptedPrompt', from_generations),
        '%s scenarios lack something that their generation has: backfill_accepted_prompts(true)') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('no_open_backfill',
        (SELECT count(*) FROM execreport.prompt_backfills AS b WHERE b.tenant_id = tenant AND b.status = 'running'),
        'no run is open', '%s run was cut off or is at work') AS c;
    SELECT count(*) INTO accepted FROM execreport._scenario_generations AS g WHERE g.tenant_id = tenant AND g.accepted_at IS NOT NULL;
    RETURN QUERY SELECT c.* FROM execreport._check('counts_agree', abs(accepted - from_generations),
        format('%s generations are accepted, and as many scenarios come from generations', accepted),
        format('%s generations are accepted, %s scenarios come from generations: %%s apart', accepted, from_generations)) AS c;
    SELECT f.* INTO faults FROM execreport._link_faults(tenant) AS f;
    RETURN QUERY SELECT c.* FROM execreport._check('links_agree', faults.dangling + faults.unlinked + faults.disagreeing,
        'generations and scenarios name each other', '%s generations and scenarios do not name each other') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('imports_audited',
        (SELECT count(*) FROM execreport._scenario_generations AS g
          WHERE g.tenant_id = tenant AND g.imported_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM execreport.import_audit AS a
                             WHERE a.tenant_id = tenant AND a.generation_id = g.id AND a.result = 'success')),
        'every import has its row in import_audit', '%s imports have no row in import_audit') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('no_failed_import',
        (SELECT count(*) FROM (SELECT DISTINCT ON (a.generation_id) a.result FROM execreport.import_audit AS a
                                WHERE a.tenant_id = tenant ORDER BY a.generation_id, a.attempted_at DESC, a.id DESC) AS latest
          WHERE latest.result IN ('failed', 'validation_error')),
        'the last attempt at no generation failed', 'the last attempt at %s generations failed: see import_audit.errors') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('links_whole',
        (SELECT count(*) FROM (
            SELECT l.scenario_id, l.capability_id, NULL::uuid, NULL::uuid, NULL::uuid FROM execreport.scenario_capabilities AS l WHERE l.tenant_id = tenant
            UNION ALL SELECT l.scenario_id, l.capability_id, l.competency_id, NULL, NULL FROM execreport.capability_competencies AS l WHERE l.tenant_id = tenant
            UNION ALL SELECT l.scenario_id, NULL, l.competency_id, l.skill_id, NULL FROM execreport.competency_skills AS l WHERE l.tenant_id = tenant
            UNION ALL SELECT l.scenario_id, NULL, NULL, NULL, l.role_id FROM execreport.scenario_roles AS l WHERE l.tenant_id = tenant
            UNION ALL SELECT l.scenario_id, NULL, l.competency_id, NULL, l.role_id FROM execreport.role_competencies AS l WHERE l.tenant_id = tenant
            ) AS l (scenario_id, capability_id, competency_id, skill_id, role_id)
           LEFT JOIN execreport._scenarios AS s ON s.tenant_id = tenant AND s.id = l.scenario_id
           LEFT JOIN execreport._capabilities AS c ON c.tenant_id = tenant AND c.id = l.capability_id
           LEFT JOIN execreport._competencies AS p ON p.tenant_id = tenant AND p.id = l.competency_id
           LEFT JOIN execreport._skills AS k ON k.tenant_id = tenant AND k.id = l.skill_id
           LEFT JOIN execreport._roles AS r ON r.tenant_id = tenant AND r.id = l.role_id
          WHERE s.id IS NULL OR l.capability_id IS NOT NULL AND c.id IS NULL OR l.competency_id IS NOT NULL AND p.id IS NULL
             OR l.skill_id IS NOT NULL AND k.id IS NULL OR l.role_id IS NOT NULL AND r.id IS NULL),
        'every link names a scenario and entities that are there', '%s links name something that is not there') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('states_follow',
        (SELECT count(*) FROM execreport._scenarios AS s
          WHERE s.tenant_id = tenant AND s.status IN ('incubating', 'incubated')
            AND (s.status = 'incubating') <>
                (EXISTS (SELECT FROM execreport._capabilities AS e WHERE e.tenant_id = tenant AND e.discovered_in = s.id AND e.status = 'in_incubation')
                 OR EXISTS (SELECT FROM execreport._competencies AS e WHERE e.tenant_id = tenant AND e.discovered_in = s.id AND e.status = 'in_incubation')
                 OR EXISTS (SELECT FROM execreport._skills AS e WHERE e.tenant_id = tenant AND e.discovered_in = s.id AND e.status = 'in_incubation')
                 OR EXISTS (SELECT FROM execreport._roles AS e WHERE e.tenant_id = tenant AND e.discovered_in = s.id AND e.status = 'in_incubation'))),
        'scenarios are incubating while entities wait, then incubated', '%s scenarios have a state that their entities contradict') AS c;
    RETURN QUERY SELECT c.* FROM execreport._check('promotions_audited',
        (SELECT count(*) FROM (
            SELECT 'capability' AS type, e.id FROM execreport._capabilities AS e WHERE e.tenant_id = tenant AND e.status = 'active' AND e.discovered_in IS NOT NULL
            UNION ALL SELECT 'competency', e.id FROM execreport._competencies AS e WHERE e.tenant_id = tenant AND e.status = 'active' AND e.discovered_in IS NOT NULL
            UNION ALL SELECT 'skill', e.id FROM execreport._skills AS e WHERE e.tenant_id = tenant AND e.status = 'active' AND e.discovered_in IS NOT NULL
            UNION ALL SELECT 'role', e.id FROM execreport._roles AS e WHERE e.tenant_id = tenant AND e.status = 'active' AND e.discovered_in IS NOT NULL) AS e
          WHERE NOT EXISTS (SELECT FROM execreport.audit_logs AS a
                             WHERE a.tenant_id = tenant AND a.entity_type = e.type AND a.entity_id = e.id::text AND a.action = 'promote')),
        'every promotion has its row in audit_logs', '%s promoted entities have no row in audit_logs') AS c;
    name := 'import_off_by_default';
    passed := NOT (SELECT f.default_enabled FROM execreport.flags AS f WHERE f.key = 'import_generation');
    details := format('import_generation is %s by default, and %s for tenant %s', CASE WHEN passed THEN 'off' ELSE 'on' END,
                      CASE WHEN execreport.is_flag_enabled(tenant, 'import_generation') THEN 'on' ELSE 'off' END, tenant);
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION execreport.post_import_checks() IS
'What has to hold for the current tenant after the backfill and after imports: accepted_prompts_filled, no_open_backfill,
counts_agree (accepted generations, scenarios from generations), links_agree (both ways), imports_audited, no_failed_import (last
attempt at each generation), links_whole (scenario, entities), states_follow (incubating, incubated), promotions_audited,
import_off_by_default. One row each: name, passed, details. It changes nothing. For operators. Errors: 42501.
Example: SELECT * FROM execreport.post_import_checks() WHERE NOT passed;';

CREATE INDEX import_audit_attempted_idx ON execreport.import_audit (attempted_at);

CREATE FUNCTION execreport._health_scenario_import(OUT status text, OUT message text, OUT error text, OUT metrics jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recent record;
    stuck bigint;
BEGIN
    -- everybody's for a superuser, else the caller''s tenant
    SELECT count(*) AS attempts, count(*) FILTER (WHERE a.result IN ('accepted', 'success')) AS succeeded,
           count(*) FILTER (WHERE a.result IN ('failed', 'validation_error')) AS failed,
           count(*) FILTER (WHERE a.result = 'validation_failed') AS invalid,
           (array_agg(a.errors #>> '{0,message}' ORDER BY a.attempted_at DESC) FILTER (WHERE a.result IN ('failed', 'validation_error')))[1] AS last
      INTO recent
      FROM execreport.import_audit AS a
     WHERE a.attempted_at > now() - interval '1 hour'
       AND (execreport._caller_is_superuser() OR a.tenant_id = execreport.current_tenant());
    SELECT count(*) INTO stuck
      FROM execreport._scenario_generations AS g
     WHERE g.status = 'processing' AND g.started_at < now() - interval '1 hour'
       AND (execreport._caller_is_superuser() OR g.tenant_id = execreport.current_tenant());
    status := CASE WHEN recent.failed > 0 AND recent.succeeded = 0 THEN 'unhealthy'
                   WHEN recent.failed > 0 OR stuck > 0 THEN 'degraded' ELSE 'healthy' END;
    message := CASE WHEN recent.failed > 0 THEN format('%s of %s attempts to accept a generation failed within an hour', recent.failed,
                                                       recent.failed + recent.succeeded)
                    WHEN stuck > 0 THEN format('%s generations have been processing for more than an hour', stuck)
                    ELSE 'generations are accepted and imported' END;
    error := left(recent.last, 200);
    metrics := jsonb_build_object('attempts', recent.attempts, 'succeeded', recent.succeeded, 'failed', recent.failed,
                                  'invalid', recent.invalid, 'stuckGenerations', stuck);
END
$$;
COMMENT ON FUNCTION execreport._health_scenario_import() IS
'Are generations accepted and imported? unhealthy: all attempts of the last hour failed; degraded: some did, or generations have
been processing for more than an hour. metrics: attempts, succeeded, failed, invalid, stuckGenerations.';
