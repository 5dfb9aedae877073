\set SHOW_CONTEXT never
-- the six flags, all off; a tenant nobody created has the defaults
SELECT key, default_enabled, refusal FROM execreport.flags WHERE builtin ORDER BY 1;
SELECT jsonb_pretty(execreport.get_flags(1));
SELECT execreport.get_flags(999999) = execreport.get_flags(1) AS defaults;
SELECT execreport.is_flag_enabled(999999, 'execReportsEnabled'), execreport.is_flag_enabled(1, 'reportsUiEnabled', 'ana');

SELECT tenant_id FROM execreport.create_tenant(121);
SELECT tenant_id FROM execreport.create_tenant(122);
SET execreport.tenant_id = 121;

-- merge, remove, nothing
SELECT execreport.update_flags(121, '{"execReportsEnabled": true}', 'pilot') @> '{"execReportsEnabled": true, "reportsApiEnabled": false}' AS ok;
SELECT execreport.update_flags(121, '{"reportsApiEnabled": true, "execReportsEnabled": true}', 'api too')
       @> '{"execReportsEnabled": true, "reportsApiEnabled": true}' AS ok;
SELECT execreport.update_flags(121, '{"execReportsEnabled": false}') @> '{"execReportsEnabled": false, "reportsApiEnabled": true}' AS ok;
SELECT execreport.update_flags(121, '{"execReportsEnabled": null, "masterReportsEnabled": null}', 'back to default') IS NOT NULL AS ok;
SELECT execreport.update_flags(121, '{"reportsApiEnabled": true}', 'no change') IS NOT NULL AS ok;
SELECT execreport.update_flags(121, '{}', 'nothing') IS NOT NULL AS ok;
SELECT user_id, flag, enabled FROM execreport.flag_overrides WHERE tenant_id = 121 ORDER BY 1, 2;

-- users of the current tenant
SELECT execreport.update_user_flags('ana', '{"execReportsEnabled": true, "reportsApiEnabled": false}', 'tester')
       @> '{"execReportsEnabled": true, "reportsApiEnabled": false}' AS ok;
SELECT left(u, 9) AS u, execreport.is_flag_enabled(121, 'execReportsEnabled', u) AS exec, execreport.is_flag_enabled(121, 'reportsApiEnabled', u) AS api
  FROM unnest(ARRAY['ana', 'bob', '', NULL, repeat('x', 600)]) AS u ORDER BY left(u, 9);
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled', 'ana');
SELECT execreport.update_user_flags('ana', '{"reportsApiEnabled": null}') @> '{"execReportsEnabled": true, "reportsApiEnabled": true}' AS ok;
SELECT execreport.update_user_flags('', '{}');
SELECT execreport.update_user_flags(NULL, '{}');
SELECT execreport.update_user_flags(repeat('x', 513), '{}');

-- kill switches
SELECT execreport.set_kill_switch('reportsApiEnabled', true, 'errors', 121);
SELECT execreport.set_kill_switch('reportsApiEnabled', true, 'again', 121);
SELECT execreport.is_flag_enabled(121, 'reportsApiEnabled');
SELECT execreport.require_flag(121, 'reportsApiEnabled');
SELECT execreport.set_kill_switch('execReportsEnabled', true, 'everywhere');
SELECT execreport.is_flag_enabled(121, 'execReportsEnabled', 'ana'), execreport.is_flag_enabled(999999, 'execReportsEnabled');
SELECT execreport.require_flag(121, 'execReportsEnabled');
SELECT tenant_id, flag, reason FROM execreport.kill_switches ORDER BY 1, 2;
SELECT execreport.set_kill_switch('execReportsEnabled', false, 'fixed', 121);
SELECT execreport.set_kill_switch('execReportsEnabled', false, 'fixed');
SELECT execreport.set_kill_switch('reportsApiEnabled', false, 'fixed', 121);
SELECT execreport.is_flag_enabled(121, 'reportsApiEnabled'), execreport.is_flag_enabled(121, 'execReportsEnabled', 'ana');
SELECT execreport.set_kill_switch('reportsApi', true, 'x');
SELECT execreport.set_kill_switch(NULL, true, 'x');
SELECT execreport.set_kill_switch('reportsApiEnabled', NULL, 'x');
SELECT execreport.set_kill_switch('reportsApiEnabled', true, 'x', 999999);

-- the guard and its messages
DO $$
DECLARE
    f text; state text; message text; detail text; hint text;
BEGIN
    FOR f IN SELECT key FROM execreport.flags WHERE builtin ORDER BY 1 LOOP
        BEGIN
            PERFORM execreport.require_flag(122, f);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            RAISE INFO '% | % | % | %', state, message, detail, hint;
        END;
    END LOOP;
END
$$;
SELECT execreport.require_flag(121, 'reportsApiEnabled') IS NOT NULL AS on;

-- the setting: above the default, below the tenant
SET execreport.feature_flags = ' masterReportsEnabled = true , reportsApiEnabled=false,reportsUiEnabled=true';
SELECT execreport.get_flags(121) @> '{"masterReportsEnabled": true, "reportsApiEnabled": true, "reportsUiEnabled": true}' AS ok;
SELECT execreport.get_flags(999999) @> '{"masterReportsEnabled": true, "reportsApiEnabled": false, "execReportsEnabled": false}' AS ok;
SET execreport.feature_flags = 'reportsUiEnabled=true';
SELECT execreport.get_flags(999999) @> '{"masterReportsEnabled": false, "reportsUiEnabled": true}' AS ok;
BEGIN;
SET LOCAL execreport.feature_flags = 'masterReportsEnabled=true';
SELECT execreport.is_flag_enabled(122, 'masterReportsEnabled');
ROLLBACK;
SELECT execreport.is_flag_enabled(122, 'masterReportsEnabled'), execreport.is_flag_enabled(122, 'reportsUiEnabled');
-- a flag nobody knows is warned of once; what is not written as it must be is refused
SET execreport.feature_flags = 'masterReportEnabled=true,reportsUiEnabled=true';
SELECT execreport.is_flag_enabled(122, 'reportsUiEnabled');
SELECT execreport.is_flag_enabled(122, 'reportsUiEnabled');
SET execreport.feature_flags = 'reportsUiEnabled';
SET execreport.feature_flags = 'reportsUiEnabled=';
SET execreport.feature_flags = 'reportsUiEnabled=yes';
SET execreport.feature_flags = 'reportsUiEnabled=true1';
SET execreport.feature_flags = 'reportsUiEnabled=TRUE';
SET execreport.feature_flags = 'reportsUiEnabled=true,';
SET execreport.feature_flags = ',reportsUiEnabled=true';
SET execreport.feature_flags = 'reportsUiEnabled=true masterReportsEnabled=true';
SET execreport.feature_flags = 'reportsUiEnabled=true,execReportsEnabled=true,reportsUiEnabled=false';
SET execreport.feature_flags = 'xäääääääääääääääääääääääääääääääää=true,xäääääääääääääääääääääääääääääääää=true';
SHOW execreport.feature_flags;
SET execreport.feature_flags = '  ';
SELECT execreport.is_flag_enabled(122, 'reportsUiEnabled');
RESET execreport.feature_flags;

-- bad arguments
SELECT execreport.is_flag_enabled(121, 'execReportEnabled');
SELECT execreport.is_flag_enabled(121, 'EXECREPORTSENABLED');
SELECT execreport.is_flag_enabled(121, 'nothing like it');
SELECT execreport.is_flag_enabled(121, '');
SELECT execreport.is_flag_enabled(121, repeat('ü', 500));
SELECT execreport.is_flag_enabled(NULL, 'execReportsEnabled');
SELECT execreport.is_flag_enabled(121, NULL);
SELECT execreport.get_flags(NULL);
SELECT execreport.require_flag(121, 'nothing');
SELECT execreport.require_flag(NULL, 'execReportsEnabled');
SELECT execreport.update_flags(121, '{"execReportsEnabled": true, "unknown": true}');
SELECT execreport.update_flags(121, '{"execReportsEnabled": "true"}');
SELECT execreport.update_flags(121, '{"execReportsEnabled": {"a": 1}}');
SELECT execreport.update_flags(121, '"execReportsEnabled"');
SELECT execreport.update_flags(121, NULL);
SELECT execreport.update_flags(NULL, '{}');
SELECT execreport.update_flags(999999, '{}');
SELECT execreport.is_flag_enabled(121, 'execReportsEnabled') AS unchanged;

-- who may
CREATE ROLE er_flags_viewer; CREATE ROLE er_flags_operator; CREATE ROLE er_flags_editor;
SELECT execreport.grant_access('er_flags_viewer', 121, 'viewer');
SELECT execreport.grant_access('er_flags_editor', 121, 'editor');
SELECT execreport.grant_access('er_flags_operator', 121, 'operator');
RESET execreport.tenant_id;
SET ROLE er_flags_viewer;
SELECT execreport.is_flag_enabled(121, 'reportsApiEnabled'), execreport.get_flags(121) ->> 'reportsApiEnabled' AS api;
SELECT count(*) AS flags FROM execreport.flags WHERE builtin;
SELECT count(*) > 0 AS own, bool_and(tenant_id = 121) AS only_own FROM execreport.flag_overrides;
SELECT execreport.is_flag_enabled(122, 'reportsApiEnabled');
SELECT execreport.get_flags(122);
SELECT execreport.require_flag(122, 'reportsApiEnabled');
SELECT execreport.is_flag_enabled(999999, 'reportsApiEnabled');
SELECT execreport.update_flags(121, '{}');
SELECT execreport.update_user_flags('ana', '{}');
SELECT execreport._merge_flags(121, '', '{"reportsUiEnabled": true}', NULL, 'x', 'x');
INSERT INTO execreport.flag_overrides (flag, enabled) VALUES ('reportsUiEnabled', true);
SET execreport.feature_flags = 'reportsUiEnabled=true';
RESET ROLE;
SET ROLE er_flags_editor;
SELECT execreport.update_flags(121, '{}');
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'x', 121);
RESET ROLE;
SET ROLE er_flags_operator;
SELECT execreport.update_flags(121, '{"reportsUiEnabled": true}', 'mine') ->> 'reportsUiEnabled' AS ui;
SELECT execreport.update_user_flags('bob', '{"reportsUiEnabled": false}', 'his') ->> 'reportsUiEnabled' AS ui;
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'x', 121);
SELECT execreport.set_kill_switch('reportsUiEnabled', false, 'x', 121);
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'x');
SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'x', 122);
SELECT execreport.update_flags(122, '{}');
SELECT execreport.update_flags(999999, '{}');
RESET ROLE;

-- what the audit says
SELECT action, entity_type, entity_id, previous_value, new_value, reason, metadata
  FROM execreport.audit_logs WHERE tenant_id = 121 AND entity_type = 'feature_flag' ORDER BY audit_id;
-- taking a change back
SELECT execreport.update_flags(121, '{"consolidationEnabled": true, "reportsApiEnabled": null}', 'to be taken back') ->> 'consolidationEnabled' AS on;
SELECT execreport.update_flags(121, (SELECT previous_value FROM execreport.audit_logs
                                      WHERE tenant_id = 121 AND reason = 'to be taken back'), 'taken back')
       @> '{"consolidationEnabled": false, "reportsApiEnabled": true}' AS as_before;

-- own changes, savepoints and rollbacks
BEGIN;
SELECT execreport.update_flags(122, '{"execReportsEnabled": true}') ->> 'execReportsEnabled' AS exec;
SAVEPOINT s;
SELECT execreport.update_flags(122, '{"execReportsEnabled": false}') ->> 'execReportsEnabled' AS exec;
ROLLBACK TO s;
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled') AS after_savepoint;
DO $$
BEGIN
    PERFORM execreport.update_flags(122, '{"execReportsEnabled": false}');
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN NULL;
END
$$;
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled') AS after_exception;
ROLLBACK;
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled') AS after_rollback;
BEGIN;
SELECT execreport.update_flags(122, '{"execReportsEnabled": true}') ->> 'execReportsEnabled' AS exec;
PREPARE TRANSACTION 'er_flags';
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled') AS prepared;
COMMIT PREPARED 'er_flags';
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled') AS committed;

-- the extension dropped and created anew in one session
BEGIN;
SET LOCAL client_min_messages = error;
DROP EXTENSION execreport CASCADE;
CREATE EXTENSION execreport;
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled', 'ana') AS anew;
ROLLBACK;
SELECT execreport.is_flag_enabled(122, 'execReportsEnabled', 'ana') AS as_before;

-- leave the database as it was for others
SELECT execreport.revoke_access(r::name, 121) FROM unnest(ARRAY['er_flags_viewer', 'er_flags_editor', 'er_flags_operator']) AS r;
DROP ROLE er_flags_viewer; DROP ROLE er_flags_editor; DROP ROLE er_flags_operator;
DELETE FROM execreport.flag_overrides WHERE tenant_id IN (121, 122);
SELECT execreport._announce_change('execreport.flags');
