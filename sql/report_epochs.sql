-- report_epochs: from when on stored reports are no longer reused. The epoch of a tenant enters the digest of what a
-- master report is made from; a rollback raises it, so the next call makes a new report instead of returning one that
-- was made while something was wrong.

CREATE TABLE execreport.report_epochs (
    tenant_id      integer NOT NULL PRIMARY KEY CHECK (tenant_id >= 0),
    epoch          bigint NOT NULL CHECK (epoch > 0),
    doubtful_since timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE execreport.report_epochs IS
'How often stored reports were declared invalid, for a tenant or for all (tenant_id 0). Reports made between doubtful_since and
changed_at, the last time, were made while something was wrong.';
CALL execreport._hold('execreport.report_epochs', condition => 'tenant_id IN (0, (SELECT execreport.current_tenant()))');

CREATE FUNCTION execreport._invalidate_reports(tenant_id integer, since timestamptz) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO execreport.report_epochs AS e (tenant_id, epoch, doubtful_since)
    VALUES (coalesce(_invalidate_reports.tenant_id, 0), 1, coalesce(_invalidate_reports.since, now()))
    ON CONFLICT (tenant_id) DO UPDATE SET epoch = e.epoch + 1, doubtful_since = excluded.doubtful_since, changed_at = now();
END;
COMMENT ON FUNCTION execreport._invalidate_reports(integer, timestamptz) IS
'Stored master reports of the tenant, or of all (NULL), are not reused from now on. since: when the trouble began.';
