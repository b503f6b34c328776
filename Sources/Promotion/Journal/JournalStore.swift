internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// The directory of one state: a lock, and a directory per promotion.
///
/// Every document is canonical JSON (RFC 8785) in an envelope `{"body":…,"digest":…,"format":…}` whose digest is checked on
/// reading, and is replaced as a whole: file fsync, rename, directory fsync.
struct JournalStore: Sendable {
    let directory: BytePath
    let calls: FileCalls

    static let journal = "journal.json"
    static let staged = "staged.json"
    static let phase = "phase.json"
    static let deadman = "deadman.json"
    static let intent = "rerun.json"
    private static let changes = "changes.json"
    private static let base = "base.json"

    static func check(_ id: String) throws {
        let allowed = id.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || [45, 46, 95].contains($0)
        }
        guard allowed, (1...100).contains(id.utf8.count), let first = id.utf8.first, ![45, 46, 95].contains(first),
            id != "lock"
        else { throw PromotionError.badIdentifier(BytePath(id).display) }
    }

    func path(_ id: String) -> BytePath { directory.appending(id) }

    /// Makes the state directory where it is missing and takes its lock, without waiting.
    func lock() throws -> StateLock {
        do {
            try calls.call(.mkdir, directory) { try Files.makeDirectory(directory, mode: 0o700, intermediate: true) }
            let file = try calls.open(
                path: directory.appending("lock"), flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            guard try calls.call(.lock, directory, { try Files.lock(file) }) else {
                throw PromotionError.busy(state: directory.display)
            }
            return StateLock(file)
        } catch let error as SystemError {
            throw PromotionError.failed("its state directory can't be used: \(error)")
        }
    }

    /// The promotions there are, sorted.
    func ids() throws -> [String] {
        guard try calls.call(.status, directory, { try Files.status(directory) }) != nil else { return [] }
        return try calls.list(directory).map { String(decoding: $0, as: UTF8.self) }
            .filter { (try? Self.check($0)) != nil }
            .filter { id in try calls.call(.status, path(id)) { try Files.status(path(id)) }?.isDirectory == true }
            .sorted()
    }

    /// Whether a directory holds nothing but what is written before the first phase.
    func isBeginning(_ id: String) throws -> Bool {
        let known = [Self.journal, Self.intent, Self.phase, Self.changes, Self.base]
        return try calls.list(path(id)).allSatisfy { name in
            known.contains { name.elementsEqual($0.utf8) || name.elementsEqual("\($0).new".utf8) }
        }
    }

    func exists(_ id: String) throws -> Bool {
        try calls.call(.status, path(id)) { try Files.status(path(id)) } != nil
    }

    func create(_ id: String) throws {
        try calls.call(.mkdir, path(id)) { try Files.makeDirectory(path(id), mode: 0o700) }
        try calls.call(.fsync, directory) { try Files.fsyncDirectory(directory) }
    }

    func remove(_ id: String) throws {
        try calls.call(.removeTree, path(id)) { try Files.removeTree(path(id)) }
    }

    // MARK: room for what must be written at the end

    private static let reserve = "reserve"
    private static let reserveForRollback = "reserve-rollback"

    /// Bytes that the records of the phases after the moves take, which hold a time for every parent directory, and the old record
    /// beside the new.
    static func spare(for journal: PromotionJournal) -> Int64 {
        Room.whole(Int64(journal.parents.count) * 64) + 8 * Room.block
    }

    /// Takes room in the promotion's directory, so that its outcome can be recorded though the disk is full by then, and once more
    /// for a rollback: a disk that the change has filled must not keep it live.
    func reserve(_ bytes: Int64, of id: String) throws {
        for name in [Self.reserve, Self.reserveForRollback] {
            let path = path(id).appending(name)
            let file = try calls.open(path: path, flags: O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            try calls.call(.write, path) {
                let code = file.withRaw { posix_fallocate($0, 0, off_t(bytes)) }
                guard code == 0 else { throw SystemError(call: "fallocate", subject: path.display, code: code) }
            }
        }
    }

    /// Gives it back, where there is any; with `all` the room for a rollback too.
    func release(_ id: String, all: Bool = false) throws {
        for name in all ? [Self.reserve, Self.reserveForRollback] : [Self.reserve] {
            let path = path(id).appending(name)
            do {
                try calls.call(.unlink, path) { try Files.unlink(path) }
            } catch let error as SystemError where error.code == ENOENT {}
        }
    }

    // MARK: documents

    func write(_ document: some Encodable, as name: String, of id: String) throws {
        let body = try JSON(encoding: document).canonical
        var envelope = CanonicalObject()
        envelope.add("body", canonical: body)
        envelope.add("digest", Digest(of: body).hex)
        envelope.add("format", Self.format(name))
        envelope.finish()
        try calls.replace(name, in: path(id), with: Data(envelope.bytes))
    }

    /// `nil` where the document was never written.
    func read<T: Decodable>(_ type: T.Type, _ name: String, of id: String) throws -> T? {
        let file = path(id).appending(name)
        guard try calls.call(.status, file, { try Files.status(file) }) != nil else { return nil }
        let data = try calls.read(file)
        do {
            let envelope = try JSON(parsing: data)
            guard envelope["format"]?.string == Self.format(name), let body = envelope["body"],
                envelope["digest"]?.string == Digest(of: body.canonical).hex
            else {
                throw PromotionError.damaged(id: id, reason: "\(name) does not have the digest it was written with")
            }
            return try body.decode(type)
        } catch let error as JSONError {
            throw PromotionError.damaged(id: id, reason: "\(name): \(error.description)")
        }
    }

    private static func format(_ name: String) -> String { "grace.promotion.\(name.dropLast(5)).v1" }

    /// Writes the change set and its base in their own canonical forms, and the journal as ``write(_:as:of:)`` would, a step at a time. All
    /// of them are on disk when this returns.
    func write(_ journal: PromotionJournal, _ documents: PromotionDocuments, of id: String) throws {
        let directory = path(id)
        try calls.place(Self.changes, in: directory) { try documents.forEachManifestPiece($0) }
        try calls.place(Self.base, in: directory) { try documents.forEachDocumentPiece($0) }
        try calls.place(Self.journal, in: directory) { write in
            var digest = StreamingDigest()
            try write(Data("{\"body\":".utf8))
            try journal.forEachPiece { piece in
                piece.withUnsafeBytes { digest.update($0) }
                try write(piece)
            }
            var rest = CanonicalObject()
            rest.add("digest", digest.finish().hex)
            rest.add("format", Self.format(Self.journal))
            rest.finish()
            try write(Data(",".utf8) + rest.bytes.dropFirst())
        }
        try calls.fsync(directory)
    }

    /// The journal with the change set and base that it names.
    func journal(of id: String) throws -> (PromotionJournal, ChangeSet, Base) {
        guard let journal = try read(PromotionJournal.self, Self.journal, of: id) else {
            throw PromotionError.damaged(id: id, reason: "\(Self.journal) is missing")
        }
        let manifest = try calls.read(path(id).appending(Self.changes))
        let document = try calls.read(path(id).appending(Self.base))
        guard Digest(of: manifest) == journal.changeSet, Digest(of: document) == journal.base else {
            throw PromotionError.damaged(id: id, reason: "the change set or base beside it is not the one it names")
        }
        return (journal, try ChangeSet.parse(manifest: manifest), try Base.parse(document))
    }

    func phase(of id: String) throws -> PhaseRecord? { try read(PhaseRecord.self, Self.phase, of: id) }

    /// The phase of a promotion that must be there.
    func knownPhase(of id: String) throws -> PhaseRecord {
        try Self.check(id)
        guard try exists(id), let record = try phase(of: id) else { throw PromotionError.notFound(id: id) }
        return record
    }
}

/// A change set and its base with the digests of their canonical forms, which are made an entry at a time.
struct PromotionDocuments: Sendable {
    let changeSet: ChangeSet
    let base: Base
    let changeSetDigest: Digest
    let baseDigest: Digest
    /// Bytes of both documents together.
    let size: Int
    private let manifest: Form
    private let document: Form

    /// A document's canonical form, hashed; kept where it is small, so that it need not be made again to be written.
    private struct Form: Sendable {
        let digest: Digest
        let size: Int
        let kept: Data?

        init(_ pieces: ((Data) -> Void) -> Void) {
            var (hash, size, kept) = (StreamingDigest(), 0, Data() as Data?)
            pieces { piece in
                piece.withUnsafeBytes { hash.update($0) }
                size += piece.count
                kept = size > 4 << 20 ? nil : kept
                kept?.append(piece)
            }
            (digest, self.size, self.kept) = (hash.finish(), size, kept)
        }
    }

    init(_ changeSet: ChangeSet, _ base: Base) {
        self.changeSet = changeSet
        self.base = base
        (manifest, document) = Threads.both("documents") {
            Form { changeSet.forEachManifestPiece($0) }
        } and: {
            Form { base.forEachDocumentPiece($0) }
        }
        (changeSetDigest, baseDigest) = (manifest.digest, document.digest)
        size = manifest.size + document.size
    }

    func forEachManifestPiece(_ body: (Data) throws -> Void) rethrows {
        if let kept = manifest.kept { return try body(kept) }
        try changeSet.forEachManifestPiece(body)
    }

    func forEachDocumentPiece(_ body: (Data) throws -> Void) rethrows {
        if let kept = document.kept { return try body(kept) }
        try base.forEachDocumentPiece(body)
    }
}

/// A lock held on a state directory, or on a rerun's command.
final class StateLock: Sendable {
    private let file: Descriptor

    init(_ file: Descriptor) { self.file = file }
    deinit { close() }

    /// Gives it back. Unlocked outright: closing alone leaves the lock to copies of the descriptor, which any child has for the
    /// moment between its making and its exec.
    func close() {
        guard !file.isClosed else { return }
        try? Files.unlock(file)
        file.close()
    }
}
