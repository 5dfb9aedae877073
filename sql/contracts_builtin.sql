-- contracts_builtin: the documents that this extension takes and gives. They hold for every tenant.
--
-- Where readers take null for an absent member, the contract does, too. Both spellings stand in it where both are read (below
-- the documents stands a list of those whose members all get their snake_case twin); that two spellings of one member agree
-- is for the function that reads them, as is whatever needs a calendar or a table.

INSERT INTO execreport.contracts (tenant_id, name, version, schema, registered_by, registered_at, builtin) VALUES

(0, 'exec-report-output', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "What a module gives back: the output of an exec report",
  "description": "Every output is held to it. All members are optional, others are kept as they are.",
  "type": "object",
  "properties": {
    "moduleId":        {"type": ["string", "null"]},
    "module_id":       {"type": ["string", "null"]},
    "hasData":         {"type": ["boolean", "null"]},
    "errors":          {"type": ["array", "null"]},
    "confidence":      {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    "dataSources":     {"type": ["array", "null"]},
    "dataTimestamp":   {"type": ["string", "null"]},
    "chartsData":      {"type": ["array", "null"], "items": {"type": "object"}},
    "insights":        {"type": ["array", "null"], "items": {"$ref": "#/$defs/insight"}},
    "recommendations": {"type": ["array", "null"], "items": {"$ref": "#/$defs/recommendation"}},
    "councilContext":  {
      "type": ["object", "null"],
      "properties": {
        "keyFindings":   {"type": ["array", "null"], "items": {"type": "string"}},
        "dataQuality":   {"type": ["string", "null"]},
        "analysisDepth": {"type": ["string", "null"]}
      }
    },
    "freshnessStatus": {
      "type": ["object", "null"],
      "properties": {
        "status":  {"type": ["string", "null"]},
        "ageDays": {"type": ["number", "null"]},
        "warning": {"type": ["string", "null"]}
      }
    }
  },
  "$defs": {
    "insight": {
      "type": "object",
      "properties": {
        "id":               {"type": ["string", "number", "null"]},
        "type":             {"type": ["string", "null"]},
        "title":            {"type": ["string", "null"]},
        "message":          {"type": ["string", "null"]},
        "content":          {"type": ["string", "null"]},
        "description":      {"type": ["string", "null"]},
        "details":          {"type": ["string", "null"]},
        "source":           {"type": ["string", "null"]},
        "category":         {"type": ["string", "null"]},
        "severity":         {"type": ["string", "null"]},
        "priority":         {"type": ["string", "null"]},
        "whyItMatters":     {"type": ["string", "null"]},
        "confidence":       {"type": ["number", "null"], "minimum": 0, "maximum": 100},
        "evidence":         {"type": ["array", "null"]},
        "keywords":         {"type": ["array", "null"], "items": {"type": "string"}},
        "relatedKeywords":  {"type": ["array", "null"], "items": {"type": "string"}},
        "related_keywords": {"type": ["array", "null"], "items": {"type": "string"}}
      }
    },
    "recommendation": {
      "type": "object",
      "properties": {
        "id":               {"type": ["string", "number", "null"]},
        "title":            {"type": ["string", "null"]},
        "action":           {"type": ["string", "null"]},
        "theme":            {"type": ["string", "null"]},
        "category":         {"type": ["string", "null"]},
        "priority":         {"type": ["string", "null"]},
        "effort":           {"type": ["string", "null"]},
        "impact":           {"type": ["string", "null"]},
        "timeline":         {"type": ["string", "null"]},
        "reason":           {"type": ["string", "null"]},
        "rationale":        {"type": ["string", "null"]},
        "estimatedImpact":  {"type": ["string", "null"]},
        "estimated_impact": {"type": ["string", "null"]},
        "dependencies":     {"type": ["array", "null"], "items": {"type": ["string", "number"]}}
      }
    }
  }
} $json$, 'execreport', '-infinity', true),

(0, 'playbook-result', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "What a module's playbook makes of its output",
  "type": "object",
  "properties": {
    "insights":        {"type": ["array", "null"], "items": {"$ref": "contract:exec-report-output#/$defs/insight"}},
    "recommendations": {"type": ["array", "null"], "items": {"$ref": "contract:exec-report-output#/$defs/recommendation"}},
    "deprioritized":   {"type": ["array", "null"], "items": {"type": "string"}},
    "councilPrompt":   {"type": ["string", "null"]}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'ucr-configuration', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A configuration: one document of eight sections",
  "description": "Sections and members in camelCase or snake_case. Of the members those that are read; words and dates among them are judged by save_configuration().",
  "type": "object",
  "properties": {
    "name":                {"type": ["string", "null"], "minLength": 1},
    "brand":               {"type": ["object", "null"]},
    "competitors":         {"type": ["object", "null"]},
    "categoryDefinition":  {"type": ["object", "null"]},
    "demandDefinition":    {"type": ["object", "null"]},
    "strategicIntent":     {"type": ["object", "null"]},
    "channelContext":      {"type": ["object", "null"]},
    "negativeScope":       {"$ref": "#/$defs/negativeScope"},
    "governance":          {"$ref": "#/$defs/governance"}
  },
  "additionalProperties": false,
  "$defs": {
    "strings":  {"type": ["array", "null"], "items": {"type": "string"}},
    "exclusion": {
      "type": "object",
      "required": ["value"],
      "properties": {
        "value":                {"type": "string", "minLength": 1},
        "reason":               {"type": ["string", "null"]},
        "expiresAt":            {"type": ["string", "null"]},
        "matchType":            {"type": ["string", "null"]},
        "semanticSensitivity":  {"type": ["string", "null"]}
      }
    },
    "exclusions":          {"type": ["array", "null"], "items": {"$ref": "#/$defs/exclusion"}},
    "enforcementRules": {
      "type": ["object", "null"],
      "properties": {
        "hardExclusion":                        {"type": ["boolean", "null"]},
        "allowModelSuggestion":                 {"type": ["boolean", "null"]},
        "requireHumanOverrideForExpansion":     {"type": ["boolean", "null"]}
      }
    },
    "negativeScope": {
      "type": ["object", "null"],
      "properties": {
        "excludedCategories":    {"$ref": "#/$defs/strings"},
        "excludedKeywords":      {"$ref": "#/$defs/strings"},
        "excludedUseCases":      {"$ref": "#/$defs/strings"},
        "excludedCompetitors":   {"$ref": "#/$defs/strings"},
        "categoryExclusions":    {"$ref": "#/$defs/exclusions"},
        "keywordExclusions":     {"$ref": "#/$defs/exclusions"},
        "useCaseExclusions":     {"$ref": "#/$defs/exclusions"},
        "competitorExclusions":  {"$ref": "#/$defs/exclusions"},
        "enforcementRules":      {"$ref": "#/$defs/enforcementRules"},
        "auditLog":              {"type": ["array", "null"], "items": {"type": "object"}}
      }
    },
    "qualityScore": {
      "type": ["object", "null"],
      "properties": {
        "grade":   {"type": ["string", "null"]},
        "overall": {"type": ["number", "null"], "minimum": 0, "maximum": 100}
      }
    },
    "governance": {
      "type": ["object", "null"],
      "properties": {
        "cmoSafe":             {"type": ["boolean", "null"]},
        "humanVerified":       {"type": ["boolean", "null"]},
        "reviewedBy":          {"type": ["string", "null"]},
        "lastReviewed":        {"type": ["string", "null"]},
        "contextValidUntil":   {"type": ["string", "null"]},
        "blockedReasons":      {"$ref": "#/$defs/strings"},
        "validationStatus":    {"type": ["string", "null"]},
        "qualityScore":        {"$ref": "#/$defs/qualityScore"}
      }
    }
  }
} $json$, 'execreport', '-infinity', true),

(0, 'master-report', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A master report as the API gives it, and as create_master_report() takes it",
  "type": "object",
  "required": ["configurationId", "ucrSnapshot", "execReports", "consolidatedInsights", "consolidatedRecommendations",
               "councilSynthesis", "modulesIncluded", "overallConfidence", "dataFreshness"],
  "properties": {
    "id":                          {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
    "configurationId":             {"type": "integer", "minimum": 1, "maximum": 2147483647},
    "contextVersion":              {"type": ["integer", "null"], "minimum": 1, "maximum": 2147483647},
    "contextHash":                 {"type": ["string", "null"], "minLength": 1},
    "generatedAt":                 {"type": ["string", "null"]},
    "ucrSnapshot":                 {"type": "object"},
    "execReports":                 {"type": "array", "items": {
      "type": "object",
      "properties": {
        "id":              {"type": "string", "minLength": 1},
        "moduleId":        {"type": "string", "minLength": 1},
        "configurationId": {"type": "integer"},
        "contextVersion":  {"type": "integer"},
        "contextHash":     {"type": "string"},
        "executedAt":      {"type": "string"},
        "playbookResult":  {"type": ["object", "null"]}
      }
    }},
    "consolidatedInsights":        {"type": "array", "items": {"type": "object"}},
    "consolidatedRecommendations": {"type": "array", "items": {"type": "object"}},
    "councilSynthesis": {
      "type": "object",
      "required": ["keyThemes", "crossModulePatterns", "prioritizedActions"],
      "properties": {
        "keyThemes":           {"type": "array", "items": {"type": "string"}},
        "crossModulePatterns": {"type": "array", "items": {"type": "string"}},
        "prioritizedActions":  {"type": "array", "items": {"type": "string"}}
      }
    },
    "modulesIncluded":             {"type": "array", "items": {"type": "string"}},
    "overallConfidence":           {"type": "number", "minimum": 0, "maximum": 100},
    "confidenceBasis":             {"type": ["integer", "null"], "minimum": 0, "maximum": 2147483647},
    "dataFreshness":               {"type": "string", "enum": ["fresh", "moderate", "stale"]}
  },
  "additionalProperties": false
} $json$, 'execreport', '-infinity', true),

(0, 'exec-report', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "An exec report as the API gives it",
  "type": "object",
  "required": ["id", "moduleId", "configurationId", "contextVersion", "contextHash", "executedAt", "output"],
  "properties": {
    "id":              {"type": "string", "minLength": 1, "maxLength": 200},
    "moduleId":        {"type": "string", "minLength": 1, "maxLength": 100},
    "configurationId": {"type": "integer", "minimum": 1, "maximum": 2147483647},
    "contextVersion":  {"type": "integer", "minimum": 1, "maximum": 2147483647},
    "contextHash":     {"type": "string", "minLength": 1},
    "executedAt":      {"type": "string"},
    "output":          {"$ref": "contract:exec-report-output"},
    "playbookResult":  {
      "$ref": "contract:playbook-result",
      "required": ["insights", "recommendations", "deprioritized", "councilPrompt"],
      "properties": {
        "insights":        {"type": "array"},
        "recommendations": {"type": "array"},
        "deprioritized":   {"type": "array"},
        "councilPrompt":   {"type": "string"}
      }
    }
  },
  "additionalProperties": false
} $json$, 'execreport', '-infinity', true),

(0, 'flags', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Feature flags: true, false, or null to take an override back",
  "type": "object",
  "propertyNames": {"minLength": 1},
  "additionalProperties": {"type": ["boolean", "null"]}
} $json$, 'execreport', '-infinity', true),

(0, 'lookback-config', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A lookback: so many units back, or two days",
  "description": "{} is the last 7 days.",
  "type": "object",
  "properties": {
    "type":       {"enum": ["relative", "custom"]},
    "value":      {"type": "integer", "minimum": 1, "maximum": 4000000},
    "unit":       {"enum": ["days", "weeks", "months"]},
    "lagDays":    {"$ref": "#/$defs/lagDays"},
    "startDate":  {"$ref": "#/$defs/day"},
    "endDate":    {"$ref": "#/$defs/day"}
  },
  "additionalProperties": false,
  "if": {"minProperties": 1},
  "then": {
    "required": ["type"],
    "if": {"properties": {"type": {"const": "custom"}}},
    "then": {
      "allOf": [
        {"anyOf": [{"required": ["startDate"]}, {"required": ["start_date"]}]},
        {"anyOf": [{"required": ["endDate"]}, {"required": ["end_date"]}]}
      ],
      "properties": {"value": false, "unit": false, "lagDays": false}
    },
    "else": {
      "required": ["value", "unit"],
      "properties": {"startDate": false, "endDate": false}
    }
  },
  "$defs": {
    "lagDays": {"type": "integer", "minimum": 0, "maximum": 4000000},
    "day":     {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'segmentation-config', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "How a window is cut into segments",
  "description": "{} is weekly from the first day.",
  "type": "object",
  "properties": {
    "type":           {"enum": ["daily", "weekly", "monthly", "quarterly"]},
    "align":          {"enum": ["anchor", "calendar"]},
    "parallelLimit":  {"$ref": "#/$defs/parallelLimit"},
    "retryFailed":    {"type": "boolean"}
  },
  "additionalProperties": false,
  "$defs": {
    "parallelLimit": {"type": "integer", "minimum": 1, "maximum": 10}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'schedule-config', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "When a schedule runs",
  "type": "object",
  "required": ["frequency", "time", "timezone"],
  "properties": {
    "frequency":    {"enum": ["once", "daily", "weekly", "monthly"]},
    "time":         {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"},
    "timezone":     {"type": "string", "pattern": "^(UTC|Etc/GMT[+-]?[0-9]{1,2}|[A-Za-z_-]+(/[A-Za-z_-]+)+)$"},
    "daysOfWeek":   {"$ref": "#/$defs/daysOfWeek"},
    "dayOfMonth":   {"$ref": "#/$defs/dayOfMonth"},
    "interval":     {"type": "integer", "minimum": 1, "maximum": 1000},
    "startDate":    {"$ref": "contract:lookback-config#/$defs/day"},
    "endDate":      {"$ref": "contract:lookback-config#/$defs/day"},
    "endsAt":       {"$ref": "#/$defs/instant"},
    "maxRuns":      {"$ref": "#/$defs/maxRuns"},
    "monthEnd":     {"enum": ["clamp", "skip"]},
    "dstGap":       {"enum": ["shift", "skip"]},
    "dstOverlap":   {"enum": ["first", "second", "both"]},
    "jitter":       {"type": "integer", "minimum": 0, "maximum": 3600}
  },
  "additionalProperties": false,
  "allOf": [
    {
      "if": {"properties": {"frequency": {"const": "once"}}},
      "then": {
        "$ref": "#/$defs/startDateGiven",
        "properties": {"interval": false, "endDate": false, "endsAt": false, "maxRuns": false}
      }
    },
    {
      "if": {"properties": {"frequency": {"const": "weekly"}}},
      "then": {"anyOf": [{"required": ["daysOfWeek"]}, {"required": ["days_of_week"]}]}
    },
    {
      "if": {"properties": {"frequency": {"const": "monthly"}}},
      "then": {"anyOf": [{"required": ["dayOfMonth"]}, {"required": ["day_of_month"]}]}
    },
    {
      "if": {"anyOf": [
        {"required": ["maxRuns"]},
        {"required": ["max_runs"]},
        {"required": ["interval"], "properties": {"interval": {"exclusiveMinimum": 1}}}
      ]},
      "then": {"$ref": "#/$defs/startDateGiven"}
    }
  ],
  "$defs": {
    "daysOfWeek": {
      "description": "ISO weekdays, 1 is Monday and 7 is Sunday; 0 is Sunday, too",
      "type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 7}
    },
    "dayOfMonth": {
      "description": "1 to 31, or -1, the last day, to -31 counted from the end",
      "type": "integer", "minimum": -31, "maximum": 31, "not": {"const": 0}
    },
    "maxRuns": {"type": "integer", "minimum": 1, "maximum": 100000},
    "instant": {
      "type": "string",
      "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})$"
    },
    "startDateGiven": {"anyOf": [{"required": ["startDate"]}, {"required": ["start_date"]}]}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'backfill-config', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "How much history is collected along with a new schedule",
  "type": "object",
  "properties": {
    "days":            {"$ref": "#/$defs/length"},
    "periods":         {"$ref": "#/$defs/length"},
    "segmentation":    {"$ref": "#/$defs/segmentType"},
    "segmentType":     {"$ref": "#/$defs/segmentType"},
    "parallelLimit":   {"$ref": "#/$defs/parallelLimit"},
    "includeCurrent":  {"type": ["boolean", "null"]}
  },
  "additionalProperties": false,
  "not": {
    "description": "days or periods, not both",
    "required": ["days", "periods"],
    "properties": {"days": {"not": {"type": "null"}}, "periods": {"not": {"type": "null"}}}
  },
  "$defs": {
    "length":        {"type": ["integer", "null"], "minimum": 1, "maximum": 4000},
    "segmentType":   {"enum": ["daily", "weekly", "monthly", "quarterly", null]},
    "parallelLimit": {"type": ["integer", "null"], "minimum": 1, "maximum": 10}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'report-builder', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "The document of the report builder: what its steps say together",
  "description": "Members in camelCase or snake_case; no step needs all of them.",
  "type": "object",
  "properties": {
    "workflowId":          {"$ref": "#/$defs/uuid"},
    "draftId":             {"$ref": "#/$defs/uuid"},
    "requestKey":          {"type": ["string", "null"], "minLength": 1},
    "parameters":          {"type": ["object", "null"]},
    "asOf":                {"type": ["string", "null"]},
    "scheduleType":        {"$ref": "#/$defs/scheduleType"},
    "lookbackConfig":      {"$ref": "#/$defs/lookbackConfig"},
    "segmentationConfig":  {"$ref": "#/$defs/segmentationConfig"},
    "scheduleConfig":      {"$ref": "#/$defs/scheduleConfig"},
    "backfillConfig":      {"$ref": "#/$defs/backfillConfig"}
  },
  "additionalProperties": false,
  "$defs": {
    "uuid": {
      "type": ["string", "null"],
      "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
    },
    "scheduleType":       {"enum": ["once", "scheduled", "backfill_with_schedule", null]},
    "lookbackConfig":     {"if": {"type": "null"}, "else": {"$ref": "contract:lookback-config"}},
    "segmentationConfig": {"if": {"type": "null"}, "else": {"$ref": "contract:segmentation-config"}},
    "scheduleConfig":     {"if": {"type": "null"}, "else": {"$ref": "contract:schedule-config"}},
    "backfillConfig":     {"if": {"type": "null"}, "else": {"$ref": "contract:backfill-config"}}
  }
} $json$, 'execreport', '-infinity', true),

(0, 'generated-scenario', '1', $json$ {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A scenario as a language model writes it",
  "description": "At most 10 capabilities, 10 competencies each, 10 skills each and 20 roles. Whether ids are unique and refer to something, and whether percentages add up to 100, is for the import.",
  "type": "object",
  "required": ["scenario_metadata"],
  "properties": {
    "scenario_metadata": {
      "type": "object",
      "required": ["name"],
      "properties": {
        "name":                    {"$ref": "#/$defs/name"},
        "description":             {"type": ["string", "null"]},
        "scenario_type":           {"type": ["string", "null"]},
        "horizon_months":          {"$ref": "#/$defs/months"},
        "planning_horizon_months": {"$ref": "#/$defs/months"},
        "generated_at":            {"type": ["string", "null"]},
        "confidence_score":        {"$ref": "#/$defs/share"}
      }
    },
    "capabilities":    {"type": "array", "maxItems": 10, "items": {"$ref": "#/$defs/capability"}},
    "suggested_roles": {"type": ["array", "null"], "maxItems": 20, "items": {"$ref": "#/$defs/role"}},
    "roles":           {"$ref": "#/properties/suggested_roles"},
    "impact_analysis": {"type": ["array", "null"]},
    "assumptions":     {"type": ["array", "null"]},
    "confidence_score": {"$ref": "#/$defs/share"}
  },
  "$defs": {
    "name":   {"type": "string", "pattern": "\\S"},
    "id":     {"type": ["string", "null"], "maxLength": 191},
    "months": {"type": ["integer", "null"], "minimum": 1, "maximum": 1200},
    "share":  {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "level":  {"type": ["integer", "null"], "minimum": 1, "maximum": 5},
    "percentage": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    "capability": {
      "type": "object",
      "required": ["name"],
      "properties": {
        "id":             {"$ref": "#/$defs/id"},
        "name":           {"$ref": "#/$defs/name"},
        "description":    {"type": ["string", "null"]},
        "required_level": {"$ref": "#/$defs/level"},
        "competencies":   {"type": ["array", "null"], "maxItems": 10, "items": {"$ref": "#/$defs/competency"}}
      }
    },
    "competency": {
      "type": "object",
      "required": ["name"],
      "properties": {
        "id":             {"$ref": "#/$defs/id"},
        "name":           {"$ref": "#/$defs/name"},
        "description":    {"type": ["string", "null"]},
        "required_level": {"$ref": "#/$defs/level"},
        "skills":         {"type": ["array", "null"], "maxItems": 10, "items": {"$ref": "#/$defs/skill"}}
      }
    },
    "skill": {
      "description": "a name, or an object with a name",
      "type": ["string", "object"],
      "pattern": "\\S",
      "required": ["name"],
      "properties": {
        "id":             {"$ref": "#/$defs/id"},
        "name":           {"$ref": "#/$defs/name"},
        "description":    {"type": ["string", "null"]},
        "required_level": {"$ref": "#/$defs/level"}
      }
    },
    "role": {
      "type": "object",
      "required": ["name"],
      "properties": {
        "id":               {"$ref": "#/$defs/id"},
        "name":             {"$ref": "#/$defs/name"},
        "description":      {"type": ["string", "null"]},
        "estimated_fte":    {"type": ["number", "null"], "minimum": 0, "maximum": 1000000},
        "key_competencies": {"type": ["array", "null"], "items": {"$ref": "#/$defs/name"}},
        "talent_composition": {
          "type": ["object", "null"],
          "properties": {
            "human_percentage":     {"$ref": "#/$defs/percentage"},
            "synthetic_percentage": {"$ref": "#/$defs/percentage"},
            "strategy_suggestion":  {"enum": ["Buy", "Build", "Borrow", "Synthetic", "Hybrid", null]},
            "logic_justification":  {"type": ["string", "null"]}
          }
        }
      }
    }
  }
} $json$, 'execreport', '-infinity', true);

-- these are read in both spellings throughout
CREATE FUNCTION execreport._both_spellings(schema jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE jsonb_typeof(schema)
        WHEN 'object' THEN (
            SELECT jsonb_object_agg(m.key, CASE m.key WHEN 'properties' THEN v.value || (
                       SELECT jsonb_object_agg(lower(regexp_replace(p.key, '([A-Z])', E'_\\1', 'g')), p.value) FROM jsonb_each(v.value) AS p)
                       ELSE v.value END)
              FROM jsonb_each(schema) AS m, execreport._both_spellings(m.value) AS v (value))
        WHEN 'array' THEN (SELECT jsonb_agg(execreport._both_spellings(e.item) ORDER BY e.n) FROM jsonb_array_elements(schema) WITH ORDINALITY AS e (item, n))
        ELSE schema END;
END
$$;
UPDATE execreport.contracts AS c
   SET schema = execreport._both_spellings(c.schema)
 WHERE c.name IN ('playbook-result', 'ucr-configuration', 'lookback-config', 'segmentation-config', 'schedule-config', 'backfill-config', 'report-builder');
DROP FUNCTION execreport._both_spellings(jsonb);

-- what refers to others gets them along
UPDATE execreport.contracts AS c
   SET bundle = execreport._bundle_contract(c.tenant_id, c.name, c.schema)
 WHERE c.builtin;

-- Hot paths read no table: there the contract is a constant.
DO $$
DECLARE
    contract record;
BEGIN
    FOR contract IN
        SELECT c.name, format('_%s_contract', replace(c.name, '-', '_')) AS function, coalesce(c.bundle, c.schema) AS schema
          FROM execreport.contracts AS c
         WHERE c.builtin AND c.name IN ('exec-report-output', 'playbook-result')
    LOOP
        EXECUTE format('CREATE FUNCTION execreport.%I() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %L::jsonb',
                       contract.function, contract.schema);
        EXECUTE format('COMMENT ON FUNCTION execreport.%I() IS %L', contract.function,
                       format('The built-in contract %s as a constant.', contract.name));
    END LOOP;
END
$$;
