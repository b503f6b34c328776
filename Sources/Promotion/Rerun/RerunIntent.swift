public import Fork
internal import FoundationEssentials
public import Documents
public import Missions

/// A change that is promoted by running its command again on live, since its files can't be exchanged under a running service.
public struct RerunIntent: Sendable, Equatable {
    /// The shell command; run at most once.
    public var run: String
    /// Takes it back.
    public var undo: String
    /// Exits 0 exactly when the change is in force, with another code up to 125 when it is not. Must change nothing.
    public var effect: String
    public var directory: String
    /// The whole environment of all three.
    public var environment: [String: String]
    /// What the change declared to read, with the executables it uses: live must still be that.
    public var reads: Base
    /// Seconds until a command is killed with its process group.
    public var timeout: Double
    /// What follows once the effect is there; if it fails, `undo` runs.
    public var apply: LiveApply?

    public init(
        run: String, undo: String, effect: String, directory: String = "/", environment: [String: String] = [:],
        reads: Base,
        timeout: Double = 600, apply: LiveApply? = nil
    ) {
        self.run = run
        self.undo = undo
        self.effect = effect
        self.directory = directory
        self.environment = environment
        self.reads = reads
        self.timeout = timeout
        self.apply = apply
    }

    /// Names the whole intent: an approval can be bound to it.
    public var digest: Digest { Digest(of: (try? JSON(encoding: document).canonical) ?? Data()) }

    var document: RerunDocument {
        RerunDocument(
            run: run, undo: undo, effect: effect, directory: directory, environment: environment,
            reads: String(decoding: reads.document, as: UTF8.self), timeout: timeout, apply: apply)
    }
}

/// An intent as it lies in the promotion's journal.
struct RerunDocument: Codable, Equatable, Sendable {
    var run: String
    var undo: String
    var effect: String
    var directory: String
    var environment: [String: String]
    /// The base document, canonical JSON.
    var reads: String
    var timeout: Double
    var apply: LiveApply?

    func intent() throws -> RerunIntent {
        RerunIntent(
            run: run, undo: undo, effect: effect, directory: directory, environment: environment,
            reads: try Base.parse(Data(reads.utf8)), timeout: timeout, apply: apply)
    }
}
