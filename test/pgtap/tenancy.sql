-- tenancy: what a role must not reach through code that others run for it.
BEGIN;
SELECT plan(19);

CREATE ROLE er_tap_mine;
CREATE ROLE er_tap_theirs;
CREATE ROLE er_tap_both;
CREATE ROLE er_tap_new;
SELECT execreport.create_tenant(931), execreport.create_tenant(932);
SELECT execreport.grant_access('er_tap_mine', 931, 'admin'), execreport.grant_access('er_tap_theirs', 932, 'viewer');
CREATE SCHEMA er_tap AUTHORIZATION er_tap_mine;
GRANT er_tap_both TO er_tap_theirs;

-- the SQLSTATE or the value of a query that a role runs
CREATE FUNCTION pg_temp.as_role(role name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('role', role, true);
    BEGIN
        EXECUTE query INTO answer;
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE;
    END;
    PERFORM set_config('role', 'none', true);
    RETURN answer;
END
$$;

-- 1. A table whose owner hides calls in an index expression, a foreign key's action and a materialized view.
SET LOCAL ROLE er_tap_mine;
CREATE TABLE er_tap.log (who text, what text, answer text);
CREATE FUNCTION er_tap.note(who text, what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    BEGIN
        EXECUTE 'SELECT ' || what INTO answer;
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE;
    END;
    INSERT INTO er_tap.log VALUES (who, what, answer);
END
$$;
CREATE FUNCTION er_tap.spy(who text, x integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM er_tap.note(who, what)
       FROM unnest('{"execreport.current_tenant()", "execreport.current_user_id()", "execreport._caller_is_superuser()",
                     "execreport._require_tenant(932, ''viewer'')",
                     "execreport.grant_access(''er_tap_mine'', 932, ''admin'')"}'::text[]) AS what;
    RETURN 0;
END
$$;
CREATE FUNCTION er_tap.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM er_tap.spy('cascade', 0);
    RETURN OLD;
END
$$;
CREATE TABLE er_tap.indexed (x integer);
CREATE INDEX ON er_tap.indexed ((er_tap.spy('analyze', x)));
INSERT INTO er_tap.indexed VALUES (1), (2);
RESET ROLE;

DELETE FROM er_tap.log;
ANALYZE er_tap.indexed;
SELECT is(array_agg(DISTINCT answer), '{931}', 'in ANALYZE by a superuser the table''s owner counts') FROM er_tap.log WHERE what LIKE '%current_tenant%';
SELECT is(array_agg(DISTINCT answer), '{er_tap_mine}', 'also as the user') FROM er_tap.log WHERE what LIKE '%current_user_id%';
SELECT is(array_agg(DISTINCT answer), '{false}', 'who is not a superuser there') FROM er_tap.log WHERE what LIKE '%superuser%';
SELECT is(array_agg(DISTINCT answer), '{42501}', 'and reaches no other tenant') FROM er_tap.log WHERE what LIKE '%require_tenant%';
SELECT is(array_agg(DISTINCT answer), '{42501}', 'nor any function that writes') FROM er_tap.log WHERE what LIKE '%grant_access%';

CREATE TABLE public.er_tap_parent (id integer PRIMARY KEY);
INSERT INTO public.er_tap_parent VALUES (1);
GRANT REFERENCES, SELECT ON public.er_tap_parent TO er_tap_mine;
SET LOCAL ROLE er_tap_mine;
CREATE TABLE er_tap.child (id integer REFERENCES public.er_tap_parent ON DELETE CASCADE);
INSERT INTO er_tap.child VALUES (1);
CREATE TRIGGER trap BEFORE DELETE ON er_tap.child FOR EACH ROW EXECUTE FUNCTION er_tap.trap();
RESET ROLE;
DELETE FROM public.er_tap_parent;
SELECT is(array_agg(DISTINCT answer), '{42501}', 'a superuser''s DELETE that cascades lends no rights') FROM er_tap.log WHERE who = 'cascade';
SELECT is_empty('SELECT FROM execreport.tenant_members WHERE tenant_id = 932 AND role_name = ''er_tap_mine''', 'nobody got in');

SET LOCAL ROLE er_tap_mine;
CREATE MATERIALIZED VIEW er_tap.mine AS SELECT execreport.current_tenant() AS tenant_id;
RESET ROLE;
REFRESH MATERIALIZED VIEW er_tap.mine;
SELECT results_eq('SELECT tenant_id FROM er_tap.mine', '{931}'::integer[], 'a materialized view belongs to its owner''s tenant');

-- 2. An administrator cannot pull another tenant's role into his own: it would have to choose, and its queries fail.
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport.grant_access('er_tap_theirs', 931, 'viewer')$$), '42501',
          'a role of another tenant is not enrolled by an administrator');
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport.grant_access('er_tap_both', 931, 'viewer')$$), '42501',
          'nor a group that it belongs to');
SELECT is(pg_temp.as_role('er_tap_theirs', 'SELECT execreport.current_tenant()'), '932', 'its tenant is still the only one');
SELECT lives_ok($$SELECT execreport.grant_access('er_tap_theirs', 931, 'viewer')$$, 'a superuser enrols it');
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport.grant_access('er_tap_theirs', 931, 'editor')$$), '',
          'and then an administrator may change its persona');

SELECT execreport.grant_access('er_tap_theirs', 931, 'admin'), execreport.grant_access('er_tap_theirs', 932, 'admin');
SET LOCAL execreport.tenant_id = 931;
SELECT is(pg_temp.as_role('er_tap_theirs', $$SELECT execreport.grant_access('er_tap_new', 932, 'viewer')$$), '',
          'who is an administrator of two tenants enrols in either, whichever is chosen');
RESET execreport.tenant_id;
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport._announce_change('execreport.tenant_members')$$), '42501',
          'members do not send every session messages');

SELECT throws_ok($$SELECT execreport._require_tenant(NULL, 'viewer')$$, '22004', 'tenant_id is null', 'no tenant is none, also for a superuser');
SELECT is(execreport._caller_role()::text, current_user::text, 'who calls');

-- 3. An error while the caller is looked up leaves no answer of an earlier caller behind.
SELECT execreport._require_tenant(932, 'admin');
ALTER TABLE execreport.tenant_members RENAME TO tenant_members_away;
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport._require_tenant(932, 'admin')$$), '42P01', 'no table, no answer');
SELECT is(pg_temp.as_role('er_tap_mine', $$SELECT execreport._require_tenant(932, 'admin')$$), '42P01', 'nor the second time');

SELECT * FROM finish();
ROLLBACK;
