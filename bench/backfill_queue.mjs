// backfill_queue: claim and complete by 8 workers, one by one and in batches of 100, and waking an idle worker. Beside
// graphile-worker, pg-boss and a plain SKIP LOCKED table.
//
// Every contestant starts from empty, freshly analyzed tables filled with the same number of jobs that do nothing, and
// has 8 connections. What counts is the time from the first claim to the last completion. Each job must have run once.
import pg from 'pg'
import PgBoss from 'pg-boss'
import { Logger, makeWorkerUtils, run as runGraphile } from 'graphile-worker'
import { compare, connect, heading, percentile, printSettings, printTable, time } from './harness.mjs'

const WORKERS = 8
const SINGLE = Number(process.env.ER_SINGLE ?? 4000)
const BATCHED = Number(process.env.ER_BATCHED ?? 40000)
const BATCH = 100
const database = { host: process.env.ER_SOCKET, database: process.env.ER_DB, user: 'postgres' }
const quiet = new Logger(() => () => {})

const client = await connect()
const workers = await Promise.all(Array.from({ length: WORKERS }, connect))
await printSettings(client)

const allOnce = (ids, expected) => {
  if (ids.length !== expected || new Set(ids).size !== expected) {
    throw new Error(`${ids.length} jobs ran, ${new Set(ids).size} different ones, of ${expected}`)
  }
  return expected
}
/** All workers repeat step until it does nothing any more; step returns the ids that it has done. */
const drain = async (step, expected) => {
  const ids = []
  const { ms } = await time(() => Promise.all(workers.map(async (worker, n) => {
    for (;;) {
      const done = await step(worker, n)
      if (done.length === 0) {
        if (ids.length >= expected) break
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      ids.push(...done)
    }
  })))
  return { ms, answer: allOnce(ids, expected) }
}

// ours
const workflow = (await client.query("SELECT execreport.create_workflow('bench') AS id")).rows[0].id
const fill = async (collections, days) => {
  await client.query('TRUNCATE execreport.report_data_segments, execreport.report_data_collections')
  await client.query(`SELECT execreport.start_backfill($1, '2000-01-01', date '2000-01-01' + $3::integer - 1, '{"type": "daily"}')
                        FROM generate_series(1, $2::integer)`, [workflow, collections, days])
  await client.query('VACUUM ANALYZE execreport.report_data_segments, execreport.report_data_collections')
}
const ourSingle = async (worker, n) => {
  const { rows } = await worker.query({ name: 'claim', text: 'SELECT segment_id, fencing_token FROM execreport.claim_segments($1)', values: [`w${n}`] })
  if (rows.length) {
    const done = await worker.query({ name: 'complete', text: 'SELECT execreport.complete_segment($1, $2) AS ok', values: [rows[0].segment_id, rows[0].fencing_token] })
    if (!done.rows[0].ok) throw new Error('a segment was lost')
  }
  return rows.map((row) => row.segment_id)
}
const ourBatch = async (worker, n) => {
  const { rows } = await worker.query({ name: 'claims', rowMode: 'array', values: [`w${n}`], text: `SELECT segment_id, fencing_token FROM execreport.claim_segments($1, ${BATCH})` })
  if (!rows.length) return []
  const ids = rows.map((row) => row[0])
  const done = await worker.query({ name: 'completes', text: 'SELECT cardinality(execreport.complete_segments($1, $2)) AS n', values: [ids, rows.map((row) => row[1])] })
  if (done.rows[0].n !== ids.length) throw new Error('a segment was lost')
  return ids
}
const ours = (label, step, collections, total) => ({
  label,
  run: async () => { await fill(collections, total / collections); return drain(step, total) },
})

// a plain table
await client.query(`CREATE TABLE plain (id bigserial PRIMARY KEY, ready boolean NOT NULL DEFAULT true, worker text, payload jsonb) WITH (fillfactor = 70);
                    CREATE INDEX plain_ready_idx ON plain (id) WHERE ready`)
const plain = (label, batch, total) => ({
  label,
  run: async () => {
    await client.query('TRUNCATE plain')
    await client.query(`INSERT INTO plain (payload) SELECT '{}' FROM generate_series(1, ${total})`)
    await client.query('VACUUM ANALYZE plain')
    return drain(async (worker, n) => {
      const { rows } = await worker.query({ name: `plain ${batch}`, rowMode: 'array', values: [`w${n}`],
        text: `UPDATE plain SET ready = false, worker = $1 WHERE id = ANY (ARRAY(SELECT id FROM plain WHERE ready ORDER BY id LIMIT ${batch} FOR UPDATE SKIP LOCKED)) RETURNING id, payload` })
      const ids = rows.map((row) => row[0])
      if (ids.length) await worker.query({ name: 'plain done', text: 'DELETE FROM plain WHERE id = ANY ($1)', values: [ids] })
      return ids
    }, total)
  },
})

// graphile-worker
const utilsPool = new pg.Pool(database)
utilsPool.on('error', () => {})
utilsPool.on('connect', (connection) => connection.on('error', () => {}))
const utils = await makeWorkerUtils({ pgPool: utilsPool, logger: quiet })
await utils.migrate()
const graphile = (label, worker, total) => ({
  label,
  run: async () => {
    await client.query('TRUNCATE graphile_worker._private_jobs')
    // all in one call: add_job() takes quadratic time in one transaction, a minute for 40,000 jobs
    await client.query(`SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
                          SELECT ('nothing', '{}', NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec FROM generate_series(1, ${total})))`)
    await client.query('VACUUM ANALYZE graphile_worker._private_jobs')
    const ids = []
    let finish
    const finished = new Promise((resolve) => { finish = resolve })
    let start
    const pool = new pg.Pool({ ...database, max: WORKERS + 2 })
    pool.on('error', () => {})
    pool.on('connect', (connection) => connection.on('error', () => {}))
    const runner = await runGraphile({
      pgPool: pool, noHandleSignals: true,
      preset: { worker: { concurrentJobs: WORKERS, logger: quiet, ...worker } },
      taskList: {
        nothing: (_, helpers) => {
          start ??= process.hrtime.bigint()
          ids.push(helpers.job.id)
          if (ids.length === total) finish()
        },
      },
    })
    await finished
    const ms = Number(process.hrtime.bigint() - start) / 1e6
    await runner.stop()
    await pool.end()
    return { ms, answer: allOnce(ids, total) }
  },
})

// pg-boss: its work() polls at most every half second, so we take its fetch and complete, which is its best case
const boss = new PgBoss({ ...database, max: WORKERS, supervise: false, schedule: false })
boss.on('error', (error) => { throw error })
await boss.start()
await boss.createQueue('bench')
const pgBoss = (label, batch, some, total) => ({
  label,
  run: async () => {
    await boss.purgeQueue('bench')
    await client.query('DELETE FROM pgboss.job')
    for (let i = 0; i < some; i += 5000) await boss.insert(Array.from({ length: Math.min(5000, some - i) }, () => ({ name: 'bench', data: {} })))
    await client.query('VACUUM ANALYZE pgboss.job')
    const { ms } = await drain(async () => {
      const ids = (await boss.fetch('bench', { batchSize: batch })).map((job) => job.id)
      if (ids.length) await boss.complete('bench', ids)
      return ids
    }, some)
    return { ms: ms * total / some, answer: total }
  },
})

heading(`claim and complete, ${WORKERS} workers, one by one, ${SINGLE.toLocaleString('en')} jobs`)
await compare({
  what: '40 backfills', per: SINGLE,
  ours: ours('claim_segments, complete_segment', ourSingle, 40, SINGLE),
  rivals: [{ ...graphile('graphile-worker, default', {}, SINGLE), target: 1.3 }, pgBoss(`pg-boss (${SINGLE / 10} jobs)`, 1, SINGLE / 10, SINGLE), plain('plain SKIP LOCKED table', 1, SINGLE)],
})
await compare({
  what: 'one backfill, parallel_limit 10', per: SINGLE, rounds: 3,
  ours: ours('claim_segments, complete_segment', ourSingle, 1, SINGLE),
  rivals: [graphile('graphile-worker, default', {}, SINGLE)],
})

heading(`claim and complete, ${WORKERS} workers, batches of ${BATCH}, ${BATCHED.toLocaleString('en')} jobs`)
await compare({
  what: '400 backfills, parallel_limit 10', per: BATCHED,
  ours: ours('claim_segments, complete_segments', ourBatch, 400, BATCHED),
  rivals: [{ ...graphile('graphile-worker, local queue of 500', { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }, BATCHED), target: 3 },
    pgBoss(`pg-boss, batches (${BATCHED / 4} jobs)`, BATCH, BATCHED / 4, BATCHED), { ...plain('plain SKIP LOCKED table', BATCH, BATCHED), target: 1 }],
})

heading('waking an idle worker: from the call that adds a job to the claim, 200 times')
await fill(1, 1)
const wake = []
const idle = await connect()
let heard
idle.on('notification', () => heard?.())
await idle.query('LISTEN execreport_segments')
const claimAll = () => idle.query({ name: 'claim', text: 'SELECT segment_id, fencing_token FROM execreport.claim_segments($1, 10)', values: ['idle'] })
await claimAll()
for (let i = 0; i < 220; i++) {
  await new Promise((resolve) => setTimeout(resolve, 5))
  const start = process.hrtime.bigint()
  const claimed = new Promise((resolve, reject) => {
    heard = () => claimAll().then(({ rows }) => rows.length ? resolve() : reject(new Error('woken for nothing'))).catch(reject)
  })
  await Promise.all([claimed, client.query({ name: 'start', text: "SELECT execreport.start_backfill($1, '2025-01-01', '2025-01-01')", values: [workflow] })])
  if (i >= 20) wake.push(Number(process.hrtime.bigint() - start) / 1e6)
}
const p95 = percentile(wake, 0.95)
printTable([['', 'p50', 'p95', 'max', 'target', ''],
  ['bell to claim', ...[percentile(wake, 0.5), p95, Math.max(...wake)].map((ms) => `${ms.toFixed(2)} ms`), 'p95 <= 5 ms', p95 <= 5 ? 'met' : 'NOT MET']])

await boss.stop({ graceful: false })
await utils.release()
await Promise.all([client, idle, ...workers].map((one) => one.end()))
process.exit(0)
