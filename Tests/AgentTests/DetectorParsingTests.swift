import Documents
import Missions
import Testing

@testable import Agent

@Suite("A detector's file")
struct DetectorParsingTests {
    static let least = "name: users\nhttp: http://127.0.0.1:8080/users\nremedy: index\n"

    @Test("three keys are enough, the others have their documented defaults")
    func defaults() throws {
        let detector = try Detector.parse(file: "d.yaml", text: Self.least)
        #expect(
            detector
                == Detector(
                    name: "users", http: "http://127.0.0.1:8080/users", every: 5, recent: 10, minimum: 30, history: 600,
                    rises: 0.3,
                    clears: 0.3 / 3, times: 3, cooldown: 3600, severity: .medium, remedy: "index"))
    }

    @Test("every key is taken")
    func all() throws {
        let text =
            Self.least
            + "every: 250ms\nrecent: 5\nminimum: 6\nhistory: 7\nrises: 50%\nclears: 20%\ntimes: 2\ncooldown: 2h\nseverity: critical\n"
        let detector = try Detector.parse(file: "d.yaml", text: text)
        #expect(
            detector
                == Detector(
                    name: "users", http: "http://127.0.0.1:8080/users", every: 0.25, recent: 5, minimum: 6, history: 7,
                    rises: 0.5,
                    clears: 0.2, times: 2, cooldown: 7200, severity: .critical, remedy: "index"))
    }

    @Test(
        "a mistake is refused where it stands",
        arguments: [
            ("clears: 30%", "clears: must be below rises"), ("rises: 0%\nclears: 0%", "rises: must be above 0"),
            ("history: 10", "history: must be at least minimum"), ("minimum: 1000", "minimum: "),
            ("every: 1ms", "every: must be at least 50ms"), ("times: 0", "times: "), ("severity: huge", "severity: "),
            ("colour: red", "colour"), ("rises: 30pp", "rises: "), ("cooldown: soon", "cooldown: "),
        ])
    func mistakes(line: String, part: String) throws {
        let said = try #require(
            refusal { _ = try Detector.parse(file: "d.yaml", text: Self.least + line + "\n") }, "“\(line)” was taken")
        #expect(said.contains(part), "\(said)")
        #expect(said.hasPrefix("d.yaml:"))
    }

    @Test("every problem is said at once, each once")
    func together() throws {
        do {
            _ = try Detector.parse(
                file: "d.yaml", text: "http: ftp://x\nevery: 1ms\nrises: 10%\nclears: 20%\ntimes: none\n")
            Issue.record("it was taken")
        } catch let problems as Problems {
            let paths = problems.all.map(\.path)
            #expect(Set(paths) == ["name", "remedy", "http", "every", "clears", "times"])
            #expect(paths.count == 6, "\(problems)")
        }
    }
}
