// documents.mjs: module outputs of the real shape, the same ones in every run.

const keywords = ['trail running shoes', 'waterproof trail shoes', 'wide toe box', 'ultra shoes', 'grip', 'muddy trails', 'race day',
  'winter running', 'carbon plate', 'price']
const severities = ['high', 'medium', 'low']
const categories = ['opportunity', 'risk', 'observation']

const words = ('growth market search users pages price brand paid organic traffic rank share trend season content links intent mobile local ' +
  'video shopping category competitor margin budget quarter landing conversion session click the of and in for with more less than ' +
  'last this new our their shows moved rises falls while because questions reviews').split(' ')

/** Some words in no order that a compressor could guess: as prose is, and templates are not. The same ones for the same seed. */
function prose(count, seed) {
  let state = seed * 2654435761 % 2147483648
  return Array.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return words[Math.floor(state / 2147483648 * words.length)]
  }).join(' ')
}

/** The output of one module: `insights` findings, the half of them shared with other modules, and ten recommendations. */
export function moduleOutput(insights, seed, moduleId = 'keyword-gap') {
  const pick = (list, i) => list[(i * 7 + seed * 3) % list.length]
  return {
    moduleId, hasData: true, confidence: Number((0.5 + (seed % 5) / 10).toFixed(2)), dataSources: ['ranking crawl'],
    dataTimestamp: '2026-03-02T05:00:00Z', rawData: { keywords: 1260 + seed, gaps: 214 },
    insights: Array.from({ length: insights }, (_, i) => {
      const topic = i % 2 ? i : i + 100 * seed   // odd ones are found by every module
      return {
        id: `${moduleId}-${i}`, title: `Finding ${topic} about ${keywords[topic % keywords.length]}`,
        content: `Cluster ${topic}: ${prose(16, topic + 1)}.`,
        dataPoint: `${topic * 31} searches a month`, source: 'ranking crawl',
        severity: pick(severities, i), category: categories[topic % 3], confidence: Number(((i * 13 % 100) / 100).toFixed(2)),
        relatedKeywords: [pick(keywords, i), pick(keywords, i + 1)],
      }
    }),
    recommendations: Array.from({ length: 10 }, (_, i) => ({
      id: `${moduleId}-r${i}`, action: `Publish page ${i % 2 ? i : i + 10 * seed} on ${keywords[i]}`, priority: pick(severities, i + 1),
      impact: pick(severities, i + 1), effort: pick(['low', 'medium', 'high'], i),
    })),
    chartsData: [], councilContext: { keyFindings: ['Gaps are concentrated'], dataQuality: 'high', analysisDepth: 'standard' },
    freshnessStatus: { status: 'fresh', ageDays: 1 },
  }
}
