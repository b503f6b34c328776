# The promised HTTP paths (DESIGN section 9), every field by name.

say "Grace starts, stops in order, and starts again with a hook"
printf 'name: api-test\ntrial_share: 50%%\ncgroup: %s\n' "$group" >"$root/etc/agent.yaml"
mkdir -p "$root/etc/remedies.d"
"$grace" keys init --file "$root/you" --principal you@example.org --no-passphrase >/dev/null
live remedy old
quick remedy >"$root/etc/remedies.d/renew.yaml"
start_grace
stop_grace
is "grace up ends with 0 when it is asked to" 0 $?
holds "and takes the coordinator with it" within 5 gone
cat >"$root/hook.sh" <<HOOK
#!/bin/sh
cat >>$root/hook/told && echo >>$root/hook/told
HOOK
chmod 755 "$root/hook.sh"
# A webhook's receiver, in Perl as every Debian has it: keeps what is posted, and refuses the first notice once.
cat >"$work/receiver.pl" <<'RECEIVER'
use strict; use IO::Socket::INET; $| = 1;
my $server = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die "$!";
open my $port, '>', "$ARGV[0].port.new" or die "$!"; print $port $server->sockport; close $port; rename "$ARGV[0].port.new", "$ARGV[0].port";
my $count = 0;
while (my $client = $server->accept) {
    my ($length, $key) = (0, '');
    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
        $key = $1 if $line =~ /^idempotency-key:\s*(\S+)/i;
    }
    read $client, my $body, $length;
    open my $file, '>>', $ARGV[0] or die "$!"; print $file "$key $body\n"; close $file;
    print $client 'HTTP/1.1 ' . ($count++ ? '204 No Content' : '503 Busy') . "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    close $client;
}
RECEIVER
perl "$work/receiver.pl" "$work/posted" &
receiver_pid=$!
within 10 test -s "$work/posted.port" || not_ok "the webhook's receiver listens"
printf 'notify:\n  - {command: ["%s"]}\n  - {webhook: "http://127.0.0.1:%s/hook"}\n' "$root/hook.sh" "$(cat "$work/posted.port")" \
    >>"$root/etc/coordinator.yaml"
configured=$(cat "$root"/etc/*.yaml)
start_grace
is "a restart changes no configuration" "$configured" "$(cat "$root"/etc/*.yaml)"
(umask 077; printf 'Authorization: Bearer %s\n' "$(head -n 1 "$root/state/operator.token")" >"$work/operator")
token=$work/operator
operator_on=$token
token_for() { # ROLE PRINCIPAL: makes a token and its header file
    post 201 "POST /api/tokens ($1)" /api/tokens "{\"principal\":\"$2\",\"role\":\"$1\"}"
    (umask 077; printf 'Authorization: Bearer %s\n' "$(get '$.token')" >"$work/$1")
}
token_for viewer viewer@example.org
token_for approver stranger@example.org
printf 'Authorization: Bearer %s\n' "not-a-token-not-a-token-not-a-token" >"$work/wrong"
printf 'X-Nothing: 1\n' >"$work/none"

say "Probes and documents"
token=$work/none
expect 200 "GET /healthz" GET /healthz
expect 200 "GET /readyz" GET /readyz
expect 200 "GET /openapi.json" GET /openapi.json
is "it is an OpenAPI 3.1 document" 3.1 "$(get '$.openapi' | cut -d. -f1,2)"
for path in "$missions" "$missions/{mission_id}" "$missions/{mission_id}/feedback" "$missions/{mission_id}/consensus" \
    "$missions/{mission_id}/rollback" "$missions/{mission_id}/cancel" "$missions/{mission_id}/statement" \
    "$missions/{mission_id}/evidence" "$missions/{mission_id}/changes" "$missions/{mission_id}/blobs/{sha256}" \
    /mission-control/status /mission-control/subsystems /mission-control/metrics "$sessions" "$sessions/{session_id}" \
    "$sessions/{session_id}/status" "$sessions/{session_id}/vote" /api/log/entries /api/log/verify /api/governance/policies \
    /api/constitution/principles /api/hunter/findings /api/events /metrics /healthz /readyz; do
    [ -n "$(type "\$.paths.\"$path\"")" ] || not_ok "the document has no $path"
done
expect 401 "no token" GET "$missions"
expect 401 "no token for an unknown path's write" POST "$missions/m-1/cancel"
token=$work/wrong
expect 401 "a wrong token" GET "$missions"
token=$work/viewer
expect 403 "a viewer's mission" POST "$missions" -H 'Content-Type: application/json' --data-binary '{}'
expect 403 "a viewer's pause" POST /api/pause --data-binary '{"reason":"x"}'
expect 200 "a viewer's reading" GET "$missions"
token=$operator_on
expect 200 "GET /metrics" GET /metrics
is "it is Prometheus text" text/plain "${kind%%;*}"
holds "it counts missions" grep -q '^grace_' "$body"
expect 200 "GET /mission-control/status" GET /mission-control/status
members status '$' status components missions
expect 200 "GET /mission-control/subsystems" GET /mission-control/subsystems
members subsystems '$.subsystems[0]' name status
expect 200 "GET /mission-control/metrics" GET /mission-control/metrics
members metrics '$' missions ledger_entries

say "Missions"
live one old
expect 400 "malformed JSON" POST "$missions" -H 'Content-Type: application/json' --data-binary '{"title": '
expect 422 "no mission at all" POST "$missions"
expect 422 "a JSON list" POST "$missions" --data-binary '[1]'
expect 422 "every mistake of a mission" POST "$missions" --data-binary '{"titel":"x","change":{"run":1}}'
members "the refusal" '$' errors
head -c 9000000 /dev/zero | tr '\0' x >"$work/large"
expect 413 "an oversized mission" POST "$missions" -H 'Content-Type: application/json' --data-binary "@$work/large"
expect 413 "the same in chunks" POST "$missions" -H 'Transfer-Encoding: chunked' -H 'Expect:' --data-binary "@$work/large"
post 201 "POST a mission" "$missions" "$(quick one)"
members "the answer" '$' success mission_id phase message
id=$(get '$.mission_id')
one=$id
is "its phase" detected "$(get '$.phase')"
expect 422 "the query without a remedy" POST "$missions?title=T&description=D&rationale=R"
expect 422 "an unknown remedy" POST "$missions?title=T&description=D&rationale=R&remedy=nothing"
expect 201 "POST with a remedy's name" POST "$missions?title=Renewed&description=D&rationale=R&remedy=renew"
remedy=$(get '$.mission_id')
reaches "$one" consensus 40 "the mission is tested and put before people"
reaches "$remedy" consensus 40 "so is the remedy's"
is "the remedy's mission carries the person's title" Renewed "$(get '$.title' "$work/phase")"
summary=(mission_id title description rationale phase trust_score kpi_score consensus_reached approved_for_live created_at parliament_session_id)
expect 200 "GET the list" GET "$missions"
members "the list" '$' total missions
members "its first mission" '$.missions[0]' "${summary[@]}"
is "newest first" "$remedy" "$(get '$.missions[0].mission_id')"
expect 200 "GET one page" GET "$missions?limit=1"
is "it has one mission" 1 "$(sqlite3 :memory: "SELECT json_array_length(CAST(readfile('$body') AS TEXT), '\$.missions')")"
next=$(get '$.next')
expect 200 "GET the page after" GET "$missions?limit=1&after=$next"
is "it goes on" "$one" "$(get '$.missions[0].mission_id')"
expect 200 "GET a phase" GET "$missions?phase=consensus"
is "both are in it" 2 "$(get '$.total')"
expect 200 "GET an empty phase" GET "$missions?phase=complete"
is "nobody is in it" 0 "$(get '$.total')"
expect 422 "an unknown phase" GET "$missions?phase=heaven"
expect 422 "a limit of 0" GET "$missions?limit=0"
expect 422 "a limit that is a word" GET "$missions?limit=ten"
expect 422 "an after that is a word" GET "$missions?after=x"
for method in GET; do expect 404 "an unknown mission" $method "$missions/m-nothing"; done
for act in feedback "consensus?approved=true" "rollback?reason=x" "cancel?reason=x"; do
    expect 404 "$act of an unknown mission" POST "$missions/m-nothing/$act" -H 'Content-Type: application/json' --data-binary '{"feedback":"x"}'
done
for what in evidence changes statement; do expect 404 "$what of an unknown mission" GET "$missions/m-nothing/$what"; done
expect 404 "an unknown path" GET /mission-control/nothing
expect 405 "a method that the path does not take" DELETE "$missions"

say "Approving by token: recorded, and live stays as it is"
expect 422 "consensus without approved" POST "$missions/$one/consensus"
expect 422 "consensus with approved=perhaps" POST "$missions/$one/consensus?approved=perhaps"
expect 200 "a list is not the evidence" GET "$missions"
rm -f "$work/fetched"
token=$work/approver
expect 409 "evidence that this token never fetched" POST "$missions/$one/consensus?approved=true"
expect 200 "GET the mission" GET "$missions/$one"
expect 403 "a stranger to the electorate" POST "$missions/$one/consensus?approved=true"
token=$operator_on
expect 200 "GET the mission" GET "$missions/$one"
members "the mission" '$' "${summary[@]}" kpi_metrics sandbox_results user_feedback tested_at consensus_at executed_at
members "kpi_metrics" '$.kpi_metrics' performance_improvement error_rate_reduction latency_improvement memory_efficiency \
    code_quality_score test_coverage security_score overall_score
members "sandbox_results" '$.sandbox_results' success tests_passed tests_failed stdout stderr exit_code duration_ms
is "what was not measured is null" null "$(type '$.kpi_metrics.test_coverage')"
is "executed_at is null before it is live" null "$(type '$.executed_at')"
session=$(get '$.parliament_session_id')
expect 200 "POST feedback" POST "$missions/$one/feedback" -H 'Content-Type: application/json' --data-binary '{"feedback":"“looks” good\n"}'
members "the answer" '$' success message
expect 200 "POST feedback in the query" POST "$missions/$one/feedback?feedback=fine"
expect 422 "feedback without words" POST "$missions/$one/feedback" --data-binary '{"feedback":"  "}'
head -c 1200000 "$work/large" >"$work/words"
expect 413 "oversized feedback" POST "$missions/$one/feedback" --data-binary "@$work/words"
expect 200 "GET the statement" GET "$missions/$one/statement"
members "the statement" '$' payload_type payload namespace session_id
expect 200 "GET the evidence" GET "$missions/$one/evidence"
members "the envelope" '$' payloadType payload signatures
expect 200 "GET the changes" GET "$missions/$one/changes"
members "the changes" '$' manifest base diff digest
blob=$(printf 'new\n' | sha256sum | cut -c1-64)
expect 200 "GET a blob" GET "$missions/$one/blobs/$blob"
is "it is the new content" new "$(cat "$body")"
expect 404 "an unknown blob" GET "$missions/$one/blobs/$(printf x | sha256sum | cut -c1-64)"
expect 404 "a blob's name that is none" GET "$missions/$one/blobs/..%2f..%2fetc%2fpasswd"
expect 200 "POST consensus?approved=true" POST "$missions/$one/consensus?approved=true"
members "the answer" '$' success approved trust_score will_execute_to_live message
is "it executes nothing" 0 "$(get '$.will_execute_to_live')"
holds "and says how to sign" grep -q 'grace vote' "$body"
sleep 2
is "live is untouched" "old old " "$(content one)"
is "the mission still waits for a signature" consensus "$(phase "$one")"

say "Sessions"
expect 200 "GET the sessions" GET "$sessions"
expect 200 "GET a session" GET "$sessions/$session"
members "the session" '$' session_id status quorum_required approval_threshold votes_approve votes_reject votes_abstain expires_at quorum_met
is "it counts the vote" 1 "$(get '$.votes_approve')"
expect 200 "GET its status" GET "$sessions/$session/status"
members "the status" '$' session_id status quorum_required approval_threshold votes_approve votes_reject votes_abstain expires_at quorum_met
expect 404 "an unknown session" GET "$sessions/s-nothing"
post 404 "a vote in an unknown session" "$sessions/s-nothing/vote" '{"vote":"approve"}'
expect 200 "GET the remedy's mission" GET "$missions/$remedy"
other=$(get '$.parliament_session_id')
post 201 "POST a session: the open one is given" "$sessions" "{\"mission_id\":\"$remedy\"}"
is "it is the same" "$other" "$(get '$.session_id')"
post 404 "a session on an unknown mission" "$sessions" '{"mission_id":"m-nothing"}'
post 422 "a session on nothing" "$sessions" '{}'
post 422 "a vote that is none" "$sessions/$other/vote" '{"vote":"perhaps"}'
post 422 "a signature that is none" "$sessions/$other/vote" '{"vote":"approve","signature":"-----BEGIN SSH SIGNATURE-----"}'
live three old
propose "$(quick three)"
three=$id
reaches "$three" consensus 30 "a third mission is put before people"
expect 200 "GET it" GET "$missions/$three"
post 200 "POST a vote" "$sessions/$(get '$.parliament_session_id')/vote" '{"vote":"reject","reason":"not this way"}'
members "the answer" '$' success vote decision
reaches "$three" rejected 10 "the only elector's rejection decides"
is "live is untouched" "old old " "$(content three)"
approve "$session"
reaches "$one" "live_execution monitoring complete" 15 "a signed vote by the session's id executes"
reaches "$one" complete 30 "the watch passes"
is "live is new" "new new " "$(content one)"
expect 200 "GET the mission" GET "$missions/$one"
is "executed_at is there" text "$(type '$.executed_at')"
expect 409 "approving what is decided" POST "$missions/$one/consensus?approved=true"
expect 409 "cancelling what is complete" POST "$missions/$one/cancel?reason=late"
expect 422 "a rollback after the watch without a signature" POST "$missions/$one/rollback?reason=late"
expect 422 "a rollback without a reason" POST "$missions/$one/rollback"
holds "a signed rollback after the watch is taken" "$grace" rollback "$one" --reason "a test" --key "$root/you"
reaches "$one" rolled_back 20 "and carried out"
is "live is old again" "old old " "$(content one)"

say "Rejecting and cancelling leave live untouched"
expect 409 "a rollback before anything is live" POST "$missions/$remedy/rollback?reason=early"
expect 200 "POST consensus?approved=false" POST "$missions/$remedy/consensus?approved=false&reason=no"
is "it is not approved" 0 "$(get '$.approved')"
reaches "$remedy" rejected 10 "the mission is rejected"
is "live is untouched" "old old " "$(content remedy)"
live two old
propose "$(quick two)"
expect 200 "POST cancel" POST "$missions/$id/cancel" -H 'Content-Type: application/json' --data-binary '{"reason":"not now"}'
members "the answer" '$' success message
reaches "$id" cancelled 10 "the mission is cancelled"

say "Ledger, policies, findings, events"
expect 200 "GET the entries" GET "/api/log/entries?limit=2"
members "the entries" '$' entries next
expect 200 "GET the entries after" GET "/api/log/entries?after=$(get '$.next')"
expect 422 "entries after a word" GET "/api/log/entries?after=x"
expect 200 "GET the verification" GET /api/log/verify
is "the ledger is intact" 1 "$(get '$.intact')"
expect 200 "GET the checkpoint" GET /ledger/checkpoint
expect 200 "GET a tile" GET "/ledger/tile/entries/000.p/$(sed -n 2p "$body")"
expect 404 "a path out of the ledger" GET "/ledger/..%2f..%2fledger.key"
expect 200 "GET the policies" GET /api/governance/policies
members "a policy" '$.policies[0]' rule level passed
expect 200 "GET the principles" GET /api/constitution/principles
members "a principle" '$.principles[0]' principle satisfied
expect 200 "GET the findings" GET /api/hunter/findings
members "the findings" '$' findings
events() { curl -sS -N -m 2 -H @"$token" "$@" "$url/api/events?topics=mission.*" 2>/dev/null; }
events -H 'Last-Event-ID: 0' >"$work/all"
holds "GET /api/events from the first" grep -q '^event: mission.created' "$work/all"
is "only mission.* was asked for" "" "$(grep '^event: ' "$work/all" | grep -v '^event: mission\.')"
last=$(grep '^id: ' "$work/all" | tail -n 2 | head -n 1 | cut -d' ' -f2)
events -H "Last-Event-ID: $last" >"$work/rest"
is "Last-Event-ID goes on behind that event" 1 "$(grep -c '^id: ' "$work/rest")"
expect 422 "a Last-Event-ID that is none" GET /api/events -H 'Last-Event-ID: x'
holds "the hook was told that a session opened" grep -q '"event":"session_opened"' "$root/hook/told"
holds "and that a change was rolled back" within 10 grep -q '"event":"rolled_back"' "$root/hook/told"
holds "the webhook was told, too" within 40 grep -q '"event":"rolled_back"' "$work/posted"
refused=$(head -n 1 "$work/posted" | cut -d' ' -f1)
came_again() { [ "$(grep -c "^$refused " "$work/posted")" -ge 2 ]; }
# The first try is made again half a minute later.
holds "what it refused once comes again under the same key" within 40 came_again
is "and then no more" 2 "$(grep -c "^$refused " "$work/posted")"
ledger "after all this"

