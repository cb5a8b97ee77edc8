#!/usr/bin/env bats
# random verbs by several at once while random processes are killed (tests/torture); 1,000 rounds and more: make torture
load helper

torture() { BUILD=${TARE_TEST_BUILD:-$TOP/build} TMPDIR=/tmp "$TOP/tests/torture/run" "$@" 3>&-; }

@test "100 rounds of one seed, 3 at a time" {
  run torture --seed 61 --rounds 100 --workers 3
  echo "$output"
  [ "$status" -eq 0 ]
}

@test "100 rounds of a random seed, most of them with a kill" {
  run torture --rounds 100 --workers 5 --kills 70
  echo "$output"
  [ "$status" -eq 0 ]
}
