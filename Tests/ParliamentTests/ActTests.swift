import Documents
import Foundation
import Ledger
import Missions
import Parliament
import Testing

@Suite("Signed acts")
struct ActTests {
    private let now = Case.now
    private let alice: TestPerson
    private let mallory: TestPerson
    private let allowed: AllowedSigners
    private let approvers: Approvers

    init() throws {
        alice = try TestPerson("alice")
        mallory = try TestPerson("mallory")
        // mallory may sign, but no group lists them.
        allowed = try AllowedSigners(parsing: alice.line + "\n" + mallory.line, file: "allowed_signers")
        approvers = try Approvers.parse(file: "a", text: "groups: {g: [alice]}\nrules: [{require: [{group: g}]}]")
    }

    private func subject(_ text: String = "x") -> [Statement.Subject] {
        [.init(name: text, sha256: Digest(of: Data(text.utf8)))]
    }

    private func fault<Act: SignedAct>(_ result: Result<VerifiedAct<Act>, ActFault>) -> String? {
        if case .failure(let fault) = result { return name(fault) }
        return nil
    }

    @Test("a rollback is taken from a listed person, for its mission and host alone")
    func rollback() throws {
        func act(_ person: TestPerson, mission: String = "m", host: String = "h", expires: Date = Case.now + 60) throws
            -> String?
        {
            let act = RollbackPredicate(
                by: person.name, mission: mission, host: host, reason: "r", issuedAt: now, expires: expires)
            return fault(
                ActVerifier.rollback(
                    try person.envelope(act, subject: subject()), mission: "m", host: "h", approvers: approvers,
                    allowed: allowed, now: now))
        }
        #expect(try act(alice) == nil)
        #expect(try act(mallory) == "notListed")
        #expect(try act(alice, mission: "n") == "otherMission")
        #expect(try act(alice, host: "i") == "otherHost")
        #expect(try act(alice, expires: now) == "expired")
    }

    @Test("a threshold is set once, from the value in force, within 0 and 1")
    func threshold() throws {
        func act(
            _ value: Double, previous: Double = 0.95, host: String? = nil, last: Date? = nil, by: TestPerson? = nil
        ) throws -> String? {
            let person = by ?? alice
            let act = ThresholdPredicate(
                by: person.name, value: value, previous: previous, host: host, reason: "r", issuedAt: now,
                expires: now + 60)
            return fault(
                ActVerifier.threshold(
                    try person.envelope(act, subject: subject()), host: "h", current: 0.95, last: last,
                    approvers: approvers,
                    allowed: allowed, now: now))
        }
        #expect(try act(0.9) == nil)
        #expect(try act(0.9, host: "h", last: now - 1) == nil)
        #expect(try act(1.1) == "statement")
        #expect(try act(0.9, previous: 0.9) == "otherThreshold")
        #expect(try act(0.9, host: "i") == "otherHost")
        #expect(try act(0.9, last: now) == "replayed")
        #expect(try act(0.9, by: mallory) == "notListed")
    }

    @Test("a pause and its end are taken in their order")
    func pause() throws {
        let act = PausePredicate(by: "alice", paused: false, host: nil, reason: "r", issuedAt: now, expires: now + 60)
        let envelope = try alice.envelope(act, subject: subject())
        func verify(_ last: Date?) -> String? {
            fault(ActVerifier.pause(envelope, host: "h", last: last, approvers: approvers, allowed: allowed, now: now))
        }
        #expect(verify(nil) == nil && verify(now - 1) == nil && verify(now) == "replayed")
    }

    @Test("a revocation names the approval and comes from a listed person")
    func revocation() throws {
        let id = Digest(of: Data("approval".utf8))
        func act(_ person: TestPerson) throws -> Result<VerifiedAct<RevocationPredicate>, ActFault> {
            let act = RevocationPredicate(by: person.name, approval: id, reason: "r", issuedAt: now, expires: now + 60)
            return ActVerifier.revocation(
                try person.envelope(act, subject: subject()), approvers: approvers, allowed: allowed, now: now)
        }
        #expect(try act(alice).get().act.approval == id)
        #expect(fault(try act(mallory)) == "notListed")
    }

    @Test("one kind of act never passes for another, though the namespace is the same")
    func kinds() throws {
        let pause = PausePredicate(by: "alice", paused: true, host: nil, reason: "r", issuedAt: now, expires: now + 60)
        let envelope = try alice.envelope(pause, subject: subject())
        #expect(
            fault(ActVerifier.verify(envelope, as: ThresholdPredicate.self, allowed: allowed, now: now))
                == "predicateType")
        #expect(
            fault(ActVerifier.verify(envelope, as: RollbackPredicate.self, allowed: allowed, now: now)) == "namespace")
    }

    @Test("what ssh-keygen signs for a voter, the agent accepts, and ssh-keygen accepts what the agent does")
    func realKey() async throws {
        let directory = "/var/tmp/grace-parliament-test-\(getpid())-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let key = try await SSHKeygen.generate(path: directory + "/key", comment: "erin", passphrase: "")
        let act = RollbackPredicate(by: "erin", mission: "m", host: "h", reason: "r", issuedAt: now, expires: now + 60)
        let envelope = try await ActEnvelope.sign(act, subject: subject(), keyFile: directory + "/key")
        #expect(envelope.signatures.map(\.keyid) == [key.fingerprint])
        let erin = try AllowedSigners(
            parsing: "erin namespaces=\"rollback@grace\" \(key.line)", file: "allowed_signers")
        let verified = try ActVerifier.verify(envelope, as: RollbackPredicate.self, allowed: erin, now: now).get()
        #expect(
            verified.act == act && verified.person == "erin" && verified.fingerprint == key.fingerprint
                && !verified.userPresent)
    }

    @Test("an approval's payload is made from the evidence itself and binds all of it")
    func statement() throws {
        let whole = try Case()
        let predicate = whole.approvals[0].predicate
        let evidence = whole.evidence
        #expect(predicate.missionDigest == evidence.missionDigest && predicate.base == evidence.base)
        #expect(
            predicate.policies == evidence.policies && predicate.nonce == evidence.nonce
                && predicate.host == evidence.host.id)
        #expect(predicate.evidence == Digest(of: try EvidenceStatement.make(evidence)))
        #expect(predicate.expires.timeIntervalSince(predicate.issuedAt) == 3600)
        let json = try JSON(encoding: predicate)
        #expect(
            Set(json.object.map { Array($0.keys) } ?? []) == [
                "decision", "voter", "reason", "session", "mission", "missionDigest", "host", "evidence", "base",
                "policies", "nonce",
                "checkpoint", "issuedAt", "expires",
            ])
    }
}
