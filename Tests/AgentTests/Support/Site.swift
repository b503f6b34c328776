import AsyncHTTPClient
import Cgroups
import Documents
import Fork
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Logging
import Measurement
import Missions
import Parliament
import Promotion
import Sandbox
import Trust

@testable import Agent

/// A host with an agent whose live root is a directory of the test's own, one tested mission, and a coordinator that holds
/// everything a promotion needs. Tests take one thing away.
struct Site {
    static let path = "/etc/app.conf"
    static let old = "cache = 1\n"
    static let new = "cache = 2\n"

    let ground: Ground
    let link = FakeLink()
    let ledgerKey: SigningKey
    var context: AgentContext
    var mission: Mission
    var evidence: Evidence
    let changeSet: ChangeSet
    let base: Base
    /// Private keys of people, made by ssh-keygen itself.
    let alice: String
    let mallory: String

    var live: String { ground.path("live") }
    var places: Places { ground.places }
    var liveText: String { (try? Files.readString(live + Self.path)) ?? "gone" }
    var service: AgentService { AgentService(context) }
    func folder() throws -> MissionFolder { try context.folder(mission.id) }

    init(
        _ ground: Ground, watch: WatchSpecification = WatchSpecification(duration: 60), rollbackHarmful: Bool = false
    ) async throws {
        self.ground = ground
        try HostSetup(places: ground.places).makeDirectories(coordinatorUser: (geteuid(), getegid()))
        try ground.write("live" + Self.path, Self.old)
        alice = try await Self.person("alice", ground)
        mallory = try await Self.person("mallory", ground)
        let line = try Files.readString(alice + ".pub").split(separator: " ").prefix(2).joined(separator: " ")
        try ground.write("etc/allowed_signers", "alice \(line)\n")
        try ground.write(
            "etc/governance.yaml",
            "rules:\n  - {id: logins, kind: path, level: hard_mandatory, deny: [/etc/ssh/**]}\n"
                + "  - {id: freeze, kind: time_window, level: hard_mandatory, freeze: []}\n")
        try ground.write("etc/constitution.yaml", "protected_paths: []\n")
        try ground.write(
            "etc/approvers.yaml",
            "groups: {operators: [alice, bob]}\nrules: [{require: [{group: operators, count: 1}]}]\n")

        let key = try SigningKey(name: "agent")
        ledgerKey = try SigningKey(name: "grace/test")
        try LedgerPin.check(ledgerKey.publicKey.string, path: ground.places.pinnedLedgerKey)
        let blobs = BlobStore(root: ground.places.blobs)
        let content = try blobs.put(Data(Self.new.utf8))
        changeSet = try ChangeSet([
            Change(
                path: BytePath(Self.path), kind: .modify, type: .file, mode: 0o644, uid: geteuid(), gid: getegid(),
                size: Int64(Self.new.utf8.count), content: content)
        ])
        base = try Base.capture(paths: [BytePath(Self.path)], root: ground.path("live"))
        let file = MissionFile(
            title: "Larger cache", description: "Two instead of one", rationale: "Latency rose",
            change: ChangeSpecification(
                action: .files([FileChange(path: Self.path, content: Data(Self.new.utf8).base64EncodedString())])),
            trial: TrialPlan(boundaries: [Boundary(kpi: .latency_p95, role: .goal, amount: 0.1)]),
            live: LiveSpecification(watch: watch, rollbackHarmful: rollbackHarmful))
        let host = HostIdentity(id: Digest(of: key.publicKey.raw).hex, name: "app1", kernel: "6.1")
        mission = Mission(
            id: "m-1", file: file, digest: try file.digest, phase: .liveExecution, host: host.id,
            proposer: "detector:users",
            createdAt: Timestamp.rounded(Date()))
        context = try Self.context(ground, key: key, host: host, blobs: blobs, link: link)
        let policies = try Policies.load(ground.places)
        evidence = Evidence(
            missionID: "m-1", missionDigest: mission.digest, host: host, nonce: "nonce-1",
            createdAt: Timestamp.rounded(Date()),
            changeSet: changeSet.digest, base: base.digest, changes: changeSet.summary, trial: Self.trial(.PASS),
            metrics: KPIMetrics(Self.trial(.PASS)),
            sandbox: SandboxReport(
                success: true, denied_calls: [DeniedReport(part: DeniedReport.apply, denied: DeniedCalls([]))]),
            checks: [],
            governance: [],
            constitution: [], hunter: HunterReport(findings: [], scanners: ["native": "RAN"], score: 1),
            trust: TrustScore(kpi: 1, governance: 1, constitution: 1, security: 1, total: 1, reasons: []),
            policies: policies.digests)
        let key1 = ledgerKey.publicKey.string
        let first = mission
        link.set {
            $0.ledgerKey = key1
            $0.missions = [first]
        }
    }

    /// Stores the evidence as a test leaves it, and issues its nonce.
    func store() throws {
        let folder = try folder()
        try folder.write("mission.json", mission.file)
        try folder.write("manifest.json", changeSet.manifest)
        try folder.write("base.json", base.document)
        try folder.write("evidence.json", try envelope())
        try Nonces(state: places.agentState).issue(evidence.nonce, mission: mission.id, now: Date())
    }

    func envelope() throws -> Envelope {
        try Envelope.sign(payload: EvidenceStatement.make(evidence), type: Statement.payloadType, key: context.key)
    }

    /// A vote on the evidence as it is, really signed.
    func vote(_ key: String? = nil, as name: String = "alice", decision: VoteChoice = .approve) async throws -> Envelope
    {
        let payload = try ApprovalStatement.make(
            decision: decision, voter: name, session: "s-1", evidencePayload: EvidenceStatement.make(evidence),
            checkpoint: try seen().note, now: Date())
        let armored = try await SSHKeygen.sign(
            message: ApprovalStatement.signedBytes(payload: payload), namespace: ActNamespace.approve,
            keyFile: key ?? alice)
        return try ApprovalStatement.envelope(payload: payload, armored: armored)
    }

    private static let earlier = (0..<3).map { Data("earlier \($0)".utf8) }

    private func seen() throws -> Checkpoint {
        try Checkpoint.signed(size: 3, root: MerkleHash.root(of: Self.earlier.map(MerkleHash.leaf)), by: ledgerKey)
    }

    /// What a coordinator answers that holds these approvals; `logged` of them are in its ledger.
    func answer(_ approvals: [Envelope], logsSession: Bool = true, logsVotes: Bool = true) throws -> AuthorizationAnswer
    {
        let now = Date()
        let session = try Session(
            session_id: "s-1", mission_id: mission.id, title: "t",
            evidence: Digest(of: EvidenceStatement.make(evidence)),
            changeSet: changeSet.digest, electorate: ["alice", "bob"], approval_threshold: 1, quorum_required: 1,
            opened_at: now - 60, expires_at: now + 3600)
        var own: [Data] = []
        if logsSession {
            own.append(try ParliamentRecord.opened(session, id: "1", at: now, actor: "coordinator").leaf())
        }
        for (index, approval) in approvals.enumerated() where logsVotes {
            let vote = Vote(voter: "alice", vote: .approve, at: now, approval: approval)
            own.append(try ParliamentRecord.cast(vote, in: session, id: "v\(index)", at: now).leaf())
        }
        let hashes = (Self.earlier + own).map(MerkleHash.leaf)
        let size = UInt64(hashes.count)
        let subtree: MerkleProof.Subtree = { height, index in
            MerkleHash.root(of: hashes[(Int(index) << height)..<(Int(index + 1) << height)])
        }
        let entries = try own.enumerated().map { offset, leaf in
            ProvenEntry(
                index: UInt64(3 + offset), leaf: leaf.base64EncodedString(),
                proof: try MerkleProof.inclusion(index: UInt64(3 + offset), size: size, subtree: subtree).map(\.hex))
        }
        return AuthorizationAnswer(
            session: session, approvals: approvals, overrides: [], revocations: nil, entries: entries,
            checkpoint: try Checkpoint.signed(size: size, root: MerkleHash.root(of: hashes), by: ledgerKey).note,
            consistency: ["3": try MerkleProof.consistency(oldSize: 3, newSize: size, subtree: subtree).map(\.hex)])
    }

    /// Everything in place for a promotion.
    func authorize() async throws {
        try store()
        let answer = try answer([try await vote()])
        link.set { $0.authorization = answer }
    }

    func nonce() throws -> NonceState {
        try Nonces(state: places.agentState).state(evidence.nonce, mission: mission.id)
    }

    static func trial(_ verdict: Verdict) -> TrialResult {
        var line = KPIResult(
            kpi: .latency_p95, role: .goal, boundary: Boundary(kpi: .latency_p95, role: .goal, amount: 0.1))
        line.verdict = verdict
        line.measured = true
        line.h = verdict == .PASS ? 0.999 : 0.1
        return TrialResult(verdict: verdict, reason: "as told", blocks: 12, moreBlocksCanHelp: false, kpis: [line])
    }

    private static func person(_ name: String, _ ground: Ground) async throws -> String {
        _ = try await SSHKeygen.generate(path: ground.path(name), comment: name, passphrase: "")
        return ground.path(name)
    }

    private static func context(
        _ ground: Ground, key: SigningKey, host: HostIdentity, blobs: BlobStore, link: FakeLink
    ) throws -> AgentContext {
        let places = ground.places
        let cgroups = try CgroupHost.detect()
        let helper = try SandboxEngine.locateHelper()
        let bench = TestBench(
            engine: SandboxEngine(
                cgroups: cgroups, cgroupParent: "grace-test-\(getpid())-agent", helper: helper, scratch: places.scratch),
            cgroups: cgroups, forks: { ForkStore(root: places.forks, mountPoints: [ground.path("live")]) },
            blobs: blobs,
            profiles: ProfileLibrary(directories: [Repository.profiles]), helper: helper, masks: places.all,
            processors: 1,
            host: host, now: { Date() }, random: SystemRandomNumberGenerator())
        let journal = try Journal(directory: places.journal, key: key, name: "agent")
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        return AgentContext(
            places: places, configuration: AgentConfiguration(name: "app1", tokenFile: "/nowhere"), bench: bench,
            key: key,
            journal: journal,
            promoter: Promoter(
                root: ground.path("live"), state: places.promotions, blobs: blobs,
                record: { kind, body in _ = try journal.append(kind: kind, body: body) }),
            link: link, http: HTTPClient.shared, detectors: [], remedies: [:], logger: logger)
    }
}
