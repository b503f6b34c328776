public import Documents
internal import FoundationEssentials
public import Missions

extension HunterReport {
    /// The report as SARIF 2.1.0 (OASIS), one run of one tool.
    ///
    /// Scanners that did not run are notifications of the invocation, and it is then not successful: no findings must not
    /// look like a clean bill.
    public var sarif: JSON {
        let rules = HunterRule.allCases.map { rule -> JSON in
            [
                "id": .string(rule.rawValue), "shortDescription": ["text": .string(rule.text)],
                "defaultConfiguration": ["level": .string(Self.level(rule.severity))],
                "properties": [
                    "security-severity": .string(Self.securitySeverity(rule.severity)), "tags": ["security"],
                ],
            ]
        }
        let results = findings.map { finding -> JSON in
            var result: [String: JSON] = [
                "ruleId": .string(finding.rule), "level": .string(Self.level(finding.severity)),
                "message": ["text": .string(finding.message)],
                "partialFingerprints": ["graceFinding/v1": .string(finding.id)],
                "properties": ["weight": .string(finding.severity.rawValue)],
            ]
            if let index = HunterRule.allCases.firstIndex(where: { $0.rawValue == finding.rule }) {
                result["ruleIndex"] = .integer(Int64(index))
            }
            if !finding.path.isEmpty {
                result["locations"] = [
                    ["physicalLocation": ["artifactLocation": ["uri": .string(Self.uri(finding.path))]]]
                ]
            }
            return .object(result)
        }
        let idle = scanners.sorted { $0.key < $1.key }.filter { $0.value != "RAN" }
        let notifications = idle.map { name, state -> JSON in
            ["level": "error", "message": ["text": .string("\(name): \(state)")]]
        }
        return [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
            "runs": [
                [
                    "tool": ["driver": ["name": "grace-hunter", "rules": .array(rules)]],
                    "invocations": [
                        [
                            "executionSuccessful": .bool(idle.isEmpty),
                            "toolExecutionNotifications": .array(notifications),
                        ]
                    ],
                    "results": .array(results),
                ]
            ],
        ]
    }

    private static func level(_ severity: FindingSeverity) -> String {
        switch severity {
        case .critical, .high: "error"
        case .medium: "warning"
        case .low: "note"
        }
    }

    /// The scale of code-scanning services, 0…10: over 9 critical, 7 high, 4 medium.
    private static func securitySeverity(_ severity: FindingSeverity) -> String {
        switch severity {
        case .critical: "9.5"
        case .high: "8.0"
        case .medium: "5.5"
        case .low: "2.0"
        }
    }

    /// A file URI (RFC 8089) whose path is percent-encoded.
    private static func uri(_ path: String) -> String {
        var text = "file://"
        for byte in path.utf8 {
            if (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "/-._~".utf8.contains(byte)
            {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + Data([byte]).hexadecimal.uppercased()
            }
        }
        return text
    }
}
