import Documents
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Seccomp files of container engines, taken as they are.
@Suite struct OCISeccompTests {
    /// In the shape of moby's default: denied by default, both spellings of machines, conditions on arguments, capabilities,
    /// machine and kernel, a call for another machine and one of a kernel to come.
    static func text(_ change: (inout String) -> Void = { _ in }) -> String {
        let plain = SystemCalls.standard.filter { !["clone", "socket", "mlockall", "ioctl"].contains($0) }
        let names = (plain + ["ioctl", "a_call_of_tomorrow", "mount", "unshare", "keyctl", "bpf"])
            .map { "\"\($0)\"" }.joined(separator: ",\n\t\t\t\t")
        var text = """
            {
            \t"defaultAction": "SCMP_ACT_ERRNO",
            \t"defaultErrnoRet": 1,
            \t"archMap": [
            \t\t{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
            \t\t{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
            \t],
            \t"syscalls": [
            \t\t{
            \t\t\t"names": [
            \t\t\t\t\(names)
            \t\t\t],
            \t\t\t"action": "SCMP_ACT_ALLOW"
            \t\t},
            \t\t{"names": ["process_vm_readv"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            \t\t{"names": ["process_vm_writev"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.1"}},
            \t\t{"names": ["socket"], "action": "SCMP_ACT_ALLOW",
            \t\t\t"args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
            \t\t{"names": ["personality"], "action": "SCMP_ACT_ALLOW",
            \t\t\t"args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]},
            \t\t{"names": ["clone"], "action": "SCMP_ACT_ALLOW",
            \t\t\t"args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
            \t\t\t"excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]}},
            \t\t{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            \t\t{"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
            \t\t{"names": ["name_to_handle_at"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            \t\t{"names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "comment": "", "args": [], "includes": {}, "excludes": {}},
            \t\t{"names": ["pidfd_getfd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            \t\t{"names": ["mlockall"], "action": "SCMP_ACT_ALLOW",
            \t\t\t"args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}
            \t]
            }
            """
        change(&text)
        return text
    }

    private static func withProfile(_ text: String, _ body: (Profile) async throws -> Void) async throws {
        try await Host.withDirectory { directory in
            try Files.writeAtomically("\(directory)/default.json", Data(text.utf8), mode: 0o644)
            try Files.writeAtomically(
                "\(directory)/oci.yaml", Data("capabilities: [SYS_CHROOT]\nseccomp: {file: default.json}\n".utf8))
            try await body(try ProfileLibrary(directories: [directory]).profile(named: "oci"))
        }
    }

    private static func line(_ name: String, _ arguments: String) throws -> String {
        "perl -e '$r = syscall(\(try #require(SystemCalls.number(of: name)))\(arguments)); print $r < 0 ? $!+0 : 0'"
    }

    /// The answers of a real kernel: allowed, denied by default, with an errno of its own, by argument, by capability, by kernel; and
    /// what no file can allow.
    @Test(arguments: [
        ("kcmp", ", $$, $$, 99, 0, 0", EPERM, 1), ("pidfd_getfd", ", 0, 0, 0", EOPNOTSUPP, 0),
        ("mlockall", ", 4", EPERM, 0), ("mlockall", ", 2", 0, 0), ("socket", ", 1, 1, 0", 0, 0),
        ("socket", ", 40, 1, 0", EPERM, 1), ("name_to_handle_at", ", 0, 0, 0, 0, 0", EPERM, 0),
        ("process_vm_readv", ", $$, 0, 0, 0, 0, 0", 0, 0), ("process_vm_writev", ", $$, 0, 0, 0, 0, 0", EPERM, 0),
        ("clone3", ", 0, 0", ENOSYS, 0), ("personality", ", 0", EPERM, 0), ("unshare", ", 0x10000000", EPERM, 1),
        ("keyctl", ", 0, 0, 0", EPERM, 1), ("bpf", ", 0, 0, 0", EPERM, 1), ("umount2", ", 0, 0", EPERM, 1),
        ("io_uring_setup", ", 1, 0", EPERM, 1),
    ])
    func aFileDecidesExceptAboutWhatChangesASandbox(
        _ name: String, _ arguments: String, _ answer: Int32, _ reported: Int
    ) async throws {
        try await Self.withProfile(Self.text()) { profile in
            let (result, outcome) = try await Host.withSandbox(profile: profile) { sandbox, _ in
                try await sandbox.shell(Self.line(name, arguments))
            }
            #expect(result.out == "\(answer)", "\(result.err)")
            #expect(outcome.deniedCalls.total == reported, "\(outcome.deniedCalls)")
        }
    }

    @Test func aFileThatAllowsByDefaultLeavesTheHardDenialsInPlace() async throws {
        let text = """
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["\(OCISeccomp.native)", "SCMP_ARCH_X32"],
             "syscalls": [{"name": "mlockall", "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS"}]}
            """
        try await Self.withProfile(text) { profile in
            let lines = [
                ("mlockall", ", 1", ENOSYS), ("mount", ", 0, 0, 0, 0, 0", EPERM), ("clone3", ", 0, 0", ENOSYS),
                ("kcmp", ", 0, 0, 99, 0, 0", ESRCH),
            ]
            for (name, arguments, answer) in lines {
                let (result, _) = try await Host.withSandbox(profile: profile) { sandbox, _ in
                    try await sandbox.shell(Self.line(name, arguments))
                }
                #expect(result.out == "\(answer)", "\(name)")
            }
        }
    }

    #if arch(x86_64)
        /// Whatever architectures a file lists beside this machine's, calls by x32's numbers are refused.
        @Test func x32IsRefusedThoughTheFileListsIt() async throws {
            try await Self.withProfile(Self.text()) { profile in
                let (result, outcome) = try await Host.withSandbox(profile: profile) { sandbox, _ in
                    try await sandbox.shell("perl -e '$r = syscall(\(0x4000_0000 + 39)); print $r < 0 ? $!+0 : 0'")
                }
                #expect(result.out == "\(ENOSYS)")
                #expect(outcome.deniedCalls.calls.map(\.call) == ["x32 getpid"])
            }
        }
    #endif

    @Test func theEffectiveResultSaysWhatStaysDenied() async throws {
        try await Self.withProfile(Self.text()) { profile in
            let summary = profile.seccompSummary
            #expect(summary.file?.hasSuffix("/default.json") == true)
            #expect(summary.standard == "errno 1")
            #expect(summary.allowed.contains("openat") && !summary.allowed.contains("mount"))
            #expect(summary.conditional.contains("mlockall") && summary.conditional.contains("clone"))
            #expect(summary.always.contains("mount") && summary.reported.contains("mount"))
            #expect(summary.unknown == ["a_call_of_tomorrow"])
            #expect(summary.quiet["pidfd_getfd"] == "errno 95" && summary.quiet["clone3"] == "errno 38")
        }
    }

    @Test func theDigestIsThatOfTheMeaningAndNotOfThePlace() throws {
        let one = try OCISeccomp.parse(file: "/a/x.json", text: Self.text())
        let two = try OCISeccomp.parse(file: "/b/y.json", text: Self.text())
        let other = try OCISeccomp.parse(
            file: "/a/x.json", text: Self.text { $0 = $0.replacing("\"errnoRet\": 95", with: "\"errnoRet\": 94") })
        let digests = [one, two, other].map { SeccompPolicy(file: $0).digest }
        #expect(digests[0] == digests[1] && digests[0] != digests[2])
        #expect(digests[0] != SeccompPolicy().digest)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        var path: String
        var rule: String
        var top = ""
        var testDescription: String { "\(path): \(rule) \(top)" }
    }

    /// What cannot be honoured is refused with the path of its key.
    @Test(arguments: [
        Wrong(path: "syscalls[0].action", rule: #""names": ["read"], "action": "SCMP_ACT_TRACE""#),
        Wrong(path: "syscalls[0].action", rule: #""names": ["read"], "action": "SCMP_ACT_NOTIFY""#),
        Wrong(path: "syscalls[0].action", rule: #""names": ["read"], "action": "ALLOW""#),
        Wrong(path: "syscalls[0]", rule: #""names": ["read"]"#),
        Wrong(path: "syscalls[0]", rule: #""action": "SCMP_ACT_ALLOW""#),
        Wrong(path: "syscalls[0].nmaes", rule: #""nmaes": ["read"], "names": ["read"], "action": "SCMP_ACT_ALLOW""#),
        Wrong(path: "syscalls[0].errnoRet", rule: #""names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096"#),
        Wrong(path: "syscalls[0].errnoRet", rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 5"#),
        Wrong(path: "syscalls[0].errno", rule: #""names": ["read"], "action": "SCMP_ACT_ERRNO", "errno": "EWHAT""#),
        Wrong(
            path: "syscalls[0].errnoRet",
            rule: #""names": ["read"], "action": "SCMP_ACT_ERRNO", "errno": "EPERM", "errnoRet": 38"#),
        Wrong(
            path: "syscalls[0].args[0].op",
            rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "EQ"}]"#),
        Wrong(
            path: "syscalls[0].args[0].index",
            rule:
                #""names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]"#
        ),
        Wrong(
            path: "syscalls[0].args[0].value",
            rule:
                #""names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]"#
        ),
        Wrong(
            path: "syscalls[0].args[0]",
            rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]"#),
        Wrong(
            path: "syscalls[0].includes.caps[0]",
            rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_MAGIC"]}"#),
        Wrong(
            path: "syscalls[0].excludes.minKernel",
            rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "new"}"#),
        Wrong(
            path: "syscalls[0].includes.kernels",
            rule: #""names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"kernels": "4.8"}"#),
        Wrong(
            path: "architectures", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#,
            top: #""architectures": ["SCMP_ARCH_S390X"]"#),
        Wrong(
            path: "architectures[0]", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#,
            top: #""architectures": ["x86"]"#),
        Wrong(
            path: "archMap", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#,
            top: #""archMap": [{"architecture": "SCMP_ARCH_S390X", "subArchitectures": null}]"#),
        Wrong(
            path: "flags[0]", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#,
            top: #""flags": ["SECCOMP_FILTER_FLAG_LOG"]"#),
        Wrong(
            path: "listenerPath", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#, top: #""listenerPath": "/run/x""#),
        Wrong(
            path: "defaultErrnoRet", rule: #""names": [], "action": "SCMP_ACT_ALLOW""#,
            top: #""defaultErrnoRet": "many""#),
    ])
    func whatCannotBeHonouredIsRefusedWithItsKey(_ wrong: Wrong) throws {
        let text = """
            {"defaultAction": "SCMP_ACT_ERRNO", \(wrong.top.isEmpty ? "" : wrong.top + ",")
             "syscalls": [{\(wrong.rule)}]}
            """
        let problems = #expect(throws: Problems.self) { try OCISeccomp.parse(file: "x.json", text: text) }
        #expect(problems?.all.map(\.path).contains(wrong.path) == true, "\(problems?.description ?? "no problem")")
        #expect(problems?.all.allSatisfy { $0.line != nil && !$0.message.isEmpty } == true)
    }

    @Test func anUnknownCallThatShouldBeDeniedIsRefusedWhereTheRestIsAllowed() throws {
        func text(_ standard: String) -> String {
            #"{"defaultAction": "\#(standard)", "syscalls": [{"names": ["a_call_of_tomorrow"], "action": "SCMP_ACT_ERRNO"}]}"#
        }
        #expect(throws: Problems.self) { try OCISeccomp.parse(file: "x.json", text: text("SCMP_ACT_ALLOW")) }
        #expect(try OCISeccomp.parse(file: "x.json", text: text("SCMP_ACT_ERRNO")).unknown == [])
    }

    @Test func aFileWithoutWhatProcessOneNeedsIsRefusedByName() async throws {
        let text = Self.text { $0 = $0.replacing("\"capset\",", with: "") }
        try await Self.withProfile(text) { profile in
            let error = await #expect(throws: SandboxError.self) {
                _ = try await Host.withSandbox(profile: profile) { sandbox, _ in try await sandbox.shell("true") }
            }
            #expect(error?.description.contains("capset") == true)
        }
    }

    @Test func onlyAProfileMayNameAFile() throws {
        let reader = DocumentReader(file: "m.yaml", text: "seccomp: {file: /etc/shadow}\n")
        _ = Profile(name: "p").overridden(by: try #require(reader.root))
        let problems = #expect(throws: Problems.self) { try reader.finish() }
        #expect(problems?.all.map(\.path) == ["seccomp.file"])
    }

    @Test func aFilesMistakesAreTheProfilesMistakes() throws {
        let problems = #expect(throws: Problems.self) {
            try Profile.parse(file: "/p/x.yaml", text: "seccomp: {file: s.json}\n") { path in
                #expect(path == "/p/s.json")
                return #"{"defaultAction": "NO", "syscalls": [{"names": ["read"], "action": "NO"}]}"#
            }
        }
        #expect(problems?.all.map(\.path) == ["seccomp.file", "seccomp.file"])
        #expect(
            problems?.all.last?.message.contains("s.json:1: syscalls[0].action") == true,
            "\(problems?.description ?? "")")
    }
}
