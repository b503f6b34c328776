internal import Documents
internal import Missions
internal import Parliament

/// JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of what is taken and given.
enum Schemas {
    static let text: JSON = ["type": "string"]
    static let number: JSON = ["type": "number"]
    static let integer: JSON = ["type": "integer"]
    static let flag: JSON = ["type": "boolean"]
    static let time: JSON = ["type": "string", "format": "date-time"]
    static let digest: JSON = ["type": "string", "pattern": "^[0-9a-f]{64}$"]
    static let base64: JSON = ["type": "string", "contentEncoding": "base64"]
    static let anything: JSON = .object([:])
    static let open: JSON = ["type": "object"]

    static func maybe(_ schema: JSON) -> JSON {
        guard case .object(var members) = schema, let type = members["type"]?.string else {
            return ["anyOf": [schema, ["type": "null"]]]
        }
        members["type"] = [.string(type), "null"]
        return .object(members)
    }

    static func list(_ items: JSON) -> JSON { ["type": "array", "items": items] }
    static func ref(_ name: String) -> JSON { ["$ref": .string("#/components/schemas/\(name)")] }
    static func choice(_ values: [String]) -> JSON { ["type": "string", "enum": .array(values.map(JSON.string))] }

    /// An object whose members are all there, but for those in `optional`.
    static func object(_ members: [String: JSON], optional: [String: JSON] = [:]) -> JSON {
        [
            "type": "object", "required": .array(members.keys.sorted().map(JSON.string)),
            "properties": .object(members.merging(optional) { first, _ in first }),
        ]
    }

    static let phase = choice(MissionPhase.allCases.map(\.rawValue))
    static let voteChoice = choice(VoteChoice.allCases.map(\.rawValue))
    static let role = choice(Role.allCases.map(\.rawValue))

    static var all: [String: JSON] {
        missions.merging(parliament) { first, _ in first }.merging(hub) { first, _ in first }
            .merging(review) { first, _ in first }.merging(agent) { first, _ in first }
    }

    private static let summary: [String: JSON] = [
        "mission_id": text, "title": text, "description": text, "rationale": text, "phase": phase,
        "trust_score": maybe(number),
        "kpi_score": maybe(number), "consensus_reached": flag, "approved_for_live": flag, "created_at": time,
        "parliament_session_id": maybe(text), "updated_at": time, "severity": choice(Severity.allCases.map(\.rawValue)),
        "proposer": text, "host": maybe(text), "reason": text, "verdict": maybe(text), "mission_digest": digest,
    ]

    private static let missions: [String: JSON] = [
        "MissionSummary": object(summary),
        "MissionList": object(["total": integer, "missions": list(ref("MissionSummary")), "next": maybe(text)]),
        "Mission": object(
            summary.merging([
                "file": open, "kpi_metrics": ref("KPIMetrics"),
                "sandbox_results": ["anyOf": [ref("SandboxResults"), ["type": "null"]]],
                "user_feedback": list(object(["by": text, "at": time, "feedback": text])), "tested_at": maybe(time),
                "consensus_at": maybe(time), "executed_at": maybe(time), "evidence_digest": maybe(digest),
                "trust": maybe(open),
                "trial": maybe(open), "change_set": maybe(digest), "changes": list(text), "mission": open,
            ]) { first, _ in first }),
        "KPIMetrics": object([
            "performance_improvement": maybe(number), "error_rate_reduction": maybe(number),
            "latency_improvement": maybe(number),
            "memory_efficiency": maybe(number), "code_quality_score": maybe(number), "test_coverage": maybe(number),
            "security_score": maybe(number), "overall_score": maybe(number),
        ]),
        "SandboxResults": object([
            "success": flag, "tests_passed": integer, "tests_failed": integer, "stdout": text, "stderr": text,
            "exit_code": maybe(integer), "duration_ms": number, "fallbacks": list(text),
            "denied_calls": maybe(list(ref("DeniedCalls"))), "limits_hit": maybe(list(ref("LimitHit"))),
        ]),
        "LimitHit": object(["part": text, "limit": text, "times": integer]),
        "DeniedCalls": object([
            "part": text,
            "denied": object(
                [
                    "calls": list(object(["call": text, "count": integer], optional: ["program": text, "name": text]))
                ], optional: ["total": integer, "reason": text]),
        ]),
        "MissionFile": [
            "type": "object",
            "description":
                "A mission in the mission file's form (docs/mission-file.md), contents inlined; or its checked and complete document.",
        ],
        "MissionCreated": object(["success": flag, "mission_id": text, "phase": phase, "message": text]),
        "FeedbackRequest": object([:], optional: ["feedback": text]),
        "ReasonRequest": object([:], optional: ["reason": text]),
        "ActRequest": object([:], optional: ["reason": text, "signature": ref("Envelope")]),
        "Done": object(["success": flag, "message": text]),
        "Decision": object([
            "success": flag, "approved": flag, "trust_score": maybe(number), "will_execute_to_live": flag,
            "message": text,
            "phase": phase, "session_id": text, "decision": text,
        ]),
        "Problem": object(
            ["type": text, "title": text, "status": integer, "detail": text],
            optional: [
                "errors": list(object(["file": text, "line": maybe(integer), "path": text, "message": text]))
            ]),
    ]

    private static let parliament: [String: JSON] = [
        "Session": object([
            "session_id": text, "mission_id": text, "title": text,
            "status": choice(SessionStatus.allCases.map(\.rawValue)),
            "quorum_required": integer, "approval_threshold": number, "votes_approve": integer, "votes_reject": integer,
            "votes_abstain": integer, "expires_at": time, "quorum_met": flag, "opened_at": time, "evidence": digest,
            "change_set": digest, "electorate": list(text), "votes": list(ref("Vote")),
        ]),
        "Vote": object(
            ["voter": text, "vote": voteChoice, "reason": maybe(text), "at": time, "signed": flag],
            optional: ["kind": text]),
        "SessionList": object(["total": integer, "sessions": list(ref("Session")), "next": maybe(text)]),
        "SessionRequest": object(["mission_id": text]),
        "VoteRequest": object(
            ["vote": voteChoice],
            optional: [
                "reason": maybe(text),
                "signature": ["description": "A DSSE envelope, or an armored SSHSIG over what /statement gave."],
            ]),
        "VoteAnswer": object([
            "success": flag, "vote": ref("Vote"), "decision": text, "message": text, "will_execute_to_live": flag,
            "phase": phase,
        ]),
        "SignatureRequest": object(["signature": ref("Envelope")]),
        "ActAnswer": object(["success": flag, "kind": text, "mission_id": maybe(text), "act": digest, "message": text]),
    ]

    private static let review: [String: JSON] = [
        "Envelope": object([
            "payloadType": text, "payload": base64,
            "signatures": list(object(["sig": base64], optional: ["keyid": text])),
        ]),
        "Evidence": object([
            "payloadType": text, "payload": base64, "signatures": list(open), "mission_id": text, "digest": digest,
            "at": time,
            "statement": open,
        ]),
        "Changes": object([
            "mission_id": text, "digest": digest, "base_digest": digest, "manifest": base64, "base": base64,
            "diff": text,
        ]),
        "Statement": object([
            "mission_id": text, "session_id": text, "status": text, "namespace": text, "payload_type": text,
            "payload": base64,
            "signed_bytes": base64, "statement": open,
        ]),
        "LogEntries": object([
            "total": integer,
            "entries": list(
                object([
                    "index": integer, "leaf_hash": digest, "id": text, "kind": text, "mission": maybe(text), "at": time,
                    "actor": text, "body": anything, "text": maybe(text), "text_commitment": maybe(digest),
                ])), "next": maybe(text),
        ]),
        "LogVerification": object([
            "intact": flag, "entries": integer, "tiles": integer, "root": digest, "checkpoint": text, "key": text,
            "problems": list(text),
        ]),
        "LogProof": object(["index": integer, "leaf": base64, "proof": list(digest), "checkpoint": text, "key": text]),
        "Policies": object(["policies": list(open)]), "Principles": object(["principles": list(open)]),
        "Findings": object(["findings": list(open), "scans": list(open)]),
    ]

    private static let component = object([
        "name": text, "status": choice(["ok", "failed", "silent"]), "detail": text, "last_seen": maybe(time),
    ])

    private static let hub: [String: JSON] = [
        "Status": object([
            "status": choice(["operational", "degraded", "paused"]), "paused": flag, "pause_reason": maybe(text),
            "version": text,
            "started_at": time, "uptime_seconds": number, "missions": open, "components": list(component),
        ]),
        "Subsystems": object(["subsystems": list(component)]),
        "Metrics": object([
            "missions": open, "sessions_open": integer, "ledger_entries": integer, "ledger_backlog": integer,
            "agents": integer,
            "event_listeners": integer, "notices_waiting": integer, "requests": integer, "uptime_seconds": number,
        ]),
        "Health": object(["status": text]), "Empty": open,
        "Identity": object(["principal": text, "role": role, "token_id": text]),
        "Token": object([
            "token_id": text, "principal": text, "role": role, "source": text, "created_at": time,
            "revoked_at": maybe(time),
            "host": maybe(text),
        ]),
        "TokenList": object(["tokens": list(ref("Token"))]),
        "TokenRequest": object(["principal": text, "role": role]),
        "TokenCreated": object(["token_id": text, "principal": text, "role": role, "token": text, "created_at": time]),
        "HostList": object([
            "hosts": list(
                object([
                    "host_id": text, "name": text, "labels": open, "kernel": text, "public_key": text,
                    "enrolled_at": time,
                    "last_seen": time, "remedies": list(text),
                ]))
        ]),
        "Pause": object(["paused": flag, "by": maybe(text), "reason": maybe(text), "since": maybe(time)]),
        "PauseRequest": object(["reason": text]),
        "Threshold": object(["threshold": number, "by": maybe(text), "since": maybe(time), "act": maybe(open)]),
        "ThresholdRequest": object(["threshold": number, "signature": ref("Envelope")]),
    ]

    private static let agent: [String: JSON] = [
        "Enrolment": object(
            ["identity": object(["id": text, "name": text, "labels": open, "kernel": text]), "public_key": text],
            optional: ["remedies": open]),
        "Enrolled": object([
            "ledger_origin": text, "ledger_key": text, "trust_threshold": number, "threshold_act": maybe(open),
            "server_time": time,
        ]),
        "Work": object([
            "missions": list(open),
            "requests": list(
                object(
                    [
                        "request_id": text, "mission_id": text, "kind": text, "by": text, "reason": text,
                        "act": maybe(open),
                    ])),
        ]),
        "Proposal": object(["file": open, "proposer": text, "dedupe_key": text]),
        "Proposed": object(["mission_id": text, "created": flag, "phase": phase]),
        "AgentMission": object(["mission": open, "session": maybe(open)]),
        "EventReport": object(
            ["event_id": text, "event": choice(MissionEvent.allCases.map(\.rawValue))],
            optional: ["reason": text, "body": anything]),
        "Phase": object(["phase": phase, "event": text]),
        "Progress": object(["stage": text], optional: ["text": text, "body": anything]),
        "ChangesUpload": object(["manifest": base64, "base": base64], optional: ["diff": text]),
        "Stored": object(["digest": digest]),
        "Authorization": object([
            "session": open, "approvals": list(ref("Envelope")), "overrides": list(ref("Envelope")),
            "revocations": list(ref("Envelope")),
            "entries": list(object(["index": integer, "leaf": base64, "proof": list(digest)])),
            "checkpoint": text, "consistency": open,
        ]),
        "JournalUpload": object(["entries": list(open)]),
        "JournalAnswer": object(["last_sequence": maybe(integer), "index": maybe(integer), "checkpoint": text]),
    ]
}
