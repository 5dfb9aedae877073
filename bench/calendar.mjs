// calendar.mjs: lookback windows and segments beside PL/pgSQL, inlined SQL and generate_series.
//
// The PL/pgSQL rivals are the functions a team writes first, with the mistakes taken out that would change the answer
// (N days are N days, months do not drift). They check less than ours. The tuned one avoids intervals and variables.
import { compare, connect, heading, printSettings } from './harness.mjs'

const CONFIGS = 1_000_000
const WINDOWS = 10_000
const CALLS = 2_000
const client = await connect()
const one = async (text, values) => (await client.query({ text, values, name: text.length < 60 ? text : undefined, rowMode: 'array' })).rows
const run = (label, sql, more = {}) => ({ label, run: () => one(sql), ...more })

await client.query(`
CREATE FUNCTION plpgsql_lookback(config jsonb, as_of date) RETURNS TABLE (start_date date, end_date date)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    lookback_type text := config->>'type';
    value integer := (config->>'value')::integer;
    unit text := config->>'unit';
    lag integer := COALESCE((config->>'lagDays')::integer, (config->>'lag_days')::integer, 0);
BEGIN
    IF lookback_type = 'relative' THEN
        IF value IS NULL OR value < 1 THEN
            RAISE EXCEPTION 'value must be positive';
        END IF;
        end_date := as_of - lag;
        CASE unit
            WHEN 'days' THEN start_date := end_date + 1 - (value || ' days')::interval;
            WHEN 'weeks' THEN start_date := end_date + 1 - (value || ' weeks')::interval;
            WHEN 'months' THEN start_date := end_date + 1 - (value || ' months')::interval;
            ELSE RAISE EXCEPTION 'unknown unit %', unit;
        END CASE;
    ELSIF lookback_type = 'custom' THEN
        start_date := COALESCE(config->>'startDate', config->>'start_date')::date;
        end_date := COALESCE(config->>'endDate', config->>'end_date')::date;
        IF start_date IS NULL OR end_date IS NULL OR start_date > end_date THEN
            RAISE EXCEPTION 'dates are missing or reversed';
        END IF;
    ELSE
        RAISE EXCEPTION 'unknown type %', lookback_type;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION plpgsql_tuned_lookback(config jsonb, as_of date) RETURNS TABLE (start_date date, end_date date)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    IF config->>'type' = 'relative' THEN
        end_date := as_of - COALESCE((config->>'lagDays')::integer, (config->>'lag_days')::integer, 0);
        CASE config->>'unit'
            WHEN 'days' THEN start_date := end_date + 1 - (config->>'value')::integer;
            WHEN 'weeks' THEN start_date := end_date + 1 - (config->>'value')::integer * 7;
            WHEN 'months' THEN start_date := (end_date + 1 - ((config->>'value') || ' months')::interval)::date;
            ELSE RAISE EXCEPTION 'unknown unit %', config->>'unit';
        END CASE;
        IF (config->>'value')::integer < 1 THEN
            RAISE EXCEPTION 'value must be positive';
        END IF;
    ELSIF config->>'type' = 'custom' THEN
        start_date := COALESCE(config->>'startDate', config->>'start_date')::date;
        end_date := COALESCE(config->>'endDate', config->>'end_date')::date;
        IF start_date IS NULL OR end_date IS NULL OR start_date > end_date THEN
            RAISE EXCEPTION 'dates are missing or reversed';
        END IF;
    ELSE
        RAISE EXCEPTION 'unknown type %', config->>'type';
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION sql_lookback(config jsonb, as_of date) RETURNS TABLE (start_date date, end_date date)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE config->>'type' WHEN 'custom' THEN (config->>'startDate')::date ELSE
             CASE config->>'unit'
               WHEN 'days' THEN as_of - COALESCE((config->>'lagDays')::integer, 0) + 1 - (config->>'value')::integer
               WHEN 'weeks' THEN as_of - COALESCE((config->>'lagDays')::integer, 0) + 1 - (config->>'value')::integer * 7
               WHEN 'months' THEN (as_of - COALESCE((config->>'lagDays')::integer, 0) + 1
                                   - make_interval(months => (config->>'value')::integer))::date
             END END,
           CASE config->>'type' WHEN 'custom' THEN (config->>'endDate')::date
             ELSE as_of - COALESCE((config->>'lagDays')::integer, 0) END;
END;

CREATE FUNCTION plpgsql_segments(first date, last date, kind text)
RETURNS TABLE (segment_start date, segment_end date, segment_number integer)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    step interval := CASE kind WHEN 'monthly' THEN interval '1 month' WHEN 'quarterly' THEN interval '3 months' END;
    days integer := CASE kind WHEN 'daily' THEN 1 WHEN 'weekly' THEN 7 END;
    next_start date;
BEGIN
    segment_number := 1;
    segment_start := first;
    WHILE segment_start <= last LOOP
        IF days IS NOT NULL THEN
            next_start := first + segment_number * days;
        ELSE
            next_start := (first + segment_number * step)::date;
        END IF;
        segment_end := LEAST(next_start - 1, last);
        RETURN NEXT;
        segment_start := next_start;
        segment_number := segment_number + 1;
    END LOOP;
END $$;

CREATE TABLE configs AS
SELECT CASE WHEN i % 10 < 7
            THEN jsonb_build_object('type', 'relative', 'value', 1 + i % 30, 'unit', (ARRAY['days', 'weeks', 'months'])[1 + i % 3])
            ELSE jsonb_build_object('type', 'custom', 'startDate', date '2024-01-01' + i % 300, 'endDate', date '2024-01-01' + i % 300 + i % 50)
       END AS config, date '2024-01-01' + i % 300 AS a, date '2024-03-01' + i % 300 AS b
  FROM generate_series(1, ${CONFIGS}) AS i;
CREATE TABLE windows AS
SELECT date '2023-06-01' + i % 500 AS first, date '2023-06-01' + i % 500 + 364 AS last FROM generate_series(1, ${WINDOWS}) AS i;
`)
await client.query('VACUUM ANALYZE configs')
await client.query('VACUUM ANALYZE windows')
await client.query('SET enable_memoize = off') // the configurations repeat; calls are what is measured
await printSettings(client)

heading(`lookback, ${CONFIGS.toLocaleString('en')} configurations, 70 % relative`)
const day = "date '2025-06-15'"
const sums = (a, b) => `sum(${a} - date '2000-01-01')${b ? `, sum(${b} - date '2000-01-01')` : ''}`
const lateral = (f, b) => `SELECT ${sums('d.start_date', b && 'd.end_date')} FROM configs, ${f}(config, ${day}) AS d`
const sums1 = `SELECT ${sums('a')} FROM configs`
const sums2 = `SELECT ${sums('a', 'b')} FROM configs`

await compare({
  what: 'lookback_start', per: CONFIGS, net: run('the scan', sums1),
  ours: run('lookback_start', `SELECT ${sums(`execreport.lookback_start(config, ${day})`)} FROM configs`),
  rivals: [run('PL/pgSQL', lateral('plpgsql_lookback'), { target: 40 }), run('PL/pgSQL, tuned', lateral('plpgsql_tuned_lookback')),
    run('inlined SQL', lateral('sql_lookback'))],
})
await compare({
  what: 'lookback_end', per: CONFIGS, net: run('the scan', sums1),
  ours: run('lookback_end', `SELECT ${sums(`execreport.lookback_end(config, ${day})`)} FROM configs`),
  rivals: [run('PL/pgSQL', lateral('plpgsql_lookback').replace('d.start_date', 'd.end_date'), { target: 40 }),
    run('PL/pgSQL, tuned', lateral('plpgsql_tuned_lookback').replace('d.start_date', 'd.end_date')),
    run('inlined SQL', lateral('sql_lookback').replace('d.start_date', 'd.end_date'))],
})
const listed = (f) => `SELECT ${sums('(d).start_date', '(d).end_date')} FROM (SELECT ${f}(config, ${day}) AS d FROM configs OFFSET 0) AS t`
await compare({
  what: 'both dates in the target list', per: CONFIGS, net: run('the scan', sums2),
  ours: run('lookback_window', listed('execreport.lookback_window')),
  rivals: [run('PL/pgSQL in LATERAL', lateral('plpgsql_lookback', true), { target: 18 }),
    run('PL/pgSQL, tuned, in LATERAL', lateral('plpgsql_tuned_lookback', true)),
    run('PL/pgSQL in the target list', listed('plpgsql_lookback')), run('inlined SQL', lateral('sql_lookback', true))],
})
await compare({
  what: 'both dates in LATERAL', per: CONFIGS, net: run('the scan', sums2),
  ours: run('calculate_lookback_dates', lateral('execreport.calculate_lookback_dates', true)),
  rivals: [run('PL/pgSQL', lateral('plpgsql_lookback', true), { target: 6 }),
    run('PL/pgSQL, tuned', lateral('plpgsql_tuned_lookback', true)), run('inlined SQL', lateral('sql_lookback', true), { target: 1 })],
})

heading('segments of 365 days')
const repeat = (sql) => async () => {
  let rows
  for (let i = 0; i < CALLS; i++) rows = (await client.query({ text: sql, name: sql.slice(7, 40), rowMode: 'array' })).rows
  return rows
}
const whole = (f) => `SELECT sum(s.segment_number), min(s.segment_start), max(s.segment_end) FROM ${f}`
await compare({
  what: `one call, daily, ${CALLS} times`, per: CALLS, net: { label: 'the round trip', run: repeat('SELECT 1') },
  ours: { label: 'calculate_segmentation_intervals', run: repeat(whole("execreport.calculate_segmentation_intervals('2024-06-15', '2025-06-14', 'daily') AS s").replace('SELECT', 'SELECT /* ours */')) },
  rivals: [
    { label: 'PL/pgSQL loop', run: repeat(whole("plpgsql_segments('2024-06-15', '2025-06-14', 'daily') AS s").replace('SELECT', 'SELECT /* loop */')), target: 2.3 },
    { label: 'generate_series', run: repeat(whole("(SELECT g AS segment_number, date '2024-06-14' + g AS segment_start, date '2024-06-14' + g AS segment_end FROM generate_series(1, 365) AS g) AS s").replace('SELECT', 'SELECT /* series */')) },
  ],
})
const rows = (f) => `SELECT sum(s.segment_number), ${sums('s.segment_start', 's.segment_end')} FROM windows, LATERAL ${f} AS s`
const ROWS = WINDOWS * 365
await compare({
  what: `rows, daily, ${WINDOWS.toLocaleString('en')} windows`, per: ROWS,
  ours: run('calculate_segmentation_intervals', rows("execreport.calculate_segmentation_intervals(first, last, 'daily')")),
  rivals: [run('PL/pgSQL loop', rows("plpgsql_segments(first, last, 'daily')")),
    run('generate_series', rows('(SELECT g AS segment_number, first + g - 1 AS segment_start, first + g - 1 AS segment_end FROM generate_series(1, last - first + 1) AS g)'),
      { target: 0.95 })],
})
for (const kind of ['weekly', 'monthly']) {
  await compare({
    what: `rows, ${kind}, ${WINDOWS.toLocaleString('en')} windows`,
    ours: run('calculate_segmentation_intervals', rows(`execreport.calculate_segmentation_intervals(first, last, '${kind}')`)),
    rivals: [run('PL/pgSQL loop', rows(`plpgsql_segments(first, last, '${kind}')`))],
  })
}
await compare({
  what: `date[] of 365 days, ${WINDOWS.toLocaleString('en')} windows`, per: ROWS,
  ours: run('segment_starts', "SELECT sum(cardinality(a)), max(a[365]) FROM (SELECT execreport.segment_starts(first, last, 'daily') AS a FROM windows OFFSET 0) AS t"),
  rivals: [run('PL/pgSQL loop', "SELECT sum(cardinality(a)), max(a[365]) FROM (SELECT (SELECT array_agg(segment_start) FROM plpgsql_segments(first, last, 'daily')) AS a FROM windows OFFSET 0) AS t", { target: 80 }),
    run('generate_series', 'SELECT sum(cardinality(a)), max(a[365]) FROM (SELECT ARRAY(SELECT first + g FROM generate_series(0, last - first) AS g) AS a FROM windows OFFSET 0) AS t')],
})
await compare({
  what: `count, daily, ${WINDOWS.toLocaleString('en')} windows`, per: WINDOWS,
  ours: run('segment_count', "SELECT sum(execreport.segment_count(first, last, 'daily')) FROM windows"),
  rivals: [run('PL/pgSQL loop', "SELECT count(*) FROM windows, plpgsql_segments(first, last, 'daily')", { target: 80 })],
})
await compare({
  what: `segment 100, daily, ${WINDOWS.toLocaleString('en')} windows`, per: WINDOWS,
  ours: run('segment_at', `SELECT ${sums('(s).segment_start', '(s).segment_end')} FROM (SELECT execreport.segment_at(first, last, 'daily', 100) AS s FROM windows OFFSET 0) AS t`),
  rivals: [run('PL/pgSQL loop', rows("(SELECT * FROM plpgsql_segments(first, last, 'daily') AS p WHERE p.segment_number = 100)").replace('sum(s.segment_number), ', ''), { target: 80 })],
})
await client.end()
