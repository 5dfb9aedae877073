-- help: the functions and what they are for. The last part of the script: it also takes EXECUTE away from PUBLIC on
-- everything before it; grant_access() gives it to the roles that are enrolled.

CREATE FUNCTION execreport.help(pattern text DEFAULT NULL)
RETURNS TABLE (function text, arguments text, result text, description text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.proname::text, pg_catalog.pg_get_function_arguments(p.oid),
           coalesce(pg_catalog.pg_get_function_result(p.oid), 'procedure'),
           pg_catalog.obj_description(p.oid, 'pg_proc')
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'execreport')
       AND p.proname NOT LIKE E'\\_%'
       AND (help.pattern IS NULL
            OR pg_catalog.strpos(pg_catalog.lower(p.proname), pg_catalog.lower(help.pattern)) > 0
            OR p.proname ~~* pg_catalog.rtrim(help.pattern, E'\\'))
     ORDER BY 1, 2;
END;
COMMENT ON FUNCTION execreport.help(text) IS
'The public functions: name, arguments, result, and a description with units, errors and an example.
pattern: part of a name, or a LIKE pattern; NULL lists all.
Example: SELECT function, description FROM execreport.help(''lookback'');';

REVOKE ALL ON ALL ROUTINES IN SCHEMA execreport FROM PUBLIC;

DROP PROCEDURE execreport._hold(regclass, name, text, text, name[]);
