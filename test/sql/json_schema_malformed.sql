\set SHOW_CONTEXT never
-- Malformed schemas, and schemas that are odd but allowed: each has one defined result. Expected is an SQLSTATE with
-- the path that the message must name, or true or false. Only what differs is printed.
CREATE FUNCTION pg_temp.verdict(schema text, instance text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN execreport.json_matches_schema(schema::jsonb, instance::jsonb)::text;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || substring(SQLERRM FROM ' at "?([^ :"]*)"?');
END $$;

CREATE TEMP TABLE cases (schema text, expected text, instance text DEFAULT '1');

-- a schema must be an object, true or false; so must every subschema
INSERT INTO cases VALUES ('null', '22023 '), ('1', '22023 '), ('"x"', '22023 '), ('[]', '22023 '), ('[{}]', '22023 ');
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{additionalProperties,contains,else,if,items,not,propertyNames,then,unevaluatedItems,unevaluatedProperties,contentSchema}'::text[]) k,
       unnest('{"null",1,"\"x\"","[]"}'::text[]) v;
INSERT INTO cases SELECT format('{"$schema": "http://json-schema.org/draft-07/schema#", "%s": %s}', k, v), '22023 /' || k
  FROM unnest('{additionalItems,additionalProperties,contains,if,not,propertyNames}'::text[]) k, unnest('{"null","\"x\""}'::text[]) v;
-- lists of schemas
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{allOf,anyOf,oneOf,prefixItems}'::text[]) k, unnest('{"null",1,"{}",[]}'::text[]) v;
INSERT INTO cases SELECT format('{"%s": [true, %s]}', k, v), '22023 /' || k || '/1'
  FROM unnest('{allOf,anyOf,oneOf,prefixItems}'::text[]) k, unnest('{"null",1,[]}'::text[]) v;
-- objects of schemas
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{$defs,definitions,dependentSchemas,patternProperties,properties,dependencies}'::text[]) k, unnest('{"null",1,[],true}'::text[]) v;
INSERT INTO cases SELECT format('{"%s": {"a~/b": %s}}', k, v), '22023 /' || k || '/a~0~1b'
  FROM unnest('{$defs,definitions,dependentSchemas,patternProperties,properties,dependencies}'::text[]) k, unnest('{"null",1}'::text[]) v;
-- counts
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{maxContains,maxItems,maxLength,maxProperties,minContains,minItems,minLength,minProperties}'::text[]) k,
       unnest('{-1,0.5,"\"1\"","null",-1e400}'::text[]) v;
INSERT INTO cases SELECT format('{"%s": %s}', k, v), 'true'
  FROM unnest('{maxItems,minItems,maxLength}'::text[]) k, unnest('{2.0,1e3,1e400}'::text[]) v;
-- numbers
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{exclusiveMaximum,exclusiveMinimum,maximum,minimum,multipleOf}'::text[]) k, unnest('{"\"1\"","null",true}'::text[]) v;
INSERT INTO cases VALUES ('{"multipleOf": 0}', '22023 /multipleOf'), ('{"multipleOf": -2}', '22023 /multipleOf'), ('{"multipleOf": -0.0}', '22023 /multipleOf');
INSERT INTO cases SELECT format('{"multipleOf": %s}', m), expected, i
  FROM (VALUES (repeat('7', 1000), 'true', repeat('7', 131000)), (repeat('7', 998) || '.77', 'true', repeat('7', 998) || '.77'), ('7e-16000', 'true', repeat('7', 131000)),
               (repeat('7', 1010), '54000 /multipleOf', '1'), ('0.' || repeat('7', 1010), '54000 /multipleOf', '1')) AS v (m, expected, i);
-- strings and flags
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{$anchor,$comment,$dynamicAnchor,$dynamicRef,$id,$ref,$schema,contentEncoding,contentMediaType,description,format,pattern,title}'::text[]) k,
       unnest('{"null",1,[]}'::text[]) v;
INSERT INTO cases SELECT format('{"%s": %s}', k, v), '22023 /' || k
  FROM unnest('{deprecated,readOnly,uniqueItems,writeOnly}'::text[]) k, unnest('{"null","\"true\""}'::text[]) v;
INSERT INTO cases VALUES ('{"enum": 1}', '22023 /enum'), ('{"enum": {}}', '22023 /enum'), ('{"enum": []}', 'false'),
    ('{"enum": [1, 1]}', 'true'), ('{"examples": {}}', '22023 /examples'), ('{"$vocabulary": []}', '22023 /$vocabulary');
-- type
INSERT INTO cases SELECT format('{"type": %s}', v), '22023 /type' FROM unnest('{"null",1,true,[],"{}","\"int\"","\"String\"","\"\""}'::text[]) v;
INSERT INTO cases SELECT format('{"type": ["string", %s]}', v), '22023 /type/1' FROM unnest('{"null",1,"\"any\"","\"string\"","[]"}'::text[]) v;
-- required and its kin
INSERT INTO cases SELECT format('{"required": %s}', v), '22023 /required' FROM unnest('{"null",1,true,"{}","[\"a\", \"b\", \"a\"]"}'::text[]) v;
INSERT INTO cases VALUES ('{"required": ["a", 1]}', '22023 /required/1'), ('{"required": []}', 'true'),
    ('{"dependentRequired": []}', '22023 /dependentRequired'), ('{"dependentRequired": {"a": "b"}}', '22023 /dependentRequired/a'),
    ('{"dependentRequired": {"a": {}}}', '22023 /dependentRequired/a'), ('{"dependentRequired": {"a": ["b", 2]}}', '22023 /dependentRequired/a/1'),
    ('{"dependencies": {"a": "b"}}', '22023 /dependencies/a'), ('{"dependencies": {"a": [1]}}', '22023 /dependencies/a/0'),
    ('{"dependentSchemas": {"a": ["b"]}}', '22023 /dependentSchemas/a');
-- mistakes deep inside, also where the instance does not lead
INSERT INTO cases VALUES ('{"properties": {"a": {"items": {"anyOf": [true, {"type": "x"}]}}}}', '22023 /properties/a/items/anyOf/1/type'),
    ('{"$defs": {"a": {"minLength": "x"}}}', '22023 /$defs/a/minLength'), ('{"then": {"minimum": "x"}}', '22023 /then/minimum'),
    ('{"type": "string", "not": {"not": {"not": 3}}}', '22023 /not/not/not'), ('{"unknown": {"type": 3}}', 'true'), ('{"const": {"type": 3}}', 'false');
-- names and references
INSERT INTO cases VALUES ('{"$ref": "#/$defs/none"}', '42704 /$ref'), ('{"$ref": "#none"}', '42704 /$ref'), ('{"$ref": "other.json"}', '42704 /$ref'),
    ('{"$ref": "https://example.com/x"}', '42704 /$ref'), ('{"$ref": "#/type"}', '42704 /$ref'), ('{"type": "integer", "$ref": "#/type"}', '42704 /$ref'),
    ('{"allOf": [true], "$ref": "#/allOf/01"}', '42704 /$ref'), ('{"allOf": [true], "$ref": "#/allOf/1"}', '42704 /$ref'),
    ('{"allOf": [true], "$ref": "#/allOf/-"}', '42704 /$ref'), ('{"allOf": [true], "$ref": "#/allOf/99999999999"}', '42704 /$ref'), ('{"allOf": [true], "$ref": "#/allOf/0"}', 'true'),
    ('{"$dynamicRef": "#none"}', '42704 /$dynamicRef'), ('{"properties": {"a": {"$ref": "#b"}}}', '42704 /properties/a/$ref'),
    ('{"$id": "http://x/#frag"}', '22023 /$id'), ('{"$anchor": ""}', '22023 /$anchor'), ('{"$anchor": "1a"}', '22023 /$anchor'), ('{"$anchor": "a b"}', '22023 /$anchor'),
    ('{"$dynamicAnchor": "#a"}', '22023 /$dynamicAnchor'), ('{"$anchor": "a", "not": {"$anchor": "a", "type": "string"}}', '22023 /not/$anchor'),
    ('{"$defs": {"a": {"$id": "http://x/"}, "b": {"$id": "http://x/"}}}', '22023 /$defs/b/$id'),
    ('{"$defs": {"a": {"$id": "%%%"}}}', 'true'), ('{"$id": "http://[::1/%zz"}', 'true'), ('{"$ref": "#/%zz"}', '42704 /$ref'), ('{"$ref": ""}', '54001 '),
    ('{"$ref": "#"}', '54001 '), ('{"anyOf": [{"$ref": "#"}]}', '54001 /anyOf/0'), ('{"not": {"$ref": "#"}}', '54001 /not'),
    ('{"if": {"$ref": "#"}, "then": true}', '54001 '), ('{"$dynamicAnchor": "a", "$dynamicRef": "#a"}', '54001 ');
-- dialects
INSERT INTO cases VALUES ('{"$schema": "http://json-schema.org/draft-04/schema#"}', '0A000 /$schema'), ('{"$schema": "http://json-schema.org/draft-06/schema#"}', '0A000 /$schema'),
    ('{"$schema": "https://json-schema.org/draft/2019-09/schema"}', '0A000 /$schema'), ('{"$schema": "x"}', '0A000 /$schema'), ('{"$schema": ""}', '0A000 /$schema'),
    ('{"$schema": "urn:m", "$defs": {"m": {"$id": "urn:m", "$vocabulary": {"urn:v": true}}}}', '0A000 /$schema'),
    ('{"$schema": "urn:m", "$defs": {"m": {"$id": "urn:m", "$vocabulary": {"urn:v": false}}}}', 'true'),
    ('{"$schema": "urn:m", "$defs": {"m": {"$id": "urn:m", "$vocabulary": {"urn:v": 1}}}}', '22023 /$defs/m/$vocabulary'),
    ('{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a", "type": 3, "definitions": {"a": true}}', 'true'),
    ('{"$schema": "http://json-schema.org/draft-07/schema#", "items": [true, 1]}', '22023 /items/1'), ('{"items": [true]}', '22023 /items');
-- patterns
INSERT INTO cases SELECT jsonb_build_object('pattern', p)::text, '2201B /pattern'
  FROM unnest(ARRAY['(', ')', '[', '[a', '*', '+a', '?', 'a**', 'a{2,1}', '{1}', '\', '\Z', '\A', '\u12', '\x1', '\p', '\pL', '\p{', '\p{}', '\c1', '\1', '(a)\2',
                    '\k', '\k<n>', '(?<n>a)(?<n>b)', '(?<1>a)', '(?<>a)', '(?i)a', '(?#a)', '[b-a]', '[\d-a]', '[a-\d]', '(?=a)*', '\u{110000}', '\01', '\_a\q']) p;
INSERT INTO cases SELECT jsonb_build_object('pattern', p)::text, '0A000 /pattern'
  FROM unnest(ARRAY['\p{Script=Greek}', '\p{Alphabetic}', '\p{Lx}', '(a)|\1', '(a)?\1', '(a)*\1', '(?=(a))\1', '(a)(?=\1)', '\1(a)', '(\1)', '\k<n>(?<n>a)']) p;
INSERT INTO cases SELECT jsonb_build_object('pattern', p)::text, 'true'
  FROM unnest(ARRAY['', '()', '[]', '[^]', 'a|', '(a)\1', '(?:(a)b)+\1', '(?<n>a)\k<n>', 'a{0}', '\-\@\_', '{', 'a{', 'a{,3}', ']', '}', '[(]', '\/', '[\]]', '\0', '\ud800']) p;
INSERT INTO cases VALUES ('{"patternProperties": {"(": true}}', '2201B /patternProperties/('), ('{"patternProperties": {"a/(": true}}', '2201B /patternProperties/a~1('),
    ('{"pattern": "^(x{1,1000}){1,1000}$"}', '54000 /pattern');

SELECT count(*) >= 200 AS enough, count(DISTINCT (schema, instance)) = count(*) AS no_case_twice FROM cases;
SELECT schema, expected, verdict FROM (SELECT *, pg_temp.verdict(schema, instance) AS verdict FROM cases) c
 WHERE rtrim(verdict) IS DISTINCT FROM rtrim(expected) ORDER BY schema;
-- the check by the meta-schema never finds less: whatever cannot be compiled is refused there too
CREATE FUNCTION pg_temp.checked(schema text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM execreport.json_schema_check(schema::jsonb);
    RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT schema, expected, pg_temp.checked(schema) FROM cases
 WHERE expected !~ '^(true|false|54001)' AND pg_temp.checked(schema) IS DISTINCT FROM left(expected, 5) ORDER BY schema;
