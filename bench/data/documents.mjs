// documents.mjs: module outputs of the real shape, the same ones in every run.

const keywords = ['trail running shoes', 'waterproof trail shoes', 'wide toe box', 'ultra shoes', 'grip', 'muddy trails', 'race day',
  'winter running', 'carbon plate', 'price']
const severities = ['high', 'medium', 'low']
const categories = ['opportunity', 'risk', 'observation']

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
        content: `Competitors stand in the first three results for cluster ${topic}; demand grew by ${topic % 40} percent within a quarter.`,
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
