-- Many fingerprints in one session, short and long: each is the SHA-256 of its key.
BEGIN;
SELECT plan(1);
SELECT is_empty($$
    SELECT batch, length(item->>'title') FROM generate_series(1, 30) AS batch,
           jsonb_array_elements(execreport.consolidate_insights(jsonb_build_array(jsonb_build_object('id', 'r', 'moduleId', 'm', 'output',
               jsonb_build_object('insights', (SELECT jsonb_agg(jsonb_build_object('type', 'risk', 'title', repeat('t', i) || ' ' || batch * 400 + i)) FROM generate_series(1, 400) AS i)))))) AS item
     WHERE item->>'fingerprint' IS DISTINCT FROM
           encode(substr(sha256(convert_to('risk' || chr(31) || (item->>'title'), 'UTF8')), 1, 16), 'hex') $$,
    '12,000 fingerprints of 7 to 411 bytes');
SELECT * FROM finish();
ROLLBACK;
