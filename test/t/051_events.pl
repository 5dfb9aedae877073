# Cursors across crashes, restores and standbys: a reader that keeps its cursor sees every event, or is told of a gap; it never
# misses one in silence, although transaction numbers begin anew in another cluster and come back after a crash.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('events');
$node->init(allows_streaming => 1);
# commits that nobody waits for, and memory enough that nothing is written for want of it
$node->append_conf('postgresql.conf', "fsync = on\nsynchronous_commit = off\nautovacuum = off\nrestart_after_crash = on\nshared_buffers = 64MB\nwal_buffers = 4MB");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION execreport; CREATE TABLE work (n integer)');

sub emit
{
	my ($server, $key) = @_;
	return $server->safe_psql('postgres', "SELECT execreport._emit(1, 'test', 'made', '$key')");
}

# the keys after a cursor, and the cursor behind them
sub follow
{
	my ($server, $cursor) = @_;
	my @keys;
	foreach my $row (split /\n/, $server->safe_psql('postgres', qq{
		SELECT concat_ws('|', answer, next_cursor, key) FROM execreport.poll_events($cursor)}))
	{
		my ($answer, $next, $key) = split /\|/, $row;
		push @keys, $answer eq 'event' ? $key : $answer unless $answer eq 'end' || $answer eq 'start';
		$cursor = "'$next'";
	}
	return (join(' ', @keys), $cursor);
}
my ($keys, $cursor) = follow($node, 'NULL');
emit($node, 'a');
emit($node, 'b');
($keys, $cursor) = follow($node, $cursor);
is($keys, 'a b', 'two events');

# A crash forgets commits that were not flushed; numbers that no event has used come back.
my $before = $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
$node->safe_psql('postgres', join('', map { "INSERT INTO work VALUES ($_);" } 1 .. 50));
my ($idle_keys, $idle_cursor) = follow($node, $cursor);
emit($node, 'c');
($keys, $cursor) = follow($node, $cursor);
is($keys, 'c', 'an event before the crash');
# the writer stops before them, and dies after them
my $writer = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'});
kill 'STOP', $writer;
$node->safe_psql('postgres', join('', map { "INSERT INTO work VALUES ($_);" } 51 .. 100));
my $reached = $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
my ($late_keys, $late_cursor) = follow($node, $cursor);
kill 'KILL', $writer;
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'walwriter' AND pid <> $writer");
my $again = $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
cmp_ok($again, '<', $reached, 'transaction numbers come back after the crash');
emit($node, 'd');
emit($node, 'e');
foreach my $case ([ 'at the last event', $cursor, 'd e' ], [ 'of a reader that had asked since', $late_cursor, 'd e' ], [ 'of one that came late', $idle_cursor, 'c d e' ])
{
	my ($name, $from, $expected) = @$case;
	($keys) = follow($node, $from);
	is($keys, $expected, "after the crash, with the cursor $name");
}
($keys, $cursor) = follow($node, $cursor);

# what was delivered a moment before the crash is still there
emit($node, 'delivered');
($keys, $cursor) = follow($node, $cursor);
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT count(*) FROM execreport.events WHERE key = 'delivered'}), '1', 'an event that was delivered outlives a crash right after');
emit($node, 'after');
($keys, $cursor) = follow($node, $cursor);
is("$keys", 'after', 'and the cursor goes on');

# dump and restore into a cluster whose transaction numbers are lower
my $other = PostgreSQL::Test::Cluster->new('restored');
$other->init;
$other->append_conf('postgresql.conf', 'autovacuum = off');
$other->start;
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', 'DROP TABLE work');
$node->safe_psql('postgres', join('', map { "SELECT pg_current_xact_id();" } 1 .. 3000));
emit($node, 'f');
$node->command_ok([ 'pg_dump', '-f', "$dir/dump", '-d', $node->connstr('postgres') ], 'dump');
my ($f_keys, $f_cursor) = follow($node, $cursor);
emit($node, 'g');
my ($g_keys, $g_cursor) = follow($node, $f_cursor);
is("$f_keys $g_keys", 'f g', 'two more events, one of them after the dump');
$other->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $other->connstr('postgres'), '-f', "$dir/dump" ], 'restore');
cmp_ok($other->safe_psql('postgres', 'SELECT pg_current_xact_id()'), '<',
	$node->safe_psql('postgres', q{SELECT transaction FROM execreport.events WHERE key = 'f'}), 'transaction numbers are lower there');
($keys) = follow($other, $cursor);
is($keys, 'f', 'restored: what a reader had not seen');
($keys) = follow($other, $f_cursor);
is($keys, '', 'restored: nothing for one that had seen all that was dumped');
($keys) = follow($other, $g_cursor);
is($keys, 'gap', 'restored: a gap for one that had seen more');
emit($other, 'h');
emit($other, 'i');
($keys) = follow($other, $cursor);
is($keys, 'f h i', 'restored: new events come after the old ones');
my ($h_keys, $h_cursor) = follow($other, $f_cursor);
is($h_keys, 'h i', 'restored: and for one that had seen the old ones');
($keys) = follow($other, $g_cursor);
is($keys, 'gap', 'restored: still a gap for one that had seen more');
emit($other, 'j');
($keys) = follow($other, $h_cursor);
is($keys, 'j', 'restored: the new cursor goes on');

# and back again into the first cluster
$node->safe_psql('postgres', 'CREATE DATABASE back');
$node->safe_psql('postgres', 'DROP EXTENSION execreport');
$other->command_ok([ 'pg_dump', '-f', "$dir/back", '-d', $other->connstr('postgres') ], 'dump of the restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('postgres'), '-f', "$dir/back" ], 'restored in the first cluster');
emit($node, 'k');
($keys) = follow($node, $h_cursor);
is($keys, 'j k', 'restored twice: events in their order');
is($node->safe_psql('postgres', 'SELECT string_agg(DISTINCT epoch::text, \' \' ORDER BY epoch::text) FROM execreport.events'), '1 2 3', 'three epochs');
$other->stop;

# the files of an earlier time are put back: the same cluster, the same numbers, other events
my ($k_keys, $k_cursor) = follow($node, $h_cursor);
$node->stop;
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, "$dir/copy");
$node->start;
emit($node, 'lost');
my ($lost_keys, $lost_cursor) = follow($node, $k_cursor);
is($lost_keys, 'lost', 'an event that will be lost');
$node->stop;
rename $node->data_dir, "$dir/newer" or die $!;
PostgreSQL::Test::RecursiveCopy::copypath("$dir/copy", $node->data_dir);
chmod 0700, $node->data_dir;
$node->start;
emit($node, 'l');
($keys) = follow($node, $lost_cursor);
is($keys, 'gap', 'put back: a gap for who had seen what is lost, although another event has its number');
($keys, $cursor) = follow($node, $k_cursor);
is($keys, 'l', 'put back: the others go on');

# a standby answers, too; promoted, it goes on
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
emit($node, 'm');
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
my ($m_keys, $m_cursor) = follow($standby, $cursor);
is($m_keys, 'm', 'a standby answers');
$node->stop('immediate');
$standby->promote;
emit($standby, 'n');
($keys) = follow($standby, $m_cursor);
is($keys, 'n', 'promoted, it goes on');
($keys) = follow($standby, $cursor);
is($keys, 'm n', 'also for who comes from the primary');
$standby->stop;
done_testing();
