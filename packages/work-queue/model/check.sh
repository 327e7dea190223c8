#!/usr/bin/env bash
# Checks queue.pml with SPIN: the protocol in several sizes, then mutants that leave one of its rules out, each of
# which must fail. Needs spin and a C compiler. Prints one line a run.
#
#   model/check.sh          all sizes: minutes, and up to 6 GB of memory
#   model/check.sh quick    smaller sizes of the same rules, and all mutants: about 15 seconds
set -euo pipefail
model="$(cd "$(dirname "$0")" && pwd)/queue.pml"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
options=(-O2 -DCOLLAPSE)
# Most of a quick check would be the compiler, and its states need not be kept small.
if [[ ${1-} == quick ]]; then options=(-O0); fi

# The number of errors that SPIN finds in a variant, given as -D options.
verify() {
  spin -a "$@" "$model"
  cc "${options[@]}" -DNFAIR=3 -DMEMLIM=6144 -w -o pan pan.c
  ./pan -m200000 >out.txt
  states="$(awk '/states, stored/ { printf "%.0f", $1 }' out.txt)"
  if grep -q 'max search depth too small\|memory limit\|out of memory' out.txt; then
    echo "INCOMPLETE  $*" && exit 1
  fi
  errors="$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' out.txt)"
}

holds() {
  verify "$@"
  if [[ $errors != 0 ]]; then
    echo "BROKEN  $*"
    grep -m1 '^pan:' out.txt
    exit 1
  fi
  echo "holds   $* ($states states)"
}

fails() {
  verify "$@"
  if [[ $errors == 0 ]]; then
    echo "UNDETECTED  $*" && exit 1
  fi
  echo "fails   $* ($(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' out.txt | head -1))"
}

holds -DCAP=1 -DITEMS=2 -DPRODUCERS=1 -DCONSUMERS=1
holds -DCAP=2 -DITEMS=2 -DPRODUCERS=1 -DCONSUMERS=1
holds -DCAP=1 -DCONSUMERS=1 -DCLOSE_LATE
holds -DCAP=2 -DCONSUMERS=1 -DCLOSE_LATE
holds -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=2 -DCLOSE_LATE
holds -DCAP=2 -DPRODUCERS=1 -DITEMS=2 -DTAKE_ONE -DNO_CLOSE
holds -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=1 -DITEMS=2 -DDEATH -DCLOSE_LATE
# The one with millions of states, for which a better program pays.
(
  if [[ ${1-} == quick ]]; then options+=(-O1); fi
  holds -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=2 -DDEATH -DCONSUMER_DIES -DCLOSE_LATE
)
if [[ ${1-} != quick ]]; then
  holds -DCAP=1 -DCONSUMERS=1
  holds -DCAP=2 -DTAKE_ONE -DNO_CLOSE
  holds -DCAP=1 -DPRODUCERS=1 -DITEMS=2 -DCLOSE_LATE
  holds -DCAP=1 -DCONSUMERS=1 -DDEATH -DCLOSE_LATE
  holds -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=2 -DDEATH -DCLOSE_LATE
  holds -DCAP=1 -DPRODUCERS=1 -DITEMS=2 -DDEATH -DCLOSE_LATE
fi

fails -DMUTANT_ONE_STAMP -DCAP=1 -DCONSUMERS=1 -DCLOSE_LATE
fails -DMUTANT_CLOSE_FLAG -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=1
fails -DMUTANT_NO_LOOK -DCAP=1 -DPRODUCERS=1 -DCONSUMERS=1 -DITEMS=2
fails -DMUTANT_NO_CHAIN -DCAP=2 -DTAKE_ONE -DNO_CLOSE
fails -DMUTANT_GUESS -DCAP=1 -DCONSUMERS=1 -DDEATH -DCLOSE_LATE
fails -DMUTANT_NO_WAKE_AFTER_DEATH -DCAP=1 -DCONSUMERS=1 -DDEATH -DCLOSE_LATE
