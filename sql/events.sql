-- events: what has happened, as rows that a client follows with a cursor; and a bell that rings when there are new ones.
--
-- An event is written in the transaction that causes it. Its position is (epoch, transaction, seq). Numbers are given
-- out before transactions commit, so poll_events() delivers only events whose transaction is older than every running
-- one: nothing can appear any more before what was delivered. Transaction numbers begin anew in another cluster (after
-- dump and restore): there a new epoch begins, too. A cursor names the last event that was looked at: when that row is
-- neither there nor the last one that retention removed, the history is not the one the cursor comes from, and the
-- answer is "gap". Transactions that emit flush their commit, whatever synchronous_commit says, so that no event is
-- delivered and then forgotten in a crash.

CREATE TABLE execreport.event_epochs (
    epoch_id          uuid NOT NULL DEFAULT execreport._uuid7() PRIMARY KEY,
    epoch             integer NOT NULL,
    system_identifier bigint NOT NULL,
    began_at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport.event_epochs IS
'Which cluster has written the events of which epoch. The highest one is the present epoch, if it is of this cluster. Sessions that
begin an epoch at the same time each write a row, rather than wait for each other.';

CREATE SEQUENCE execreport._event_seq;

CREATE TABLE execreport.events (
    tenant_id   integer NOT NULL DEFAULT execreport.current_tenant() CHECK (tenant_id >= 0),
    epoch       integer NOT NULL,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint NOT NULL DEFAULT nextval('execreport._event_seq'),
    topic       text NOT NULL CHECK (topic <> ''),
    kind        text NOT NULL CHECK (kind <> ''),
    key         text,
    payload     jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, epoch, transaction, seq)
);
COMMENT ON TABLE execreport.events IS
'What has happened: topic (such as flags), kind (such as changed), key (of what) and payload. tenant_id 0: it concerns every
tenant, and every tenant sees it. Read with poll_events(); kept for execreport.event_retention. Written by the functions that
make the change, in its transaction.';

CREATE TABLE execreport.event_horizons (
    tenant_id   integer NOT NULL PRIMARY KEY CHECK (tenant_id >= 0),
    epoch       integer NOT NULL,
    transaction xid8 NOT NULL,
    seq         bigint NOT NULL,
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE execreport.event_horizons IS
'The last event of each tenant that retention has removed; everything up to it is gone.';

CALL execreport._hold('execreport.event_epochs', 'everyone');
CALL execreport._hold('execreport.events', condition => 'tenant_id = (SELECT execreport.current_tenant()) OR tenant_id = 0');
CALL execreport._hold('execreport.event_horizons', condition => 'tenant_id = (SELECT execreport.current_tenant()) OR tenant_id = 0');
SELECT pg_catalog.pg_extension_config_dump('execreport._event_seq', '');

CREATE FUNCTION execreport._setting(name text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_setting';
COMMENT ON FUNCTION execreport._setting(text) IS
'What execreport.NAME is set to, a number in its base unit. Unlike current_setting() it loads the library, which defines and
guards our settings, so it can be the first call of a session.';

CREATE FUNCTION execreport._system_identifier() RETURNS bigint
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_system_identifier';
COMMENT ON FUNCTION execreport._system_identifier() IS
'The number that initdb gave this cluster.';

CREATE FUNCTION execreport._ring_bell() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'er_ring_bell';
COMMENT ON FUNCTION execreport._ring_bell() IS
'Rings the bell execreport_events once when this transaction commits, as execreport.notify_mode says, and makes its commit wait
for the disk.';

CREATE FUNCTION execreport._event_epoch() RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- of this cluster: the last epoch; else the one that comes next
    SELECT coalesce((SELECT CASE WHEN e.system_identifier = execreport._system_identifier() THEN e.epoch ELSE e.epoch + 1 END
                       FROM execreport.event_epochs AS e ORDER BY e.epoch DESC LIMIT 1), 1);
END;
COMMENT ON FUNCTION execreport._event_epoch() IS
'The epoch that an event belongs to when it is written now.';

CREATE FUNCTION execreport._emit(tenant_id integer, topic text, kind text, key text, payload jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    own_epoch integer;
    result bigint;
BEGIN
    SELECT e.epoch INTO own_epoch
      FROM (SELECT stored.epoch, stored.system_identifier FROM execreport.event_epochs AS stored ORDER BY stored.epoch DESC LIMIT 1) AS e
     WHERE e.system_identifier = execreport._system_identifier();
    IF own_epoch IS NULL THEN
        own_epoch := execreport._event_epoch();
        INSERT INTO execreport.event_epochs (epoch, system_identifier) VALUES (own_epoch, execreport._system_identifier());
    END IF;
    INSERT INTO execreport.events (tenant_id, epoch, topic, kind, key, payload)
    VALUES (_emit.tenant_id, own_epoch, _emit.topic, _emit.kind, _emit.key, coalesce(_emit.payload, '{}'))
    RETURNING seq INTO result;
    PERFORM execreport._ring_bell();
    RETURN result;
END
$$;
COMMENT ON FUNCTION execreport._emit(integer, text, text, text, jsonb) IS
'Writes an event in the causing transaction and returns its seq; the bell rings once at commit. tenant_id 0: every tenant sees it,
so its payload must be fit for all.';

CREATE FUNCTION execreport._event_cursor(tenant_id integer, epoch integer, transaction xid8, seq bigint, created_at timestamptz)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_catalog.format('%s-%s-%s-%s-%s', _event_cursor.tenant_id, _event_cursor.epoch, _event_cursor.transaction, _event_cursor.seq,
                             (extract(epoch FROM _event_cursor.created_at) * 1000000)::bigint);
END;
COMMENT ON FUNCTION execreport._event_cursor(integer, integer, xid8, bigint, timestamptz) IS
'The text of a cursor: the reader''s tenant, the position of the last event it has looked at, and when that one was written.';

CREATE FUNCTION execreport.poll_events(cursor text DEFAULT NULL, topics text[] DEFAULT NULL, max_events integer DEFAULT 100)
RETURNS TABLE (answer text, next_cursor text, topic text, kind text, key text, payload jsonb, created_at timestamptz, seq bigint,
    tenant_id integer)
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant constant integer := execreport.current_tenant();
    parts text[];
    -- where the cursor stands; zero: before everything
    at_epoch integer := 0;
    at_transaction xid8 := '0';
    at_seq bigint := 0;
    at_time bigint := 0;
    -- everything before this is over: positions of running transactions lie at it or after it
    own_epoch constant integer := execreport._event_epoch();
    oldest_running constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    last record;
    newest text;
    event record;
    found_events integer := 0;
    is_gap boolean := false;
BEGIN
    IF poll_events.max_events IS NULL OR poll_events.max_events NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'max_events is %', coalesce(poll_events.max_events::text, 'null')
            USING ERRCODE = CASE WHEN poll_events.max_events IS NULL THEN '22004' ELSE '22023' END,
                  DETAIL = 'One call returns 1 to 10000 events.';
    END IF;

    -- the last event that everybody may have seen, or the last that is gone
    SELECT e.epoch, e.transaction, e.seq, e.created_at INTO last
      FROM ((SELECT s.epoch, s.transaction, s.seq, s.created_at FROM execreport.events AS s
              WHERE s.tenant_id = tenant AND (s.epoch, s.transaction) < (own_epoch, oldest_running)
              ORDER BY s.epoch DESC, s.transaction DESC, s.seq DESC LIMIT 1)
            UNION ALL
            (SELECT s.epoch, s.transaction, s.seq, s.created_at FROM execreport.events AS s
              WHERE s.tenant_id = 0 AND (s.epoch, s.transaction) < (own_epoch, oldest_running)
              ORDER BY s.epoch DESC, s.transaction DESC, s.seq DESC LIMIT 1)
            UNION ALL
            SELECT h.epoch, h.transaction, h.seq, h.created_at FROM execreport.event_horizons AS h
             WHERE h.tenant_id IN (0, tenant)) AS e
     ORDER BY e.epoch DESC, e.transaction DESC, e.seq DESC LIMIT 1;
    newest := CASE WHEN last.epoch IS NULL THEN execreport._event_cursor(tenant, 0, '0', 0, 'epoch')
                   ELSE execreport._event_cursor(tenant, last.epoch, last.transaction, last.seq, last.created_at) END;
    next_cursor := newest;

    IF poll_events.cursor IS NULL THEN
        answer := 'start';
        RETURN NEXT;
        RETURN;
    ELSIF poll_events.cursor = 'oldest' THEN
        -- what is whole begins after the later of the two horizons
        SELECT h.epoch, h.transaction, h.seq INTO at_epoch, at_transaction, at_seq
          FROM (SELECT 0 AS epoch, '0'::xid8 AS transaction, 0 AS seq
                UNION ALL
                SELECT g.epoch, g.transaction, g.seq FROM execreport.event_horizons AS g WHERE g.tenant_id IN (0, tenant)) AS h
         ORDER BY h.epoch DESC, h.transaction DESC, h.seq DESC LIMIT 1;
    ELSE
        parts := regexp_match(poll_events.cursor, E'^(\\d{1,9})-(\\d{1,9})-(\\d{1,19})-(\\d{1,18})-(-?\\d{1,18})$');
        IF parts IS NULL THEN
            RAISE EXCEPTION 'cursor "%" is none of poll_events()', left(poll_events.cursor, 64)
                USING ERRCODE = '22023', DETAIL = 'A cursor is what next_cursor said, unchanged, or "oldest", or null for from now on.',
                      HINT = 'Take next_cursor of the last row of the answer before.';
        ELSIF parts[1]::integer <> tenant THEN
            RAISE EXCEPTION 'cursor "%" is of tenant %', left(poll_events.cursor, 64), parts[1]
                USING ERRCODE = '22023', DETAIL = format('The current tenant is %s.', tenant),
                      HINT = 'Keep a cursor for each tenant, or begin with cursor => null.';
        END IF;
        at_epoch := parts[2]; at_transaction := parts[3]::xid8; at_seq := parts[4]; at_time := parts[5];

        is_gap := EXISTS (SELECT FROM execreport.event_horizons AS h
                           WHERE h.tenant_id IN (0, tenant) AND (h.epoch, h.transaction, h.seq) > (at_epoch, at_transaction, at_seq))
                  OR at_epoch > 0
                     AND NOT EXISTS (SELECT FROM execreport.event_horizons AS h
                                      WHERE h.tenant_id IN (0, tenant) AND (h.epoch, h.transaction, h.seq) = (at_epoch, at_transaction, at_seq)
                                        AND (extract(epoch FROM h.created_at) * 1000000)::bigint = at_time)
                     AND NOT EXISTS (SELECT FROM execreport.events AS s
                                      WHERE s.tenant_id IN (0, tenant) AND (s.epoch, s.transaction, s.seq) = (at_epoch, at_transaction, at_seq)
                                        AND (extract(epoch FROM s.created_at) * 1000000)::bigint = at_time)
                  OR (at_epoch, at_transaction) >= (own_epoch, oldest_running);
        IF is_gap THEN
            answer := 'gap';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    answer := 'event';
    FOR event IN
        SELECT e.*
          FROM ((SELECT s.* FROM execreport.events AS s
                  WHERE s.tenant_id = tenant AND (s.epoch, s.transaction, s.seq) > (at_epoch, at_transaction, at_seq)
                    AND (s.epoch, s.transaction) < (own_epoch, oldest_running)
                    AND (poll_events.topics IS NULL OR s.topic = ANY (poll_events.topics))
                  ORDER BY s.epoch, s.transaction, s.seq LIMIT poll_events.max_events)
                UNION ALL
                (SELECT s.* FROM execreport.events AS s
                  WHERE s.tenant_id = 0 AND (s.epoch, s.transaction, s.seq) > (at_epoch, at_transaction, at_seq)
                    AND (s.epoch, s.transaction) < (own_epoch, oldest_running)
                    AND (poll_events.topics IS NULL OR s.topic = ANY (poll_events.topics))
                  ORDER BY s.epoch, s.transaction, s.seq LIMIT poll_events.max_events)) AS e
         ORDER BY e.epoch, e.transaction, e.seq LIMIT poll_events.max_events
    LOOP
        found_events := found_events + 1;
        topic := event.topic; kind := event.kind; key := event.key; payload := event.payload;
        created_at := event.created_at; seq := event.seq; tenant_id := event.tenant_id;
        next_cursor := execreport._event_cursor(tenant, event.epoch, event.transaction, event.seq, event.created_at);
        RETURN NEXT;
    END LOOP;
    IF found_events < poll_events.max_events THEN
        answer := 'end';
        topic := NULL; kind := NULL; key := NULL; payload := NULL; created_at := NULL; seq := NULL; tenant_id := NULL;
        next_cursor := newest;
        RETURN NEXT;
    END IF;
END
$$;
COMMENT ON FUNCTION execreport.poll_events(text, text[], integer) IS
'The events of the current tenant (and those for every tenant, tenant_id 0) after a cursor, in the order of their transactions.
cursor: NULL begins now and returns one row, answer start, whose next_cursor is where to go on; oldest begins with the oldest
event that is kept; else the next_cursor of the last row of the answer before. topics: only these; NULL is all. max_events: 1 to 10000.
answer: event; end (the last row when there are no more events now; only next_cursor is filled); gap (the only row: events
after the cursor are gone, by retention or because the database was restored to another state; load everything anew, then
go on from next_cursor). Events of a transaction appear when it and every older one have ended, so that none is ever skipped.
LISTEN execreport_events to be woken. For members, also on a standby.
Errors: 22023 a cursor that is none, or one of another tenant; 22004, 22023 max_events out of bounds; 42501 no member.
Example: SELECT answer, next_cursor, topic, kind, key FROM execreport.poll_events(''oldest'', ARRAY[''flags'']);';

CREATE FUNCTION execreport._expire_events(now timestamptz, batch integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept_from constant timestamptz := now - execreport._setting('event_retention')::integer * interval '1 s';
    own_epoch constant integer := execreport._event_epoch();
    oldest_running constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    reader integer := -1;
    doomed record;
    removed integer;
    total integer := 0;
BEGIN
    LOOP
        -- one tenant after the other, by steps along the primary key
        SELECT s.tenant_id INTO reader FROM execreport.events AS s WHERE s.tenant_id > reader ORDER BY s.tenant_id LIMIT 1;
        EXIT WHEN reader IS NULL OR total >= batch;
        -- the oldest ones by position, up to the first that is kept: what is gone is always a beginning
        SELECT e.epoch, e.transaction, e.seq, e.created_at INTO doomed
          FROM (SELECT o.*, bool_and(o.over) OVER (ORDER BY o.epoch, o.transaction, o.seq) AS all_over
                  FROM (SELECT s.epoch, s.transaction, s.seq, s.created_at,
                               s.created_at < kept_from AND (s.epoch, s.transaction) < (own_epoch, oldest_running) AS over
                          FROM execreport.events AS s WHERE s.tenant_id = reader
                         ORDER BY s.epoch, s.transaction, s.seq LIMIT batch - total) AS o) AS e
         WHERE e.all_over
         ORDER BY e.epoch DESC, e.transaction DESC, e.seq DESC LIMIT 1;
        CONTINUE WHEN doomed.epoch IS NULL;
        INSERT INTO execreport.event_horizons AS h (tenant_id, epoch, transaction, seq, created_at)
        VALUES (reader, doomed.epoch, doomed.transaction, doomed.seq, doomed.created_at)
        ON CONFLICT (tenant_id) DO UPDATE
           SET epoch = excluded.epoch, transaction = excluded.transaction, seq = excluded.seq, created_at = excluded.created_at
         WHERE (h.epoch, h.transaction, h.seq) < (excluded.epoch, excluded.transaction, excluded.seq);
        DELETE FROM execreport.events AS s
         WHERE s.tenant_id = reader AND (s.epoch, s.transaction, s.seq) <= (doomed.epoch, doomed.transaction, doomed.seq);
        GET DIAGNOSTICS removed = ROW_COUNT;
        total := total + removed;
    END LOOP;
    RETURN total;
END
$$;
COMMENT ON FUNCTION execreport._expire_events(timestamptz, integer) IS
'Removes events that are older than execreport.event_retention, at most a batch, and returns how many; call it again until it
returns less than the batch.';
