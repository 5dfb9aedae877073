-- After a rollback no master report from before it is given out again; without one, unchanged inputs give the stored report.
BEGIN;
SELECT plan(9);
CREATE FUNCTION pg_temp.report_epoch(tenant integer) RETURNS bigint LANGUAGE sql AS
    $$ SELECT coalesce(sum(epoch), 0)::bigint FROM execreport.report_epochs WHERE tenant_id IN (0, tenant) $$;
SELECT execreport.create_tenant(593) IS NOT NULL, execreport.create_tenant(594) IS NOT NULL;
SELECT execreport.update_flags(t, '{"execReportsEnabled": true, "masterReportsEnabled": true}') IS NOT NULL FROM unnest('{593,594}'::integer[]) AS t;
CREATE FUNCTION pg_temp.made(tenant integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('execreport.tenant_id', tenant::text, true);
    IF NOT EXISTS (SELECT FROM execreport.configurations WHERE tenant_id = tenant) THEN
        PERFORM execreport.save_configuration(1, '{"brand": {"name": "Acme"}}');
        PERFORM execreport.create_exec_report(1, 'keyword-gap', '{"hasData": true, "insights": []}');
    END IF;
    RETURN (SELECT id FROM execreport.generate_master_report(1));
END $$;
CREATE TEMP TABLE made AS SELECT pg_temp.made(593) AS first, pg_temp.made(594) AS other;
SELECT is(pg_temp.made(593), (SELECT first FROM made), 'the stored report is reused');
SELECT is(pg_temp.report_epoch(593), 0::bigint, 'nothing is invalid at first');
SELECT execreport._invalidate_reports(593, now());
SELECT isnt(pg_temp.made(593), (SELECT first FROM made), 'after a rollback in the tenant a new one is made');
SELECT is(pg_temp.made(593), (SELECT max(id) FROM execreport.master_reports WHERE tenant_id = 593), 'once');
SELECT is((SELECT count(*) FROM execreport.master_reports WHERE tenant_id = 593), 2::bigint, 'there are two');
SELECT is(pg_temp.made(594), (SELECT other FROM made), 'other tenants keep theirs');
SELECT execreport._invalidate_reports(NULL, now());
SELECT isnt(pg_temp.made(594), (SELECT other FROM made), 'after a rollback everywhere they do not');
SELECT ok(pg_temp.report_epoch(593) = 2 AND pg_temp.report_epoch(594) = 1 AND pg_temp.report_epoch(595) = 1, 'epochs only grow');
SELECT execreport.emergency_rollback('master-reports', '{594}', 'test');
SELECT is(pg_temp.report_epoch(594), 2::bigint, 'emergencies count as well');
SELECT * FROM finish();
ROLLBACK;
