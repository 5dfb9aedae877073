# The runbook of the import, block by block as the page has it, on a database like the one it is for: scenarios without their
# prompts in two tenants. Then its refusals.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('runbook');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE staging');
$node->safe_psql('staging', q{
CREATE EXTENSION execreport;
SELECT execreport.create_tenant(2, 'Second');
CREATE FUNCTION legacy(tenant integer, n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('execreport.tenant_id', tenant::text, true);
    PERFORM execreport.request_generation('Plan ' || i || E' \\ ''quoted'' for ana@example.com', '{"model": "m"}') FROM generate_series(1, n) AS i;
    UPDATE execreport._scenario_generations SET status = 'complete', completed_at = now(), accepted_at = now(), accepted_by = 'ana'
     WHERE tenant_id = tenant;
    INSERT INTO execreport._scenarios (tenant_id, name, source_generation_id, updated_at)
    SELECT tenant, 'Legacy', id, '2025-01-01' FROM execreport._scenario_generations WHERE tenant_id = tenant;
END $$;
SELECT legacy(1, 1500), legacy(2, 3);
DROP FUNCTION legacy;
});

my $dir = PostgreSQL::Test::Utils::tempdir();
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'staging';
$ENV{BACKUP_DIR} = $dir;
my $digest = q{SELECT md5((SELECT string_agg(s::text, ',' ORDER BY s.id) FROM execreport._scenarios AS s)
	|| (SELECT string_agg(g::text, ',' ORDER BY g.id) FROM execreport._scenario_generations AS g))};
my $before = $node->safe_psql('staging', $digest);
my $prompts = q{SELECT tenant_id, count(accepted_prompt) FROM execreport._scenarios WHERE name = 'Legacy' GROUP BY 1 ORDER BY 1};

sub run_script
{
	my ($script) = @_;
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ 'bash', '-euo', 'pipefail' ], '<', \$script, '>', \$out, '2>', \$err);
	return ($done, $out, $err, $? >> 8);
}

# what a step has to have done
my %after = (
	'1. Backup' => sub {
		ok(glob("$dir/staging_*.dump"), 'there is a backup');
		is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'staging_verify'"), '0', 'the trial of it is gone');
	},
	'2. Maintenance mode' => sub {
		my ($status, $out, $err) = $node->psql('staging', q{SELECT execreport.request_generation('now')});
		like($err, qr/Scenarios get their prompts/, 'writers are refused');
		($status, $out, $err) = $node->psql('staging', q{SELECT execreport.promote('[]')});
		like($err, qr/Scenarios get their prompts/, 'and whoever promotes');
	},
	'4. Dry run' => sub {
		is($node->safe_psql('staging', $digest), $before, 'a dry run changes nothing');
		is($node->safe_psql('staging', 'SELECT count(*) FROM execreport.prompt_backfills'), '0', 'and leaves no run');
	},
	'5. Apply' => sub {
		is($node->safe_psql('staging', $prompts), "1|1500\n2|3", 'all tenants have their prompts');
		is($node->safe_psql('staging', q{SELECT count(*) FROM execreport._scenarios AS s JOIN execreport._scenario_generations AS g
			ON g.tenant_id = s.tenant_id AND g.id = s.source_generation_id AND g.prompt = s.accepted_prompt AND g.scenario_id = s.id}), '1503',
			'and these are the prompts of their generations');
	},
	'8. Three samples: generate, accept with import' => sub {
		is($node->safe_psql('staging', q{SELECT name, status FROM execreport.scenarios WHERE status <> 'draft' ORDER BY name COLLATE "C"}),
			"Data team 2027|incubating\nSupport within the hour|incubating\nTiendas en l\xc3\xadnea|incubating", 'three scenarios wait');
		is($node->safe_psql('staging', q{SELECT count(DISTINCT id) FROM execreport.skills WHERE name = 'SQL'}), '1', 'a skill is there once');
	},
	'10. Promote, and look at the audit' => sub {
		is($node->safe_psql('staging', q{SELECT status, count(*) FROM execreport.scenarios GROUP BY 1 ORDER BY 1}),
			"approved|1\ndraft|1500\nincubated|2", 'states follow');
		is($node->safe_psql('staging', q{SELECT count(*) FROM execreport.catalogue WHERE status <> 'active'}), '0', 'the catalogue is active');
		is($node->safe_psql('staging', q{SELECT count(*) FROM execreport.catalogue AS c WHERE NOT EXISTS (SELECT FROM execreport.audit_logs AS a
			WHERE a.action = 'promote' AND a.entity_type = c.type AND a.entity_id = c.id::text)}), '0', 'every promotion is audited');
	});

my $page = slurp_file('docs/scenario-import.md');
my ($heading, $language, $block, $blocks) = ('', undef, '', 0);
foreach my $line (split /\n/, $page)
{
	if (defined $language)
	{
		if ($line ne '```') { $block .= "$line\n"; next }
		$blocks++;
		my $name = (split /\n/, $block)[0];
		# variables last from block to block
		my $script = "set -a\n[ ! -f '$dir/state' ] || . '$dir/state'\n"
			. ($language eq 'sql' ? "psql -X -q -v ON_ERROR_STOP=1 <<'END_OF_BLOCK'\n${block}END_OF_BLOCK\n" : $block)
			. "export -p >'$dir/state'\n";
		my ($done, $out, $err) = run_script($script);
		ok($done, "$heading: " . substr($name, 0, 60)) or diag($block, $out, $err);
		if ($heading eq 'Rollback' && $language eq 'sql')
		{
			is($node->safe_psql('staging', $prompts), "1|0\n2|3", 'the backfill of the tenant is taken back');
			is($node->safe_psql('staging', q{SELECT execreport.is_flag_enabled(1, 'import_generation')}), 'f', 'no more imports');
		}
		($language, $block) = (undef, '');
	}
	elsif ($line =~ /^```(sh|sql)$/) { $language = $1 }
	elsif ($line =~ /^## (.*)/)
	{
		my $check = delete $after{$heading};
		$check->() if $check;
		$heading = $1;
	}
}
cmp_ok($blocks, '>=', 18, 'the page has its blocks');
is(join(', ', sort keys %after), '', 'every step was met');

# after the whole rollback everything is as it was; what failed is kept beside it
is($node->safe_psql('staging', $digest), $before, 'the restored database is the one before');
is($node->safe_psql('postgres', q{SELECT datname, datallowconn FROM pg_database WHERE datname LIKE 'staging%' ORDER BY 1}),
	"staging|t\nstaging_failed|f", 'the failed one is kept');
is($node->safe_psql('staging', q{SELECT bool_and(passed) FROM execreport.pre_import_checks()}), 't', 'the runbook could begin again');

# refusals: each with its status, and nothing is changed
my ($backup) = glob("$dir/staging_*.dump");
append_to_file("$dir/junk", 'not a dump');
my $dump = slurp_file($backup);
append_to_file("$dir/cut", substr($dump, 0, int(length($dump) * 0.9)));
$node->safe_psql('postgres', 'CREATE DATABASE other');
system('pg_dump', '-Fc', '-f', "$dir/other", 'other');
foreach my $case (
	[ 'APPLY=1', 2, qr/APPLY=1 needs BACKUP/ ],
	[ "APPLY=1 BACKUP=$dir/none", 2, qr/no readable backup/ ],
	[ "APPLY=1 BACKUP=$dir/junk", 2, qr/pg_restore cannot read/ ],
	[ "APPLY=1 BACKUP=$dir/cut", 2, qr/cannot read .* to its end/ ],
	[ "APPLY=1 BACKUP=$dir/other", 2, qr/holds no data of execreport/ ],
	[ "APPLY=1 BACKUP=$backup CONFIRM=yes", 3, qr/not confirmed/ ],
	[ 'APPLY=maybe', 1, qr/APPLY is 1/ ],
	[ 'PGDATABASE=nowhere', 1, qr/nowhere/ ])
{
	my ($settings, $status, $message) = @$case;
	my ($done, $out, $err, $got) = run_script("env $settings test/scenario_backfill");
	is($got, $status, "$settings: status") or diag($out, $err);
	like($err, $message, 'and why');
	(my $shown = $settings) =~ s/^PGDATABASE=\S+//;
	next if $shown eq '';
	($done, $out, $err, $got) = run_script("make scenario-backfill $settings");
	like($err, qr/Error $status/, 'make says the status');
}
is($node->safe_psql('staging', $digest), $before, 'nothing is changed');
my ($done, $out, $err) = run_script("make scenario-backfill APPLY=1 BACKUP=$backup CONFIRM=I_CONFIRM TENANT=2");
ok($done, 'one tenant') or diag($out, $err);
is($node->safe_psql('staging', $prompts), "1|0\n2|3", 'alone');

$node->stop;
done_testing();
