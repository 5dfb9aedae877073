-- lookback: what a person sees; the many cases are in test/pgtap/lookback.sql
SET DateStyle = 'ISO';
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 7, "unit": "days"}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 2, "unit": "weeks", "lagDays": 14}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 14, "unit": "months"}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 1, "unit": "months"}', '2025-03-30');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 1, "unit": "months"}', '2024-03-30');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "custom", "startDate": "2025-03-01", "endDate": "2025-03-31"}');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "custom", "start_date": "2025-03-01", "end_date": "2025-03-31"}');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "custom", "start_date": "2025-03-01", "startDate": "2025-03-01", "endDate": "2025-03-01"}');
SELECT * FROM execreport.calculate_lookback_dates('{}', '2025-06-15');
SELECT execreport.lookback_start('{}', '2025-06-15'), execreport.lookback_end('{}', '2025-06-15'), execreport.lookback_window('{}', '2025-06-15');

-- today is the session's today, and lasts as long as the transaction
SET TIME ZONE 'Pacific/Kiritimati';
SELECT execreport.lookback_end('{}') = current_date AS today_in_kiritimati;
SET TIME ZONE 'Pacific/Pago_Pago';
SELECT execreport.lookback_end('{}') = current_date AS today_in_pago_pago,
       execreport.lookback_start('{}', NULL) = current_date - 6 AS seven_days;
RESET TIME ZONE;

-- the lag: the key beats the setting, a custom window has none
SET execreport.data_lag_days = 3;
SELECT * FROM execreport.calculate_lookback_dates('{}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 7, "unit": "days"}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 7, "unit": "days", "lag_days": 1}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "relative", "value": 7, "unit": "days", "lagDays": 0}', '2025-06-15');
SELECT * FROM execreport.calculate_lookback_dates('{"type": "custom", "startDate": "2025-06-15", "endDate": "2025-06-15"}', '2025-06-15');
RESET execreport.data_lag_days;

-- ISO dates whatever DateStyle says
SET DateStyle = 'German, DMY';
SELECT execreport.check_lookback('{"type": "custom", "startDate": "2025-02-01", "endDate": "2025-02-03"}', '2025-06-15');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "03.02.2025", "endDate": "2025-02-03"}');
SET DateStyle = 'ISO';

-- limits
SELECT config, max_days, execreport.validate_lookback_limit(config, max_days, '2025-06-15')
  FROM (VALUES (1, '{"type": "relative", "value": 14, "unit": "months"}'::jsonb, NULL),
               (2, '{"type": "relative", "value": 15, "unit": "months"}', NULL),
               (3, '{"type": "relative", "value": 427, "unit": "days"}', NULL),
               (4, '{"type": "relative", "value": 428, "unit": "days"}', NULL),
               (5, '{"type": "relative", "value": 427, "unit": "days", "lagDays": 1}', NULL),
               (6, '{"type": "custom", "startDate": "2025-06-01", "endDate": "2025-06-15"}', NULL),
               (7, '{"type": "custom", "startDate": "2025-06-01", "endDate": "2025-06-16"}', NULL),
               (8, '{"type": "custom", "startDate": "2010-01-01", "endDate": "2010-01-31"}', NULL),
               (9, '{"type": "relative", "value": 31, "unit": "days"}', 30),
               (10, '{"type": "relative", "value": 32, "unit": "days"}', 30),
               (11, '{"type": "custom", "startDate": "2010-01-01", "endDate": "2010-01-31"}', 20000)) AS v(n, config, max_days)
 ORDER BY n;

-- what a form is told
SELECT jsonb_pretty(execreport.check_lookback('{"type": "relative", "value": 14, "unit": "days"}', '2025-06-15'));
SELECT jsonb_pretty(execreport.check_lookback('{"type": "custom", "startDate": "2010-01-01", "endDate": "2030-01-31"}', '2025-06-15') -> 'errors');
SELECT jsonb_pretty(execreport.check_lookback('{"type": "relative", "value": 0, "unit": "Days", "zone": "UTC"}', '2025-06-15') -> 'errors');
SELECT execreport.check_lookback(NULL, '2025-06-15') -> 'errors' AS errors;

-- errors
SELECT execreport.calculate_lookback_dates(NULL);
SELECT execreport.lookback_start('[7]');
SELECT execreport.lookback_start('{"type": "rolling"}');
SELECT execreport.lookback_start('{"type": "relative", "value": 7.5, "unit": "days"}');
SELECT execreport.lookback_start('{"type": "relative", "value": -7, "unit": "days"}');
SELECT execreport.lookback_start('{"type": "relative", "value": 3000000, "unit": "days"}', '2025-06-15');
SELECT execreport.lookback_start('{"type": "relative", "value": 1e30, "unit": "days"}');
SELECT execreport.lookback_start('{"type": "relative", "value": 7, "unit": "fortnights"}');
SELECT execreport.lookback_start('{"type": "relative", "unit": "days"}');
SELECT execreport.lookback_start('{"type": "relative", "value": 7, "unit": "days", "until": "now"}');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "03/04/2025", "endDate": "2025-04-30"}');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "2025-02-29", "endDate": "2025-04-30"}');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "2025-05-01", "endDate": "2025-04-30"}');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "2025-05-01", "start_date": "2025-05-02", "endDate": "2025-05-30"}');
SELECT execreport.lookback_start('{"type": "custom", "startDate": "2025-05-01", "endDate": "2025-05-30", "lagDays": 2}');
SELECT execreport.validate_lookback_limit('{}', -1);
SELECT count(*) FROM execreport.calculate_lookback_dates('{"type": "custom"}');

-- a date that is faulty in one spelling is not compared with the other
SELECT execreport.check_lookback('{"type": "custom", "startDate": "2025-02-31", "start_date": "2025-02-01", "endDate": "2025-02-03"}', '2025-06-15')
       @? '$.errors[*] ? (@.message like_regex "has both")' AS compared;
