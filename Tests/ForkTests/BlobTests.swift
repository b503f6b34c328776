import Documents
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Fork

struct BlobTests {
    private func with(_ body: (BlobStore, String) throws -> Void) throws {
        let directory = "/var/tmp/grace-test-blobs-\(UUID().uuidString)"
        try Files.makeDirectory(directory, mode: 0o700)
        defer { try? Files.removeTree(directory) }
        try body(BlobStore(root: directory + "/blobs"), directory)
    }

    @Test("a blob comes back as it was put, once however often it is put")
    func roundTrip() throws {
        try with { store, directory in
            for size in [0, 1, 4096, FileBytes.pieceSize, FileBytes.pieceSize + 1, 3 * FileBytes.pieceSize + 17] {
                let data = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) })
                try Files.writeAtomically(directory + "/file", data)
                let first = try store.put(file: Files.open(directory + "/file", flags: O_RDONLY))
                let second = try store.put(data)
                #expect(first == Digest(of: data) && second == first)
                #expect(try store.read(first) == data)
                #expect(store.contains(first))
                try store.verify(first)
            }
            try store.flush()
            let left = try Files.entries(store.root).filter { $0.starts(with: Array("new-".utf8)) }
            #expect(left.isEmpty)
        }
    }

    @Test("an adopted file is not copied where store and file lie on one file system, and is the same blob everywhere")
    func adopted() throws {
        try with { store, directory in
            try store.put(Data("makes the store".utf8))
            for place in [directory, "/dev/shm"] {
                let path = "\(place)/grace-test-adopted-\(UUID().uuidString)"
                defer { try? Files.removeTree(path) }
                let data = Data("adopted from \(place)".utf8)
                try Files.writeAtomically(path, data, mode: 0o4755)
                for _ in 0..<2 {
                    let digest = try store.adopt(file: Files.open(path, flags: O_RDONLY))
                    #expect(digest == Digest(of: data))
                    #expect(try store.read(digest) == data)
                    let isShared = try Files.status(path)?.identity == Files.status(store.path(digest))?.identity
                    #expect(isShared == (place == directory && isRoot))
                }
                // Put once more it is a blob of its own again: nothing of the layer's can reach it then.
                let digest = try store.put(data)
                #expect(try Files.status(path)?.identity != Files.status(store.path(digest))?.identity)
            }
            #expect(try Files.entries(store.root).allSatisfy { !$0.starts(with: Array("new-".utf8)) })
        }
    }

    @Test("two files are the same exactly when their bytes are, wherever they differ")
    func equality() throws {
        try with { _, directory in
            let sizes = [0, 1, 65535, 65536, 65537, 200_000]
            for size in sizes {
                let data = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
                try Files.writeAtomically(directory + "/a", data)
                let first = FileBytes(try Files.open(directory + "/a", flags: O_RDONLY))
                func compare(_ other: Data) throws -> Bool {
                    try Files.writeAtomically(directory + "/b", other)
                    let second = FileBytes(try Files.open(directory + "/b", flags: O_RDONLY))
                    let found = try first.equals(second)
                    #expect(try second.equals(first) == found)
                    return found
                }
                #expect(try compare(data))
                #expect(try !compare(data + [0]))
                for place in [0, size / 2, size - 1] where size > 0 {
                    var other = data
                    other[place] ^= 1
                    #expect(try !compare(other), "\(size), \(place)")
                }
            }
        }
    }

    @Test("an altered, missing or too long blob is refused")
    func refusals() throws {
        try with { store, _ in
            let digest = try store.put(Data("content".utf8))
            #expect(throws: ForkError.self) { try store.read(digest, limit: 6) }
            try Files.writeAtomically(store.path(digest), Data("c0ntent".utf8))
            #expect(throws: ForkError.self) { try store.read(digest) }
            #expect(throws: ForkError.self) { try store.verify(digest) }
            try store.put(Data("content".utf8))
            #expect(try store.read(digest) == Data("content".utf8))
            #expect(throws: ForkError.self) { try store.read(Digest(of: Data("other".utf8))) }
            #expect(!store.contains(Digest(of: Data("other".utf8))))
        }
    }

    @Test("holes are hashed as zeros, at the beginning, in the middle and at the end")
    func holes() throws {
        try with { store, directory in
            let file = try Files.open(directory + "/sparse", flags: O_RDWR | O_CREAT, mode: 0o600)
            var expected = Data(count: 5 << 20)
            expected.replaceSubrange((2 << 20)..<(2 << 20) + 4, with: Data("data".utf8))
            try Data("data".utf8).withUnsafeBytes { try FileBytes(file).write($0, at: 2 << 20) }
            try FileBytes(file).truncate(to: 5 << 20)
            let digest = try store.put(file: file)
            #expect(digest == Digest(of: expected))
            #expect(try store.read(digest) == expected)
            #expect(try FileBytes(file).digest() == digest)
        }
    }
}
