// contracts.mjs: exec report documents against their contract, beside a PL/pgSQL validator and Node with ajv.
//
// The PL/pgSQL rival is the validator that a team writes first: one recursive function over the keywords that this
// contract uses. ajv is compiled once; it gets the same rows through pg, in batches. Some documents are invalid; every
// contestant must count the same number of valid ones.
import Ajv2020 from 'ajv/dist/2020.js'
import { compare, connect, heading, printSettings } from './harness.mjs'

const DOCUMENTS = 100_000
const SAMPLE = 500
const BATCH = 2_000
const client = await connect()
const number = async (text, values) => Number((await client.query({ text, values, rowMode: 'array' })).rows[0][0])

const contract = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  required: ['moduleId', 'status', 'findings'],
  properties: {
    moduleId: { type: 'string', minLength: 1, maxLength: 100 },
    reportId: { type: 'integer' },
    status: { enum: ['completed', 'failed', 'partial'] },
    dateRange: {
      type: 'object',
      required: ['start', 'end'],
      properties: { start: { type: 'string' }, end: { type: 'string' } },
      additionalProperties: false
    },
    summary: {
      type: 'object',
      properties: {
        total: { type: 'integer', minimum: 0 },
        score: { type: 'number', minimum: 0, maximum: 100 },
        trend: { enum: ['up', 'down', 'flat'] },
        text: { type: 'string' }
      }
    },
    metrics: { type: 'object', additionalProperties: { $ref: '#/$defs/metric' } },
    findings: { type: 'array', items: { $ref: '#/$defs/finding' } },
    recommendations: {
      type: 'array',
      items: {
        type: 'object',
        required: ['message'],
        properties: {
          priority: { enum: ['low', 'medium', 'high'] },
          message: { type: 'string', minLength: 1 },
          owner: { type: ['string', 'null'] }
        }
      }
    }
  },
  $defs: {
    metric: {
      type: 'object',
      required: ['value'],
      properties: { value: { type: 'number' }, unit: { type: 'string' }, count: { type: 'integer', minimum: 0 } }
    },
    finding: {
      type: 'object',
      required: ['id', 'severity'],
      properties: {
        id: { type: 'string' },
        severity: { enum: ['low', 'medium', 'high', 'critical'] },
        title: { type: 'string', maxLength: 200 },
        description: { type: 'string' },
        count: { type: 'integer', minimum: 0 },
        tags: { type: 'array', items: { type: 'string' }, uniqueItems: true }
      }
    }
  }
}

await client.query(`
CREATE FUNCTION plpgsql_valid(root jsonb, schema jsonb, value jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind text := jsonb_typeof(value);
    name text;
    part jsonb;
BEGIN
    IF schema = 'true' THEN RETURN true; END IF;
    IF schema = 'false' THEN RETURN false; END IF;
    IF schema ? '$ref' AND NOT plpgsql_valid(root, root #> string_to_array(substr(schema ->> '$ref', 3), '/'), value) THEN
        RETURN false;
    END IF;
    IF schema ? 'type' AND NOT (schema -> 'type') @> to_jsonb(kind)
        AND NOT (kind = 'number' AND (schema -> 'type') @> '"integer"' AND (value #>> '{}')::numeric % 1 = 0) THEN
        RETURN false;
    END IF;
    IF schema ? 'enum' AND NOT (schema -> 'enum') @> jsonb_build_array(value) THEN RETURN false; END IF;
    IF kind = 'string' THEN
        IF schema ? 'minLength' AND length(value #>> '{}') < (schema ->> 'minLength')::integer THEN RETURN false; END IF;
        IF schema ? 'maxLength' AND length(value #>> '{}') > (schema ->> 'maxLength')::integer THEN RETURN false; END IF;
    ELSIF kind = 'number' THEN
        IF schema ? 'minimum' AND (value #>> '{}')::numeric < (schema ->> 'minimum')::numeric THEN RETURN false; END IF;
        IF schema ? 'maximum' AND (value #>> '{}')::numeric > (schema ->> 'maximum')::numeric THEN RETURN false; END IF;
    ELSIF kind = 'array' THEN
        IF (schema -> 'uniqueItems') = 'true' AND (SELECT count(DISTINCT e) < count(*) FROM jsonb_array_elements(value) e) THEN
            RETURN false;
        END IF;
        IF schema ? 'items' THEN
            FOR part IN SELECT jsonb_array_elements(value) LOOP
                IF NOT plpgsql_valid(root, schema -> 'items', part) THEN RETURN false; END IF;
            END LOOP;
        END IF;
    ELSIF kind = 'object' THEN
        IF schema ? 'required' AND NOT value ?& ARRAY(SELECT jsonb_array_elements_text(schema -> 'required')) THEN
            RETURN false;
        END IF;
        IF schema ?| '{properties,additionalProperties}' THEN
            FOR name, part IN SELECT * FROM jsonb_each(value) LOOP
                IF schema -> 'properties' ? name THEN
                    IF NOT plpgsql_valid(root, schema -> 'properties' -> name, part) THEN RETURN false; END IF;
                ELSIF schema ? 'additionalProperties' THEN
                    IF NOT plpgsql_valid(root, schema -> 'additionalProperties', part) THEN RETURN false; END IF;
                END IF;
            END LOOP;
        END IF;
    END IF;
    RETURN true;
END $$;

CREATE TABLE documents (id integer PRIMARY KEY, document jsonb COMPRESSION lz4);
INSERT INTO documents
WITH kinds AS MATERIALIZED (
    SELECT k, jsonb_build_object(
        'moduleId', 'module-' || k, 'status', (ARRAY['completed', 'failed', 'partial'])[1 + k % 3],
        'dateRange', '{"start": "2025-01-01", "end": "2025-01-31"}'::jsonb,
        'summary', jsonb_build_object('total', 100 + k, 'score', 87.5, 'trend', 'up', 'text', repeat('Some text. ', 10)),
        'metrics', (SELECT jsonb_object_agg('metric_' || m, jsonb_build_object('value', m * 1.5, 'unit', 'ms', 'count', m))
                      FROM generate_series(1, 20) m),
        'findings', (SELECT jsonb_agg(jsonb_build_object('id', 'f-' || f, 'title', 'Finding number ' || f, 'count', f,
                            'severity', (ARRAY['low', 'medium', 'high', 'critical'])[1 + f % 4],
                            'description', md5(f || 'a' || k) || md5(f || 'b' || k) || md5(f || 'c' || k),
                            'tags', jsonb_build_array('a', 'b', 'tag ' || f))) FROM generate_series(1, 25 + k % 10) f),
        'recommendations', (SELECT jsonb_agg(jsonb_build_object('priority', 'high', 'message', repeat('m', 60 + r), 'owner', NULL))
                              FROM generate_series(1, 10) r)) AS document
      FROM generate_series(0, 199) k)
SELECT i, document || jsonb_build_object('reportId', i) || CASE WHEN i % 100 = 0 THEN '{"status": "done"}' ELSE '{}'::jsonb END
  FROM generate_series(1, ${DOCUMENTS}) i JOIN kinds ON k = i % 200;
`)
await client.query('VACUUM ANALYZE documents')
await printSettings(client)
console.log(`${await number('SELECT avg(length(document::text))::integer FROM documents WHERE id <= 1000')} bytes of JSON a document`)

const text = JSON.stringify(contract)
const matches = (limit) => number(`SELECT count(*) FROM documents
  WHERE id <= $2 AND execreport.json_matches_schema($1::jsonb, document)`, [text, limit])
const errors = (limit) => number(`SELECT $2 - count(DISTINCT id) FROM documents, execreport.json_schema_errors($1::jsonb, document)
  WHERE id <= $2::integer`, [text, limit])
const validate = new Ajv2020({ strict: false }).compile(contract)

heading('contracts')
await compare({
  what: `${SAMPLE} documents against their contract`,
  per: SAMPLE,
  ours: { label: 'json_matches_schema', run: () => matches(SAMPLE) },
  rivals: [{
    label: 'PL/pgSQL validator',
    target: 100,
    run: () => number('SELECT count(*) FROM documents WHERE id <= $2 AND plpgsql_valid($1::jsonb, $1::jsonb, document)', [text, SAMPLE])
  }]
})
await compare({
  what: `${DOCUMENTS} documents against their contract`,
  per: DOCUMENTS,
  ours: { label: 'json_matches_schema', run: () => matches(DOCUMENTS) },
  rivals: [
    { label: 'json_schema_errors', run: () => errors(DOCUMENTS) },
    {
      label: 'Node, ajv compiled, rows through pg',
      target: 2,
      run: async () => {
        let valid = 0
        for (let from = 1; from <= DOCUMENTS; from += BATCH) {
          const { rows } = await client.query({
            text: 'SELECT document FROM documents WHERE id BETWEEN $1 AND $2', values: [from, from + BATCH - 1], name: 'batch', rowMode: 'array'
          })
          for (const [document] of rows) if (validate(document)) valid++
        }
        return valid
      }
    },
    { label: 'the scan alone', floor: true, answer: false, run: () => number("SELECT count(*) FROM documents WHERE document ? 'none'") }
  ]
})
await client.end()
