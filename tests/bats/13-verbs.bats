#!/usr/bin/env bats
# diff, commit, cp, export, exec, wait, rename and prune: what they do to files, processes and content
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }
teardown() {
  local ids
  ids=$(tare ps -aq)
  [ -z "$ids" ] || tare rm -fv $ids >/dev/null
}

base_image() { # a layer of everything that can change
  tare run --name base --network none busybox sh -c '
    mkdir -p /t/opaque/a /t/gone/x /t/keep /t/mode /t/toucheddir /t/tofile; cd /t
    for f in same equal again touched mode1 owner deleted retyped linked; do echo "content $f" >$f; done
    echo one >opaque/a/one; echo x >gone/x/f; echo k >keep/k; echo f >todir; ln linked linked2; ln -s same link; mkfifo fifo
    touch -d "2020-02-02 02:02:02" same equal again mode1 owner linked' # whole seconds: what cp -p of busybox can keep
  tare commit base "$1" >/dev/null
  tare rm base >/dev/null
}

change_all='cd /t
  : >>same; exec 5<>same; exec 5>&-
  touch -r equal /ref; printf "CONTENT equal\n" >equal; touch -r /ref equal; rm /ref
  cp -p again /t/new; rm again; mv new again
  touch -d 2001-01-01 touched; chmod 600 mode1; chown 5:5 owner; rm deleted; rm retyped; mkdir retyped
  rm -r opaque; mkdir -p opaque/b; echo two >opaque/b/two; rm -r gone; echo more >>linked; ln -sf other link
  touch toucheddir; chmod 700 mode; rmdir tofile; echo f >tofile; rm todir; mkdir todir; echo z >todir/z; ln keep/k hard
  mkdir newdir; echo n >newdir/n; ln newdir/n newdir/m'

changed() {
  cat <<'EOF'
C /t
C /t/equal
A /t/hard
C /t/link
C /t/linked
C /t/mode
C /t/mode1
A /t/newdir
A /t/newdir/m
A /t/newdir/n
C /t/opaque
D /t/opaque/a
A /t/opaque/b
A /t/opaque/b/two
C /t/owner
C /t/retyped
C /t/todir
A /t/todir/z
C /t/tofile
C /t/touched
D /t/deleted
D /t/gone
EOF
}

@test "diff goes by content: equal size and time do not hide a change, an opened file is none" {
  base_image changing
  tare run --name one --network none changing sh -c "$change_all"
  diff <(changed | sort) <(tare diff one | sort)
}

@test "diff of a root that is a whole copy goes by content too" {
  export TARE_ROOT=$STATE/whole TARE_RUN=$STATE/whole-run
  tare --storage-driver vfs import "$CACHE/busybox.tar" busybox >/dev/null
  base_image changing
  tare run --name one --network none changing sh -c "$change_all"
  { changed; echo C /t/linked2; } | sort | diff - <(tare diff one | sort) # hard links are one file in it
  tare rm one
  tare system settle
}

@test "commit holds what changed and nothing else, the same bytes every time" {
  base_image changing
  tare run --name one --network none changing sh -c "$change_all"
  tare commit one first >/dev/null
  tare commit one second >/dev/null
  [ "$(tare inspect -f '{{json .RootFS.Layers}}' first)" = "$(tare inspect -f '{{json .RootFS.Layers}}' second)" ]
  mkdir "$STATE/saved"
  tare save first | tar -x -C "$STATE/saved"
  layer=$(jq -r '.[0].Layers[-1]' "$STATE/saved/manifest.json")
  tar -tf "$STATE/saved/$layer" | sed 's,/$,,' | sort >"$STATE/held"
  { changed | sed -n 's,^[AC] /,,p'; printf '%s\n' t/.wh.deleted t/.wh.gone t/opaque/.wh..wh..opq; } | sort >"$STATE/wanted"
  diff "$STATE/wanted" "$STATE/held"
  # and the image is the container
  run tare run --rm --network none first sh -c 'cd /t; cat equal linked2 opaque/b/two; ls opaque; stat -c %h newdir/n; stat -c %u:%a owner mode'
  [ "$output" = "$(printf 'CONTENT equal\ncontent linked\ntwo\nb\n2\n5:644\n0:700')" ]
  tare create --name nothing --network none first true
  [ -z "$(tare diff nothing)" ]
  [ "$(tare inspect -f '{{len .RootFS.Layers}}' first)" = "$(tare inspect -f '{{len .RootFS.Layers}}' "$(tare commit nothing)")" ]
}

@test "commit --change: every instruction it takes; --author, --message; the container goes on" {
  tare run -d --name one --network none -e OLD=1 busybox sleep 1000
  id=$(tare commit -a "A <a@b>" -m "said so" -c 'ENV X=1 Y="2 3"' -c 'LABEL k=v' -c 'EXPOSE 80/udp' -c 'USER 5:6' -c 'WORKDIR /w' -c 'VOLUME /v' \
    -c 'CMD ["a","b"]' -c 'ENTRYPOINT ["/e"]' -c 'STOPSIGNAL SIGINT' -c 'HEALTHCHECK --interval=5s CMD true' -c 'ONBUILD RUN x' one)
  [ "$(tare inspect -f '{{json .Config.Cmd}} {{json .Config.Entrypoint}} {{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Volumes}} {{json .Config.ExposedPorts}}' "$id")" \
    = '["a","b"] ["/e"] 5:6 /w {"/v":{}} {"80/udp":{}}' ]
  [[ "$(tare inspect -f '{{json .Config.Env}} {{.Config.StopSignal}} {{json .Config.Healthcheck.Test}} {{json .Config.OnBuild}} {{.Config.Labels.k}} {{.Author}} {{.Comment}}' "$id")" \
    == *'"OLD=1","X=1","Y=2 3"] SIGINT ["CMD-SHELL","true"] ["RUN x"] v A <a@b> said so' ]]
  [ "$(tare inspect -f '{{.State.Status}}' one)" = running ]
  tare pause one
  tare commit --pause=false one paused >/dev/null
  [ "$(tare inspect -f '{{.State.Status}}' one)" = paused ]
  run tare commit -c 'RUN x' one
  [ "$status" -eq 1 ]
  run tare commit -c 'FROM x' one
  [ "$status" -eq 1 ]
}

@test "cp: links at the ends are followed, in the container and nowhere else" {
  tare run -d --name one --network none busybox sh -c 'mkdir -p /d/real; echo old >/d/file; cd /d; ln -s file tofile; ln -s real todir
    ln -s ../../../../../../tmp/cp-outside out; ln -s loop loop; ln -s /etc/hostname absolute; echo in >/d/real/in; sleep 1000'
  until_true tare exec one test -e /d/real/in
  cd "$(mktemp -d "$STATE/cp.XXXX")"
  echo new >new
  tare cp new one:/d/tofile
  [ "$(tare exec one sh -c 'readlink /d/tofile; cat /d/file')" = "$(printf 'file\nnew')" ]
  tare cp new one:/d/out
  [ ! -e /tmp/cp-outside ] && [ "$(tare exec one cat /tmp/cp-outside)" = new ]
  run tare cp new one:/d/loop
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  mkdir there
  ln -s there link
  echo l >there/l
  tare cp link/ one:/d/from-link
  [ "$(tare exec one ls /d/from-link)" = l ]
  tare cp link one:/d/only-link
  [ "$(tare exec one readlink /d/only-link)" = there ]
  tare cp one:/d/todir .
  [ "$(readlink todir)" = real ]
  tare cp one:/d/todir/ got
  [ "$(cat got/in)" = in ]
  tare cp -L one:/d/absolute name
  [ "$(cat name)" = "$(tare exec one cat /etc/hostname)" ]
  ln -s target missing
  tare cp one:/d/file missing
  [ -L missing ] && [ "$(cat target)" = new ]
}

@test "cp: stopped, created, paused; a tmpfs and a volume; sparse, linked and large; archives" {
  cd "$(mktemp -d "$STATE/cp.XXXX")"
  truncate -s 300M sparse
  echo end >>sparse
  mkdir tree
  echo a >tree/a
  ln tree/a tree/b
  tare create --name one --network none -v cpdata:/vol --tmpfs /tmpfs busybox sleep 1000
  tare cp sparse one:/sparse
  tare cp one:/sparse back
  cmp sparse back
  tare start one
  tare cp tree one:/tmpfs/
  tare cp tree one:/vol
  [ "$(tare exec one sh -c 'stat -c %h /tmpfs/tree/a /vol/tree/b; cat /vol/tree/b')" = "$(printf '2\n2\na')" ]
  tare pause one
  tare cp one:/tmpfs/tree/. paused
  [ "$(stat -c %h paused/b)" = 2 ]
  tare unpause one
  tar -c tree | tare cp - one:/vol/tree
  tare cp one:/vol/tree - | tar -t | sort | tr '\n' ' ' >list
  [ "$(cat list)" = "tree/ tree/a tree/b tree/tree/ tree/tree/a tree/tree/b " ]
  tare exec one chown 7:8 /vol/tree/a
  tare cp -a one:/vol/tree/a kept
  tare cp one:/vol/tree/a mine
  [ "$(stat -c %u:%g kept)" = 7:8 ] && [ "$(stat -c %u:%g mine)" = "$(id -u):$(id -g)" ]
  tare rm -f one
  tare volume rm cpdata
}

@test "export: running and stopped give the same tree" {
  tare run -d --name one --network none -v exdata:/vol busybox sh -c 'echo x >/made; echo v >/vol/v; sleep 1000'
  until_true tare exec one test -e /vol/v
  tare export one | tar -t | sort >"$STATE/running"
  tare stop -t 0 one
  tare export one | tar -t | sort >"$STATE/stopped"
  diff "$STATE/running" "$STATE/stopped"
  grep -qx made "$STATE/stopped" && grep -qx vol/ "$STATE/stopped"
  run ! grep -q vol/v "$STATE/stopped"
  tare rm one
  tare volume rm exdata
}

@test "exec: --env-file, changed root, dropped capabilities, 50 at once" {
  printf '# said\nA=1\nB=two words\n\n' >"$STATE/env"
  tare run -d --name one --network none --cap-drop all busybox sh -c 'mkdir -p /small/bin; cp /bin/busybox /small/bin/; sleep 1000'
  until_true tare exec one test -e /small/bin/busybox
  [ "$(tare exec --env-file "$STATE/env" -e A=3 one sh -c 'echo $A $B')" = "3 two words" ]
  run tare exec --env-file /nosuch one true
  [ "$status" -ne 0 ]
  [[ "$(tare exec one grep CapEff /proc/self/status)" == *0000000000000000 ]]
  run tare exec one sh -c 'kill -9 $$'
  [ "$status" -eq 137 ]
  tare run -d --name jailed --network none busybox sh -c 'mkdir -p /small/bin; cp -a /bin/busybox /bin/sleep /small/bin/; cp -a /lib* /small/ 2>/dev/null; echo outer >/which; exec chroot /small /bin/busybox sleep 1000'
  until_true tare exec jailed test -e /which
  [ "$(tare exec -t jailed cat /which | tr -d '\r')" = outer ]
  [ "$(tare cp jailed:/which - | tar -xO)" = outer ]
  for i in $(seq 50); do
    tare exec one sh -c "echo $i; exit $((i % 7))" >"$STATE/exec.$i" &
    pids[i]=$!
  done
  for i in $(seq 50); do
    code=0
    wait "${pids[i]}" || code=$?
    [ "$code" -eq $((i % 7)) ] && [ "$(cat "$STATE/exec.$i")" = "$i" ]
  done
}

@test "wait for many, rename while it runs" {
  tare run -d --name one --network none busybox sh -c 'sleep 0.5; exit 3'
  tare run -d --name two --network none busybox sh -c 'exit 4'
  [ "$(tare wait one two)" = "$(printf '3\n4')" ]
  tare run -d --name three --network none busybox sleep 1000
  tare rename three four
  run tare exec three true
  [ "$status" -eq 1 ]
  [ "$(tare exec four echo yes)" = yes ] && [ "$(tare inspect -f '{{.Name}}' four)" = /four ]
  [ "$(tare run -d --name three --network none busybox sleep 1000 | wc -c)" -eq 65 ]
  run tare rename three four
  [ "$status" -eq 1 ] && [[ "$output" == *"already in use"* ]]
}

@test "prune --filter: what is younger or labelled otherwise stays" {
  tare image prune -f
  tare create --name kept --network none --label stage=live busybox true
  tare create --name gone --network none --label stage=test busybox true
  tare commit -c 'LABEL stage=live' kept >/dev/null
  tare commit -c 'LABEL stage=test' gone >/dev/null
  tare volume create --label stage=live live
  tare volume create --label stage=test test
  tare network create --label stage=live livenet
  tare network create --label stage=test testnet
  for kind in container image network; do
    run tare $kind prune -f --filter until=1h
    [ "$status" -eq 0 ] && [[ "$output" != *Deleted* ]]
    run tare $kind prune -f --filter nosuch=1
    [ "$status" -eq 1 ]
  done
  run tare system prune -af --filter until=1h
  [ "$status" -eq 0 ] && [ "$output" = "Total reclaimed space: 0B" ]
  [ "$(tare images -qf dangling=true | wc -l)" -eq 2 ]
  tare container prune -f --filter label=stage=test
  [ "$(tare ps -a --format '{{.Names}}')" = kept ]
  tare image prune -f --filter 'label!=stage=live'
  [ "$(tare inspect -f '{{.Config.Labels.stage}}' "$(tare images -qf dangling=true)")" = live ]
  [[ "$(tare volume prune -af --filter label=stage=test)" == *test* ]]
  [ "$(tare volume ls -q)" = live ]
  [ "$(tare network prune -f --filter label=stage=test)" = "$(printf 'Deleted Networks:\ntestnet')" ]
  tare run -d --name inside --network livenet busybox sleep 1000
  [ -z "$(tare network prune -f)" ]
  tare rm -f inside
  run tare system prune -f --volumes
  [ "$status" -eq 0 ] && [[ "$output" == *"Deleted Networks:"*livenet* ]] && [[ "${lines[-1]}" == "Total reclaimed space: "* ]]
  [ -z "$(tare network ls -qf type=custom)$(tare ps -aq)$(tare images -qf dangling=true)" ]
  tare volume rm live
}
