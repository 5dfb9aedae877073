// recurrence_peers.mjs: how far npm's cron-parser and rrule agree with zoneinfo about next runs.
//
//   npm install rrule cron-parser           (in a folder of its own, with this file in it)
//   python3 recurrence_oracle.py --print | TZ=UTC node recurrence_peers.mjs
//
// Prints, for each of them, how many schedules were asked, and every disagreement, grouped by zone and kind.
import readline from 'node:readline'
import { CronExpressionParser } from 'cron-parser'
import rrule from 'rrule'

const { RRule } = rrule
const FREQUENCY = { daily: RRule.DAILY, weekly: RRule.WEEKLY, monthly: RRule.MONTHLY }
const WEEKDAYS = [RRule.MO, RRule.TU, RRule.WE, RRule.TH, RRule.FR, RRule.SA, RRule.SU]
const DAY = 86400

function byCron(config, after) {
  const [hour, minute, second = 0] = config.time.split(':').map(Number)
  if (config.interval || config.dayOfMonth < -1) return undefined
  const day = config.frequency === 'monthly' ? (config.dayOfMonth === -1 ? 'L' : config.dayOfMonth) : '*'
  const weekday = config.frequency === 'weekly' ? config.daysOfWeek.join(',') : '*'
  const cron = CronExpressionParser.parse(`${second} ${minute} ${hour} ${day} * ${weekday}`,
    { currentDate: new Date(after * 1000), tz: config.timezone })
  return cron.next().getTime() / 1000
}

function byRule(config, after) {
  const [hour, minute, second = 0] = config.time.split(':').map(Number)
  let start = config.startDate ? Date.parse(config.startDate) / 1000 : Math.floor(after / DAY) * DAY - 62 * DAY
  start += hour * 3600 + minute * 60 + second
  const rule = new RRule({
    freq: FREQUENCY[config.frequency], interval: config.interval ?? 1, dtstart: new Date(start * 1000), tzid: config.timezone,
    wkst: RRule.MO, byweekday: config.daysOfWeek?.map((day) => WEEKDAYS[day - 1]), bymonthday: config.dayOfMonth,
  })
  const next = rule.after(new Date(after * 1000))
  return next ? next.getTime() / 1000 : null
}

const peers = { 'cron-parser': byCron, rrule: byRule }
const asked = {}
const apart = {}
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { config, after, next } = JSON.parse(line)
  for (const [name, peer] of Object.entries(peers)) {
    let answer
    try {
      answer = peer(config, after)
    } catch (error) {
      answer = error.message
    }
    if (answer === undefined) continue
    asked[name] = (asked[name] ?? 0) + 1
    if (answer === next) continue
    const kind = `${name} ${config.timezone} ${typeof answer === 'number' && next ? (answer - next) / 60 + ' minutes' : answer}`
    apart[kind] ??= { count: 0, example: { config: JSON.stringify(config), after, next, answer } }
    apart[kind].count++
  }
}
console.log('asked', asked)
const totals = {}
for (const [kind, { count, example }] of Object.entries(apart).sort(([, a], [, b]) => b.count - a.count)) {
  totals[kind.split(' ')[0]] = (totals[kind.split(' ')[0]] ?? 0) + count
  console.log(count, kind, process.argv.includes('--examples') ? example : '')
}
console.log('apart', totals)
