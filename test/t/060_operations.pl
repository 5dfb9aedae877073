# The scripts of docs/operations.md, run as they stand there, with short times: each exit code, and what it leaves.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('operations');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'execreport'");
$node->start;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'postgres';

my $dir = PostgreSQL::Test::Utils::tempdir();
my $page = slurp_file('docs/operations.md');
my %scripts;
while ($page =~ /^```sh\n(#!\/bin\/sh\n# ([a-z-]+\.sh)\b.*?)^```$/msg)
{
	$scripts{$2} = 1;
	append_to_file("$dir/$2", $1);
}
is(join(' ', sort keys %scripts), 'canary.sh check-health.sh deploy.sh emergency-rollback.sh full-rollout.sh resume.sh validate.sh',
	'the page has its scripts');
my $fences = () = $page =~ /^```sh$/mg;
is($fences, scalar(keys %scripts), 'and every block is one');

# run a script: its exit code and what it printed
sub run_script
{
	my ($name, @arguments) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'sh', "$dir/$name", @arguments ], '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $out . $err);
}

sub sql
{
	return $node->safe_psql('postgres', shift);
}

# deployment
my ($code, $out) = run_script('deploy.sh');
is($code, 0, 'deploy: everything is installed and checked');
is(scalar(() = $out =~ /^ok\|/mg), 12, 'six checks before and six after') or diag($out);
sql(q{SELECT count(execreport.create_tenant(t)) FROM generate_series(2, 40) AS t});
sql(q{SELECT execreport.update_flags(3, '{"reportsUiEnabled": true}')});
($code, $out) = run_script('deploy.sh');
is($code, 1, 'deploy: a flag that is on already fails');
like($out, qr/^FAILED\|Feature Flags\|high\|Flags enabled: reportsUiEnabled \(tenant 3\)$/m, 'and is named');
($code, $out) = run_script('deploy.sh', '{"reportsUiEnabled": null}');
is($code, 0, 'unless that is expected');

# databases in other encodings are as good
foreach my $encoding (qw(SQL_ASCII LATIN1 EUC_JP))
{
	$node->safe_psql('postgres', "CREATE DATABASE other TEMPLATE template0 ENCODING $encoding LC_COLLATE 'C' LC_CTYPE 'C'");
	is($node->safe_psql('other', 'CREATE EXTENSION execreport; SELECT string_agg(name || $$: $$ || details, $$, $$) FROM execreport.predeploy_check() WHERE NOT passed'),
		'', "$encoding: all checks before a deployment pass");
	# the second byte of one and the first of the next are those of an accented letter in UTF8
	is($node->safe_psql('other', q{WITH t (goods) AS (SELECT convert_from('\xb4c3a1a1', getdatabaseencoding()))
		SELECT execreport.consolidate_recommendations(jsonb_build_array(jsonb_build_object('moduleId', 'm', 'output', jsonb_build_object('recommendations',
			jsonb_build_array(jsonb_build_object('action', 'increase ' || goods), jsonb_build_object('action', 'reduce ' || goods))))))
			#>> '{0,conflicts,0,reason}' = 'opposite actions on "' || goods || '"' FROM t}),
		't', "$encoding: letters of other encodings are left alone");
	$node->safe_psql('postgres', 'DROP DATABASE other');
}

# canary
sql(q{ALTER DATABASE postgres SET execreport.require_approval = on});
($code, $out) = run_script('canary.sh', 5, 1, 1);
is($code, 1, 'canary: nothing to watch while an approval is needed') or diag($out);
like($out, qr/waits for approval.*there is nothing to watch/s, 'it says so');
sql(q{ALTER DATABASE postgres RESET execreport.require_approval});
($code, $out) = run_script('canary.sh', 5, 1, 1);
is($code, 0, 'canary: no trouble') or diag($out);
like($out, qr/no trouble at 5 % for 1 s/, 'it says so');
is(sql(q{SELECT DISTINCT percentage FROM execreport.flag_rollouts}), '5', 'and 5 % have it');
($code, $out) = run_script('full-rollout.sh', 0, 1);
is($code, 0, 'full rollout') or diag($out);
like($out, qr/no trouble at 25 %.*no trouble at 50 %.*no trouble at 100 %/s, 'in three steps');
is(sql(q{SELECT DISTINCT percentage FROM execreport.flag_rollouts}), '100', 'everybody has it');
like($out, qr/^ok\|Feature Flags\|high\|as expected$/m, 'as the validation says');

# trouble during the canary: what cannot be stored
sql(q{ALTER TABLE execreport.exec_reports ADD CONSTRAINT broken CHECK (configuration_id > 0) NOT VALID});
($code, $out) = run_script('check-health.sh');
is($code, 1, 'check-health: unhealthy');
like($out, qr/^unhealthy\|exec_reports\|ExecReports error/m, 'and what');
($code, $out) = run_script('canary.sh', 100, 30, 1);
is($code, 1, 'canary: rolled back') or diag($out);
is(sql(q{SELECT count(*) FROM execreport.kill_switches WHERE tenant_id = 0}), '6', 'all six flags are off');
is(sql(q{SELECT count(*) FROM execreport.audit_logs WHERE action = 'rollback' AND reason LIKE 'canary at 100 \%: exec_reports: %'}), '1',
	'one audit row says why');
($code, $out) = run_script('validate.sh');
is($code, 1, 'validate: fails');
like($out, qr/^FAILED\|Health.*^FAILED\|Kill Switches/ms, 'by health and kill switches');
sql(q{ALTER TABLE execreport.exec_reports DROP CONSTRAINT broken});
($code, $out) = run_script('check-health.sh');
is($code, 0, 'check-health: well again');

# recovery
foreach my $flag (split /\n/, sql(q{SELECT key FROM execreport.flags WHERE key LIKE '%Enabled'}))
{
	($code, $out) = run_script('resume.sh', $flag, "it's repaired");
	is($code, 0, "resume: $flag") or diag($out);
}
($code, $out) = run_script('resume.sh', 'execReportsEnabled', 'again');
is($code, 1, 'resume: nothing to do');
is((run_script('resume.sh'))[0], 2, 'resume: usage');
is((run_script('resume.sh', 'noFlag', 'x'))[0], 3, 'resume: an unknown flag');
is(sql(q{SELECT execreport.is_flag_enabled(40, 'execReportsEnabled')}), 't', 'the rollout holds again');
($code, $out) = run_script('canary.sh', 100, 1, 1);
is($code, 3, 'canary: not within the cooldown') or diag($out);
like($out, qr/cool/, 'as it says');

# emergencies
($code, $out) = run_script('emergency-rollback.sh', 'master-reports', q{it's "slow"; DROP}, '7,12');
is($code, 0, 'emergency: two tenants') or diag($out);
is($out, "tenant 7|masterReportsEnabled|on -> off\ntenant 12|masterReportsEnabled|on -> off\n", 'and what it changed');
is(sql(q{SELECT string_agg(reason, '|') FROM execreport.kill_switches}), q{it's "slow"; DROP|it's "slow"; DROP}, 'the reason as it was given');
($code, $out) = run_script('emergency-rollback.sh', 'reports', 'x');
is($code, 2, 'emergency: an unknown target');
like($out, qr/exec-reports, master-reports, reports-api, reports-ui or all/, 'lists them');
is((run_script('emergency-rollback.sh', 'all'))[0], 2, 'emergency: usage');
is((run_script('emergency-rollback.sh', 'all', ''))[0], 3, 'emergency: no reason');
($code, $out) = run_script('emergency-rollback.sh', 'all', 'drill');
is($code, 0, 'emergency: everything');
is(scalar(() = $out =~ /^every tenant\|\w+\|(on|off) -> off$/mg), 6, 'six flags') or diag($out);

# a lock that somebody holds: the emergency does not wait for long
sql(q{SELECT execreport.resume(key, 'drill') FROM execreport.flags WHERE builtin});
{
	my ($in, $o, $e) = ('', '', '');
	my $psql = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$o, '2>', \$e);
	$in .= "BEGIN; SELECT execreport.set_kill_switch('reportsUiEnabled', true, 'held'); SELECT 'held';\n";
	$psql->pump until $o =~ /held/;
	my $began = time;
	($code, $out) = run_script('emergency-rollback.sh', 'reports-ui', 'x');
	is($code, 3, 'emergency: a lock is held');
	like($out, qr/lock timeout/, 'that is the reason');
	cmp_ok(time - $began, '<', 60, 'after two seconds');
	$in .= "ROLLBACK;\n\\q\n";
	$psql->finish;
}

# a person who cancels a check is obeyed; a backend that dies in run_guards leaves nothing
sql(q{CREATE FUNCTION execreport._health_slow(OUT status text, OUT message text, OUT metrics jsonb) LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(4); status := 'healthy'; END $$});
foreach my $case ([ 'pg_cancel_backend', 'SELECT component FROM execreport.check_health()', qr/canceling statement due to user request/ ],
	[ 'pg_terminate_backend', 'SELECT guard FROM execreport.run_guards()', qr/terminating connection/ ])
{
	my ($how, $statement, $error) = @$case;
	my ($in, $o, $e) = ('', '', '');
	my $psql = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' application_name=victim', '-c', $statement ],
		'<', \$in, '>', \$o, '2>', \$e);
	ok($node->poll_query_until('postgres', qq{SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'victim' AND wait_event = 'PgSleep'}), "$how: it is at it");
	$psql->finish;
	like($e, $error, "$how: it ends");
}
is(sql(q{SELECT count(*) FROM execreport.guard_verdicts}), '0', 'no verdict is left');
sql(q{DROP FUNCTION execreport._health_slow()});
is(sql(q{SELECT count(DISTINCT guard) FROM execreport.run_guards()}), '3', 'the next caller judges');

# a standby is checked without writing
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT component, status, message FROM execreport.check_health() LIMIT 2}),
	"exec_reports|skipped|not checked: the server is a standby\nmaster_reports|skipped|not checked: the server is a standby", 'a standby skips what writes');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM execreport.check_health() WHERE status = 'unhealthy'}), '0', 'and is well');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM execreport.check_rollback_conditions()}), '0', 'conditions are read there, too');
$standby->stop;

# no database
$node->stop;
is((run_script($_, $_ eq 'emergency-rollback.sh' ? ('all', 'x') : ()))[0], 3, "$_: no answer") foreach qw(check-health.sh validate.sh canary.sh emergency-rollback.sh deploy.sh);
done_testing();
