-- identifiers and hashes that everything else uses

-- UUID version 7: version and variant bits, the time in front, order of creation
SELECT count(*) AS ids, count(DISTINCT id) AS distinct_ids, bool_and(substr(id::text, 15, 1) = '7') AS version_7,
       bool_and(substr(id::text, 20, 1) IN ('8', '9', 'a', 'b')) AS variant_rfc
  FROM (SELECT execreport._uuid7() AS id FROM generate_series(1, 100000)) AS made;
SELECT count(*) AS not_rising
  FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before
          FROM (SELECT n, execreport._uuid7() AS id FROM generate_series(1, 100000) AS n) AS made) AS pairs
 WHERE id <= before;
SELECT abs(extract(epoch FROM clock_timestamp())
           - ('x' || lpad(translate(left(execreport._uuid7()::text, 13), '-', ''), 16, '0'))::bit(64)::bigint / 1000.0) < 60 AS time_in_front;

-- canonical hash: the expected values come from a program in another language that follows the rule in the comment of
-- execreport._canonical_hash (keys by length, then bytewise; numbers without trailing zeros; ", " and ": ")
SELECT document, execreport._canonical_hash(document::jsonb) = expected AS same
  FROM (VALUES
    ('null', '74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b'),
    ('true', 'b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b'),
    ('1', '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b'),
    ('1.0', '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b'),
    ('1e2', 'ad57366865126e55649ecb23ae1d48887544976efea46a48eb5d85a6eeb4d306'),
    ('-0.0', '5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9'),
    ('0.10', '14be4b45f18e0d8c67b4f719b5144eee88497e413709d11d85b096d8e2346310'),
    ('"a\"b"', '8bbcb681750af483258c5ca72e83c5c397bf66aa01e7c7787c0d212fc1f6fa1d'),
    ('[]', '4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945'),
    ('{}', '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'),
    ('[1, [2, {"a": []}], {}]', '1d347463d232c7e6c75360d024f5c45cde028103ccefbaa65e7d04ad8958895b'),
    ('{"bb": 1, "a": 2, "aa": {"z": 1.50, "é": "ñ"}}', '6134431b5549b33668e55343ad7ca98926a4bfcdd168dba87eca5ec96424b81d'),
    ('{"aa": {"é": "ñ", "z": 1.5}, "a": 2.0, "bb": 1}', '6134431b5549b33668e55343ad7ca98926a4bfcdd168dba87eca5ec96424b81d'),
    ('[3, 1, 2]', '649eda3a580ae01969a08fffc4defe1905c1cefaee8f1e29f1db12fe1a56f08d'),
    ('[1, 2, 3]', 'a36b1f2c3f84522dd1005145646617d7054c0851e97c72a039c0bdfac9fa07f3'),
    ('{"t": "tab\there\u0001"}', 'b6015348cd3fd92ecf50ab9d365f564d676682d2b0465d88d8909a6d12e9bf82'),
    ('12345678901234567890.123000', 'ca75a415e9a2eb1ce34b5aef1fd7101e73a08a42a9dd4a2679525351e8fbb72f'),
    ('{"a": [{"b": [{"c": null}]}, "x"]}', '3c25c51d481fa7d28e148a780ab1f1a4c53c959c016675ec8c6d95af4fda9a1a')
  ) AS v (document, expected);
SELECT execreport._canonical_hash('{"a": 1, "b": [1, 2]}') = execreport._canonical_hash('{"b": [1.0, 2e0], "a": 1.00}') AS equal_values,
       execreport._canonical_hash('[1, 2]') = execreport._canonical_hash('[2, 1]') AS other_order_equal,
       execreport._canonical_hash(NULL) AS null_stays;
-- for documents without trailing zeros it is the digest of jsonb's own text, however large
SELECT execreport._canonical_hash(doc) = encode(sha256(convert_to(doc::text, 'UTF8')), 'hex') AS same
  FROM (SELECT jsonb_agg(jsonb_build_object('n', n, 'text', repeat('é"\', n % 50), 'list', jsonb_build_array(n, NULL, true))) AS doc
          FROM generate_series(1, 20000) AS n) AS big;
-- also where one text is longer than a piece of what is digested, and a character or an escape falls on the cut
SELECT bool_and(execreport._canonical_hash(doc) = encode(sha256(convert_to(doc::text, 'UTF8')), 'hex')) AS same
  FROM generate_series(0, 5) AS shift,
       jsonb_build_object(repeat('k', shift) || repeat('é"€' || chr(7), 60000), repeat('v', shift) || repeat('🙂\', 60000)) AS doc;
