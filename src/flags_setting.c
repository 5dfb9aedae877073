/*
 * flags_setting.c
 *		The setting execreport.feature_flags: "a=true,b=false".
 *
 * The hooks judge only how it is written, for they also run where there is no database. What is not written as it must
 * be is refused as a whole: SET fails, and the server goes on without a faulty line of its configuration file.
 */
#include "flags.h"

#include "mb/pg_wchar.h"

#define MAX_SHOWN	64			/* bytes of a value in an error */

uint64		er_flag_setting_generation = 1;

/*
 * Flags and values are written as they must be, and no flag stands twice. Which flags there are is asked at the first
 * lookup.
 */
bool
er_check_feature_flags(char **newval, void **extra, GucSource source)
{
	const char *fault = NULL;
	ErFlagSetting setting,
				other;
	const char *p = *newval;

	while ((p = er_next_flag_setting(p, &setting, &fault)) != NULL)
	{
		const char *q = p;

		while ((q = er_next_flag_setting(q, &other, &fault)) != NULL)
		{
			if (setting.len == other.len && memcmp(setting.flag, other.flag, setting.len) == 0)
			{
				GUC_check_errdetail("Flag \"%.*s\" stands twice.",
									pg_mbcliplen(setting.flag, setting.len, MAX_SHOWN), setting.flag);
				return false;
			}
		}
	}
	if (fault == NULL)
		return true;
	GUC_check_errdetail("%s near \"%.*s\".", "Expected flag=true or flag=false, separated by commas,",
						pg_mbcliplen(fault, strlen(fault), MAX_SHOWN), fault);
	return false;
}

void
er_assign_feature_flags(const char *newval, void *extra)
{
	er_flag_setting_generation++;
}

/*
 * Reads the next "flag=true" or "flag=false" from p and returns where the one after it begins. NULL at the end, and
 * where something else stands: then *fault points there.
 */
const char *
er_next_flag_setting(const char *p, ErFlagSetting *setting, const char **fault)
{
	static const char *const blank = " \t\r\n";
	const char *start;

	if (p == NULL)
		return NULL;
	p += strspn(p, blank);
	if (*p == '\0')
		return NULL;
	start = p;
	setting->flag = p;
	setting->len = strcspn(p, " \t\r\n=,\"'");
	p += setting->len;
	p += strspn(p, blank);
	if (setting->len == 0 || *p != '=')
	{
		*fault = start;
		return NULL;
	}
	p++;
	p += strspn(p, blank);
	if (strncmp(p, "true", 4) == 0)
	{
		setting->enabled = true;
		p += 4;
	}
	else if (strncmp(p, "false", 5) == 0)
	{
		setting->enabled = false;
		p += 5;
	}
	else
	{
		*fault = start;
		return NULL;
	}
	p += strspn(p, blank);
	if (*p == '\0')
		return p;
	if (*p != ',' || p[1 + strspn(p + 1, blank)] == '\0')
	{
		*fault = start;
		return NULL;
	}
	return p + 1;
}
