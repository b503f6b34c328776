import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// What a power loss leaves, which a kill does not show: the kernel still writes what a killed process gave it.
///
/// A real process promotes and rolls back on a disk whose writes dm-log-writes keeps. For moments at which the disk was told to flush,
/// the disk is made anew as a power loss right then would have left it: everything flushed by then, and nothing else, or some of what was
/// written since, by chance, as a disk's volatile cache may. The file system is mounted, the promoter recovers, and live must be
/// entirely old or entirely new, and new for certain once the promoter had said so.
///
/// `GRACE_LOSSES=all` takes every moment, twice; without it a sample, from a printed seed (`GRACE_SEED` repeats it).
@Suite(
    .serialized,
    .enabled(if: LoggedDisk.isPossible, "needs root and the kernel's dm-log-writes, as in scripts/vm-test"))
struct PowerLossTests {
    private static let takesAll = Processes.currentEnvironment()["GRACE_LOSSES"] == "all"

    enum Scene: Sendable {
        case everyTransition
        /// So many directories that one barrier stands for them all, moved by several threads.
        case manyFiles
        /// Owners, modes and attributes alone, where no name moves and thus none need be on disk.
        case settings

        func prepare(_ fixture: Fixture) throws -> (ChangeSet, Base) {
            switch self {
            case .everyTransition: return try fixture.everyTransition()
            case .manyFiles: return try fixture.manyFiles()
            case .settings:
                try fixture.reset()
                try fixture.directory("/etc")
                try fixture.directory("/etc/kept")
                for name in ["a", "b", "kept/c"] { try fixture.file("/etc/" + name, name) }
                try fixture.age()
                let changes = try ChangeSet([
                    Change(
                        path: "/etc/a", kind: .metadata, type: .file, mode: 0o600, uid: 7, gid: 8,
                        xattrs: ["user.fresh": Data("f".utf8)], modified: 999_999_999_000_000_009),
                    Change(path: "/etc/b", kind: .metadata, type: .file, mode: 0o4755, uid: 1),
                    Change(path: "/etc/kept", kind: .metadata, type: .directory, mode: 0o711, uid: 3, gid: 4),
                ])
                return (changes, try fixture.base(changes))
            }
        }
    }

    private enum Mark {
        static let promote = "promoting"
        static let promoted = "promoted"
        static let rollback = "rolling-back"
        static let rolledBack = "rolled-back"
    }

    private func victim(_ what: String, _ fixture: Fixture) async throws {
        let output = try await Processes.run(
            try Products.path("promotion-victim"), arguments: [what, fixture.directory], timeout: .seconds(120))
        try #require(output.isSuccess, "\(what): \(String(decoding: output.stdout, as: UTF8.self))")
    }

    /// The moments to look at: marks always, of the others a sample.
    private func chosen(_ moments: [WriteLog.Moment], _ random: inout SeededRandom, sample: Int) -> [WriteLog.Moment] {
        if Self.takesAll { return moments }
        let marks = Set(moments.indices.filter { moments[$0].isMark })
        let others = moments.indices.filter { !moments[$0].isMark }.shuffled(using: &random)
            .prefix(max(0, sample - marks.count))
        return marks.union(others).sorted().map { moments[$0] }
    }

    private func losesPower(on kind: LoggedDisk.FileSystem, _ scene: Scene, sample: Int) async throws {
        let disk = try LoggedDisk(kind)
        let fixture = try Fixture(on: disk.mount)
        let (changes, base) = try scene.prepare(fixture)
        try Files.writeAtomically(fixture.directory + "/changes.json", changes.manifest)
        try Files.writeAtomically(fixture.directory + "/base.json", base.document)
        let old = try fixture.picture().tree
        try disk.record()
        try disk.mark(Mark.promote)
        try await victim("promote", fixture)
        try disk.mark(Mark.promoted)
        let new = try fixture.picture().tree
        try disk.mark(Mark.rollback)
        try await victim("rollback", fixture)
        try disk.mark(Mark.rolledBack)
        #expect(try fixture.picture().tree == old)
        let log = try disk.endRecording()

        let moments = try log.moments(from: Mark.promote, to: Mark.rolledBack)
        let seed = UInt64(Processes.currentEnvironment()["GRACE_SEED"] ?? "") ?? UInt64.random(in: .min ... .max)
        var random = SeededRandom(state: seed)
        let looked = chosen(moments, &random, sample: sample)
        print(
            "\(kind.rawValue): seed \(seed), \(looked.count) of \(moments.count) moments, \(log.entries.count) writes")
        #expect(moments.count > 30, "a promotion and its rollback flush more often than that")
        var ends: Set<Bool> = []
        var done = 0
        for moment in looked {
            for isStrict in Self.takesAll ? [true, false] : [moment.isMark || Bool.random(using: &random)] {
                var besides: [WriteLog.Entry] = []
                if !isStrict {
                    let loose = log.entries[moment.certain..<moment.possible].filter { $0.hasData }
                    besides = loose.filter { _ in Bool.random(using: &random) }
                }
                let note =
                    "\(kind.rawValue), power lost after write \(moment.certain), \(besides.count) later ones on disk as well, after the mark \(moment.mark)"
                let isNew = try await disk.afterPowerLoss(log, log.entries[done..<moment.certain], besides: besides) {
                    try await expectWhole(Fixture(on: disk.mount), old, new, moment, note)
                }
                if moment.mark == Mark.promote { ends.insert(isNew) }
                done = moment.certain
            }
        }
        #expect(ends.contains(false), "power was lost before the promotion was committed")
    }

    /// - Returns: Whether live is new.
    private func expectWhole(
        _ fixture: Fixture, _ old: [String: String], _ new: [String: String], _ moment: WriteLog.Moment, _ note: String
    ) async throws -> Bool {
        let promoter = fixture.promoter()
        let outcomes = try await promoter.recover()
        #expect(outcomes.allSatisfy { $0.live == .old || $0.live == .new }, "\(note): \(outcomes)")
        let phase = promoter.status(id: "m")?.phase
        let isNew = phase == .promoted
        switch moment.mark {
        case Mark.promoted: #expect(isNew, "\(note): \(phase.map(\.rawValue) ?? "nothing") after success was reported")
        case Mark.rolledBack: #expect(phase == .rolledBack, "\(note): \(phase.map(\.rawValue) ?? "nothing")")
        case Mark.rollback: #expect(phase == .promoted || phase == .rolledBack, "\(note)")
        default: #expect(phase == nil || phase == .promoted || phase == .rolledBack, "\(note)")
        }
        let (tree, hidden) = try fixture.picture()
        let wanted = isNew ? new : old
        let wrong = Set(tree.keys).union(wanted.keys).sorted().filter { tree[$0] != wanted[$0] }
        #expect(
            wrong.isEmpty,
            "\(note), \(phase.map(\.rawValue) ?? "nothing"): \(wrong.prefix(8).map { "\($0): \(tree[$0] ?? "absent") instead of \(wanted[$0] ?? "absent")" })"
        )
        if !isNew { #expect(hidden.isEmpty, "\(note): left behind \(hidden)") }
        if phase == nil {
            let left = ((try? Files.entries(fixture.state)) ?? []).filter { $0 != Array("lock".utf8) }
            #expect(left.isEmpty, "\(note): an open journal was left")
        }
        // The agent's journal agrees: live is never new without the intent there, and what was reported stands there.
        let record = (try? Files.readString(fixture.directory + "/journal")) ?? ""
        if isNew { #expect(record.contains("promotion.intent\n"), "\(note): new without a record: “\(record)”") }
        if moment.mark != Mark.promote { #expect(record.contains("promotion.committed\n"), "\(note): “\(record)”") }
        if moment.mark == Mark.rolledBack {
            #expect(record.contains("promotion.rolled_back\n"), "\(note): “\(record)”")
        }
        #expect(try await promoter.recover().isEmpty, "\(note): recovered twice")
        return isNew
    }

    @Test(arguments: LoggedDisk.FileSystem.allCases)
    func aPowerLossAtAnyFlushLeavesLiveEntirelyOldOrEntirelyNew(_ kind: LoggedDisk.FileSystem) async throws {
        try await losesPower(on: kind, .everyTransition, sample: 14)
    }

    @Test(arguments: takesAll ? LoggedDisk.FileSystem.allCases : [.btrfs])
    func aPowerLossAmidManyFilesLeavesLiveEntirelyOldOrEntirelyNew(_ kind: LoggedDisk.FileSystem) async throws {
        try await losesPower(on: kind, .manyFiles, sample: 6)
    }

    /// On btrfs the sync of a directory does not bring the settings of what is in it to the disk.
    @Test(arguments: takesAll ? LoggedDisk.FileSystem.allCases : [.btrfs])
    func settingsThatWereReportedOutliveAPowerLoss(_ kind: LoggedDisk.FileSystem) async throws {
        try await losesPower(on: kind, .settings, sample: 8)
    }
}
