-- segmentation: what a person sees; the many cases are in test/pgtap/segmentation.sql
SET DateStyle = 'ISO';
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-03', 'daily');
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-16', 'weekly');
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-16', 'weekly', 'calendar');
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-31', '2025-06-30', 'monthly');
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-31', '2025-04-15', 'monthly', 'calendar');
SELECT * FROM execreport.calculate_segmentation_intervals('2024-11-30', '2025-06-30', 'quarterly');
SELECT * FROM execreport.calculate_segmentation_intervals('2024-11-30', '2025-06-30', 'quarterly', 'calendar');
SELECT * FROM execreport.calculate_segmentation_intervals('2025-01-31', '2025-01-31', 'quarterly');
SELECT execreport.segment_starts('2025-01-31', '2025-06-30', 'monthly'),
       execreport.segment_count('2025-01-31', '2025-06-30', 'monthly'),
       execreport.segment_at('2025-01-31', '2025-06-30', 'monthly', 2);
SELECT * FROM execreport.segment_at('2025-01-01', '2025-01-16', 'weekly', 3, 'calendar');
SELECT * FROM execreport.lookback_segments('{"type": "relative", "value": 30, "unit": "days"}', '{}', '2025-06-15');
SELECT * FROM execreport.lookback_segments('{"type": "relative", "value": 2, "unit": "months"}',
                                           '{"type": "monthly", "align": "calendar", "parallel_limit": 10, "retry_failed": true}', '2025-06-15');
SELECT max(segment_end) = current_date AS until_today FROM execreport.lookback_segments('{}', '{}');

-- as rows of a target list, with a limit, and beside each other
SELECT execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-03', 'daily'),
       execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-10', 'weekly');
SELECT array_agg(s ORDER BY (s).segment_number)
  FROM (SELECT execreport.calculate_segmentation_intervals('2025-01-01', '2025-01-03', 'daily') AS s OFFSET 0) AS t;
SELECT s.segment_number FROM execreport.calculate_segmentation_intervals('2025-01-01', '2025-12-31', 'daily') AS s LIMIT 2;
SELECT (SELECT s.segment_start FROM execreport.calculate_segmentation_intervals(day, '2025-12-31', 'daily') AS s LIMIT 1)
  FROM unnest(ARRAY[date '2025-01-01', '2025-02-01']) AS day;

-- errors
SELECT execreport.segment_count(NULL, '2025-01-31', 'daily');
SELECT execreport.segment_count('2025-01-01', 'infinity', 'daily');
SELECT execreport.segment_count('2025-02-01', '2025-01-31', 'daily');
SELECT execreport.segment_count('2025-01-01', '2025-01-31', 'hourly');
SELECT execreport.segment_count('2025-01-01', '2025-01-31', NULL);
SELECT execreport.segment_count('2025-01-01', '2025-01-31', 'daily', 'sunday');
SELECT execreport.segment_at('2025-01-01', '2025-01-31', 'weekly', 6);
SELECT execreport.segment_starts('4714-11-24 BC', '5874897-12-31', 'daily');
SELECT * FROM execreport.lookback_segments('{}', NULL);
SELECT * FROM execreport.lookback_segments('{}', '"weekly"');
SELECT * FROM execreport.lookback_segments('{}', '{"type": "hourly"}');
SELECT * FROM execreport.lookback_segments('{}', '{"align": null}');
SELECT * FROM execreport.lookback_segments('{}', '{"parallel_limit": 11}');
SELECT * FROM execreport.lookback_segments('{}', '{"retry_failed": "yes"}');
SELECT * FROM execreport.lookback_segments('{}', '{"size": 7}');
SELECT * FROM execreport.lookback_segments('{}', '{"parallel_limit": 5, "parallelLimit": 6}');
SELECT * FROM execreport.lookback_segments('{"type": "relative"}', '{}');

-- a cancel is obeyed, in rows and in arrays
SET statement_timeout = '50ms';
SELECT count(*) FROM execreport.calculate_segmentation_intervals('4714-11-24 BC', '5874897-12-31', 'daily');
SELECT count(s) FROM (SELECT execreport.calculate_segmentation_intervals('4714-11-24 BC', '5874897-12-31', 'daily') AS s OFFSET 0) AS t;
SELECT cardinality(execreport.segment_starts('4714-11-24 BC', '5874897-12-31', 'monthly'));
RESET statement_timeout;
