# What tare is built with and tested by, as Debian 12 package names: read by quickstart, tests/run and .ci/run.
packages_build="gcc libc6-dev musl-tools make meson ninja-build pkg-config libjansson-dev libsqlite3-dev libcurl4-openssl-dev libmicrohttpd-dev libssl-dev
  libisal-dev zlib1g-dev libzstd-dev libarchive-dev libseccomp-dev libcrypt-dev ca-certificates"
packages_example="busybox-static"
packages_test="libcmocka-dev bats busybox-static mmdebstrap iproute2 nftables iptables jq procps uidmap util-linux python3 git
  skopeo umoci podman runc crun docker.io docker-registry apache2-utils curl openssl attr libcap2-bin xz-utils zstd netcat-openbsd sqlite3 dbus-daemon erofs-utils
  qemu-system-x86 kmod cpio apparmor passwd e2fsprogs xfsprogs strace systemd"
packages_bench="hyperfine pigz"

# Installs those of its arguments that are missing, quietly.
packages_install() {
  missing=
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing="$missing $name"
  done
  [ -n "$missing" ] || return 0
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # services of the peers must not start by themselves
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d.tare && chmod +x /usr/sbin/policy-rc.d.tare
  [ -e /usr/sbin/policy-rc.d ] || { mv /usr/sbin/policy-rc.d.tare /usr/sbin/policy-rc.d; made_policy=1; }
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/tmp/tare-apt.log 2>&1 || { tail -n 20 /tmp/tare-apt.log >&2; status=1; }
  rm -f /usr/sbin/policy-rc.d.tare
  [ -z "${made_policy:-}" ] || rm -f /usr/sbin/policy-rc.d
  return "${status:-0}"
}
