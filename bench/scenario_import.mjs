// scenario_import.mjs: a generation with 100,000 skills is accepted and imported, beside plain multi-row INSERTs of the very
// rows that come of it.
//
// The rival gets everything for nothing: ids, parents and normalised names are known, the statements (1,000 rows each) are
// written out before the clock starts. Its tables have the same columns, keys and indexes. Ours reads the document,
// judges it, normalises names, finds what is there, inserts, links, reports and audits. Both commit; both start with
// empty tables.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { compare, connect, heading, printSettings, time } from './harness.mjs'

const CAPABILITIES = 10
const COMPETENCIES = 100
const SKILLS = 100
const BATCH = 1_000
const client = await connect()
const query = (text, values) => client.query({ text, values, rowMode: 'array' })
const one = async (text, values) => (await query(text, values)).rows[0][0]

const TABLES = {
  _capabilities: 'execreport._capabilities',
  _competencies: 'execreport._competencies',
  _skills: 'execreport._skills',
  scenario_capabilities: 'execreport.scenario_capabilities',
  capability_competencies: 'execreport.capability_competencies',
  competency_skills: 'execreport.competency_skills'
}
for (const [name, table] of Object.entries(TABLES)) await query(`CREATE TABLE plain_${name} (LIKE ${table} INCLUDING ALL)`)

// ---- the document
const document = {
  scenario_metadata: { name: 'Large', horizon_months: 12 },
  capabilities: Array.from({ length: CAPABILITIES }, (_, c) => ({
    id: `CAP-${c}`,
    name: `Capability ${c}`,
    competencies: Array.from({ length: COMPETENCIES }, (_, k) => ({
      id: `CAP-${c}-C${k}`,
      name: `Competency ${k} of capability ${c}`,
      required_level: 1 + (k % 5),
      skills: Array.from({ length: SKILLS }, (_, s) => ({
        id: `S-${c}-${k}-${s}`,
        name: s % 10 === 0 ? `Gestión número ${s} de ${c}-${k}` : `Skill ${s} of ${c}-${k}`,
        description: `What one needs to know for the number ${s} of competency ${k}`
      }))
    }))
  }))
}
const text = JSON.stringify(document)
for (const setting of ['max_capabilities', 'max_competencies', 'max_skills']) await query(`SET execreport.${setting} = 1000`)
await query(`SELECT execreport.update_flags(1, '{"import_generation": true}')`)
await printSettings(client)
console.log(`${CAPABILITIES * COMPETENCIES * SKILLS} skills in ${(text.length / 1e6).toFixed(1)} MB of JSON`)

const generation = async () => {
  const id = await one(`SELECT execreport.request_generation('Large')`)
  await query('SELECT execreport.complete_generation($1, $2::jsonb)', [id, text])
  return id
}

// ---- the same rows as INSERTs
const uuid = () => {
  const b = randomBytes(16)
  b.writeUIntBE(Date.now() * 16, 0, 6)
  b[6] = (b[6] & 0x0f) | 0x70
  b[8] = (b[8] & 0x3f) | 0x80
  return b.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
const literal = (value) => value === null || value === undefined ? 'NULL' : typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`
const rows = Object.fromEntries(Object.keys(TABLES).map((name) => [name, []]))
const scenario = uuid()
const entity = (table, item) => {
  const id = uuid()
  rows[table].push([1, id, item.name.normalize('NFC').toLowerCase(), item.name, item.description, 'in_incubation', scenario])
  return id
}
for (const capability of document.capabilities) {
  const a = entity('_capabilities', capability)
  rows.scenario_capabilities.push([1, scenario, a, capability.id, 3])
  for (const competency of capability.competencies) {
    const b = entity('_competencies', competency)
    rows.capability_competencies.push([1, scenario, a, b, competency.id, competency.required_level])
    for (const skill of competency.skills) {
      rows.competency_skills.push([1, scenario, b, entity('_skills', skill), skill.id, 3])
    }
  }
}
const ENTITY = 'tenant_id, id, name_key, name, description, status, discovered_in'
const COLUMNS = {
  _capabilities: ENTITY,
  _competencies: ENTITY,
  _skills: ENTITY,
  scenario_capabilities: 'tenant_id, scenario_id, capability_id, external_id, required_level',
  capability_competencies: 'tenant_id, scenario_id, capability_id, competency_id, external_id, required_level',
  competency_skills: 'tenant_id, scenario_id, competency_id, skill_id, external_id, required_level'
}
const statements = Object.entries(rows).flatMap(([name, all]) => {
  const parts = []
  for (let from = 0; from < all.length; from += BATCH) {
    parts.push(`INSERT INTO plain_${name} (${COLUMNS[name]}) VALUES ` +
      all.slice(from, from + BATCH).map((row) => `(${row.map(literal).join(',')})`).join(','))
  }
  return parts
})

const answer = async (prefix) => [
  await one(`SELECT count(*) FROM ${prefix}skills`),
  await one(`SELECT md5(string_agg(format('%s|%s|%s|%s|%s|%s', c.name, l.external_id, l.required_level, s.name, s.name_key, s.description), E'\\n'
                                   ORDER BY c.name, l.external_id))
               FROM ${prefix === 'plain__' ? 'plain_' : 'execreport.'}competency_skills l JOIN ${prefix}skills s ON s.id = l.skill_id
               JOIN ${prefix}competencies c ON c.id = l.competency_id`),
  await one(`SELECT count(*) FROM ${prefix === 'plain__' ? 'plain_' : 'execreport.'}capability_competencies`)
]
const clear = () => query(`TRUNCATE ${Object.keys(TABLES).map((name) => `plain_${name}`).join(', ')}, ${Object.values(TABLES).join(', ')}`)
const pid = await one('SELECT pg_backend_pid()')
const memory = (field) => {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
  } catch {
    return NaN
  }
}

heading('scenario import')
const before = memory('RssAnon')
const first = await generation()
await query('SELECT execreport.accept_generation($1, true)', [first])
await clear()
console.log(`memory of the backend: ${before.toFixed(0)} MB before the first import; at most ${(memory('VmHWM') - memory('RssShmem') - memory('RssFile')).toFixed(0)} MB of its own since`)

await compare({
  what: `${CAPABILITIES * COMPETENCIES * SKILLS} skills, judged and imported`,
  ours: {
    label: 'accept_generation(id, import => true)',
    run: async () => {
      await clear()
      const id = await generation()
      const { ms } = await time(() => query('SELECT execreport.accept_generation($1, true)', [id]))
      return { ms, answer: await answer('execreport._') }
    }
  },
  rivals: [{
    label: `the same rows by INSERT, ${BATCH} a statement`,
    floor: true,
    target: 4,
    run: async () => {
      await clear()
      const { ms } = await time(async () => {
        await query('BEGIN')
        for (const statement of statements) await client.query(statement)
        await query('COMMIT')
      })
      return { ms, answer: await answer('plain__') }
    }
  }]
})
await client.end()
