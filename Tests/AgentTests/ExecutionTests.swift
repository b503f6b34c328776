import Documents
import FoundationEssentials
import Fork
import Ledger
import Linux
import Measurement
import Missions
import Parliament
import Promotion
import Testing

@testable import Agent

/// Guarantee 1 of DESIGN section 8, at its last gate: what is missing here never reaches live.
@Suite("Execution", .enabled(if: isRoot, "promotions keep owners, which needs root"))
struct ExecutionTests {
    @Test("with everything in place the tested bytes are live, once, and everything was written down before")
    func control() async throws {
        try await Ground.with { ground async throws in
            let site = try await Site(ground)
            try await site.authorize()
            await site.service.execute(site.mission)
            #expect(site.link.events == [.promoted], "\(site.link.reasons)")
            #expect(site.liveText == Site.new)
            #expect(try site.nonce() == .burned)
            let kinds = try site.context.journal.entries().map(\.kind)
            let authorized = try #require(kinds.firstIndex(of: "promotion.authorized"))
            let intent = try #require(kinds.firstIndex { $0.hasPrefix("promotion.") && $0 != "promotion.authorized" })
            #expect(authorized < intent)
            #expect(kinds.last == "promotion.done")
            let sent = site.link[\.batches].flatMap { $0 }.map(\.kind)
            #expect(sent.contains("promotion.authorized"), "the ledger has it before live changes")

            // The same again is settled, not promoted a second time.
            try Files.writeAtomically(site.live + Site.path, Data("later\n".utf8), mode: 0o644)
            await site.service.execute(site.mission)
            #expect(site.liveText == "later\n")
        }
    }

    /// One thing that is not as it must be; how the mission ends, `nil` where it waits.
    struct Knock: Sendable, CustomStringConvertible {
        let description: String
        let event: MissionEvent?
        let act: @Sendable (inout Site) async throws -> Void

        init(
            _ description: String, _ event: MissionEvent? = .promotionFailed,
            _ act: @escaping @Sendable (inout Site) async throws -> Void
        ) {
            self.description = description
            self.event = event
            self.act = act
        }
    }

    static func approvals(_ site: Site, _ approvals: [Envelope]) throws {
        let answer = try site.answer(approvals)
        site.link.set { $0.authorization = answer }
    }

    static let knocks: [Knock] = [
        Knock("nobody approved", nil) { try Self.approvals($0, []) },
        Knock("the coordinator has no session") { site in site.link.set { $0.authorization = nil } },
        Knock("a stranger signed in alice's name") { try Self.approvals($0, [try await $0.vote($0.mallory)]) },
        Knock("a stranger signed") { try Self.approvals($0, [try await $0.vote($0.mallory, as: "mallory")]) },
        Knock("alice rejected") { try Self.approvals($0, [try await $0.vote(decision: .reject)]) },
        Knock("alice approved other evidence") { site in
            var other = site
            other.evidence.nonce = "nonce-2"
            try Self.approvals(site, [try await other.vote()])
        },
        Knock("the payload was changed after signing") { site in
            let signed = try await site.vote()
            let payload = Data(
                String(decoding: signed.payload, as: UTF8.self).replacing("\"reason\":null", with: "\"reason\":\"x\"")
                    .utf8)
            let forged = Envelope(
                payloadType: signed.payloadType, payload: payload + Data(" ".utf8), signatures: signed.signatures)
            try Self.approvals(site, [forged])
        },
        Knock("the session is not in the ledger") { site in
            let answer = try site.answer([try await site.vote()], logsSession: false)
            site.link.set { $0.authorization = answer }
        },
        Knock("the vote is not in the ledger") { site in
            let answer = try site.answer([try await site.vote()], logsVotes: false)
            site.link.set { $0.authorization = answer }
        },
        Knock("the ledger is signed by another key") { site in
            let other = try SigningKey(name: "grace/test")
            try Files.writeAtomically(
                site.places.pinnedLedgerKey, Data((other.publicKey.string + "\n").utf8), mode: 0o644)
        },
        Knock("no ledger key was ever pinned") { try Files.unlink($0.places.pinnedLedgerKey) },
        Knock("the host is paused", nil) { try $0.ground.write("state/agent/paused", "alice lunch\n") },
        Knock("the nonce was never issued") { try Files.removeTree($0.places.agentState + "/nonces") },
        Knock("the nonce was used") { try Nonces(state: $0.places.agentState).burn($0.evidence.nonce, now: Date()) },
        Knock("the agent has no evidence") { try $0.folder().remove("evidence.json") },
        Knock("the stored evidence is signed by another agent") { site in
            let other = try SigningKey(name: "agent")
            try site.folder().write(
                "evidence.json",
                try Envelope.sign(
                    payload: EvidenceStatement.make(site.evidence), type: Statement.payloadType, key: other))
        },
        Knock("the stored mission is another") { site in
            var file = site.mission.file
            file.live.apply.run = ["reboot"]
            try site.folder().write("mission.json", file)
        },
        Knock("the stored change set is another") {
            try $0.folder().write("manifest.json", try ChangeSet([]).manifest)
        },
        Knock("the stored base is another") { try $0.folder().write("base.json", try Base([]).document) },
        Knock("the stored content is damaged") { site in
            let digest = try #require(site.changeSet.blobs.sorted().first)
            let path = site.context.bench.blobs.path(digest)
            try Files.unlink(path)
            try Files.writeAtomically(path, Data("cache = 9\n".utf8), mode: 0o600)
        },
        Knock("governance.yaml changed") {
            try $0.ground.write(
                "etc/governance.yaml", "rules:\n  - {id: a, kind: severity, level: advisory, max: high}\n")
        },
        Knock("approvers.yaml changed") {
            try $0.ground.write(
                "etc/approvers.yaml",
                "groups: {operators: [alice]}\nrules: [{require: [{group: operators, count: 1}]}]\n")
        },
        Knock("a policy file is gone") { try Files.unlink($0.places.constitutionFile) },
        Knock("a policy file may be written by others") { try Files.chmod($0.places.approversFile, 0o666) },
        Knock("alice is no longer an allowed signer") { try $0.ground.write("etc/allowed_signers", "# nobody\n") },
        Knock("the trust threshold is higher") { $0.context.configuration.trustThreshold = 1 },
        Knock("live moved on", .conflicted) { try $0.ground.write("live" + Site.path, "someone else's\n") },
    ]

    @Test("live is untouched and the nonce unburned when", arguments: Self.knocks)
    func knock(_ knock: Knock) async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            try await site.authorize()
            try await knock.act(&site)
            let before = (site.liveText, try site.nonce())
            let service = site.service
            let mission = site.mission
            // One that waits pauses before it looks again.
            await service.execute(mission)
            #expect(site.link.events == (knock.event.map { [$0] } ?? []), "\(site.link.reasons)")
            #expect(site.liveText == before.0)
            #expect(try site.nonce() == before.1)
            #expect(
                try Files.status(site.places.promotions).map { _ in try Files.entries(site.places.promotions) }?.isEmpty
                    ?? true)
        }
    }

    @Test(
        "evidence that falls short is refused, whatever people approved",
        arguments: [Verdict.INCONCLUSIVE, .REGRESSION])
    func verdicts(_ verdict: Verdict) async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            site.evidence.trial = Site.trial(verdict)
            try await site.authorize()
            await site.service.execute(site.mission)
            #expect(site.link.events == [.promotionFailed])
            #expect(site.liveText == Site.old)
        }
    }

    @Test("without the ledger's word nothing is promoted; the approval is used up and the mission says so")
    func unreachable() async throws {
        try await Ground.with { ground async throws in
            let site = try await Site(ground)
            try await site.authorize()
            site.link.set { $0.failingAppends = 1000 }
            await site.service.execute(site.mission)
            #expect(site.liveText == Site.old)
            #expect(try site.nonce() == .burned)
            #expect(site.link.events.isEmpty)
            site.link.set { $0.failingAppends = 0 }
            await site.service.execute(site.mission)
            #expect(site.link.events == [.promotionFailed])
            #expect(site.link.reasons.first?.contains("live is as it was") ?? false)
            #expect(site.liveText == Site.old)
        }
    }

    @Test("a watch whose probes fail puts live back as it was")
    func watch() async throws {
        try await Ground.with { ground async throws in
            // Nobody listens on port 1.
            let watch = WatchSpecification(duration: 600, probes: [Probe(http: "http://127.0.0.1:1/")], interval: 0.01)
            var site = try await Site(ground, watch: watch)
            try await site.authorize()
            let service = site.service
            await service.execute(site.mission)
            #expect(site.liveText == Site.new, "\(site.link.reasons)")
            site.mission.phase = .monitoring
            await service.watch(site.mission)
            #expect(site.link.events == [.promoted, .rollbackStarted, .rolledBack])
            #expect(site.link.reasons.last?.contains("5 probes in a row failed") ?? false)
            #expect(site.liveText == Site.old)
        }
    }

    @Test("a change that declares a rollback harmful stays when its watch fails; a person may still take it back")
    func harmful() async throws {
        try await Ground.with { ground async throws in
            let watch = WatchSpecification(duration: 600, probes: [Probe(http: "http://127.0.0.1:1/")], interval: 0.01)
            var site = try await Site(ground, watch: watch, rollbackHarmful: true)
            try await site.authorize()
            let service = site.service
            await service.execute(site.mission)
            site.mission.phase = .monitoring
            await service.watch(site.mission)
            #expect(site.link.events == [.promoted, .rollbackFrozen])
            #expect(site.link.reasons.last?.contains("a person must look") ?? false)
            #expect(site.liveText == Site.new)
            // Nothing is armed any more: no deadline takes back what must not be.
            #expect(try site.context.promoter.watched().isEmpty)
            site.mission.phase = .frozen
            let shown = site.mission
            site.link.set { $0.missions = [shown] }
            await service.requestedRollback(
                WorkRequest(mission_id: "m-1", kind: "rollback", by: "x", reason: "y", act: nil))
            #expect(site.liveText == Site.old)
        }
    }

    @Test("a watch that sees nothing wrong ends in completion and disarms")
    func passes() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground, watch: WatchSpecification(duration: 0.2, probes: [], interval: 0.05))
            try await site.authorize()
            let service = site.service
            await service.execute(site.mission)
            site.mission.phase = .monitoring
            await service.watch(site.mission)
            #expect(site.link.events == [.promoted, .watchPassed])
            #expect(site.liveText == Site.new)
            #expect(try site.context.promoter.due().isEmpty)
        }
    }

    @Test("during the watch a request through the coordinator takes it back; after it only a signed act does")
    func requested() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground, watch: WatchSpecification(duration: 0.1, probes: [], interval: 0.05))
            try await site.authorize()
            let service = site.service
            await service.execute(site.mission)
            site.mission.phase = .monitoring
            await service.watch(site.mission)
            #expect(site.liveText == Site.new)
            // A coordinator that lies about the phase gains nothing by it.
            for phase in [MissionPhase.monitoring, .rollingBack, .complete] {
                site.mission.phase = phase
                let shown = site.mission
                site.link.set { $0.missions = [shown] }
                await service.requestedRollback(
                    WorkRequest(mission_id: "m-1", kind: "rollback", by: "x", reason: "y", act: nil))
                if phase == .rollingBack { await service.finishRollback(site.mission, reason: "y") }
                #expect(site.liveText == Site.new, "rolled back in \(phase)")
            }
            let now = Date()
            func act(_ key: String, by name: String, mission: String = "m-1") async throws -> Envelope {
                try await ActEnvelope.sign(
                    RollbackPredicate(
                        by: name, mission: mission, host: site.context.host.id, reason: "slow", issuedAt: now,
                        expires: now + 600),
                    subject: ApprovalStatement.subject(changeSet: site.changeSet.digest), keyFile: key)
            }
            for refused in [
                try await act(site.mallory, by: "alice"), try await act(site.mallory, by: "mallory"),
                try await act(site.alice, by: "alice", mission: "m-2"),
            ] {
                await service.requestedRollback(
                    WorkRequest(mission_id: "m-1", kind: "rollback", by: "x", reason: "y", act: refused))
                #expect(site.liveText == Site.new)
            }
            let signed = try await act(site.alice, by: "alice")
            await service.requestedRollback(
                WorkRequest(mission_id: "m-1", kind: "rollback", by: "x", reason: "y", act: signed))
            #expect(site.liveText == Site.old)
        }
    }
}

@Suite("A vote in the hand")
struct HandVerificationTests {
    @Test(
        "ssh-keygen verifies it as docs/approvals.md says, and no other name, namespace or text", .enabled(if: isRoot))
    func recipe() async throws {
        try await Ground.with { ground async throws in
            let site = try await Site(ground)
            let vote = try await site.vote()
            try Files.writeAtomically(ground.path("payload"), vote.payload)
            try Files.writeAtomically(ground.path("payload.sig"), try #require(vote.signatures.first).sig)
            func verify(_ name: String, _ namespace: String, _ type: String) async throws -> Bool {
                let script = """
                    type=\(type)
                    printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(stat -c %s payload)" | cat - payload > message
                    ssh-keygen -Y verify -f etc/allowed_signers -I \(name) -n \(namespace) -s payload.sig < message
                    """
                return try await Processes.run(
                    "/bin/bash", arguments: ["-c", script], timeout: .seconds(30), directory: ground.directory
                ).isSuccess
            }
            #expect(try await verify("alice", "approve@grace", vote.payloadType))
            #expect(try await !verify("mallory", "approve@grace", vote.payloadType))
            #expect(try await !verify("alice", "override@grace", vote.payloadType))
            #expect(try await !verify("alice", "approve@grace", "text/plain"))
        }
    }
}
