-- refusals.sql: included by the tests that call a function with every malformed argument there is.

CREATE FUNCTION pg_temp.refused(call text, argument jsonb, named text, path text, state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE 'SELECT * FROM ' || call USING argument;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    IF SQLSTATE <> refused.state THEN
        RETURN SQLSTATE || ' ' || message;
    END IF;
    IF strpos(message, CASE path WHEN '$' THEN named || ' must' ELSE '"' || path END) = 0 OR length(message) > 250
       OR message ~ '^[A-Z]' OR detail !~ '\.$' OR hint !~ '\.$' OR length(detail) > 250 THEN
        RETURN 'bad words: ' || message || ' ' || detail || ' ' || hint;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pg_temp.refused(text, jsonb, text, text, text) IS
'NULL when the call, with the argument as $1, is refused with this SQLSTATE, and the message names the path (or, for $, what the
argument is named); else what happened instead.';
