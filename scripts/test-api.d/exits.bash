# What `grace verify` and `grace run` exit with.

say "grace verify: 0 pass, 1 denied, 2 usage, 3 inconclusive, 4 infrastructure"
# expect_exit CODE NAME COMMAND…
expect_exit() {
    local wanted=$1 name=$2; shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null
    is "$name" "$wanted" $?
}
verify() { expect_exit "$1" "verify: $2" env -u GRACE_STATE_DIR "$grace" verify --profiles "$repository/sandbox-profiles" "$work/$3"; }
live verify old
quick verify >"$work/pass.yaml"
quick verify | sed 's/grep -qx new/grep -qx other/' >"$work/denied.yaml"
quick verify | sed 's/"touches":\["[^"]*"\]/"touches":["\/srv\/elsewhere"]/' >"$work/scope.yaml"
quick verify | sed 's/"title"/"titel"/' >"$work/usage.yaml"
trial verify | sed 's/"guardrails"/"goals":{"latency_p95":{"improves":"10%"}},"guardrails"/; s/"latency_p95":{"regresses":"10%"},//' >"$work/inconclusive.yaml"
trial verify | sed 's/echo latency_seconds 0.01/grep -q new '"${root//\//\\/}"'\\\/srv\\\/verify\\\/one \&\& echo latency_seconds 0.05 >\&3 || echo latency_seconds 0.01/' >"$work/slower.yaml"
cat >"$work/fails.yaml" <<YAML
{title: T, description: D, rationale: R, change: {run: "exit 9", touches: [$root/srv/verify]}, sandbox: {profile: service},
 checks: [{name: c, run: "true"}], guardrails: {security_score: {regresses: 1%}}}
YAML
verify 0 "a mission that passes" pass.yaml
verify 1 "a check that fails" denied.yaml
verify 1 "a guardrail in REGRESSION" slower.yaml
verify 2 "a mission file with a mistake" usage.yaml
verify 2 "a scope that does not hold the files" scope.yaml
verify 2 "no such file" nothing.yaml
verify 3 "a goal that is not reached" inconclusive.yaml
verify 4 "a change that fails in the fork" fails.yaml
is "verify leaves live alone" "old old " "$(content verify)"
is "verify leaves nothing behind" "" "$(find /var/tmp -maxdepth 1 -name 'grace-verify-*' -newer "$work/pass.yaml")"

say "grace run: the command's code, 125 Grace failed, 126 and 127 as in a shell, 128+n on a signal"
# From a directory that is in every sandbox: a checkout below /tmp is in none.
sandboxed() { expect_exit "$1" "run: $2" env --chdir=/ PWD=/ "$grace" run --profiles "$repository/sandbox-profiles" "${@:3}"; }
sandboxed 0 "true" -- true
sandboxed 3 "exit 3" -- sh -c 'exit 3'
sandboxed 125 "an unknown profile" --profile nothing -- true
sandboxed 126 "what can't be executed" -- /etc/passwd
sandboxed 127 "what isn't there" -- /nothing/there
sandboxed 137 "SIGKILL" -- sh -c 'kill -9 $$'
sandboxed 143 "SIGTERM" -- sh -c 'kill -15 $$'
sandboxed 0 "what it writes" -- sh -c "echo changed >$root/srv/verify/one; cat $root/srv/verify/one"
is "is seen by itself" changed "$(cat "$work/out")"
is "and thrown away" "old old " "$(content verify)"
