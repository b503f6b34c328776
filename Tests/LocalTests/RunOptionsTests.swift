import Linux
import Testing

@testable import Local

/// The quick reading of `grace run`'s words: right ones as they are meant, everything else left to the parser that can explain.
struct RunOptionsTests {
    private func parse(_ words: String...) -> RunOptions? {
        RunOptions.parse(words, environment: { ["GRACE_STATE_DIR": "/s", "GRACE_RUNTIME_DIR": "/r"][$0] })
    }

    @Test func commandAndDefaults() throws {
        let options = try #require(parse("--", "cmd", "--json", "--", "x"))
        var expected = RunOptions { _ in nil }
        expected.places = Places(state: "/s", configuration: "/etc/grace", runtime: "/r")
        expected.command = ["cmd", "--json", "--", "x"]
        #expect(options == expected)
        #expect(options.profile == "strict")
    }

    @Test func everyOptionInBothSpellings() throws {
        let options = try #require(
            parse(
                "--profile", "ci", "--profiles=/a", "--profiles", "/b", "--without", "memory_limit",
                "--without=cpu_limit",
                "--kpi=/k=1", "--json", "--state", "/st", "--config-dir=/c", "--runtime", "/ru", "--", "true"))
        #expect(options.profile == "ci" && options.profiles == ["/a", "/b"])
        #expect(options.without == ["memory_limit", "cpu_limit"])
        #expect(options.kpi == "/k=1" && options.json)
        #expect(options.places == Places(state: "/st", configuration: "/c", runtime: "/ru"))
    }

    @Test func theLastOfTwoCounts() throws {
        #expect(try #require(parse("--profile", "a", "--profile=b", "--", "x")).profile == "b")
    }

    @Test(
        "what it does not understand is left to the parser that can explain",
        arguments: [
            [], ["true"], ["--"], ["--help"], ["-h"], ["--json"], ["--profile", "ci"], ["--profile", "--", "x"],
            ["--profile"], ["--profil", "ci", "--", "x"], ["-p", "ci", "--", "x"], ["--json=1", "--", "x"],
            ["stray", "--", "x"], ["--kpi", "-", "--", "x"], ["--version"], ["", "--", "x"], ["--=", "--", "x"],
        ])
    func left(words: [String]) {
        #expect(RunOptions.parse(words, environment: { _ in nil }) == nil)
    }
}
