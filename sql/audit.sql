-- audit: who changed what, when and why. Append-only: rows are inserted, never changed.

CREATE TABLE execreport.audit_logs (
    tenant_id      integer NOT NULL DEFAULT execreport.current_tenant(),
    audit_id       uuid NOT NULL DEFAULT execreport._uuid7(),
    user_id        text NOT NULL DEFAULT execreport.current_user_id(),
    action         text NOT NULL CHECK (action <> ''),
    entity_type    text NOT NULL CHECK (entity_type <> ''),
    entity_id      text,
    previous_value jsonb,
    new_value      jsonb,
    reason         text,
    metadata       jsonb,
    db_role        name NOT NULL DEFAULT session_user,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX audit_logs_entity_idx ON execreport.audit_logs (tenant_id, entity_type, entity_id, created_at);
COMMENT ON TABLE execreport.audit_logs IS
'Append-only log of changes: the function that makes a change writes its row in the same transaction. Reports are never
changed: their own rows say who made them, and only their deletion stands here. Members may
read their tenant''s rows and insert rows of their own; no one but a superuser can change or delete any.
user_id is what the application says; db_role and created_at are set by the database.
Example: INSERT INTO execreport.audit_logs (tenant_id, user_id, action, entity_type, entity_id, reason)
VALUES (1, ''system'', ''rollback'', ''feature_flag'', ''reports'', ''Emergency rollback'');';

CALL execreport._hold('execreport.audit_logs');

CREATE FUNCTION execreport._audit(tenant_id integer, action text, entity_type text, entity_id text,
    previous_value jsonb DEFAULT NULL, new_value jsonb DEFAULT NULL, reason text DEFAULT NULL,
    metadata jsonb DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO execreport.audit_logs (tenant_id, action, entity_type, entity_id, previous_value, new_value, reason, metadata)
    VALUES (_audit.tenant_id, _audit.action, _audit.entity_type, _audit.entity_id, _audit.previous_value,
            _audit.new_value, _audit.reason, _audit.metadata);
END;
COMMENT ON FUNCTION execreport._audit(integer, text, text, text, jsonb, jsonb, text, jsonb) IS
'Writes one row of audit_logs in the name of the caller.';
