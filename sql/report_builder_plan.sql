-- report_builder_plan: from a document to a plan.
--
-- Every step reads the same document through _builder_plan(), the only place that decides what will be collected and
-- when: what is previewed is what submit_report() creates. Nothing here raises an error for what a document says;
-- faults are collected as {code, message, path, details}.

CREATE FUNCTION execreport._builder_fault(code text, path text, message text, detail text, hint text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    -- the machines put the key first in their messages: lookback "unit" is unknown ..., schedule has no "time"
    SELECT execreport._builder_error(_builder_fault.code,
        _builder_fault.path || coalesce('.' || substring(_builder_fault.message
            FROM E'^\\w+ (?:has (?:no |both |the unknown key )?)?"([^"]*)"'), ''),
        _builder_fault.message,
        jsonb_strip_nulls(jsonb_build_object('detail', nullif(_builder_fault.detail, ''), 'hint', nullif(_builder_fault.hint, ''))));
END;
COMMENT ON FUNCTION execreport._builder_fault(text, text, text, text, text) IS
'What a machine raised about one configuration, as an error of the document; path is the configuration''s member.';

CREATE FUNCTION execreport._builder_instant(at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_char(_builder_instant.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
END;

CREATE FUNCTION execreport._builder_time(members jsonb, now timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given text := CASE WHEN jsonb_typeof(members -> 'asOf') = 'string' THEN members ->> 'asOf' END;
    zone text := current_setting('TimeZone');
    moment timestamptz;
    day date;
BEGIN
    -- today is the schedule's today, as far as its zone can be read; the schedule's own check tells the rest
    IF jsonb_typeof(members #> '{scheduleConfig,timezone}') = 'string' THEN
        BEGIN
            PERFORM now AT TIME ZONE (members #>> '{scheduleConfig,timezone}');
            zone := members #>> '{scheduleConfig,timezone}';
        EXCEPTION WHEN data_exception THEN
            NULL;
        END;
    END IF;

    IF members ? 'asOf' THEN
        BEGIN
            IF given ~ E'^\\d{4}-\\d\\d-\\d\\d$' THEN
                day := make_date(substr(given, 1, 4)::integer, substr(given, 6, 2)::integer, substr(given, 9, 2)::integer);
                moment := day::timestamp AT TIME ZONE zone;
            ELSIF given ~ E'^\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,6})?)?(Z|[+-]\\d\\d(:?\\d\\d)?)$' THEN
                moment := given::timestamptz;
            END IF;
        EXCEPTION WHEN data_exception THEN
            moment := NULL;
        END;
        IF moment IS NULL THEN
            RETURN jsonb_build_object('day', (now AT TIME ZONE zone)::date, 'at', now, 'errors',
                jsonb_build_array(execreport._builder_error('INVALID_AS_OF', 'asOf',
                    'must be a day as YYYY-MM-DD or an instant with its offset, not ' || left((members -> 'asOf')::text, 64))));
        END IF;
    END IF;
    moment := coalesce(moment, now);
    RETURN jsonb_build_object('day', coalesce(day, (moment AT TIME ZONE zone)::date), 'at', moment, 'errors', '[]'::jsonb);
END
$$;
COMMENT ON FUNCTION execreport._builder_time(jsonb, timestamptz) IS
'The moment a document speaks of: {"at": asOf or now, "day": its day in the schedule''s zone, else the session''s, "errors"}.
An asOf that is a day is its first instant.';

CREATE FUNCTION execreport._builder_lookback(members jsonb, required boolean, day date) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN required AND NOT members ? 'lookbackConfig' THEN jsonb_build_object('errors', jsonb_build_array(
                execreport._builder_error('INVALID_LOOKBACK_RANGE', 'lookbackConfig', 'is missing', '{"hint": "Write {} for the last 7 days."}')))
            ELSE jsonb_build_object(
            'window', c.result -> 'window', 'days', c.result -> 'days',
            'errors', (SELECT coalesce(jsonb_agg(execreport._builder_error(e.fault ->> 'code',
                           CASE e.fault ->> 'path' WHEN '$' THEN 'lookbackConfig' WHEN 'as_of' THEN 'asOf'
                                ELSE 'lookbackConfig.' || (e.fault ->> 'path') END,
                           e.fault ->> 'message',
                           CASE WHEN e.fault ->> 'code' = 'INVALID_LOOKBACK_RANGE' THEN '{}'
                                ELSE jsonb_build_object('requestedDays', c.result -> 'days', 'maximumDays', c.result -> 'maxDays',
                                         'earliestStart', c.result -> 'earliestStart', 'latestEnd', c.result -> 'latestEnd') END)
                           ORDER BY e.n), '[]')
                         FROM jsonb_array_elements(c.result -> 'errors') WITH ORDINALITY AS e(fault, n))) END
          FROM (SELECT execreport.check_lookback(coalesce(_builder_lookback.members -> 'lookbackConfig', '{}'),
                                                 _builder_lookback.day)) AS c(result));
END
$$;
COMMENT ON FUNCTION execreport._builder_lookback(jsonb, boolean, date) IS
'The window of lookbackConfig: {"window", "days", "errors"} as check_lookback() finds them. Absent it is {}, the last 7 days,
or an error when it is required.';

CREATE FUNCTION execreport._builder_segmentation(members jsonb, kind text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    largest integer := execreport._setting('max_parallel_segments')::integer;
    own jsonb;
    backfill jsonb := '{}';
    errors jsonb := '[]';
    found text;
    detail text;
    hint text;
    parallel integer;
BEGIN
    BEGIN
        PERFORM FROM execreport.lookback_segments('{"type": "custom", "startDate": "2000-01-01", "endDate": "2000-01-01"}',
                                                  coalesce(members -> 'segmentationConfig', '{}'));
    EXCEPTION WHEN data_exception THEN
        GET STACKED DIAGNOSTICS found = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN jsonb_build_object('errors',
            jsonb_build_array(execreport._builder_fault('INVALID_SEGMENTATION', 'segmentationConfig', found, detail, hint)));
    END;
    own := execreport._builder_members(coalesce(members -> 'segmentationConfig', '{}'), 'segmentationConfig.',
                                       '{type,align,parallelLimit,retryFailed}') -> 'members';

    IF kind = 'backfill_with_schedule' THEN
        backfill := execreport._builder_backfill(members -> 'backfillConfig');
        errors := backfill -> 'errors';
        backfill := backfill -> 'members';
    END IF;
    IF errors = '[]' THEN
        parallel := coalesce(backfill -> 'parallelLimit', own -> 'parallelLimit')::integer;
        IF parallel > largest THEN
            errors := jsonb_build_array(execreport._builder_error('LIMIT_EXCEEDED',
                CASE WHEN backfill ? 'parallelLimit' THEN 'backfillConfig' ELSE 'segmentationConfig' END || '.parallelLimit',
                format('must not be larger than %s', largest), jsonb_build_object('limit', largest, 'requested', parallel)));
        END IF;
    END IF;
    IF errors <> '[]' THEN
        RETURN jsonb_build_object('errors', errors);
    END IF;
    RETURN jsonb_build_object(
        'type', coalesce(backfill ->> 'segmentType', own ->> 'type', 'weekly'),
        'align', coalesce(own ->> 'align', 'anchor'),
        'parallelLimit', coalesce(parallel, least(CASE kind WHEN 'backfill_with_schedule' THEN 5 ELSE 10 END, largest)),
        'retryFailed', coalesce((own -> 'retryFailed')::boolean, true),
        'backfill', backfill, 'errors', errors);
END
$$;
COMMENT ON FUNCTION execreport._builder_segmentation(jsonb, text) IS
'How the window is cut and how many segments run at once: {"type", "align", "parallelLimit", "retryFailed", "backfill":
the members of backfillConfig, "errors"}. What backfillConfig says stands above segmentationConfig.';

CREATE FUNCTION execreport._builder_backfill(config jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH door AS (
            SELECT execreport._builder_members(coalesce(_builder_backfill.config, '{}'), 'backfillConfig.',
                       '{days,periods,segmentation,segmentType,parallelLimit,includeCurrent}') AS d
        ), read AS (
            SELECT d -> 'errors' AS errors, d -> 'members' AS m,
                   coalesce(d #> '{members,segmentType}', d #> '{members,segmentation}') AS kind
              FROM door
        )
        SELECT jsonb_build_object(
            'members', m - 'segmentation' || CASE WHEN kind IS NULL THEN '{}' ELSE jsonb_build_object('segmentType', kind) END,
            'errors', errors
                || execreport._builder_whole(m, 'days', 'backfillConfig.', 'INVALID_BACKFILL', 1, 4000)
                || execreport._builder_whole(m, 'periods', 'backfillConfig.', 'INVALID_BACKFILL', 1, 4000)
                || execreport._builder_whole(m, 'parallelLimit', 'backfillConfig.', 'INVALID_BACKFILL', 1, 10)
                || CASE WHEN m ? 'days' AND m ? 'periods' THEN jsonb_build_array(execreport._builder_error('INVALID_BACKFILL',
                        'backfillConfig.periods', 'does not stand beside "days"', '{"hint": "Keep one of the two keys."}')) ELSE '[]' END
                || CASE WHEN kind IS NULL OR kind IN ('"daily"', '"weekly"', '"monthly"', '"quarterly"') THEN '[]'
                        ELSE jsonb_build_array(execreport._builder_error('INVALID_BACKFILL',
                            'backfillConfig.' || CASE WHEN m ? 'segmentType' THEN 'segmentType' ELSE 'segmentation' END,
                            'is unknown: ' || left(kind::text, 64), '{"allowed": ["daily", "weekly", "monthly", "quarterly"]}')) END
                || CASE WHEN m ? 'segmentType' AND m ? 'segmentation' AND m -> 'segmentType' <> m -> 'segmentation'
                        THEN jsonb_build_array(execreport._builder_error('INVALID_BACKFILL',
                            'backfillConfig.segmentation', 'differs from "segmentType"', '{"hint": "Keep one of the two keys."}')) ELSE '[]' END
                || CASE WHEN coalesce(jsonb_typeof(m -> 'includeCurrent'), 'boolean') = 'boolean' THEN '[]'
                        ELSE jsonb_build_array(execreport._builder_error('INVALID_BACKFILL',
                            'backfillConfig.includeCurrent', 'must be true or false, not ' || left((m -> 'includeCurrent')::text, 64))) END)
          FROM read);
END
$$;
COMMENT ON FUNCTION execreport._builder_backfill(jsonb) IS
'Reads backfillConfig: {"members", "errors"}.';

CREATE FUNCTION execreport._builder_history(members jsonb, segmentation jsonb, day date) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    config jsonb := segmentation -> 'backfill';
    kind text := segmentation ->> 'type';
    calendar boolean := segmentation ->> 'align' = 'calendar';
    unit text := CASE kind WHEN 'daily' THEN 'day' WHEN 'weekly' THEN 'week' WHEN 'monthly' THEN 'month' ELSE 'quarter' END;
    step interval := CASE kind WHEN 'daily' THEN '1 day' WHEN 'weekly' THEN '7 days' WHEN 'monthly' THEN '1 month' ELSE '3 months' END;
    periods integer := (config -> 'periods')::integer;
    first_day date;
    last_day date := day - coalesce(members #>> '{lookbackConfig,lagDays}', members #>> '{lookbackConfig,lag_days}',
                                    execreport._setting('data_lag_days'))::numeric::integer;
    found jsonb;
    path text := 'backfillConfig' || CASE WHEN periods IS NOT NULL THEN '.periods' WHEN config ? 'days' THEN '.days' ELSE '' END;
BEGIN
    IF NOT coalesce((config -> 'includeCurrent')::boolean, true) THEN
        last_day := CASE WHEN calendar THEN date_trunc(unit, last_day::timestamp)::date ELSE last_day END - 1;
    END IF;
    IF periods IS NULL THEN
        first_day := last_day + 1 - coalesce((config -> 'days')::integer, 365);
    ELSIF calendar THEN
        first_day := date_trunc(unit, last_day::timestamp) - (periods - 1) * step;
    ELSE
        first_day := last_day + 1 - periods * step;
        IF execreport.segment_count(first_day, last_day, kind) > periods THEN
            first_day := first_day + 1;     -- the month's end was clamped: 28 February for the 31st
        END IF;
    END IF;

    found := execreport.check_lookback(jsonb_build_object('type', 'custom', 'startDate', first_day, 'endDate', last_day), day);
    RETURN jsonb_build_object('window', found -> 'window', 'days', found -> 'days',
        'errors', (SELECT coalesce(jsonb_agg(execreport._builder_error(e.fault ->> 'code', path, e.fault ->> 'message',
                              jsonb_build_object('requestedDays', last_day - first_day + 1, 'maximumDays', found -> 'maxDays')) ORDER BY e.n), '[]')
                     FROM jsonb_array_elements(found -> 'errors') WITH ORDINALITY AS e(fault, n)));
END
$$;
COMMENT ON FUNCTION execreport._builder_history(jsonb, jsonb, date) IS
'The window of a backfill: {"window", "days", "errors"}. It ends on the day, or as many days before it as the newest data
lags. days (default 365): so many days. periods: as many segments, whatever the months'' lengths. includeCurrent false
leaves the last day out, with calendar alignment the whole week, month or quarter that is not over.';

CREATE FUNCTION execreport._builder_runs(config jsonb, after timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    shortest interval := execreport._setting('min_schedule_interval')::integer * interval '1 s';
    gap interval;
    runs jsonb;
    found text;
    detail text;
    hint text;
BEGIN
    -- far enough to meet every change of the clocks in a year of daily runs
    SELECT coalesce(jsonb_agg(jsonb_build_object('runNumber', r.run_number, 'runAt', execreport._builder_instant(r.run_at),
                                                 'localTime', r.local_time) ORDER BY r.run_number) FILTER (WHERE r.run_number <= 5), '[]'),
           min(r.gap)
      INTO runs, gap
      FROM (SELECT p.run_number, p.run_at, p.local_time, p.run_at - lag(p.run_at) OVER (ORDER BY p.run_number) AS gap
              FROM execreport.preview_runs(config, after, 400) AS p) AS r;
    IF runs = '[]' THEN
        RETURN jsonb_build_object('runs', runs, 'errors', jsonb_build_array(execreport._builder_error('INVALID_SCHEDULE',
            'scheduleConfig', 'schedule has no run after ' || execreport._builder_instant(after))));
    ELSIF gap < shortest THEN
        RETURN jsonb_build_object('runs', runs, 'errors', jsonb_build_array(execreport._builder_error('SCHEDULE_TOO_FREQUENT',
            'scheduleConfig.frequency', format('two runs are %s apart, but must be at least %s', gap, shortest),
            jsonb_build_object('minimumSeconds', extract(epoch FROM shortest)::integer))));
    END IF;
    RETURN jsonb_build_object('runs', runs, 'errors', '[]'::jsonb);
EXCEPTION WHEN data_exception THEN
    GET STACKED DIAGNOSTICS found = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN jsonb_build_object('runs', '[]'::jsonb, 'errors',
        jsonb_build_array(execreport._builder_fault('INVALID_SCHEDULE', 'scheduleConfig', found, detail, hint)));
END
$$;
COMMENT ON FUNCTION execreport._builder_runs(jsonb, timestamptz) IS
'The next five runs of scheduleConfig: {"runs": [{"runNumber", "runAt", "localTime"}], "errors"}.';

CREATE FUNCTION execreport._builder_parameters(members jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH given AS (
        SELECT e.key, lower(replace(replace(e.key, '_', ''), '-', '')) AS name
          FROM jsonb_each(CASE WHEN jsonb_typeof(members -> 'parameters') = 'object' THEN members -> 'parameters' ELSE '{}' END) AS e
    )
    SELECT jsonb_build_object(
        'errors', CASE WHEN coalesce(jsonb_typeof(members -> 'parameters'), 'object') <> 'object'
            THEN jsonb_build_array(execreport._builder_error('INVALID_PARAMETERS', 'parameters',
                     'must be a JSON object, not ' || jsonb_typeof(members -> 'parameters')))
            ELSE (SELECT coalesce(jsonb_agg(execreport._builder_error('INVALID_PARAMETERS', 'parameters.' || left(d.last, 64),
                             format('"%s" and "%s" are one name in two spellings', left(d.first, 64), left(d.last, 64)),
                             '{"hint": "Keep one of them."}') ORDER BY d.last), '[]')
                    FROM (SELECT min(g.key) AS first, max(g.key) AS last FROM given AS g
                           GROUP BY g.name HAVING count(*) > 1 ORDER BY 2 LIMIT 20) AS d) END,
        'warnings', (SELECT coalesce(jsonb_agg(execreport._builder_error('PARAMETER_REPLACED', 'parameters.' || left(g.key, 64),
                                'the window of each segment takes its place') ORDER BY g.key), '[]')
                       FROM given AS g WHERE g.name IN ('startdate', 'enddate')));
END;
COMMENT ON FUNCTION execreport._builder_parameters(jsonb) IS
'Whether parameters can be handed on: {"errors", "warnings"}. A name in two spellings is an error, for nobody could say which counts.';

CREATE FUNCTION execreport._builder_door(document jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH door AS (
            SELECT execreport._builder_members(_builder_door.document, '', execreport._builder_keys() || '{requestKey,draftId}') AS d
        ), draft AS (
            SELECT d, r.document AS kept,
                   CASE WHEN NOT d -> 'members' ? 'draftId' OR r.draft_id IS NOT NULL THEN '[]'
                        ELSE jsonb_build_array(execreport._builder_error('UNKNOWN_DRAFT', 'draftId',
                                 'draft ' || left((d #> '{members,draftId}')::text, 64) || ' does not exist')) END AS errors
              FROM door
              LEFT JOIN execreport.report_drafts AS r ON r.tenant_id = execreport.current_tenant()
               AND r.user_id = execreport.current_user_id() AND r.draft_id::text = lower(d #>> '{members,draftId}')
        )
        SELECT jsonb_build_object('members', coalesce(kept, '{}') || (d -> 'members'), 'errors', (d -> 'errors') || errors) FROM draft);
END
$$;
COMMENT ON FUNCTION execreport._builder_door(jsonb) IS
'The members of a document, over those of the draft that its draftId names: {"members", "errors"}.';

CREATE FUNCTION execreport._builder_plan(document jsonb, step text, now timestamptz) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    tenant integer := execreport.current_tenant();
    door jsonb := execreport._builder_door(document);
    m jsonb := door -> 'members';
    final boolean := step IN ('review', 'submit');
    kind text := CASE WHEN m ? 'scheduleType' THEN m ->> 'scheduleType' WHEN m ? 'backfillConfig' THEN 'backfill_with_schedule'
                      WHEN m ? 'scheduleConfig' THEN 'scheduled' ELSE 'once' END;
    moment jsonb := execreport._builder_time(m, now);
    day date := moment ->> 'day';
    workflow jsonb := execreport._builder_workflow(m, final);
    parameters jsonb := execreport._builder_parameters(m);
    lookback jsonb;
    segmentation jsonb;
    schedule jsonb := '{"runs": [], "errors": []}';
    collect jsonb;
    errors jsonb;
    warnings jsonb := parameters -> 'warnings';
BEGIN
    errors := (door -> 'errors') || (moment -> 'errors') || (workflow -> 'errors') || (parameters -> 'errors');
    IF m ? 'requestKey' AND (jsonb_typeof(m -> 'requestKey') <> 'string' OR length(m ->> 'requestKey') NOT BETWEEN 1 AND 200) THEN
        errors := errors || execreport._builder_error('INVALID_REQUEST_KEY', 'requestKey',
                                'must be a text of 1 to 200 characters, not ' || left((m -> 'requestKey')::text, 64));
    END IF;
    IF jsonb_typeof(m -> 'scheduleType') <> 'string' OR kind NOT IN ('once', 'scheduled', 'backfill_with_schedule') THEN
        errors := errors || execreport._builder_error('INVALID_SCHEDULE_TYPE', 'scheduleType', 'is unknown: ' || left((m -> 'scheduleType')::text, 64),
                                '{"allowed": ["once", "scheduled", "backfill_with_schedule"]}');
        kind := 'once';
    END IF;

    lookback := execreport._builder_lookback(m, step = 'parameters' OR kind = 'once' OR kind = 'scheduled' AND final, day);
    segmentation := execreport._builder_segmentation(m, CASE WHEN step = 'parameters' THEN 'once' ELSE kind END);
    errors := errors || (lookback -> 'errors') || (segmentation -> 'errors');

    IF step <> 'parameters' THEN
        IF kind <> 'once' AND NOT m ? 'scheduleConfig' THEN
            errors := errors || execreport._builder_error('INVALID_SCHEDULE', 'scheduleConfig', 'is missing');
        ELSIF kind <> 'once' THEN
            schedule := execreport._builder_runs(m -> 'scheduleConfig', (moment ->> 'at')::timestamptz);
            errors := errors || (schedule -> 'errors');
        END IF;
        SELECT warnings || coalesce(jsonb_agg(execreport._builder_error('NOT_USED', u.key, format('is not used by "%s"', kind)) ORDER BY u.key), '[]')
          INTO warnings
          FROM unnest(CASE kind WHEN 'once' THEN '{backfillConfig,scheduleConfig}'::text[] WHEN 'scheduled' THEN '{backfillConfig}' END) AS u(key)
         WHERE m ? u.key;
        IF kind <> 'once' AND NOT m ? 'lookbackConfig' THEN
            warnings := warnings || execreport._builder_error('DEFAULT_WINDOW', 'lookbackConfig', 'every run collects the last 7 days');
        ELSIF kind <> 'once' AND m #>> '{lookbackConfig,type}' = 'custom' THEN
            warnings := warnings || execreport._builder_error('FIXED_WINDOW', 'lookbackConfig.type', 'every run collects the same days');
        END IF;
    END IF;

    IF errors = '[]' AND kind = 'backfill_with_schedule' AND step <> 'parameters' THEN
        collect := execreport._builder_history(m, segmentation, day);
        errors := errors || (collect -> 'errors');
    ELSIF kind = 'once' OR step = 'parameters' THEN
        collect := lookback;
    END IF;
    IF jsonb_typeof(collect -> 'window') = 'object' AND segmentation -> 'errors' = '[]' THEN
        collect := (segmentation - 'errors' - 'backfill') || (collect -> 'window') || jsonb_build_object('days', collect -> 'days',
            'segments', execreport.segment_count((collect #>> '{window,startDate}')::date, (collect #>> '{window,endDate}')::date,
                                                 segmentation ->> 'type', segmentation ->> 'align'));
    ELSE
        collect := NULL;
    END IF;

    RETURN jsonb_build_object('document', m || jsonb_build_object('scheduleType', kind),
        'at', moment -> 'at', 'day', day, 'scheduleType', kind, 'workflowId', workflow -> 'id', 'workflowName', workflow -> 'name',
        'lookback', lookback - 'errors', 'collect', collect, 'runs', schedule -> 'runs',
        'errors', (SELECT coalesce(jsonb_agg(e.error ORDER BY e.n), '[]') FROM jsonb_array_elements(errors) WITH ORDINALITY AS e(error, n) WHERE e.n <= 20),
        'warnings', (SELECT coalesce(jsonb_agg(w.warning ORDER BY w.n), '[]') FROM jsonb_array_elements(warnings) WITH ORDINALITY AS w(warning, n) WHERE w.n <= 20));
END
$$;
COMMENT ON FUNCTION execreport._builder_plan(jsonb, text, timestamptz) IS
'What a document asks for, decided in this one place: {"document": its members in camelCase, "at", "day", "scheduleType",
"workflowId", "workflowName", "lookback": the window of lookbackConfig, "collect": the window to collect now, how it is cut
and in how many segments, null when nothing is, "runs": the next five, "errors", "warnings": at most 20 each}.
step: parameters looks at the window alone; schedule, review and submit at all; the last two also demand a workflow.';
