-- Similarity against pg_trgm's documented values and against the definition written down in SQL.
BEGIN;
SELECT plan(18);
SET LOCAL jit = off;    -- the reference below runs 50,000 small queries, which the planner takes for large ones

CREATE FUNCTION trigrams(name text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(DISTINCT substr('  ' || w || ' ', i, 3)), '{}')
      FROM regexp_split_to_table(lower(name), '[^a-z0-9]+') AS w, generate_series(1, length(w) + 1) AS i
     WHERE w <> '' $$;
CREATE FUNCTION reference(a text, b text) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(n::float8 / nullif(cardinality(trigrams(a)) + cardinality(trigrams(b)) - n, 0), 0)
      FROM (SELECT count(*) AS n FROM (SELECT unnest(trigrams(a)) INTERSECT SELECT unnest(trigrams(b))) AS i) AS shared $$;

-- the manual of pg_trgm: show_trgm('cat') has 4, show_trgm('foo|bar') has 8; similarity('word', 'two words') = 0.363636
SELECT is(trigrams('cat'), ARRAY['  c', ' ca', 'at ', 'cat'], 'the reference cuts as the manual of pg_trgm does');
SELECT is(cardinality(trigrams('foo|bar')), 8, 'words apart');
SELECT is(round(execreport._name_similarity('word', 'two words')::numeric, 6), 0.363636, 'the manual''s value');
SELECT is(execreport._name_similarity('Data Platform', 'data  PLATFORM!'), 1::float8, 'case, spaces and punctuation do not count');
SELECT is(execreport._name_similarity('abc', 'xyz'), 0::float8, 'nothing in common');
SELECT is(execreport._name_similarity('', ''), 0::float8, 'empty names are not alike');
SELECT is(execreport._name_similarity('', 'a'), 0::float8, 'an empty name is like none');
SELECT is(execreport._name_similarity(NULL, 'a'), NULL, 'unknown');
SELECT is(execreport._name_similarity('GESTIÓN de datos', E'gestio\u0301n de datos'), 1::float8, 'composed or not, great or small');
SELECT is(execreport._name_similarity('数据工程', '数据工程师'), 4::float8 / 7, 'characters of several bytes are one each');

SELECT is(execreport._name_similarity(repeat('ab  cd  ', 1000000), 'ab cd'), 1::float8, 'a long name does no harm');

-- 300 names of few syllables, so that many are alike
CREATE TEMP TABLE names AS
SELECT i AS n, concat_ws(' ', (ARRAY['data', 'date', 'cloud', 'cost'])[1 + i % 4],
                         (ARRAY['engineer', 'engineering', 'engineers', 'platform', 'platforms', 'quality', 'qualities'])[1 + i / 4 % 7],
                         nullif((ARRAY['', 'a', 'ab', 'abc', 'lead', 'leads', 'of it', 'of its', 'ops', 'oops', 'c'])[1 + i / 28 % 11], '')) AS name
  FROM generate_series(1, 300) AS i;
SELECT is_empty($$
    SELECT a.name, b.name FROM names AS a, names AS b
     WHERE a.n <= 60 AND abs(execreport._name_similarity(a.name, b.name) - reference(a.name, b.name)) > 1e-12 $$,
    'pairs are as alike as the definition says');
CREATE TEMP TABLE pairs AS SELECT a.n AS a, b.n AS b, reference(a.name, b.name) AS similarity FROM names AS a, names AS b WHERE a.n <= 100;
CREATE TEMP TABLE joined AS
SELECT t.threshold, s.name_number AS a, s.other_number AS b, s.similarity
  FROM (VALUES (0.3), (0.5), (0.75), (0.9)) AS t (threshold),
       execreport._similar_names((SELECT array_agg(name ORDER BY n) FROM names WHERE n <= 100),
                                 (SELECT array_agg(name ORDER BY n) FROM names), t.threshold, 20) AS s;
SELECT ok(count(*) > 1000, 'many are alike') FROM pairs WHERE similarity > 0.5;
SELECT is_empty($$
    SELECT threshold, a, b, round(similarity::numeric, 9) FROM joined
    EXCEPT
    SELECT * FROM (
        SELECT t.threshold, p.a, p.b, round(p.similarity::numeric, 9)
          FROM (VALUES (0.3), (0.5), (0.75), (0.9)) AS t (threshold), LATERAL (
              SELECT p.*, row_number() OVER (PARTITION BY p.a ORDER BY p.similarity DESC, p.b) AS place FROM pairs AS p
               WHERE p.similarity > t.threshold) AS p
         WHERE p.place <= 20) AS expected $$, 'the join finds no other than comparing every pair');
SELECT is_empty($$
    SELECT t.threshold, p.a, p.b, round(p.similarity::numeric, 9)
      FROM (VALUES (0.3), (0.5), (0.75), (0.9)) AS t (threshold), LATERAL (
          SELECT p.*, row_number() OVER (PARTITION BY p.a ORDER BY p.similarity DESC, p.b) AS place FROM pairs AS p
           WHERE p.similarity > t.threshold) AS p
     WHERE p.place <= 20
    EXCEPT
    SELECT threshold, a, b, round(similarity::numeric, 9) FROM joined $$, 'and misses none');
SELECT results_eq($$ SELECT name_number, other_number, similarity FROM execreport._similar_names(ARRAY['b', NULL, ''], ARRAY[NULL, 'b', '', 'b'], 0.5, 1) $$,
    $$ VALUES (1, 2, 1::float8) $$, 'NULL and nothing are like none; of equals the first');
SELECT is_empty($$ SELECT FROM execreport._similar_names('{}', '{a}', 0.5, 1) $$, 'no names');
SELECT throws_ok($$ SELECT FROM execreport._similar_names('{a}', '{a}', 'NaN', 1) $$, '22023', NULL, 'a threshold is a number from 0.1 to 1');

SELECT * FROM finish();
ROLLBACK;
