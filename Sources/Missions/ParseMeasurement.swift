internal import Documents
internal import Measurement

extension MissionParser {
    /// The default margins: guardrails that every measured mission has unless its author writes another one for the KPI.
    static let defaultGuardrails = [
        Boundary(kpi: .error_rate, role: .guardrail, amount: 0.005),
        Boundary(kpi: .memory_peak, role: .guardrail, amount: 0.05),
        Boundary(kpi: .cpu_time, role: .guardrail, amount: 0.10),
    ]

    func service(_ field: Field) -> ServiceSpecification? {
        guard let members = Members(field, keys: ["run", "user", "directory", "environment", "secrets", "ready"]) else {
            return nil
        }
        let run = members.required("run", "the command that starts the service")?.command()
        let user = members["user"]?.line(most: 64)
        let directory = members["directory"].map { $0.absolutePath() } ?? "/"
        var environment: [String: String] = [:]
        for (name, value) in members["environment"]?.mapping() ?? [:] {
            if !Field.isVariable(name) { value.problem("“\(name.prefix(60))” is no name of an environment variable.") }
            guard let text = value.string() else { continue }
            if text.utf8.contains(0) { value.problem("an environment variable can't hold NUL.") }
            environment[name] = text
        }
        var secrets: [String: SecretSource] = [:]
        for (name, value) in members["secrets"]?.mapping() ?? [:] {
            if !Field.isVariable(name) { value.problem("“\(name.prefix(60))” is no name of an environment variable.") }
            if environment[name] != nil { value.problem("\(name) is set under “environment” as well; write it once.") }
            guard let source = Members(value, keys: ["file"]) else { continue }
            if let file = source.required("file", "the absolute path of the file that holds the secret")?.absolutePath()
            {
                secrets[name] = SecretSource(file: file)
            }
        }
        var ready: Readiness?
        if let members = Members(members["ready"], keys: ["http", "within"]) {
            let http = members.required("http", "the address that answers when the service is ready")?.httpURL()
            let within = members["within"]?.span(in: MissionBounds.readyWithin)
            if let http { ready = Readiness(http: http, within: within ?? 10) }
        }
        guard let run, let directory else { return nil }
        return ServiceSpecification(
            run: run, user: user, directory: directory, environment: environment, secrets: secrets, ready: ready)
    }

    func checks() -> [CheckSpecification] {
        var seen: Set<String> = []
        return root["checks"]?.list()?.compactMap { item in
            guard let members = Members(item, keys: ["name", "run", "junit", "coverage", "sarif", "timeout"]) else {
                return nil
            }
            let name = members.required("name", "a name for reports")?.line(most: 100)
            if let name, !seen.insert(name).inserted {
                members["name"]?.problem("a check called “\(name)” is there already; names are used once.")
            }
            let run = members.required("run", "the command that checks")?.command()
            let junit = members["junit"]?.reportPath()
            let coverage = members["coverage"]?.reportPath()
            let sarif = members["sarif"]?.reportPath()
            let timeout = members["timeout"]?.span(in: MissionBounds.checkTimeout)
            guard let name, let run else { return nil }
            return CheckSpecification(
                name: name, run: run, junit: junit, coverage: coverage, sarif: sarif, timeout: timeout ?? 600)
        } ?? []
    }

    func workload(hasChecks: Bool) -> Workload? {
        guard let field = root["workload"] else {
            if !hasChecks {
                root.field.problem(
                    "the key “workload” is missing: nothing would be measured. Expected exactly one of http and run (or checks, judged by code_quality, test_coverage or security_score alone)."
                )
            }
            return nil
        }
        guard let members = Members(field, keys: Workload.names), let name = members.exactlyOne(of: Workload.names)
        else { return nil }
        if name == "run" { return members["run"]?.command().map(Workload.run) }
        let keys = ["urls", "rate", "connections", "for", "method", "headers", "timeout"]
        guard let http = Members(members["http"], keys: keys) else { return nil }
        let urlField = http.required("urls", "a list of addresses")
        let urls = urlField?.texts().compactMap { $0.httpURL() } ?? []
        if let urlField, urlField.isList, urlField.texts().isEmpty {
            urlField.problem("expected at least one address.")
        }
        let rate = http.required("rate", "requests a second such as 200/s")?.rate()
        let connections = http["connections"].map { $0.integer(in: 1...4096) } ?? 16
        let duration = http.required("for", "how long an arm is loaded, such as 5s")?.span(in: 0.05...3600)
        var method = "GET"
        if let field = http["method"],
            let text = field.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
        {
            method = text
        }
        let headers = self.headers(http["headers"])
        let timeout = http["timeout"].map { $0.span(in: 0.001...600) } ?? 5
        guard let rate, let connections, let duration, let timeout, !urls.isEmpty else { return nil }
        let plan = LoadPlan(
            urls: urls, rate: rate, connections: Int(connections), duration: duration, method: method, headers: headers,
            timeout: timeout)
        if plan.requests < 1 {
            http["rate"]?.problem(
                "\(Span(seconds: duration)) at this rate make no whole request; raise “rate” or “for”.")
        }
        return .http(plan)
    }

    private func headers(_ field: Field?) -> [String: String] {
        var headers: [String: String] = [:]
        for (name, value) in field?.mapping() ?? [:] {
            // Tokens of RFC 9110, section 5.6.2; a line feed would begin another header.
            let token =
                !name.isEmpty
                && name.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                        || "!#$%&'*+-.^_`|~".utf8.contains($0)
                }
            if !token || ["host", "content-length", "transfer-encoding", "connection"].contains(name.lowercased()) {
                value.problem("“\(name.prefix(60))” is no header that a mission may set.")
            }
            guard let text = value.string() else { continue }
            if text.utf8.contains(where: { $0 < 32 && $0 != 9 || $0 == 127 }) {
                value.problem("a header can't hold control characters.")
            }
            headers[name] = text
        }
        return headers
    }

    func trial(workload: Workload?) -> TrialPlan {
        var plan = TrialPlan()
        readTrial(&plan)
        let before = reader.problems.count
        let goals = boundaries("goals", .goal, verb: "improves")
        var guardrails = boundaries("guardrails", .guardrail, verb: "regresses")
        if root["workload"] == nil {
            for key in ["goals", "guardrails"] {
                for (name, field) in root[key]?.mapping() ?? [:] {
                    guard let kpi = KPI(rawValue: name), kpi.scale != .once else { continue }
                    field.problem("\(name) is measured under a workload, and the mission has none.")
                }
            }
        }
        let written = guardrails.count
        for boundary in Self.defaultGuardrails where !guardrails.contains(where: { $0.kpi == boundary.kpi }) {
            guard root["workload"] != nil else { continue }
            // How many operations a command makes is known only when it has run: as a rule one, and then no number of blocks
            // could show that fewer than one in two hundred fail. Its author may write a margin all the same.
            if boundary.kpi == .error_rate, case .run? = workload { continue }
            if boundary.kpi == .error_rate, workload == nil { continue }
            guardrails.append(boundary)
        }
        plan.boundaries = goals.sorted { $0.kpi < $1.kpi } + guardrails.sorted { $0.kpi < $1.kpi }
        guard reader.problems.count == before else { return plan }
        if reader.problems.isEmpty { for problem in plan.problems { root.field.problem("\(problem).") } }
        if case .http(let load)? = workload {
            for sentence in plan.unreachable(requestsPerArm: load.requests) {
                place(sentence, written: written)?.problem("\(sentence).")
            }
        } else {
            // Without requests to count only what can't be reached with any number of them is refused.
            for sentence in plan.unreachable(requestsPerArm: 1 << 40) {
                place(sentence, written: written)?.problem("\(sentence).")
            }
        }
        return plan
    }

    /// Where a sentence about a KPI belongs: at what the author wrote for it, or at the workload that makes too few requests.
    private func place(_ sentence: String, written: Int) -> Field? {
        let name = sentence.prefix { $0 != ":" }
        return root["guardrails"]?.mapping()?[String(name)] ?? root["workload"] ?? root["guardrails"] ?? root.field
    }

    private func readTrial(_ plan: inout TrialPlan) {
        guard let trial = Members(root["trial"], keys: ["blocks", "confidence", "noise_check"]) else { return }
        if let blocks = Members(trial["blocks"], keys: ["min", "max"]) {
            let least = blocks["min"].map { $0.integer(in: MissionBounds.blocks) } ?? MissionBounds.blocks.lowerBound
            let most = blocks["max"].map { $0.integer(in: MissionBounds.blocks) } ?? MissionBounds.blocks.upperBound
            if let least, let most {
                plan.minBlocks = Int(least)
                plan.maxBlocks = Int(most)
                if most < least { trial["blocks"]?.problem("max (\(most)) is less than min (\(least)).") }
            }
        }
        if let field = trial["confidence"], let ratio = field.ratio() {
            if ratio.isPercentagePoints || !(0.5...0.9999).contains(ratio.fraction) {
                field.problem("expected a confidence between 50% and 99.99%, such as 95%, found \(ratio).")
            } else {
                plan.confidence = ratio.fraction
            }
        }
        if let value = trial["noise_check"]?.boolean() { plan.noiseCheck = value }
    }

    private func boundaries(_ key: String, _ role: Boundary.Role, verb: String) -> [Boundary] {
        guard let members = root[key]?.mapping(keys: KPI.allCases.map(\.rawValue)) else { return [] }
        let other = verb == "improves" ? "regresses" : "improves"
        return members.sorted { $0.value.line < $1.value.line }.compactMap { name, field in
            guard let kpi = KPI(rawValue: name), let entry = field.mapping(keys: [verb]) else { return nil }
            if role == .goal, kpi.scale == .once {
                field.problem(
                    "\(name) is counted once from a report and judged against a margin; it can be a guardrail, not a goal."
                )
                return nil
            }
            guard let value = entry[verb] else {
                let wrong = field.mapping()?[other] != nil
                field.problem(
                    "expected {\(verb): …}"
                        + (wrong
                            ? "; “\(other)” belongs to \(role == .goal ? "guardrails" : "goals")."
                            : ", such as {\(verb): \(kpi.scale == .logRatio ? "10%" : "0.5pp")}."))
                return nil
            }
            guard let ratio = value.ratio() else { return nil }
            switch kpi.scale {
            case .percentagePoints where !ratio.isPercentagePoints:
                value.problem(
                    "\(name) is a rate: expected percentage points such as 0.5pp, found “\(value.string() ?? "")”.")
                return nil
            case .logRatio where ratio.isPercentagePoints:
                value.problem(
                    "\(name) is compared with its baseline: expected a share of it such as 10%, found “\(value.string() ?? "")”."
                )
                return nil
            default: break
            }
            let boundary = Boundary(kpi: kpi, role: role, amount: ratio.fraction)
            if let problem = boundary.problem {
                value.problem("\(problem).")
                return nil
            }
            return boundary
        }
    }
}
