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

ALTER TABLE execreport.notifications ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON execreport.notifications
    USING (tenant_id = (SELECT execreport.current_tenant()));
SELECT pg_catalog.pg_extension_config_dump('execreport._notification_ids', '');
SELECT pg_catalog.pg_extension_config_dump('execreport.notifications', '');

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
                                    LIMIT current_setting('execreport.max_notifications_per_hour')::integer) AS recent)
            >= current_setting('execreport.max_notifications_per_hour')::integer;
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
