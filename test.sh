#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, then runs all of them; arguments go to `dotnet test`.
# The last line is the sum over all projects: N passed, N failed, N skipped.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

install() { # command, package
  command -v "$1" >/dev/null && return
  local sudo=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || { echo "test.sh: $2 is needed; install it, or run this as root." >&2; exit 1; }
    sudo=(sudo)
  fi
  command -v apt-get >/dev/null || { echo "test.sh: $2 is needed and there is no apt-get to install it with." >&2; exit 1; }
  echo "test.sh: installing $2 …" >&2
  # Only the program is wanted: the service that the package starts would take the default port.
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 bash -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $2" >/dev/null ||
    { echo "test.sh: apt-get could not install $2." >&2; exit 1; }
}
install redis-server redis-server
[[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || install rabbitmq-server rabbitmq-server
install g++ g++ # compiles the GPU kernels for the CPU

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
dotnet build FedKSeed.sln --nologo -v quiet -clp:NoSummary
# One project at a time: the end-to-end test and the kernels each want every core.
dotnet test --solution FedKSeed.sln --no-build --max-parallel-test-modules 1 "$@" 2>&1 | tee "$output" || status=$?

count() { sed -n "s/^ *$1: *\([0-9][0-9]*\).*/\1/p" "$output" | awk '{ sum += $1 } END { print sum + 0 }'; }
passed=$(count succeeded) failed=$(count failed) skipped=$(count skipped)
if ((status == 0 && passed == 0)); then
  echo "test.sh: no test ran." >&2
  status=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
