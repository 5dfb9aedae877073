-- lookback: from a configuration to a window of days. Pure functions; they know no table.
--
-- None is STRICT: a NULL configuration is an error, and a NULL as_of is today.

CREATE FUNCTION execreport.lookback_start(config jsonb, as_of date DEFAULT NULL) RETURNS date
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_lookback_start';
COMMENT ON FUNCTION execreport.lookback_start(jsonb, date) IS
'The first day of a lookback window: the scalar form of calculate_lookback_dates, for hot paths.
Arguments, errors and rules as there.
Example: SELECT execreport.lookback_start(''{"type": "relative", "value": 7, "unit": "days"}'', ''2025-06-15'');  -- 2025-06-09';

CREATE FUNCTION execreport.lookback_end(config jsonb, as_of date DEFAULT NULL) RETURNS date
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_lookback_end';
COMMENT ON FUNCTION execreport.lookback_end(jsonb, date) IS
'The last day of a lookback window: the scalar form of calculate_lookback_dates, for hot paths.
Arguments, errors and rules as there.
Example: SELECT execreport.lookback_end(''{"type": "relative", "value": 7, "unit": "days"}'', ''2025-06-15'');  -- 2025-06-15';

CREATE FUNCTION execreport.lookback_window(config jsonb, as_of date DEFAULT NULL,
                                           OUT start_date date, OUT end_date date)
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_lookback_both';
COMMENT ON FUNCTION execreport.lookback_window(jsonb, date) IS
'Both days of a lookback window as one row value, for a target list; in FROM calculate_lookback_dates is faster.
Arguments, errors and rules as there.
Example: SELECT execreport.lookback_window(''{}'', ''2025-06-15'');  -- (2025-06-09,2025-06-15)';

-- The planner puts this body in place of the call, so LATERAL costs no more than the scalar forms. The WHERE clause is
-- always true; it makes a malformed configuration an error also for a query that asks for neither column.
CREATE FUNCTION execreport.calculate_lookback_dates(config jsonb, as_of date DEFAULT NULL)
RETURNS TABLE (start_date date, end_date date)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT execreport.lookback_start(calculate_lookback_dates.config, calculate_lookback_dates.as_of),
           execreport.lookback_end(calculate_lookback_dates.config, calculate_lookback_dates.as_of)
     WHERE execreport.lookback_end(calculate_lookback_dates.config, calculate_lookback_dates.as_of) IS NOT NULL;
END;
COMMENT ON FUNCTION execreport.calculate_lookback_dates(jsonb, date) IS
'The window of days that a lookback configuration names: one row, both days belong to the window, "N days" is N days.
config: {"type": "relative", "value": N, "unit": "days|weeks|months", "lagDays": L}: N units that end L days before
as_of (L: the newest days, not complete yet; default: the setting execreport.data_lag_days); N months begin on the day
after the end minus N months, clamped to the end of a shorter month. {"type": "custom", "startDate": "YYYY-MM-DD",
"endDate": "YYYY-MM-DD"}: those days. {}: the last 7 days. Keys in snake_case are read too.
as_of: the day to count from; NULL is today in the session''s time zone.
Errors, each names the key: 22004 config is NULL; 22023 not an object, unknown type, unit or key, a key that is missing,
does not belong to the type or stands there twice with different values, a number that is not whole, too small or too
large, reversed dates; 22007 a date not written YYYY-MM-DD; 22008 a day that does not exist, an infinite as_of.
Example: SELECT * FROM execreport.calculate_lookback_dates(''{"type": "relative", "value": 1, "unit": "months"}'', ''2025-03-30'');
-- 2025-02-28 | 2025-03-30';

CREATE FUNCTION execreport.validate_lookback_limit(config jsonb, max_days integer DEFAULT NULL, as_of date DEFAULT NULL)
RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_validate_lookback_limit';
COMMENT ON FUNCTION execreport.validate_lookback_limit(jsonb, integer, date) IS
'Whether every day of the window still exists under the retention limit and none lies in the future: it begins neither
before as_of - 425 days nor before as_of - 14 months (the earlier of the two counts), and ends not after as_of.
config, as_of: as for calculate_lookback_dates. max_days: given, the window may begin at as_of - max_days instead.
Returns true or false, never NULL.
Errors: those of calculate_lookback_dates for a malformed configuration; 22023 for max_days below 1.
Example: SELECT execreport.validate_lookback_limit(''{"type": "relative", "value": 60, "unit": "weeks"}'');  -- true';

CREATE FUNCTION execreport.check_lookback(config jsonb, as_of date DEFAULT NULL) RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'er_check_lookback';
COMMENT ON FUNCTION execreport.check_lookback(jsonb, date) IS
'All that a form or an API must know about a lookback configuration; never raises an error.
Returns {"valid": boolean, "window": {"startDate", "endDate"} or null, "days": the days of the window or null, "errors":
[{"path", "code", "message"}], "earliestStart" and "latestEnd": the days a date picker may offer, "maxDays": the days
from the one to the other, "suggested": [7, 14, 30]}. path is the key as it was given, "$" for the whole configuration, "as_of" for
that argument. Codes: INVALID_LOOKBACK_RANGE (gives no window), RETENTION_EXCEEDED (begins before data still exists),
FUTURE_DATES (ends after as_of). At most 20 errors are listed.
Example: SELECT execreport.check_lookback(''{"type": "relative", "value": 0, "unit": "days"}'') -> ''errors'';';
