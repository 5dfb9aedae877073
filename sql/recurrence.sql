-- recurrence: the instants at which a schedule runs. Pure functions; they know no table and read no clock.
--
-- None is STRICT: a NULL configuration or instant is an error. They are STABLE, not IMMUTABLE, for what a zone's clock
-- does comes from the server's time zone database, which is updated.

CREATE FUNCTION execreport.next_run(config jsonb, after timestamptz) RETURNS timestamptz
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_next_run';
COMMENT ON FUNCTION execreport.next_run(jsonb, timestamptz) IS
'The first run of a schedule that is later than the given instant; NULL when there is none any more.
config: {"frequency": "once|daily|weekly|monthly", "time": "HH:MM[:SS]", "timezone": a full IANA name or "UTC"}, with
daysOfWeek: ISO weekdays 1 (Monday) to 7, 0 is Sunday, too (weekly needs them); dayOfMonth: 1..31, or -1..-31 from the end
(monthly needs it); startDate: no run before it (once needs it, it is the day); interval: every n-th day, week or month,
counted from startDate; endDate: the last local day; endsAt: the last instant; maxRuns: runs counted from startDate.
monthEnd: clamp (default: the nearest day that the month has) or skip. dstGap, a local time that does not exist: shift
(default: later by the length of the gap) or skip. dstOverlap, one that comes twice: first (default), second or both.
jitter: seconds by which run_due_schedules() may make a run later, 0..3600; not used here. Keys in snake_case are read too.
Runs increase strictly and do not drift. Local times become instants by RFC 5545, 3.3.5.
Errors, each names the key: 22004 an argument is NULL; 22023 not an object, a key that is missing, unknown, wrong, does not
belong to "once" or stands there twice with different values; 22007 a date not written YYYY-MM-DD; 22008 a day
that does not exist, an infinite instant.
Example: SELECT execreport.next_run(''{"frequency": "daily", "time": "02:30", "timezone": "America/New_York"}'', ''2026-03-07 12:00+00'');
-- 2026-03-08 07:30+00, for 02:30 does not exist that day';

CREATE FUNCTION execreport.preview_runs(config jsonb, after timestamptz, count integer)
RETURNS TABLE (run_number integer, run_at timestamptz, local_time text)
LANGUAGE c STABLE PARALLEL SAFE COST 10 ROWS 10 AS 'MODULE_PATHNAME', 'er_preview_runs';
COMMENT ON FUNCTION execreport.preview_runs(jsonb, timestamptz, integer) IS
'The next runs of a schedule after an instant, in order and numbered from 1; fewer than count when the schedule ends.
local_time is the wall clock of the schedule''s zone at that instant, YYYY-MM-DD HH:MM:SS.
config, errors: as for next_run; 22023 also for a negative count, 22004 for none.
Example: SELECT * FROM execreport.preview_runs(''{"frequency": "monthly", "dayOfMonth": 31, "time": "09:00", "timezone": "UTC"}'', ''2026-01-31 12:00+00'', 2);
-- (1, 2026-02-28 09:00+00, 2026-02-28 09:00:00), (2, 2026-03-31 09:00+00, 2026-03-31 09:00:00)';

CREATE FUNCTION execreport.occurrences(config jsonb, after timestamptz, until timestamptz)
RETURNS TABLE (run_number integer, run_at timestamptz, local_time text)
LANGUAGE c STABLE PARALLEL SAFE COST 10 ROWS 100 AS 'MODULE_PATHNAME', 'er_occurrences';
COMMENT ON FUNCTION execreport.occurrences(jsonb, timestamptz, timestamptz) IS
'The runs of a schedule with after < run_at <= until, in order and numbered from 1; columns as for preview_runs.
config, errors: as for next_run; 22023 also when after is later than until.
Example: SELECT * FROM execreport.occurrences(''{"frequency": "weekly", "daysOfWeek": [1, 5], "time": "09:00", "timezone": "Europe/London"}'',
''2026-03-23 00:00+00'', ''2026-03-31 00:00+00'');  -- 09:00 on 23, 27 and 30 March: 09:00, 09:00 and 08:00 UTC';
