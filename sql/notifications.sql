-- notifications: messages to people, an outbox that a sender outside drains. The database itself sends nothing.
--
-- The sender works with a lease: claim_notifications() gives it messages for a while, notification_sent() and
-- notification_failed() report back and show the token of the claim; a call with an older token changes nothing. So a
-- message is sent at least once, and twice only when the sender dies between sending and reporting.

CREATE SEQUENCE execreport._notification_ids;

CREATE TABLE execreport.notifications (
    tenant_id       integer NOT NULL DEFAULT execreport.current_tenant() CHECK (tenant_id >= 0),
    notification_id bigint NOT NULL DEFAULT nextval('execreport._notification_ids'),
    channel         text NOT NULL CHECK (channel IN ('#alerts', '#health', '#engineering')),
    message         text NOT NULL CHECK (message <> ''),
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'medium', 'high', 'critical')),
    details         jsonb,
    dedupe_key      text,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'held')),
    attempts        integer NOT NULL DEFAULT 0,
    next_try        timestamptz DEFAULT now(),
    claim_token     bigint NOT NULL DEFAULT 0,
    claimed_by      text,
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    PRIMARY KEY (tenant_id, notification_id),
    UNIQUE (tenant_id, channel, dedupe_key)
);
CREATE INDEX notifications_due_idx ON execreport.notifications (next_try) WHERE next_try IS NOT NULL;
CREATE INDEX notifications_recent_idx ON execreport.notifications (tenant_id, channel, created_at);
COMMENT ON TABLE execreport.notifications IS
'Messages to people: channel, message, severity, details. tenant_id 0: it concerns every tenant; superusers see it. state: pending,
sending (a sender has it until next_try), sent, failed (given up after 10 attempts) or held (too many in an hour: only
counted in the daily digest). A dedupe_key is used once per tenant and channel. Drained with claim_notifications().';

CALL execreport._hold('execreport.notifications');
SELECT pg_catalog.pg_extension_config_dump('execreport._notification_ids', '');

CREATE FUNCTION execreport._notify(tenant_id integer, channel text, message text, severity text, details jsonb DEFAULT NULL,
    dedupe_key text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    is_held constant boolean := _notify.severity NOT IN ('high', 'critical')
        AND (SELECT count(*) FROM (SELECT FROM execreport.notifications AS n
                                    WHERE n.tenant_id = _notify.tenant_id AND n.channel = _notify.channel AND n.state <> 'held'
                                      AND n.created_at > now() - interval '1 hour'
                                    LIMIT execreport._setting('max_notifications_per_hour')::integer) AS recent)
            >= execreport._setting('max_notifications_per_hour')::integer;
    result bigint;
BEGIN
    INSERT INTO execreport.notifications (tenant_id, channel, message, severity, details, dedupe_key, state, next_try)
    VALUES (_notify.tenant_id, _notify.channel, _notify.message, _notify.severity, _notify.details, _notify.dedupe_key,
            CASE WHEN is_held THEN 'held' ELSE 'pending' END, CASE WHEN NOT is_held THEN now() END)
    ON CONFLICT (tenant_id, channel, dedupe_key) DO NOTHING
    RETURNING notification_id INTO result;
    IF result IS NOT NULL THEN
        PERFORM execreport._ring_bell();
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._notify(integer, text, text, text, jsonb, text) IS
'Puts a message into the outbox and returns its id; NULL when this tenant, channel and dedupe_key were there already. Above
execreport.max_notifications_per_hour of a tenant and channel, messages below high are held back.';

CREATE FUNCTION execreport.claim_notifications(sender text, batch integer DEFAULT 10, lease interval DEFAULT '60 s',
    now timestamptz DEFAULT NULL)
RETURNS TABLE (tenant_id integer, notification_id bigint, channel text, message text, severity text, details jsonb,
    created_at timestamptz, attempt integer, claim_token bigint, lease_until timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- a superuser sends for every tenant, an operator for his own
    tenant constant integer := CASE WHEN NOT execreport._caller_is_superuser()
                                    THEN execreport._require_tenant(execreport.current_tenant(), 'operator') END;
    at constant timestamptz := coalesce(claim_notifications.now, clock_timestamp());
BEGIN
    IF claim_notifications.sender IS NULL OR octet_length(claim_notifications.sender) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION 'sender %', CASE WHEN claim_notifications.sender IS NULL THEN 'is null'
                                         ELSE format('has %s bytes', octet_length(claim_notifications.sender)) END
            USING ERRCODE = CASE WHEN claim_notifications.sender IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'The name of a sender has 1 to 200 bytes.';
    ELSIF claim_notifications.batch IS NULL OR claim_notifications.batch NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'batch is %', coalesce(claim_notifications.batch::text, 'null')
            USING ERRCODE = CASE WHEN claim_notifications.batch IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'A batch has 1 to 1000 notifications.';
    ELSIF claim_notifications.lease IS NULL OR claim_notifications.lease <= '0 s' OR claim_notifications.lease > '1 day' THEN
        RAISE EXCEPTION 'lease is %', coalesce(claim_notifications.lease::text, 'null')
            USING ERRCODE = CASE WHEN claim_notifications.lease IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'A lease is longer than nothing and at most one day.';
    END IF;
    PERFORM execreport._check_now(at), execreport._give_up_notifications(at, tenant);
    RETURN QUERY
    WITH due AS (
        SELECT n.tenant_id, n.notification_id
          FROM execreport.notifications AS n
         WHERE n.next_try <= at AND (tenant IS NULL OR n.tenant_id = tenant)
         ORDER BY array_position('{critical,high,medium,warning,info}', n.severity), n.notification_id
         LIMIT claim_notifications.batch
           FOR NO KEY UPDATE SKIP LOCKED),
    taken AS (
        UPDATE execreport.notifications AS n
           SET state = 'sending', attempts = n.attempts + 1, claim_token = n.claim_token + 1,
               claimed_by = claim_notifications.sender, next_try = at + claim_notifications.lease
          FROM due
         WHERE n.tenant_id = due.tenant_id AND n.notification_id = due.notification_id
        RETURNING n.*)
    SELECT t.tenant_id, t.notification_id, t.channel, t.message, t.severity, t.details, t.created_at, t.attempts, t.claim_token,
           t.next_try
      FROM taken AS t
     ORDER BY array_position('{critical,high,medium,warning,info}', t.severity), t.notification_id;
END
$$;
COMMENT ON FUNCTION execreport.claim_notifications(text, integer, interval, timestamptz) IS
'Gives a sender notifications to send, the most severe and then the oldest first. sender: a name, 1 to 200 bytes. batch: at most so
many (1..1000). lease: how long they are the sender''s, up to a day; then they can be claimed again. now: NULL is the clock. Report
each with notification_sent() or notification_failed(), showing tenant_id and claim_token. For operators, of their tenant; for
superusers, of all tenants and of none (tenant_id 0).
Errors: 42501 for others; 22004, 22023 a sender, batch or lease out of bounds; 22023 when now is not of the years 1 to 9999.
Example: SELECT tenant_id, notification_id, claim_token, channel, message FROM execreport.claim_notifications(''slack'');';

CREATE FUNCTION execreport._give_up_notifications(at timestamptz, tenant integer DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result integer;
BEGIN
    WITH lost AS (
        SELECT n.tenant_id, n.notification_id
          FROM execreport.notifications AS n
         WHERE n.next_try <= at AND n.state = 'sending' AND n.attempts >= 10 AND (tenant IS NULL OR n.tenant_id = tenant)
           FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE execreport.notifications AS n
       SET state = 'failed', next_try = NULL, last_error = coalesce(n.last_error, 'the lease was lost')
      FROM lost WHERE n.tenant_id = lost.tenant_id AND n.notification_id = lost.notification_id;
    GET DIAGNOSTICS result = ROW_COUNT;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._give_up_notifications(timestamptz, integer) IS
'Gives up what has been claimed ten times without a report, in a tenant or (NULL) in all.';

CREATE FUNCTION execreport.notification_sent(tenant_id integer, notification_id bigint, claim_token bigint,
    now timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(notification_sent.tenant_id, 'operator');
    at constant timestamptz := coalesce(notification_sent.now, clock_timestamp());
BEGIN
    PERFORM execreport._check_now(at);
    UPDATE execreport.notifications AS n
       SET state = 'sent', next_try = NULL, sent_at = at, last_error = NULL
     WHERE n.tenant_id = tenant AND n.notification_id = notification_sent.notification_id AND n.state = 'sending'
       AND n.claim_token = notification_sent.claim_token;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION execreport.notification_sent(integer, bigint, bigint, timestamptz) IS
'Reports that a notification was sent. Returns false, and changes nothing, when the token is not that of its last claim or it is
not being sent. now: NULL is the clock. For operators of the tenant. Errors: 42501; 22004 no tenant; 22023 when now is not of the years 1 to 9999.
Example: SELECT execreport.notification_sent(tenant_id, notification_id, claim_token) FROM execreport.claim_notifications(''slack'');';

CREATE FUNCTION execreport.notification_failed(tenant_id integer, notification_id bigint, claim_token bigint, error text,
    is_final boolean DEFAULT false, now timestamptz DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport._require_tenant(notification_failed.tenant_id, 'operator');
    at constant timestamptz := coalesce(notification_failed.now, clock_timestamp());
BEGIN
    IF notification_failed.error IS NULL THEN
        RAISE EXCEPTION 'error is null' USING ERRCODE = '22004', HINT = 'Say what went wrong.';
    END IF;
    PERFORM execreport._check_now(at);
    UPDATE execreport.notifications AS n
       SET state = CASE WHEN notification_failed.is_final IS TRUE OR n.attempts >= 10 THEN 'failed' ELSE 'pending' END,
           next_try = CASE WHEN notification_failed.is_final IS TRUE OR n.attempts >= 10 THEN NULL
                           ELSE at + 5 * 2 ^ (n.attempts - 1) * interval '1 s' END,
           last_error = left(notification_failed.error, 2000)
     WHERE n.tenant_id = tenant AND n.notification_id = notification_failed.notification_id AND n.state = 'sending'
       AND n.claim_token = notification_failed.claim_token;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION execreport.notification_failed(integer, bigint, bigint, text, boolean, timestamptz) IS
'Reports that sending has failed. It can be claimed again after 5, 10, 20 ... 1280 s; after the tenth attempt, and at
once when is_final, it is failed and waits for redrive_notifications(). Returns false, and changes nothing, when the token is not
that of its last claim or it is not being sent. now: NULL is the clock. For operators of the tenant.
Errors: 42501; 22004 no tenant or no error; 22023 when now is not of the years 1 to 9999.
Example: SELECT execreport.notification_failed(tenant_id, notification_id, claim_token, ''HTTP 500'') FROM execreport.claim_notifications(''slack'');';

CREATE FUNCTION execreport.redrive_notifications(channel text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := CASE WHEN NOT execreport._caller_is_superuser()
                                    THEN execreport._require_tenant(execreport.current_tenant(), 'operator') END;
    result integer;
BEGIN
    UPDATE execreport.notifications AS n
       SET state = 'pending', attempts = 0, next_try = now()
     WHERE n.state IN ('failed', 'held') AND (tenant IS NULL OR n.tenant_id = tenant)
       AND (redrive_notifications.channel IS NULL OR n.channel = redrive_notifications.channel);
    GET DIAGNOSTICS result = ROW_COUNT;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport.redrive_notifications(text) IS
'Lets notifications that were given up or held back be sent after all, of one channel or (NULL) of all, and returns how many. For
operators, of their tenant; for superusers, of all. Errors: 42501.
Example: SELECT execreport.redrive_notifications(''#alerts'');';

CREATE FUNCTION execreport._expire_notifications(now timestamptz, batch integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result integer;
BEGIN
    DELETE FROM execreport.notifications AS n
     USING (SELECT o.tenant_id, o.notification_id FROM execreport.notifications AS o
             WHERE o.next_try IS NULL AND o.created_at < _expire_notifications.now - execreport._setting('notification_retention')::integer * interval '1 s'
             LIMIT batch FOR UPDATE SKIP LOCKED) AS old
     WHERE n.tenant_id = old.tenant_id AND n.notification_id = old.notification_id;
    GET DIAGNOSTICS result = ROW_COUNT;
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._expire_notifications(timestamptz, integer) IS
'Removes notifications that nobody waits for and that are older than execreport.notification_retention, at most a batch.';
