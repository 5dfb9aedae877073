// flags_buckets.mjs: the buckets that npm's unleash-client deals to 100,000 ids, as one digest per kind of id and group.
//
//   npm install unleash-client@6.12.1        (in a folder of its own, with this file in it)
//   node flags_buckets.mjs > flags_buckets.csv
//
// Columns: kind of id, group, total (0: the percentage of a rollout; else the sum of weights of variants), number of ids,
// MD5 of the buckets joined by commas. The ids of a kind are made of the numbers 1 to 25,000; they are ASCII, where the SDKs
// for all languages agree, but for those of the kind "accented", where the one for Node stands alone.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const util = require(join(dirname(require.resolve('unleash-client')), 'strategy', 'util.js'))
const md5 = (text) => createHash('md5').update(text).digest('hex')

export const KINDS = {
  number: (n) => `${n}`,
  email: (n) => `user-${n}@example.com`,
  hex: (n) => md5(`${n}`),
  mixed: (n) => `${'x'.repeat(n % 9)} ${n % 7}:${n}`,
  accented: (n) => `Zoë ${n} €𝄞`,
}
export const GROUPS = ['reports', 'newCharts', 'g', 'a group, of "many" words: 1']
const COUNT = 25_000

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [kind, id] of Object.entries(KINDS)) {
    for (const group of GROUPS) {
      for (const total of [0, 100, 1000, 7]) {
        const buckets = Array.from({ length: COUNT }, (_, i) => total === 0
          ? util.normalizedStrategyValue(id(i + 1), group) : util.normalizedVariantValue(id(i + 1), group, total))
        console.log([kind, `"${group.replaceAll('"', '""')}"`, total, COUNT, md5(buckets.join(','))].join(','))
      }
    }
  }
}
