import Linux
import Testing

@Suite("Byte paths")
struct PathTests {
    @Test(
        "parent, last and components go by names, whatever the slashes",
        arguments: [
            ("/a/b", "/a", "b"), ("/a", "/", "a"), ("/", "/", ""), ("a", ".", "a"), ("a/b/", "a", "b"),
            ("//a//b", "/a", "b"),
            ("/a/./b", "/a", "b"), ("", ".", ""),
        ])
    func parents(path: String, parent: String, last: String) {
        #expect(BytePath(path).parent.display == parent)
        #expect(BytePath(path).last == Array(last.utf8))
    }

    @Test("parent, last and inside say what the names say, for any bytes")
    func namesDecide() {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(state: seed)
        func path() -> BytePath {
            BytePath(
                bytes: (0..<Int.random(in: 0...7, using: &random)).map { _ in
                    Array("//..ab".utf8).randomElement(using: &random) ?? 0
                })
        }
        for _ in 0..<20_000 {
            let (one, other) = (path(), path())
            let names = one.components
            #expect(one.last == names.last ?? [], "\(one), seed \(seed)")
            #expect(one.parent.components == names.dropLast(), "\(one), seed \(seed)")
            #expect(one.parent.isAbsolute == one.isAbsolute, "\(one), seed \(seed)")
            let isInside = one.isAbsolute == other.isAbsolute && names.starts(with: other.components)
            #expect(one.isInside(other) == isInside, "\(one) in \(other), seed \(seed)")
        }
    }

    @Test("what a terminal would act upon, and what isn't UTF-8, is escaped; the rest is shown as it is")
    func display() {
        #expect(BytePath("/etc/motd").display == "/etc/motd")
        #expect(BytePath("/a\u{1B}[2J\n").display == "/a\\x1b[2J\\x0a")
        #expect(BytePath("/grüße/日本").display == "/grüße/日本")
        #expect(BytePath(bytes: [0x2F, 0xFF, 0xC3, 0x28]).display == "/\\xff\\xc3(")
        #expect(BytePath("/a\u{202E}gpj").display == "/a\\xe2\\x80\\xaegpj")
        #expect(BytePath("/a\\x").display == "/a\\x5cx")
    }

    @Test("no two different paths look alike")
    func displayIsInjective() {
        let seed = UInt64.random(in: .min ... .max)
        var random = Seeded(state: seed)
        var seen: [String: BytePath] = [:]
        let alphabet: [UInt8] = [0x2F, 0x61, 0x5C, 0x78, 0x30, 0x31, 0xC3, 0xA9, 0xFF, 0x0A, 0xE2, 0x80, 0xAE, 0x62]
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let path = BytePath(bytes: bytes)
            if let other = seen[path.display] { #expect(other == path, "seed \(seed)") }
            seen[path.display] = path
        }
    }

    @Test("a NUL is refused: the kernel would see a shorter path")
    func nul() {
        #expect(errorName { _ = try Files.status(BytePath(bytes: [0x2F, 0x00, 0x61])) } == "EINVAL")
        #expect(errorName { _ = try Files.readString("/etc/hostname\0.txt") } == "EINVAL")
    }

    @Test("the order is that of unsigned bytes")
    func order() {
        #expect(BytePath(bytes: [0x61]) < BytePath(bytes: [0xFF]))
        #expect(BytePath("/a") < BytePath("/a/b"))
        #expect(BytePath("/a/b") < BytePath("/ab"))
    }

    @Test("inside goes by whole names")
    func inside() {
        #expect(BytePath("/srv/app/x").isInside("/srv/app"))
        #expect(!BytePath("/srv/apple").isInside("/srv/app"))
        #expect(!BytePath("srv/app").isInside("/srv"))
    }
}
