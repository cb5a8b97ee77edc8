#!/usr/bin/env bats
# ps, images, inspect, history, tag, rmi, port, volume, network, prune, system, completion, errors and exit codes
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

@test "ps: columns, filters, formats, what is cut off" {
  tare run -d --name looked --network none --label app=web --label tier=1 busybox sleep 1000
  tare create --name idle --network none busybox a-command-longer-than-twenty-bytes
  run tare ps
  [[ "${lines[0]}" =~ ^"CONTAINER ID   IMAGE     COMMAND" ]] && [[ "${lines[1]}" == *'"sleep 1000"'*"Up "*looked ]]
  [ "${#lines[@]}" -eq 2 ]
  [ "$(tare ps -aq | wc -l)" -eq 2 ] && [ "$(tare ps -q --no-trunc | tr -d '\n' | wc -c)" -eq 64 ]
  [ "$(tare ps -a --format '{{.Names}}' | tr '\n' ' ')" = "idle looked " ]
  [ "$(tare ps -l --format '{{.Names}} {{.Command}}')" = 'idle "a-command-longer-th…"' ]
  [ "$(tare ps -f label=app=web --format '{{.Names}}: {{.Label "tier"}} {{.Labels}}')" = "looked: 1 app=web,tier=1" ]
  [ "$(tare ps -a -f status=created --format 'table {{.Names}}\t{{.State}}')" = "$(printf 'NAMES     STATE\nidle      created')" ]
  [ "$(tare ps --format json | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["Names"])')" = looked ]
  [[ "$(tare ps -s --format '{{.Size}}')" == *"(virtual "* ]]
  tare rm -f looked idle
}

@test "inspect: documents, templates, types, what is not there" {
  tare create --name seen --label a.b=c -e X=1 -v /tmp:/host:ro --network none busybox sleep 5
  [ "$(tare inspect seen busybox | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" = 2 ]
  [ "$(tare inspect -f '{{.Name}} {{index .Config.Labels "a.b"}} {{.State.Running}} {{len .Mounts}}' seen)" = "/seen c false 1" ]
  [ "$(tare inspect -f '{{range .Mounts}}{{.Source}}:{{.Destination}}:{{.RW}}{{end}}' seen)" = /tmp:/host:false ]
  [ "$(tare inspect -f '{{json .Config.Cmd}} {{join .Config.Cmd " "}} {{.Config.Cmd}}' seen)" = '["sleep","5"] sleep 5 [sleep 5]' ]
  [ "$(tare inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' seen)" = none ]
  run --separate-stderr tare inspect nosuch
  [ "$status" -eq 1 ] && [ "$output" = "[]" ] && [ "$stderr" = "tare: No such object: nosuch" ]
  run tare inspect -f '{{.Nope}}' seen
  [ "$status" -eq 1 ] && [[ "$output" == *'executing "" at <.Nope>: map has no entry for key "Nope"' ]]
  run tare inspect --type volume seen
  [ "$status" -eq 1 ]
  tare rm seen
}

@test "images: names, digests, tags; rmi untags, then deletes" {
  tare tag busybox copy/of:it
  [ "$(tare images --format '{{.Repository}}:{{.Tag}}' 'copy/*')" = copy/of:it ]
  [ "$(tare images -q | sort -u | wc -l)" -eq 1 ]
  [ "$(tare rmi copy/of:it)" = "Untagged: copy/of:it" ]
  [[ "$(tare history --no-trunc busybox)" == "IMAGE "*"CREATED BY"* ]]
  tare create --name user --network none busybox true
  run tare rmi busybox
  [ "$status" -eq 1 ] && [[ "$output" == *conflict* ]]
  tare rm user
}

@test "port: all, one, none" {
  tare run -d --name served -p "127.0.0.1:$((PORT_BASE + 1)):80" busybox sleep 100
  [ "$(tare port served)" = "80/tcp -> 127.0.0.1:$((PORT_BASE + 1))" ]
  [ "$(tare port served 80)" = "127.0.0.1:$((PORT_BASE + 1))" ]
  [ "$(tare ps --format '{{.Ports}}')" = "127.0.0.1:$((PORT_BASE + 1))->80/tcp" ]
  run tare port served 81
  [ "$status" -eq 1 ] && [[ "$output" == *"No public port '81' published for served" ]]
  tare rm -f served
}

@test "volumes and networks: create, list, inspect, remove" {
  [ "$(tare volume create --label k=v data)" = data ]
  [ "$(tare volume ls --format '{{.Name}} {{.Driver}} {{.Label "k"}}')" = "data local v" ]
  [ "$(tare volume inspect -f '{{.Labels.k}} {{.Scope}}' data)" = "v local" ]
  [ "$(tare volume rm data)" = data ]
  tare network create --subnet 10.199.7.0/24 --internal -o com.docker.network.driver.mtu=1400 sealed
  [ "$(tare network inspect -f '{{(index .IPAM.Config 0).Subnet}} {{.Internal}}' sealed)" = "10.199.7.0/24 true" ]
  [ "$(tare network ls -f type=custom --format '{{.Name}}')" = sealed ]
  [ "$(tare network ls --format '{{.Name}}' | tr '\n' ' ')" = "bridge host none sealed " ]
  run tare network rm sealed bridge
  [ "$status" -eq 1 ] && [ "${lines[0]}" = sealed ] && [[ "${lines[1]}" == *pre-defined* ]]
}

@test "prune: containers, volumes, everything" {
  tare create --name old --network none busybox true
  tare volume create unused
  [[ "$(echo n | tare container prune 2>&1)" == *"Are you sure"* ]]
  [ "$(tare ps -aq | wc -l)" -eq 1 ]
  run tare container prune -f
  [ "${lines[0]}" = "Deleted Containers:" ] && [[ "${lines[-1]}" == "Total reclaimed space: "* ]]
  [ "$(tare ps -aq | wc -l)" -eq 0 ]
  [[ "$(tare volume prune -af)" == *unused* ]]
  [[ "$(tare system prune -f)" == "Total reclaimed space: "* ]]
}

@test "system: df, info, check" {
  [ "$(tare system df --format '{{.Type}} {{.TotalCount}}' | head -1)" = "Images 1" ]
  [[ "$(tare system df -v)" == *"Images space usage:"*busybox* ]]
  [ "$(tare info -f '{{.Containers}} {{.Images}}')" = "0 1" ]
  [[ "$(tare info)" == *" Storage Driver: "* ]]
  run tare system check
  [ "$status" -eq 0 ]
}

@test "errors: one line, docker's exit codes" {
  run tare nosuch
  [ "$status" -eq 1 ] && [ "$output" = "tare: 'nosuch' is not a tare command. See 'tare --help'." ]
  run tare ps --nosuch
  [ "$status" -eq 125 ] && [ "${lines[0]}" = "tare: unknown flag: --nosuch" ]
  run tare rm
  [ "$status" -eq 1 ]
  run tare stop a-missing-one
  [ "$status" -eq 1 ] && [ "$output" = "tare: No such container: a-missing-one" ]
  tare rm -f a-missing-one
  run tare ps --format '{{'
  [ "$status" -eq 1 ] && [[ "$output" == *"template parsing error: template: :1: unclosed action" ]]
  run sh -c 'tare images >/dev/full'
  [ "$status" -eq 1 ] && [[ "$output" == *"write to standard output"* ]]
}

@test "help and completion of every program" {
  [[ "$(tare --help)" == *"Run 'tare COMMAND --help'"* ]]
  [[ "$(tare pull --help)" == *"Usage:  tare pull"* ]]
  [[ "$(tare volume)" == *"create "* ]]
  tare create --name finished --network none busybox true
  run bash -c 'source <(tare completion bash); for l in "tare rm fin" "tare pull --pla" "tare volume cre" "tare rmi bus"; do
    COMP_LINE=$l COMP_POINT=${#l}; _tare; echo "${COMPREPLY[*]}"; done'
  [ "$output" = "$(printf 'finished\n--platform\ncreate\nbusybox:latest')" ]
  tare rm finished
}

@test "stop of many takes as long as one" {
  for i in 1 2 3 4; do tare run -d --name "many$i" --network none busybox sleep 1000; done
  local start=$SECONDS
  run tare stop -t 2 many1 many2 many3 many4
  [ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 4 ] && [ $((SECONDS - start)) -lt 6 ]
  tare rm many1 many2 many3 many4
}
