#!/usr/bin/env bats
# build: every instruction and what it does to a container, stages, cache, context, errors that name the line
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }
setup() { CONTEXT=$(mktemp -d "$STATE/context.XXXXXX"); }

dockerfile() { cat >"$CONTEXT/Dockerfile"; }
built() { tare build -q -t "$@" "$CONTEXT"; }
in_it() { local name=$1; shift; tare run --rm --network none "$name" "$@"; }
config() { tare inspect --type image -f "{{json .Config.$2}}" "$1"; }
# A build that fails: its code is 1, and its last line holds these words.
fails_with() {
  run tare build -t broken "$CONTEXT"
  [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
  for word in "$@"; do [[ "${lines[-1]}" == *"$word"* ]] || { echo "no '$word' in: $output"; return 1; }; done
  [ -z "$(tare images -q broken)" ]
}

@test "every instruction shows in the container or in its configuration" {
  mkdir -p "$CONTEXT/dir/sub" && echo in >"$CONTEXT/dir/sub/file" && echo plain >"$CONTEXT/plain" && chmod 640 "$CONTEXT/plain"
  tar -C "$CONTEXT" -czf "$CONTEXT/packed.tar.gz" dir
  dockerfile <<'D'
# a comment
FROM busybox
MAINTAINER somebody <some@body>
ARG VERSION=1
ARG UNSET
ENV A=1 B="two words" C=$VERSION
ENV OLD old form
LABEL one=1 "two words"="a b"
WORKDIR /work
WORKDIR deeper
RUN echo "shell $A $B $VERSION" > out && \
    # a comment inside
    id -u >> out
RUN ["sh", "-c", "echo exec $0 >> out", "form"]
COPY plain dir/ ./copied/
COPY --chown=12:34 --chmod=0604 plain /owned
ADD packed.tar.gz /unpacked/
ADD plain /added
USER 1000:1001
EXPOSE 80 53/udp
VOLUME ["/vol", "/vol2"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=2s --retries=4 --start-period=1s CMD test -e /owned
SHELL ["/bin/sh", "-e", "-c"]
ENTRYPOINT ["echo", "entry"]
CMD ["cmd", "default"]
D
  built every
  [ "$(in_it every)" = "entry cmd default" ]
  [ "$(in_it every given)" = "entry given" ]
  [ "$(tare run --rm --network none --entrypoint sh every -c 'id -u; id -g' | tr '\n' ' ')" = "1000 1001 " ]
  run tare run --rm --network none -u 0 --entrypoint sh every -c 'pwd; echo "$A|$B|$C|$OLD|$VERSION"; cat out; cat copied/sub/file copied/plain; stat -c "%u:%g %a" /owned; cat /unpacked/dir/sub/file /added; stat -c "%a %u" copied/plain'
  [ "$output" = "$(printf '%s\n' /work/deeper '1|two words|1|old form|' 'shell 1 two words 1' 0 'exec form' in plain '12:34 604' in plain '640 0')" ]
  [ "$(config every ExposedPorts)" = '{"53/udp":{},"80/tcp":{}}' ]
  [ "$(config every Volumes)" = '{"/vol":{},"/vol2":{}}' ]
  [ "$(config every Labels)" = '{"one":"1","two words":"a b"}' ]
  [ "$(config every StopSignal)" = '"SIGINT"' ] && [ "$(config every User)" = '"1000:1001"' ] && [ "$(config every WorkingDir)" = '"/work/deeper"' ]
  [ "$(config every Shell)" = '["/bin/sh","-e","-c"]' ]
  [[ "$(config every Healthcheck)" == *'"CMD-SHELL","test -e /owned"'* ]] && [[ "$(config every Healthcheck)" == *'"Interval":5000000000'* ]] && [[ "$(config every Healthcheck)" == *'"Retries":4'* ]]
  [ "$(tare inspect -f '{{.Author}}' every)" = 'somebody <some@body>' ]
  [[ "$(tare history --no-trunc every)" == *'WORKDIR /work'* ]]
  tare rmi every
}

@test "stages: COPY --from by name, number and image; --target; a stage upon a stage" {
  dockerfile <<'D'
ARG BASE=busybox
FROM ${BASE} AS first
RUN echo one > /one && mkdir /tree && echo leaf > /tree/leaf && ln -s leaf /tree/link && ln /tree/leaf /tree/hard
FROM first AS second
RUN echo two > /two
FROM busybox AS unused
RUN exit 9
FROM scratch
COPY --from=busybox /bin /bin
COPY --from=first /one /
COPY --from=1 /two /dir/
COPY --from=second /tree /tree
CMD ["/bin/busybox", "cat", "/one", "/dir/two"]
D
  built staged
  [ "$(in_it staged | tr '\n' ' ')" = "one two " ]
  [ "$(in_it staged /bin/busybox readlink /tree/link)" = leaf ]
  [ "$(in_it staged /bin/busybox stat -c %h /tree/leaf)" = 2 ]
  built target --target first
  run in_it target ls /two
  [ "$status" -ne 0 ]
  [ "$(in_it target cat /one)" = one ]
  run tare build --target nostage "$CONTEXT"
  [ "$status" -eq 1 ] && [[ "${lines[-1]}" == *nostage* ]]
  tare rmi staged target
}

@test "ARG, --build-arg, and what they may not reach" {
  dockerfile <<'D'
ARG TAG=latest
FROM busybox:$TAG
ARG TAG
ARG WORD=default
ARG EMPTY
ENV KEPT=${WORD:-none} ALT=${EMPTY:+set} DEF=${EMPTY:-unset}
RUN echo "$WORD $TAG ${HTTP_PROXY:-noproxy}" > /said
D
  built args && [ "$(in_it args cat /said)" = "default latest noproxy" ]
  built args --build-arg WORD=given --build-arg EMPTY=full --build-arg HTTP_PROXY=p
  [ "$(in_it args sh -c 'cat /said; echo $KEPT $ALT $DEF $WORD' | tr '\n' ' ')" = "given latest p given set full " ]
  run tare build -t args --build-arg TAG=nosuch "$CONTEXT"
  [ "$status" -eq 1 ]
  run tare build -t args --build-arg NOBODY=x "$CONTEXT"
  [ "$status" -eq 0 ] && [[ "$output" == *NOBODY* ]]
  tare rmi args
}

@test ".dockerignore" {
  mkdir -p "$CONTEXT/keep" "$CONTEXT/logs/deep" "$CONTEXT/.git"
  touch "$CONTEXT"/keep/{a.txt,b.tmp} "$CONTEXT/logs/deep/x.log" "$CONTEXT/logs/deep/important.log" "$CONTEXT/.git/config" "$CONTEXT/top.tmp"
  printf '# no\n.git\n**/*.tmp\nlogs/**/*.log\n!logs/deep/important.log\nDockerfile\n.dockerignore\n' >"$CONTEXT/.dockerignore"
  dockerfile <<'D'
FROM busybox
COPY . /ctx
D
  built ignore
  [ "$(in_it ignore sh -c 'cd /ctx; find . -type f | sort' | tr '\n' ' ')" = "./keep/a.txt ./logs/deep/important.log " ]
  printf 'FROM busybox\nCOPY top.tmp /\n' | dockerfile
  fails_with ':2' top.tmp
  tare rmi ignore
}

@test "the cache hits on the second build and is right after an edit" {
  echo 1 >"$CONTEXT/file"
  dockerfile <<'D'
FROM busybox
RUN cat /proc/sys/kernel/random/uuid > /uuid
COPY file /file
RUN cat /proc/sys/kernel/random/uuid > /uuid2
D
  tare build -t cached "$CONTEXT" >/dev/null
  id=$(tare images -q --no-trunc cached)
  run tare build -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 3 ]
  [ "$(tare images -q --no-trunc cached)" = "$id" ]
  first=$(in_it cached cat /uuid)
  second=$(in_it cached cat /uuid2)
  touch "$CONTEXT/file"                       # the content is what counts
  run tare build -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 3 ]
  echo 2 >"$CONTEXT/file"                     # same size
  run tare build -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 1 ]
  [ "$(in_it cached cat /uuid)" = "$first" ] && [ "$(in_it cached cat /uuid2)" != "$second" ] && [ "$(in_it cached cat /file)" = 2 ]
  chmod 700 "$CONTEXT/file"
  run tare build -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 1 ]
  run tare build --no-cache -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 0 ]
  [ "$(in_it cached cat /uuid)" != "$first" ]
  echo 1 >"$CONTEXT/file" && chmod 644 "$CONTEXT/file"
  sed -i '2s/uuid$/other/' "$CONTEXT/Dockerfile"
  run tare build -t cached "$CONTEXT"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 0 ]
  tare rmi cached
}

@test "ONBUILD runs in the image built upon it" {
  dockerfile <<'D'
FROM busybox
ONBUILD COPY plain /from-child
ONBUILD RUN echo triggered > /triggered
D
  built onbuild
  [ "$(config onbuild OnBuild)" = '["COPY plain /from-child","RUN echo triggered \u003e /triggered"]' ] || [ "$(config onbuild OnBuild)" = '["COPY plain /from-child","RUN echo triggered > /triggered"]' ]
  run in_it onbuild ls /triggered
  [ "$status" -ne 0 ]
  echo child >"$CONTEXT/plain"
  printf 'FROM onbuild\nRUN cat /triggered > /seen\n' | dockerfile
  built child
  [ "$(in_it child cat /from-child /triggered /seen | tr '\n' ' ')" = "child triggered triggered " ]
  [ "$(config child OnBuild)" = null ] || [ "$(config child OnBuild)" = '[]' ]
  tare rmi child onbuild
}

@test "heredocs, --mount=type=bind|cache|tmpfs, exec without a shell" {
  echo bound >"$CONTEXT/plain"
  dockerfile <<'D'
# syntax=docker/dockerfile:1
FROM busybox
RUN <<EOT
echo first > /here
echo second >> /here
EOT
COPY <<file.txt /copied.txt
value $PATH
file.txt
RUN --mount=type=bind,source=plain,target=/mnt/plain cat /mnt/plain > /bound
RUN --mount=type=cache,target=/cache echo more >> /cache/list; wc -l < /cache/list > /count
RUN --mount=type=tmpfs,target=/scratch touch /scratch/x
D
  built here
  [ "$(in_it here cat /here /bound | tr '\n' ' ')" = "first second bound " ]
  [ "$(in_it here ls -A /scratch /cache /mnt | grep -vc :)" -le 2 ]
  sed -i '$d' "$CONTEXT/Dockerfile" && sed -i '$s/more/again/' "$CONTEXT/Dockerfile"
  built here
  [ "$(in_it here cat /count)" = 2 ]
  tare rmi here
}

@test "Dockerfile on stdin, -f, context as a tar on stdin, --iidfile, --label" {
  id=$(printf 'FROM busybox\nRUN echo stdin > /x\n' | tare build -q -t stdin -)
  [[ "$id" == sha256:* ]] && [ "$(in_it stdin cat /x)" = stdin ]
  echo data >"$CONTEXT/data"
  printf 'FROM busybox\nCOPY data /x\n' >"$CONTEXT/Other"
  tare build -q -t other -f "$CONTEXT/Other" --iidfile "$STATE/iid" --label a=b "$CONTEXT"
  [ "$(in_it other cat /x)" = data ] && [ "$(cat "$STATE/iid")" = "$(tare inspect -f '{{.Id}}' other)" ] && [ "$(config other Labels)" = '{"a":"b"}' ]
  printf 'FROM busybox\nCOPY data /y\n' | tare build -q -t mixed -f - "$CONTEXT"
  [ "$(in_it mixed cat /y)" = data ]
  mv "$CONTEXT/Other" "$CONTEXT/Dockerfile"
  tar -C "$CONTEXT" -c . | tare build -q -t tarred -
  [ "$(in_it tarred cat /x)" = data ]
  tar -C "$CONTEXT" -cz . | tare build -q -t tarred -
  [ "$(in_it tarred cat /x)" = data ]
  tare rmi stdin other mixed tarred
}

@test "errors name the line and leave nothing" {
  before=$(tare images -aq | sort)
  printf 'FROM busybox\n\nFETCH x\n' | dockerfile && fails_with ':3' FETCH
  printf 'FROM busybox\nCOPY nothere /\n' | dockerfile && fails_with ':2' nothere
  printf 'FROM busybox\nRUN true\nRUN \\\n  exit 17\n' | dockerfile && fails_with ':3' 17
  printf 'FROM busybox\nRUN ["/no/such"]\n' | dockerfile && fails_with ':2' /no/such
  printf 'FROM no such thing\n' | dockerfile && fails_with ':1'
  printf 'FROM UPPER:Case\n' | dockerfile && fails_with ':1' UPPER
  printf 'RUN true\n' | dockerfile && fails_with ':1'
  printf 'FROM busybox\nCOPY --from=nostage /x /\n' | dockerfile && fails_with ':2' nostage
  printf 'FROM busybox\nCOPY ../secret /\n' | dockerfile && fails_with ':2'
  printf 'FROM busybox\nENV\n' | dockerfile && fails_with ':2' ENV
  printf 'FROM busybox\nEXPOSE 99999\n' | dockerfile && fails_with ':2' 99999
  printf 'FROM busybox\nSTOPSIGNAL SIGNOPE\n' | dockerfile && fails_with ':2' SIGNOPE
  printf 'FROM busybox\nRUN --mount=type=what true\n' | dockerfile && fails_with ':2' what
  printf 'FROM busybox\nUSER nobodyhere\nRUN true\n' | dockerfile && fails_with ':3' nobodyhere
  printf '' | dockerfile && fails_with
  rm "$CONTEXT/Dockerfile" && fails_with Dockerfile
  [ "$(tare images -aq | sort)" = "$before" ]
  left_behind
}

@test "a context cannot reach outside itself" {
  echo secret >"$STATE/outside"
  ln -s "$STATE/outside" "$CONTEXT/link"
  ln -s / "$CONTEXT/root"
  printf 'FROM busybox\nCOPY root/etc/hostname /stolen\n' | dockerfile
  run tare build -t escape "$CONTEXT"
  [ "$status" -eq 1 ]
  printf 'FROM busybox\nCOPY link /stolen\n' | dockerfile
  run tare build -t escape "$CONTEXT"
  [ "$status" -eq 1 ] || ! in_it escape cat /stolen | grep -q secret
  # nor a step out of its root by a link it made
  printf 'FROM busybox\nRUN ln -s %s /hole\nCOPY . /hole/\n' "$STATE/escaped" | dockerfile
  mkdir "$STATE/escaped"
  run tare build -t escape "$CONTEXT"
  [ -z "$(ls -A "$STATE/escaped")" ]
  tare rmi escape 2>/dev/null || true
}

@test "examples/web serves its page" {
  tare build -q -t web "$TOP/examples/web"
  tare run -d --name web -p "127.0.0.1:$PORT_BASE:80" web
  until_true nc -z 127.0.0.1 "$PORT_BASE"
  [[ "$(busybox wget -q -O - "http://127.0.0.1:$PORT_BASE/")" == *"weighs next to nothing"* ]]
  [[ "$(busybox wget -q -O - "http://127.0.0.1:$PORT_BASE/built.txt")" == "built by tare on"* ]]
  tare rm -f web
  tare rmi web
}
