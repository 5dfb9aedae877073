-- notifications: the outbox, its lease, repeated messages, what is held back, and the end of it.
\set QUIET on
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL timezone = 'UTC';
\o /dev/null
SELECT count(execreport.create_tenant(t)) FROM generate_series(564, 565) AS t;
CREATE ROLE er_op_564;
CREATE ROLE er_editor_564;
SELECT execreport.grant_access('er_op_564', 564, 'operator'), execreport.grant_access('er_editor_564', 564, 'editor');
DELETE FROM execreport.notifications;
-- ids as 1, 2, ... whatever was given out before
SELECT setval('execreport._notification_ids', 1, false);
\o
SELECT plan(54);

SELECT is(execreport._notify(564, '#alerts', 'error rate', 'high', '{"rate": 0.3}', 'guard 1'), 1::bigint, 'a message');
SELECT is(execreport._notify(564, '#alerts', 'error rate again', 'high', NULL, 'guard 1'), NULL, 'not twice under one key');
SELECT is(execreport._notify(565, '#alerts', 'error rate', 'high', NULL, 'guard 1') IS NOT NULL, true, 'another tenant has keys of its own');
SELECT is(execreport._notify(564, '#health', 'error rate', 'info', NULL, 'guard 1') IS NOT NULL, true, 'and so has another channel');
SELECT is(execreport._notify(0, '#engineering', 'digest', 'info') IS NOT NULL, true, 'one that concerns every tenant');
SELECT is(execreport._notify(0, '#engineering', 'digest', 'critical') IS NOT NULL, true, 'without a key it may come again');
SELECT throws_ok($$ SELECT execreport._notify(564, '#general', 'x', 'info') $$, '23514', NULL, 'an unknown channel');
SELECT throws_ok($$ SELECT execreport._notify(564, '#alerts', 'x', 'urgent') $$, '23514', NULL, 'an unknown severity');
SELECT throws_ok($$ SELECT execreport._notify(564, '#alerts', NULL, 'info') $$, '23502', NULL, 'no message');

-- who may
SET ROLE er_editor_564;
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications('x') $$, '42501', NULL, 'an editor sends nothing');
SELECT throws_ok($$ SELECT execreport.notification_sent(564, 1, 1) $$, '42501', NULL, 'nor says that it has');
SELECT is((SELECT count(*) FROM execreport.notifications), 2::bigint, 'but reads those of the tenant');
SET ROLE er_op_564;
SELECT throws_ok($$ SELECT execreport.notification_sent(565, 1, 1) $$, '42501', NULL, 'an operator works for the own tenant');
SELECT throws_ok($$ SELECT execreport.notification_sent(0, 1, 1) $$, '42501', NULL, 'and not for every tenant');
SELECT throws_ok($$ SELECT execreport.notification_sent(NULL, 1, 1) $$, '22004', 'tenant_id is null', 'no tenant');
SELECT results_eq($$ SELECT tenant_id, notification_id, channel, message, severity, details, attempt, claim_token, lease_until
                       FROM execreport.claim_notifications('mail', now => '2031-01-01 00:00+00') $$,
    $$ VALUES (564, 1::bigint, '#alerts', 'error rate', 'high', '{"rate": 0.3}'::jsonb, 1, 1::bigint, '2031-01-01 00:01+00'::timestamptz),
              (564, 4, '#health', 'error rate', 'info', NULL, 1, 1, '2031-01-01 00:01+00') $$, 'a claim, the more severe first');
RESET ROLE;
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications(NULL) $$, '22004', 'sender is null', 'no sender');
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications('') $$, '22023', 'sender has 0 bytes', 'an empty sender');
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications('x', 0) $$, '22023', 'batch is 0', 'a batch of nothing');
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications('x', 1, '0 s') $$, '22023', 'lease is 00:00:00', 'a lease of nothing');
SELECT throws_ok($$ SELECT * FROM execreport.claim_notifications('x', 1, '2 days') $$, '22023', 'lease is 2 days', 'a lease too long');

-- a superuser sends what is left, of all tenants
SELECT results_eq($$ SELECT tenant_id, severity FROM execreport.claim_notifications('slack', 2, now => '2031-01-01 00:00:30+00') $$,
    $$ VALUES (0, 'critical'), (565, 'high') $$, 'a superuser gets those of all tenants, but none that is claimed');
SELECT results_eq($$ SELECT tenant_id, severity FROM execreport.claim_notifications('slack', 2, now => '2031-01-01 00:00:30+00') $$,
    $$ VALUES (0, 'info') $$, 'and then the rest');

-- lease, token, retries
SELECT is(execreport.notification_sent(564, 1, 2), false, 'a token that was not given');
SELECT is(execreport.notification_sent(564, 1, 1, '2031-01-01 00:00:40+00'), true, 'sent');
SELECT is(execreport.notification_sent(564, 1, 1), false, 'not twice');
SELECT is(execreport.notification_failed(564, 1, 1, 'too late'), false, 'nor failed afterwards');
SELECT throws_ok($$ SELECT execreport.notification_failed(564, 4, 1, NULL) $$, '22004', 'error is null', 'a failure without an error');
SELECT is(execreport.notification_failed(564, 4, 1, 'HTTP 500', now => '2031-01-01 00:00:10+00'), true, 'failed once');
SELECT results_eq('SELECT state, next_try, last_error FROM execreport.notifications WHERE notification_id = 4',
    $$ VALUES ('pending', '2031-01-01 00:00:15+00'::timestamptz, 'HTTP 500') $$, 'again after five seconds');
SELECT is((SELECT count(*) FROM execreport.claim_notifications('x', now => '2031-01-01 00:00:14+00')), 0::bigint, 'not before');
SELECT is((SELECT claim_token FROM execreport.claim_notifications('x', now => '2031-01-01 00:00:15+00')), 2::bigint, 'then, with another token');
SELECT is(execreport.notification_sent(564, 4, 1), false, 'the former holder is out');
SELECT is((SELECT count(*) FROM execreport.claim_notifications('x', now => '2031-01-01 00:01:14+00') WHERE tenant_id = 564), 0::bigint, 'the lease holds');
SELECT is((SELECT claim_token FROM execreport.claim_notifications('x', now => '2031-01-01 00:01:15+00') WHERE tenant_id = 564), 3::bigint, 'and ends');
CREATE FUNCTION pg_temp.wait_after(attempt integer) RETURNS interval LANGUAGE plpgsql AS $$
BEGIN
    UPDATE execreport.notifications SET attempts = attempt - 1, state = 'pending', next_try = '2032-01-01' WHERE notification_id = 4;
    PERFORM execreport.notification_failed(564, 4, claim_token, 'x', now => '2032-01-01 00:00+00')
       FROM execreport.claim_notifications('x', 100, now => '2032-01-01 00:00+00') WHERE tenant_id = 564;
    RETURN (SELECT next_try - '2032-01-01 00:00+00' FROM execreport.notifications WHERE notification_id = 4);
END
$$;
SELECT is((SELECT array_agg(extract(epoch FROM pg_temp.wait_after(n))::integer ORDER BY n) FROM generate_series(1, 9) AS n),
    '{5,10,20,40,80,160,320,640,1280}', 'each wait is twice the one before');
UPDATE execreport.notifications SET attempts = 9, state = 'pending', next_try = '2032-01-01' WHERE notification_id = 4;
SELECT is((SELECT execreport.notification_failed(564, 4, claim_token, 'x') FROM execreport.claim_notifications('x', now => '2032-01-01 00:10+00') WHERE tenant_id = 564),
    true, 'the tenth time');
SELECT results_eq('SELECT state, next_try FROM execreport.notifications WHERE notification_id = 4', $$ VALUES ('failed', NULL::timestamptz) $$, 'it is given up');
SELECT is(execreport.redrive_notifications('#alerts'), 0, 'nothing to send again in #alerts');
SELECT is(execreport.redrive_notifications('#health'), 1, 'one in #health');
SELECT results_eq('SELECT state, attempts FROM execreport.notifications WHERE notification_id = 4', $$ VALUES ('pending', 0) $$, 'it begins anew');
SELECT is((SELECT execreport.notification_failed(564, 4, claim_token, 'gone', true) FROM execreport.claim_notifications('x', now => '2033-01-01') WHERE tenant_id = 564),
    true, 'a final failure');
SELECT is((SELECT state FROM execreport.notifications WHERE notification_id = 4), 'failed', 'is not tried again');
UPDATE execreport.notifications SET attempts = 10, state = 'sending', next_try = '2033-01-01' WHERE notification_id = 4;
SET ROLE er_op_564;
SELECT throws_ok($$ SELECT execreport.claim_notifications('x', now => 'infinity') $$, '22023', 'now is infinity', 'a lease from the end of time would never end');
SELECT throws_ok($$ SELECT execreport.notification_failed(564, 4, 1, 'x', now => 'infinity') $$, '22023', 'now is infinity', 'nor would the wait for another try');
SELECT throws_ok($$ SELECT execreport.notification_sent(564, 4, 1, 'infinity') $$, '22023', 'now is infinity', 'and nothing is sent then');
RESET ROLE;
UPDATE execreport.notifications SET tenant_id = 565 WHERE notification_id = 4;
SET ROLE er_op_564;
SELECT execreport.claim_notifications('x', now => '2033-01-01') \g /dev/null
RESET ROLE;
SELECT is((SELECT state FROM execreport.notifications WHERE notification_id = 4), 'sending', 'nobody gives up what another tenant sends');
UPDATE execreport.notifications SET tenant_id = 564 WHERE notification_id = 4;
SELECT is(execreport._give_up_notifications('2033-01-01'), 1, 'ten lost leases are enough');

-- too many are held back, the severe ones never
SET LOCAL execreport.max_notifications_per_hour = 3;
\o /dev/null
DELETE FROM execreport.notifications;
SELECT execreport._notify(564, '#alerts', 'n', 'medium') FROM generate_series(1, 5);
SELECT execreport._notify(564, '#alerts', 'n', s) FROM unnest('{high,critical}'::text[]) AS s;
SELECT execreport._notify(564, '#health', 'n', 'info');
\o
SELECT results_eq('SELECT channel, severity, state, count(*) FROM execreport.notifications GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
    $$ VALUES ('#alerts', 'critical', 'pending', 1::bigint), ('#alerts', 'high', 'pending', 1), ('#alerts', 'medium', 'held', 2),
              ('#alerts', 'medium', 'pending', 3), ('#health', 'info', 'pending', 1) $$, 'the fourth and fifth within the hour are held back');
SELECT is((SELECT count(*) FROM execreport.claim_notifications('x', 100, now => now() + interval '1 year') WHERE severity = 'medium'), 3::bigint, 'and not sent');

-- retention
UPDATE execreport.notifications SET created_at = now() - interval '31 days';
SELECT is(execreport._expire_notifications(now(), 1), 1, 'what nobody waits for goes after 30 days, in batches');
SELECT is(execreport._expire_notifications(now()), 1, 'the other one');
SELECT is((SELECT count(*) FROM execreport.notifications), 6::bigint, 'what is still to be sent stays');
SELECT is((SELECT count(DISTINCT notification_id) FROM execreport.notifications), 6::bigint, 'ids are given once');

SELECT * FROM finish();
ROLLBACK;
