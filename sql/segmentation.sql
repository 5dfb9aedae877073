-- segmentation: a window of days cut into segments. Pure functions; they know no table.
--
-- None is STRICT: a NULL argument is an error, because no segments and "not asked" must not look alike.

CREATE FUNCTION execreport._segmentation_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_segmentation_support';
COMMENT ON FUNCTION execreport._segmentation_support(internal) IS
'Tells the planner how many segments a call gives.';

CREATE FUNCTION execreport.calculate_segmentation_intervals(start_date date, end_date date, segment_type text,
                                                            align text DEFAULT 'anchor')
RETURNS TABLE (segment_start date, segment_end date, segment_number integer)
LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 52 SUPPORT execreport._segmentation_support
AS 'MODULE_PATHNAME', 'er_segmentation_intervals';
COMMENT ON FUNCTION execreport.calculate_segmentation_intervals(date, date, text, text) IS
'The segments that tile a window: in order, no gap, no overlap, no lost day; all days are inclusive, numbers from 1.
segment_type: daily, weekly, monthly or quarterly. align: anchor counts periods from start_date (months from the 31st: 31
Jan, 28 Feb, 31 Mar ...); calendar cuts at ISO Mondays, first days of months or of quarters, so that the first and last
segment may be short.
Errors: 22004 a NULL date; 22008 an infinite date; 22023 start_date after end_date, an unknown or NULL segment_type or align.
Example: SELECT * FROM execreport.calculate_segmentation_intervals(''2025-01-31'', ''2025-03-31'', ''monthly'');
-- (2025-01-31, 2025-02-27, 1), (2025-02-28, 2025-03-30, 2), (2025-03-31, 2025-03-31, 3)';

CREATE FUNCTION execreport.lookback_segments(lookback jsonb, segmentation jsonb, as_of date DEFAULT NULL)
RETURNS TABLE (segment_start date, segment_end date, segment_number integer)
LANGUAGE c STABLE PARALLEL SAFE ROWS 52 SUPPORT execreport._segmentation_support
AS 'MODULE_PATHNAME', 'er_lookback_segments';
COMMENT ON FUNCTION execreport.lookback_segments(jsonb, jsonb, date) IS
'The segments of a lookback window, as calculate_segmentation_intervals gives them.
lookback, as_of: as for calculate_lookback_dates. segmentation: {"type": "daily|weekly|monthly|quarterly", "align":
"anchor|calendar", "parallel_limit": 1..10, "retry_failed": boolean}; a missing key has its default, so {} is weekly from
the first day. The last two are for those who run the segments: checked here, without effect on the days. Keys in camelCase are read too.
Errors: those of calculate_lookback_dates; 22004 segmentation is NULL; 22023 not an object, an unknown key or a wrong value, by name.
Example: SELECT * FROM execreport.lookback_segments(''{"type": "relative", "value": 30, "unit": "days"}'', ''{}'');';

CREATE FUNCTION execreport.segment_starts(start_date date, end_date date, segment_type text, align text DEFAULT 'anchor')
RETURNS date[]
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'er_segment_starts';
COMMENT ON FUNCTION execreport.segment_starts(date, date, text, text) IS
'The first days of all segments, in order: calculate_segmentation_intervals without the cost of rows. Each segment ends on
the day before the next begins, the last on end_date.
Arguments and errors as there; 54000 when there are more segments than an array can hold.
Example: SELECT execreport.segment_starts(''2025-01-31'', ''2025-03-31'', ''monthly'');  -- {2025-01-31,2025-02-28,2025-03-31}';

CREATE FUNCTION execreport.segment_count(start_date date, end_date date, segment_type text, align text DEFAULT 'anchor')
RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_segment_count';
COMMENT ON FUNCTION execreport.segment_count(date, date, text, text) IS
'How many segments a window has, without making them. Arguments and errors as for calculate_segmentation_intervals.
Example: SELECT execreport.segment_count(''2024-01-01'', ''2024-12-31'', ''daily'');  -- 366';

CREATE FUNCTION execreport.segment_at(start_date date, end_date date, segment_type text, n integer,
                                      align text DEFAULT 'anchor',
                                      OUT segment_start date, OUT segment_end date, OUT segment_number integer)
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'er_segment_at';
COMMENT ON FUNCTION execreport.segment_at(date, date, text, integer, text) IS
'Segment number n of a window, without making the others: the n-th row of calculate_segmentation_intervals.
Arguments and errors as there; 22023 when n is not between 1 and segment_count, 22004 when it is NULL.
Example: SELECT * FROM execreport.segment_at(''2025-01-31'', ''2025-12-31'', ''monthly'', 2);  -- 2025-02-28 | 2025-03-30 | 2';
