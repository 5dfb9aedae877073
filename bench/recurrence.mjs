// recurrence.mjs: next runs beside npm's cron-parser and rrule in process.
//
// The rivals get their rules ready made as objects or strings, ours parses jsonb from a table. Instants lie in January,
// February, June and July, where no zone here changes its clock, since rrule is wrong by the change near one (see
// docs/recurrence.md). rrule begins its rule the day before, its best case. The rivals take minutes for all instants,
// so they do every tenth and their time is taken times ten; the answers to those are compared.
import { createRequire } from 'node:module'
import { CronExpressionParser } from 'cron-parser'
import { compare, connect, heading, printSettings, time } from './harness.mjs'

process.env.TZ = 'UTC' // rrule computes with the process's own zone
const { RRule } = createRequire(import.meta.url)('rrule')
const CALLS = 100_000
const SHARE = 10
const ZONES = ['America/New_York', 'Europe/London', 'Europe/Lisbon', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca',
  'Asia/Kathmandu', 'Pacific/Chatham', 'America/Los_Angeles', 'UTC']
const WEEKDAYS = [RRule.MO, RRule.TU, RRule.WE, RRule.TH, RRule.FR, RRule.SA, RRule.SU]
const client = await connect()

await client.query(`CREATE TABLE schedules AS
  SELECT i, to_timestamp(extract(epoch FROM make_date(2016 + i % 8, (ARRAY[1, 2, 6, 7])[1 + i / 7 % 4], 1 + i % 25)) + i * 7919 % 86400) AS after,
         jsonb_build_object('timezone', ($1::text[])[1 + i % ${ZONES.length}], 'time', to_char(make_interval(mins => i * 37 % 1440), 'HH24:MI'))
         || CASE i % 3 WHEN 0 THEN jsonb_build_object('frequency', 'daily')
                       WHEN 1 THEN jsonb_build_object('frequency', 'weekly', 'daysOfWeek', ('[[1,3,5],[2],[6,7]]'::jsonb) -> i / 3 % 3)
                       ELSE jsonb_build_object('frequency', 'monthly', 'dayOfMonth', 1 + i / 3 % 26) END AS config
    FROM generate_series(1, ${CALLS}) AS i`.replace('$1::text[]', `'{${ZONES.join(',')}}'::text[]`))
await client.query('VACUUM ANALYZE schedules')
await printSettings(client)

const { rows } = await client.query('SELECT config, extract(epoch FROM after)::float8 AS after FROM schedules ORDER BY i')
const sample = rows.filter((_, i) => i % SHARE === 0).map(({ config, after }) => {
  const [hour, minute] = config.time.split(':').map(Number)
  const day = config.dayOfMonth ?? '*'
  const start = (Math.floor(after / 86400) - 1) * 86400 + hour * 3600 + minute * 60
  return {
    after: new Date(after * 1000),
    tz: config.timezone,
    cron: `0 ${minute} ${hour} ${day} * ${config.daysOfWeek?.join(',') ?? '*'}`,
    rule: {
      freq: { daily: RRule.DAILY, weekly: RRule.WEEKLY, monthly: RRule.MONTHLY }[config.frequency], dtstart: new Date(start * 1000),
      tzid: config.timezone, byweekday: config.daysOfWeek?.map((d) => WEEKDAYS[d - 1]), bymonthday: config.dayOfMonth,
    },
  }
})
const scaled = async (fn) => {
  const { ms, answer } = await time(async () => sample.map(fn))
  return { ms: ms * SHARE, answer }
}

heading(`recurrence, ${CALLS.toLocaleString('en')} schedules in ${ZONES.length} zones; daily, weekly and monthly`)
await compare({
  what: 'next run', per: CALLS, rounds: 5,
  ours: {
    label: 'next_run',
    run: async () => {
      const { ms } = await time(() => client.query('SELECT sum(extract(epoch FROM execreport.next_run(config, after))) FROM schedules'))
      const own = await client.query(`SELECT extract(epoch FROM execreport.next_run(config, after))::float8 AS run FROM schedules WHERE (i - 1) % ${SHARE} = 0 ORDER BY i`)
      return { ms, answer: own.rows.map((row) => row.run) }
    },
  },
  rivals: [
    { label: 'cron-parser', target: 20, run: () => scaled((s) => CronExpressionParser.parse(s.cron, { currentDate: s.after, tz: s.tz }).next().getTime() / 1000) },
    { label: 'rrule', target: 20, run: () => scaled((s) => new RRule(s.rule).after(s.after).getTime() / 1000) },
  ],
})
await client.end()
