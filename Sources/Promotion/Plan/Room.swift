internal import Fork
internal import Glibc
internal import Linux

/// What a promotion is going to write beside what is there, by file system. The old files stay for a rollback, so nothing is set off
/// against them.
///
/// An estimate that is never too low for file systems of blocks of 4 KiB or less: the contents in whole blocks, but for the holes of
/// sparse files; a block for every directory, link and set of attributes; an inode for everything. Staging then takes the room for
/// good, before the first live byte changes.
struct Room {
    private struct Need {
        var bytes: Int64 = 0
        var inodes: UInt64 = 0
        /// A directory on the file system, for asking and for people.
        var directory: Descriptor
        var shown: BytePath
    }

    static let block: Int64 = 4096

    private let calls: FileCalls
    private var needs: [DeviceNumber: Need] = [:]

    init(calls: FileCalls) { self.calls = calls }

    /// Adds bytes and inodes on the file system of an open directory.
    mutating func add(bytes: Int64, inodes: UInt64, in directory: Descriptor, shown: BytePath) throws {
        let device = try calls.status(of: directory, shown: shown).device
        needs[device, default: Need(directory: directory, shown: shown)].bytes += bytes
        needs[device]?.inodes += inodes
    }

    static func whole(_ bytes: Int64) -> Int64 { (max(0, bytes) + block - 1) / block * block }

    /// A sentence for every file system that has not the room.
    func refusals() throws -> [String] {
        try needs.sorted { $0.value.shown < $1.value.shown }.compactMap { _, need in
            let free = try calls.call(.status, need.shown) {
                try Files.fileSystem(BytePath("/proc/self/fd/\(need.directory.raw)/."))
            }
            let countsInodes = free.inodes > 0
            guard need.bytes > free.available || countsInodes && need.inodes > free.inodesAvailable else { return nil }
            return
                "\(need.shown.display): up to \(Self.show(need.bytes)) and \(need.inodes) inodes are needed on its file system beside "
                + "what is there, since the old files stay for a rollback, and \(Self.show(free.available))"
                + (countsInodes ? " and \(free.inodesAvailable) inodes" : "") + " are free. Make room first"
        }
    }

    private static func show(_ bytes: Int64) -> String {
        bytes < 1 << 20 ? "\(bytes >> 10) KiB" : bytes < 10 << 30 ? "\(bytes >> 20) MiB" : "\(bytes >> 30) GiB"
    }
}

extension Promoter {
    /// What the moves of `journal` will write.
    ///
    /// - Throws: ``PromotionError/refused(_:)`` where a file system has not the room for it.
    func requireRoom(
        for journal: PromotionJournal, _ documents: PromotionDocuments, _ contents: any ContentSource,
        below root: RootDirectory
    ) throws {
        var room = Room(calls: calls)
        var byParent: [Int: (bytes: Int64, inodes: UInt64)] = [:]
        var groups: Set<Int> = []
        for step in journal.steps where step.action != .metadata {
            // The hidden directory, once for each parent; and the name it gives there.
            var (bytes, inodes) = byParent[step.parent] ?? (2 * Room.block, 1)
            for index in step.changes where step.isStaged {
                let change = documents.changeSet.changes[index]
                if let group = change.hardLinkGroup, !groups.insert(group).inserted { continue }
                inodes += 1
                bytes += try change.type == .file ? size(of: change, contents) : Room.block
                if !change.xattrs.isEmpty { bytes += Room.block }
            }
            byParent[step.parent] = (bytes, inodes)
        }
        for (number, need) in byParent {
            let path = journal.parents[number].path
            try room.add(bytes: need.bytes, inodes: need.inodes, in: root.directory(path), shown: path)
        }
        if let own = try? calls.open(path: store.directory, flags: O_RDONLY | O_DIRECTORY) {
            let documents = Int64(documents.size + journal.steps.count * 300)
            try room.add(
                bytes: Room.whole(documents) + 16 * Room.block + 2 * JournalStore.spare(for: journal), inodes: 11,
                in: own,
                shown: store.directory)
        }
        let refusals = try room.refusals()
        if !refusals.isEmpty { throw PromotionError.refused(refusals) }
    }

    private func size(of change: Change, _ contents: any ContentSource) throws -> Int64 {
        let size = change.size ?? 0
        guard size > 1 << 16 else { return Room.whole(size) }
        let allocated = try calls.call(.status, change.path) { try contents.allocated(change) }
        return min(Room.whole(size), Room.whole(allocated ?? size))
    }
}
