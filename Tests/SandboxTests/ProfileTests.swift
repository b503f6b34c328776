import Documents
import FoundationEssentials
import Linux
import Testing

@testable import Sandbox

@Suite struct ProfileTests {
    /// The profiles of the repository, found from this file.
    static var shipped: ProfileLibrary {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return ProfileLibrary(directories: ["/" + parts.joined(separator: "/") + "/sandbox-profiles"])
    }

    @Test func everyShippedProfileIsReadAndStandsOnStrict() throws {
        #expect(Self.shipped.names() == ["build", "ci", "package", "service", "strict"])
        for name in Self.shipped.names() {
            let profile = try Self.shipped.profile(named: name)
            #expect(profile.name == name && !profile.description.isEmpty)
            #expect(profile.limits.output != nil, "\(name) has lost what it inherits")
        }
        let package = try Self.shipped.profile(named: "package")
        #expect(package.require == [.mappedRoot] && package.quietServices && !package.noNewPrivileges)
        #expect(package.limits.memory == 2 << 30 && package.limits.files == 65536)
        #expect(try Self.shipped.profile(named: "strict").noNewPrivileges)
        #expect(try Self.shipped.profile(named: "ci").optional.contains(.cpuLimit))
    }

    @Test func everyMistakeIsReportedAtOnceWithItsPlace() {
        let text = """
            network: internet
            limits: {memory: lots, cpu: -1, disks: 3, time: 5}
            hide: [relative, /a/../b]
            capabilities: [SYS_ADMIN, NO_SUCH, cap_chown]
            seccomp: {allow: [mount, nosuchcall, "@nothing"]}
            require: [magic]
            no_new_privs: true
            """
        let problems = #expect(throws: Problems.self) { try Profile.parse(file: "p.yaml", text: text) }
        let paths = (problems?.all ?? []).map(\.path)
        for path in [
            "network", "limits.memory", "limits.cpu", "limits.disks", "limits.time", "hide[0]", "hide[1]",
            "capabilities[0]",
            "capabilities[1]", "seccomp.allow[0]", "seccomp.allow[1]", "seccomp.allow[2]", "require[0]", "no_new_privs",
        ] {
            #expect(paths.contains(path), "\(path) is not among \(paths)")
        }
        #expect(problems?.all.allSatisfy { $0.line != nil } == true)
    }

    @Test func aMissionOverridesKeysAndTheDigestFollows() throws {
        let base = try Self.shipped.profile(named: "service")
        let reader = DocumentReader(
            file: "m.yaml", text: "profile: service\nsnapshot: []\nlimits: {memory: 512Mi}\nhide: [/srv/secret]\n")
        let changed = base.overridden(by: try #require(reader.root))
        try reader.finish()
        #expect(changed.limits.memory == 512 << 20 && changed.limits.pids == base.limits.pids)
        #expect(changed.hide.contains("/srv/secret"))
        #expect(changed.digest != base.digest)
        var renamed = base
        renamed.description = "other words"
        #expect(renamed.digest == base.digest)
    }

    @Test func circlesUnknownNamesAndBadNamesAreSentences() async throws {
        try await Host.withDirectory { directory in
            try Files.writeAtomically("\(directory)/a.yaml", Data("extends: b\n".utf8))
            try Files.writeAtomically("\(directory)/b.yaml", Data("extends: a\n".utf8))
            let library = ProfileLibrary(directories: ["/nonexistent", directory])
            #expect(throws: ProfileError.circular(["a", "b", "a"])) { try library.profile(named: "a") }
            #expect(throws: ProfileError.unknown(name: "c", searched: library.directories, known: ["a", "b"])) {
                try library.profile(named: "c")
            }
            #expect(throws: ProfileError.badName("../a")) { try library.profile(named: "../a") }
        }
    }
}

@Suite struct HostViewTests {
    private func view(_ lines: [String], mask: [String] = []) throws -> HostView {
        HostView.current(
            mounts: try MountInfo.parse(Array(lines.joined(separator: "\n").utf8), from: "test"), mask: mask)
    }

    @Test func realFileSystemsAreLayeredFreshOnesLeftOutAndTheRestHidden() throws {
        let view = try view(
            [
                "1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:5 / /proc rw - proc proc rw",
                "3 1 0:6 / /sys rw - sysfs sysfs rw",
                "4 1 0:7 / /run rw - tmpfs tmpfs rw", "5 4 8:9 / /run/media/disk rw - ext4 /dev/sdb1 rw",
                "6 1 8:2 / /srv rw - xfs /dev/sda2 rw", "7 6 0:9 / /srv/nfs rw - nfs4 server:/x rw",
                "8 1 8:3 / /opt ro - btrfs /dev/sda3 ro",
                "9 1 0:10 / /mnt/fuse rw - fuse.sshfs host: rw", "10 1 8:4 / /var/lib/docker rw - ext4 /dev/sda4 rw",
                "11 10 0:11 / /var/lib/docker/overlay2/x rw - overlay overlay rw",
                "12 1 8:5 / /mine rw - ext4 /dev/sda5 rw",
            ], mask: ["/mine"])
        #expect(
            view.overlays == [
                HostMount(mountPoint: "/", type: "ext4"), HostMount(mountPoint: "/opt", type: "btrfs", readOnly: true),
                HostMount(mountPoint: "/srv", type: "xfs"),
            ])
        let hidden = Dictionary(uniqueKeysWithValues: view.masks.map { ($0.path, $0.why) })
        #expect(
            hidden["/srv/nfs"]?.contains("nfs4") == true && hidden["/mnt/fuse"] != nil
                && hidden["/var/lib/docker"] != nil)
        #expect(hidden["/mine"] == "asked for" && hidden["/proc"] == nil)
    }

    @Test func aLaterMountCoversAnEarlierOneAtTheSamePlace() throws {
        let view = try view([
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 8:2 / /srv rw - ext4 /dev/sda2 rw",
            "3 2 0:9 / /srv rw - nfs4 s:/x rw",
        ])
        #expect(view.overlays.map(\.mountPoint) == ["/"])
        #expect(view.masks.contains { $0.path == "/srv" })
    }

    /// A nested mount is seen, with its own content, and written to without touching it.
    @Test(.enabled(if: Host.isRoot)) func aNestedMountIsLayeredToo() async throws {
        try await Host.withDirectory { directory in
            try Files.makeDirectory("\(directory)/disk", mode: 0o755)
            try Files.writeAtomically("\(directory)/disk/shadowed", Data("below".utf8), mode: 0o644)
            let mounted = try await Processes.run(
                "/bin/mount", arguments: ["-t", "tmpfs", "none", "\(directory)/disk"])
            #expect(mounted.isSuccess)
            do {
                try Files.writeAtomically("\(directory)/disk/nested", Data("nested".utf8), mode: 0o644)
                let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
                let result = try await sandbox.shell(
                    "cd \(directory)/disk; ls; cat nested; echo x > nested; rm -f nested; echo x > new; ls")
                _ = try await sandbox.end()
                #expect(result.out == "nested\nnestednew\n", "\(result.err)")
                #expect(try Files.readString("\(directory)/disk/nested") == "nested")
                #expect(try Files.status("\(directory)/disk/new") == nil)
            } catch {
                Issue.record(error)
            }
            #expect(try await Processes.run("/bin/umount", arguments: ["\(directory)/disk"]).isSuccess)
        }
    }
}

@Suite struct FeatureTests {
    @Test func everyFeatureIsTriedAndAMissingOneHasAMend() async throws {
        try await Host.withDirectory { directory in
            let features = try Host.engine(directory).features()
            #expect(Set(features.map(\.feature)) == Set(Feature.allCases))
            for status in features { #expect(status.available || status.mend != nil, "\(status)") }
            if Host.isRoot {
                for feature in [Feature.overlay, .mappedRoot, .seccomp, .pidNamespace, .memoryLimit] {
                    #expect(features.first { $0.feature == feature }?.available == true)
                }
            }
            #expect(try Files.entries("\(directory)/scratch").isEmpty)
        }
    }

    @Test func theIDsOfTheMappingMustBeNobodys() async throws {
        try await Host.withDirectory { directory in
            #expect(try IDRange.taken(from: 1000, etc: directory) == nil)
            try Files.writeAtomically(
                "\(directory)/passwd", Data("root:x:0:0::/:/bin/sh\nbig:x:3000000000:1::/:/bin/sh\n".utf8))
            #expect(try IDRange.taken(from: PlanWriter.mappedFirst, etc: directory)?.contains("big") == true)
            try Files.writeAtomically("\(directory)/passwd", Data("root:x:0:0::/:/bin/sh\n".utf8))
            try Files.writeAtomically("\(directory)/subuid", Data("me:100000:2147483647\n".utf8))
            #expect(try IDRange.taken(from: PlanWriter.mappedFirst, etc: directory)?.contains("me") == true)
        }
    }
}

@Suite struct ProfileShowTests {
    /// What `grace profiles show` prints, read back.
    private static func again(_ profile: Profile) throws -> Profile {
        try Profile.parse(file: "shown.yaml", text: profile.yaml)
    }

    @Test(arguments: ProfileTests.shipped.names()) func everyShippedProfileReadsBackToItself(_ name: String) throws {
        let profile = try ProfileTests.shipped.profile(named: name)
        var shown = try Self.again(profile)
        #expect(shown.digest == profile.digest)
        shown.extends = profile.extends
        #expect(shown == profile)
    }

    @Test func anInheritedBoundOnDiskShrinksWithTheMemory() throws {
        func limits(_ text: String) throws -> SandboxLimits {
            let strict = try ProfileTests.shipped.profile(named: "strict")
            return try Profile.parse(file: "small.yaml", text: "extends: strict\nlimits: \(text)", base: strict).limits
        }
        #expect(try limits("{memory: 128Mi}").disk == 64 << 20)
        #expect(try limits("{memory: 4Gi}").disk == 256 << 20)
        #expect(try limits("{memory: 128Mi, disk: 100Mi}").disk == 100 << 20)
    }

    @Test func strictIsBoundedOnDiskAndAProfileThatExtendsItLiftsThatByNull() throws {
        let strict = try ProfileTests.shipped.profile(named: "strict").limits
        #expect(strict.disk == 256 << 20 && strict.inodes == 100_000)
        for name in ["service", "package", "build", "ci"] {
            let limits = try ProfileTests.shipped.profile(named: name).limits
            #expect(limits.disk == nil && limits.inodes == nil, "\(name)")
        }
    }

    @Test func whatIsHardToWriteReadsBackToItself() throws {
        var profile = Profile(name: "odd", description: "a “b” \"c\": # d\n\te\u{202e}\u{7}", network: .egress)
        profile.egress = [
            try Host.rule(name: "*.debian.org", "80", "8000-8010"),
            try Host.rule("2001:db8::/32", "53", transport: .udp),
        ]
        profile.environment["ODD"] = " yes: {no}\u{1b}[31m\\n\u{1F600}'"
        profile.environment["NUMBER"] = "1"
        profile.hide = ["/srv/a b", "/srv/- x: y"]
        profile.limits = SandboxLimits(
            memory: 536_870_913, swap: 0, pids: 7, cpu: 0.30000000000000004, cpuWeight: 3, time: 0.00001, disk: 1 << 40,
            inodes: 17, files: 16, output: 0)
        profile.require = [.mappedRoot]
        profile.optional = [.cpuLimit]
        profile.seccomp = SeccompPolicy(allow: ["@debug"], deny: ["chroot"], quiet: ["bind"])
        let shown = try Self.again(profile)
        #expect(shown == profile)
        #expect(shown.digest == profile.digest)
    }

    @Test(arguments: [0.1, 1, 600, 1e-5, 1.5e-7, 1e21, 12345.678, 3.5e18]) func numbersAreWrittenExactly(
        _ value: Double
    ) {
        #expect(Double(SandboxLimits.plain(value)) == value && !SandboxLimits.plain(value).contains("e"))
    }
}

@Suite struct ProfileCheckTests {
    private static func features(without missing: Feature...) -> [FeatureStatus] {
        Feature.allCases.map {
            FeatureStatus(
                feature: $0, available: !missing.contains($0), detail: "It was tried.", mend: "Mend \($0.rawValue).")
        }
    }

    @Test(arguments: ProfileTests.shipped.names()) func aHostWithEverythingHonoursEveryShippedProfile(_ name: String)
        throws
    {
        #expect(try ProfileTests.shipped.profile(named: name).check(against: Self.features()).isEmpty)
    }

    @Test func whatIsMissingIsRefusedOrWeakerByWhatTheProfileSays() throws {
        func found(_ name: String, _ missing: Feature) throws -> [String] {
            try ProfileTests.shipped.profile(named: name).check(against: Self.features(without: missing)).map {
                "\($0.level.rawValue) \($0.key)"
            }
        }
        #expect(try found("package", .mappedRoot) == ["refused require[0]"])
        #expect(try found("service", .mappedRoot) == ["weaker every sandbox"])
        #expect(try found("package", .egressNetwork) == ["refused network"])
        #expect(try found("service", .egressNetwork) == [])
        #expect(try found("build", .memoryLimit) == ["refused limits.memory"])
        #expect(try found("ci", .memoryLimit) == ["weaker limits.memory"])
        #expect(try found("strict", .swapLimit) == [])
        #expect(try found("strict", .overlay) == ["refused every sandbox"])
        #expect(try found("strict", .deniedCalls) == ["weaker seccomp"])
    }

    @Test func everyLineSaysHowToMendIt() throws {
        let missing = Feature.allCases.map {
            FeatureStatus(feature: $0, available: false, detail: "It failed.", mend: "Mend it.")
        }
        for name in ProfileTests.shipped.names() {
            let lines = try ProfileTests.shipped.profile(named: name).check(against: missing)
            #expect(lines.count > 5 && lines.allSatisfy { $0.mend != nil && !$0.what.isEmpty })
        }
    }

    @Test func limitsThatThisHostIsTooSmallForAreNoted() throws {
        let profile = Profile(
            name: "big", limits: SandboxLimits(memory: 8 << 30, cpu: 4, disk: 8 << 30))
        let found = profile.check(against: Self.features(), memory: 4 << 30, cores: 2)
        #expect(found.map(\.key) == ["limits.memory", "limits.cpu", "limits.disk"])
        #expect(found.allSatisfy { $0.level == .note })
    }
}
