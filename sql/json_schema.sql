-- json_schema: one judge for every document. Pure machine: it reads no table and fetches nothing.

CREATE FUNCTION execreport.json_matches_schema(schema jsonb, instance jsonb)
RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'er_json_matches_schema';

COMMENT ON FUNCTION execreport.json_matches_schema(jsonb, jsonb) IS
'Whether a JSON instance is valid against a JSON Schema (2020-12, or draft-07 when $schema says so). NULL when an argument is NULL.
References resolve inside the schema ($defs with $id bundles others) and among the official meta-schemas. "format" refuses values only with execreport.json_schema_format_assertion.
Errors: 22023 malformed schema; 42704 reference to nowhere; 2201B malformed pattern; 0A000 a dialect, vocabulary or pattern that is not supported; 54001 references without end, or that multiply, or too deep nesting; 54000 a size limit (more than 1,000 digits in multipleOf among them).
Example: SELECT execreport.json_matches_schema(''{"type": "integer"}'', ''1.0'');
Source: https://json-schema.org/draft/2020-12/json-schema-core and json-schema-validation';

CREATE FUNCTION execreport.json_schema_errors(schema jsonb, instance jsonb, max_errors integer DEFAULT 100)
RETURNS TABLE (instance_path text, schema_path text, keyword text, message text)
LANGUAGE c STABLE PARALLEL SAFE COST 100 ROWS 1
AS 'MODULE_PATHNAME', 'er_json_schema_errors';

COMMENT ON FUNCTION execreport.json_schema_errors(jsonb, jsonb, integer) IS
'The problems of a JSON instance against a JSON Schema, none when it is valid: at most max_errors rows (1 and more; 100,000 is the most).
instance_path: JSON Pointer of the value, "" for the whole instance; schema_path: JSON Pointer of the keyword in the schema (after URI and "#" for an official meta-schema); keyword; message: one sentence.
Errors: as json_matches_schema; 22004 a NULL argument; 22023 max_errors below 1.
Example: SELECT * FROM execreport.json_schema_errors(''{"required": ["id"]}'', ''{}'');
Source: https://json-schema.org/draft/2020-12/json-schema-core and json-schema-validation';

CREATE FUNCTION execreport.json_schema_check(schema jsonb)
RETURNS void
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10000
AS 'MODULE_PATHNAME', 'er_json_schema_check';

COMMENT ON FUNCTION execreport.json_schema_check(jsonb) IS
'Raises an error unless the schema can be used: it must be valid against the meta-schema of its draft, every reference must resolve and every pattern must be expressible. The message names the first problem, DETAIL lists all that the meta-schema finds. Does nothing for NULL.
Errors: as json_matches_schema.
Example: SELECT execreport.json_schema_check(''{"type": "string", "minLength": 1}'');
Source: https://json-schema.org/draft/2020-12/schema and http://json-schema.org/draft-07/schema';
