// harness.mjs: what every benchmark shares.
//
// A rival and ours run in turn (A B A B …) in one process against one server, after a warm-up, and the figure that
// counts is the ratio of each pair. Every rival must give the same answer as ours, or the run stops.
import pg from 'pg'
import { isDeepStrictEqual } from 'node:util'

pg.types.setTypeParser(20, Number) // bigint

/** A connection to the private server of this run. */
export async function connect() {
  const client = new pg.Client({ host: process.env.ER_SOCKET, database: process.env.ER_DB, user: 'postgres' })
  await client.connect()
  return client
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)]
}

/** Milliseconds that fn takes, and what it answers. */
export async function time(fn) {
  const start = process.hrtime.bigint()
  const answer = await fn()
  return { ms: Number(process.hrtime.bigint() - start) / 1e6, answer }
}

export function heading(text) {
  console.log(`\n## ${text}\n`)
}

/** What the figures were taken with. */
export async function printSettings(client) {
  const { rows } = await client.query(`
    SELECT string_agg(name || '=' || current_setting(name), ', ' ORDER BY name) AS settings
      FROM unnest(ARRAY['server_version', 'shared_buffers', 'work_mem', 'jit', 'fsync', 'synchronous_commit',
                        'max_parallel_workers_per_gather', 'default_toast_compression']) AS name`)
  console.log(rows[0].settings)
}

/**
 * Runs all contestants in turn and prints a table of ratios.
 *
 * what      one line: the work and its size
 * ours      { label, run }
 * rivals    [{ label, run, target, floor, answer }]   target: the least ratio rival / ours that is wanted; with
 *           floor: true the rival is the least work possible and target is the greatest ratio ours / floor;
 *           answer: false when it computes less than ours by design (floors only)
 * net       { run }: work to subtract from each measurement of its round, such as the bare scan
 * per, unit show figures divided by `per` (number of calls, rows …) in ns
 * same      compares two answers; deep equality by default
 * run       an async function; what it returns is the answer. It may return { ms, answer } when it times itself.
 */
export async function compare({ what, ours, rivals, net, rounds = 5, warmup = 1, per, same = isDeepStrictEqual }) {
  const all = [ours, ...rivals]
  const times = all.map(() => [])
  const measure = async (one) => {
    const timed = await time(one.run)
    return timed.answer && typeof timed.answer === 'object' && 'ms' in timed.answer && 'answer' in timed.answer
      ? timed.answer : timed
  }

  for (let round = -warmup; round < rounds; round++) {
    const base = net ? (await measure(net)).ms : 0
    let expected
    for (const [i, one] of all.entries()) {
      const { ms, answer } = await measure(one)
      if (i === 0) expected = answer
      else if (one.answer !== false && !same(expected, answer)) {
        throw new Error(`${what}: "${one.label}" answers differently from "${ours.label}"\n` +
          `${JSON.stringify(expected)?.slice(0, 400)}\n${JSON.stringify(answer)?.slice(0, 400)}`)
      }
      if (round >= 0) times[i].push(Math.max(ms - base, 1e-6))
    }
  }

  const show = (ms) => per ? `${(ms * 1e6 / per).toFixed(1)} ns` : ms < 10 ? `${ms.toFixed(3)} ms` : `${ms.toFixed(1)} ms`
  console.log(`\n${what} (${rounds} rounds${net ? ', net of ' + (net.label ?? 'the scan') : ''})`)
  const rows = [['', 'median', 'ratio', 'target', '']]
  rows.push([ours.label, show(median(times[0])), '', '', ''])
  const result = { what, ours: median(times[0]), ratios: {} }
  rivals.forEach((rival, i) => {
    const pairs = times[i + 1].map((ms, round) => rival.floor ? times[0][round] / ms : ms / times[0][round])
    const ratio = median(pairs)
    const met = rival.target === undefined ? '' : (rival.floor ? ratio <= rival.target : ratio >= rival.target) ? 'met' : 'NOT MET'
    rows.push([rival.label, show(median(times[i + 1])),
      rival.floor ? `${ratio.toFixed(2)} x the floor` : `${ratio.toFixed(2)} x`,
      rival.target === undefined ? '' : `${rival.floor ? '<=' : '>='} ${rival.target}`, met])
    result.ratios[rival.label] = ratio
  })
  printTable(rows)
  return result
}

/** Rows of strings, the first one the heading, in aligned columns. */
export function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)))
  for (const row of rows) {
    console.log(('  ' + row.map((cell, column) => column === 0 ? String(cell ?? '').padEnd(widths[0])
      : String(cell ?? '').padStart(widths[column])).join('  ')).trimEnd())
  }
}
