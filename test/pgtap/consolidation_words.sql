-- What a document says comes back in whole characters, and an error names a field as the document spells it.
BEGIN;
SELECT plan(7);

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
SELECT is(pg_temp.reason(U&'\6000 campaign', U&'avoid \6000 campaign'), U&'opposite actions on "\6000 campaign"',
          'a letter whose last two bytes are the same stays whole');
SELECT is(pg_temp.reason('Spinning reels', 'Avoid spin reels'), 'opposite actions on "spin reels"', 'two equal letters of ASCII are one');

SELECT throws_ok($$ SELECT execreport.consolidate_insights('[{"moduleId": "m", "executedAt": " ", "executed_at": "yesterday"}]') $$,
                 '22023', 'reports[0].executed_at is the string "yesterday"', 'the time that was read is the one named');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m", "output": {"recommendations": [{"action": "a"}]}}]',
                        '{"keywordExclusions": [{"value": "a", "matchType": "fuzzy"}]}') $$,
                 '22023', 'negative_scope.keywordExclusions[0].matchType is the string "fuzzy"', 'matchType is named matchType');
SELECT throws_ok($$ SELECT execreport.consolidate_exec_reports('[{"moduleId": "m", "output": {"recommendations": [{"action": "a"}]}}]',
                        '{"keywordExclusions": [{"value": "a", "expiresAt": "never"}]}') $$,
                 '22023', 'negative_scope.keywordExclusions[0].expiresAt is the string "never"', 'expiresAt is named expiresAt');
SELECT * FROM finish();
ROLLBACK;
