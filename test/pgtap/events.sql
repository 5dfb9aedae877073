-- events: cursors, topics, tenants, subtransactions, retention and gaps. Events are seen once their transaction is over, so each
-- statement commits by itself; the rows are deleted in the end.
\set QUIET on
SET client_min_messages = warning;
SET timezone = 'UTC';
\o /dev/null
SELECT count(execreport.create_tenant(t)) FROM generate_series(560, 562) AS t;
CREATE ROLE er_reader_560;
CREATE ROLE er_reader_561;
SELECT execreport.grant_access('er_reader_560', 560, 'viewer'), execreport.grant_access('er_reader_561', 561, 'viewer');
DELETE FROM execreport.events;
DELETE FROM execreport.event_horizons;

-- until every transaction that has emitted is over for everybody (another database may be working at something)
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
    WHILE pg_snapshot_xmin(pg_current_snapshot()) <= (SELECT e.transaction FROM execreport.events AS e ORDER BY e.transaction DESC LIMIT 1) LOOP
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
END
$$;
-- the whole of the events after a cursor, in pages
CREATE FUNCTION follow(cursor text, topics text[], page integer) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    r record;
    at text := cursor;
    seen text[] := '{}';
    n integer;
BEGIN
    LOOP
        n := 0;
        FOR r IN SELECT * FROM execreport.poll_events(at, topics, page) LOOP
            at := r.next_cursor;
            IF r.answer = 'gap' THEN
                RETURN seen || 'gap'::text;
            ELSIF r.answer = 'event' THEN
                n := n + 1;
                seen := seen || r.key;
            END IF;
        END LOOP;
        EXIT WHEN n = 0;
    END LOOP;
    RETURN seen;
END
$$;
\o
SELECT plan(41);

SET execreport.tenant_id = 560;
SELECT results_eq('SELECT answer, topic, key FROM execreport.poll_events()', $$ VALUES ('start', NULL::text, NULL::text) $$, 'a reader may begin where nothing has happened yet');
SELECT next_cursor AS nothing FROM execreport.poll_events() \gset
SELECT results_eq(format('SELECT answer, next_cursor FROM execreport.poll_events(%L)', :'nothing'), format($$ VALUES ('end', %L) $$, :'nothing'),
    'and asks in vain from there');
SELECT results_eq('SELECT answer FROM execreport.poll_events(''oldest'')', $$ VALUES ('end') $$, 'there is no oldest event either');

\o /dev/null
BEGIN;
SELECT execreport._emit(560, 'flags', 'changed', 'a', '{"version": 1}');
SAVEPOINT s;
SELECT execreport._emit(560, 'flags', 'changed', 'undone');
ROLLBACK TO s;
SAVEPOINT s;
SELECT execreport._emit(560, 'reports', 'created', 'b');
RELEASE s;
SELECT execreport._emit(561, 'flags', 'changed', 'other');
SELECT execreport._emit(0, 'maintenance', 'engaged', 'c');
\o
SELECT is(follow(:'nothing', NULL, 100), '{}', 'the transaction that emits does not see its events before it commits');
COMMIT;
BEGIN;
\o /dev/null
SELECT execreport._emit(560, 'flags', 'changed', 'rolled back');
\o
ROLLBACK;
CALL settle();
SELECT is(follow(:'nothing', NULL, 100), '{a,b,c}', 'committed events in their order, with those for every tenant, without what was rolled back');
SELECT is(follow(:'nothing', NULL, 1), '{a,b,c}', 'the same in pages of one');
SELECT is(follow('oldest', NULL, 2), '{a,b,c}', 'and from the oldest one');
SELECT is(follow(:'nothing', '{flags}', 100), '{a}', 'of one topic');
SELECT is(follow(:'nothing', '{flags,maintenance}', 1), '{a,c}', 'of two topics');
SELECT is(follow(:'nothing', '{}', 100), '{}', 'of no topic');
SELECT results_eq('SELECT answer, topic, kind, key, payload, tenant_id FROM execreport.poll_events(''oldest'', NULL, 3)', $$
    VALUES ('event', 'flags', 'changed', 'a', '{"version": 1}'::jsonb, 560), ('event', 'reports', 'created', 'b', '{}', 560),
           ('event', 'maintenance', 'engaged', 'c', '{}', 0) $$, 'a full page has no end row');
SELECT is((SELECT array_agg(answer) FROM execreport.poll_events('oldest', NULL, 4)), '{event,event,event,end}', 'one that is not full has');
SELECT is((SELECT next_cursor FROM execreport.poll_events()), (SELECT next_cursor FROM execreport.poll_events('oldest') WHERE answer = 'end'),
    'from now on is after all that is there');
SELECT next_cursor AS filtered FROM execreport.poll_events(:'nothing', '{nosuch}') \gset
SELECT is(:'filtered'::text, (SELECT next_cursor FROM execreport.poll_events()), 'a reader of a quiet topic goes along with the others');
SELECT is((SELECT array_agg(seq ORDER BY seq) FROM execreport.poll_events('oldest') WHERE answer = 'event'), (SELECT array_agg(e.seq ORDER BY e.seq) FROM execreport.events AS e WHERE e.tenant_id IN (0, 560)),
    'seq is the row''s');

-- who sees what
SET ROLE er_reader_560;
RESET execreport.tenant_id;
SELECT is((SELECT array_agg(key ORDER BY seq) FROM execreport.poll_events('oldest') WHERE answer = 'event'), '{a,b,c}', 'a member sees its tenant''s events and those for every tenant');
SELECT is((SELECT array_agg(key ORDER BY seq) FROM execreport.events), '{a,b,c}', 'row security lets it see no others');
SELECT throws_ok($$ INSERT INTO execreport.events (topic, kind) VALUES ('x', 'y') $$, '42501', NULL, 'members write no events by themselves');
SELECT throws_ok($$ SELECT execreport._emit(560, 'x', 'y', 'z') $$, '42501', NULL, 'nor through our function');
SET ROLE er_reader_561;
SELECT is((SELECT array_agg(key ORDER BY seq) FROM execreport.poll_events('oldest') WHERE answer = 'event'), '{other,c}', 'another member its own');
SELECT throws_ok(format('SELECT * FROM execreport.poll_events(%L)', :'filtered'), '22023', format('cursor "%s" is of tenant 560', left(:'filtered', 64)),
    'the cursor of another tenant is an error');
RESET ROLE;

-- wrong calls
SET execreport.tenant_id = 560;
SELECT throws_ok($$ SELECT * FROM execreport.poll_events('') $$, '22023', 'cursor "" is none of poll_events()', 'no cursor: empty');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events('560-1-2-3') $$, '22023', 'cursor "560-1-2-3" is none of poll_events()', 'no cursor: too short');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events('560-1-99999999999999999999-3-4') $$, '22023', NULL, 'no cursor: a number too long');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events(repeat('9', 1000)) $$, '22023', format('cursor "%s" is none of poll_events()', repeat('9', 64)), 'no cursor: clipped');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events(NULL, NULL, 0) $$, '22023', 'max_events is 0', 'max_events too small');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events(NULL, NULL, 10001) $$, '22023', 'max_events is 10001', 'max_events too large');
SELECT throws_ok($$ SELECT * FROM execreport.poll_events(NULL, NULL, NULL) $$, '22004', 'max_events is null', 'max_events null');

-- cursors of another history
SELECT is(follow(replace(:'filtered', '560-1-', '560-2-'), NULL, 10), '{gap}', 'a cursor of an epoch to come has a gap');
SELECT is(follow(regexp_replace(:'filtered', '\d$', '') || (right(:'filtered', 1)::integer + 1) % 10, NULL, 10), '{gap}',
    'a cursor at another event of the same number has a gap');
SELECT is(follow('560-1-3-1-0', NULL, 10), '{gap}', 'a cursor at an event that never was has a gap');

-- retention removes a beginning, at most a batch, and leaves a horizon
SELECT next_cursor AS first FROM execreport.poll_events('oldest', NULL, 1) \gset
\o /dev/null
SELECT execreport._emit(560, 'flags', 'changed', 'd');
UPDATE execreport.events SET created_at = created_at - interval '10 days' WHERE key IN ('b', 'c');
\o
CALL settle();
SELECT is(execreport._expire_events(now()), 1, 'what is older than the retention goes, but not behind an event that stays: c of every tenant');
SELECT is(follow('oldest', NULL, 100), '{d}', 'for this reader the whole history begins after c');
\o /dev/null
UPDATE execreport.events SET created_at = created_at - interval '10 days' WHERE key = 'a';
\o
SELECT is(execreport._expire_events(now(), 1), 1, 'a batch of one');
SELECT is(execreport._expire_events(now(), 1), 1, 'and another');
SELECT is(execreport._expire_events(now()), 0, 'that is all');
SELECT is(follow(:'nothing', NULL, 10), '{gap}', 'a cursor from before has a gap');
SELECT is(follow(:'first', NULL, 10), '{gap}', 'also one in the midst of what is gone');
SELECT is(follow('oldest', NULL, 10), '{d}', 'the oldest is what is left');
SELECT is(follow(:'filtered', NULL, 10), '{gap}', 'the last that is gone was changed meanwhile, so its cursor is of another history');
SELECT results_eq(format('SELECT answer, next_cursor FROM execreport.poll_events(%L)', :'nothing'),
    'SELECT ''gap'', next_cursor FROM execreport.poll_events()', 'after a gap the reader goes on from now');

SELECT * FROM finish();
\o /dev/null
DELETE FROM execreport.events;
DELETE FROM execreport.event_horizons;
DROP PROCEDURE settle;
DROP FUNCTION follow;
RESET execreport.tenant_id;
SELECT count(execreport.delete_tenant(t, 'test')) FROM generate_series(560, 562) AS t;
DROP ROLE er_reader_560;
DROP ROLE er_reader_561;
