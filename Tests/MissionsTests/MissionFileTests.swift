import Documents
import Fork
import FoundationEssentials
import Glibc
import Measurement
import Missions
import Testing

@Suite("The mission file")
struct MissionFileTests {
    static let full = """
        title: Optimize database queries
        description: Add index to users table
        rationale: Query latency increased 30% over last week
        severity: high
        change:
          run: sqlite3 /srv/app/app.db 'CREATE INDEX users_email ON users(email)'
          promote: rerun
          undo: sqlite3 /srv/app/app.db 'DROP INDEX users_email'
          effect: test -e /srv/app/app.db
          touches: [/srv/app]
        host: {labels: {role: app}}
        sandbox:
          profile: service
          limits: {memory: 512Mi}
          snapshot:
            - {paths: ["/srv/app/app.db*"], freeze: app.service}
        services:
          - run: /srv/app/server --port 8080
            user: app
            directory: /srv/app
            environment: {DATABASE: /srv/app/app.db}
            secrets: {TOKEN: {file: /etc/app/token}}
            ready: {http: "http://127.0.0.1:8080/healthz", within: 10s}
        workload:
          http: {urls: ["http://127.0.0.1:8080/users?email=a"], rate: 200/s, connections: 16, for: 5s}
        checks:
          - {name: tests, run: make test, junit: out/junit.xml, coverage: out/coverage.xml}
          - {name: lint, run: ./lint.sh, sarif: out/lint.sarif}
        goals: {latency_p95: {improves: 10%}}
        guardrails: {error_rate: {regresses: 0.5pp}, memory_peak: {regresses: 5%}, cpu_time: {regresses: 10%}}
        trial: {blocks: {min: 10, max: 80}, confidence: 95%, noise_check: true}
        live:
          apply: {reload: [nginx.service]}
          watch: {for: 30m, probes: [{http: "http://127.0.0.1:8080/users?email=a"}], limits: {error_rate: 1%, latency_p95: 250ms}}
        """

    static let least = """
        title: t
        description: d
        rationale: r
        change: {run: "true"}
        workload: {http: {urls: ["http://127.0.0.1:80/"], rate: 200/s, for: 1s}}
        """

    private func parse(_ text: String, directory: String? = nil) throws -> MissionFile {
        try MissionFile.parse(file: "m.yaml", text: text, directory: directory, profiles: nil)
    }

    private func problems(_ text: String, directory: String? = nil) -> [String] {
        do {
            _ = try parse(text, directory: directory)
            return []
        } catch let error as Problems {
            return error.all.map(\.description)
        } catch {
            return ["not Problems: \(error)"]
        }
    }

    @Test("the design's example is read whole")
    func example() throws {
        let mission = try parse(Self.full)
        #expect(mission.severity == .high)
        #expect(mission.change.promote == .rerun)
        #expect(mission.change.touches == ["/srv/app"])
        #expect(mission.host.labels == ["role": "app"])
        #expect(mission.sandbox.overrides == ["limits": ["memory": "512Mi"]])
        #expect(mission.sandbox.snapshot.map(\.freeze) == ["app.service"])
        #expect(mission.services.first?.secrets["TOKEN"]?.file == "/etc/app/token")
        #expect(mission.services.first?.ready == Readiness(http: "http://127.0.0.1:8080/healthz", within: 10))
        guard case .http(let load)? = mission.workload else { Issue.record("no http"); return }
        #expect(load.rate == 200 && load.duration == 5 && load.connections == 16)
        #expect(mission.checks.map(\.name) == ["tests", "lint"])
        #expect(
            mission.trial.boundaries == [
                Boundary(kpi: .latency_p95, role: .goal, amount: 0.10),
                Boundary(kpi: .error_rate, role: .guardrail, amount: 0.005),
                Boundary(kpi: .cpu_time, role: .guardrail, amount: 0.10),
                Boundary(kpi: .memory_peak, role: .guardrail, amount: 0.05),
            ])
        #expect(mission.live.apply.reload == ["nginx.service"])
        #expect(mission.live.watch.duration == 1800)
        #expect(mission.live.watch.limits == WatchLimits(errorRate: 0.01, latencyP95: 0.25))
    }

    @Test("the same mission in JSON is the same mission, with the same digest")
    func json() throws {
        let yaml = try parse(Self.full)
        let reader = DocumentReader(file: "m", text: Self.full)
        let json = try #require(reader.root?.json.canonicalText)
        let again = try parse(json)
        #expect(again == yaml)
        #expect(try again.digest == yaml.digest)
    }

    @Test("a mission survives its own document")
    func document() throws {
        let mission = try parse(Self.full)
        #expect(try mission.document.decode(MissionFile.self) == mission)
        #expect(try JSON(parsing: mission.document.canonical).decode(MissionFile.self).digest == mission.digest)
    }

    @Test("what its author leaves out has the documented defaults")
    func defaults() throws {
        let mission = try parse(Self.least)
        #expect(mission.severity == .medium)
        #expect(mission.change.promote == .files)
        #expect(mission.sandbox == SandboxRequest())
        #expect(
            mission.trial
                == TrialPlan(boundaries: [
                    Boundary(kpi: .error_rate, role: .guardrail, amount: 0.005),
                    Boundary(kpi: .cpu_time, role: .guardrail, amount: 0.10),
                    Boundary(kpi: .memory_peak, role: .guardrail, amount: 0.05),
                ]))
        #expect(mission.live == LiveSpecification())
        #expect(mission.live.watch.duration == 1800)
    }

    @Test("a written margin replaces the default one and leaves the others")
    func ownMargin() throws {
        let mission = try parse(Self.least + "\nguardrails: {memory_peak: {regresses: 20%}}")
        #expect(mission.trial.boundaries.first { $0.kpi == .memory_peak }?.amount == 0.2)
        #expect(mission.trial.boundaries.count == 3)
    }

    @Test("a command workload gets no default error margin, since one run a time could never reach it")
    func commandDefaults() throws {
        let text = Self.least.replacing(
            #"workload: {http: {urls: ["http://127.0.0.1:80/"], rate: 200/s, for: 1s}}"#,
            with: "workload: {run: ./bench.sh}")
        #expect(try parse(text).trial.boundaries.map(\.kpi) == [.cpu_time, .memory_peak])
        #expect(
            try parse(text + "\nguardrails: {error_rate: {regresses: 20pp}}").trial.boundaries.map(\.kpi) == [
                .error_rate, .cpu_time, .memory_peak,
            ])
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var replace: String
        var with: String
        var place: String
        var expected: String
        var testDescription: String { "\(with.prefix(60)) → \(place)" }
    }

    /// Each one mends nothing else: the problem named must be there, at its place.
    @Test(
        "each mistake is named with its line, its key path and what was expected",
        arguments: [
            Bad(replace: "title: t\n", with: "", place: "m.yaml:1:", expected: "the key “title” is missing"),
            Bad(replace: "title: t", with: "titel: t", place: "m.yaml:1: titel", expected: "Did you mean “title”?"),
            Bad(
                replace: "title: t", with: "title: \"a\\e[31m\"", place: "m.yaml:1: title",
                expected: "without control characters"),
            Bad(
                replace: "description: d", with: "description: '  '", place: "m.yaml:2: description",
                expected: "expected text"),
            Bad(
                replace: "rationale: r", with: "rationale: [r]", place: "m.yaml:3: rationale",
                expected: "expected text, found a list"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nseverity: urgent", place: "m.yaml:4: severity",
                expected: "one of low, medium, high, critical"),
            Bad(
                replace: #"{run: "true"}"#, with: "{}", place: "m.yaml:4: change",
                expected: "exactly one of run, files, patch and git, found none"),
            Bad(
                replace: #"{run: "true"}"#,
                with: #"{run: "true", git: {repository: /r, baseline: a, candidate: b, directory: /d}}"#,
                place: "change.git", expected: "only one of"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", promote: rerun}"#, place: "change",
                expected: "the key “undo” is missing"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", promote: rerun, undo: x}"#, place: "change",
                expected: "the key “effect” is missing"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", undo: x}"#, place: "change.undo",
                expected: "belongs to promote: rerun"),
            Bad(
                replace: #"{run: "true"}"#,
                with: "{patch: {content: x, directory: /d}, promote: rerun, undo: u, effect: e}",
                place: "change.promote", expected: "only a change made by “run”"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", touches: [/a/../b]}"#, place: "change.touches[0]",
                expected: "expected an absolute path"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", touches: ["/a\u0000b"]}"#, place: "change.touches[0]",
                expected: "expected an absolute path"),
            Bad(
                replace: #"{run: "true"}"#, with: #"{run: "true", touches: [srv]}"#, place: "change.touches[0]",
                expected: "expected an absolute path"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: etc/x, content: a}]}", place: "change.files[0].path",
                expected: "expected an absolute path"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: /x, source: a}]}", place: "change.files[0].source",
                expected: "carries its contents"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: /x, content: a, mode: \"0999\"}]}",
                place: "change.files[0].mode", expected: "octal"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: /x, content: a, owner: root}]}",
                place: "change.files[0].owner", expected: "user:group"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: /x, content: a}, {path: /x/, content: b}]}",
                place: "change.files[1].path", expected: "is there already"),
            Bad(
                replace: #"{run: "true"}"#, with: "{files: [{path: /x, content: a}], touches: [/y]}",
                place: "change.files[0]", expected: "outside of change.touches"),
            Bad(
                replace: #"{run: "true"}"#,
                with: "{git: {repository: /r, baseline: --upload-pack=x, candidate: b, directory: /d}}",
                place: "change.git.baseline", expected: "expected one revision"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nsandbox: {limts: {}}", place: "sandbox.limts",
                expected: "unknown key"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nsandbox: {limits: {memory: lots}}",
                place: "sandbox.limits.memory", expected: "expected a size"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nsandbox: {snapshot: [{freeze: app.service}]}",
                place: "sandbox.snapshot[0]", expected: "expected “paths”"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nservices: [{user: app}]", place: "services[0]",
                expected: "the key “run” is missing"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nservices: [{run: x, ready: {http: \"ftp://x\"}}]",
                place: "services[0].ready.http", expected: "expected an address"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nservices: [{run: x, environment: {A-B: 1}}]",
                place: "services[0].environment.A-B", expected: "no name of an environment variable"),
            Bad(
                replace: "rate: 200/s", with: "rate: 200", place: "workload.http.rate",
                expected: "expected a rate such as 200/s"),
            Bad(
                replace: "for: 1s", with: "for: 1", place: "workload.http.for",
                expected: "expected a time with its unit"),
            Bad(replace: "for: 1s", with: "for: 1s, run: x", place: "workload.http.run", expected: "unknown key"),
            Bad(
                replace: "workload: {http", with: "workload: {run: x, http", place: "workload.run",
                expected: "only one of http and run"),
            Bad(
                replace: "http://127.0.0.1:80/", with: "http://127.0.0.1:99999/", place: "workload.http.urls[0]",
                expected: "port from 1 to 65535"),
            Bad(
                replace: "http://127.0.0.1:80/", with: "https://127.0.0.1/", place: "workload.http.urls[0]",
                expected: "https is not measured"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nchecks: [{name: a, run: x}, {name: a, run: y}]",
                place: "checks[1].name", expected: "is there already"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {latency: {improves: 1%}}", place: "goals.latency",
                expected: "unknown key"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {latency_p95: {regresses: 1%}}",
                place: "goals.latency_p95", expected: "belongs to guardrails"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {latency_p95: {improves: 1pp}}",
                place: "goals.latency_p95.improves", expected: "expected a share of it such as 10%"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {latency_p95: {improves: 0%}}",
                place: "goals.latency_p95.improves", expected: "asks for nothing"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {latency_p95: {improves: 100%}}",
                place: "goals.latency_p95.improves", expected: "less than 100%"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ngoals: {test_coverage: {improves: 1pp}}",
                place: "goals.test_coverage", expected: "not a goal"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nguardrails: {error_rate: {regresses: 1%}}",
                place: "guardrails.error_rate.regresses", expected: "percentage points such as 0.5pp"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nguardrails: {cpu_time: {regresses: 0%}}",
                place: "guardrails.cpu_time", expected: "margin of 0"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nguardrails: {error_rate: {regresses: 0.001pp}}",
                place: "guardrails.error_rate", expected: "needs"),
            Bad(
                replace: "rate: 200/s", with: "rate: 1/s", place: "workload",
                expected: "error_rate: a margin of 0.5pp needs"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ntrial: {blocks: {min: 5}}", place: "trial.blocks.min",
                expected: "from 10 to 80"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ntrial: {blocks: {max: 81}}", place: "trial.blocks.max",
                expected: "from 10 to 80"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ntrial: {blocks: {min: 40, max: 20}}",
                place: "trial.blocks", expected: "less than min"),
            Bad(
                replace: "rationale: r", with: "rationale: r\ntrial: {confidence: 20%}", place: "trial.confidence",
                expected: "between 50% and 99.99%"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nlive: {apply: {reload: [nginx]}}",
                place: "live.apply.reload[0]", expected: "systemd unit"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nlive: {watch: {limits: {error_rate: 1%}}}",
                place: "live.watch.limits", expected: "need “probes”"),
            Bad(
                replace: "rationale: r", with: "rationale: r\nlive: {quiesce: [a.service]}", place: "live.quiesce",
                expected: "not done by this version"),
        ])
    func mistakes(bad: Bad) {
        let text = Self.least.replacing(bad.replace, with: bad.with, maxReplacements: 1)
        #expect(text != Self.least)
        let found = problems(text)
        #expect(found.contains { $0.contains(bad.place) && $0.contains(bad.expected) }, "found: \(found)")
        #expect(!found.contains { $0.hasPrefix("not Problems") })
    }

    @Test(
        "a value at the very edge of its bound passes the parser and the agent alike",
        arguments: [
            "live: {watch: {for: 1s, interval: 50ms}}", "live: {watch: {for: 7d, interval: 1h}}",
            "services: [{run: x, ready: {http: \"http://127.0.0.1/\", within: 100ms}}]",
            "services: [{run: x, ready: {http: \"http://127.0.0.1/\", within: 10m}}]",
            "checks: [{name: a, run: x, timeout: 100ms}]", "checks: [{name: a, run: x, timeout: 24h}]",
            "trial: {blocks: {min: 10, max: 10}}", "trial: {blocks: {min: 80, max: 80}}",
            "sandbox: {snapshot: [{paths: [/a], max_pause: 1ms}]}",
            "sandbox: {snapshot: [{paths: [/a], max_pause: 60s}]}",
        ])
    func edges(line: String) throws {
        #expect(try parse(Self.least + "\n" + line).faults.isEmpty)
    }

    @Test("what a decoded document holds beyond a bound is a fault with its name")
    func beyond() throws {
        let breaks: [(String, (inout MissionFile) -> Void)] = [
            ("live.watch.for", { $0.live.watch.duration = 0.9 }),
            ("live.watch.interval", { $0.live.watch.interval = 0.04 }),
            ("live.watch.limits.error_rate", { $0.live.watch.limits.errorRate = 1.1 }),
            ("live.watch.limits.latency_p95", { $0.live.watch.limits.latencyP95 = 601 }),
            ("live.watch.probes", { $0.live.watch.probes = Array(repeating: Probe(http: "http://a/"), count: 51) }),
            ("trial.blocks.min", { $0.trial.minBlocks = 9 }), ("trial.blocks.max", { $0.trial.maxBlocks = 81 }),
            ("checks.timeout", { $0.checks = [CheckSpecification(name: "a", run: "x", timeout: 0.05)] }),
            (
                "services.ready.within",
                { $0.services = [ServiceSpecification(run: "x", ready: Readiness(http: "http://a/", within: 0.05))] }
            ),
        ]
        for (name, change) in breaks {
            var mission = try parse(Self.least)
            change(&mission)
            #expect(mission.faults.contains { $0.hasPrefix(name + " ") }, "\(name): \(mission.faults)")
        }
    }

    @Test("a load that no agent would make is refused when the file is read")
    func load() {
        let found = problems(Self.least.replacing("rate: 200/s", with: "rate: 200000/s"))
        #expect(found.contains { $0.contains("workload.http.rate: must lie above 0 and up to 100000") }, "\(found)")
    }

    @Test("all mistakes are reported at once")
    func allAtOnce() {
        let found = problems(
            """
            title: t
            change: {run: a, promote: rerun}
            workload: {http: {urls: [x], rate: fast, for: 1}}
            goals: {latency_p95: {improves: 10pp}}
            trial: {confidence: much}
            surprise: 1
            """)
        for expected in [
            "description", "rationale", "undo", "effect", "urls[0]", "rate", "for", "goals.latency_p95.improves",
            "trial.confidence", "surprise",
        ] {
            #expect(found.contains { $0.contains(expected) }, "\(expected) in \(found)")
        }
    }

    @Test("a mission without a workload needs checks and is judged by reports alone")
    func withoutWorkload() throws {
        let base = "title: t\ndescription: d\nrationale: r\nchange: {run: x}\n"
        #expect(problems(base).contains { $0.contains("“workload” is missing") })
        let checks = base + "checks: [{name: a, run: make, coverage: c.xml}]\n"
        #expect(problems(checks).contains { $0.contains("at least one is needed") })
        #expect(
            problems(checks + "guardrails: {cpu_time: {regresses: 5%}}").contains {
                $0.contains("measured under a workload")
            })
        let mission = try parse(checks + "guardrails: {test_coverage: {regresses: 1%}}")
        #expect(mission.trial.boundaries == [Boundary(kpi: .test_coverage, role: .guardrail, amount: 0.01)])
    }

    @Test("sources are read from beside the mission file and carried in it")
    func sources() throws {
        let directory = "/var/tmp/grace-mission-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory + "/sub", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let content = Data([0, 255, 10])
        try content.write(to: URL(fileURLWithPath: directory + "/sub/nginx.conf"))
        try Data(count: (8 << 20) + 1).write(to: URL(fileURLWithPath: directory + "/big"))
        #expect(mkfifo(directory + "/pipe", 0o600) == 0)
        func text(_ source: String) -> String {
            Self.least.replacing(
                #"{run: "true"}"#,
                with: "{files: [{path: /etc/x, source: \(source), mode: \"644\", owner: \"root:www-data\"}]}")
        }
        let mission = try parse(text("sub/nginx.conf"), directory: directory)
        #expect(
            mission.change.action
                == .files([
                    FileChange(
                        path: "/etc/x", content: content.base64EncodedString(), mode: "0644", owner: "root:www-data")
                ]))
        #expect(
            problems(text("none"), directory: directory).contains {
                $0.contains("can't be read beside the mission file")
            })
        #expect(problems(text("big"), directory: directory).contains { $0.contains("at most 8 MiB") })
        #expect(problems(text("pipe"), directory: directory).contains { $0.contains("no regular file") })
        #expect(problems(text("../x"), directory: directory).contains { $0.contains("without “..”") })
        #expect(
            problems(text("/etc/passwd"), directory: directory).contains { $0.contains("relative to the mission file") }
        )
        #expect(problems(text("sub"), directory: directory).contains { $0.contains("no regular file") })
    }

    @Test("contents written in the file are carried as they are")
    func inline() throws {
        let text = Self.least.replacing(
            #"{run: "true"}"#, with: "{files: [{path: /a, content: \"x\\n\"}, {path: /b, content_base64: AP8=}]}")
        guard case .files(let files) = try parse(text).change.action else { Issue.record("no files"); return }
        #expect(files.map(\.content) == ["eAo=", "AP8="])
    }

    @Test("a repository's path becomes absolute")
    func repository() throws {
        let text = Self.least.replacing(
            #"{run: "true"}"#,
            with: "{git: {repository: ., baseline: origin/main, candidate: HEAD, directory: /srv/src}}")
        guard case .git(let git) = try parse(text, directory: "/home/me/./project").change.action else {
            Issue.record("no git"); return
        }
        #expect(git.repository == "/home/me/project")
        #expect(problems(text).contains { $0.contains("absolute path") })
    }

    @Test("no text whatsoever crashes the parser")
    func fuzz() {
        var random = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0...UInt64.max, using: &random)
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let pieces = [
            "[", "]", "{", "}", ":", " ", "\n", "-", "'", "\"", "1", "null", "%", "pp", "/", "\u{0}", "é", "&a", "*a",
            "|", "run", "0x", "~",
        ]
        for _ in 0..<400 {
            var text = Array(Self.full)
            for _ in 0...next(4) {
                let at = next(text.count)
                if next(2) == 0 {
                    text.replaceSubrange(at..<min(text.count, at + next(12)), with: Array(pieces[next(pieces.count)]))
                } else {
                    text.remove(at: at)
                }
            }
            let found = problems(String(text))
            #expect(!found.contains { $0.hasPrefix("not Problems") }, "seed \(seed)")
        }
    }
}
