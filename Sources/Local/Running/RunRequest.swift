internal import Linux
internal import Sandbox

/// What runs, and how: all that whoever makes the sandbox needs of a `grace run`, the process itself or an agent (``RunHosting``).
struct RunRequest: Equatable {
    /// The profile's name, the directories that it is looked for in, first to last, and features to do without.
    var profile: String
    var directories: [String]
    var without: [String]
    /// Paths that are hidden besides the standard ones: Grace's own.
    var masks: [String]
    var line: Command
    /// Whether anybody wants to know what it used.
    var wantsFigures: Bool

    /// What a command can't do without: its terminal's kind and the caller's language; everything else is the profile's.
    private static let kept = ["TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "COLUMNS", "LINES", "NO_COLOR"]

    init(_ options: RunOptions, environment: (String) -> String?) {
        profile = options.profile
        directories =
            options.profiles.map(\.absolute) + [options.places.profiles] + ProfileDirectories.standard
        without = options.without
        masks = options.places.all
        line = Command(arguments: options.command, directory: environment("PWD") ?? "/")
        for name in Self.kept { line.environment[name] = environment(name) }
        wantsFigures = options.json || options.kpi != nil
    }

    /// - Throws: ``Failure`` with code 2 for an unknown feature; what ``ProfileLibrary`` says of the profile.
    func specification() throws -> SandboxSpecification {
        var effective = try ProfileLibrary(directories: directories).profile(named: profile)
        for name in without {
            guard let feature = Feature(rawValue: name) else {
                throw Failure(
                    "“\(name)” is no feature of a sandbox; known: \(Feature.allCases.map(\.rawValue).joined(separator: ", ")).",
                    code: 2)
            }
            effective.require.removeAll { $0 == feature }
            effective.optional.append(feature)
        }
        return SandboxSpecification(profile: effective, masks: masks, hostname: "grace", label: "run")
    }

    // MARK: From one process to another

    private static let version = "grace run 1"
    private static let stranger = Failure("The request was written by another version of Grace.")

    /// Texts, each with a NUL behind it; before a list of them its length. For a program that ends before it has done anything twice.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        }
        add(Self.version)
        add(profile)
        add(line.directory)
        add(wantsFigures ? "figures" : "")
        for list in [directories, without, masks, line.arguments, line.environment.map { "\($0.key)=\($0.value)" }] {
            add(String(list.count))
            for text in list { add(text) }
        }
        return bytes
    }

    /// Reads ``bytes``.
    ///
    /// - Throws: ``Failure`` for what another version of Grace wrote.
    init(_ bytes: [UInt8]) throws {
        var texts = bytes.split(separator: 0, omittingEmptySubsequences: false)[...]
        func next() throws -> String {
            guard texts.count > 1, let bytes = texts.popFirst(), let text = String(validating: bytes, as: UTF8.self)
            else { throw Self.stranger }
            return text
        }
        func list() throws -> [String] {
            guard let count = Int(try next()), (0...texts.count).contains(count) else { throw Self.stranger }
            return try (0..<count).map { _ in try next() }
        }
        guard try next() == Self.version else { throw Self.stranger }
        profile = try next()
        let directory = try next()
        wantsFigures = try next() == "figures"
        directories = try list()
        without = try list()
        masks = try list()
        line = Command(arguments: try list(), directory: directory)
        for variable in try list() {
            guard let equals = variable.firstIndex(of: "=") else { continue }
            line.environment[String(variable[..<equals])] = String(variable[variable.index(after: equals)...])
        }
    }
}
