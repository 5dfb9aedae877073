/*
 * metrics_attempts.c
 *		Successes and failures of making a report.
 *
 * An attempt belongs to the (sub)transaction that it was begun in. Ended, it waits for the commit: what is rolled back was
 * not made, and counts neither as a success nor as a failure. Still open when its (sub)transaction aborts, it counts as a
 * failure at once, whatever becomes of the transaction around it. PREPARE TRANSACTION counts as the commit: from
 * then on the report is durable, and COMMIT PREPARED may happen in another session.
 *
 * The series are found when the attempt begins: after a commit, and in an abort, nothing may fail. Both outcomes
 * thereby have a series from the first attempt on, so that a first failure is a rise from 0 to whoever scrapes.
 *
 * Many attempts that ended in one (sub)transaction are kept as one, so a transaction may make any number of reports.
 */
#include "metrics.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "tenancy.h"

#define SITES				64	/* remembered series, a power of two */
#define SITE_BYTES			112
#define MERGE_DEPTH			16

/* What an attempt counts into, remembered for a tenant, kind and module */
typedef struct AttemptSeries
{
	ErSeriesHandle success;		/* none of consolidations */
	ErSeriesHandle failure;
	ErSeriesHandle duration;
} AttemptSeries;

typedef struct AttemptSite
{
	int32		tenant_id;
	ErAttemptKind kind;
	int			len;
	char		module_id[SITE_BYTES];
	AttemptSeries series;
} AttemptSite;

typedef struct Attempt
{
	SubTransactionId subid;
	bool		open;
	ErAttemptKind kind;
	AttemptSeries series;
	instr_time	start;			/* when open */
	uint32		count;			/* of the ended ones, with their durations */
	uint32		buckets[ER_MAX_CELLS];
	double		sum;
} Attempt;

static Attempt *attempts = NULL;	/* of the running transaction, the latest last */
static int	nattempts = 0;
static int	capacity = 0;
static AttemptSite *sites = NULL;
static bool callbacks_registered = false;

static const char *const kind_names[] = {"exec", "master", "consolidation"};

static AttemptSeries find_series(ErAttemptKind kind, int32 tenant_id, const char *module_id, int len);
static AttemptSeries resolve_series(ErAttemptKind kind, int32 tenant_id, const char *module_id, int len);
static Attempt *push(void);
static void merge_last(void);
static void count_failure(const Attempt *attempt, TimestampTz now);
static void transaction_ends(XactEvent event, void *arg);
static void subtransaction_ends(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg);
static ErAttemptKind parse_kind(const text *name);

PG_FUNCTION_INFO_V1(er_sql_attempt_begin);
PG_FUNCTION_INFO_V1(er_sql_attempt_end);

/* _attempt_begin(kind, module_id) */
Datum
er_sql_attempt_begin(PG_FUNCTION_ARGS)
{
	const text *module_id = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	ErAttemptKind kind;

	er_metrics_require_own();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("kind is null"),
				 errdetail("A kind is exec, master or consolidation.")));
	kind = parse_kind(PG_GETARG_TEXT_PP(0));
	if (er_metrics_shared != NULL)
		er_attempt_begin(kind, er_current_tenant_id(), module_id == NULL ? "" : VARDATA_ANY(module_id),
						 module_id == NULL ? 0 : VARSIZE_ANY_EXHDR(module_id));
	PG_RETURN_VOID();
}

Datum
er_sql_attempt_end(PG_FUNCTION_ARGS)
{
	er_metrics_require_own();
	er_attempt_end(PG_ARGISNULL(0) || PG_GETARG_BOOL(0));
	PG_RETURN_VOID();
}

void
er_attempt_begin(ErAttemptKind kind, int32 tenant_id, const char *module_id, int len)
{
	AttemptSeries series;
	Attempt    *attempt;

	/* a parallel worker's transaction is the leader's, who counts it */
	if (er_metrics_shared == NULL || IsParallelWorker())
		return;
	if (!callbacks_registered)
	{
		RegisterXactCallback(transaction_ends, NULL);
		RegisterSubXactCallback(subtransaction_ends, NULL);
		callbacks_registered = true;
	}
	series = find_series(kind, tenant_id, module_id, len);
	attempt = push();
	attempt->subid = GetCurrentSubTransactionId();
	attempt->open = true;
	attempt->kind = kind;
	attempt->series = series;
	attempt->count = 0;
	INSTR_TIME_SET_CURRENT(attempt->start);
}

/* Ends the attempt that was begun last and is still open; without one, nothing. */
void
er_attempt_end(bool made)
{
	const ErMetricFamily *family;
	instr_time	duration;
	double		seconds;
	int			bucket = 0;
	int			i = nattempts - 1;
	Attempt    *attempt;

	while (i >= 0 && !attempts[i].open)
		i--;
	if (i < 0)
		return;
	attempt = &attempts[i];
	/* rolled back with the (sub)transaction that stored the report, which may lie within the one of the beginning */
	attempt->subid = GetCurrentSubTransactionId();
	attempt->open = false;
	attempt->count = 0;
	attempt->sum = 0;
	memset(attempt->buckets, 0, sizeof(attempt->buckets));
	if (made)
	{
		INSTR_TIME_SET_CURRENT(duration);
		INSTR_TIME_SUBTRACT(duration, attempt->start);
		seconds = Max(INSTR_TIME_GET_DOUBLE(duration), 0);
		family = &er_metric_families[attempt->kind == ER_ATTEMPT_CONSOLIDATION ? ER_CONSOLIDATION_SECONDS : ER_REPORT_GENERATION_SECONDS];
		while (bucket < family->nbounds && seconds > family->bounds[bucket])
			bucket++;
		attempt->count = 1;
		attempt->buckets[bucket] = 1;
		attempt->sum = seconds;
	}
	if (i < nattempts - 1)
		return;
	if (made)
		merge_last();
	else
		nattempts--;
}

static AttemptSeries
find_series(ErAttemptKind kind, int32 tenant_id, const char *module_id, int len)
{
	uint32		generation = pg_atomic_read_u32(&er_metrics_shared->generation);
	uint32		hash = (uint32) tenant_id * 31 + kind * 7 + len;
	AttemptSite *site;

	if (len > SITE_BYTES)
		return resolve_series(kind, tenant_id, module_id, len);
	for (int i = 0; i < len; i++)
		hash = hash * 31 + (unsigned char) module_id[i];
	if (sites == NULL)
		sites = MemoryContextAllocZero(TopMemoryContext, SITES * sizeof(AttemptSite));
	site = &sites[hash % SITES];
	if (site->series.success.generation == generation && site->tenant_id == tenant_id && site->kind == kind &&
		site->len == len && memcmp(site->module_id, module_id, len) == 0)
		return site->series;

	site->series.success.generation = 0;
	site->tenant_id = tenant_id;
	site->kind = kind;
	site->len = len;
	memcpy(site->module_id, module_id, len);
	site->series = resolve_series(kind, tenant_id, module_id, len);
	return site->series;
}

static AttemptSeries
resolve_series(ErAttemptKind kind, int32 tenant_id, const char *module_id, int len)
{
	AttemptSeries series;
	char	   *module = pnstrdup(module_id, len);
	const char *created[ER_MAX_LABELS] = {module, "true"};
	const char *generated[ER_MAX_LABELS] = {kind_names[kind], module};

	if (kind == ER_ATTEMPT_EXEC)
	{
		series.success = er_metrics_handle(tenant_id, ER_EXEC_REPORTS_CREATED, created);
		created[1] = "false";
		series.failure = er_metrics_handle(tenant_id, ER_EXEC_REPORTS_CREATED, created);
	}
	else if (kind == ER_ATTEMPT_CONSOLIDATION)
	{
		memset(&series, 0, sizeof(series));
		series.success.generation = pg_atomic_read_u32(&er_metrics_shared->generation);
	}
	else
	{
		series.success = er_metrics_handle(tenant_id, ER_MASTER_REPORTS_CREATED, &created[1]);
		created[1] = "false";
		series.failure = er_metrics_handle(tenant_id, ER_MASTER_REPORTS_CREATED, &created[1]);
	}
	series.duration = kind == ER_ATTEMPT_CONSOLIDATION ? er_metrics_handle(tenant_id, ER_CONSOLIDATION_SECONDS, NULL)
		: er_metrics_handle(tenant_id, ER_REPORT_GENERATION_SECONDS, generated);
	pfree(module);
	return series;
}

static Attempt *
push(void)
{
	if (nattempts == capacity)
	{
		int			wanted = Max(2 * capacity, 16);

		if (attempts == NULL)
			attempts = MemoryContextAlloc(TopMemoryContext, wanted * sizeof(Attempt));
		else
			attempts = repalloc_huge(attempts, wanted * sizeof(Attempt));
		capacity = wanted;
	}
	return &attempts[nattempts++];
}

/* The last one into one of the few before it, when they may only come and go together. */
static void
merge_last(void)
{
	Attempt    *last = &attempts[nattempts - 1];

	if (last->open)
		return;
	for (int i = nattempts - 2; i >= Max(nattempts - 1 - MERGE_DEPTH, 0); i--)
	{
		Attempt    *before = &attempts[i];

		if (before->open || before->subid != last->subid)
			return;
		if (last->series.duration.series != before->series.duration.series ||
			last->series.success.series != before->series.success.series ||
			last->series.duration.generation != before->series.duration.generation ||
			before->count > PG_UINT32_MAX - last->count)
			continue;
		before->count += last->count;
		before->sum += last->sum;
		for (int bucket = 0; bucket < ER_MAX_CELLS; bucket++)
			before->buckets[bucket] += last->buckets[bucket];
		nattempts--;
		return;
	}
}

static void
count_failure(const Attempt *attempt, TimestampTz now)
{
	if (attempt->kind != ER_ATTEMPT_CONSOLIDATION)
		er_metrics_record(attempt->series.failure, 1, now);
}

static void
transaction_ends(XactEvent event, void *arg)
{
	TimestampTz now;

	if (nattempts == 0 ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_PREPARE && event != XACT_EVENT_ABORT))
		return;
	now = GetCurrentTimestamp();
	for (int i = 0; i < nattempts; i++)
	{
		Attempt    *attempt = &attempts[i];

		if (event == XACT_EVENT_ABORT)
		{
			if (attempt->open)
				count_failure(attempt, now);
		}
		else if (!attempt->open)
		{
			if (attempt->kind != ER_ATTEMPT_CONSOLIDATION)
				er_metrics_record(attempt->series.success, attempt->count, now);
			er_metrics_record_many(attempt->series.duration, attempt->buckets, attempt->sum, now);
		}
	}
	nattempts = 0;
	if (capacity > 1024)
	{
		pfree(attempts);
		attempts = NULL;
		capacity = 0;
	}
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	int			first = nattempts;

	/* attempts end in the reverse order of their beginning, so those of the innermost subtransaction come last */
	while (first > 0 && attempts[first - 1].subid == subid)
		first--;
	if (first == nattempts)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = first; i < nattempts; i++)
			attempts[i].subid = parent;
		merge_last();
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		for (int i = first; i < nattempts; i++)
		{
			if (attempts[i].open)
				count_failure(&attempts[i], GetCurrentTimestamp());
		}
		nattempts = first;
	}
}

static ErAttemptKind
parse_kind(const text *name)
{
	for (int kind = 0; kind < lengthof(kind_names); kind++)
	{
		if (strlen(kind_names[kind]) == VARSIZE_ANY_EXHDR(name) &&
			memcmp(kind_names[kind], VARDATA_ANY(name), strlen(kind_names[kind])) == 0)
			return kind;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind \"%.*s\"", pg_mbcliplen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), 64), VARDATA_ANY(name)),
			 errdetail("A kind is exec, master or consolidation.")));
}
