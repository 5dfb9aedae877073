-- sample.sql: one tenant, one configuration, seven modules. The brand and all figures are invented.
-- Load it as a superuser into a fresh database: psql -1 -f test/data/sample.sql
SELECT tenant_id, name FROM execreport.create_tenant(1, 'Meridian Trail', 'small');
SELECT execreport.update_flags(1, '{"execReportsEnabled": true, "masterReportsEnabled": true, "reportsApiEnabled": true,
    "reportsUiEnabled": true, "consolidationEnabled": true, "councilSynthesisEnabled": true}', 'sample data');

SELECT configuration_id, context_version, context_hash
  FROM execreport.save_configuration(1, jsonb_build_object(
    'name', 'Meridian Trail, United States',
    'brand', '{"name": "Meridian Trail", "domain": "meridiantrail.example", "industry": "Footwear",
        "businessModel": "dtc", "primaryGeography": ["US"], "revenueBand": "20M-50M",
        "targetMarket": "Runners who leave the road"}'::jsonb,
    'categoryDefinition', '{"primaryCategory": "Trail running shoes",
        "included": ["trail running shoes", "ultra running shoes", "trail race shoes"],
        "excluded": ["road running shoes", "hiking boots"],
        "approvedCategories": ["Trail running shoes"],
        "alternativeCategories": [{"category": "Fast hiking shoes", "reason": "Shared lasts and soles",
            "evidence": ["14 % of buyers use them for hiking"], "confidence": 62}]}'::jsonb,
    'competitors', '{"direct": ["Ridgeline", "Corvane"], "indirect": ["Northbound Outdoor"], "marketplaces": ["BigShelf"],
        "competitors": [
            {"name": "Ridgeline", "domain": "ridgeline.example", "tier": "tier1", "status": "approved",
             "similarityScore": 88, "serpOverlap": 64, "sizeProximity": 71, "fundingStage": "public",
             "geoOverlap": ["US"], "evidence": {"whySelected": "Same shelf, same price", "topOverlapKeywords":
             ["trail running shoes", "ultra shoes"], "serpExamples": []}, "addedBy": "human"},
            {"name": "Corvane", "domain": "corvane.example", "tier": "tier2", "status": "approved",
             "similarityScore": 74, "serpOverlap": 41, "sizeProximity": 80, "fundingStage": "series b",
             "geoOverlap": ["US", "CA"], "evidence": {"whySelected": "Undercuts on price", "topOverlapKeywords":
             ["waterproof trail shoes"], "serpExamples": []}, "addedBy": "ai"}],
        "approvedCount": 2, "rejectedCount": 0, "pendingReviewCount": 0}'::jsonb,
    'demandDefinition', '{"brandKeywords": {"seedTerms": ["meridian trail", "meridian shoes"], "topN": 50},
        "nonBrandKeywords": {"categoryTerms": ["trail running shoes", "waterproof trail shoes"],
        "problemTerms": ["shoes for muddy trails", "wide toe box trail shoes"], "topN": 150}}'::jsonb,
    'strategicIntent', '{"growthPriority": "new customers", "riskTolerance": "medium",
        "primaryGoal": "Grow non-brand organic revenue by 25 % this year",
        "secondaryGoals": ["Protect margin"], "avoid": ["permanent discounts on core models"],
        "goalType": "roi", "timeHorizon": "medium", "constraintFlags": {"budgetConstrained": true,
        "resourceLimited": true, "regulatorySensitive": false, "brandProtectionPriority": true}}'::jsonb,
    'channelContext', '{"paidMediaActive": true, "seoInvestmentLevel": "medium", "marketplaceDependence": "low"}'::jsonb,
    'negativeScope', '{"excludedCategories": ["hiking boots"], "excludedKeywords": ["barefoot shoes"],
        "excludedUseCases": [], "excludedCompetitors": ["BigShelf house brand"],
        "categoryExclusions": [{"value": "road running shoes", "matchType": "exact", "semanticSensitivity": "medium",
            "addedBy": "human", "addedAt": "2026-01-12T09:00:00Z", "reason": "Not our category"}],
        "keywordExclusions": [{"value": "replica", "matchType": "semantic", "semanticSensitivity": "medium",
            "addedBy": "human", "addedAt": "2026-01-12T09:00:00Z", "reason": "Brand protection"}],
        "enforcementRules": {"hardExclusion": true, "allowModelSuggestion": true,
            "requireHumanOverrideForExpansion": true}, "auditLog": []}'::jsonb,
    'governance', jsonb_build_object('validationStatus', 'complete', 'blockedReasons', '[]'::jsonb, 'cmoSafe', true,
        'humanVerified', true, 'contextValidUntil', to_char(now() + interval '80 days', 'YYYY-MM-DD'),
        'lastReviewed', to_char(now() - interval '9 days', 'YYYY-MM-DD'), 'reviewedBy', 'dana@meridiantrail.example',
        'contextConfidence', '{"level": "high", "notes": ""}'::jsonb,
        'qualityScore', '{"completeness": 100, "competitorConfidence": 70, "negativeStrength": 80,
            "evidenceCoverage": 65, "overall": 79, "grade": "high"}'::jsonb)),
    'first version');

SELECT id FROM execreport.create_exec_report(1, 'market-demand', $json${
  "moduleId": "market-demand", "hasData": true, "confidence": 0.86,
  "dataSources": ["search volume index"], "dataTimestamp": "2026-03-02T04:00:00Z",
  "rawData": {"months": 24, "keywords": 412},
  "insights": [
    {"id": "md-1", "title": "Waterproof trail shoes peak in October", "content": "Searches for waterproof trail shoes rise from August and reach 2.3 times their mean in October; half of the year's demand falls into ten weeks.", "dataPoint": "index 231 in October", "source": "search volume index", "whyItMatters": "Stock and content have to stand by September.", "severity": "high", "category": "opportunity", "relatedKeywords": ["waterproof trail shoes", "muddy trails"]},
    {"id": "md-2", "title": "Wide toe box demand keeps growing", "content": "Wide toe box terms grew by 38 % in twelve months while the category grew by 6 %.", "dataPoint": "+38 % in 12 months", "source": "search volume index", "whyItMatters": "No model of ours is described by that feature.", "severity": "high", "category": "opportunity", "relatedKeywords": ["wide toe box", "trail running shoes"]},
    {"id": "md-3", "title": "Brand searches are flat", "content": "Searches with the brand's name did not change in a year.", "dataPoint": "+0.4 %", "source": "search volume index", "whyItMatters": "Growth must come from non-brand demand.", "severity": "low", "category": "observation", "relatedKeywords": ["meridian trail"]}],
  "recommendations": [
    {"id": "md-r1", "action": "Publish a buying guide for waterproof trail shoes", "priority": "high", "estimatedImpact": "high", "effort": "low", "timeline": "before August"},
    {"id": "md-r2", "action": "Increase paid search budget", "priority": "medium", "estimatedImpact": "medium", "effort": "low", "timeline": "September to November"},
    {"id": "md-r3", "action": "Bid on brand terms of competitors", "priority": "low", "estimatedImpact": "low", "effort": "low"}],
  "chartsData": [{"type": "line", "title": "Demand by month", "data": [88, 91, 97, 104, 120, 176, 231, 160], "config": {}}],
  "councilContext": {"keyFindings": ["Demand is seasonal"], "dataQuality": "high", "analysisDepth": "comprehensive"},
  "freshnessStatus": {"status": "fresh", "ageDays": 2}, "errors": []}$json$,
  $json${
  "insights": [
    {"id": "md-1", "title": "Waterproof trail shoes peak in October", "content": "Searches for waterproof trail shoes rise from August and reach 2.3 times their mean in October; half of the year's demand falls into ten weeks.", "severity": "high", "category": "opportunity", "relatedKeywords": ["waterproof trail shoes", "muddy trails"]},
    {"id": "md-2", "title": "Wide toe box demand keeps growing", "content": "Wide toe box terms grew by 38 % in twelve months while the category grew by 6 %.", "severity": "high", "category": "opportunity", "relatedKeywords": ["wide toe box", "trail running shoes"]}],
  "recommendations": [
    {"id": "md-r1", "action": "Publish a buying guide for waterproof trail shoes", "priority": "high", "estimatedImpact": "high", "effort": "low", "timeline": "before August"}],
  "deprioritized": ["md-r3"],
  "councilPrompt": "Demand peaks in October. We recommend to have the waterproof range in stock by September. Brand demand is flat."}$json$,
  executed_at => now() - interval '3 hours');

SELECT id FROM execreport.create_exec_report(1, 'keyword-gap', $json${
  "moduleId": "keyword-gap", "hasData": true, "confidence": 0.78,
  "dataSources": ["ranking crawl"], "dataTimestamp": "2026-03-02T05:00:00Z", "rawData": {"keywords": 1260, "gaps": 214},
  "insights": [
    {"id": "kg-1", "type": "gap", "title": "Ridgeline owns the wide toe box results", "description": "Ridgeline stands in the first three results for 31 of 40 wide toe box terms; we are on page two or absent.", "confidence": 0.91, "priority": "high", "keywords": ["wide toe box", "trail running shoes"], "evidence": ["31 of 40 terms", "mean position 17.4"]},
    {"id": "kg-2", "type": "opportunity", "message": "WATERPROOF trail shoes peak in October!", "details": "Positions 8 to 12 for most waterproof terms: one page of effort away from the clicks.", "confidence": 0.74, "priority": "medium", "keywords": ["waterproof trail shoes"], "evidence": ["19 terms in positions 8 to 12"]},
    {"id": "kg-3", "type": "risk", "title": "Product pages lose rankings to category pages", "description": "Two of our own pages compete for 22 terms.", "confidence": 0.66, "priority": "medium", "keywords": ["trail running shoes"], "evidence": ["22 terms"]}],
  "recommendations": [
    {"id": "kg-r1", "title": "Create a wide toe box collection page", "rationale": "Closes the largest gap", "impact": "high", "effort": "medium", "dependencies": []},
    {"id": "kg-r2", "title": "Write a guide about barefoot shoes", "rationale": "Low competition", "impact": "medium", "effort": "low", "dependencies": []},
    {"id": "kg-r3", "title": "Merge competing product pages", "reason": "22 terms are split between two pages", "impact": "medium", "effort": "high", "dependencies": ["cp-r2"]}],
  "chartsData": [], "councilContext": {"keyFindings": ["214 gaps"], "dataQuality": "high", "analysisDepth": "standard"},
  "freshnessStatus": {"status": "fresh", "ageDays": 1}}$json$,
  $json${"insights": [], "recommendations": [], "deprioritized": ["kg-r3"],
  "councilPrompt": "Ridgeline leads on wide toe box. Prioritize one collection page over many articles."}$json$,
  executed_at => now() - interval '5 hours');

SELECT id FROM execreport.create_exec_report(1, 'strategic-summary', $json${
  "moduleId": "strategic-summary", "hasData": true, "confidence": 0.7,
  "dataSources": ["configuration", "module outputs"], "dataTimestamp": "2026-03-02T08:00:00Z", "rawData": {},
  "insights": [
    {"id": "ss-1", "title": "Wide toe box demand keeps growing", "content": "The fastest growing need in the category is not served by name.", "severity": "medium", "category": "opportunity", "relatedKeywords": ["wide toe box"]},
    {"id": "ss-2", "title": "Growth depends on one season", "content": "Ten weeks decide about half of the year's revenue.", "severity": "high", "category": "risk", "relatedKeywords": ["waterproof trail shoes", "seasonality"]}],
  "recommendations": [
    {"id": "ss-r1", "action": "Create a wide toe box collection page", "priority": "high", "estimatedImpact": "High", "effort": "medium", "timeline": "6 weeks"},
    {"id": "ss-r2", "action": "Merge competing product pages", "priority": "medium", "estimatedImpact": "8 to 12 % more organic sessions", "effort": "high", "timeline": "one quarter"}],
  "chartsData": [], "councilContext": {"keyFindings": [], "dataQuality": "medium", "analysisDepth": "standard"},
  "freshnessStatus": {"status": "fresh", "ageDays": 0}}$json$,
  $json${"insights": [], "recommendations": [], "deprioritized": [],
  "councilPrompt": "The suggested order is the collection page first, then the buying guide."}$json$,
  executed_at => now() - interval '1 hour');

SELECT id FROM execreport.create_exec_report(1, 'competitive-positioning', $json${
  "moduleId": "competitive-positioning", "hasData": true, "confidence": 0.64,
  "dataSources": ["site crawl", "reviews"], "dataTimestamp": "2026-03-01T22:00:00Z", "rawData": {"reviews": 5120},
  "insights": [
    {"id": "cp-1", "title": "Reviewers praise grip and criticise width", "content": "Grip is named in 41 % of positive reviews, a narrow fit in 27 % of negative ones.", "dataPoint": "27 % of negative reviews", "source": "reviews", "whyItMatters": "The product answer exists, the page does not say so.", "severity": "medium", "category": "risk", "relatedKeywords": ["wide toe box", "grip"]},
    {"id": "cp-2", "title": "Corvane undercuts by 12 percent", "content": "Corvane's comparable models are 12 % cheaper on average.", "dataPoint": "-12 %", "source": "site crawl", "whyItMatters": "Price comparisons show both brands side by side.", "severity": "high", "category": "risk", "relatedKeywords": ["price", "waterproof trail shoes"]}],
  "recommendations": [
    {"id": "cp-r1", "action": "Show width options on every product page", "priority": "high", "estimatedImpact": "medium", "effort": "low"},
    {"id": "cp-r2", "action": "Rewrite product names around grip", "priority": "medium", "estimatedImpact": "medium", "effort": "medium", "dependencies": ["kg-r9"]}],
  "chartsData": [{"type": "radar", "title": "Position", "data": [4, 3, 5, 2], "config": {"max": 5}}],
  "councilContext": {"keyFindings": ["Grip is ours"], "dataQuality": "medium", "analysisDepth": "comprehensive"},
  "freshnessStatus": {"status": "fresh", "ageDays": 3}}$json$,
  executed_at => now() - interval '8 hours');

SELECT id FROM execreport.create_exec_report(1, 'content-performance', $json${
  "moduleId": "content-performance", "hasData": true, "confidence": 0.81,
  "dataSources": ["web analytics"], "dataTimestamp": "2026-03-02T03:00:00Z", "rawData": {"pages": 318},
  "insights": [
    {"id": "ct-1", "title": "Guides convert twice as well as articles", "content": "Buying guides have a conversion rate of 2.9 %, magazine articles 1.4 %.", "dataPoint": "2.9 % against 1.4 %", "source": "web analytics", "whyItMatters": "The same effort earns twice as much.", "severity": "medium", "category": "opportunity", "relatedKeywords": ["buying guide", "waterproof trail shoes"]},
    {"id": "ct-2", "title": "Product pages lose rankings to category pages.", "content": "Sessions move between two pages for the same terms from week to week.", "dataPoint": "22 terms", "source": "web analytics", "whyItMatters": "Neither page gains authority.", "severity": "high", "category": "risk", "relatedKeywords": ["trail running shoes"]}],
  "recommendations": [
    {"id": "ct-r1", "action": "Publish a buying guide for waterproof trail shoes.", "priority": "high", "estimatedImpact": "high", "effort": "low", "timeline": "July"},
    {"id": "ct-r2", "action": "Stop the weekly magazine", "priority": "low", "estimatedImpact": "low", "effort": "low"}],
  "chartsData": [], "councilContext": {"keyFindings": ["Guides win"], "dataQuality": "high", "analysisDepth": "standard"},
  "freshnessStatus": {"status": "fresh", "ageDays": 1}}$json$,
  $json${"insights": [], "recommendations": [], "deprioritized": ["ct-r2"],
  "councilPrompt": "Guides convert best. The next action is one guide per season."}$json$,
  executed_at => now() - interval '6 hours');

SELECT id FROM execreport.create_exec_report(1, 'pricing-intelligence', $json${
  "moduleId": "pricing-intelligence", "hasData": true, "confidence": 58,
  "dataSources": ["price feed"], "dataTimestamp": "2026-03-02T07:00:00Z", "rawData": {"offers": 940},
  "insights": [
    {"id": "pr-1", "type": "risk", "title": "Corvane undercuts by 12 percent", "description": "The distance grew from 7 to 12 % within a quarter.", "confidence": 71, "priority": "high", "keywords": ["price", "corvane"], "evidence": [{"month": "2026-02", "distance": 0.12}]},
    {"id": "pr-2", "type": "trend", "title": "Bundles hold their price", "description": "Shoes sold with socks are discounted half as often.", "confidence": 55, "priority": "low", "keywords": ["bundle"], "evidence": []}],
  "recommendations": [
    {"id": "pr-r1", "action": "Offer bundles instead of discounts", "rationale": "Keeps the list price", "impact": "medium", "effort": "low", "dependencies": []},
    {"id": "pr-r2", "action": "Reduce paid search budget", "rationale": "Margins fell by two points", "impact": "medium", "effort": "low", "dependencies": []}],
  "chartsData": [], "councilContext": {"keyFindings": [], "dataQuality": "medium", "analysisDepth": "limited"},
  "freshnessStatus": {"status": "moderate", "ageDays": 6, "warning": "feed was late"}}$json$,
  executed_at => now() - interval '2 hours');

SELECT id FROM execreport.create_exec_report(1, 'channel-attribution', $json${
  "moduleId": "channel-attribution", "hasData": true, "confidence": 0.69,
  "dataSources": ["order data"], "dataTimestamp": "2026-03-02T06:00:00Z", "rawData": {"orders": 18211},
  "insights": [
    {"id": "ca-1", "title": "Organic search brings most new customers", "content": "46 % of first orders begin with a non-brand organic visit.", "dataPoint": "46 %", "source": "order data", "whyItMatters": "This is the channel that the goal names.", "severity": "medium", "category": "observation", "relatedKeywords": ["trail running shoes", "new customers"]},
    {"id": "ca-2", "title": "Growth depends on one season", "content": "51 % of first orders fall into September to November.", "dataPoint": "51 %", "source": "order data", "whyItMatters": "A late delivery costs the year.", "severity": "high", "category": "risk", "relatedKeywords": ["seasonality"]}],
  "recommendations": [
    {"id": "ca-r1", "action": "Show width options on every product page", "priority": "medium", "estimatedImpact": "medium", "effort": "low"},
    {"id": "ca-r2", "action": "Bid on brand terms of competitors", "priority": "medium", "estimatedImpact": "medium", "effort": "low"}],
  "chartsData": [{"type": "pie", "title": "First orders", "data": [46, 24, 18, 12], "config": {}}],
  "councilContext": {"keyFindings": ["Organic first"], "dataQuality": "high", "analysisDepth": "standard"},
  "freshnessStatus": {"status": "fresh", "ageDays": 1}}$json$,
  $json${"insights": [], "recommendations": [], "deprioritized": [],
  "councilPrompt": "Prioritize organic search, for it brings most new customers."}$json$,
  executed_at => now() - interval '4 hours');

-- an older and a failed run: neither goes into the report
SELECT id FROM execreport.create_exec_report(1, 'keyword-gap', '{"moduleId": "keyword-gap", "hasData": true, "confidence": 0.5,
    "insights": [{"id": "kg-0", "title": "An older finding", "severity": "low", "category": "observation"}]}',
    executed_at => now() - interval '9 days');
SELECT id FROM execreport.create_exec_report(1, 'pricing-intelligence', '{"moduleId": "pricing-intelligence", "hasData": false,
    "confidence": 0, "insights": [], "recommendations": [], "errors": ["No data available"]}', executed_at => now());
