/*
 * execreport.c
 *		Entry point of the library: the magic block, the settings and nothing else.
 *
 * The library may be preloaded or loaded on first use. Either way the settings exist from then on; values given
 * before are kept by PostgreSQL as placeholders and taken over here.
 */
#include "execreport.h"

#include <limits.h>

#include "miscadmin.h"

#include "events.h"
#include "flags.h"
#include "flags_cache.h"
#include "metrics.h"
#include "worker.h"

PG_MODULE_MAGIC;

int			er_tenant_id = 0;
char	   *er_user_id = NULL;
int			er_data_lag_days = 0;
char	   *er_feature_flags = NULL;
bool		er_json_schema_format_assertion = false;

int			er_notify_mode = ER_NOTIFY_WORKER;

static int	max_concurrent_backfills = 5;
static int	max_parallel_segments = 10;
static int	max_active_schedules = 100;
static int	min_schedule_interval = 3600;
static int	max_submits_per_minute = 60;
static bool require_approval = false;
static bool rollout_require_verdict = true;
static int	rollout_max_hold = 24 * 60;

static int	event_retention = 3 * 24 * 3600;
static int	notification_retention = 30 * 24 * 3600;
static int	max_notifications_per_hour = 60;
static int	submission_retention = 90 * 24 * 3600;
static int	schedule_run_retention = 90 * 24 * 3600;

static const struct config_enum_entry notify_modes[] = {
	{"commit", ER_NOTIFY_COMMIT, false},
	{"worker", ER_NOTIFY_WORKER, false},
	{"off", ER_NOTIFY_OFF, false},
	{NULL, 0, false}
};
static int	max_capabilities = 10;
static int	max_competencies = 10;
static int	max_skills = 10;
static int	max_roles = 20;
static bool strict_validation = true;
static int	chunk_retention_days = 30;

void
_PG_init(void)
{
	DefineCustomIntVariable("execreport.tenant_id",
							"The tenant this session works for.",
							"0 means not set: the only tenant that the role is a member of, and 1 for superusers.",
							&er_tenant_id, 0, 0, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("execreport.user_id",
							   "The application's user on whose behalf this session works.",
							   "Empty means not set: the role's name is used.",
							   &er_user_id, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.data_lag_days",
							"How many of the newest days are not complete yet.",
							"A relative lookback window ends that many days before as_of, unless its own lagDays says otherwise.",
							&er_data_lag_days, 0, 0, 3650,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("execreport.feature_flags",
							   "Feature flags for the whole server, such as \"execReportsEnabled=true\".",
							   "They stand above the built-in defaults and below what is stored for a tenant or a user.",
							   &er_feature_flags, "",
							   PGC_SUSET, 0, er_check_feature_flags, er_assign_feature_flags, NULL);
	DefineCustomStringVariable("execreport.context",
							   "What is known of who asks for feature flags, as a JSON object.",
							   "Such as {\"targetingKey\": \"ana\", \"plan\": \"premium\"}; what a function's arguments say counts more.",
							   &er_flag_context_setting, "",
							   PGC_USERSET, 0, er_check_flag_context, er_assign_flag_context, NULL);
	DefineCustomBoolVariable("execreport.json_schema_format_assertion",
							 "Whether \"format\" of a JSON Schema refuses values.",
							 "Off, as the specification has it, \"format\" is an annotation only.",
							 &er_json_schema_format_assertion, false,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	/* limits of submit_report(), read in SQL */
	DefineCustomIntVariable("execreport.max_concurrent_backfills",
							"How many unfinished backfills a user may have.",
							NULL, &max_concurrent_backfills, 5, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_parallel_segments",
							"How many segments of a submitted backfill may run at once.",
							NULL, &max_parallel_segments, 10, 1, 10, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_active_schedules",
							"How many active schedules a user may have.",
							NULL, &max_active_schedules, 100, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.min_schedule_interval",
							"The shortest time between two runs of a schedule.",
							NULL, &min_schedule_interval, 3600, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_submits_per_minute",
							"How many reports a user may submit within a minute.",
							NULL, &max_submits_per_minute, 60, 1, 10000, PGC_SUSET, 0, NULL, NULL, NULL);

	/* rollouts and changes of flags, read in SQL */
	DefineCustomBoolVariable("execreport.require_approval",
							 "Whether another person has to approve changes of flags for every tenant.",
							 "What turns a feature off never waits.",
							 &require_approval, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("execreport.rollout_require_verdict",
							 "Whether a rollout waits for a good verdict of a guard before it leaves a stage.",
							 NULL, &rollout_require_verdict, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.rollout_max_hold",
							"How long a rollout may be held until #engineering is told.",
							"0 means never.",
							&rollout_max_hold, 24 * 60, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomEnumVariable("execreport.notify_mode",
							 "Who rings the bell execreport_events when there are new events.",
							 "commit: each transaction that emits; worker: the background worker, and each transaction where none runs; off: nobody.",
							 &er_notify_mode, ER_NOTIFY_WORKER, notify_modes,
							 PGC_SUSET, 0, NULL, NULL, NULL);

	/* what tick() removes, and what is held back; read in SQL */
	DefineCustomIntVariable("execreport.event_retention",
							"How long events are kept.",
							NULL, &event_retention, 3 * 24 * 3600, 60, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.notification_retention",
							"How long notifications are kept that were sent, given up or held back.",
							NULL, &notification_retention, 30 * 24 * 3600, 3600, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.submission_retention",
							"How long submitted reports are kept that neither run nor are scheduled any more.",
							NULL, &submission_retention, 90 * 24 * 3600, 3600, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.schedule_run_retention",
							"How long the runs of schedules are kept that are over.",
							NULL, &schedule_run_retention, 90 * 24 * 3600, 3600, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_notifications_per_hour",
							"How many notifications below severity high a channel of a tenant gets within an hour.",
							"Further ones are held back and counted in the daily digest.",
							&max_notifications_per_hour, 60, 0, 100000, PGC_SUSET, 0, NULL, NULL, NULL);
	/* limits of validate_generation(), read in SQL */
	DefineCustomIntVariable("execreport.max_capabilities",
							"How many capabilities a generated scenario may have.",
							NULL, &max_capabilities, 10, 0, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_competencies",
							"How many competencies a capability of a generated scenario may have.",
							NULL, &max_competencies, 10, 0, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_skills",
							"How many skills a competency of a generated scenario may have.",
							NULL, &max_skills, 10, 0, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.max_roles",
							"How many roles a generated scenario may have.",
							NULL, &max_roles, 20, 0, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("execreport.strict_validation",
							 "Whether every capability of a generated scenario must have competencies, and these skills.",
							 NULL, &strict_validation, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.chunk_retention_days",
							"How long the pieces of a finished answer are kept apart.",
							NULL, &chunk_retention_days, 30, 0, 36500, PGC_SUSET, 0, NULL, NULL, NULL);

	/* shared memory has one size; without it the settings are there and change nothing */
	DefineCustomIntVariable("execreport.max_series",
							"How many series the metrics have room for.",
							"A series is one set of labels of one tenant. Each takes 176 bytes for each of execreport.metric_slices, and 1 kB.",
							&er_max_series, 1000, 4, 100000,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("execreport.metric_slices",
							"How many minutes the metrics can look back.",
							NULL, &er_metric_slices, 120, 2, 1440,
							process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL, NULL);

	DefineCustomStringVariable("execreport.databases",
							   "The databases whose tick() the background worker calls.",
							   "A list of names. It takes effect where the library is in shared_preload_libraries.",
							   &er_worker_databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT, er_check_databases, NULL, NULL);
	DefineCustomIntVariable("execreport.naptime",
							"How long the background worker waits between two ticks.",
							NULL, &er_worker_naptime, 10, 1, 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	MarkGUCPrefixReserved("execreport");

	if (process_shared_preload_libraries_in_progress)
	{
		er_flags_asked_init();
		er_metrics_init();
		er_worker_init();
	}
}
