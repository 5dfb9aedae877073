// flags.mjs: flag lookups beside functions over a table, joins, and flags inside a Node process.
//
// The rivals know one table of overrides, ours knows kill switches, users and the setting as well.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Unleash } from 'unleash-client'
import { compare, connect, heading, median, percentile, printSettings, printTable } from './harness.mjs'

const TENANTS = 1000
const FLAGS = 20
const CALLS = 1_000_000
const GUARDS = 200_000
const USERS = 100_000
const client = await connect()
const one = async (text) => (await client.query({ text, rowMode: 'array' })).rows
const run = (label, sql, more = {}) => ({ label, run: () => one(sql), ...more })

for (const sql of [
  `INSERT INTO execreport.flags (key, refusal, description)
   SELECT 'feature' || n || 'Enabled', 'off', 'bench' FROM generate_series(1, ${FLAGS} - 6) AS n`,
  `INSERT INTO execreport._tenants (tenant_id) SELECT generate_series(2, ${TENANTS})`,
  `INSERT INTO execreport.flag_overrides (tenant_id, flag, enabled)
   SELECT t, f.key, (t * 7 + length(f.key) * 13) % 3 = 0 FROM generate_series(1, ${TENANTS}) AS t, execreport.flags AS f`,
  "SELECT execreport._announce_change('execreport.flags')",
  `CREATE TABLE overrides (tenant_id integer, flag text, enabled boolean NOT NULL, PRIMARY KEY (tenant_id, flag))`,
  'INSERT INTO overrides SELECT tenant_id, flag, enabled FROM execreport.flag_overrides',
  `CREATE TABLE calls AS
   SELECT 1 + (n * 7919 % ${TENANTS})::integer AS tenant_id, keys.a[1 + n % ${FLAGS}] AS flag
     FROM generate_series(1, ${CALLS}::bigint) AS n, (SELECT array_agg(key ORDER BY key) AS a FROM execreport.flags) AS keys`,
  'VACUUM ANALYZE calls', 'VACUUM ANALYZE overrides', 'VACUUM ANALYZE execreport.flag_overrides',
  `CREATE FUNCTION plpgsql_enabled(tenant integer, flag text) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
   DECLARE answer boolean;
   BEGIN
       SELECT o.enabled INTO answer FROM overrides AS o WHERE o.tenant_id = tenant AND o.flag = plpgsql_enabled.flag;
       RETURN coalesce(answer, false);
   END $$`,
  `CREATE FUNCTION sql_enabled(tenant integer, flag text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
   BEGIN ATOMIC
       SELECT coalesce((SELECT o.enabled FROM overrides AS o WHERE o.tenant_id = tenant AND o.flag = sql_enabled.flag), false);
   END`,
  ...[['c', 'execreport.is_flag_enabled'], ['plpgsql', 'plpgsql_enabled'], ['sql', 'sql_enabled'], ['empty', '']].map(([name, f]) =>
    `CREATE FUNCTION guard_${name}(calls integer) RETURNS integer LANGUAGE plpgsql AS $$
     DECLARE n integer := 0; answer boolean; keys text[] := (SELECT array_agg(key ORDER BY key) FROM execreport.flags);
     BEGIN
         FOR i IN 1..calls LOOP
             answer := ${f}${f ? `(1 + i % ${TENANTS}, keys[1 + i % ${FLAGS}])` : `1 + i % ${TENANTS} > 0 AND keys[1 + i % ${FLAGS}] <> ''`};
             n := n + answer::integer;
         END LOOP;
         RETURN n;
     END $$`),
  `CREATE FUNCTION first_call(tenant integer) RETURNS float LANGUAGE plpgsql AS $$
   DECLARE start timestamptz := clock_timestamp();
   BEGIN
       PERFORM execreport.is_flag_enabled(tenant, 'reportsUiEnabled');
       RETURN extract(epoch FROM clock_timestamp() - start) * 1e6;
   END $$`,
]) await client.query(sql)
await printSettings(client)
console.log(`${TENANTS} tenants x ${FLAGS} flags = ${TENANTS * FLAGS} overrides`)

heading(`${CALLS.toLocaleString('en')} lookups in one query`)
const counted = (f) => `SELECT count(*) FROM calls WHERE ${f}`
const scan = run('the scan', counted("tenant_id > 0 AND flag <> ''"))
await compare({
  what: 'is_flag_enabled(tenant_id, flag)', per: CALLS, net: scan,
  ours: run('is_flag_enabled', counted('execreport.is_flag_enabled(tenant_id, flag)')),
  rivals: [
    run('PL/pgSQL function', counted('plpgsql_enabled(tenant_id, flag)'), { target: 80 }),
    run('SQL function', counted('sql_enabled(tenant_id, flag)')),
    run('correlated subquery', counted('(SELECT o.enabled FROM overrides AS o WHERE o.tenant_id = calls.tenant_id AND o.flag = calls.flag)')),
    run('hash join', 'SELECT count(*) FROM calls JOIN overrides USING (tenant_id, flag) WHERE enabled', { target: 2 }),
  ],
})
await compare({
  what: 'with a user who has no override', per: CALLS, net: scan,
  ours: run('is_flag_enabled, user', counted("execreport.is_flag_enabled(tenant_id, flag, 'ana@example.com')")),
  rivals: [run('is_flag_enabled', counted('execreport.is_flag_enabled(tenant_id, flag)'))],
})

heading('flags inside a Node process, the calls already there')
const overrides = (await client.query('SELECT tenant_id, flag, enabled FROM overrides')).rows
const calls = (await client.query('SELECT tenant_id, flag FROM calls')).rows
const map = new Map()
for (const { tenant_id: tenant, flag, enabled } of overrides) {
  if (!map.has(tenant)) map.set(tenant, new Map())
  map.get(tenant).set(flag, enabled)
}
const features = [...new Set(overrides.map((o) => o.flag))].map((name) => ({
  name, enabled: true, type: 'release', stale: false, variants: [], strategies: [{
    name: 'default', parameters: {}, constraints: [{
      contextName: 'tenantId', operator: 'IN', values: overrides.filter((o) => o.flag === name && o.enabled).map((o) => String(o.tenant_id)),
    }],
  }],
}))
const unleash = new Unleash({
  url: 'http://127.0.0.1:9/', appName: 'bench', disableMetrics: true, refreshInterval: 0, skipInstanceCountWarning: true,
  bootstrap: { data: features }, storageProvider: { set: async () => {}, get: async () => undefined },
})
unleash.on('error', () => {}).on('warn', () => {})
await new Promise((resolve) => unleash.isSynchronized() ? resolve() : unleash.once('synchronized', resolve))
const loop = (label, ask, n = CALLS) => ({
  label, run: async () => {
    let on = 0
    for (let i = 0; i < n; i++) if (ask(calls[i])) on++
    return [[on]]
  },
})
await compare({
  what: 'a Map of Maps', per: CALLS,
  ours: run('is_flag_enabled, scan included', counted('execreport.is_flag_enabled(tenant_id, flag)')),
  rivals: [loop('Map, in process', (c) => map.get(c.tenant_id).get(c.flag))],
})
const FEW = 20_000
await compare({
  what: `unleash-client, tenants by constraint, ${FEW.toLocaleString('en')} lookups`, per: FEW,
  ours: run('is_flag_enabled, scan included', `SELECT count(*) FROM (SELECT * FROM calls LIMIT ${FEW}) AS c WHERE execreport.is_flag_enabled(tenant_id, flag)`),
  rivals: [loop('unleash-client, in process', (c) => unleash.isEnabled(c.flag, { properties: { tenantId: String(c.tenant_id) } }), FEW)],
})
unleash.destroy()

heading('rules')
// the same definitions for both: a percentage by user, one by tenant, constraints and a percentage, weighted variants
const constraint = (contextName, operator, more) => ({ contextName, operator, ...more })
const rules = {
  benchUsers: { rules: [{ percentage: 25 }] },
  benchTenants: { rules: [{ percentage: 25, stickiness: 'tenantId' }] },
  benchConstraints: { rules: [{
    percentage: 50,
    constraints: [constraint('userId', 'STR_ENDS_WITH', { values: ['1', '3', '5', '7', '9'] }), constraint('tenantId', 'NOT_IN', { values: ['1', '2', '3'] })],
  }] },
  benchVariants: { default: true, variants: [{ name: 'blue', weight: 500 }, { name: 'red', weight: 300 }, { name: 'green', weight: 200 }] },
}
for (const [key, document] of Object.entries(rules)) {
  await client.query('SELECT execreport.define_flag($1, $2)', [key, JSON.stringify(document)])
}
const ruled = new Unleash({
  url: 'http://127.0.0.1:9/', appName: 'bench', disableMetrics: true, refreshInterval: 0, skipInstanceCountWarning: true,
  bootstrap: { data: Object.entries(rules).map(([name, d]) => ({
    name, enabled: true, type: 'release', stale: false, variants: (d.variants ?? []).map((v) => ({ ...v, weightType: 'fix' })),
    strategies: (d.rules ?? [{}]).map((r) => ({
      name: r.percentage === undefined ? 'default' : 'flexibleRollout', constraints: r.constraints ?? [],
      parameters: { rollout: String(r.percentage), stickiness: r.stickiness ?? 'default', groupId: name },
    })),
  })) },
  storageProvider: { set: async () => {}, get: async () => undefined },
})
ruled.on('error', () => {}).on('warn', () => {})
await new Promise((resolve) => ruled.isSynchronized() ? resolve() : ruled.once('synchronized', resolve))
await client.query(`CREATE TABLE askers AS SELECT 1 + n * 7919 % ${TENANTS} AS tenant_id, 'user-' || n AS user_id FROM generate_series(1, ${USERS}) AS n`)
await client.query('VACUUM ANALYZE askers')
const askers = (await client.query('SELECT tenant_id, user_id FROM askers')).rows
const contextOf = (a) => ({ userId: a.user_id, properties: { tenantId: String(a.tenant_id) } })
const askerScan = run('the scan', "SELECT count(*) FROM askers WHERE tenant_id > 0 AND user_id <> ''")
for (const [key, what] of [['benchUsers', 'percentage by user'], ['benchTenants', 'percentage by tenant'], ['benchConstraints', 'two constraints and a percentage']]) {
  const { ours } = await compare({
    what, per: USERS, net: askerScan,
    ours: run('is_flag_enabled', `SELECT count(*) FROM askers WHERE execreport.is_flag_enabled(tenant_id, '${key}', user_id)`),
    rivals: [{ label: 'unleash-client, in process', run: async () => [[askers.filter((a) => ruled.isEnabled(key, contextOf(a))).length]] }],
  })
  printTable([['', 'ns', 'target', ''], [what, (ours * 1e6 / USERS).toFixed(0), '<= 300', ours * 1e6 / USERS <= 300 ? 'met' : 'NOT MET']])
}
const byVariant = `SELECT variant, count(*) FROM askers, execreport.evaluate_flag('benchVariants', NULL, jsonb_build_object('targetingKey', user_id)) GROUP BY 1 ORDER BY 1`
await compare({
  what: 'weighted variants, value and reason, context as a document', per: USERS, net: askerScan,
  ours: run('evaluate_flag', byVariant),
  rivals: [{ label: 'unleash-client, in process', run: async () => {
    const counts = {}
    for (const a of askers) {
      const { name } = ruled.getVariant('benchVariants', contextOf(a))
      counts[name] = (counts[name] ?? 0) + 1
    }
    return Object.entries(counts).sort()
  } }],
})
// every single answer, not the count alone
const wrong = (await client.query({ rowMode: 'array', text: `
  SELECT user_id, tenant_id, execreport.is_flag_enabled(tenant_id, 'benchUsers', user_id), execreport.is_flag_enabled(tenant_id, 'benchTenants', user_id),
         execreport.is_flag_enabled(tenant_id, 'benchConstraints', user_id),
         (SELECT variant FROM execreport.evaluate_flag('benchVariants', NULL, jsonb_build_object('targetingKey', user_id)))
    FROM askers` })).rows.filter(([user_id, tenant_id, ...answers]) => {
  const context = contextOf({ user_id, tenant_id })
  return JSON.stringify(answers) !== JSON.stringify([ruled.isEnabled('benchUsers', context), ruled.isEnabled('benchTenants', context),
    ruled.isEnabled('benchConstraints', context), ruled.getVariant('benchVariants', context).name])
})
if (wrong.length > 0) throw new Error(`${wrong.length} answers differ from unleash-client's, such as ${JSON.stringify(wrong[0])}`)
console.log(`\nall ${(USERS * 4).toLocaleString('en')} answers are those of unleash-client`)
ruled.destroy()
await client.query("DELETE FROM execreport.flag_definitions WHERE key LIKE 'bench%'")
await client.query("DELETE FROM execreport.flags WHERE key LIKE 'bench%'")
await client.query('SELECT execreport.refresh_flags()')

heading('inside a PL/pgSQL guard')
const guard = (name) => `SELECT guard_${name}(${GUARDS})`
await compare({
  what: `${GUARDS.toLocaleString('en')} guarded steps`, per: GUARDS, net: run('the empty loop', guard('empty')),
  ours: run('is_flag_enabled', guard('c')),
  rivals: [run('PL/pgSQL function', guard('plpgsql'), { target: 30 }), run('SQL function', guard('sql'))],
})

heading('single calls, pgbench, 2 clients, prepared')
const dir = mkdtempSync(join(tmpdir(), 'er-flags-'))
/** Three seconds of one statement. The first one does not count: there each session meets its tenants. */
const pgbench = (label, sql, more = {}) => {
  const name = label.replace(/\W/g, '_')
  writeFileSync(join(dir, `${name}.sql`), `\\set t random(1, ${TENANTS})\n${sql};\n`)
  return { label, ...more, run: async () => {
    await promisify(execFile)(join(process.env.ER_TREE_BIN, 'pgbench'),
      ['-n', '-M', 'prepared', '-c', '2', '-j', '1', '-T', '3', '-l', '--log-prefix', join(dir, 'log'), '-f', join(dir, `${name}.sql`),
        '-h', process.env.ER_SOCKET, '-U', 'postgres', process.env.ER_DB])
    const [log] = readdirSync(dir).filter((file) => file.startsWith('log.'))
    const calls = readFileSync(join(dir, log), 'utf8').trim().split('\n').map((line) => line.split(' ').map(Number))
    rmSync(join(dir, log))
    const counted = calls.filter(([, , , , second, micros]) => second + micros / 1e6 > calls[0][4] + calls[0][5] / 1e6 + 1)
    return { ms: counted.reduce((sum, [, , micros]) => sum + micros, 0) / counted.length / 2 / 1000, answer: null }
  } }
}
const single = pgbench('is_flag_enabled', "SELECT execreport.is_flag_enabled(:t, 'reportsUiEnabled')")
// a difference of a hundredth needs many pairs, each of two neighbours
await compare({
  what: 'time for one call, over all clients', per: 1, rounds: 21,
  ours: single, rivals: [pgbench('SELECT $1', 'SELECT :t::integer > 3', { target: 0.97 })],
})
await compare({
  what: 'the same beside other look-ups', per: 1,
  ours: single,
  rivals: [
    pgbench('PL/pgSQL function', "SELECT plpgsql_enabled(:t, 'reportsUiEnabled')"),
    pgbench('plain indexed SELECT', "SELECT enabled FROM overrides WHERE tenant_id = :t AND flag = 'reportsUiEnabled'"),
  ],
})
rmSync(dir, { recursive: true })

heading(`first call after another session's change, ${TENANTS * FLAGS} overrides`)
const writer = await connect()
const first = []
for (let i = 0; i < 200; i++) {
  await writer.query(`SELECT execreport.update_flags(${1 + i % TENANTS}, '{"reportsUiEnabled": ${i % 2 === 0}}')`)
  const { rows } = await client.query({ name: 'first', text: 'SELECT first_call($1) AS us', values: [1 + (i * 13) % TENANTS] })
  if (i >= 20) first.push(rows[0].us)
}
await writer.end()
printTable([['', 'median', 'p95', 'target', ''], ['is_flag_enabled', `${median(first).toFixed(0)} us`, `${percentile(first, 0.95).toFixed(0)} us`,
  '<= 100 us', median(first) <= 100 ? 'met' : 'NOT MET']])
await client.end()
