import Linux
import Testing

@testable import Fork

struct GlobTests {
    @Test("patterns match names as shells do, dots like any other character, and links lead to what they stand for")
    func matches() async throws {
        try await Scene.with { scene in
            try await scene.bash(
                """
                mkdir -p a/b/c data/real; touch a/one.db a/one.db-wal a/two a/.hidden a/b/c/deep.db
                touch data/real/x; ln -s data/real linked; ln -s ../data/real/x a/link.db
                """)
            func names(_ pattern: String) throws -> [String] {
                let count = BytePath(scene.live).components.count
                return try Glob(scene.live + "/" + pattern).matches(withLinks: false).map { path in
                    path.components.dropFirst(count).map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
                }
            }
            #expect(try names("a/one.db*") == ["a/one.db", "a/one.db-wal"])
            #expect(try names("a/*") == ["a/.hidden", "a/b", "a/one.db", "a/one.db-wal", "a/two", "data/real/x"])
            #expect(try names("a/link.db") == ["data/real/x"])
            #expect(try names("linked/x") == ["data/real/x"])
            #expect(try names("**/deep.db") == ["a/b/c/deep.db"])
            #expect(try names("a/[ot]*[!l]") == ["a/one.db", "a/two"])
            #expect(try names("none/*") == [])
            let glob = try Glob(scene.live + "/a/*.db")
            #expect(glob.covers(scene.path("a/one.db")) && glob.covers(scene.path("a/one.db/below")))
            #expect(!glob.covers(scene.path("a/two")) && !glob.covers(scene.path("a")))
            #expect(throws: ForkError.self) { try Glob("relative/*") }
            #expect(throws: ForkError.self) { try Glob("/a/../b") }
        }
    }
}
