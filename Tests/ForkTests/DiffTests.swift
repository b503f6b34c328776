import Documents
import FoundationEssentials
import Linux
import Testing

@testable import Fork

struct DiffTests {
    static let seeds: [UInt64] = (0..<200).map { _ in .random(in: 0..<1_000_000) }

    @Test("a line difference leads from the old text to the new one and is as short as can be", arguments: seeds)
    func edits(seed: UInt64) {
        var random = Seeded(state: seed)
        func text() -> [UInt8] {
            let lines = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                ["a", "b", "c", ""].randomElement(using: &random) ?? ""
            }
            return Array(lines.joined(separator: "\n").utf8) + (Bool.random(using: &random) ? [10] : [])
        }
        let diff = LineDiff(old: text(), new: text())
        var old = 0
        var new = 0
        var kept = 0
        for edit in diff.edits() {
            switch edit {
            case .keep(let left, let right):
                #expect(left == old && right == new && diff.old[left] == diff.new[right], "seed \(seed)")
                old += 1
                new += 1
                kept += 1
            case .remove(let left):
                #expect(left == old, "seed \(seed)")
                old += 1
            case .insert(let right):
                #expect(right == new, "seed \(seed)")
                new += 1
            }
        }
        #expect(old == diff.old.count && new == diff.new.count, "seed \(seed)")
        #expect(kept == longest(diff), "seed \(seed)")
    }

    /// The longest common subsequence by the textbook's table; a line without its line feed equals none with.
    private func longest(_ diff: LineDiff) -> Int {
        var table = [[Int]](repeating: [Int](repeating: 0, count: diff.new.count + 1), count: diff.old.count + 1)
        for left in diff.old.indices {
            for right in diff.new.indices {
                let same = diff.isSame(left, right)
                table[left + 1][right + 1] =
                    same ? table[left][right] + 1 : max(table[left][right + 1], table[left + 1][right])
            }
        }
        return table[diff.old.count][diff.new.count]
    }

    @Test("a unified difference reads as diff -u writes it")
    func unified() {
        let old = (1...20).map { "line \($0)\n" }.joined()
        let new = old.replacing("line 5\n", with: "line five\n").replacing("line 20\n", with: "line 20")
        let expected = """
            @@ -2,7 +2,7 @@
             line 2
             line 3
             line 4
            -line 5
            +line five
             line 6
             line 7
             line 8
            @@ -17,4 +17,4 @@
             line 17
             line 18
             line 19
            -line 20
            +line 20
            \\ No newline at end of file

            """
        #expect(LineDiff(old: Array(old.utf8), new: Array(new.utf8)).unified() == expected)
    }

    @Test("very different texts are shown as replaced, without unbounded work")
    func bound() {
        let old = (0..<6000).map { "old \($0)\n" }.joined()
        let new = (0..<6000).map { "new \($0)\n" }.joined()
        #expect(LineDiff(old: Array(old.utf8), new: Array(new.utf8)).edits().count == 12_000)
    }

    @Test("what a terminal would act upon or hide is shown as what it is")
    func escaping() {
        #expect(TextEscaping.line("a\u{1b}[2Kb\tc\r".utf8) == "a\\x1b[2Kb\tc\\x0d")
        #expect(TextEscaping.line("user\u{202e}}\u{2066}".utf8) == "user\\u{202e}}\\u{2066}")
        #expect(
            TextEscaping.line([0x61, 0xff, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf5])
                == "a\\xff\\xc0\\xaf\\xed\\xa0\\x80\\xf5")
        #expect(TextEscaping.line("grün 日本 🙂".utf8) == "grün 日本 🙂")
        #expect(TextEscaping.path(BytePath("/a\nb\\n\t")) == "/a\\x0ab\\\\n\\x09")
        #expect(TextEscaping.line([0xc2, 0x9b]) == "\\u{9b}")
    }

    @Test("a change set is rendered with old and new lines, modes and escaped names", .enabled(if: isRoot))
    func rendering() async throws {
        try await Scene.with { scene in
            try await scene.bash("printf 'one\\ntwo\\n' >f; printf '\\0' >binary; echo bye >gone")
            let (fork, changes) = try await scene.change(
                "printf 'one\\n\\033[2Jtwo\\n' >f; printf '\\0\\1' >binary; rm gone; cp f $'n\\nl'; chmod 4755 $'n\\nl'"
            )
            let base = try fork.base(of: changes, blobs: scene.blobs)
            let diff = changes.unifiedDiff(blobs: scene.blobs, base: base)
            #expect(diff.contains("@@ -1,2 +1,2 @@\n one\n-two\n+\\x1b[2Jtwo\n"))
            #expect(
                diff.contains(
                    "# deleted \(scene.live)/gone\n--- a\(scene.live)/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n"))
            #expect(diff.contains("/n\\x0al (12 bytes, mode 4755, owner 0:0)\n--- /dev/null\n"))
            #expect(diff.contains("# binary"))
            #expect(!diff.utf8.contains(0x1b))
        }
    }
}
