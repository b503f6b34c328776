import Foundation
import Testing

@testable import Measurement

@Suite struct ReportsTests {
    @Test func `JUnit cases are counted one by one`() throws {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites tests="99">
              <!-- <testcase name="not one"/> -->
              <testsuite name="a &amp; b" failures="7">
                <properties><property name="x" value='"y"'/></properties>
                <testcase classname="A" name="passes"/>
                <testcase classname="A" name="&lt;fails&gt;"><failure message="a&#10;b"><![CDATA[ <testcase/> ]]></failure></testcase>
                <testsuite><testcase name="errs"><error/></testcase></testsuite>
                <testcase name="skips"><skipped/></testcase>
                <testcase name="says"><system-out>text with &unknown; things</system-out></testcase>
              </testsuite>
            </testsuites>
            """
        let tests = try Reports.junit(Data(text.utf8), name: "junit.xml")
        #expect(tests.passed == 2 && tests.failed == 2 && tests.skipped == 1)
        #expect(tests.failures == ["A.<fails>", "errs"])
    }

    @Test func `Cobertura lines are counted once per class`() throws {
        let text = """
            <!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
            <coverage line-rate="0.1" lines-covered="1" lines-valid="1000"><packages><package><classes>
              <class filename="a"><methods><method><lines><line number="1" hits="2"/></lines></method></methods>
                <lines><line number="1" hits="2"/><line number="2" hits="0"/></lines></class>
              <class filename="b"><lines><line number="1" hits="1"/><line number="7" hits="0"/></lines></class>
            </classes></package></packages></coverage>
            """
        let coverage = try Reports.coverage(Data(text.utf8), name: "coverage.xml")
        #expect(coverage == Reports.Coverage(covered: 2, lines: 4))
        #expect(coverage.share == 0.5)
        let short = "<coverage lines-covered=\"3\" lines-valid=\"4\"/>"
        #expect(try Reports.coverage(Data(short.utf8), name: "c").share == 0.75)
        #expect(throws: Reports.Malformed.self) {
            try Reports.coverage(Data("<coverage lines-covered='9' lines-valid='4'/>".utf8), name: "c")
        }
    }

    @Test func `LCOV lines are counted once per file, and sums serve where lines are missing`() throws {
        let text = """
            TN:
            SF:a.c
            DA:1,0
            DA:2,5,checksum
            LF:2
            LH:1
            end_of_record
            SF:a.c
            DA:1,3
            end_of_record
            SF:b.c
            LF:10
            LH:4
            end_of_record
            """
        #expect(try Reports.coverage(Data(text.utf8), name: "lcov.info") == Reports.Coverage(covered: 6, lines: 12))
        for bad in ["SF:a\nDA:1,x\nend_of_record", "DA:1,1", "SF:a\nDA:1,1", "hello", "TN:x"] {
            #expect(throws: Reports.Malformed.self, "\(bad)") {
                try Reports.coverage(Data(bad.utf8), name: "lcov.info")
            }
        }
    }

    @Test func `SARIF findings have levels, defaults and suppressions`() throws {
        let text = """
            {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "lint",
              "rules": [{"id": "r0"}, {"id": "r1", "defaultConfiguration": {"level": "error"}}]}},
              "results": [{"ruleId": "r0"}, {"ruleId": "r1"}, {"ruleIndex": 1}, {"level": "note"}, {"level": "none"},
                {"kind": "pass", "level": "error"}, {"level": "error", "suppressions": [{"kind": "inSource"}]},
                {"level": "error", "suppressions": [{"kind": "external", "status": "rejected"}]}]}]}
            """
        let findings = try Reports.sarif(Data(text.utf8), name: "lint.sarif")
        #expect(findings.errors == 3 && findings.warnings == 1 && findings.notes == 1)
        #expect(findings.tools == ["lint"] && findings.complete)
    }

    @Test(arguments: [
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}}}]}",
        "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"x\"}},\"results\":[],"
            + "\"invocations\":[{\"executionSuccessful\":false}]}]}",
    ])
    func `a scanner that did not finish is not complete and gives no quality`(text: String) throws {
        let findings = try Reports.sarif(Data(text.utf8), name: "x")
        #expect(!findings.complete)
        #expect(Reports.codeQuality(tests: [], findings: [findings]) == nil)
    }

    @Test(arguments: ["", "[]", "{}", "{\"version\":\"1.0\",\"runs\":[]}", "{\"version\":\"2.1.0\"}", "<sarif/>"])
    func `what is no SARIF is refused`(text: String) {
        #expect(throws: Reports.Malformed.self) { try Reports.sarif(Data(text.utf8), name: "x.sarif") }
    }

    @Test func `quality is the share of passed tests less findings`() {
        let tests = Reports.Tests(passed: 9, failed: 1)
        let findings = Reports.Findings(errors: 1, warnings: 2, notes: 2)
        #expect(abs((Reports.codeQuality(tests: [tests], findings: [findings]) ?? 0) - 0.75) < 1e-9)
        #expect(Reports.codeQuality(tests: [], findings: [Reports.Findings(errors: 50)]) == 0)
        #expect(Reports.codeQuality(tests: [], findings: []) == nil)
        #expect(Reports.codeQuality(tests: [Reports.Tests()], findings: []) == nil)
    }

    @Test(arguments: [
        "", "   ", "no xml", "<testsuite>", "<testsuite></testsuites>", "<testsuite/><testsuite/>", "<html/>",
        "<testsuite a=1/>", "<testsuite a='1' a='2'/>", "<testsuite><!-- </testsuite>", "<testsuite a='&x;'/>",
        "<testsuite a='&#xFFFFFFFF;'/>", "<testsuite a='<'/>", "text<testsuite/>",
        "<!DOCTYPE t [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><testsuite/>",
        "<!DOCTYPE t [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><testsuite name='&b;'/>", "<testsuite", "<testsuite a='x",
        "<testsuite a='1'b='2'/>", "<!DOCTYPE testsuite",
    ])
    func `what is no JUnit report, or a bomb, is refused by name`(text: String) {
        let error = #expect(throws: Reports.Malformed.self) {
            try Reports.junit(Data(text.utf8), name: "out/junit.xml")
        }
        #expect(error?.description.hasPrefix("out/junit.xml: ") == true)
    }

    @Test func `deep nesting is refused before it hurts`() {
        let text = String(repeating: "<testsuite>", count: 100_000)
        #expect(throws: Reports.Malformed.self) { try Reports.junit(Data(text.utf8), name: "x") }
    }

    @Test func `random mutations never crash the reader`() {
        var random = Seeded(Seeded.fresh())
        let seed = Array(
            "<?xml?><testsuite a='&amp;'><testcase name=\"x\"><failure/></testcase><![CDATA[x]]><!--y--></testsuite>"
                .utf8)
        let alphabet = Array("<>/!?-[]&;'\"= ax#0\n".utf8)
        for _ in 0..<5000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[index] = alphabet.randomElement(using: &random) ?? 0
                } else if bytes.count > 1 {
                    bytes.remove(at: index)
                }
            }
            _ = try? Reports.junit(Data(bytes), name: "x")
        }
    }
}
