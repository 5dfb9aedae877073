-- recurrence: what one sees, and the errors one meets
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- a day whose 02:30 does not exist, and one whose 01:30 comes twice
SELECT gap, run_number, run_at, local_time
  FROM unnest(ARRAY['shift', 'skip']) AS gap,
       execreport.preview_runs(jsonb_build_object('frequency', 'daily', 'time', '02:30', 'timezone', 'America/New_York', 'dstGap', gap), '2026-03-06 12:00', 3)
 ORDER BY gap, run_number;
SELECT overlap, run_number, run_at, local_time
  FROM unnest(ARRAY['first', 'second', 'both']) AS overlap,
       execreport.preview_runs(jsonb_build_object('frequency', 'daily', 'time', '01:30', 'timezone', 'America/New_York', 'dstOverlap', overlap), '2026-10-31 12:00', 3)
 ORDER BY overlap, run_number;
-- half an hour of summer time; a day that never was
SELECT * FROM execreport.preview_runs('{"frequency": "daily", "time": "02:15", "timezone": "Australia/Lord_Howe"}', '2026-10-02', 3);
SELECT * FROM execreport.preview_runs('{"frequency": "daily", "time": "12:00", "timezone": "Pacific/Apia"}', '2011-12-29', 3);

-- weekdays: 0 and 7 are Sunday
SELECT run_number, run_at, extract(isodow FROM run_at) AS weekday
  FROM execreport.preview_runs('{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": [3, 0, 7, 3]}', '2026-03-01 09:00', 4) ORDER BY 1;
-- every second week, counted from startDate's week
SELECT local_time FROM execreport.preview_runs('{"frequency": "weekly", "time": "09:00", "timezone": "Europe/London", "daysOfWeek": [1, 5], "interval": 2, "startDate": "2026-03-04"}', '2026-01-01', 5) ORDER BY run_number;
-- ends of months do not drift
SELECT month_end, array_agg(left(local_time, 10) ORDER BY run_number) AS days
  FROM unnest(ARRAY['clamp', 'skip']) AS month_end,
       execreport.preview_runs(jsonb_build_object('frequency', 'monthly', 'dayOfMonth', 31, 'time', '09:00', 'timezone', 'UTC', 'monthEnd', month_end), '2026-01-01', 6)
 GROUP BY 1 ORDER BY 1;
SELECT array_agg(left(local_time, 10) ORDER BY run_number) AS days
  FROM execreport.preview_runs('{"frequency": "monthly", "day_of_month": -1, "time": "09:00", "timezone": "UTC"}', '2024-01-01', 4);
-- every third month from 31 January
SELECT array_agg(left(local_time, 10) ORDER BY run_number) AS days
  FROM execreport.preview_runs('{"frequency": "monthly", "dayOfMonth": 31, "interval": 3, "start_date": "2026-01-31", "time": "09:00", "timezone": "UTC"}', '2026-01-01', 5);

-- ends
SELECT count(*), max(run_at) FROM execreport.occurrences('{"frequency": "daily", "time": "23:30", "timezone": "America/New_York", "endDate": "2026-01-05"}', '2026-01-01', '2027-01-01');
SELECT count(*), max(run_at) FROM execreport.occurrences('{"frequency": "daily", "time": "12:00", "timezone": "UTC", "ends_at": "2026-01-05T11:59:59.999999+00:00"}', '2026-01-01', '2027-01-01');
SELECT count(*), max(run_at) FROM execreport.occurrences('{"frequency": "daily", "time": "12:00", "timezone": "UTC", "endsAt": "2026-01-05 13:00+01:00"}', '2026-01-01', '2027-01-01');
SELECT count(*), min(run_at), max(run_at) FROM execreport.occurrences('{"frequency": "daily", "time": "12:00", "timezone": "UTC", "startDate": "2026-01-01", "maxRuns": 10}', '2026-01-03 12:00', '2027-01-01');
SELECT execreport.next_run('{"frequency": "once", "time": "12:00", "timezone": "UTC", "startDate": "2026-01-01"}', '2026-01-01 11:59:59.999999') AS before,
       execreport.next_run('{"frequency": "once", "time": "12:00", "timezone": "UTC", "startDate": "2026-01-01"}', '2026-01-01 12:00') AS after;
-- after < run_at <= until
SELECT run_at FROM execreport.occurrences('{"frequency": "daily", "time": "12:00", "timezone": "UTC"}', '2026-01-01 12:00', '2026-01-03 12:00') ORDER BY 1;
SELECT count(*) FROM execreport.preview_runs('{"frequency": "daily", "time": "12:00", "timezone": "UTC"}', '2026-01-01', 0);
-- a form may send all its fields
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "America/New_York", "daysOfWeek": [1, 3, 5], "dayOfMonth": 15}', '2026-01-01');

-- errors
SELECT execreport.next_run(NULL, '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', NULL);
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', 'infinity');
SELECT execreport.next_run('["daily"]', '2026-01-01');
SELECT execreport.next_run('{"frequency": "hourly", "time": "09:00", "timezone": "UTC"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "25:00", "timezone": "UTC"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "24:00", "timezone": "UTC"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "EST"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC+3"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "America/Gotham"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "america/new_york"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "weekly", "time": "09:00", "timezone": "UTC"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": []}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "weekly", "time": "09:00", "timezone": "UTC", "daysOfWeek": [1, 3, 8]}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "monthly", "time": "09:00", "timezone": "UTC", "dayOfMonth": 0}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "interval": 2}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "interval": 0, "startDate": "2026-01-01"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "once", "time": "09:00", "timezone": "UTC", "startDate": "2026-01-01", "maxRuns": 2}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "startDate": "2026-02-30"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "startDate": "2026-02-01", "endDate": "2026-01-01"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "endsAt": "2026-02-01"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "month_end": "clamp", "monthEnd": "skip"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "dstGap": "backward"}', '2026-01-01');
SELECT execreport.next_run('{"frequency": "daily", "time": "09:00", "timezone": "UTC", "cron": "* * * * *"}', '2026-01-01');
SELECT count(*) FROM execreport.preview_runs('{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', '2026-01-01', -1);
SELECT count(*) FROM execreport.occurrences('{"frequency": "daily", "time": "09:00", "timezone": "UTC"}', '2026-01-02', '2026-01-01');

-- millions of runs are cancelled at once
SET statement_timeout = '50ms';
SELECT count(*) FROM execreport.occurrences('{"frequency": "daily", "time": "09:00", "timezone": "America/New_York"}', '0001-01-01', '9999-12-31');
RESET statement_timeout;
