// generate.mjs: the whole of generate_master_report(), beside a Node service that fetches, consolidates and stores.
//
// The service is what an application would write by hand: one query for the reports, JavaScript for the rest, one INSERT.
// It does less than ours: no conflicts, no synthesis, no look at exclusions. Insights and recommendations are compared
// (their titles, modules and order), and so are confidence, freshness and the modules.
import { randomUUID } from 'node:crypto'
import { compare, connect, heading, printSettings } from './harness.mjs'
import { moduleOutput } from './data/documents.mjs'

const modules = ['channel-attribution', 'competitive-positioning', 'content-performance', 'keyword-gap', 'market-demand',
  'pricing-intelligence', 'strategic-summary']
const calls = 50
const client = await connect()
const query = async (name, text, values) => (await client.query({ name, text, values })).rows

await query('flags', `SELECT execreport.update_flags(1, '{"execReportsEnabled": true, "masterReportsEnabled": true,
  "consolidationEnabled": true, "councilSynthesisEnabled": true}', 'bench')`)
await query('configuration', `SELECT count(*) FROM execreport.save_configuration(1, '{"brand": {"name": "Acme"}, "strategicIntent": {"primaryGoal": "grow"}}')`)
for (const [seed, moduleId] of modules.entries()) {
  await query('create', `SELECT id FROM execreport.create_exec_report(1, $1, $2)`, [moduleId, moduleOutput(20, seed, moduleId)])
}
await client.query(`
  CREATE TABLE rival_reports (id varchar PRIMARY KEY, configuration_id integer NOT NULL, context_version integer NOT NULL,
    context_hash varchar NOT NULL, generated_at timestamptz NOT NULL DEFAULT now(), ucr_snapshot jsonb COMPRESSION lz4 NOT NULL,
    exec_reports jsonb COMPRESSION lz4 NOT NULL, consolidated_insights jsonb COMPRESSION lz4 NOT NULL,
    consolidated_recommendations jsonb COMPRESSION lz4 NOT NULL, council_synthesis jsonb COMPRESSION lz4 NOT NULL,
    modules_included jsonb NOT NULL, overall_confidence integer NOT NULL, data_freshness varchar NOT NULL);
  CREATE INDEX ON rival_reports (configuration_id);
  VACUUM ANALYZE execreport.exec_reports;
`)

const rank = { high: 3, medium: 2, low: 1 }
const key = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, ' ').trim()
const byBytes = (a, b) => a < b ? -1 : a > b ? 1 : 0

/** The service: fetch, consolidate, store. */
async function service() {
  const [configuration] = await query('rival configuration', 'SELECT * FROM execreport.configurations WHERE tenant_id = 1 AND configuration_id = $1', [1])
  const all = await query('rival fetch', `SELECT * FROM execreport.exec_reports
    WHERE tenant_id = 1 AND configuration_id = $1 AND context_version = $2 ORDER BY executed_at DESC, id DESC`, [1, configuration.context_version])
  const latest = new Map()
  for (const report of all) {
    if (report.output.hasData !== false && !report.output.errors?.length && !latest.has(report.module_id)) latest.set(report.module_id, report)
  }
  const reports = [...latest.values()].sort((a, b) => byBytes(a.module_id, b.module_id))

  const insights = new Map()
  const recommendations = new Map()
  for (const { module_id: moduleId, output, playbook_result: playbook } of reports) {
    const scale = Math.max(...output.insights.map((insight) => insight.confidence ?? 0)) <= 1 ? 100 : 1
    for (const insight of output.insights) {
      const at = `${insight.category}\x1f${key(insight.title)}`
      const known = insights.get(at)
      const item = { ...insight, confidence: insight.confidence * scale, modules: new Set([moduleId]), keywords: new Set(insight.relatedKeywords), occurrences: 1 }
      if (!known) { insights.set(at, item); continue }
      known.modules.add(moduleId)
      for (const word of insight.relatedKeywords) known.keywords.add(word)
      known.occurrences++
      if (rank[item.severity] > rank[known.severity]) known.severity = item.severity
      known.confidence = Math.max(known.confidence, item.confidence)
    }
    for (const recommendation of output.recommendations) {
      if (playbook?.deprioritized?.includes(recommendation.id)) continue
      const at = key(recommendation.action)
      const known = recommendations.get(at)
      if (!known) recommendations.set(at, { ...recommendation, modules: new Set([moduleId]) })
      else {
        known.modules.add(moduleId)
        if (rank[recommendation.impact] > rank[known.impact]) known.impact = recommendation.impact
        if (rank[recommendation.effort] < rank[known.effort]) known.effort = recommendation.effort
      }
    }
  }
  const list = (items) => items.map(({ modules: m, keywords: k, ...rest }) => ({ ...rest, moduleIds: [...m].sort(byBytes), relatedKeywords: k && [...k].sort(byBytes) }))
  const consolidatedInsights = list([...insights.values()].sort((a, b) => rank[b.severity] - rank[a.severity] || b.modules.size - a.modules.size ||
    b.confidence - a.confidence || b.occurrences - a.occurrences || byBytes(a.title, b.title)))
  const consolidatedRecommendations = list([...recommendations.values()].sort((a, b) => rank[b.impact] - rank[a.impact] ||
    rank[a.effort] - rank[b.effort] || b.modules.size - a.modules.size || byBytes(a.action, b.action)))
  const age = (Date.now() - Math.min(...reports.map((report) => report.executed_at))) / 3600000
  const [stored] = await query('rival store', `INSERT INTO rival_reports (id, configuration_id, context_version, context_hash, ucr_snapshot,
      exec_reports, consolidated_insights, consolidated_recommendations, council_synthesis, modules_included, overall_confidence, data_freshness)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id, overall_confidence, data_freshness, modules_included`,
  [`master-1-${configuration.context_version}-${randomUUID()}`, 1, configuration.context_version, configuration.context_hash,
    JSON.stringify({ brand: configuration.brand, strategicIntent: configuration.strategic_intent, negativeScope: configuration.negative_scope }),
    JSON.stringify(reports.map((r) => ({ id: r.id, moduleId: r.module_id, configurationId: r.configuration_id, contextVersion: r.context_version,
      contextHash: r.context_hash, executedAt: r.executed_at, output: r.output }))),
    JSON.stringify(consolidatedInsights), JSON.stringify(consolidatedRecommendations),
    JSON.stringify({ keyThemes: [], crossModulePatterns: [], prioritizedActions: [] }), JSON.stringify(reports.map((r) => r.module_id)),
    Math.round(100 * reports.reduce((sum, r) => sum + r.output.confidence, 0) / reports.length),
    age < 24 ? 'fresh' : age < 168 ? 'moderate' : 'stale'])
  return stored.id
}

const generate = async () => (await query('generate', 'SELECT id FROM execreport.generate_master_report(1)'))[0].id

const answer = async (table, id) => (await client.query(`
  SELECT overall_confidence, data_freshness, modules_included,
         (SELECT jsonb_agg(jsonb_build_array(i.value -> 'severity', lower(i.value ->> 'title'), i.value -> 'moduleIds', round((i.value ->> 'confidence')::numeric, 2)) ORDER BY i.n)
            FROM jsonb_array_elements(consolidated_insights) WITH ORDINALITY AS i (value, n)) AS insights,
         (SELECT jsonb_agg(jsonb_build_array(r.value -> 'impact', r.value -> 'effort', r.value -> 'action', r.value -> 'moduleIds') ORDER BY r.n)
            FROM jsonb_array_elements(consolidated_recommendations) WITH ORDINALITY AS r (value, n)) AS recommendations,
         (SELECT jsonb_agg(r.value -> 'output' ORDER BY r.value ->> 'moduleId') FROM jsonb_array_elements(exec_reports) AS r (value)) AS outputs
    FROM ${table} WHERE id = $1`, [id])).rows[0]

/** Repeats fn; the time of the calls alone counts. */
const repeat = (table, fn, before = async () => {}) => async () => {
  let ms = 0
  let id
  for (let i = 0; i < calls; i++) {
    await before()
    const start = process.hrtime.bigint()
    id = await fn()
    ms += Number(process.hrtime.bigint() - start) / 1e6
  }
  return { ms, answer: await answer(table, id) }
}

heading('generate: a master report of 7 modules with 20 insights and 10 recommendations each')
await printSettings(client)
const clear = async () => { await client.query('DELETE FROM execreport.master_reports') }
await compare({
  what: `${calls} reports made and stored; per report`, per: calls, rounds: 7,
  ours: { label: 'generate_master_report()', run: repeat('execreport.master_reports', generate, clear) },
  rivals: [{ label: 'Node service', run: repeat('rival_reports', service), target: 5 }],
})
await generate()
await compare({
  what: `${calls} calls with unchanged inputs; per call`, per: calls, rounds: 7,
  ours: { label: 'generate_master_report()', run: repeat('execreport.master_reports', generate) },
  rivals: [{ label: 'Node service (makes it again)', run: repeat('rival_reports', service), target: 20 }],
})
await client.end()
