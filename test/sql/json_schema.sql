\set SHOW_CONTEXT never
-- problems: paths, keywords, messages
\set schema '{"type":"object","required":["id","name"],"properties":{"id":{"type":"integer"},"name":true,"tags":{"type":"array","maxItems":2,"uniqueItems":true,"items":{"type":"string","minLength":2}},"score":{"minimum":0,"exclusiveMaximum":100,"multipleOf":0.5},"kind":{"enum":["a","b"]},"fixed":{"const":{"a":[1,2.0]}},"code":{"pattern":"^[A-Z]+$"},"ref":{"$ref":"#/$defs/positive"}},"additionalProperties":false,"$defs":{"positive":{"exclusiveMinimum":0}}}'
SELECT * FROM execreport.json_schema_errors(:'schema', '{"id":1.0,"name":null,"tags":["ab"],"score":99.5,"kind":"b","fixed":{"a":[1.0,2]},"code":"AB","ref":1}');
SELECT * FROM execreport.json_schema_errors(:'schema', '{"id":1.5,"tags":["ab","é","ab"],"score":100.25,"kind":"c","fixed":{"a":[1,3]},"code":"aB","ref":0,"a/b~c":1}');
SELECT * FROM execreport.json_schema_errors(:'schema', '[]');
SELECT count(*) FROM execreport.json_schema_errors(:'schema', '{"id":1.5,"tags":["ab","é","ab"],"score":100.25}', 3);
SELECT * FROM execreport.json_schema_errors('{"anyOf":[{"type":"string"},{"minimum":10},{"anyOf":[{"const":1},{"const":2}]}]}', '5');
SELECT * FROM execreport.json_schema_errors('{"oneOf":[{"type":"integer"},{"minimum":2}]}', '5');
SELECT * FROM execreport.json_schema_errors('{"oneOf":[{"type":"string"},{"minimum":20}]}', '5');
SELECT * FROM execreport.json_schema_errors('{"not":{"type":"integer"}}', '5');
SELECT * FROM execreport.json_schema_errors('{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}', '{"a":1}');
SELECT * FROM execreport.json_schema_errors('{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}', '{}');
SELECT * FROM execreport.json_schema_errors('{"contains":{"const":1},"minContains":2,"maxContains":3}', '[1,0]');
SELECT * FROM execreport.json_schema_errors('{"contains":{"const":1},"minContains":2,"maxContains":3}', '[1,1,1,1]');
SELECT * FROM execreport.json_schema_errors('{"contains":{"const":1}}', '[]');
SELECT * FROM execreport.json_schema_errors('{"dependentRequired":{"a":["b","c"]},"dependentSchemas":{"a":{"maxProperties":1}},"minProperties":3,"propertyNames":{"maxLength":1}}', '{"a":1,"cc":2}');
SELECT * FROM execreport.json_schema_errors('{"allOf":[{"properties":{"a":true}},{"patternProperties":{"^x":true}}],"unevaluatedProperties":false}', '{"a":1,"x1":2,"y":3}');
SELECT * FROM execreport.json_schema_errors('{"prefixItems":[{"type":"string"}],"contains":{"const":7},"unevaluatedItems":false}', '["a",7,8]');
SELECT * FROM execreport.json_schema_errors('{"prefixItems":[{"type":"string"},false]}', '[1,2]');
SELECT * FROM execreport.json_schema_errors('false', '{"a":1}');
SELECT * FROM execreport.json_schema_errors('{"minItems":2,"maxItems":0}', '[1]');
SELECT * FROM execreport.json_schema_errors('{"$ref":"https://json-schema.org/draft/2020-12/schema"}', '{"minLength":-1}');
-- long values are cut between characters
SELECT message FROM execreport.json_schema_errors('{"const":1}', to_jsonb(repeat('é', 100)));

-- the jsonb walk: more members than a stride of offsets, numbers and containers after odd lengths
SELECT execreport.json_matches_schema('{"additionalProperties":{"type":["integer","object","string"]}}', doc),
       execreport.json_matches_schema('{"additionalProperties":{"type":["object","string"]}}', doc),
       (SELECT array_agg(instance_path ORDER BY instance_path COLLATE "C") FROM execreport.json_schema_errors('{"additionalProperties":{"not":{"const":77}}}', doc))
  FROM (SELECT jsonb_object_agg(repeat('k', i % 5) || i, CASE i % 3 WHEN 0 THEN to_jsonb(repeat('s', i % 7)) WHEN 1 THEN to_jsonb(CASE WHEN i > 150 THEN 77 ELSE i END) ELSE jsonb_build_object('a', i) END) AS doc
          FROM generate_series(1, 160) i) d;
-- a few properties among many members and the reverse
SELECT (SELECT count(*) FROM execreport.json_schema_errors((SELECT jsonb_build_object('properties', jsonb_object_agg('p' || i, false), 'required', jsonb_agg('p' || i)) FROM generate_series(1, 500) i), '{"p7":1,"p501":2}')) AS of_few,
       (SELECT count(*) FROM execreport.json_schema_errors('{"properties":{"p7":false,"q":true},"required":["q","p8","p"]}', (SELECT jsonb_object_agg('p' || i, i) FROM generate_series(1, 500) i))) AS of_many;

-- numbers by value, at any size
SELECT s, i, execreport.json_matches_schema(s::jsonb, i::jsonb) FROM (VALUES
    ('{"type":"integer"}', '1.0'), ('{"type":"integer"}', '1e3'), ('{"type":"integer"}', '1.5'), ('{"type":"integer"}', '123456789012345678901234567890.0'),
    ('{"type":"integer"}', '-0.0'), ('{"type":"integer"}', '0.00001'), ('{"type":"integer"}', '100000000'), ('{"type":"integer"}', '12345678.1'),
    ('{"const":100000000000000000000}', '1e20'), ('{"const":10000}', '1e4'), ('{"enum":[1,"1",[1]]}', '[1.0]'), ('{"const":0}', 'false'), ('{"const":0}', '-0.0'),
    ('{"maximum":12345678901234567890}', '12345678901234567890.0'), ('{"maximum":12345678901234567890}', '12345678901234567890.1'),
    ('{"minimum":-9999999999999999}', '-9999999999999999'), ('{"exclusiveMinimum":9999999999999999}', '10000000000000000'),
    ('{"multipleOf":0.01}', '19.99'), ('{"multipleOf":0.01}', '19.995'), ('{"multipleOf":1e-8}', '12391239123'), ('{"multipleOf":3}', '-9'), ('{"multipleOf":3}', '-8'),
    ('{"multipleOf":7}', '70000000000000000000000000007'), ('{"multipleOf":7}', '70000000000000000000000000008'),
    ('{"uniqueItems":true}', '[1,1.0]'), ('{"uniqueItems":true}', '[1,true,"1",[1],{"a":1},null,0,false,"",[],{}]'), ('{"uniqueItems":true}', '[{"a":1,"b":[2]},{"b":[2.0],"a":1.0}]'),
    ('{"minLength":3}', '"é😀"'), ('{"maxLength":2}', '"é😀"'), ('{"properties":{"__proto__":false}}', '{"__proto__":1}'), ('{"required":["toString"]}', '{}')) t(s, i);

-- format asserts by a setting
SELECT execreport.json_matches_schema('{"format":"ipv4"}', '"256.0.0.1"');
SET execreport.json_schema_format_assertion = on;
SELECT execreport.json_matches_schema('{"format":"ipv4"}', '"256.0.0.1"'), execreport.json_matches_schema('{"format":"no-such"}', '"x"');
SELECT * FROM execreport.json_schema_errors('{"format":"date"}', '"2023-02-29"');
SELECT f, v, execreport.json_matches_schema(jsonb_build_object('format', f), to_jsonb(v)) FROM (VALUES
    ('email', 'a@b-c.d'), ('email', 'a@-b.c'), ('email', 'a@b.-c'), ('email', 'a@b-.c'), ('email', 'a@b.c-'), ('email', 'a@b..c'), ('ipv6', '::'), ('ipv6', '1::'), ('ipv6', '::1'), ('ipv6', ':1::'),
    ('ipv6', '1:2:3:4:5:6:7:8'), ('ipv6', '1:2:3:4:5:6:7'), ('ipv6', '1:2:3:4:5:6:7::'), ('date', '0000-01-01'), ('date', '1900-02-29'), ('date', '2000-02-29'),
    ('uri', 'http://h:80/'), ('uri', 'http://h:/'), ('uri', 'http://[::1]:80/'), ('uri', 'http://[::1]80/'), ('uri', 'http://u:p@h:80')) t(f, v);
RESET execreport.json_schema_format_assertion;

-- patterns
SELECT p, ascii(v), length(v), execreport.json_matches_schema(jsonb_build_object('pattern', p), to_jsonb(v)) FROM (VALUES
    ('^\d$', '٣'), ('^\d$', '3'), ('^\w$', 'é'), ('^\p{L}$', 'é'), ('^\p{Lu}+$', 'ÀΩ'), ('^\P{Lu}+$', 'ÀΩ'), ('^\s$', U&'\FEFF'), ('^.$', U&'\2028'), ('^.$', '😀'), ('^a$', E'a\n'),
    ('\bfoo\b', 'a foo.'), ('\bfoo\b', 'éfooé'), ('\bfoo\b', '_foo'), ('^\u{1F600}$', '😀'), ('^\ud83d\ude00$', '😀'), ('^[^a]$', E'\n'), ('^[\s\S]$', 'x'), ('^(a)(?:b|c)\1$', 'aca'),
    ('^x{2,300}$', repeat('x', 300)), ('^x{2,300}$', repeat('x', 301)), ('^(?!ab).*$', 'abc'), ('(?<=\$)\d+', '$42'), ('^(?<y>\d{4})-\k<y>$', '2020-2020'),
    ('^(?<y>\d{4})-\k<y>$', '2020-2021'), ('^\t\n\v\f\r$', E'\t\n\x0b\f\r'), ('^\p{Lu}\p{General_Category=Nd}$', 'A5'), ('^[a-z&&[aeiou]]$', 'b')) t(p, v);

-- a schema is checked
SELECT execreport.json_schema_check('{"type":"string"}'), execreport.json_schema_check('true'), execreport.json_schema_check(NULL);
SELECT execreport.json_schema_check('{"type":"strin","properties":{"a":{"minLength":-1}}}');
SELECT execreport.json_schema_check('{"$schema":"http://json-schema.org/draft-07/schema#","minLength":"1"}');
SELECT execreport.json_schema_check('{"properties":{"a":{"$ref":"#/$defs/b"}}}');
-- a bundled schema of another draft is held to its own meta-schema
SELECT execreport.json_schema_check('{"$defs":{"old":{"$id":"urn:old","$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}]}}}');
SELECT execreport.json_schema_check('{"$defs":{"a/b":{"$id":"urn:old","$schema":"http://json-schema.org/draft-07/schema#","minLength":"1"},"c":{"type":5}}}');
SELECT execreport.json_schema_check('{"$defs":{"old":{"$id":"urn:old","$schema":"http://json-schema.org/draft-07/schema#"},"c":{"minLength":"1"}}}');
SELECT execreport.json_schema_check('{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"new":{"$id":"urn:new","$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[]}}}');
-- an error is text of the database, whatever bytes a reference means
SELECT execreport.json_schema_check('{"$ref":"#/a%ff"}');
SELECT execreport.json_schema_check('{"items":{"pattern":"\\p{Script=Greek}"}}');

-- NULL, limits
SELECT execreport.json_matches_schema(NULL, '1') IS NULL, execreport.json_matches_schema('true', NULL) IS NULL;
SELECT * FROM execreport.json_schema_errors(NULL, '1');
SELECT * FROM execreport.json_schema_errors('true', NULL);
SELECT * FROM execreport.json_schema_errors('true', '1', NULL);
SELECT * FROM execreport.json_schema_errors('true', '1', 0);
SELECT count(*) FROM execreport.json_schema_errors('{"items":false}', (SELECT jsonb_agg(i) FROM generate_series(1, 100001) i), 2147483647);
SELECT (execreport.json_schema_errors('{"items":false}', '[1,2]')).instance_path;

-- hostile: an error or an answer, soon
SELECT execreport.json_matches_schema('{"allOf":[{"$ref":"#"},{"$ref":"#"}]}', '1');
SELECT execreport.json_matches_schema('{"$defs":{"a":{"not":{"$ref":"#/$defs/b"}},"b":{"dependentSchemas":{"x":{"$ref":"#/$defs/a"}}}},"$ref":"#/$defs/a"}', '{"x":1}');
SELECT execreport.json_matches_schema('{"$defs":{"a":{"not":{"$ref":"#/$defs/b"}},"b":{"dependentSchemas":{"x":{"$ref":"#/$defs/a"}}}},"$ref":"#/$defs/a"}', '{"y":1}');
CREATE FUNCTION pg_temp.state(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; BEGIN EXECUTE command INTO r; RETURN r; EXCEPTION WHEN OTHERS OR query_canceled THEN RETURN SQLSTATE; END $$;
-- deep nesting of the instance and of the schema
SELECT n, pg_temp.state(format($$SELECT execreport.json_matches_schema('{"items":{"$ref":"#"}}', (repeat('[', %s) || repeat(']', %s))::jsonb)$$, n, n)) IN ('true', '54001') AS instance,
       pg_temp.state(format($$SELECT execreport.json_matches_schema((repeat('{"not":', %s) || 'true' || repeat('}', %s))::jsonb, '1')$$, n, n)) IN ('true', 'false', '54001') AS schema
  FROM (VALUES (500), (2500), (10000)) t(n);
SELECT execreport.json_matches_schema(s, '10000'), execreport.json_matches_schema(s, '0'), (SELECT count(*) FROM execreport.json_schema_errors(s, '0'))
  FROM (SELECT jsonb_build_object('anyOf', jsonb_agg(jsonb_build_object('const', i))) AS s FROM generate_series(1, 10000) i) t;
-- 2 to the 40th alternatives, in place and on the way down: refused; 2 to the 12th are done
CREATE FUNCTION pg_temp.doubled(n integer, last jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('$ref', '#/$defs/d0', '$defs', jsonb_object_agg('d' || i, CASE WHEN i = n THEN last ELSE
        jsonb_build_object('anyOf', jsonb_build_array(jsonb_build_object('$ref', '#/$defs/d' || (i + 1)), jsonb_build_object('$ref', '#/$defs/d' || (i + 1)))) END))
      FROM generate_series(0, n) AS i $$;
SELECT execreport.json_matches_schema(pg_temp.doubled(40, 'false'), '1');
SELECT count(*) FROM execreport.json_schema_errors(pg_temp.doubled(40, '{"type": "null"}'), '1');
SELECT execreport.json_matches_schema(pg_temp.doubled(12, '{"type": "null"}'), '1'), execreport.json_matches_schema(pg_temp.doubled(40, 'true'), '1');
SELECT n, pg_temp.state(format('SELECT execreport.json_matches_schema(%L, %L)',
    '{"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"items": {"$ref": "#/$defs/a"}}, {"items": {"$ref": "#/$defs/a"}}]}}}', repeat('[', n) || repeat(']', n))) AS down
  FROM (VALUES (12), (40)) AS t (n);
-- a large instance is allowed more, and can be cancelled
SET statement_timeout = '200ms';
SELECT execreport.json_matches_schema(pg_temp.doubled(40, 'false'), jsonb_build_array(repeat('x', 5000000)));
SELECT count(*) FROM execreport.json_schema_errors(pg_temp.doubled(40, 'false'), jsonb_build_array(repeat('x', 5000000)));
-- reading a pattern can be cancelled: a class that says the same again and again, names that no group has
SELECT execreport.json_matches_schema(jsonb_build_object('pattern', '[' || repeat('\p{L}', 220000) || ']'), '"a"');
SELECT clock_timestamp() AS begun \gset
SELECT execreport.json_matches_schema(jsonb_build_object('pattern',
    (SELECT string_agg('(?<g' || i || '>x)', '') FROM generate_series(1, 8000) i) || repeat('\k<zz>', 100000)), '"a"');
SELECT clock_timestamp() - :'begun' < interval '3 seconds' AS at_once;
SET statement_timeout = '20s';
SELECT execreport.json_matches_schema(jsonb_build_object('pattern', '^[' || repeat('\p{L}\d', 1000) || ']+$'), v) FROM unnest('{"\"aé9\"", "\"a-\""}'::jsonb[]) AS v;
-- classic exponential patterns take linear time
SELECT execreport.json_matches_schema('{"pattern":"^(a+)+$"}', to_jsonb(repeat('a', 200000) || 'b')),
       execreport.json_matches_schema('{"pattern":"^(a|a)*$"}', to_jsonb(repeat('a', 200000) || 'b')),
       execreport.json_matches_schema('{"pattern":"(x+x+)+y"}', to_jsonb(repeat('x', 20000)));
-- many items: not quadratic
SELECT execreport.json_matches_schema('{"uniqueItems":true}', a), execreport.json_matches_schema('{"uniqueItems":true}', a || '[7.0]')
  FROM (SELECT jsonb_agg(i) AS a FROM generate_series(1, 300000) i) t;
RESET statement_timeout;
-- problems of branches that are dropped again leave nothing behind: the most memory that this backend ever held, in MB, where /proc tells
CREATE FUNCTION pg_temp.peak() RETURNS integer LANGUAGE sql AS $$
    SELECT coalesce(substring(pg_read_file('/proc/self/status', 0, 100000, true) FROM 'VmHWM:\s+(\d+)')::integer / 1024, 0) $$;
CREATE TEMP TABLE long_list AS SELECT jsonb_agg(i) AS a FROM generate_series(1, 400000) i;
SELECT pg_temp.peak() AS before \gset
SELECT count(*) FROM long_list, execreport.json_schema_errors('{"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "maxItems": 1}', a);
SELECT pg_temp.peak() - :before < 100 AS little;
-- nor do texts that are held to the format "regex"
SET execreport.json_schema_format_assertion = on;
CREATE TEMP TABLE expressions AS SELECT jsonb_agg('(?<a>b)' || i) AS a FROM generate_series(1, 200000) i;
SELECT pg_temp.peak() AS before \gset
SELECT execreport.json_matches_schema('{"items": {"format": "regex"}}', a) FROM expressions;
SELECT pg_temp.peak() - :before < 100 AS little;
RESET execreport.json_schema_format_assertion;

-- more schemas than the cache holds, met again and again
SELECT count(*) FILTER (WHERE execreport.json_matches_schema(jsonb_build_object('minimum', i % 400), to_jsonb(i % 400))) AS valid,
       count(*) FILTER (WHERE execreport.json_matches_schema(jsonb_build_object('pattern', '^' || i % 400 || '$'), to_jsonb((i % 401)::text))) AS matching
  FROM generate_series(0, 1599) i;
-- a call site sees each schema that it is given, compressed and out of line too
CREATE TEMP TABLE schemas AS SELECT i, jsonb_build_object('const', i, '$comment', repeat('x', n)) AS s FROM generate_series(1, 5) i, (VALUES (1), (3000), (300000)) t(n);
INSERT INTO schemas SELECT i, jsonb_build_object('const', i, '$comment', (SELECT string_agg(md5(j::text), '') FROM generate_series(1, 200) j)) FROM generate_series(6, 9) i;
SELECT count(*), count(*) FILTER (WHERE execreport.json_matches_schema(s, to_jsonb(i))) AS same, count(*) FILTER (WHERE execreport.json_matches_schema(s, to_jsonb(i + 1))) AS other FROM schemas;

-- instances of 100 MB: one text, and a list of texts
SELECT execreport.json_matches_schema('{"type": "string", "maxLength": 10}', big) AS short,
       execreport.json_matches_schema('{"type": "string", "pattern": "^x+$", "minLength": 104857600}', big) AS long
  FROM (SELECT to_jsonb(repeat('x', 104857600)) AS big) AS b;
SELECT execreport.json_matches_schema('{"uniqueItems": true, "items": {"type": "string", "minLength": 1048576}}', list) AS fits,
       (SELECT keyword FROM execreport.json_schema_errors('{"items": {"const": 1}}', list, 1)) AS refused
  FROM (SELECT jsonb_agg(lpad(n::text, 1048576, 'x')) AS list FROM generate_series(1, 100) AS n) AS b;
