# lib.sh: sourced by the scripts that need a PostgreSQL of their own (check, demo, coverage, bench/run).
#
# It gives: install_packages, make_tree, start_cluster, stop_cluster, psql_own. A private server tree (a copy of bin/, links to
# the rest) takes our `make install`, so neither the system's PostgreSQL nor a running cluster is touched. The
# server refuses to run as root: for root everything of its runs as user postgres.
set -euo pipefail

PG_CONFIG=${PG_CONFIG:-pg_config}
# LANG too: PostgreSQL's Perl modules for tests unset LC_ALL
export PG_CONFIG LC_ALL=C.UTF-8 LANG=C.UTF-8
unset PGOPTIONS PGAPPNAME PGDATABASE PGHOST PGPORT PGUSER PGSERVICE PGPASSFILE PGDATA 2>/dev/null || true

# as_server_user COMMAND...: as the user that the server runs as, in SERVER_CWD when it may not enter our folder
as_server_user() {
    if [ "$(id -u)" = 0 ]; then
        (cd "${SERVER_CWD:-.}" && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

# the major version that we build for
pg_major() {
    "$PG_CONFIG" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'
}

# a path that pg_config knows; nothing when there is no pg_config yet
pg_path() {
    "$PG_CONFIG" "$1" 2>/dev/null || true
}

# install_packages WHAT...: what is missing for build, check, bench or lint; nothing when all is there
install_packages() {
    local want=() what major
    major=$(pg_major || true)
    major=${major:-15}
    has() { command -v "$1" >/dev/null 2>&1; }
    for what in "$@"; do
        case $what in
            build)
                has gcc || want+=(gcc libc6-dev)
                has make || want+=(make)
                [ "$(id -u)" != 0 ] || has runuser || want+=(util-linux)
                [ -x "/usr/lib/postgresql/$major/bin/postgres" ] || [ -x "$(pg_path --bindir)/postgres" ] ||
                    want+=("postgresql-$major")
                [ -f "$(pg_path --pgxs)" ] || want+=("postgresql-server-dev-$major") ;;
            check)
                has pg_prove || want+=(libtap-parser-sourcehandler-pgtap-perl)
                [ -d ../shared/samples/json-schema-test-suite ] || [ -d /usr/share/json-schema-test-suite ] ||
                    want+=(json-schema-test-suite)
                has promtool || want+=(prometheus)
                /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null || want+=(python3-prometheus-client)
                perl -MIPC::Run -e 1 2>/dev/null || want+=(libipc-run-perl)
                [ -f "$(pg_path --sharedir)/extension/pgtap.control" ] || want+=("postgresql-$major-pgtap")
                [ -f "$(pg_path --sharedir)/extension/pg_cron.control" ] || want+=("postgresql-$major-cron") ;;
            bench)
                has node || want+=(nodejs)
                has npm || want+=(npm) ;;
            lint)
                has shellcheck || want+=(shellcheck)
                has cppcheck || want+=(cppcheck) ;;
        esac
    done
    [ ${#want[@]} -gt 0 ] || return 0
    echo "installing ${want[*]}"
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        has sudo || { echo "these packages are missing, and there is no sudo to install them: ${want[*]}" >&2; return 1; }
        sudo=(sudo)
    fi
    (
        # new servers would start: of PostgreSQL we make clusters of our own, of prometheus we need the tool alone
        conf=/etc/postgresql-common/createcluster.d/execreport-setup.conf policy=/usr/sbin/policy-rc.d
        ours=("$conf")
        [ -e "$policy" ] || ours+=("$policy")
        trap '"${sudo[@]}" rm -f "${ours[@]}"' EXIT
        [ -e "$policy" ] || printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" install -m 755 /dev/stdin "$policy"
        "${sudo[@]}" mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' | "${sudo[@]}" tee "$conf" >/dev/null
        "${sudo[@]}" apt-get update -qq
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${want[@]}" >/dev/null
        if [[ " ${want[*]} " == *" prometheus "* ]] && has systemctl; then
            "${sudo[@]}" systemctl disable prometheus >/dev/null 2>&1 || true
        fi
    )
    hash -r
}

# build: compile in the tree; quiet unless something is wrong
build() {
    local log
    log=$(mktemp)
    if ! make --no-print-directory -j"$(nproc)" all with_llvm=no \
        WARNINGS="${ER_WARNINGS:-}" SHLIB_LINK="${ER_LDFLAGS:-}" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    grep -iE 'warning' "$log" >&2 || true
    rm -f "$log"
}

# make_tree DIR: a private server tree with our extension installed; sets TREE_BIN
make_tree() {
    local tree=$1 bindir pkglibdir sharedir
    bindir=$("$PG_CONFIG" --bindir)
    pkglibdir=$("$PG_CONFIG" --pkglibdir)
    sharedir=$("$PG_CONFIG" --sharedir)
    mkdir -p "$tree$bindir" "$tree$pkglibdir" "$tree$sharedir"
    cp -a "$bindir/." "$tree$bindir/"
    cp -as "$pkglibdir/." "$tree$pkglibdir/"
    cp -as "$sharedir/." "$tree$sharedir/"
    [ -x "$tree$bindir/pg_config" ] || cp -a "$(command -v "$PG_CONFIG")" "$tree$bindir/pg_config"
    TREE_BIN=$tree$bindir
    rm -f "$tree$pkglibdir/execreport.so" "$tree$sharedir"/extension/execreport*
    make --no-print-directory -s install PG_CONFIG="$TREE_BIN/pg_config" with_llvm=no >/dev/null
}

# start_cluster DIR [SETTING...]: a cluster on a unix socket in DIR, made when it is not there
start_cluster() {
    local dir=$1 setting
    shift
    SOCKET_DIR=$dir/socket
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        mkdir -p "$SOCKET_DIR"
        [ "$(id -u)" != 0 ] || chown postgres: "$dir" "$SOCKET_DIR"
        SERVER_CWD=/ as_server_user "$TREE_BIN/initdb" -D "$dir/data" -U postgres -A trust --encoding=UTF8 --locale=C \
            --no-sync >"$dir.initdb.log" 2>&1 || { cat "$dir.initdb.log" >&2; return 1; }
        rm -f "$dir.initdb.log"
        {
            echo "listen_addresses = ''"
            echo "unix_socket_directories = '$SOCKET_DIR'"
            echo "fsync = off"
            echo "max_connections = 60"
            for setting in "$@"; do echo "$setting"; done
        } | as_server_user tee -a "$dir/data/postgresql.conf" >/dev/null
    fi
    SERVER_CWD=/ as_server_user "$TREE_BIN/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -s start ||
        { cat "$dir/server.log" >&2; return 1; }
}

stop_cluster() {
    local dir=$1 mode=${2:-fast}
    [ -f "$dir/data/postmaster.pid" ] || return 0
    SERVER_CWD=/ as_server_user "$TREE_BIN/pg_ctl" -D "$dir/data" -m "$mode" -w -s stop || true
}

psql_own() {
    "$TREE_BIN/psql" -X -h "$SOCKET_DIR" -U postgres "$@"
}

# new_work_dir: a folder that the server's user may enter; its path is short, for sockets have at most 107 bytes
new_work_dir() {
    local dir
    dir=$(mktemp -d "${TMPDIR:-/tmp}/er.XXXXXX")
    chmod 755 "$dir"
    echo "$dir"
}
