import Cgroups
import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Lasting layers on file systems that enforce project quotas. Not every kernel has them (CONFIG_QFMT_V2, xfs): the virtual machine's
/// has, and there a kind that can't be had fails.
@Suite(.serialized, .enabled(if: Host.isRoot && !QuotaDisk.Kind.here.isEmpty, "no file system with project quotas"))
struct ProjectQuotaTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: QuotaDisk.Kind
        let mode: Ground.Mode
        var testDescription: String { "\(kind.rawValue), \(mode == .mapped ? "mapped root" : "root not mapped")" }

        static let all = QuotaDisk.Kind.here.flatMap { kind in [.mapped, .plain].map { Case(kind: kind, mode: $0) } }
    }

    private static let limit = DiskLimit(bytes: 32 << 20, inodes: 400)

    @Test(arguments: Case.all) func aChangeIsStoppedAtItsBytes(_ at: Case) async throws {
        try await Self.with(at) { place, disk, _ in
            let (result, outcome) = try await Self.run(
                at, place,
                "echo kept > /etc/grace-test-kept; chown 33:34 /etc/grace-test-kept; dd if=/dev/zero of=/var/big bs=64K count=1024"
            )
            #expect(result.exit == .exited(1) && result.err.contains(at.kind.full), "\(result)")
            #expect(outcome.breach == .disk)
            let size = try #require(try Files.status("\(place.directory)/upper/var/big")?.size)
            #expect(size > 30 << 20 && size <= 32 << 20, "\(size)")
            // What was there before is whole, and owned as on live.
            let kept = try Files.status("\(place.directory)/upper/etc/grace-test-kept")
            #expect(kept?.uid == 33 && kept?.gid == 34)
            #expect(try Files.readString("\(place.directory)/upper/etc/grace-test-kept") == "kept\n")
            try Self.othersAreNotBounded(disk)
        }
    }

    @Test(arguments: Case.all) func aChangeIsStoppedAtItsInodes(_ at: Case) async throws {
        try await Self.with(at) { place, disk, _ in
            let (result, outcome) = try await Self.run(
                at, place, "cd /var; mkdir many; i=0; while true > many/$i; do i=$((i+1)); done; echo $i")
            #expect(result.err.contains(at.kind.full), "\(result)")
            #expect(outcome.breach == .disk)
            let made = Int(result.out.split(separator: "\n").last ?? "") ?? 0
            #expect(made > 350 && made <= 400, "\(made)")
            try Self.othersAreNotBounded(disk)
        }
    }

    /// The kernel copies a file of live's up when it is first opened to be written.
    @Test(arguments: Case.all) func aFileOfLivesThatDoesNotFitIsNotCopiedUpByHalf(_ at: Case) async throws {
        try await Self.with(at) { place, _, directory in
            let file = "\(directory)/large"
            try Files.writeAtomically(file, Data(repeating: 120, count: 40 << 20), mode: 0o666)
            let (result, _) = try await Self.run(at, place, "echo more >> \(file); stat -c %s \(file)")
            #expect(result.err.contains(at.kind.full), "\(result)")
            #expect(result.out == "\(40 << 20)\n")
            #expect(try Files.status("\(place.directory)/upper\(file)") == nil)
            #expect(try Files.status(file)?.size == 40 << 20)
        }
    }

    /// Whoever gives its files another project writes past the limit.
    @Test(arguments: Case.all) func nothingInsideLeavesItsProject(_ at: Case) async throws {
        try await Self.with(at) { place, _, _ in
            // Outside, the file's owner may.
            try Files.makeDirectory("\(place.directory)/own")
            for arguments in [["-p", "0"], ["-P"]] {
                let output = try await Processes.run("chattr", arguments: arguments + ["\(place.directory)/own"])
                #expect(output.isSuccess, "\(output.errorOutput)")
            }
            let (result, outcome) = try await Self.run(
                at, place,
                """
                cd /var; mkdir free; chattr -p 0 free && echo left; chattr -P free && echo left; chattr -p 0 /var && echo left
                : > free/file; chattr -p 0 free/file && echo left
                dd if=/dev/zero of=free/big bs=64K count=1024
                """)
            #expect(!result.out.contains("left"), "\(result)")
            #expect(result.err.contains(at.kind.full) && outcome.breach == .disk, "\(result)")
            let opened = try Files.open("\(place.directory)/upper/var/free", flags: O_RDONLY | O_DIRECTORY)
            #expect(ProjectQuota.project(of: opened) == (try Self.project(place)))
        }
    }

    /// A place whose record was lost, as after a kill.
    @Test(arguments: Case.all) func aPlaceWithoutARecordGoesWithItsQuota(_ at: Case) async throws {
        try await Self.with(at) { place, disk, _ in
            let project = try Self.project(place)
            try Files.writeAtomically("\(place.directory)/file", Data(count: 1 << 20), mode: 0o600)
            try BoundedPlace.found(place.directory, image: nil).remove()
            try await Self.isGone(project, disk)
        }
    }

    // MARK: What they share

    /// A bounded place on such a file system. Afterwards it is removed, and nothing of it may be left in the file system's tables.
    private static func with(
        _ at: Case, _ body: (_ place: BoundedPlace, _ disk: String, _ directory: String) async throws -> Void
    ) async throws {
        try await Host.withDirectory { directory in
            let before = DiskTests.loops()
            let disk = try QuotaDisk.mount(at.kind, directory)
            do {
                defer { try? Mounts.detach(disk) }
                let place = try BoundedPlace.make("\(disk)/bounded", image: "\(directory)/disk.img", limit: limit)
                #expect(place.means == .projectQuota)
                #expect(BoundedPlace.isBounded(place.directory, by: limit))
                for name in ["upper", "work"] { try Files.makeDirectory("\(place.directory)/\(name)") }
                let project = try project(place)
                try await body(place, disk, directory)
                try place.remove()
                #expect(try Files.status(place.directory) == nil)
                try await isGone(project, disk)
            }
            for _ in 0..<250 where DiskTests.loops() != before { try await Task.sleep(for: .milliseconds(20)) }
            #expect(DiskTests.loops() == before)
        }
    }

    private static func run(
        _ at: Case, _ place: BoundedPlace, _ line: String
    ) async throws -> (result: (exit: ProcessExit, out: String, err: String), outcome: SandboxOutcome) {
        try await Host.withDirectory { directory in
            let engine = SandboxEngine(
                cgroups: try CgroupHost.detect(), cgroupParent: Host.group(directory),
                helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch", filters: .shared,
                canReport: { csandbox_can_report() }, mapsRoot: at.mode == .mapped)
            let overlay = OverlayMount(
                mountPoint: "/", upper: "\(place.directory)/upper", work: "\(place.directory)/work")
            let sandbox = try await engine.start(
                SandboxSpecification(
                    profile: Host.profile {
                        $0.limits.disk = limit.bytes; $0.limits.inodes = limit.inodes
                    }, overlays: [overlay]))
            #expect(sandbox.fallbacks.map(\.feature) == (at.mode == .mapped ? [] : [.mappedRoot]))
            do {
                let result = try await sandbox.shell(line)
                return (result, try await sandbox.end())
            } catch {
                _ = try? await sandbox.end()
                throw error
            }
        }
    }

    private static func project(_ place: BoundedPlace) throws -> UInt32 {
        let opened = try Files.open(place.directory, flags: O_RDONLY | O_DIRECTORY)
        return try #require(ProjectQuota.project(of: opened))
    }

    /// What lies beside a full place still has the whole disk.
    private static func othersAreNotBounded(_ disk: String) throws {
        try Files.writeAtomically("\(disk)/other", Data(count: 40 << 20), mode: 0o600)
    }

    /// Neither a limit nor a file of that project; xfs counts removed files until it has freed them in the background.
    private static func isGone(_ project: UInt32, _ disk: String) async throws {
        let parent = try Files.open(disk, flags: O_RDONLY | O_DIRECTORY)
        var now = try? ProjectQuota.read(project, on: parent)
        for _ in 0..<250 where (now?.usedInodes ?? 0) > 0 {
            try await Task.sleep(for: .milliseconds(20))
            now = try? ProjectQuota.read(project, on: parent)
        }
        if let now {
            #expect([now.bytes, now.usedBytes, now.inodes, now.usedInodes] == [0, 0, 0, 0])
        }
    }
}
