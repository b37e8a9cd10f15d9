#!/bin/sh
# Installs the servers and clients that tests run against, or says which are missing.
set -eu

missing=
find_pg() { ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null || command -v postgres; }
[ -n "$(find_pg || true)" ] || missing="$missing postgresql"
[ -x /usr/sbin/ircd-hybrid ] || missing="$missing ircd-hybrid"
[ -x /usr/sbin/inspircd ] || command -v inspircd >/dev/null || missing="$missing inspircd"
[ -x /usr/sbin/anope ] || missing="$missing anope"
/usr/bin/python3 -c 'import nio.crypto, olm' 2>/dev/null ||
	missing="$missing python3-matrix-nio python3-olm python3-peewee python3-cachetools python3-atomicwrites"
# npm gets what integration/clients runs, a newer Node.js among it.
command -v npm >/dev/null || missing="$missing nodejs npm"
# pip gets what integration/federation runs: Synapse.
/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
# The proxies whose files are handed out, and what judges the units and the compose file.
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing="$missing nginx"
command -v caddy >/dev/null || missing="$missing caddy"
command -v docker-compose >/dev/null || missing="$missing docker-compose"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v curl >/dev/null || missing="$missing curl"
command -v openssl >/dev/null || missing="$missing openssl"
command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "the tests need these Debian packages (or their like):$missing" >&2
	exit 1
fi
echo "installing what the tests need:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
# The tests start their own servers; the packages' services are not wanted.
printf '#!/bin/sh\nexit 101\n' >/tmp/policy-rc.d.$$
if [ ! -e /usr/sbin/policy-rc.d ]; then
	install -m 755 /tmp/policy-rc.d.$$ /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d /tmp/policy-rc.d.$$' EXIT
else
	trap 'rm -f /tmp/policy-rc.d.$$' EXIT
fi
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing >/dev/null
