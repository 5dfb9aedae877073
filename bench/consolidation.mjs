// consolidation.mjs: consolidate_insights beside the best SQL we can write, PL/pgSQL, and a Node service that fetches rows.
//
// The rivals do less than ours: they read one spelling of each field, ASCII titles and one list of each report, which is
// all that the data has. Every answer is compared once, position, sources and fingerprints included. In the runs ours and
// the SQL rivals leave their answer in the server, where a master report is stored; the service has it in its memory.
// The floor is the scan and the decompression of the same columns, by the cheapest expression that does both.
//
// SECTIONS=lz4,workers,pglz,distinct,small,hostile picks some; SIZES=big adds one million insights.
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { compare, connect, heading, printSettings, time } from './harness.mjs'

const client = await connect()
const query = async (text) => (await client.query({ text, rowMode: 'array' })).rows
const value = async (text) => (await query(text))[0][0]

// ---- the data ----

// Texts of random words, so that they compress as texts do: to about a third.
await query(`CREATE TABLE pool AS SELECT k, string_agg(words[1 + floor(random() * cardinality(words))::integer], ' ') AS text
  FROM (SELECT setseed(0.42)) AS seed, generate_series(0, 19999) AS k, generate_series(1, 24 + k % 9),
       regexp_split_to_array('growth market search users pages price brand paid organic traffic rank share trend season content links intent mobile
         local video shopping category competitor margin budget quarter landing conversion session click the of and in for with more less than
         last this new our their shows moved rises falls while because questions reviews snippets answers visibility average position
         impressions compared year month weekly demand supply regions spain france germany customers returning first second strongest weakest
         opportunity informational commercial queries cluster branded generic seasonal peak decline stable steady forecast estimate measured
         sample domain authority backlinks technical crawl speed index coverage schema product listing feed retail delivery checkout', '\\s+') AS words
  GROUP BY k`)
await query('ALTER TABLE pool ADD PRIMARY KEY (k)')

const columns = (compression) => `(id text PRIMARY KEY, module_id text NOT NULL, executed_at timestamptz NOT NULL,
    output jsonb COMPRESSION ${compression} NOT NULL, playbook_result jsonb COMPRESSION ${compression})`

async function fill(table, reports, insights, distinct, compression) {
  await query(`CREATE TABLE ${table} ${columns(compression)}`)
  await query('SELECT setseed(0.42)')
  await query(`INSERT INTO ${table}
    SELECT 'exec-module-' || n % 7 || '-' || md5(n::text), 'module-' || n % 7, timestamptz '2026-01-01' + n * interval '1 minute',
           jsonb_build_object('moduleId', 'module-' || n % 7, 'hasData', true, 'confidence', 0.8, 'dataSources', '["gsc", "ads"]'::jsonb,
             'insights', (SELECT jsonb_agg(jsonb_build_object('id', md5(n::text || i), 'title', CASE WHEN u % 5 = 0 THEN upper(title) ELSE title END,
               'content', content.text, 'source', 'search console, last ' || 7 * (1 + i % 12) || ' days', 'whyItMatters', left(why.text, 90),
               'severity', (ARRAY['high', 'medium', 'low'])[1 + (random() * 2.99)::int % 3], 'category', (ARRAY['opportunity', 'risk', 'observation'])[1 + u % 3],
               'confidence', round(random()::numeric, 2), 'relatedKeywords', jsonb_build_array('keyword ' || u % 300, 'keyword ' || (u + i % 3) % 300, 'topic ' || u % 50),
               'evidence', jsonb_build_array('Clicks rose in market ' || u % 200, 'Rank ' || u % 10 || ' on ' || i % 4 || ' pages')))
               FROM (SELECT i, u, 'Insight No. ' || u || ' -- about topic ' || u * 7 % 1000 || ', segment ' || u % 13 AS title
                       FROM (SELECT i, ((n * 7919 + i * 104729) % ${distinct})::int AS u FROM generate_series(1, ${insights}) AS i) AS x) AS y
               JOIN pool AS content ON content.k = (n * 7919 + i * 31) % 20000 JOIN pool AS why ON why.k = (n * 104729 + i * 37) % 20000),
             'recommendations', '[]'::jsonb), NULL
      FROM generate_series(1, ${reports}) AS n`)
  await finish(table)
}

async function finish(table) {
  await query(`VACUUM (ANALYZE, FREEZE) ${table}`)
  const [[insights, bytes, stored]] = await query(`SELECT sum(jsonb_array_length(output->'insights'))::float8,
    sum(pg_column_size(output || '{}'))::float8, sum(pg_column_size(output))::float8 FROM ${table}`)
  console.log(`${table}: ${insights} insights, ${Math.round(bytes / insights)} bytes of jsonb each, ${Math.round(stored / insights)} stored`)
}

// ---- the rivals ----

// One pass, one sort. The scale of each report's confidences is found inside its own lateral subquery, keywords and evidence
// are united after grouping.
const sql = (table) => `
WITH items AS (
  SELECT r.id, r.module_id, i.title, i.content, i.category,
         coalesce(array_position('{low,medium,high}', i.severity), 0) AS rank,
         round(i.confidence * CASE WHEN max(i.confidence) OVER (PARTITION BY r.id) <= 1 THEN 100 ELSE 1 END, 2) AS confidence,
         i."relatedKeywords" AS keywords, i.evidence,
         btrim(regexp_replace(lower(i.title), '[^a-z0-9$+<=>^|~\`]+', ' ', 'g')) AS key
    FROM ${table} AS r, jsonb_to_recordset(r.output->'insights') AS i(title text, content text, category text, severity text,
         confidence numeric, "relatedKeywords" jsonb, evidence jsonb)
), grouped AS (
  SELECT category, key, max(rank) AS rank, max(confidence) AS confidence, count(*) AS occurrences,
         array_agg(DISTINCT module_id COLLATE "C") AS modules, (array_agg(title ORDER BY rank DESC, confidence DESC NULLS LAST, title COLLATE "C", content COLLATE "C"))[1] AS title,
         (array_agg(content ORDER BY rank DESC, confidence DESC NULLS LAST, title COLLATE "C", content COLLATE "C"))[1] AS content,
         jsonb_agg(keywords) AS keywords, jsonb_agg(evidence) AS evidence,
         (array_agg(jsonb_build_object('execReportId', id, 'moduleId', module_id) ORDER BY rank DESC, confidence DESC NULLS LAST, id COLLATE "C"))[1:20] AS sources
    FROM items GROUP BY category, key
), printed AS (
  SELECT *, encode(substr(sha256(convert_to(category || chr(31) || key, 'UTF8')), 1, 16), 'hex') AS fingerprint FROM grouped
), ranked AS (
  SELECT *, row_number() OVER w AS position, row_number() OVER (PARTITION BY category ORDER BY rank DESC, cardinality(modules) DESC,
           confidence DESC NULLS LAST, occurrences DESC, title COLLATE "C", fingerprint) AS group_position
    FROM printed WINDOW w AS (ORDER BY rank DESC, cardinality(modules) DESC, confidence DESC NULLS LAST, occurrences DESC, title COLLATE "C", fingerprint)
)
SELECT jsonb_agg(jsonb_build_object('position', position, 'groupPosition', group_position, 'fingerprint', fingerprint, 'type', category,
         'category', category, 'title', title, 'description', content, 'severity', (ARRAY['low', 'medium', 'high'])[rank], 'confidence', trim_scale(confidence),
         'occurrences', occurrences, 'moduleIds', to_jsonb(modules),
         'relatedKeywords', (SELECT jsonb_agg(k ORDER BY k) FROM (SELECT DISTINCT k COLLATE "C" AS k FROM jsonb_array_elements(keywords) AS l, jsonb_array_elements_text(l) AS k) AS d),
         'evidence', (SELECT jsonb_agg(k ORDER BY k) FROM (SELECT DISTINCT k COLLATE "C" AS k FROM jsonb_array_elements(evidence) AS l, jsonb_array_elements_text(l) AS k) AS d),
         'sources', to_jsonb(sources)) ORDER BY position) AS answer
  FROM ranked`

// The way a service's stored procedure does it: a loop, and an upsert for each insight.
await query(`CREATE FUNCTION plpgsql_consolidate(source regclass) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    report record;
    item jsonb;
    scale numeric;
    rank integer;
    confidence numeric;
    key text;
BEGIN
    CREATE TEMP TABLE merged (category text COLLATE "C", key text COLLATE "C", rank integer, confidence numeric, best_rank integer, best_confidence numeric,
        title text COLLATE "C", content text COLLATE "C", occurrences integer, modules text[] COLLATE "C", keywords text[] COLLATE "C", evidence text[] COLLATE "C", sources jsonb[],
        PRIMARY KEY (category, key)) ON COMMIT DROP;
    CREATE TEMP TABLE said (category text COLLATE "C", key text COLLATE "C", rank integer, confidence numeric, id text COLLATE "C", module_id text) ON COMMIT DROP;
    FOR report IN EXECUTE format('SELECT id, module_id, output FROM %s', source) LOOP
        SELECT CASE WHEN max((i->>'confidence')::numeric) <= 1 THEN 100 ELSE 1 END INTO scale FROM jsonb_array_elements(report.output->'insights') AS i;
        FOR item IN SELECT jsonb_array_elements(report.output->'insights') LOOP
            rank := coalesce(array_position('{low,medium,high}', item->>'severity'), 0);
            confidence := round((item->>'confidence')::numeric * scale, 2);
            key := btrim(regexp_replace(lower(item->>'title'), '[^a-z0-9$+<=>^|~\`]+', ' ', 'g'));
            INSERT INTO said VALUES (item->>'category', key, rank, confidence, report.id, report.module_id);
            INSERT INTO merged AS m VALUES (item->>'category', key, rank, confidence, rank, confidence, item->>'title', item->>'content', 1, ARRAY[report.module_id],
                ARRAY(SELECT DISTINCT jsonb_array_elements_text(item->'relatedKeywords')), ARRAY(SELECT DISTINCT jsonb_array_elements_text(item->'evidence')))
            ON CONFLICT ON CONSTRAINT merged_pkey DO UPDATE SET
                rank = greatest(m.rank, excluded.rank), confidence = greatest(m.confidence, excluded.confidence), occurrences = m.occurrences + 1,
                modules = CASE WHEN report.module_id = ANY(m.modules) THEN m.modules ELSE m.modules || report.module_id END,
                keywords = CASE WHEN excluded.keywords <@ m.keywords THEN m.keywords ELSE ARRAY(SELECT DISTINCT unnest(m.keywords || excluded.keywords)) END,
                evidence = CASE WHEN excluded.evidence <@ m.evidence THEN m.evidence ELSE ARRAY(SELECT DISTINCT unnest(m.evidence || excluded.evidence)) END,
                (best_rank, best_confidence, title, content) = (SELECT
                    CASE WHEN better THEN excluded.best_rank ELSE m.best_rank END, CASE WHEN better THEN excluded.best_confidence ELSE m.best_confidence END,
                    CASE WHEN better THEN excluded.title ELSE m.title END, CASE WHEN better THEN excluded.content ELSE m.content END
                    FROM (SELECT (-excluded.best_rank, -excluded.best_confidence, excluded.title, excluded.content) < (-m.best_rank, -m.best_confidence, m.title, m.content) AS better) AS b);
        END LOOP;
    END LOOP;
    RETURN (SELECT jsonb_agg(jsonb_build_object('position', position, 'groupPosition', group_position, 'fingerprint', fingerprint, 'type', r.category,
         'category', r.category, 'title', title, 'description', content, 'severity', (ARRAY['low', 'medium', 'high'])[r.rank], 'confidence', trim_scale(r.confidence),
         'occurrences', occurrences, 'moduleIds', (SELECT jsonb_agg(m ORDER BY m) FROM unnest(modules) AS m),
         'relatedKeywords', (SELECT jsonb_agg(k ORDER BY k) FROM unnest(keywords) AS k), 'evidence', (SELECT jsonb_agg(k ORDER BY k) FROM unnest(evidence) AS k),
         'sources', s.sources) ORDER BY position)
        FROM (SELECT *, row_number() OVER (ORDER BY f.rank DESC, cardinality(modules) DESC, f.confidence DESC NULLS LAST, occurrences DESC, title, fingerprint) AS position,
                     row_number() OVER (PARTITION BY f.category ORDER BY f.rank DESC, cardinality(modules) DESC, f.confidence DESC NULLS LAST, occurrences DESC, title, fingerprint) AS group_position
                FROM (SELECT merged.*, encode(substr(sha256(convert_to(category || chr(31) || merged.key, 'UTF8')), 1, 16), 'hex') COLLATE "C" AS fingerprint FROM merged) AS f) AS r
        JOIN (SELECT category, said.key, jsonb_agg(jsonb_build_object('execReportId', id, 'moduleId', module_id) ORDER BY n) FILTER (WHERE n <= 20) AS sources
                FROM (SELECT *, row_number() OVER (PARTITION BY category, said.key ORDER BY said.rank DESC, said.confidence DESC NULLS LAST, id) AS n FROM said) AS said
               GROUP BY 1, 2) AS s ON s.category = r.category AND s.key = r.key);
END $$`)

// What a service does: fetch the rows, merge in a Map, sort.
async function node(table) {
  const { rows } = await client.query(`SELECT id, module_id, executed_at, output, playbook_result FROM ${table}`)
  const ranks = { high: 3, medium: 2, low: 1 }
  const bytes = (a, b) => a < b ? -1 : a > b ? 1 : 0 // ASCII
  const groups = new Map()
  for (const report of rows) {
    const insights = report.output.insights
    let highest = 0
    for (const item of insights) if (item.confidence > highest) highest = item.confidence
    const scale = highest <= 1 ? 10000 : 100
    for (const item of insights) {
      const key = item.category + '\x1f' + item.title.toLowerCase().replace(/[^a-z0-9$+<=>^|~`]+/g, ' ').trim()
      const rank = ranks[item.severity] ?? 0
      const confidence = Math.round(item.confidence * scale)
      let group = groups.get(key)
      if (!group) {
        groups.set(key, group = { key, rank, confidence, best: item, bestRank: rank, bestConfidence: confidence, occurrences: 0,
          modules: new Set(), keywords: new Set(), evidence: new Set(), sources: [] })
      } else {
        const order = group.bestRank - rank || group.bestConfidence - confidence || bytes(item.title, group.best.title) || bytes(item.content, group.best.content)
        if (order < 0) Object.assign(group, { best: item, bestRank: rank, bestConfidence: confidence })
        if (rank > group.rank) group.rank = rank
        if (confidence > group.confidence) group.confidence = confidence
      }
      group.occurrences++
      group.modules.add(report.module_id)
      for (const keyword of item.relatedKeywords) group.keywords.add(keyword)
      for (const piece of item.evidence) group.evidence.add(piece)
      group.sources.push({ rank, confidence, execReportId: report.id, moduleId: report.module_id })
    }
  }
  const list = [...groups.values()]
  for (const group of list) group.fingerprint = createHash('sha256').update(group.key).digest('hex').slice(0, 32)
  list.sort((a, b) => b.rank - a.rank || b.modules.size - a.modules.size || b.confidence - a.confidence || b.occurrences - a.occurrences ||
    bytes(a.best.title, b.best.title) || bytes(a.fingerprint, b.fingerprint))
  const places = {}
  const severities = [null, 'low', 'medium', 'high']
  return list.map((group, n) => ({
    position: n + 1, groupPosition: places[group.best.category] = (places[group.best.category] ?? 0) + 1, fingerprint: group.fingerprint,
    type: group.best.category, category: group.best.category, title: group.best.title, description: group.best.content,
    severity: severities[group.rank], confidence: group.confidence / 100, occurrences: group.occurrences, moduleIds: [...group.modules].sort(bytes),
    relatedKeywords: [...group.keywords].sort(bytes), evidence: [...group.evidence].sort(bytes),
    sources: group.sources.sort((a, b) => b.rank - a.rank || b.confidence - a.confidence || bytes(a.execReportId, b.execReportId)).slice(0, 20)
      .map(({ execReportId, moduleId }) => ({ execReportId, moduleId }))
  }))
}

// ---- the runs ----

const ours = (table) => `SELECT execreport.consolidate_insights(id, module_id, executed_at, output, playbook_result) AS answer FROM ${table}`
const inServer = (text) => () => value(`SELECT jsonb_array_length(answer) FROM (${text}) AS c`)
const repeat = (times, run) => times === 1 ? run : async () => { let answer; for (let i = 0; i < times; i++) answer = await run(); return answer }

// Each needs the whole of both documents.
const floors = [
  (table) => `SELECT count(jsonb_typeof(output)) + count(jsonb_typeof(playbook_result)) FROM ${table}`,
  (table) => `SELECT count(output ? 'x') + count(playbook_result ? 'x') FROM ${table}`,
  (table) => `SELECT count(output->'x') + count(playbook_result->'x') FROM ${table}`
]
let cheapestFloor
async function floor(table) {
  if (!cheapestFloor) {
    let least = Infinity
    for (let round = 0; round < 7; round++) {
      for (const candidate of floors) {
        const { ms } = await time(() => value(candidate(table)))
        if (ms < least) [least, cheapestFloor] = [ms, candidate]
      }
    }
    console.log(`the floor: ${cheapestFloor(table)}`)
  }
  return cheapestFloor(table)
}

async function row(table, what, targets, { times = 1, rounds = 5, plpgsql = false, service = true } = {}) {
  const expected = await value(`SELECT md5(answer::text) FROM (${ours(table)}) AS c`)
  if (await value(`SELECT md5(answer::text) FROM (${sql(table)}) AS c`) !== expected) throw new Error(`${what}: SQL answers differently`)
  const least = await floor(table)
  await compare({
    what: `${what}, in the server${times > 1 ? `, ${times} times` : ''}`, rounds,
    ours: { label: 'consolidate_insights', run: repeat(times, inServer(ours(table))) },
    rivals: [
      { label: 'best SQL', run: repeat(times, inServer(sql(table))), target: targets.sql },
      { label: 'scan + decompress', floor: true, answer: false, target: targets.floor, run: repeat(times, () => value(least)) }
    ]
  })
  if (plpgsql) {
    if (await value(`SELECT md5(plpgsql_consolidate('${table}')::text)`) !== expected) throw new Error(`${what}: PL/pgSQL answers differently`)
    await compare({
      what: `${what}, against PL/pgSQL`, rounds, warmup: 0,
      ours: { label: 'consolidate_insights', run: inServer(ours(table)) },
      rivals: [{ label: 'PL/pgSQL', run: inServer(`SELECT plpgsql_consolidate('${table}') AS answer`), target: targets.plpgsql }]
    })
  }
  if (!service) return
  if (!isDeepStrictEqual(await node(table), await value(ours(table)))) throw new Error(`${what}: Node answers differently`)
  await compare({
    what: `${what}, against a Node service${times > 1 ? `, ${times} times` : ''}`, rounds,
    ours: { label: 'consolidate_insights, left in the server', run: repeat(times, inServer(ours(table))) },
    rivals: [
      { label: 'Node service, left in Node', answer: false, run: repeat(times, () => node(table)), target: targets.node },
      { label: 'Node service, its fetch alone', answer: false,
        run: repeat(times, () => client.query(`SELECT id, module_id, executed_at, output, playbook_result FROM ${table}`).then(() => 0)) },
      { label: 'ours, fetched and parsed', answer: false, run: repeat(times, () => value(ours(table))) }
    ]
  })
}

const setWorkers = (workers) => client.query(`SET max_parallel_workers_per_gather = ${workers}; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0`)
const all = ['lz4', 'workers', 'pglz', 'distinct', 'small', 'hostile']
const sections = process.env.SECTIONS?.split(',') ?? all
for (const name of sections) if (!all.includes(name)) throw new Error(`SECTIONS: "${name}" is none of ${all.join(', ')}`)
const wanted = (...names) => names.some((name) => sections.includes(name))

await printSettings(client)
if (wanted('lz4', 'workers', 'pglz')) {
  heading('2,000 reports x 50 insights, 5 % distinct, lz4')
  await fill('lz4_5', 2000, 50, 5000, 'lz4')
}
if (wanted('lz4')) await row('lz4_5', '2,000 x 50, 5 % distinct, lz4', { sql: 14, plpgsql: 60, node: 10, floor: 2.3 }, { plpgsql: true })

if (wanted('workers')) {
  await query(`ALTER TABLE lz4_5 SET (parallel_workers = 1)`)
  const least = await floor('lz4_5')
  const withWorkers = (workers, run) => async () => { await setWorkers(workers); return run() }
  // a scan that does nothing but decompress shows what the two processors give at this moment
  await compare({
    what: 'one more worker: the scan alone',
    ours: { label: 'leader and one worker', run: withWorkers(1, () => value(least)) },
    rivals: [{ label: 'leader alone', run: withWorkers(0, () => value(least)) }]
  })
  await compare({
    what: 'one more worker (2,000 x 50, lz4)', rounds: 11,
    ours: { label: 'leader and one worker', run: withWorkers(1, inServer(ours('lz4_5'))) },
    rivals: [{ label: 'leader alone', run: withWorkers(0, inServer(ours('lz4_5'))), target: 1.7 }]
  })
  await setWorkers(0)
}

if (wanted('pglz')) {
  heading('the same in pglz columns')
  await query(`CREATE TABLE pglz_5 ${columns('pglz')}`)
  await query(`INSERT INTO pglz_5 SELECT id, module_id, executed_at, output || '{}', playbook_result FROM lz4_5`)
  await finish('pglz_5')
  await row('pglz_5', '2,000 x 50, 5 % distinct, pglz', { sql: 8, floor: 1.4 }, { service: false })
}

if (wanted('distinct')) {
  heading('90 % distinct')
  await fill('lz4_90', 2000, 50, 90000, 'lz4')
  await row('lz4_90', '2,000 x 50, 90 % distinct, lz4', { sql: 12 }, { service: false })
}

if (wanted('small')) {
  heading('10 reports x 20 insights')
  await fill('small', 10, 20, 40, 'lz4')
  await row('small', '10 x 20, lz4', { sql: 8, node: 4 }, { times: 100, rounds: 7 })
  await query(`CREATE TABLE small_pglz ${columns('pglz')}`)
  await query(`INSERT INTO small_pglz SELECT id, module_id, executed_at, output || '{}', playbook_result FROM small`)
  await finish('small_pglz')
  await row('small_pglz', '10 x 20, pglz', { sql: 8, floor: 1.4 }, { times: 100, rounds: 7, service: false })
}

if (wanted('hostile')) {
  heading('hostile: one group, more and more keywords')
  await query(`CREATE TABLE hostile AS SELECT k, jsonb_build_object('insights', jsonb_build_array(jsonb_build_object('title', 't', 'keywords',
    (SELECT jsonb_agg('keyword ' || i) FROM generate_series(1, k) AS i)))) AS output FROM unnest(ARRAY[25000, 100000]) AS k`)
  const keywords = (k) => () => value(`SELECT length(execreport.consolidate_insights('x', 'm', now(), output, NULL)::text) > 0 FROM hostile WHERE k = ${k}`)
  await compare({
    what: '100,000 keywords in one group; linear is 4 x',
    ours: { label: '25,000 keywords', run: keywords(25000) },
    rivals: [{ label: '100,000 keywords', run: keywords(100000) }]
  })
}

if (process.env.SIZES === 'big') {
  heading('one million insights')
  await fill('million', 20000, 50, 20000, 'lz4')
  await query(`ALTER TABLE million SET (parallel_workers = 1)`)
  await setWorkers(1)
  await row('million', '20,000 x 50, 2 % distinct, lz4, 2 processes', { sql: 12 }, { service: false })
}
await client.end()
