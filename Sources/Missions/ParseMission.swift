internal import Documents
internal import Fork
internal import Measurement
public import Sandbox

extension MissionFile {
    static let keys = [
        "title", "description", "rationale", "severity", "change", "host", "sandbox", "services", "workload", "checks",
        "goals",
        "guardrails", "trial", "live",
    ]

    /// Reads a mission file, YAML or JSON. Every key is described in `docs/mission-file.md`.
    ///
    /// - Parameters:
    ///   - file: the name used in problems.
    ///   - text: the file's text.
    ///   - directory: where the `source` of files, the `file` of a patch and the `repository` of a git change are read from.
    ///     `nil` refuses them: a mission that came over the network must carry its contents, or it could name files of
    ///     whoever reads it.
    ///   - profiles: checks the sandbox's profile; without them only its overriding keys are checked.
    /// - Returns: the mission, complete: contents carried, defaults filled in.
    /// - Throws: `Problems`: everything that is wrong, each with line, key path and what was expected.
    public static func parse(file: String, text: String, directory: String?, profiles: ProfileLibrary?) throws
        -> MissionFile
    {
        let reader = DocumentReader(file: file, text: text)
        guard let root = reader.root, let members = root.mapping(keys: keys) else {
            try reader.finish()
            throw Problems([Problem(file: file, line: nil, path: "", message: "the file is empty; expected a mission.")]
            )
        }
        let parser = MissionParser(
            reader: reader, root: Members(root, members), directory: directory, profiles: profiles)
        let mission = parser.mission()
        try reader.finish()
        guard let mission else {
            throw Problems([Problem(file: file, line: nil, path: "", message: "the mission can't be read.")])
        }
        return mission
    }
}

/// A mapping's members, with its own place for what is missing.
struct Members {
    let field: Field
    let members: [String: Field]

    init(_ field: Field, _ members: [String: Field]) {
        self.field = field
        self.members = members
    }

    /// Reads a mapping; `nil` after reporting that it is none. Unknown keys are reported.
    init?(_ field: Field?, keys: [String]) {
        guard let field, let members = field.mapping(keys: keys) else { return nil }
        self.init(field, members)
    }

    subscript(key: String) -> Field? { members[key] }

    /// A member that must be there.
    func required(_ key: String, _ expected: String) -> Field? {
        if members[key] == nil { field.problem("the key “\(key)” is missing; expected \(expected).") }
        return members[key]
    }

    /// The one of some keys that is there; anything else than one is reported.
    func exactlyOne(of keys: [String], required: Bool = true) -> String? {
        let present = keys.filter { members[$0] != nil }
        let choices = keys.dropLast().joined(separator: ", ") + " and " + (keys.last ?? "")
        if present.count > 1 {
            for key in present.dropFirst() {
                members[key]?.problem("only one of \(choices) may be written, and “\(present[0])” is there already.")
            }
        } else if present.isEmpty, required {
            field.problem("expected exactly one of \(choices), found none.")
        }
        return present.first
    }
}

/// Reads one mission file; problems go to the reader.
struct MissionParser {
    let reader: DocumentReader
    let root: Members
    let directory: String?
    let profiles: ProfileLibrary?

    func mission() -> MissionFile? {
        let title = root.required("title", "what is done, in one line")?.line(most: 200)
        let description = root.required("description", "what is changed, in words")?.prose()
        let rationale = root.required("rationale", "why it is changed, in words")?.prose()
        var severity = Severity.medium
        if let field = root["severity"], let text = field.choice(Severity.allCases.map(\.rawValue)) {
            severity = Severity(rawValue: text) ?? severity
        }
        let change = root.required("change", "how the change is made").flatMap(self.change)
        let sandbox = root["sandbox"].map(self.sandbox) ?? defaultSandbox()
        let services = root["services"]?.list()?.compactMap(service) ?? []
        let checks = self.checks()
        let workload = self.workload(hasChecks: !checks.isEmpty)
        let plan = trial(workload: workload)
        let live = root["live"].map(self.live) ?? LiveSpecification()
        guard reader.problems.isEmpty, let title, let description, let rationale, let change else { return nil }
        let mission = MissionFile(
            title: title, description: description, rationale: rationale, severity: severity, change: change,
            host: host(),
            sandbox: sandbox, services: services, workload: workload, checks: checks, trial: plan, live: live)
        // Nothing passes here that an agent would refuse later.
        for fault in mission.faults { root.field.problem("\(fault).") }
        return mission
    }

    private func host() -> HostSelector {
        guard let host = Members(root["host"], keys: ["labels"]), let labels = host["labels"]?.mapping() else {
            return HostSelector()
        }
        return HostSelector(labels: labels.compactMapValues { $0.line(most: 200) })
    }

    // MARK: The sandbox

    private func defaultSandbox() -> SandboxRequest {
        let request = SandboxRequest()
        checkProfile(request.profile, root.field)
        return request
    }

    private func sandbox(_ field: Field) -> SandboxRequest {
        var request = SandboxRequest()
        // Unknown keys are the profile's to report: its keys may stand here as well.
        guard let members = field.mapping() else { return request }
        if let name = members["profile"]?.line(most: 64) { request.profile = name }
        let profile = checkProfile(request.profile, members["profile"] ?? field)
        _ = (profile ?? Profile(name: request.profile)).overridden(by: field)
        if let snapshot = members["snapshot"] { request.snapshot = snapshot.list()?.compactMap(self.snapshot) ?? [] }
        if case .object(var overrides) = field.json {
            overrides["profile"] = nil
            overrides["snapshot"] = nil
            request.overrides = .object(overrides)
        }
        return request
    }

    @discardableResult
    private func checkProfile(_ name: String, _ field: Field) -> Profile? {
        guard let profiles else { return nil }
        do {
            return try profiles.profile(named: name)
        } catch {
            field.problem("the sandbox profile can't be used: \(error)")
            return nil
        }
    }

    private func snapshot(_ field: Field) -> SnapshotSpec? {
        guard let members = Members(field, keys: ["paths", "freeze", "command", "max_pause"]) else { return nil }
        let paths = members["paths"]?.texts().compactMap { $0.absolutePath() } ?? []
        if members["command"] == nil, members["paths"].map({ $0.texts().isEmpty }) ?? true {
            field.problem("expected “paths”: the files to copy at one instant, such as [/srv/app/app.db*].")
        }
        if members["freeze"] != nil {
            members["command"]?.problem("either “freeze” or “command” takes the copy; write one of them.")
        }
        let freeze = members["freeze"]?.unit()
        let command = members["command"]?.command()
        var pause = SnapshotSpec.defaultMaxPause
        if let field = members["max_pause"], let span = field.span(in: MissionBounds.snapshotPause) { pause = span }
        return SnapshotSpec(paths: paths, freeze: freeze, command: command, maxPause: pause)
    }
}
