-- scenarios_generations: from a prompt to an answer: queued, processing, complete or failed.
--
-- Invariant: whoever changes a generation, or appends to it, holds the lock of its row. Chunks are numbered from 1 and never
-- change; an attempt that begins anew begins without any.

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
            USING ERRCODE = '42501', DETAIL = format('Generation %s takes its creator, or persona operator.', result.id);
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
    ELSIF request_generation.prompt !~ E'\\S' OR length(request_generation.prompt) > 100000 THEN
        RAISE EXCEPTION 'prompt has % characters', CASE WHEN request_generation.prompt ~ E'\\S' THEN length(request_generation.prompt) ELSE 0 END
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
    chunks     integer := generation.chunk_count;
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
        chunks := assembled.chunks;
        content := assembled.content;
    END IF;
    RETURN jsonb_build_object(
        'generationId', generation.id, 'status', generation.status, 'chunks', chunks,
        'bytes', octet_length(content), 'checksum', execreport._checksum(content),
        'compacted', generation.compacted_at IS NOT NULL,
        'content', CASE WHEN clear THEN content ELSE execreport._redact(content, generation.status <> 'complete') END);
END
$$;
COMMENT ON FUNCTION execreport.assemble_generation(uuid) IS
'The answer put together from its chunks: {generationId, status, chunks, bytes, checksum (SHA-256 of the text), compacted,
content}. content is as it came for the creator and the tenant''s admins, redacted for other members, and for these up to the
last comma, semicolon, ], } or line break unless the generation is complete: what stands behind may be half an address.
After compaction the stored text is given. Needs persona viewer.
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
            SELECT CASE WHEN clear THEN t.text ELSE execreport._redact(t.text, t.growing) END
              FROM (SELECT CASE WHEN generation.compacted_at IS NULL THEN string_agg(c.chunk, '' ORDER BY c.sequence) ELSE generation.content END AS text,
                           generation.status <> 'complete' OR coalesce(max(c.n) < max(c.pieces), false) AS growing
                      FROM (SELECT p.sequence, p.chunk, row_number() OVER (ORDER BY p.sequence) AS n, count(*) OVER () AS pieces
                              FROM execreport._generation_chunks AS p
                             WHERE p.tenant_id = tenant AND p.generation_id = generation.id) AS c
                     WHERE c.sequence = c.n) AS t));
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.generation_progress(uuid, integer, boolean) IS
'How far an answer is: {generationId, status, attempts, retryAt, error, progress: {receivedChunks, receivedBytes, firstChunkAt,
lastChunkAt}, chunks: the last of them, the oldest first} and, with assemble, text: what is there up to the first gap, or
the stored text after compaction. Chunks are for the creator and the tenant''s admins, others get null and a redacted text, of
which the end is held back while more may come, as assemble_generation() does. Needs persona viewer.
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
                                           'message', left(execreport._redact(fail_generation.error), 10000));
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
    before     timestamptz := _compact_generations.now - make_interval(days => execreport._setting('chunk_retention_days')::integer);
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
