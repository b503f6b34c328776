internal import Documents
public import struct FoundationEssentials.Data

extension Reports {
    /// Counts the findings of a SARIF 2.1.0 log (OASIS, section 3.27: a result's `kind`, `level` and `suppressions`).
    ///
    /// A result without a level has its rule's default, else `warning`. Only kind `fail` (the default) is a finding; one
    /// with an accepted suppression is not.
    /// - Parameters:
    ///   - data: the report.
    ///   - name: what to call it in errors, usually its path.
    /// - Returns: the counts of all runs together.
    /// - Throws: ``Malformed``.
    public static func sarif(_ data: Data, name: String) throws -> Findings {
        let log: JSON
        do {
            log = try JSON(parsing: try checked(data, name))
        } catch let error as Malformed {
            throw error
        } catch {
            throw Malformed(name, "it is no JSON (\(error))")
        }
        guard let version = log["version"]?.string, version.hasPrefix("2.1") else {
            throw Malformed(name, "its version must be 2.1.0")
        }
        guard let runs = log["runs"]?.array else { throw Malformed(name, "it has no runs") }
        var findings = Findings()
        for run in runs {
            guard let driver = run["tool"]?["driver"], let tool = driver["name"]?.string else {
                throw Malformed(name, "a run does not name its tool")
            }
            findings.tools.append(tool)
            for invocation in run["invocations"]?.array ?? [] where invocation["executionSuccessful"]?.bool == false {
                findings.complete = false
            }
            let rules = driver["rules"]?.array ?? []
            // A run without results did not look for any (section 3.14.23); one that looked and found none says [].
            guard let results = run["results"]?.array else {
                findings.complete = false
                continue
            }
            for result in results { try count(result, rules, &findings, name) }
        }
        return findings
    }

    private static func count(_ result: JSON, _ rules: [JSON], _ findings: inout Findings, _ name: String) throws {
        guard result.object != nil else { throw Malformed(name, "a result is no object") }
        if let kind = result["kind"]?.string, kind != "fail" { return }
        let suppressions = result["suppressions"]?.array ?? []
        // "accepted" is the default status (section 3.35.3).
        if suppressions.contains(where: { ($0["status"]?.string ?? "accepted") == "accepted" }) { return }
        switch result["level"]?.string ?? defaultLevel(result, rules) {
        case "error": findings.errors += 1
        case "warning": findings.warnings += 1
        case "note": findings.notes += 1
        case "none": return
        case let other: throw Malformed(name, "a result's level is \"\(other.prefix(40))\"")
        }
    }

    private static func defaultLevel(_ result: JSON, _ rules: [JSON]) -> String {
        let id = result["ruleId"]?.string ?? result["rule"]?["id"]?.string
        var rule: JSON?
        if let index = result["ruleIndex"]?.integer ?? result["rule"]?["index"]?.integer, index >= 0,
            index < rules.count
        {
            rule = rules[Int(index)]
        } else if let id {
            rule = rules.first { $0["id"]?.string == id }
        }
        return rule?["defaultConfiguration"]?["level"]?.string ?? "warning"
    }
}
