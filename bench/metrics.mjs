// metrics.mjs: what a record costs in a hot function, beside no metrics at all.
//
// Two clients run the same query at once, on one series and on a series each. The figure is the time of the query with
// the record less that without it, divided by the number of records: wall clock, so waiting for the other counts.
import { moduleOutput } from './data/documents.mjs'
import { connect, heading, median, printSettings, printTable, time } from './harness.mjs'

const RECORDS = 1_000_000
const ROUNDS = 7
const REPORTS = 2000
const clients = [await connect(), await connect()]
const client = clients[0]

// the hot function is one that does next to nothing, in SQL and inlined: the record stands out most
const query = (expression) => `SELECT count(${expression}) FROM generate_series(1, ${RECORDS}) AS i WHERE i > 0`
const counter = (module) =>
  `execreport._metric_add(1, 'exec_reports_created_total', '{"module_id": "${module}", "success": "true"}')`
const histogram = (module) =>
  `execreport._metric_observe(1, 'report_generation_duration_seconds', '{"type": "exec", "module_id": "${module}"}', (i & 63)::float8)`

/** Nanoseconds that each of the contestants takes more than its counterpart, median of the pairs. */
async function cost(contestants) {
  const samples = contestants.map(() => [])
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, { with: ours, without, records = RECORDS }] of contestants.entries()) {
      const base = (await time(without)).ms
      const { ms } = await time(ours)
      if (round >= 0) samples[i].push((ms - base) * 1e6 / records)
    }
  }
  return samples.map(median)
}
const both = (texts) => () => Promise.all(clients.map((c, i) => c.query(texts[i])))
const row = (label, ns, target) => [label, `${ns.toFixed(1)} ns`, `<= ${target} ns`, ns <= target ? 'met' : 'NOT MET']

await printSettings(client)
heading(`a record in a hot function, ${RECORDS.toLocaleString('en')} each`)
const bare = [query('i'), query('i')]
const bareHistogram = [query('(i & 63)::float8'), query('(i & 63)::float8')]
const records = await cost([
  { with: () => client.query(query(counter('a'))), without: () => client.query(bare[0]) },
  { with: () => client.query(query(histogram('a'))), without: () => client.query(bareHistogram[0]) },
  { with: both([query(counter('a')), query(counter('b'))]), without: both(bare) },
  { with: both([query(histogram('a')), query(histogram('b'))]), without: both(bareHistogram) },
  { with: both([query(counter('a')), query(counter('a'))]), without: both(bare) },
  { with: both([query(histogram('a')), query(histogram('a'))]), without: both(bareHistogram) },
])
printTable([['more than no metrics at all', 'median', 'target', ''],
  row('counter, 1 client', records[0], 100), row('histogram, 1 client', records[1], 100),
  row('counter, 2 clients, a series each', records[2], 100), row('histogram, 2 clients, a series each', records[3], 100),
  row('counter, 2 clients, one series', records[4], 100), row('histogram, 2 clients, one series', records[5], 100)])

// nothing may be lost on the way: every record of every run, the warm-up's too
const expected = (ROUNDS + 1) * RECORDS
const { rows: sums } = await client.query(`
  SELECT name, sum(value)::float8 AS total FROM execreport.metrics_rows()
   WHERE name IN ('exec_reports_created_total', 'report_generation_duration_seconds_count') GROUP BY name`)
for (const { name, total } of sums) if (total !== 5 * expected) throw new Error(`${name} is ${total}, not ${5 * expected}`)
console.log(`\nall ${(10 * expected).toLocaleString('en')} records are there`)

heading('an attempt, beside the creation of a report')
await client.query('SELECT execreport.update_flags(1, \'{"execReportsEnabled": true}\', \'bench\')')
await client.query('SELECT execreport.save_configuration(1, \'{"brand": {"name": "Acme"}}\')')
const create = () => client.query(
  `SELECT count(execreport.create_exec_report(1, 'keyword-gap', $1::jsonb)) FROM generate_series(1, ${REPORTS})`,
  [JSON.stringify(moduleOutput(24, 1))])
const attempts = `SELECT count(execreport._attempt_begin('exec', 'keyword-gap')), count(execreport._attempt_end())
                    FROM generate_series(1, ${RECORDS}) AS i WHERE i > 0`
const [attempt, creation] = await cost([
  { with: () => client.query(attempts), without: () => client.query(bare[0]) },
  { with: create, without: async () => {}, records: REPORTS },
])
const share = 100 * attempt / creation
printTable([['', 'median', 'target', ''],
  ['a report of 9.6 KB created', `${(creation / 1000).toFixed(1)} us`, '', ''],
  ['attempt: success and duration', `${attempt.toFixed(1)} ns`, '', ''],
  ['share of the creation', `${share.toFixed(2)} %`, '<= 1 %', share <= 1 ? 'met' : 'NOT MET']])
await Promise.all(clients.map((c) => c.end()))
