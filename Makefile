# execreport: build, install and test. `make demo` shows it, `make check` tests it.

EXTENSION = execreport
MODULE_big = execreport
EXT_VERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" execreport.control)

# The floors, lowest first: this list alone decides the order of installation, and a capability uses only what
# stands before it.
SQL_PARTS = schema \
	tenancy \
	audit \
	access \
	lookback segmentation recurrence json_schema \
	contracts contracts_builtin \
	events notifications \
	metrics \
	consolidation \
	flags flags_rules flags_changes \
	configurations exec_reports report_epochs master_reports \
	workflows \
	backfill backfill_queue schedules \
	scenarios scenarios_generations scenarios_accept scenarios_incubation scenarios_backfill \
	report_builder report_builder_plan report_builder_submit \
	health guards guards_define rollback deployment \
	rollout rollout_phases rollout_status \
	maintenance \
	help

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

# PostgreSQL 16 compiles every module like this: what SQL does not call is the library's own
HIDDEN = -fvisibility=hidden -DPGDLLEXPORT='__attribute__((visibility("default")))'
PG_CFLAGS = $(HIDDEN) -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers $(WARNINGS)
DATA_built = sql/$(EXTENSION)--$(EXT_VERSION).sql
EXTRA_CLEAN = $(DATA_built) $(wildcard src/*.gcda src/*.gcno)

PG_CONFIG ?= pg_config
export PG_CONFIG

ours = setup demo demo-psql demo-clean check coverage lint bench scenario-backfill
.PHONY: $(ours)

ifneq ($(filter $(ours),$(MAKECMDGOALS)),)
# Our own goals need no server headers yet: they install what is missing first. PGXS has a goal `check` of its
# own, which only says that it is not supported, so it stays out of the way here.
setup:
	@test/setup build
demo demo-psql demo-clean:
	@test/demo $@
check:
	@test/check $(TEST)
coverage:
	@test/coverage
lint:
	@test/lint
bench:
	@bench/run $(BENCH)
scenario-backfill:
	@test/scenario_backfill
else
PGXS := $(shell $(PG_CONFIG) --pgxs)
REGRESS = $(sort $(basename $(notdir $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --outputdir=$(regress_dir) --load-extension=execreport
regress_dir := $(shell echo $${TMPDIR:-/tmp})/execreport-installcheck
include $(PGXS)

# OpenSSL, where the server has it
override SHLIB_LINK += $(filter -lcrypto,$(LIBS))

$(DATA_built): $(addprefix sql/,$(addsuffix .sql,$(SQL_PARTS))) Makefile
	{ for part in $(SQL_PARTS); do cat sql/$$part.sql || exit 1; echo; done; } > $@.tmp && mv $@.tmp $@

$(OBJS): $(wildcard src/*.h)

# expected/ stands at the top, so the run's output folder holds a link to it
installcheck: regress-dir
.PHONY: regress-dir
regress-dir:
	@mkdir -p $(regress_dir) && ln -sfn $(CURDIR)/expected $(regress_dir)/expected
endif
