-- What every object of ours has to be, whatever capability it belongs to. A new table, view or function is held to
-- this without being named here.
BEGIN;
SELECT plan(22);

CREATE TEMP VIEW ours AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS what
  FROM pg_depend AS d
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'execreport');
CREATE TEMP VIEW our_tables AS
SELECT c.* FROM pg_class AS c JOIN ours ON ours.classid = 'pg_class'::regclass AND ours.objid = c.oid;
CREATE TEMP VIEW our_functions AS
SELECT p.*, p.oid::regprocedure::text AS signature
  FROM pg_proc AS p JOIN ours ON ours.classid = 'pg_proc'::regclass AND ours.objid = p.oid;

SELECT is_empty($$
    SELECT what FROM ours
     WHERE classid = 'pg_class'::regclass AND objid NOT IN (SELECT oid FROM pg_class WHERE relnamespace = 'execreport'::regnamespace)
        OR classid = 'pg_proc'::regclass AND objid NOT IN (SELECT oid FROM pg_proc WHERE pronamespace = 'execreport'::regnamespace)
        OR classid = 'pg_type'::regclass AND objid NOT IN (SELECT oid FROM pg_type WHERE typnamespace = 'execreport'::regnamespace)
        OR classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass)
     ORDER BY what $$, 'every member is a relation, function or type in the schema execreport');
SELECT results_eq($$ SELECT what FROM ours WHERE classid = 'pg_namespace'::regclass $$, $$ VALUES ('schema execreport') $$,
    'the schema itself is a member');

-- tables
SELECT is_empty($$ SELECT relname FROM our_tables WHERE relkind IN ('r', 'p') AND NOT relrowsecurity ORDER BY 1 $$,
    'row security is on for every table');
SELECT is_empty($$
    SELECT relname FROM our_tables WHERE relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = our_tables.oid) ORDER BY 1 $$,
    'every table has a policy');
SELECT is_empty($$
    SELECT relname FROM our_tables
     WHERE relkind IN ('r', 'p', 'S')
       AND oid NOT IN (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'execreport') ORDER BY 1 $$,
    'every table and sequence is dumped with its data');
SELECT is_empty($$
    SELECT relname FROM our_tables AS t
     WHERE relkind IN ('r', 'p')
       AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = 'tenant_id')
       AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND a.attnum = 1 AND a.attnotnull)
     ORDER BY 1 $$, 'where there is a tenant_id, it is the first column and never null');
SELECT is_empty($$
    SELECT t.relname, k.conname FROM our_tables AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
     WHERE k.contype IN ('p', 'u')
       AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = 'tenant_id')
       AND k.conkey[1] <> 1 ORDER BY 1, 2 $$, 'primary and unique keys begin with the tenant');
-- pg_restore -j loads member tables in any order: a dump does not tell it which of them refer to which
SELECT is_empty($$ SELECT t.relname, k.conname FROM our_tables AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
     WHERE k.contype = 'f' ORDER BY 1, 2 $$, 'no foreign key stands in the way of a parallel restore');
SELECT is_empty($$ SELECT relname, tgname FROM our_tables AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid
     WHERE NOT g.tgisinternal AND t.relkind IN ('r', 'p') ORDER BY 1, 2 $$, 'no table has a trigger');
SELECT is_empty($$
    SELECT relname, attname FROM our_tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid
     WHERE t.relkind IN ('r', 'p') AND a.attnum > 0 AND a.atttypid::regtype::text ~ '^(oid|reg.*|xid|cid)$' ORDER BY 1, 2 $$,
    'no row holds an OID');
SELECT is_empty($$
    SELECT relname, attname FROM our_tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid
     WHERE t.relkind IN ('r', 'p') AND a.attnum > 0 AND a.atttypid = 'jsonb'::regtype AND a.attcompression <> 'l'
       AND (SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression') ORDER BY 1, 2 $$,
    'documents are compressed with lz4 where the server has it');
SELECT is_empty($$ SELECT relname FROM our_tables WHERE relkind = 'v' AND NOT coalesce(reloptions @> '{security_barrier=true}', false) ORDER BY 1 $$,
    'every view is a security barrier');
SELECT is_empty($$ SELECT relname FROM our_tables WHERE relkind IN ('r', 'p', 'v') AND obj_description(oid, 'pg_class') IS NULL ORDER BY 1 $$,
    'every table and view has a comment');
SELECT is_empty($$
    SELECT relname, a.privilege_type FROM our_tables, aclexplode(relacl) AS a
     WHERE relkind IN ('r', 'p', 'v') AND a.grantee = 0 ORDER BY 1, 2 $$, 'PUBLIC has no privilege on any relation');

-- functions
SELECT is_empty($$
    SELECT signature FROM our_functions
     WHERE proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) AS a WHERE a.grantee = 0) ORDER BY 1 $$,
    'PUBLIC may execute nothing');
SELECT is_empty($$
    SELECT signature FROM our_functions WHERE proname NOT LIKE '\_%' AND obj_description(oid, 'pg_proc') IS NULL ORDER BY 1 $$,
    'every public function has a comment');
SELECT is_empty($$
    SELECT signature FROM our_functions
     WHERE proname NOT LIKE '\_%' AND obj_description(oid, 'pg_proc') !~ 'Example:' ORDER BY 1 $$,
    'every comment of a public function gives an example');
SELECT is_empty($$
    SELECT signature FROM our_functions AS f JOIN pg_language AS l ON l.oid = f.prolang
     WHERE prokind <> 'p'
       AND ((prosecdef AND lanname <> 'c') OR lanname = 'plpgsql' OR (lanname = 'sql' AND prosqlbody IS NULL))
       AND NOT coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false) ORDER BY 1 $$,
    'PL/pgSQL, SECURITY DEFINER and text-bodied SQL functions pin their search path; C qualifies every name');
SELECT is_empty($$
    SELECT signature FROM our_functions WHERE prokind <> 'a' AND pg_get_functiondef(oid) ~ 'current_setting\(''execreport\.'
    UNION ALL
    SELECT relname FROM our_tables WHERE relkind = 'v' AND pg_get_viewdef(oid) ~ 'current_setting\(''execreport\.' ORDER BY 1 $$,
    'our settings are read by _setting(), which loads the library that defines and guards them');
SELECT is_empty($$
    SELECT function FROM execreport.help() AS h WHERE description IS NULL OR function LIKE '\_%' $$,
    'help() lists public functions, each described');
SELECT results_eq($$ SELECT p, count(h.function) FROM (VALUES (E'\\'), (E'next\\_run'), (E'next_run\\'), ('NEXT\_R%')) AS v (p) LEFT JOIN LATERAL execreport.help(p) AS h ON true GROUP BY 1 ORDER BY p COLLATE "C" $$,
    $$ VALUES (E'NEXT\\_R%', 1::bigint), (E'\\', 0), (E'next\\_run', 1), (E'next_run\\', 1) $$, 'a pattern may end in a backslash');
SELECT is_empty($$
    SELECT p.proname, q.proname AS calls
      FROM pg_proc AS p
      LEFT JOIN pg_proc AS q ON q.pronamespace = p.pronamespace AND q.proparallel <> 's' AND q.provolatile <> 'v'
            AND (p.prosrc || coalesce(pg_get_function_sqlbody(p.oid), '')) LIKE '%execreport.' || q.proname || '(%'
     WHERE p.pronamespace = 'execreport'::regnamespace AND p.proparallel = 's' AND (q.oid IS NOT NULL OR p.prosrc LIKE '%EXCEPTION WHEN%')
     ORDER BY 1, 2 $$,
    'what is parallel safe catches no errors, which takes a sub-transaction, and calls nothing that does');

SELECT * FROM finish();
ROLLBACK;
