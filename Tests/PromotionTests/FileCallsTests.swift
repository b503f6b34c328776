import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

struct FileCallsTests {
    @Test("a file that the kernel gives in pieces is read to its end")
    func pieces() throws {
        // procfs gives a page or less a call, whatever it is asked for.
        let path = "/proc/kallsyms"
        let file = try Files.open(path, flags: O_RDONLY)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        let once = pread(file.raw, buffer.baseAddress, buffer.count, 0)
        try #require(once > 0 && once < buffer.count, "\(path) came in one piece")
        #expect(try FileCalls.read(file, into: buffer, at: 0) == buffer.count)
        let whole = try Files.read(path, limit: 256 << 20)
        #expect(whole.count > buffer.count)
        #expect(whole.prefix(buffer.count).elementsEqual(buffer))
        // And the end is the end.
        let last = Int64(whole.count) - 10
        #expect(try FileCalls.read(file, into: buffer, at: last) == 10)
    }
}
