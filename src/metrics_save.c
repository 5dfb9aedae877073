/*
 * metrics_save.c
 *		Keeping the metrics over a clean restart, as pg_stat_statements keeps its own.
 *
 * The postmaster writes the file when it shuts down and reads it when it starts after a clean shutdown; in either case it
 * is removed then, so that a crash later on does not bring old figures back. After an immediate shutdown PostgreSQL
 * recovers as from a crash, and the metrics begin at 0 like its own statistics. The file holds the series in use with all cells of their rings: a
 * cell names its minute, so a ring of another length takes over what fits. A file that is not whole, or was written by
 * a library with other families, is left out with a line in the log.
 */
#include "metrics.h"

#include <unistd.h>

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define METRICS_FILE		PGSTAT_STAT_PERMANENT_DIRECTORY "/execreport_metrics.stat"
#define MAGIC				0x4D455245	/* "EREM" */
#define FORMAT				1

typedef struct Header
{
	uint32		magic;
	uint32		format;
	uint32		families;		/* checksum of their table */
	int32		nslices;
	int32		nseries;
	TimestampTz reset_at;
	uint64		dropped[ER_METRICS];
	uint64		refused[ER_REFUSALS];
} Header;

/* What one series holds, followed by ER_SHARDS * nslices * ER_MAX_CELLS cells */
typedef struct Entry
{
	ErSeriesKey key;
	uint32		first;
	double		sum;
	uint64		buckets[ER_MAX_CELLS];
} Entry;

static bool write_all(FILE *file);
static bool put(FILE *file, const void *data, Size size, pg_crc32c *crc);
static bool clean_shutdown(void);
static const char *read_all(FILE *file);
static bool get(FILE *file, void *data, Size size, pg_crc32c *crc);
static uint32 families_checksum(void);

/* on_shmem_exit callback of the postmaster */
void
er_metrics_save(int code, Datum arg)
{
	FILE	   *file;

	if (code != 0 || er_metrics_shared == NULL)
		return;					/* after a crash shared memory is not to be trusted */
	file = AllocateFile(METRICS_FILE ".tmp", PG_BINARY_W);
	if (file != NULL)
	{
		bool		written = write_all(file);

		if (FreeFile(file) == 0 && written)
		{
			(void) durable_rename(METRICS_FILE ".tmp", METRICS_FILE, LOG);
			return;
		}
	}
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not write file \"%s\": %m", METRICS_FILE ".tmp")));
	unlink(METRICS_FILE ".tmp");
}

static bool
write_all(FILE *file)
{
	Header		header = {MAGIC, FORMAT, families_checksum(), er_metrics_shared->nslices};
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
		header.nseries += er_metrics_slot(slot)->used;
	header.reset_at = (TimestampTz) pg_atomic_read_u64(&er_metrics_shared->reset_at);
	for (int i = 0; i < ER_METRICS; i++)
		header.dropped[i] = pg_atomic_read_u64(&er_metrics_shared->dropped[i]);
	for (int i = 0; i < ER_REFUSALS; i++)
		header.refused[i] = pg_atomic_read_u64(&er_metrics_shared->refused[i]);
	if (!put(file, &header, sizeof(header), &crc))
		return false;

	for (int slot = 0; slot < er_metrics_shared->nslots; slot++)
	{
		ErSeries   *series = er_metrics_slot(slot);
		Entry		entry;

		if (!series->used)
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.key = series->key;
		entry.first = pg_atomic_read_u32(&series->first);
		entry.sum = er_metrics_sum(series);
		for (int i = 0; i < ER_MAX_CELLS; i++)
			entry.buckets[i] = er_metrics_bucket(series, i);
		if (!put(file, &entry, sizeof(entry), &crc))
			return false;
		for (int slice = 0; slice < ER_SHARDS * er_metrics_shared->nslices; slice++)
		{
			uint64		cells[ER_MAX_CELLS];

			for (int i = 0; i < ER_MAX_CELLS; i++)
				cells[i] = pg_atomic_read_u64(&er_metrics_cells(series, slice % ER_SHARDS, slice / ER_SHARDS)[i]);
			if (!put(file, cells, sizeof(cells), &crc))
				return false;
		}
	}
	FIN_CRC32C(crc);
	return fwrite(&crc, sizeof(crc), 1, file) == 1;
}

static bool
put(FILE *file, const void *data, Size size, pg_crc32c *crc)
{
	COMP_CRC32C(*crc, data, size);
	return fwrite(data, size, 1, file) == 1;
}

/* At the start of the postmaster, shared memory being empty */
void
er_metrics_restore(void)
{
	FILE	   *file = AllocateFile(METRICS_FILE, PG_BINARY_R);
	const char *fault;

	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", METRICS_FILE)));
		return;
	}
	fault = clean_shutdown() ? read_all(file) : "the server was not shut down cleanly";
	FreeFile(file);
	if (fault != NULL)
	{
		er_metrics_empty();
		ereport(LOG,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ignoring file \"%s\": %s", METRICS_FILE, fault),
				 errdetail("The metrics begin at 0.")));
	}
	unlink(METRICS_FILE);
}

static bool
clean_shutdown(void)
{
	bool		intact;
	ControlFileData *control = get_controlfile(DataDir, &intact);
	bool		clean = intact && (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);

	pfree(control);
	return clean;
}

/* What is wrong with the file; NULL when all of it has been taken over */
static const char *
read_all(FILE *file)
{
	Header		header;
	pg_crc32c	crc;
	pg_crc32c	stored;

	INIT_CRC32C(crc);
	if (!get(file, &header, sizeof(header), &crc) || header.magic != MAGIC || header.format != FORMAT)
		return "it is no file of metrics";
	if (header.families != families_checksum())
		return "it was written for other metrics";
	if (header.nslices < 1 || header.nslices > 1440 || header.nseries < 0)
		return "it is damaged";

	for (int n = 0; n < header.nseries; n++)
	{
		Entry		entry;
		ErSeries   *series;

		if (!get(file, &entry, sizeof(entry), &crc))
			return "it is cut short";
		if (entry.key.metric >= ER_METRICS || entry.key.labels[ER_LABEL_BYTES - 1] != '\0')
			return "it is damaged";
		series = er_metrics_enter(&entry.key);	/* NULL when max_series is less than it was */
		if (series == NULL)
			pg_atomic_fetch_add_u64(&er_metrics_shared->dropped[entry.key.metric], 1);
		else
		{
			er_metrics_begin(series, entry.first);
			er_metrics_add_sum(&series->totals[0], entry.sum);
			for (int i = 0; i < ER_MAX_CELLS; i++)
				pg_atomic_write_u64(&series->totals[0].buckets[i], entry.buckets[i]);
		}
		for (int slice = 0; slice < ER_SHARDS * header.nslices; slice++)
		{
			uint64		cells[ER_MAX_CELLS];

			if (!get(file, cells, sizeof(cells), &crc))
				return "it is cut short";
			for (int i = 0; i < ER_MAX_CELLS && series != NULL; i++)
			{
				uint32		minute = (uint32) (cells[i] >> 32);

				if (minute != 0)
					er_metrics_count(&er_metrics_cells(series, 0, minute)[i], minute, (uint32) cells[i]);
			}
		}
	}
	FIN_CRC32C(crc);
	if (fread(&stored, sizeof(stored), 1, file) != 1 || !EQ_CRC32C(crc, stored) || fgetc(file) != EOF)
		return "its checksum is wrong";

	pg_atomic_write_u64(&er_metrics_shared->reset_at, (uint64) header.reset_at);
	for (int i = 0; i < ER_METRICS; i++)
		pg_atomic_fetch_add_u64(&er_metrics_shared->dropped[i], header.dropped[i]);
	for (int i = 0; i < ER_REFUSALS; i++)
		pg_atomic_write_u64(&er_metrics_shared->refused[i], header.refused[i]);
	return NULL;
}

static bool
get(FILE *file, void *data, Size size, pg_crc32c *crc)
{
	if (fread(data, size, 1, file) != 1)
		return false;
	COMP_CRC32C(*crc, data, size);
	return true;
}

static uint32
families_checksum(void)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	for (int metric = 0; metric < ER_METRICS; metric++)
	{
		const ErMetricFamily *family = &er_metric_families[metric];

		COMP_CRC32C(crc, family->name, strlen(family->name) + 1);
		for (int i = 0; i < family->nlabels; i++)
			COMP_CRC32C(crc, family->labels[i].name, strlen(family->labels[i].name) + 1);
		COMP_CRC32C(crc, family->bounds, sizeof(family->bounds));
	}
	FIN_CRC32C(crc);
	return crc;
}
