internal import Documents
internal import FoundationEssentials
internal import Measurement
internal import Missions

/// Missions as the API shows them (DESIGN section 9: these names are a promise). What was not measured is `null`.
enum MissionView {
    static func summary(_ mission: Mission) -> [String: JSON] {
        let evidence = mission.evidence
        return [
            "mission_id": .string(mission.id), "title": .string(mission.file.title),
            "description": .string(mission.file.description), "rationale": .string(mission.file.rationale),
            "phase": .string(mission.phase.rawValue), "trust_score": number(evidence?.trust.total),
            "kpi_score": number(evidence?.metrics.overallScore.map { $0 / 100 }),
            "consensus_reached": .bool(mission.consensusAt != nil), "approved_for_live": .bool(wasApproved(mission)),
            "created_at": time(mission.createdAt), "parliament_session_id": text(mission.sessionID),
            "updated_at": time(mission.updatedAt), "severity": .string(mission.file.severity.rawValue),
            "proposer": .string(mission.proposer), "host": text(mission.host), "reason": .string(mission.reason),
            "verdict": text(evidence?.trial.verdict.rawValue), "mission_digest": .string(mission.digest.hex),
        ]
    }

    static func detail(_ mission: Mission, evidenceDigest: Digest?) throws -> JSON {
        var all = summary(mission)
        let metrics = mission.evidence?.metrics
        // The whole mission: who signs an approval reads here every command that it covers; its digest is the mission's.
        all["file"] = try mission.file.document
        all["kpi_metrics"] = [
            "performance_improvement": number(metrics?.performanceImprovement),
            "error_rate_reduction": number(metrics?.errorRateReduction),
            "latency_improvement": number(metrics?.latencyImprovement),
            "memory_efficiency": number(metrics?.memoryEfficiency),
            "code_quality_score": number(metrics?.codeQualityScore), "test_coverage": number(metrics?.testCoverage),
            "security_score": number(metrics?.securityScore), "overall_score": number(metrics?.overallScore),
        ]
        all["sandbox_results"] =
            try mission.evidence.map { evidence in
                let report = evidence.sandbox
                return [
                    "success": .bool(report.success), "tests_passed": .integer(Int64(report.tests_passed)),
                    "tests_failed": .integer(Int64(report.tests_failed)), "stdout": .string(report.stdout),
                    "stderr": .string(report.stderr),
                    "exit_code": report.exit_code.map { .integer(Int64($0)) } ?? .null,
                    "duration_ms": .number(report.duration_ms), "fallbacks": .array(report.fallbacks.map(JSON.string)),
                    "denied_calls": try report.denied_calls.map { try JSON(encoding: $0) } ?? .null,
                    "limits_hit": try report.limits_hit.map { try JSON(encoding: $0) } ?? .null,
                ]
            } ?? .null
        all["user_feedback"] = .array(
            mission.feedback.map { ["by": .string($0.by), "at": time($0.at), "feedback": .string($0.text)] })
        all["tested_at"] = time(mission.testedAt)
        all["consensus_at"] = time(mission.consensusAt)
        all["executed_at"] = time(mission.executedAt)
        all["evidence_digest"] = text(evidenceDigest?.hex)
        all["trust"] = try mission.evidence.map { try JSON(encoding: $0.trust) } ?? .null
        all["trial"] = try mission.evidence.map { try JSON(encoding: $0.trial) } ?? .null
        all["change_set"] = text(mission.evidence?.changeSet.hex)
        all["changes"] = .array((mission.evidence?.changes ?? []).map(JSON.string))
        all["mission"] = try mission.file.document
        return .object(all)
    }

    /// Whether people's approval let it towards live.
    static func wasApproved(_ mission: Mission) -> Bool {
        switch mission.phase {
        case .liveExecution, .monitoring, .complete, .rollingBack, .rolledBack, .frozen: true
        default: mission.executedAt != nil
        }
    }

    static func number(_ value: Double?) -> JSON {
        value.map { $0.isFinite ? .number($0) : .null } ?? .null
    }

    static func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }

    static func time(_ value: Date?) -> JSON { value.map { .string(Timestamp.text($0)) } ?? .null }
}
