internal import Documents
internal import FoundationEssentials
internal import Linux

/// Reads and writes a log's directory. Knows nothing of keys.
struct LogStore: Sendable {
    let directory: String

    var checkpointPath: String { directory + "/checkpoint" }

    func path(_ tile: Tile) -> String { directory + "/" + tile.path }

    /// The note in `checkpoint`; nil when there is none yet.
    func checkpoint() throws -> String? {
        guard try Files.status(checkpointPath) != nil else { return nil }
        return try Files.readString(checkpointPath)
    }

    /// The hashes of a tile as it is for a log of that width; falls back on the full tile, whose beginning a partial one is.
    func hashes(_ tile: Tile) throws -> [Digest] {
        let (data, file) = try bytes(tile)
        guard data.count >= tile.width * 32, data.count % 32 == 0, data.count <= Tile.fullWidth * 32 else {
            throw LedgerError.damaged(
                file: file, line: nil,
                why: "it has \(data.count) bytes where \(tile.width) hashes need \(tile.width * 32)")
        }
        return try (0..<tile.width).map { index in
            let start = data.startIndex + index * 32
            guard let digest = Digest(bytes: Data(data[start..<start + 32])) else {
                throw LedgerError.damaged(file: file, line: nil, why: "its hash \(index) is cut")
            }
            return digest
        }
    }

    /// The entries of a bundle: each a big-endian 16-bit length and that many bytes (tlog-tiles, "Log Entries").
    func entries(_ tile: Tile) throws -> [Data] {
        let (data, file) = try bytes(tile)
        var entries: [Data] = []
        var offset = data.startIndex
        while entries.count < tile.width {
            guard data.endIndex - offset >= 2 else {
                throw LedgerError.damaged(file: file, line: nil, why: "it ends before its entry \(entries.count)")
            }
            let length = Int(data[offset]) << 8 | Int(data[offset + 1])
            guard data.endIndex - offset - 2 >= length else {
                throw LedgerError.damaged(file: file, line: nil, why: "its entry \(entries.count) is cut")
            }
            entries.append(Data(data[offset + 2..<offset + 2 + length]))
            offset += 2 + length
        }
        return entries
    }

    private func bytes(_ tile: Tile) throws -> (Data, file: String) {
        let partial = path(tile)
        if tile.isPartial, try Files.status(partial) == nil {
            let full = directory + "/" + tile.fullPath
            guard try Files.status(full) != nil else {
                throw LedgerError.damaged(
                    file: partial, line: nil, why: "the checkpoint covers this tile, but it is missing")
            }
            return (try Files.read(full), full)
        }
        guard try Files.status(partial) != nil else {
            throw LedgerError.damaged(
                file: partial, line: nil, why: "the checkpoint covers this tile, but it is missing")
        }
        return (try Files.read(partial), partial)
    }

    /// Writes a tile so that it is on disk, with its name, when this returns.
    func write(_ tile: Tile, _ data: Data) throws {
        let path = path(tile)
        try makeParents(of: tile.path)
        try Files.writeAtomically(path, data, mode: 0o644)
    }

    func write(checkpoint note: String) throws {
        try Files.writeAtomically(checkpointPath, Data(note.utf8), mode: 0o644)
    }

    /// Makes the directories on the way to a file below the log's, each one fsynced into its parent: a file that is on disk
    /// in a directory whose own name is not would be lost with it.
    private func makeParents(of relative: String) throws {
        var current = directory
        for part in relative.split(separator: "/").dropLast() {
            let next = current + "/" + part
            if try Files.status(next) == nil {
                try Files.makeDirectory(next, mode: 0o755, intermediate: false)
                try Files.fsyncDirectory(current)
            }
            current = next
        }
    }

    /// Removes what a write that never reached its checkpoint left behind: tiles past those of a log of that size.
    func cut(beyond size: UInt64) throws {
        try cut(count: size) { Tile(entries: $0, width: $1) }
        var level = 0
        while try Files.status(directory + "/tile/\(level)") != nil {
            let count = level < 8 ? size >> UInt64(8 * level) : 0
            try cut(count: count) { Tile(level: level, index: $0, width: $1) }
            level += 1
        }
    }

    private func cut(count: UInt64, tile: (UInt64, Int) -> Tile) throws {
        let width = Int(count % 256)
        var index = count / 256
        var covered = width
        while true {
            let last = tile(index, Tile.fullWidth)
            let full = directory + "/" + last.fullPath
            let partials = directory + "/" + last.partialDirectory
            let hasFull = try Files.status(full) != nil
            let hasPartials = try Files.status(partials) != nil
            guard hasFull || hasPartials else { return }
            if hasFull {
                // The full tile may be all that is left of the partial one the checkpoint speaks of.
                if covered > 0, try Files.status(directory + "/" + tile(index, covered).path) == nil { return }
                try Files.removeTree(full)
            }
            if hasPartials {
                for name in try Files.entries(partials) {
                    let text = String(decoding: name, as: UTF8.self)
                    if Int(text).map({ $0 > covered }) ?? true { try Files.removeTree(partials + "/" + text) }
                }
            }
            index += 1
            covered = 0
        }
    }

    /// Removes the partial versions of a tile that is now full (tlog-tiles allows it once the full tile is there).
    func removePartials(of tile: Tile) throws {
        let partials = directory + "/" + tile.partialDirectory
        if try Files.status(partials) != nil { try Files.removeTree(partials) }
    }
}
