import Documents
import FoundationEssentials
import Testing

@Suite("The YAML reader")
struct DocumentReaderTests {
    private func problems(_ text: String, _ read: (Field) -> Void) -> [String] {
        let reader = DocumentReader(file: "f.yaml", text: text)
        if let root = reader.root { read(root) }
        return reader.problems.map(\.description)
    }

    @Test("every problem is reported at once with file, line, path and what was expected")
    func all() {
        let text = """
            title: 7
            size: 5 apples
            times: [10s, soon, 10]
            nested:
              share: lots
              typo: 1
            """
        let found = problems(text) { root in
            let members = root.mapping(keys: ["title", "size", "times", "nested"])
            _ = members?["title"]?.string()
            _ = members?["size"]?.size()
            members?["times"]?.list()?.forEach { _ = $0.span() }
            let nested = members?["nested"]?.mapping(keys: ["share", "type"])
            _ = nested?["share"]?.ratio()
        }
        #expect(found.count == 5)
        #expect(
            found.first
                == "f.yaml:2: size: expected a size such as 512Mi, 4G or 1048576 (units k M G T Ki Mi Gi Ti), found “5 apples”."
        )
        #expect(found.contains { $0.hasPrefix("f.yaml:3: times[1]: expected a time") })
        #expect(found.contains { $0.hasPrefix("f.yaml:3: times[2]: expected a time") })
        #expect(found.contains { $0 == "f.yaml:6: nested.typo: unknown key “typo”. Did you mean “type”?" })
        #expect(found.contains { $0.hasPrefix("f.yaml:5: nested.share: expected a share") })
    }

    @Test("finish throws all problems or none")
    func finish() throws {
        let good = DocumentReader(file: "f", text: "a: 1")
        _ = good.root?.mapping(keys: ["a"])
        try good.finish()
        let bad = DocumentReader(file: "f", text: "a: 1\nb: 2")
        _ = bad.root?.mapping(keys: ["c"])
        let error = #expect(throws: Problems.self) { try bad.finish() }
        #expect(error?.all.count == 2)
    }

    @Test(
        "text that is no YAML is one problem with its line",
        arguments: [
            ("", "empty"), ("a: [1", "not valid YAML"), ("a: b: c", "not valid YAML"), ("\ta: 1", "not valid YAML"),
            ("a: 1\na: 2", "more than once"),
            ("a: &x 1\nb: *x", "alias"), ("--- 1\n--- 2", "YAML"), ("# nothing", "empty"), ("a: *nowhere", "alias"),
        ])
    func malformed(text: String, expected: String) {
        let reader = DocumentReader(file: "f.yaml", text: text)
        #expect(reader.problems.count == 1, "\(text): \(reader.problems)")
        #expect(reader.problems.first?.message.contains(expected) == true, "\(reader.problems)")
        #expect(reader.root == nil)
    }

    @Test("duplicate keys are refused at every depth, in JSON as well")
    func duplicates() {
        for text in [#"{"a": 1, "a": 2}"#, "x:\n  - y: 1\n    y: 2"] {
            let reader = DocumentReader(file: "f", text: text)
            #expect(reader.problems.count == 1, "\(text)")
        }
    }

    @Test("a small file that unfolds to a huge one is refused in no time")
    func bomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<60 {
            text += "a\(level): &a\(level) [" + String(repeating: "*a\(level - 1), ", count: 8) + "*a\(level - 1)]\n"
        }
        let reader = DocumentReader(file: "bomb.yaml", text: text)
        #expect(reader.problems.count == 1)
        #expect(reader.problems.first?.message.contains("alias") == true)
    }

    @Test("deep nesting is refused, not a crash", arguments: [65, 1000, 200_000])
    func deep(levels: Int) {
        let reader = DocumentReader(
            file: "deep", text: String(repeating: "[", count: levels) + String(repeating: "]", count: levels))
        #expect(reader.problems.count == 1)
        #expect(reader.root == nil)
    }

    @Test("64 levels and no more than 4 MiB are read")
    func limits() {
        #expect(
            DocumentReader(file: "f", text: String(repeating: "[", count: 62) + String(repeating: "]", count: 62))
                .problems.isEmpty)
        let big = DocumentReader(file: "f", text: "a: \"" + String(repeating: "x", count: 4 << 20) + "\"")
        #expect(big.problems.first?.message.contains("4 MiB") == true)
    }

    @Test("a byte order mark is no part of the text")
    func byteOrderMark() throws {
        let reader = DocumentReader(file: "f.yaml", text: "\u{feff}a: 1\nb: 2\n")
        #expect(reader.root?.json == ["a": 1, "b": 2], "\(reader.problems)")
    }

    @Test("half a million members are read as quickly as they are parsed", .timeLimit(.minutes(1)))
    func many() throws {
        let count = 250_000
        let map = (0..<count).map { "k\($0): v\n" }.joined()
        #expect(DocumentReader(file: "f", text: map).root?.mapping()?.count == count)
        let list = String(repeating: "- x\n", count: count)
        #expect(DocumentReader(file: "f", text: list).root?.list()?.count == count)
    }

    @Test("JSON is YAML: strings, escapes and numbers come through")
    func json() throws {
        let reader = DocumentReader(
            file: "f.json", text: #"{"a": "x\n\u00e9\"", "b": [1, 2.5, true, null, "true", "1"], "c": {"d": -3}}"#)
        let root = try #require(reader.root)
        #expect(
            root.json == ["a": "x\né\"", "b": [1, 2.5, true, nil, "true", "1"], "c": ["d": -3]])
    }

    @Test("scalars are what they say: quoted numbers are text, numbers are not booleans")
    func scalars() {
        let text = "n: '7'\nb: yes\ni: 1.5\nnull_: ~\nspace: '  '"
        let found = problems(text) { root in
            let members = root.mapping()
            #expect(members?["n"]?.integer() == nil)
            #expect(members?["n"]?.string() == "7")
            #expect(members?["b"]?.boolean() == nil)
            #expect(members?["i"]?.integer() == nil)
            #expect(members?["i"]?.number() == 1.5)
            #expect(members?["null_"]?.string() == nil)
            #expect(members?["space"]?.text() == nil)
        }
        #expect(found.count == 5)
    }

    @Test("a problem names what was found, shortened, and never a control character")
    func found() {
        let found = problems("a: \"\\e[31m\(String(repeating: "x", count: 200))\"") {
            _ = $0.mapping()?["a"]?.boolean()
        }
        #expect(found.count == 1)
        #expect(found.first.map { $0.count < 160 } == true)
        #expect(found.first?.unicodeScalars.contains { $0.value < 32 } == false, "a terminal would obey it")
    }

    @Test("keys are reported without control characters too")
    func keys() {
        let found = problems("\"\\e[2Jx\": 1") { _ = $0.mapping(keys: ["a"]) }
        #expect(found.first?.unicodeScalars.contains { $0.value < 32 } == false)
    }
}
