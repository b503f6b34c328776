import FoundationEssentials
import Glibc
import Linux
import Testing

@Suite("Files: reading and writing")
struct FileTests {
    @Test(
        "an atomic write replaces content and mode, leaves no temporary file, and replaces a link rather than following it"
    )
    func atomic() async throws {
        try await withDirectory { directory in
            let old = umask(0o077)
            defer { umask(old) }
            try Files.writeAtomically("\(directory)/target", data("precious"))
            try Files.symlink("target", at: "\(directory)/link")
            try Files.writeAtomically("\(directory)/link", data("new"), mode: 0o644)
            #expect(try Files.readString("\(directory)/target") == "precious")
            #expect(try Files.readString("\(directory)/link") == "new")
            #expect(try Files.status("\(directory)/link")?.mode == 0o644)
            #expect(try Files.status("\(directory)/target")?.mode == 0o600)
            #expect(try Files.entries(directory).count == 2)
        }
    }

    @Test("an atomic write that fails leaves the old content and nothing beside it")
    func atomicFailure() async throws {
        try await withDirectory { directory in
            try Files.makeDirectory("\(directory)/target")
            try Files.writeAtomically("\(directory)/target/kept", data("x"))
            #expect(errorName { try Files.writeAtomically("\(directory)/target", data("y")) } == "EISDIR")
            #expect(try Files.entries(directory) == [Array("target".utf8)])
        }
    }

    @Test("reading stops with EFBIG at the limit instead of filling memory")
    func limit() async throws {
        try await withDirectory { directory in
            try Files.writeAtomically("\(directory)/f", Data(count: 1000))
            #expect(try Files.read("\(directory)/f", limit: 1000).count == 1000)
            #expect(errorName { _ = try Files.read("\(directory)/f", limit: 999) } == "EFBIG")
        }
    }

    @Test("append adds, and makes the file with its mode")
    func append() async throws {
        try await withDirectory { directory in
            try Files.append("\(directory)/log", data("a"))
            try Files.append("\(directory)/log", data("b"))
            #expect(try Files.readString("\(directory)/log") == "ab")
            #expect(try Files.status("\(directory)/log")?.mode == 0o600)
        }
    }

    @Test("nothing there is nil, below a file too; a loop of links is a link")
    func absent() async throws {
        try await withDirectory { directory in
            #expect(try Files.status("\(directory)/none") == nil)
            try Files.append("\(directory)/file", data(""), sync: false)
            #expect(try Files.status("\(directory)/file/none") == nil)
            try Files.symlink("loop", at: "\(directory)/loop")
            #expect(try Files.status("\(directory)/loop")?.kind == .symlink)
            #expect(errorName { _ = try Files.read("\(directory)/loop") } == "ELOOP")
        }
    }

    @Test("openat2 keeps a path beneath its directory")
    func beneath() async throws {
        try await withDirectory { directory in
            try Files.makeDirectory("\(directory)/in")
            try Files.append("\(directory)/secret", data("s"), sync: false)
            try Files.symlink("../secret", at: "\(directory)/in/out")
            let inside = try Files.open("\(directory)/in", flags: O_DIRECTORY)
            #expect(
                errorName { _ = try Files.open("out", flags: O_RDONLY, at: inside, resolve: Files.Resolve.beneath) }
                    == "EXDEV")
            #expect(
                errorName { _ = try Files.open("out", flags: O_RDONLY, at: inside, resolve: Files.Resolve.noSymlinks) }
                    == "ELOOP")
            #expect(try Files.read(try Files.open("out", flags: O_RDONLY, at: inside)).count == 1)
        }
    }

    @Test("pread gives what is there and leaves the position alone")
    func positioned() async throws {
        try await withDirectory { directory in
            try Files.append("\(directory)/f", data("0123456789"), sync: false)
            let descriptor = try Files.open("\(directory)/f", flags: O_RDONLY)
            #expect(try Files.pread(descriptor, count: 4, offset: 8) == data("89"))
            #expect(try Files.pread(descriptor, count: 4, offset: 20).isEmpty)
            #expect(try Files.read(descriptor) == data("0123456789"))
        }
    }

    @Test(
        "copies carry every byte, of empty files and of procfs's sizeless ones too",
        arguments: [0, 1, 70_000, 3_000_000])
    func copy(size: Int) async throws {
        try await withDirectory { directory in
            let bytes = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            try Files.writeAtomically("\(directory)/a", bytes)
            let target = try Files.open("\(directory)/b", flags: O_RDWR | O_CREAT, mode: 0o600)
            try Files.copyContents(from: try Files.open("\(directory)/a", flags: O_RDONLY), to: target)
            #expect(try Files.read("\(directory)/b") == bytes)
            let version = try Files.open("\(directory)/c", flags: O_RDWR | O_CREAT, mode: 0o600)
            try Files.copyContents(from: try Files.open("/proc/version", flags: O_RDONLY), to: version)
            #expect(try Files.read("\(directory)/c") == Files.read("/proc/version"))
        }
    }

    @Test("a lock excludes a second holder until the first lets go")
    func locks() async throws {
        try await withDirectory { directory in
            let first = try Files.open("\(directory)/lock", flags: O_RDWR | O_CREAT, mode: 0o600)
            let second = try Files.open("\(directory)/lock", flags: O_RDWR)
            #expect(try Files.lock(first))
            #expect(try !Files.lock(second))
            first.close()
            #expect(try Files.lock(second))
        }
    }

    @Test("a read lease is refused while somebody has the file open for writing")
    func leases() async throws {
        try await withDirectory { directory in
            try Files.append("\(directory)/f", data("x"), sync: false)
            let reader = try Files.open("\(directory)/f", flags: O_RDONLY)
            let writer = try Files.open("\(directory)/f", flags: O_WRONLY)
            #expect(try !Files.readLease(reader))
            writer.close()
            #expect(try Files.readLease(reader))
            // The kernel now tells this process, by a signal that must not end it.
            #expect(errorName { _ = try Files.open("\(directory)/f", flags: O_WRONLY | O_NONBLOCK) } == "EAGAIN")
            try Files.endLease(reader)
            _ = try Files.open("\(directory)/f", flags: O_WRONLY | O_NONBLOCK)
        }
    }
}
