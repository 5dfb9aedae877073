// create.mjs: create_exec_report() beside plain INSERTs of the same document, with 1 and 8 clients.
//
// pgbench drives all contestants alike: prepared statements, the document sent as a text parameter. ROWS=20000 changes
// the number of rows per measurement.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compare, connect, heading, percentile, printSettings } from './harness.mjs'
import { moduleOutput } from './data/documents.mjs'

const rows = Number(process.env.ROWS ?? 6000)
const document = JSON.stringify(moduleOutput(22, 1))
const client = await connect()
const folder = mkdtempSync(join(tmpdir(), 'er-create-'))

await client.query(`
  SELECT execreport.update_flags(1, '{"execReportsEnabled": true}', 'bench');
  SELECT execreport.save_configuration(1, '{"brand": {"name": "Acme"}}');

  CREATE SEQUENCE rival_id;
  CREATE TABLE rival_pglz (
    id varchar PRIMARY KEY, configuration_id integer NOT NULL, module_id varchar NOT NULL, context_version integer NOT NULL,
    context_hash varchar NOT NULL, executed_at timestamp DEFAULT CURRENT_TIMESTAMP, output jsonb COMPRESSION pglz NOT NULL,
    playbook_result jsonb COMPRESSION pglz, created_at timestamp DEFAULT CURRENT_TIMESTAMP);
  CREATE INDEX ON rival_pglz (configuration_id);
  CREATE INDEX ON rival_pglz (configuration_id, context_version);
  CREATE TABLE rival_lz4 (LIKE rival_pglz INCLUDING ALL);
  ALTER TABLE rival_lz4 ALTER output SET COMPRESSION lz4, ALTER playbook_result SET COMPRESSION lz4;
  CREATE TABLE rival_audit (id bigserial PRIMARY KEY, action text, entity_id text, new_value jsonb COMPRESSION lz4, at timestamptz DEFAULT now());

  CREATE FUNCTION rival_checked(d jsonb) RETURNS varchar LANGUAGE plpgsql AS $$
  DECLARE
    new_id varchar := 'exec-keyword-gap-' || nextval('rival_id');
    item jsonb;
    stored rival_lz4;
  BEGIN
    IF jsonb_typeof(d) <> 'object' OR jsonb_typeof(d -> 'insights') <> 'array' OR jsonb_typeof(d -> 'recommendations') <> 'array'
       OR (d ->> 'confidence')::numeric NOT BETWEEN 0 AND 100 OR jsonb_typeof(d -> 'hasData') <> 'boolean' THEN
      RAISE EXCEPTION 'malformed';
    END IF;
    FOR item IN SELECT * FROM jsonb_array_elements(d -> 'insights') LOOP
      IF jsonb_typeof(item) <> 'object' OR jsonb_typeof(item -> 'title') <> 'string' OR jsonb_typeof(item -> 'severity') <> 'string'
         OR (item ->> 'confidence')::numeric NOT BETWEEN 0 AND 100 OR jsonb_typeof(item -> 'keywords') <> 'array' THEN
        RAISE EXCEPTION 'malformed insight';
      END IF;
    END LOOP;
    FOR item IN SELECT * FROM jsonb_array_elements(d -> 'recommendations') LOOP
      IF jsonb_typeof(item) <> 'object' OR jsonb_typeof(item -> 'action') <> 'string' THEN RAISE EXCEPTION 'malformed recommendation'; END IF;
    END LOOP;
    INSERT INTO rival_lz4 (id, configuration_id, module_id, context_version, context_hash, output)
    VALUES (new_id, 1, 'keyword-gap', 1, 'hash', d) RETURNING * INTO stored;
    INSERT INTO rival_audit (action, entity_id, new_value) VALUES ('create', new_id, to_jsonb(stored));
    RETURN new_id;
  END $$;
`)

const plain = (table) => `INSERT INTO ${table} (id, configuration_id, module_id, context_version, context_hash, output)
  VALUES ('exec-keyword-gap-' || nextval('rival_id'), 1, 'keyword-gap', 1, 'hash', :doc);`
const scripts = {
  ours: { table: 'execreport.exec_reports', sql: `SELECT (execreport.create_exec_report(1, 'keyword-gap', :doc)).id;` },
  pglz: { table: 'rival_pglz', sql: plain('rival_pglz') },
  lz4: { table: 'rival_lz4', sql: plain('rival_lz4') },
  checked: { table: 'rival_lz4', sql: 'SELECT rival_checked(:doc);' },
}
for (const [name, { sql }] of Object.entries(scripts)) writeFileSync(join(folder, `${name}.sql`), sql)

/** pgbench over one script: milliseconds for all rows. */
function pgbench(name, clients, more = []) {
  const out = execFileSync(join(process.env.ER_TREE_BIN, 'pgbench'),
    ['-n', '-h', process.env.ER_SOCKET, '-U', 'postgres', '-M', 'prepared', '-c', clients, '-j', Math.min(clients, 2),
      '-t', rows / clients, '-D', `doc=${document}`, '-f', join(folder, `${name}.sql`), ...more, process.env.ER_DB],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  return rows / Number(/tps = ([\d.]+) \(without/.exec(out)[1]) * 1000
}

/** One measurement, on an empty table. What was stored is the answer. */
const run = (name, clients) => async () => {
  await client.query(`TRUNCATE execreport.exec_reports, rival_pglz, rival_lz4, rival_audit`)
  await client.query('CHECKPOINT')
  const ms = pgbench(name, clients)
  const { rows: [answer] } = await client.query(`
    SELECT count(*), count(DISTINCT id), min(context_version), count(DISTINCT md5(output::text)) AS documents, min(md5(output::text)) AS document
      FROM ${scripts[name].table}`)
  return { ms, answer }
}

heading(`create: a document of ${(document.length / 1024).toFixed(1)} KB`)
await printSettings(client)
for (const clients of [1, 8]) {
  await compare({
    what: `${rows} exec reports, ${clients} client${clients > 1 ? 's' : ''}; per report`,
    per: rows,
    rounds: 7,
    ours: { label: 'create_exec_report()', run: run('ours', clients) },
    rivals: [
      { label: 'plain INSERT, pglz', run: run('pglz', clients), target: 2 },
      { label: 'plain INSERT, lz4', run: run('lz4', clients), target: 0.9 },
      { label: 'INSERT, PL/pgSQL checks, full audit row, lz4', run: run('checked', clients) },
    ],
  })
}

for (const clients of [1, 8]) {
  const prefix = join(folder, `log${clients}`)
  pgbench('ours', clients, ['-l', '--log-prefix', prefix])
  const micros = readdirSync(folder).filter((file) => file.startsWith(`log${clients}`))
    .flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n').map((line) => Number(line.split(' ')[2])))
  console.log(`create_exec_report(), ${clients} client${clients > 1 ? 's' : ''}: p50 ${(percentile(micros, 0.5) / 1000).toFixed(2)} ms, ` +
    `p95 ${(percentile(micros, 0.95) / 1000).toFixed(2)} ms, p99 ${(percentile(micros, 0.99) / 1000).toFixed(2)} ms (asked: below 100 ms)`)
}
rmSync(folder, { recursive: true })
await client.end()
