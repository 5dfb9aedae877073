# Nothing is lost in dump and restore: every table is filled through the API, dumped, restored in two formats, compared
# row by row, and written to again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', 'CREATE EXTENSION execreport');
$node->run_log([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('source'),
		'-f', 'data/sample.sql' ]) or die 'the sample does not load';
$node->safe_psql('source', q{
	CREATE ROLE app;
	SELECT execreport.create_tenant(1, 'First'), execreport.create_tenant(2, 'Second', 'large');
	SELECT execreport.grant_access('app', 2, 'editor');
	SET execreport.tenant_id = 2;
	SELECT execreport.update_flags(2, '{"execReportsEnabled": true}', 'test'),
	       execreport.update_user_flags('ana', '{"reportsApiEnabled": true}', 'test');
	SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'test'),
	       execreport.set_kill_switch('masterReportsEnabled', true, 'test', 2);
	SELECT execreport.define_segment('staff', '{"constraints": [{"contextName": "userId", "operator": "IN", "values": ["ana"]}]}'),
	       execreport.define_flag('newCharts', '{"rules": [{"segments": ["staff"]}]}');
	INSERT INTO execreport.flag_rollouts (flag, percentage) VALUES ('newCharts', 5);
	SELECT execreport.register_contract('dumped', '1', '{"$ref": "flags"}'), execreport.register_module('scored', 'Scored', 'demand', 'dumped');
	SELECT execreport.save_configuration(NULL, '{"brand": {"name": "Second"}}');
	SELECT execreport.save_configuration(1, '{"brand": {"name": "Second again"}}');
	SELECT execreport.create_schedule(execreport.create_workflow('Second'),
		'{"frequency": "daily", "time": "09:00", "timezone": "Europe/London"}', now => '2026-01-01');
	SELECT count(*) FROM execreport.run_due_schedules('2026-01-03');
	SELECT execreport.save_draft(NULL, 'parameters', '{"lookbackConfig": {"type": "relative", "value": 7, "unit": "days"}}');
	SELECT execreport.submit_report(jsonb_build_object('workflowId', (SELECT workflow_id FROM execreport.workflows LIMIT 1),
		'scheduleType', 'once', 'requestKey', 'dumped',
		'lookbackConfig', '{"type": "relative", "value": 14, "unit": "days"}'::jsonb));
	RESET execreport.tenant_id;
	SELECT execreport.generate_master_reports();
	SELECT execreport.start_rollout('councilSynthesisEnabled', ARRAY['bob'], now => '2026-01-01');
	SELECT execreport.schedule_flag_change('councilSynthesisEnabled', '{"percentage": 100}', '2099-02-01');
	SELECT execreport.create_tenant(3), execreport.set_maintenance(true, 'moving', 3);
	SELECT execreport._notify(0, '#engineering', 'dumped', 'info', '{"a": 1}', 'dumped');
	SELECT execreport._emit(2, 'test', 'dumped', 'old'), execreport._emit(2, 'test', 'dumped', 'kept');
	UPDATE execreport.events SET created_at = '2025-01-01' WHERE key = 'old';
	SELECT execreport.define_guard('dumped', '{"kind": "error_rate", "flags": ["reportsUiEnabled"]}');
	SELECT count(*) FROM execreport.run_guards();
	SELECT count(*) FROM execreport.emergency_rollback('exec-reports', '{2}', 'test');
	SELECT execreport.resume('execReportsEnabled', 'test', 2);
});
$node->safe_psql('source', q{SET client_min_messages = error; CALL execreport.tick('2026-01-03')});

# the rows of every table of ours, as one digest each
my $tables = q{SELECT c.relname FROM pg_extension AS e JOIN pg_class AS c ON c.oid = ANY (e.extconfig)
	WHERE e.extname = 'execreport' AND c.relkind IN ('r', 'p') ORDER BY 1};
my @tables = split /\n/, $node->safe_psql('source', $tables);
cmp_ok(scalar(@tables), '>', 5, 'there are tables to compare');
my $digest = sub {
	my ($database, $table) = @_;
	return $node->safe_psql($database,
		"SELECT count(*) || ' rows ' || coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")), '') FROM execreport.$table AS t");
};
foreach my $table (@tables)
{
	unlike($digest->('source', $table), qr/^0 rows/, "$table has rows to lose");
}

my $dir = PostgreSQL::Test::Utils::tempdir();
foreach my $format ('plain', 'custom')
{
	my $target = "restored_$format";
	$node->safe_psql('postgres', "CREATE DATABASE $target");
	$node->command_ok([ 'pg_dump', '-F', $format, '-f', "$dir/$format", '-d', $node->connstr('source') ], "$format: dump");
	if ($format eq 'plain')
	{
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($target), '-f', "$dir/plain" ],
			'plain: restore');
	}
	else
	{
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $node->connstr($target), "$dir/custom" ],
			'custom: restore');
	}
	is($node->safe_psql($target, $tables), join("\n", @tables), "$format: the same tables");
	foreach my $table (@tables)
	{
		is($digest->($target, $table), $digest->('source', $table), "$format: $table is whole");
	}

	# and it goes on working
	is($node->safe_psql($target, q{SELECT tenant_id, name, size FROM execreport.tenants ORDER BY 1}),
		"1|First|small\n2|Second|large\n3||", "$format: tenants");
	is($node->safe_psql($target, q{SET ROLE app; SELECT execreport.current_tenant()}), '2', "$format: members");
	is($node->safe_psql($target, q{SELECT execreport._in_maintenance(3), execreport._in_maintenance(2)}), 't|f', "$format: maintenance");
	is($node->safe_psql($target, q{SET ROLE app; SELECT string_agg(key, ' ') FROM execreport.poll_events('oldest', '{test}')}), 'kept', "$format: events");
	is($node->safe_psql($target, q{SELECT execreport._notify(0, '#engineering', 'dumped', 'info', NULL, 'dumped') IS NULL}), 't', "$format: notifications");
	is($node->safe_psql($target, q{SELECT execreport.is_flag_enabled(2, 'execReportsEnabled'),
		execreport.is_flag_enabled(2, 'masterReportsEnabled'), execreport.is_flag_enabled(1, 'newCharts', 'ana')}), 't|f|t',
		"$format: flags");
	is($node->safe_psql($target, q{SELECT execreport.is_flag_enabled(1, 'councilSynthesisEnabled', 'bob');
		SELECT execreport.advance_rollout('councilSynthesisEnabled', now => '2026-01-02') ~ 'phase 5percent';
		SELECT execreport._apply_due_changes('2099-02-01'); SELECT execreport.is_flag_enabled(1, 'councilSynthesisEnabled')}),
		"t\nt\n1\nt", "$format: a rollout and a scheduled change go on");
	is($node->safe_psql($target, q{SET ROLE app; SELECT configuration_id FROM execreport.save_configuration(NULL, '{"brand": {"name": "New"}}')}),
		'2', "$format: a new configuration takes the next number");
	is($node->safe_psql($target, q{SET ROLE app; SELECT count(*) FROM execreport.run_due_schedules('2026-01-05 10:00+00')}),
		'1', "$format: a schedule goes on");
	is($node->safe_psql($target, q{SELECT count(*) FROM execreport.generate_master_report(
		(SELECT min(configuration_id) FROM execreport.configurations WHERE tenant_id = 1))}),
		'1', "$format: a master report");
	like($node->safe_psql($target, q{SELECT id FROM execreport.create_exec_report(
		(SELECT min(configuration_id) FROM execreport.configurations WHERE tenant_id = 1), 'keyword-gap', '{}')}),
		qr/^exec-keyword-gap-/, "$format: an exec report");
}

$node->stop;
done_testing();
