#!/bin/sh
# In the guest: limits of size by project quotas of ext4 and XFS.   quota.sh PROGRAMS BUSYBOX.TAR MODULES
# Prints a line "ok NAME" or "not ok NAME" for each check.
programs=$1 image=$2 modules=$3
export PATH="$programs:$PATH" TARE_RUN=/mnt/run TARE_BRIDGE=none
for module in loop ext4 quota_v2 xfs; do modprobe -d "$modules" "$module" || echo "no $module"; done
refuses() { ! "$@" || { echo "not refused: $*"; return 1; }; }
run() { tare run --rm --network none "$@"; }

# A file system of its own below the data root: make KIND OPTIONS MKFS...
make() {
  kind=$1 options=$2
  shift 2
  mkdir -p "/mnt/$kind"
  truncate -s 400M "/mnt/$kind.img"
  "$@" "/mnt/$kind.img"
  mount -o "loop,$options" "/mnt/$kind.img" "/mnt/$kind"
  export TARE_ROOT="/mnt/$kind/root"
  [ -e "$TARE_ROOT/tare.db" ] || tare import "$image" busybox
}
fill='dd if=/dev/zero of=$1/big bs=64k count=$2 2>/dev/null'

container_size() {
  refuses run --storage-opt size=2M busybox sh -c "$fill" sh / 64 # 4 MB
  run --storage-opt size=8M busybox sh -c "$fill && du -k /big" sh / 64
  run busybox sh -c "$fill" sh / 256
  # the size is what df says, and whoever fills it leaves room for others
  [ "$(run --storage-opt size=8M busybox df -k / | awk 'NR == 2 {print $2}')" = 8192 ]
  # kept over stops, copied files count too, and they go with the container
  tare create --name box --network none --storage-opt size=2M busybox sh -c 'cat /big* 2>/dev/null | wc -c; dd if=/dev/zero of=/big$$ bs=64k count=64'
  tare start -a box || true
  [ "$(tare start -a box | head -n 1)" -gt 1000000 ]
  refuses tare exec box true
  tare rm box
  refuses run --storage-opt size=2M busybox sh -c 'mkdir /d && for i in 1 2 3 4; do cp /bin/busybox /d/$i || exit 1; done'
}

container_inodes() {
  refuses run --storage-opt inodes=50 busybox sh -c 'mkdir /d && for i in $(seq 100); do : >/d/$i || exit 1; done'
  run --storage-opt inodes=50,size=1M busybox true && return 1
  run --storage-opt inodes=200 --storage-opt size=5M busybox sh -c 'mkdir /d && for i in $(seq 100); do : >/d/$i || exit 1; done'
}

volume_size() {
  tare volume create --opt size=2M data
  tare volume create --opt size=2M data
  refuses tare volume create --opt size=3M data
  refuses run -v data:/d busybox sh -c "$fill" sh /d 64
  # with every capability, and with all filters off: what is over the limit is still not written
  run -v data:/d busybox rm /d/big
  refuses run --privileged -v data:/d busybox sh -c "$fill" sh /d 64
  [ "$(tare volume inspect -f '{{.Options.size}}' data)" = 2M ]
  tare volume rm data
  tare volume create --opt size=8M data
  run -v data:/d busybox sh -c "$fill" sh /d 64
  tare volume rm data
}

# A container of the host's own users may own its files, and yet not take them out of what is counted.
escape() {
  set -- -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro -e LD_LIBRARY_PATH=/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu
  code=0
  run --storage-opt size=2M "$@" busybox sh -c '/usr/bin/lsattr -pd / && /usr/bin/chattr -p 0 / && exit 9; /usr/bin/chattr -P / && exit 8; exit 7' || code=$?
  [ "$code" = 7 ]
  run "$@" busybox /usr/bin/chattr -p 0 / # which an ordinary one may
}

projects_freed() {
  [ -z "$(tare ps -aq)$(tare volume ls -q)" ]
  tare system check
}

refused() {
  export TARE_ROOT=/mnt/plain/root
  mkdir -p /mnt/plain
  tare import "$image" busybox
  run --storage-opt size=1M busybox true 2>&1 | tee /dev/stderr | grep -q "file system of .*tmpfs"
  [ -z "$(tare ps -aq)" ]
  refuses tare volume create --opt size=1M data
  [ -z "$(tare volume ls -q)" ]
}

checks="container_size container_inodes volume_size escape projects_freed"
for kind in ext4 xfs; do
  for check in make $checks; do
    (
      set -ex
      case $check-$kind in
        make-ext4) make ext4 prjquota mkfs.ext4 -q -O quota,project -E quotatype=prjquota ;;
        make-xfs) make xfs pquota mkfs.xfs -q ;;
        *) TARE_ROOT=/mnt/$kind/root; export TARE_ROOT; $check ;;
      esac
    ) >/mnt/log 2>&1
    status=$?
    [ $status = 0 ] || tail -n 12 /mnt/log | sed 's/^/# /'
    if [ $status = 0 ]; then echo "ok ${check}_$kind"; else echo "not ok ${check}_$kind"; fi
  done
done
(set -ex; refused) >/mnt/log 2>&1 && echo "ok refused" || { tail -n 12 /mnt/log | sed 's/^/# /'; echo "not ok refused"; }
