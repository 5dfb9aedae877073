-- What a document says comes back in whole characters, and an error names a field as the document spells it.
BEGIN;
SELECT plan(20);

CREATE FUNCTION pg_temp.reason(one text, other text) RETURNS text LANGUAGE sql AS $$
    SELECT execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output',
               jsonb_build_object('recommendations', jsonb_build_array(jsonb_build_object('action', one), jsonb_build_object('action', other))))))
           #>> '{0,conflicts,0,reason}' $$;
CREATE FUNCTION pg_temp.is_whole(value text) RETURNS boolean LANGUAGE sql AS $$
    SELECT convert_from(convert_to(value, 'UTF8'), 'UTF8') = value $$;

SELECT is(pg_temp.reason('increase a' || repeat('ж', 200), 'reduce a' || repeat('ж', 200)),
          'opposite actions on "a' || repeat('ж', 99) || '"', 'a long object is named by its first 200 bytes, without half a letter');
SELECT ok(bool_and(pg_temp.is_whole(pg_temp.reason('increase ' || repeat('x', i) || repeat(letter, 100), 'reduce ' || repeat('x', i) || repeat(letter, 100)))),
          'wherever the cut falls')
  FROM generate_series(0, 8) AS i, unnest('{ж,本,😀}'::text[]) AS letter;
SELECT is(pg_temp.reason(U&'\6000 campaign', U&'avoid \6000 campaign'), 'one is the negation of the other',
          'a letter whose last two bytes are the same stays whole');
SELECT is(pg_temp.reason('Spinning reels', 'Avoid spin reels'), 'one is the negation of the other', 'two equal letters of ASCII are one');
SELECT is(pg_temp.reason('Translate pages', 'Do not translate pages'), 'one is the negation of the other', 'the stem of a verb is shown to nobody');

SELECT throws_ok($$ SELECT execreport.consolidate_insights('[{"moduleId": "m", "executedAt": " ", "executed_at": "yesterday"}]') $$,
                 '22023', 'reports[0].executed_at is the string "yesterday"', 'the time that was read is the one named');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m", "output": {"recommendations": [{"action": "a"}]}}]',
                        '{"keywordExclusions": [{"value": "a", "matchType": "fuzzy"}]}') $$,
                 '22023', 'negative_scope.keywordExclusions[0].matchType is the string "fuzzy"', 'matchType is named matchType');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m", "output": {"recommendations": [{"action": "a"}]}}]',
                        '{"keywordExclusions": [{"value": "a", "expiresAt": "never"}]}') $$,
                 '22023', 'negative_scope.keywordExclusions[0].expiresAt is the string "never"', 'expiresAt is named expiresAt');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m"}]', '{"keywordExclusions": 5}') $$,
                 '22023', 'negative_scope.keywordExclusions is the number 5', 'a wrong scope is an error before there is a recommendation to exclude');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m"}]', '{"keyword_exclusions": [{"value": "a", "semantic_sensitivity": "x"}]}') $$,
                 '22023', 'negative_scope.keyword_exclusions[0].semantic_sensitivity is the string "x"', 'and so is an unknown sensitivity where none is needed');
SELECT is(execreport.consolidate_exec_reports('[{"moduleId": "m", "output": {"recommendations": [{"action": "a b"}]}}]',
              '{"keyword_exclusions": [{"value": "a b c", "match_type": "semantic", "semantic_sensitivity": " ", "expires_at": " "}]}')
          #>> '{recommendations,0,conflicts,0,kind}', 'exclusion', 'blank text is unknown here, too');

-- ids that are numbers
CREATE FUNCTION pg_temp.id_text(id numeric) RETURNS text LANGUAGE sql AS $$
    SELECT execreport.consolidate_exec_reports(jsonb_build_array(jsonb_build_object('moduleId', 'm', 'playbookResult',
               jsonb_build_object('deprioritized', jsonb_build_array(id))))) #>> '{deprioritized,0,ids,0}' $$;
SELECT is(array_agg(pg_temp.id_text(id) ORDER BY n), '{7,-1.5,1000000,1e131071,-25e200,1e-300,-12305e-204,1025e-105}', 'a long number is shortened')
  FROM unnest('{7,-1.50,1000000,1e131071,-2.5e201,1e-300,-1.2305e-200}'::numeric[] || '1.025e-102'::numeric) WITH ORDINALITY AS v (id, n);
SELECT is(count(*), 0::bigint, 'and stays the same number')
  FROM generate_series(1, 300) AS i, unnest(ARRAY[repeat('7', i), '-' || repeat('90', i), '0.' || repeat('0', i) || '31', repeat('5', i) || '.' || repeat('50', 9),
           '1' || repeat('0', i), '-1' || repeat('0', i) || '.000' || repeat('3', 150)]::numeric[]) AS id
 WHERE pg_temp.id_text(id)::numeric IS DISTINCT FROM id;
-- the scale of confidences is one for both lists of a report, also where they are long
SELECT is(jsonb_agg(DISTINCT i->'confidence' ORDER BY i->'confidence'), expected, format('the highest confidences %s of the output and %s of the playbook', output, playbook))
  FROM (VALUES (0.5, 80, '[0.5, 80]'::jsonb), (80, 0.5, '[0.5, 80]'), (0.5, 1, '[50, 100]'), (1, 0.5, '[50, 100]')) AS t (output, playbook, expected),
       LATERAL jsonb_array_elements(execreport.consolidate_insights(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm',
           'output', jsonb_build_object('insights', (SELECT jsonb_agg(jsonb_build_object('title', 'a' || n, 'confidence', output)) FROM generate_series(1, 70) AS n)),
           'playbookResult', jsonb_build_object('insights', (SELECT jsonb_agg(jsonb_build_object('title', 'b' || n, 'confidence', playbook)) FROM generate_series(1, 70) AS n)))))) AS i
 GROUP BY output, playbook, expected;
-- the words of a theme: four at the most
SELECT is(execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('id', 'x', 'moduleId', 'm', 'output', jsonb_build_object(
              'insights', jsonb_build_array(jsonb_build_object('title', 't', 'keywords', jsonb_build_array(keyword))),
              'recommendations', jsonb_build_array(jsonb_build_object('action', 'Write about one two three four five'))))))
            #>> '{0,theme}', theme, 'a theme of the words ' || keyword)
  FROM (VALUES ('one two three four', 'one two three four'), ('one two three four five', NULL), ('five', 'five')) AS t (keyword, theme);

SELECT * FROM finish();
ROLLBACK;
