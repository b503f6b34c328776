public import struct FoundationEssentials.Data

extension Reports {
    /// Counts the test cases of a JUnit XML report.
    ///
    /// The cases themselves are counted, not the sums in the suites' attributes, which tools write in different ways.
    /// - Parameters:
    ///   - data: the report.
    ///   - name: what to call it in errors, usually its path.
    /// - Returns: the counts.
    /// - Throws: ``Malformed``.
    public static func junit(_ data: Data, name: String) throws -> Tests {
        var reader = MarkupReader(Array(try checked(data, name)))
        var tests = Tests()
        var current: (name: String, failed: Bool, skipped: Bool)?
        var depth = 0
        do throws(MarkupReader.Malformed) {
            while let event = try reader.next() {
                switch event {
                case .start(let element, let attributes):
                    if depth == 0, element != "testsuites", element != "testsuite" {
                        throw MarkupReader.Malformed(line: 1, why: "<\(element)> is no JUnit report's root")
                    }
                    depth += 1
                    switch element {
                    case "testcase":
                        let parts = [attributes["classname"], attributes["name"]].compactMap { $0 }.filter {
                            !$0.isEmpty
                        }
                        current = (parts.joined(separator: "."), false, false)
                    case "failure", "error": current?.failed = true
                    case "skipped": current?.skipped = true
                    default: break
                    }
                case .end(let element):
                    depth -= 1
                    guard element == "testcase", let done = current else { continue }
                    current = nil
                    if done.failed {
                        tests.failed += 1
                        if tests.failures.count < 20 { tests.failures.append(String(done.name.prefix(300))) }
                    } else if done.skipped {
                        tests.skipped += 1
                    } else {
                        tests.passed += 1
                    }
                }
            }
        } catch {
            throw Malformed(name, "line \(error.line): \(error.why)")
        }
        return tests
    }
}
