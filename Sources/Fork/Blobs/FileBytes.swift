internal import Documents
internal import Glibc
internal import Linux

/// Reads and writes an open file by position, in bounded memory and aware of holes.
struct FileBytes {
    /// A run of bytes. A hole's bytes are zeros that take no room on disk.
    struct Piece {
        var bytes: UnsafeRawBufferPointer
        var isHole: Bool
    }

    static let pieceSize = 1 << 20

    let file: Descriptor

    init(_ file: Descriptor) {
        self.file = file
    }

    func size() throws -> Int64 {
        let end = lseek(file.raw, 0, SEEK_END)
        guard end >= 0 else { throw failure("lseek") }
        return Int64(end)
    }

    /// Calls `body` with every piece from the beginning to the end as it is when reached.
    func forEachPiece(_ body: (Int64, Piece) throws -> Void) throws {
        let seekData: Int32 = 3  // SEEK_DATA and SEEK_HOLE of <unistd.h>, which Glibc's module hides
        let seekHole: Int32 = 4
        let length = try size()
        let room = Int(max(1, min(Int64(Self.pieceSize), length)))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
        defer { buffer.deallocate() }
        var zeros: [UInt8] = []
        var offset: Int64 = 0
        // A small file is one piece: looking for its holes would cost more than they are worth.
        if length <= 1 << 16 {
            while true {
                let count = try readOnce(into: buffer, at: offset)
                if count == 0 { return }
                try body(offset, Piece(bytes: .init(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), isHole: false))
                offset += Int64(count)
            }
        }
        while true {
            var data = Int64(lseek(file.raw, off_t(offset), seekData))
            var isEnd = false
            if data < 0 {
                if errno == ENXIO {
                    isEnd = true
                    data = max(try size(), offset)
                } else {
                    data = offset  // A file system without SEEK_DATA: all is data.
                }
            }
            while offset < data {
                if zeros.isEmpty { zeros = [UInt8](repeating: 0, count: Self.pieceSize) }
                let count = Int(min(Int64(Self.pieceSize), data - offset))
                try zeros.withUnsafeBytes {
                    try body(offset, Piece(bytes: .init(rebasing: $0[..<count]), isHole: true))
                }
                offset += Int64(count)
            }
            if isEnd { return }
            var hole = Int64(lseek(file.raw, off_t(offset), seekHole))
            if hole < 0 { hole = .max }
            while offset < hole {
                let wanted = Int(min(Int64(room), hole - offset))
                let count = try readOnce(into: .init(rebasing: buffer[..<wanted]), at: offset)
                if count == 0 { return }
                try body(offset, Piece(bytes: .init(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), isHole: false))
                offset += Int64(count)
            }
        }
    }

    /// Whether both files hold the same bytes; stops at the first difference.
    func equals(_ other: FileBytes) throws -> Bool {
        let left = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 4096)
        let right = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 4096)
        defer {
            left.deallocate()
            right.deallocate()
        }
        var offset: Int64 = 0
        while true {
            let count = try fill(left, at: offset)
            guard try other.fill(right, at: offset) == count else { return false }
            if count == 0 { return true }
            guard let first = left.baseAddress, let second = right.baseAddress, memcmp(first, second, count) == 0 else {
                return false
            }
            offset += Int64(count)
        }
    }

    /// The SHA-256 of the whole file.
    func digest() throws -> Digest {
        var digest = StreamingDigest()
        try forEachPiece { digest.update($1.bytes) }
        return digest.finish()
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                file.raw, bytes.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset) + off_t(done))
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("pwrite")
            }
            done += count
        }
    }

    /// Writes what another file holds at the same offsets; its holes stay holes.
    func copy(from source: FileBytes) throws {
        try source.forEachPiece { offset, piece in
            if !piece.isHole { try write(piece.bytes, at: offset) }
            try extend(to: offset + Int64(piece.bytes.count))
        }
    }

    /// Makes the file at least `length` bytes long, by a hole.
    func extend(to length: Int64) throws {
        guard try size() < length else { return }
        try truncate(to: length)
    }

    func truncate(to length: Int64) throws {
        guard ftruncate(file.raw, off_t(length)) == 0 else { throw failure("ftruncate") }
    }

    /// Reads until the buffer is full or the file is at its end.
    private func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = try readOnce(into: .init(rebasing: buffer[done...]), at: offset + Int64(done))
            if count == 0 { break }
            done += count
        }
        return done
    }

    private func readOnce(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        while true {
            let count = pread(file.raw, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw failure("pread") }
        }
    }

    private func failure(_ call: String) -> SystemError {
        SystemError(call: call, subject: "file descriptor \(file.raw)", code: errno)
    }
}
