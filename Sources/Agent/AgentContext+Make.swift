public import AsyncHTTPClient
internal import Cgroups
internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Ledger
public import Linux
public import Logging
public import Missions
internal import Promotion
public import Sandbox

extension AgentContext {
    /// The real thing: this host, its kernel, its clock, with profiles from the configuration first and the given directories
    /// after it. Throws a sentence for whatever is missing.
    public static func make(
        places: Places, profiles: [String], coordinator: String?, http: HTTPClient, logger: Logger
    ) throws -> AgentContext {
        let names = try Kernel.names()
        let text = (try? Files.readString(places.agentFile)) ?? "{}"
        var configuration = try AgentConfiguration.parse(
            file: places.agentFile, text: AgentConfiguration.isBlank(text) ? "{}" : text, hostName: names.host,
            defaultTokenFile: places.agentState + "/token")
        if let coordinator { configuration.coordinator = coordinator }
        let key = try SigningKey.loadOrCreate(path: places.agentKey, name: "grace-agent")
        try Files.writeAtomically(
            places.agentState + "/agent.pub", Data((key.publicKey.string + "\n").utf8), mode: 0o644)
        let host = HostIdentity(
            id: Digest(of: key.publicKey.raw).hex, name: configuration.name, labels: configuration.labels,
            kernel: names.release)
        let library = ProfileLibrary(directories: [places.profiles] + profiles)
        let remedies = try Self.remedies(places.remedies, library)
        var bench = try TestBench.make(
            places: places, configuration: configuration, profiles: library, host: host)
        // Remedies are root's own files: what they name is allowed.
        var permissions = configuration.permissions
        let own = remedies.values.map(\.template)
        permissions.snapshotCommands.formUnion(own.flatMap { $0.sandbox.snapshot.compactMap(\.command) })
        permissions.secrets.formUnion(own.flatMap { $0.services.flatMap { $0.secrets.values.map(\.file) } })
        bench.permissions = permissions
        bench.live = try LiveGuard.ofThisHost(configuration.live, cgroups: bench.cgroups, group: configuration.cgroup)
        bench.hidden = PersonalPaths.existing() + [configuration.tokenFile]
        let journal = try Journal(directory: places.journal, key: key, name: "agent")
        let libexec = String(bench.helper[..<(bench.helper.lastIndex(of: "/") ?? bench.helper.endIndex)])
        let launcher = GuardLauncher(
            state: places.promotions, blobs: places.blobs, program: GuardLauncher.locate(in: [libexec]))
        let promoter = Promoter(
            root: "/", state: places.promotions, blobs: bench.blobs,
            record: { kind, body in _ = try journal.append(kind: kind, body: body) },
            guardian: { try launcher.start($0) })
        let token = try Files.readString(configuration.tokenFile).split(separator: "\n").first.map(String.init) ?? ""
        return AgentContext(
            places: places, configuration: configuration, bench: bench, key: key, journal: journal, promoter: promoter,
            link: HTTPLink(client: http, base: configuration.coordinator, token: token), http: http,
            detectors: try Self.detectors(places.detectors), remedies: remedies,
            logger: logger)
    }

    private static func detectors(_ directory: String) throws -> [Detector] {
        try yamlFiles(directory).map { try Detector.parse(file: $0.path, text: $0.text) }
    }

    private static func remedies(_ directory: String, _ profiles: ProfileLibrary) throws -> [String: Remedy] {
        var remedies: [String: Remedy] = [:]
        for file in try yamlFiles(directory) {
            remedies[file.name] = try Remedy.parse(
                name: file.name, file: file.path, text: file.text, directory: directory, profiles: profiles)
        }
        return remedies
    }

    private static func yamlFiles(_ directory: String) throws -> [(name: String, path: String, text: String)] {
        guard try Files.status(directory) != nil else { return [] }
        let names = try Files.entries(directory).map { String(decoding: $0, as: UTF8.self) }.filter {
            $0.hasSuffix(".yaml")
        }
        return try names.sorted().map { name in
            let path = directory + "/" + name
            return (String(name.dropLast(5)), path, try Files.readString(path))
        }
    }
}

extension AgentConfiguration {
    /// Whether a file holds nothing but comments.
    static func isBlank(_ text: String) -> Bool {
        text.split(separator: "\n").allSatisfy { line in
            line.first { !$0.isWhitespace }.map { $0 == "#" } ?? true
        }
    }
}

extension TestBench {
    /// A bench on this host, below `places.state`.
    public static func make(
        places: Places, configuration: AgentConfiguration, profiles: ProfileLibrary, host: HostIdentity
    ) throws -> TestBench {
        let cgroups = try CgroupHost.detect()
        let helper = try SandboxEngine.locateHelper()
        let engine = SandboxEngine(
            cgroups: cgroups, cgroupParent: configuration.cgroup, helper: helper, scratch: places.scratch)
        let mask = places.all + configuration.protected
        var bench = TestBench(
            engine: engine, cgroups: cgroups,
            forks: {
                ForkStore(root: places.forks, view: HostView.current(mounts: try MountInfo.read(), mask: mask))
            },
            blobs: BlobStore(root: places.blobs), profiles: profiles, helper: helper,
            masks: mask,
            processors: max(0.1, configuration.trialShare * Double(Kernel.onlineProcessors())), host: host,
            now: { Date() },
            random: SystemRandomNumberGenerator())
        bench.weight = configuration.trialWeight
        return bench
    }
}
