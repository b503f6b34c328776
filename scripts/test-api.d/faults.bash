# kill -9 of `grace up` in every phase, pauses, failing watches, conflicts.

blocks() { cat "$root/state/agent/missions/$1/blocks.jsonl" 2>/dev/null | wc -l; }
has_blocks() { [ "$(blocks "$1")" -ge "$2" ]; }
told() { grep -c "\"event\":\"$1\".*\"mission_id\":\"$2\"" "$root/hook/told"; }

say "Paused: a trial stops at once, also over restarts and a kill; then the same trial goes on; killed in it, it goes on again"
live trial old
propose "$(trial trial 20)"
trial=$id
within 40 has_blocks "$trial" 3 || not_ok "the trial runs: $(phase "$trial") $(get '$.reason' "$work/phase")"
holds "grace pause" "$grace" pause --reason "a test"
idle() { [ -z "$(group_processes)" ]; }
holds "the sandboxes end" within 5 idle
sleep 0.5
before=$(blocks "$trial")
live queued old
propose "$(quick queued)"
queued=$id
sleep 1.5
is "no block runs while paused" "$before" "$(blocks "$trial")"
kill_grace "while paused, one mission detected and one in sandbox_testing"
start_grace
sleep 2
is "still paused after the restart" "$before" "$(blocks "$trial")"
is "the new mission is still detected" detected "$(phase "$queued")"
is "the other still in sandbox_testing" sandbox_testing "$(phase "$trial")"
expect 200 "GET the status" GET /mission-control/status
is "it says paused" 1 "$(get '$.paused')"
cp "$root/state/agent/missions/$trial/blocks.jsonl" "$work/paused"
holds "grace resume" "$grace" resume
within 20 has_blocks "$trial" $((before + 3)) || not_ok "the trial goes on after resume: $(blocks "$trial") blocks"
is "with the blocks it had" "$(cat "$work/paused")" "$(head -n "$before" "$root/state/agent/missions/$trial/blocks.jsonl")"
kill_grace "in sandbox_testing"
cp "$root/state/agent/missions/$trial/blocks.jsonl" "$work/killed"
start_grace
# Whatever the verdict of so noisy a machine: the trial ends, in one of its legal states.
reaches "$trial" "consensus needs_more_testing blocked" 90 "the killed trial goes on to its end"
is "with the blocks it had" "$(cat "$work/killed")" "$(head -n "$(wc -l <"$work/killed")" "$root/state/agent/missions/$trial/blocks.jsonl")"
is "live is untouched by it" "old old " "$(content trial)"
reaches "$queued" consensus 40 "the mission that waited is tested"
ledger "after two kills"
live long old
propose "$(trial long | sed 's/"run":"x=/"run":"sleep 60; x=/')"
busy() { [ "$(group_processes | wc -l)" -ge 2 ]; }
within 30 busy || not_ok "an arm of a minute runs: $(phase "$id")"
sleep 1
holds "grace pause in the midst of an arm of a minute" "$grace" pause --reason "a test"
holds "its sandbox ends at once" within 4 idle
is "and that is no failure of the mission's" sandbox_testing "$(phase "$id")"
expect 200 "POST cancel" POST "$missions/$id/cancel?reason=done"
holds "grace resume" "$grace" resume
[ "$(phase "$trial")" = consensus ] || call POST "$missions/$trial/cancel?reason=done"

say "Killed in discussion and consensus"
kill_grace "in consensus"
start_grace
is "the mission still waits for people" consensus "$(phase "$queued")"
approve "$queued"
reaches "$queued" complete 30 "the vote after the restart is carried out"
is "live is new" "new new " "$(content queued)"

say "Killed in live_execution, files: inside live.apply"
live apply old
propose "$(quick apply "{\"apply\":{\"run\":[\"echo begun >>$root/hook/apply; sleep 2; echo done >>$root/hook/apply\"]},\"watch\":{\"for\":\"2s\"}}")"
reaches "$id" consensus 30 "a mission with live.apply waits for people"
approve "$id"
within 20 test -s "$root/hook/apply" || not_ok "live.apply begins"
kill_grace "in live_execution"
start_grace
reaches "$id" "monitoring complete failed rolled_back" 40 "it ends in a legal state"
case $(content apply) in "new new "|"old old ") ok "live is entirely old or new: $(content apply)" ;; *) not_ok "live is a mixture: $(content apply)" ;; esac
reaches "$id" "complete failed rolled_back" 20 "and is settled"
case $(phase "$id"),$(content apply) in complete,"new new "|failed,"old old "|rolled_back,"old old ") ok "its phase is true of live" ;; *) not_ok "$(phase "$id") while live is $(content apply)" ;; esac

say "Killed in live_execution at any moment of the files' exchange"
for moment in 0.05 0.2 0.4 0.7; do
    live "at$moment" old
    propose "$(quick "at$moment")"
    within 30 in_phase "$id" consensus || not_ok "tested: $(phase "$id")"
    approve "$id"
    sleep "$moment"
    kill_grace "$moment s after the vote"
    start_grace
    within 40 in_phase "$id" "complete failed rolled_back expired conflict" || true
    case $(phase "$id"),$(content "at$moment") in
        complete,"new new "|failed,"old old ") ok "killed $moment s after the vote: $(phase "$id"), $(content "at$moment")" ;;
        *) not_ok "killed $moment s after the vote: $(phase "$id") ($(get '$.reason' "$work/phase")) while live is $(content "at$moment")" ;;
    esac
done

say "Killed in live_execution, rerun: the command runs at most once"
mkdir -p "$root/srv/rerun"
propose "{\"title\":\"Run again\",\"description\":\"a command\",\"rationale\":\"a test\",\"severity\":\"low\",
 \"change\":{\"run\":\"echo run >>$root/srv/rerun/runs; sleep 2; touch $root/srv/rerun/there\",\"promote\":\"rerun\",
  \"undo\":\"rm -f $root/srv/rerun/there $root/srv/rerun/runs\",\"effect\":\"test -e $root/srv/rerun/there\",\"touches\":[\"$root/srv/rerun\"]},
 \"sandbox\":{\"profile\":\"service\"},\"checks\":[{\"name\":\"there\",\"run\":\"test -e $root/srv/rerun/there\"}],
 \"guardrails\":{\"security_score\":{\"regresses\":\"1%\"}},\"live\":{\"watch\":{\"for\":\"2s\"}}}"
reaches "$id" consensus 30 "a rerun waits for people"
approve "$id"
within 20 test -s "$root/srv/rerun/runs" || not_ok "the command begins on live: $(phase "$id") $(get '$.reason' "$work/phase")"
kill -9 "$grace_pid"; wait "$grace_pid" 2>/dev/null; grace_pid=""
start_grace
reaches "$id" "complete failed frozen rolled_back" 40 "it is settled"
is "the command ran at most once" 1 "$(wc -l <"$root/srv/rerun/runs" 2>/dev/null || echo 1)"
there=$(test -e "$root/srv/rerun/there" && echo there || echo not)
case $(phase "$id"),$there in complete,there|failed,not|frozen,*|rolled_back,not) ok "its phase is true of live: $(phase "$id"), $there" ;; *) not_ok "$(phase "$id") while the effect is $there" ;; esac
ledger "after kills in live_execution"

say "Killed in monitoring; a watch that fails rolls back; killed in that"
"$root/bin/users-service" create --database "$work/users.db" --count 10 >/dev/null
probe_port=$(free_port)
start_probe() {
    "$root/bin/users-service" serve --database "$work/users.db" --port "$probe_port" >"$work/probe.log" 2>&1 &
    probe_pid=$!
    within 20 curl -fsS -o /dev/null "http://127.0.0.1:$probe_port/healthz" 2>/dev/null
}
stop_probe() { kill -9 "$probe_pid"; wait "$probe_pid" 2>/dev/null; probe_pid=""; }
start_probe
watched() { echo "{${2:-}\"watch\":{\"for\":\"$1\",\"interval\":\"200ms\",\"probes\":[{\"http\":\"http://127.0.0.1:$probe_port/users/1\"}],\"limits\":{\"error_rate\":\"10%\"}}}"; }
live watch old
propose "$(quick watch "$(watched 5s)")"
within 30 in_phase "$id" consensus
approve "$id"
reaches "$id" monitoring 20 "the change is watched"
kill_grace "in monitoring"
is "live stays new" "new new " "$(content watch)"
start_grace
reaches "$id" complete 30 "the watch goes on and passes"
live fails old
propose "$(quick fails "$(watched 60s)")"
within 30 in_phase "$id" consensus
approve "$id"
reaches "$id" monitoring 20 "another change is watched"
expect 200 "GET it" GET "$missions/$id"
is "it is approved for live" 1 "$(get '$.approved_for_live')"
stop_probe
reaches "$id" rolled_back 20 "its probe fails, and it is rolled back by itself"
is "live is old again" "old old " "$(content fails)"
told_once() { [ "$(told rolled_back "$id")" = 1 ]; }
holds "the hook is told, once" within 10 told_once
start_probe
twice() { [ "$(wc -l <"$root/hook/back")" -ge 2 ]; }
live back old
propose "$(quick back "$(watched 60s "\"apply\":{\"run\":[\"echo x >>$root/hook/back; [ \$(wc -l <$root/hook/back) -lt 2 ] || sleep 3\"]},")")"
within 30 in_phase "$id" consensus
approve "$id"
reaches "$id" monitoring 20 "a change with live.apply is watched"
expect 200 "POST rollback" POST "$missions/$id/rollback" -H 'Content-Type: application/json' --data-binary '{"reason":"a test"}'
members "the answer" '$' success message
within 10 twice || not_ok "live.apply runs in the rollback"
kill_grace "in rolling_back"
start_grace
reaches "$id" rolled_back 30 "the requested rollback is finished"
is "live is old again" "old old " "$(content back)"
rm -f "$root/hook/back"
live back2 old
propose "$(quick back2 "$(watched 60s "\"apply\":{\"run\":[\"echo x >>$root/hook/back; [ \$(wc -l <$root/hook/back) -lt 2 ] || sleep 3\"]},")")"
within 30 in_phase "$id" consensus
approve "$id"
reaches "$id" monitoring 20 "the same, for the watch's own rollback"
stop_probe
within 15 twice || not_ok "live.apply runs in the rollback"
kill_grace "in the watch's rollback"
start_grace
reaches "$id" rolled_back 30 "the watch's rollback is finished"
is "live is old again" "old old " "$(content back2)"
ledger "after kills in monitoring and rolling_back"

say "Live changed between test and approval: a conflict, and live stays as somebody left it"
live moved old
propose "$(quick moved)"
within 30 in_phase "$id" consensus
echo mine >"$root/srv/moved/two"
approve "$id"
reaches "$id" conflict 20 "live moved on under the tested base"
is "live is what somebody made it" "old mine " "$(content moved)"
expect 200 "POST retest" POST "$missions/$id/retest?reason=again"
reaches "$id" consensus 30 "the re-test stands on live as it is now"
approve "$id"
reaches "$id" complete 30 "and is promoted"
is "live is new" "new new " "$(content moved)"

say "The coordinator alone is killed: it is started again"
child=$(own_processes | while read -r pid; do case $(readlink "/proc/$pid/exe") in */grace-coordinator) echo "$pid" ;; esac; done)
kill -9 $child
holds "it answers again" within 20 curl -fsS -o /dev/null "$url/readyz"
stop_grace
is "grace up ends with 0 at the end" 0 $?
within 5 gone || true
is "no process is left" "" "$(echo $(own_processes) $(group_processes))"
is "no sandbox's control group is left" "" "$(for g in $(own_groups); do find "$g" -mindepth 1 -type d; done)"
is "no fork and no scratch is left of settled missions" "" "$(find "$root/state/scratch" -mindepth 1 -maxdepth 1; for f in "$root"/state/forks/*; do [ -e "$f" ] && [ "${f##*/}" != "$trial" ] && echo "$f"; done)"
ledger "at the end, without a coordinator"

