# Checks, calls and Grace itself, for scripts/test-api.

# --- Checks --------------------------------------------------------------------------------------------------------
ok() { passed=$((passed + 1)); echo "ok      $*"; }
not_ok() { failed=$((failed + 1)); echo "not ok  $*"; }
# is NAME WANTED FOUND
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: expected “$2”, found “$3”"; fi; }
# holds NAME COMMAND…
holds() { local name=$1; shift; if "$@" >/dev/null 2>&1; then ok "$name"; else not_ok "$name"; fi; }
say() { printf '\n== %s\n' "$*"; }
# within SECONDS COMMAND…: until it succeeds
# The seconds are those of a quiet machine; a busy one (CI) gets four times as many, which cost nothing where all is well.
within() {
    local end=$((SECONDS + 4 * $1)); shift
    until "$@"; do ((SECONDS < end)) || return 1; sleep 0.1; done
}

# SQLite reads JSON, and is here anyway: get PATH [FILE] prints a value, type PATH its type (empty: no such member).
get() { sqlite3 :memory: "SELECT json_extract(CAST(readfile('${2:-$body}') AS TEXT), '$1')" 2>/dev/null; }
type() { sqlite3 :memory: "SELECT json_type(CAST(readfile('${2:-$body}') AS TEXT), '$1')" 2>/dev/null; }
# members NAME PATH FIELD…: each is there, be it null
members() {
    local name=$1 path=$2 missing="" field; shift 2
    for field in "$@"; do [ -n "$(type "$path.$field")" ] || missing+=" $field"; done
    if [ -z "$missing" ]; then ok "$name has $*"; else not_ok "$name lacks$missing: $(head -c 300 "$body")"; fi
}

missions=/mission-control/autonomous/missions
sessions=/api/parliament/sessions
# call METHOD PATH [curl arguments]: $status, $kind and the answer in $body. Tokens go through a file, not the command line.
call() {
    local method=$1 path=$2; shift 2
    read -r status kind < <(curl -sS -m 20 -o "$body" -w '%{http_code} %{content_type}\n' -X "$method" -H @"$token" "$@" "$url$path" 2>>"$work/curl.log")
}
# expect STATUS NAME METHOD PATH [curl arguments]: the status; refusals are problem details (RFC 9457)
expect() {
    local wanted=$1 name=$2; shift 2
    call "$@"
    if [ "$status" != "$wanted" ]; then not_ok "$name: expected $wanted, found $status: $(head -c 300 "$body")"; return; fi
    if ((wanted >= 400)); then
        case $kind in application/problem+json*) ;; *) not_ok "$name: $wanted, but as “$kind”"; return ;; esac
        local field
        for field in type title status detail; do
            [ -n "$(type "\$.$field")" ] || { not_ok "$name: the problem has no $field"; return; }
        done
        [ "$(get '$.status')" = "$wanted" ] || { not_ok "$name: the problem's status is not $wanted"; return; }
    fi
    ok "$name: $wanted"
}
json() { printf '%s' "$1" >"$work/request"; echo "@$work/request"; }
post() { local wanted=$1 name=$2 path=$3; expect "$wanted" "$name" POST "$path" -H 'Content-Type: application/json' --data-binary "$(json "$4")"; }

# --- Grace itself ---------------------------------------------------------------------------------------------------
free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    echo "test-api: found no free port" >&2; exit 1
}
port=$(free_port)
url=http://127.0.0.1:$port
start_grace() {
    rm -f "$root/run/client.json"
    setsid "$grace" up --listen "127.0.0.1:$port" --approver "you@example.org=$root/you.pub" \
        --profiles "$repository/sandbox-profiles" >>"$root/grace.log" 2>&1 &
    grace_pid=$!
    within 30 test -s "$root/run/client.json" && within 10 curl -fsS -o /dev/null "$url/readyz" 2>/dev/null && return
    echo "test-api: grace up did not start; its log:" >&2; tail -n 20 "$root/grace.log" >&2; exit 1
}
gone() { [ -z "$(own_processes)" ] && [ -z "$(group_processes)" ]; }
# kill_grace WHEN: kill -9 of the one process; whatever it had started must go by itself
kill_grace() {
    kill -9 "$grace_pid"; wait "$grace_pid" 2>/dev/null; grace_pid=""
    within 8 gone || true
    is "killed $1: no process of Grace's is left" "" "$(echo $(own_processes) $(group_processes))"
    is "killed $1: no mount of Grace's is left" 0 "$(own_mounts)"
}
ended() { ! kill -0 "$grace_pid" 2>/dev/null || grep -qs '^State:.Z' "/proc/$grace_pid/status"; }
stop_grace() {
    kill "$grace_pid"
    within 10 ended || { not_ok "grace up ends within 10 s when it is asked to"; kill -9 "$grace_pid"; }
    local code
    wait "$grace_pid" 2>/dev/null; code=$?; grace_pid=""; return $code
}

# live NAME TEXT: a live file
live() { mkdir -p "$root/srv/$1"; printf '%s\n' "$2" >"$root/srv/$1/one"; printf '%s\n' "$2" >"$root/srv/$1/two"; }
content() { cat "$root/srv/$1/one" "$root/srv/$1/two" | tr '\n' ' '; }
# quick NAME [LIVE]: a mission that changes two files from “old” to “new” and is judged by a check, without a trial's blocks
quick() {
    local d=$root/srv/$1
    cat <<JSON
{"title":"Change $1","description":"two files become new","rationale":"a test of Grace","severity":"low",
 "change":{"files":[{"path":"$d/one","content":"new\n"},{"path":"$d/two","content":"new\n"}],"touches":["$d"]},
 "sandbox":{"profile":"service"},"checks":[{"name":"reads","run":"grep -qx new $d/one && grep -qx new $d/two"}],
 "guardrails":{"security_score":{"regresses":"1%"}},"live":${2:-"{\"watch\":{\"for\":\"2s\"}}"}}
JSON
}
# trial NAME [BLOCKS]: the same, with a trial; its arms hold some megabytes, so that a few pages are no difference
trial() {
    local d=$root/srv/$1
    cat <<JSON
{"title":"Try $1","description":"two files become new","rationale":"a test of Grace","severity":"low",
 "change":{"files":[{"path":"$d/one","content":"new\n"},{"path":"$d/two","content":"new\n"}],"touches":["$d"]},
 "sandbox":{"profile":"service"},
 "workload":{"run":"x=\$(head -c 4000000 /dev/zero | tr '\\\\0' x); cat $d/one; echo latency_seconds 0.01 >&3"},
 "guardrails":{"latency_p95":{"regresses":"10%"},"cpu_time":{"regresses":"20%"},"memory_peak":{"regresses":"20%"}},
 "trial":{"blocks":{"min":${2:-10},"max":80}},"live":{"watch":{"for":"1s"}}}
JSON
}
# propose JSON: its id in $id
propose() {
    call POST "$missions" -H 'Content-Type: application/json' --data-binary "$(json "$1")"
    id=$(get '$.mission_id')
    [ "$status" = 201 ] && [ -n "$id" ] || not_ok "a mission is taken: $status $(head -c 400 "$body")"
}
phase() { curl -sS -m 10 -H @"$token" -o "$work/phase" "$url$missions/$1" 2>/dev/null; get '$.phase' "$work/phase"; }
in_phase() { [[ " $2 " == *" $(phase "$1") "* ]]; }
# reaches ID PHASES SECONDS NAME
reaches() {
    if within "$3" in_phase "$1" "$2"; then ok "$4: $(phase "$1")"; else
        not_ok "$4: expected $2, still $(phase "$1") after $3 s ($(get '$.reason' "$work/phase"))"
    fi
}
approve() { "$grace" vote "$1" approve --reason "a test" --key "$root/you" --yes >"$work/vote" 2>&1 || { not_ok "the signed vote is taken: $(tail -n 2 "$work/vote")"; }; }
ledger() { local said; said=$("$grace" log verify 2>&1) && ok "$1: the ledger verifies" || not_ok "$1: the ledger verifies: $said"; }

