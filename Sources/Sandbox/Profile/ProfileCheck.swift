internal import Documents

/// What a host can't honour of a profile, and how to mend it.
public struct ProfileCheck: Equatable, Sendable {
    public enum Level: String, Sendable {
        /// No sandbox of this profile starts here.
        case refused
        /// Sandboxes start, with less than the profile asks for; it is recorded each time.
        case weaker
        /// It works, but perhaps not as it was meant.
        case note
    }

    public let level: Level
    /// The profile's key that it is about.
    public let key: String
    /// What is missing and why: a sentence.
    public let what: String
    /// What a person can do.
    public let mend: String?

    public init(level: Level, key: String, what: String, mend: String?) {
        self.level = level
        self.key = key
        self.what = what
        self.mend = mend
    }
}

extension Profile {
    /// Weighs the profile against what ``SandboxEngine/features()`` found; empty when the host honours all of it.
    ///
    /// - Parameters:
    ///   - features: the host's features, as tried.
    ///   - memory: the host's memory in bytes; `nil`: not compared.
    ///   - cores: the host's processors; `nil`: not compared.
    /// - Returns: what is refused first, then what is weaker, then notes.
    public func check(against features: [FeatureStatus], memory: Int64? = nil, cores: Int? = nil) -> [ProfileCheck] {
        let missing = Dictionary(features.filter { !$0.available }.map { ($0.feature, $0) }) { first, _ in first }
        var found: [ProfileCheck] = []
        func add(_ feature: Feature, _ key: String, _ level: ProfileCheck.Level, _ meaning: String = "") {
            guard let status = missing[feature] else { return }
            found.append(
                ProfileCheck(
                    level: level, key: key, what: "\(feature.rawValue): \(status.detail)\(meaning)", mend: status.mend))
        }
        var named: Set<Feature> = []
        for (index, feature) in require.enumerated() where named.insert(feature).inserted {
            add(feature, "require[\(index)]", .refused)
        }
        for feature in [Feature.mountNamespace, .pidNamespace, .ipcNamespace, .overlay, .seccomp]
        where !named.contains(feature) {
            add(feature, "every sandbox", .refused)
        }
        if network != .host { add(.networkNamespace, "network", .refused) }
        if network == .egress { add(.egressNetwork, "network", .refused) }
        let limited: [(Feature, String, Bool)] = [
            (.memoryLimit, "memory", limits.memory != nil), (.swapLimit, "swap", limits.swap != nil),
            (.pidsLimit, "pids", limits.pids != nil), (.cpuLimit, "cpu", limits.cpu != nil),
            (.diskLimit, "disk", limits.disk != nil),
        ]
        for (feature, key, isSet) in limited where isSet && !named.contains(feature) {
            add(feature, "limits.\(key)", optional.contains(feature) ? .weaker : .refused)
        }
        if !named.contains(.mappedRoot) {
            add(
                .mappedRoot, "every sandbox", .weaker,
                " Root inside then has few capabilities, and set-user-id programs no effect.")
        }
        if !named.contains(.deniedCalls) { add(.deniedCalls, "seccomp", .weaker) }
        if network == .host {
            found.append(
                ProfileCheck(
                    level: .weaker, key: "network",
                    what: "host: the sandbox shares the host's network, and whom it reaches is not recorded.",
                    mend: "Use network: egress with the places that are needed."))
        }
        if let memory, let asked = limits.memory, asked > memory {
            found.append(
                ProfileCheck(
                    level: .note, key: "limits.memory",
                    what:
                        "\(ByteSize(bytes: asked)) is more than the host's \(memory >> 20) MiB: live runs short before the limit is reached.",
                    mend: "Ask for less."))
        }
        if let cores, let asked = limits.cpu, asked > Double(cores) {
            found.append(
                ProfileCheck(
                    level: .note, key: "limits.cpu", what: "\(asked) is more than the host's \(cores) processors.",
                    mend: "Ask for less."))
        }
        if let disk = limits.disk, let asked = limits.memory, disk >= asked {
            found.append(
                ProfileCheck(
                    level: .note, key: "limits.disk",
                    what:
                        "\(ByteSize(bytes: disk)) of layers live in memory, of which there are \(ByteSize(bytes: asked)) in all: what fills "
                        + "the disk is killed for memory first.", mend: "Keep disk below memory."))
        }
        let order: [ProfileCheck.Level] = [.refused, .weaker, .note]
        return order.flatMap { level in found.filter { $0.level == level } }
    }
}
